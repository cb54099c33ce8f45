"""A blob that is missing and yet on this machine: in the trash, or in another store that this one may take it from.

Nothing is ever read in place there: another store's owner may delete what is in it.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from gitkit.errors import KitError
from gitkit.store.trash import Trash

if TYPE_CHECKING:
    from gitkit.store.layout import ImageLayout


def recall(store: "ImageLayout", digest: str, size: int) -> bool:
    """Bring a blob that ``store`` lacks back, by rename, hard link or verified copy. Whether it is there now.

    Where that fails, it is only not there.
    """
    if Trash(store.pool).take_back(digest) and store.has(digest, size):
        return True
    return any(_take_over(store, folder, digest, size) for folder in store.neighbours())


def absorb(store: "ImageLayout", blobs: Iterable[tuple[str, int]], folder: str) -> int:
    """Move ``blobs`` of the store at ``folder``, which is nobody else's, into ``store``; returns how many are moved.

    One that cannot be moved stays where it is, and is found there.
    """
    moved = 0
    for digest, size in blobs:
        is_there = store.is_sealed(digest, size)
        if is_there or (not store.has(digest, size) and _take_over(store, folder, digest, size)):
            with suppress(OSError):
                os.unlink(os.path.join(folder, "blobs", "sha256", digest[7:]))
                moved += 1
    return moved


def _take_over(store: "ImageLayout", folder: str, digest: str, size: int) -> bool:
    path = os.path.join(folder, "blobs", "sha256", digest[7:])
    try:
        found = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        return False
    try:
        if not store.adopt(path, digest, size):
            store.copy_in(digest, size, lambda: _open(path))
    except (KitError, OSError):
        return False
    return True


def _open(path: str) -> BinaryIO:
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)
