"""When bytes are on the disk, and the mark that says so.

A blob that was verified and flushed before it got its name is *sealed*: its modification time is one second after the
epoch. Whoever writes to it later leaves another time, so a sealed blob can be copied without hashing it again.
"""

import os
import time
from contextlib import suppress

SEAL_NS = 1_000_000_000


def seal(fd: int) -> None:
    """Flush an open, verified file to disk and mark it. A file that is not ours stays without the mark."""
    with suppress(PermissionError):
        os.utime(fd, ns=(SEAL_NS, SEAL_NS))
    os.fsync(fd)


def is_sealed(stat: os.stat_result) -> bool:
    """Whether the file is as it was when it was verified."""
    return stat.st_mtime_ns == SEAL_NS


def keep(path: str, size: int, *, fresh_s: float = 60.0) -> bool:
    """Whether the blob at ``path`` is there; if so, ``gitkit.store.trash`` takes it for needed for a while.

    That is so anyway for one whose name or times changed in the last ``fresh_s`` seconds.
    """
    try:
        found = os.stat(path)
        # A second name is a file of a worktree, which Git would take for changed, or of another store.
        if found.st_nlink == 1 and found.st_ctime < time.time() - fresh_s:
            with suppress(PermissionError):  # somebody else's: the trash is safety enough
                os.utime(path, ns=(time.time_ns(), found.st_mtime_ns))
    except OSError:
        return False
    return found.st_size == size


def sync_folder(path: str) -> None:
    """Flush a folder's names to disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def start_writing(fd: int) -> None:
    """Have the kernel begin to write the file out; returns at once. What was on disk before leaves the page cache."""
    with suppress(OSError):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def sync_all(folder: str) -> None:
    """Flush everything on the file system of ``folder``: one wait for thousands of files (syncfs(2)).

    Raises:
        OSError: something could not be written.
    """
    import ctypes

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:  # not Linux
        os.sync()
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if syncfs(fd) != 0:
            raise OSError(ctypes.get_errno(), "cannot flush to disk", folder)
    finally:
        os.close(fd)
