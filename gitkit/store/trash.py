"""Blobs that nobody seems to need any more: ``trash/YYYY-MM-DD/<hex>`` beside ``blobs/`` (dates are UTC).

A blob goes there and comes back by rename, so that it is always in one place or in the other, whenever a process is
killed. Safe with several processes.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from gitkit.core.digest import is_digest
from gitkit.store import durable
from gitkit.store.ingest import copy_hashed


class Thrown(NamedTuple):
    """A blob in the trash; ``size`` in bytes."""

    digest: str
    size: int
    day: date
    path: str


class Trash:
    """The trash of the folder ``pool``, which holds ``blobs/``."""

    def __init__(self, pool: str) -> None:
        self._path = os.path.join(pool, "trash")
        self._blobs = os.path.join(pool, "blobs", "sha256")

    def throw(self, digest: str, *, unused_since: float) -> bool:
        """Move a blob here; False where it was stored or asked for after ``unused_since`` (seconds since 1970).

        Raises:
            OSError
        """
        source = self._blob(digest)
        try:
            fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            before = os.fstat(fd)
            if before.st_ctime > unused_since:
                return False
            target = os.path.join(self._today(), digest[7:])
            os.rename(source, target)
            # Whoever found the blob instead of storing it again says so by its access time; see ImageLayout.claim.
            if os.fstat(fd).st_atime_ns != before.st_atime_ns:
                os.rename(target, source)
                return False
        finally:
            os.close(fd)
        return True

    def take_back(self, digest: str) -> bool:
        """Move a blob back to where it was; whether it is there now. A damaged one is deleted."""
        for day in self._days():
            path = os.path.join(self._path, day, digest[7:])
            with suppress(OSError):
                found = os.lstat(path)
                if not stat.S_ISREG(found.st_mode):
                    continue
                if not durable.is_sealed(found) and not _is(path, digest):
                    os.unlink(path)
                    continue
                os.rename(path, self._blob(digest))
                return True
        return os.path.exists(self._blob(digest))  # another process may have been faster

    def blobs(self) -> Iterator[Thrown]:
        """What is here, oldest first."""
        for day in reversed(self._days()):
            with suppress(FileNotFoundError), os.scandir(os.path.join(self._path, day)) as entries:
                for entry in entries:
                    digest = f"sha256:{entry.name}"
                    with suppress(FileNotFoundError):
                        if is_digest(digest) and entry.is_file(follow_symlinks=False):
                            size = entry.stat(follow_symlinks=False).st_size
                            yield Thrown(digest, size, date.fromisoformat(day), entry.path)

    def delete(self, thrown: Thrown, *, unused_since: float) -> bool:
        """Delete a blob for good, and its day's folder when that is empty; whether that was done.

        One with several names stays that came here after ``unused_since`` (seconds since 1970): whoever asked for it
        meanwhile left no trace (``durable.keep``), and without one of its names it takes no less space.
        """
        try:
            found = os.lstat(thrown.path)
            if found.st_nlink > 1 and found.st_ctime > unused_since:
                return False
            os.unlink(thrown.path)
        except FileNotFoundError:
            return False
        with suppress(OSError):
            os.rmdir(os.path.dirname(thrown.path))
        return True

    def _blob(self, digest: str) -> str:
        return os.path.join(self._blobs, digest[7:])

    def _today(self) -> str:
        folder = os.path.join(self._path, today().isoformat())
        if not os.path.isdir(folder):
            # Whoever may write blobs may throw them away and take them back (core.sharedRepository).
            mode = stat.S_IMODE(os.stat(self._blobs).st_mode)
            for path in (self._path, folder):
                with suppress(FileExistsError):
                    os.mkdir(path)
                    os.chmod(path, mode)
        return folder

    def _days(self) -> list[str]:
        """Names of the day folders, latest first."""
        try:
            return sorted(filter(_is_day, os.listdir(self._path)), reverse=True)
        except FileNotFoundError:
            return []


def today() -> date:
    """The day that what is thrown away now belongs to."""
    return datetime.now(UTC).date()


def days_ago(days: int) -> date:
    """The day ``days`` before today; the first one of all where there is none."""
    return today() - min(timedelta(days), today() - date.min)


def _is_day(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def _is(path: str, digest: str) -> bool:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb", buffering=0) as file:
        return copy_hashed(file, None)[0] == digest
