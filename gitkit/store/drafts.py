"""Files on their way into a store: in ``tmp/``, each locked by its writer, so what is not locked was left by a killed
process."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from gitkit.store.lock import flock

_PARTIAL = ".part"
_PARTIAL_KEPT_S = 86400


class Draft(NamedTuple):
    """A file in ``tmp/`` that this process holds locked."""

    fd: int
    name: str


@contextmanager
def temporary(folder: str) -> Iterator[Draft]:
    """A new draft; deleted on leaving unless it was renamed."""
    while True:
        name = os.path.join(folder, f"{os.getpid()}-{os.urandom(8).hex()}")
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        flock(fd, fcntl.LOCK_EX)
        if _is_at(fd, name):
            break
        os.close(fd)  # a sweep found it before it was locked
    try:
        yield Draft(fd, name)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
        os.close(fd)


def unnamed(folder: str, permissions: int) -> int | None:
    """A new file, open to write, on the file system of ``folder`` and without a name, so that nothing is left of it
    where its writer is killed. None where it cannot be had. The caller closes it.
    """
    flag = getattr(os, "O_TMPFILE", None)
    if flag is not None:
        with suppress(OSError):
            return os.open(folder, os.O_WRONLY | flag | os.O_CLOEXEC, permissions)
    return None


def give_name(fd: int, name: str) -> None:
    """Let the ``unnamed`` file be ``name``.

    Raises:
        FileExistsError: something has this name.
        OSError: it cannot have it; that is so for all where ``/proc`` is not mounted.
    """
    # With a descriptor for a folder, which an absolute name does not need, Python follows the link.
    os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=fd, follow_symlinks=True)


@contextmanager
def opened(name: str) -> Iterator[Draft | None]:
    """The file ``name`` of ``tmp/`` as a draft; None where it is no regular file or a sweep took it."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(name)
        yield None
        return
    try:
        flock(fd, fcntl.LOCK_SH)
        yield Draft(fd, name) if _is_at(fd, name) else None
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
        os.close(fd)


@contextmanager
def partial(folder: str, name: str) -> Iterator[Draft]:
    """The partial download ``name``, locked; it stays unless it was renamed."""
    path = os.path.join(folder, name + _PARTIAL)
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        flock(fd, fcntl.LOCK_EX)
        if _is_at(fd, path):
            break
        os.close(fd)  # its last holder finished the download and renamed it
    try:
        yield Draft(fd, path)
    finally:
        os.close(fd)


def sweep(folder: str) -> int:
    """Delete what nobody writes (partial downloads are kept for a day); returns how many files that were."""
    try:
        with os.scandir(folder) as entries:
            return sum(_sweep(entry) for entry in list(entries))
    except FileNotFoundError:
        return 0


def _sweep(entry: "os.DirEntry[str]") -> bool:
    with suppress(OSError):  # gone by now, or locked, or somebody else's
        if not entry.is_file(follow_symlinks=False):
            return False
        if entry.name.endswith(_PARTIAL) and entry.stat().st_mtime > time.time() - _PARTIAL_KEPT_S:
            return False
        with open(entry.path, "rb") as file:
            # Where nothing can be locked, nobody can tell what is still being written.
            if flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB) and _is_at(file.fileno(), entry.path):
                os.unlink(entry.path)
                return True
    return False


def _is_at(fd: int, name: str) -> bool:
    """Whether the open file is still the one under ``name``."""
    try:
        return os.path.samestat(os.stat(name), os.fstat(fd))
    except FileNotFoundError:
        return False
