"""One exclusive lock on a file, released by the kernel when its holder dies: a killed process leaves nothing behind."""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gitkit.errors import Denied, Locked


@contextmanager
def locked(path: str, *, timeout_s: float = 60.0) -> Iterator[None]:
    """Hold the lock ``path`` (created when missing, never deleted) inside the block.

    Raises:
        Locked: another process kept it for ``timeout_s`` seconds.
        Denied: the file cannot be made or opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        _share(fd, path)
    except OSError as error:
        raise Denied(f"cannot lock {path}: {error.strerror}") from error
    try:
        _wait(fd, path, timeout_s)
        yield
    finally:
        os.close(fd)


def _share(fd: int, path: str) -> None:
    """Let those who may write into the folder of a shared repository open the lock, whatever the umask is."""
    folder = os.stat(os.path.dirname(path) or ".").st_mode
    found = os.fstat(fd)
    wanted = found.st_mode & 0o777 | folder & 0o044
    if folder & stat.S_ISGID and wanted != found.st_mode & 0o777 and found.st_uid == os.geteuid():
        os.fchmod(fd, wanted)


_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


def flock(fd: int, how: int) -> bool:
    """flock(2); False where the file system has no such locks, and processes are not kept apart.

    Raises:
        BlockingIOError: with ``LOCK_NB``, another process holds it.
    """
    try:
        fcntl.flock(fd, how)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _wait(fd: int, path: str, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    pause_s = 0.005
    while True:
        try:
            flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise Locked(
                    f"another process holds {path}", hint="wait for it to end, then run the command again"
                ) from error
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.1)
