"""Having the disk hold what was written, and errors of the file system in our own words."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from gitkit.core.paths import show_path
from gitkit.errors import Denied, KitError
from gitkit.store.durable import sync_all, sync_folder
from gitkit.store.ingest import write_all

_FEW = 256
"""More files than this are flushed all at once: one flush costs about a millisecond."""


@contextmanager
def errors(path: str) -> Iterator[None]:
    """Turns errors of the file system into ours; ``path`` is the folder that all is about."""
    try:
        yield
    except OSError as error:
        raise _translated(error, path) from error


def write_beside(draft: str, path: str, data: bytes, mode: int = 0o644) -> None:
    """Write a whole file under the name ``draft`` and rename it to ``path``, in the same folder; both are on the disk
    when this returns."""
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        write_all(fd, memoryview(data))
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(draft, path)
    sync_folder(os.path.dirname(path))


def scan(folder: str) -> dict[str, os.stat_result]:
    """All below ``folder`` that is no folder, by path, with what ``lstat`` says. Links are not followed."""
    found: dict[str, os.stat_result] = {}
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        with os.scandir(os.path.join(folder, inside)) as entries:
            for entry in entries:
                path = f"{inside}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{path}/")
                else:
                    found[path] = entry.stat(follow_symlinks=False)
    return found


def flush(folder: str) -> None:
    """Have the disk hold all names, permissions and contents below ``folder``."""
    paths = [path for path, found in scan(folder).items() if stat.S_ISREG(found.st_mode)]
    folders = [inside for inside, _, _ in os.walk(folder)]
    if len(paths) + len(folders) > _FEW:
        sync_all(folder)
        return
    for path in paths:
        fd = os.open(os.path.join(folder, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    for inside in folders:
        sync_folder(inside)


def _translated(error: OSError, path: str) -> KitError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space and run the command again: what ran before still does"
        return KitError(f"the disk that holds {path} is full", hint=hint)
    where = error.filename if isinstance(error.filename, str) else path
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Denied(f"cannot write to {show_path(where)}: {error.strerror}", hint=f"check who owns {path}")
    return KitError(f"cannot work in {show_path(where)}: {error.strerror or error}")
