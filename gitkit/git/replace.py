"""Writing a file so that a reader, or a crash, sees the old bytes or the new ones and never a part."""

import errno
import os
import stat
from contextlib import suppress

from gitkit.errors import Denied, KitError


def replace_file(path: str, data: bytes, *, mode: int | None = None) -> None:
    """Write ``data`` beside ``path``, flush it to disk and rename it; the folder is made where it is missing.

    ``mode`` is set exactly; None keeps that of the present file, and gives a new one what the umask leaves. A symbolic
    link is replaced, never followed.

    Raises:
        Denied: permissions do not suffice.
        KitError: the disk is full, or the folder is none.
    """
    folder = os.path.dirname(path)
    draft = os.path.join(folder, f".{os.path.basename(path)}.{os.getpid()}")
    try:
        os.makedirs(folder, exist_ok=True)
        _write(draft, data, _mode_of(path) if mode is None else mode)
        os.rename(draft, path)
        _sync_folder(folder)
    except OSError as error:
        with suppress(OSError):
            os.unlink(draft)
        raise _failure(error, path) from error


def _write(path: str, data: bytes, mode: int | None) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)  # left by a killed process that had our number
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with open(fd, "wb") as file:
        if mode is not None:
            os.fchmod(fd, mode)
        file.write(data)
        file.flush()
        os.fsync(fd)


def _mode_of(path: str) -> int | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else None


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _failure(error: OSError, path: str) -> KitError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Denied(f"cannot write {path}: {error.strerror}", hint=f"check who owns {os.path.dirname(path)}")
    return KitError(f"cannot write {path}: {error.strerror or error}")
