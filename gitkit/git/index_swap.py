"""Putting a new index in the place of the old one; a process may be killed at any moment of it.

A new index is made in a *workshop*, a folder beside the index that is locked (flock(2)) as long as its process lives.
``index.lock`` is a second name of the new index, for the system calls that it takes to look at the index once more and
to replace it. So what a killed process leaves can be told from everything else: a workshop that nobody locks, and an
``index.lock`` that is a file of such a workshop. The next process takes both away.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gitkit.errors import Denied, KitError
from gitkit.git.run import Git

_MARK = ".git-kit-"
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


@contextmanager
def workshop(index: str) -> Iterator[str]:
    """A folder to make new indexes in, deleted when the block ends. Takes away what killed processes left.

    Raises:
        Denied: the index may not be changed.
        KitError: it cannot be.
    """
    sweep(index)
    try:
        fd, folder = _open_workshop(index)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(fd)
    except OSError as error:
        raise _problem(error, index) from error


def swap(new: str, index: str, before: os.stat_result | None) -> bool | None:
    """Put the file ``new`` of a workshop in the place of ``index``, if that is still as ``before`` (None: not there).

    None where another process holds ``index.lock``, False where the index has changed.

    Raises:
        OSError
    """
    lock = f"{index}.lock"
    try:
        os.link(new, lock)  # atomic: fails where another process holds the lock
        return _replace(lock, index, before)
    except FileExistsError:
        return None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _swap_by_copy(new, lock, index, before)
    finally:
        _unlink_name_of(new, lock)


def is_locked(index: str) -> bool:
    """Whether another process holds ``index.lock`` now. What a killed process of ours left is taken away."""
    lock = f"{index}.lock"
    if os.path.lexists(lock):
        sweep(index)
    return os.path.lexists(lock)


def _swap_by_copy(new: str, lock: str, index: str, before: os.stat_result | None) -> bool | None:
    """``swap`` on a file system without links: killed, a process leaves ``index.lock`` there, as git itself does."""
    try:
        fd = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return None
    replaced = False
    try:
        with open(fd, "wb") as target, open(new, "rb") as source:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(fd)
        shutil.copystat(new, lock)
        replaced = _replace(lock, index, before)
    finally:
        if not replaced:
            os.unlink(lock)
    return replaced


def _replace(lock: str, index: str, before: os.stat_result | None) -> bool:
    if not _is_same(look(index), before):
        return False
    os.rename(lock, index)
    return True


def path_of(git: Git) -> str:
    """Where the index is that ``git`` works with."""
    return os.path.join(git.directory, git.text("rev-parse", "--git-path", "index"))


def look(index: str) -> os.stat_result | None:
    """Stat data of the index; None where there is none."""
    try:
        return os.stat(index)
    except FileNotFoundError:
        return None


def sweep(index: str) -> int:
    """Take away what killed processes left beside ``index``; returns how many they were. Never raises."""
    with suppress(OSError):
        folder, name = os.path.split(index)
        left = [entry for entry in os.listdir(folder) if entry.startswith(f"{name}{_MARK}")]
        return sum(_sweep(os.path.join(folder, entry), f"{index}.lock") for entry in left)
    return 0


def _sweep(folder: str, lock: str) -> bool:
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(fd, folder):
                return False
            # Nobody else sweeps this folder while we lock it, so no other index.lock comes in between.
            for name in os.listdir(folder):
                _unlink_name_of(os.path.join(folder, name), lock)
            shutil.rmtree(folder)
            return True
        finally:
            os.close(fd)
    return False


def _open_workshop(index: str) -> tuple[int, str]:
    while True:
        folder = f"{index}{_MARK}{os.urandom(8).hex()}"
        os.mkdir(folder)
        with suppress(FileNotFoundError):  # a sweep found it before it was locked
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            with suppress(OSError):  # where nothing can be locked, nothing is swept either
                fcntl.flock(fd, fcntl.LOCK_EX)
            if _is_at(fd, folder):
                return fd, folder
            os.close(fd)


def _unlink_name_of(path: str, name: str) -> None:
    """Delete ``name`` where it is the same file as ``path``."""
    with suppress(FileNotFoundError):
        if os.path.samestat(os.lstat(path), os.lstat(name)):
            os.unlink(name)


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _problem(error: OSError, index: str) -> KitError:
    what = f"cannot change the index: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KitError(what, hint="free some space and run the command again: nothing was lost")
    return Denied(what, hint=f"check who owns {index}")


def _is_same(now: os.stat_result | None, before: os.stat_result | None) -> bool:
    if now is None or before is None:
        return now is before
    return all(
        getattr(now, name) == getattr(before, name) for name in ("st_ino", "st_mtime_ns", "st_ctime_ns", "st_size")
    )
