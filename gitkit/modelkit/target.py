"""The folder that a kit is unpacked into. Files are written beside their place and renamed once they are verified.

No link is ever followed: folders are opened one by one with ``O_NOFOLLOW``, and made where they are missing. The
drafts' folder is locked while it is used, so what is not locked was left by a killed process and is deleted by the
next one. Safe with several threads and processes; two processes that unpack the same file each rename a whole one.
"""

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Literal, NamedTuple, Self

from gitkit.core.digest import digest_of
from gitkit.core.paths import show_path
from gitkit.errors import Conflict, Denied, KitError
from gitkit.store.ingest import BLOCK, copy_hashed

_DRAFTS = ".git-kit-unpack-"
_SYNC_AT_ONCE = 256
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Draft(NamedTuple):
    """A file that has no name of its own yet."""

    fd: int
    name: str


class Found(NamedTuple):
    """What is where a file should be. ``wall``: a folder, or something above it that is no folder."""

    kind: Literal["file", "link", "wall"]
    size: int
    mtime_ns: int


class Target:
    """``path`` is made where it is missing.

    Raises:
        Denied, KitError: the folder cannot be made or written; also from everything in the ``with`` block.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.abandoned = False
        """Set where threads may still write here: then everything stays as it is until the process ends."""

    def __enter__(self) -> Self:
        with self.errors():
            self._new = not os.path.isdir(self.path)
            os.makedirs(self.path, exist_ok=True)
            self._root = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._sweep()
            self._name, self._drafts = self._own_drafts()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.abandoned:
            return
        with suppress(OSError):
            shutil.rmtree(self._name, dir_fd=self._root)
        os.close(self._drafts)
        os.close(self._root)
        if self._new:
            with suppress(OSError):
                os.rmdir(self.path)  # only where nothing was unpacked

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns errors of the file system into ours."""
        try:
            yield
        except OSError as error:
            raise _translated(error, self.path) from error

    # -- what is there ---------------------------------------------------------------------------------------------

    def look(self, path: str) -> Found | None:
        """What is at ``path``; None where a file can be put."""
        try:
            with self._folder(path) as (folder, name):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                return Found("wall", 0, 0)
            raise
        kind: Literal["file", "link", "wall"] = "link"
        if stat.S_ISDIR(found.st_mode):
            kind = "wall"
        elif stat.S_ISREG(found.st_mode):
            kind = "file"
        return Found(kind, found.st_size, found.st_mtime_ns)

    def digest(self, path: str) -> str:
        """The digest of the regular file at ``path``."""
        with self._folder(path) as (folder, name):
            return _digest_of(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder))

    # -- writing ---------------------------------------------------------------------------------------------------

    @contextmanager
    def draft(self, mode: int) -> Iterator[Draft]:
        """A new, empty file to write to; ``mode`` is 0o644 or 0o755, less what the umask takes away."""
        name = os.urandom(12).hex()
        permissions = 0o777 if mode & 0o100 else 0o666
        fd = os.open(
            name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, permissions, dir_fd=self._drafts
        )
        try:
            yield Draft(fd, name)
        finally:
            os.close(fd)

    def draft_digest(self, name: str) -> str:
        """The digest of what was written to a draft."""
        return _digest_of(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._drafts))

    def flush(self, names: Sequence[str]) -> None:
        """Have the disk hold what was written to these drafts."""
        if len(names) > _SYNC_AT_ONCE:
            os.sync()  # a flush for each costs a millisecond, so thousands of small files would take as many
            return
        for name in names:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._drafts)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def drop(self, name: str) -> None:
        """Forget a draft."""
        os.unlink(name, dir_fd=self._drafts)

    def publish(self, name: str, path: str, expected: Found | None) -> None:
        """Give a draft its path, in the place of ``expected``; folders are made where they are missing.

        Raises:
            Conflict: something else came there in between.
        """
        if self.look(path) != expected:
            raise Conflict(f"{show_path(path)} in {self.path} was changed meanwhile", hint="run the command again")
        with self._folder(path, make=True) as (folder, last):
            os.rename(name, last, src_dir_fd=self._drafts, dst_dir_fd=folder)

    def make_folder(self, path: str) -> None:
        """Make a folder, and those above it, unless it is there.

        Raises:
            Conflict: something else is in its place.
        """
        try:
            with self._folder(f"{path}/.", make=True):
                pass
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise Conflict(f"{show_path(path)} in {self.path} is not a folder") from error
            raise

    @contextmanager
    def _folder(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder that holds ``path`` and the name in it."""
        *folders, name = path.split("/")
        fd = os.dup(self._root)
        try:
            for folder in folders:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=fd)
                inner = os.open(folder, _FOLDER, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd, name
        finally:
            os.close(fd)

    # -- the drafts' folder ----------------------------------------------------------------------------------------

    def _own_drafts(self) -> tuple[str, int]:
        while True:
            name = _DRAFTS + os.urandom(8).hex()
            os.mkdir(name, 0o700, dir_fd=self._root)
            fd = os.open(name, _FOLDER, dir_fd=self._root)
            fcntl.flock(fd, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(name, dir_fd=self._root, follow_symlinks=False), os.fstat(fd)):
                    return name, fd
            os.close(fd)  # another process swept it before it was locked

    def _sweep(self) -> None:
        with os.scandir(self._root) as entries:
            left = [entry.name for entry in entries if entry.name.startswith(_DRAFTS)]
        for name in left:
            with suppress(OSError):
                fd = os.open(name, _FOLDER, dir_fd=self._root)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(name, dir_fd=self._root)
                finally:
                    os.close(fd)


def _digest_of(fd: int) -> str:
    with open(fd, "rb", buffering=0) as file:
        if os.fstat(fd).st_size < BLOCK:  # hashing in blocks costs a thousand times a small file
            return digest_of(file.read())
        return copy_hashed(file, None)[0]


def _translated(error: OSError, path: str) -> KitError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KitError(
            f"the disk that holds {path} is full", hint="free some space and run the command again: it goes on"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Denied(f"cannot write to {path}: {error.strerror}", hint=f"check who owns {path}")
    return KitError(f"cannot write to {path}: {error.strerror or error}")
