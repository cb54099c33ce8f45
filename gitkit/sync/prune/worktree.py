"""Content that a worktree's changed files hold or point to, though the index does not name it (yet)."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing

from gitkit.core.pointer import MAX_SIZE, parse
from gitkit.git import worktree
from gitkit.git.places import Place
from gitkit.git.run import FILTER_OFF
from gitkit.store.ingest import copy_hashed


def changed(place: Place, sizes: frozenset[int], recall: Callable[[os.stat_result], str | None]) -> Iterator[str]:
    """Digests for the tracked files of one worktree that differ from the index, pointers or content.

    A file whose size is none of ``sizes`` is not looked into, and a file is hashed only where ``recall`` does not know
    it. The folder may be out of reach.
    """
    if place.folder is None:
        return
    for path in _differing(place):
        fd = worktree.open_regular(place.folder, path)
        if fd is not None:
            with open(fd, "rb", buffering=0) as file:
                digest = _digest_of(file.fileno(), sizes, recall)
            if digest is not None:
                yield digest


def _differing(place: Place) -> list[bytes]:
    # Without the filter: pointers are to be seen as such, and nothing is to be stored now.
    args = ["diff-files", "--name-only", "-z", "--no-ext-diff", "--ignore-submodules=all", "--diff-filter=d"]
    return list(dict.fromkeys(place.git.run(*FILTER_OFF, *args).split(b"\0")[:-1]))


def _digest_of(fd: int, sizes: frozenset[int], recall: Callable[[os.stat_result], str | None]) -> str | None:
    found = os.fstat(fd)
    if found.st_size <= MAX_SIZE:
        pointer = parse(os.pread(fd, MAX_SIZE + 1, 0))
        if pointer is not None:
            return pointer.digest
    if found.st_size not in sizes:
        return None
    known = recall(found)
    if known is not None:
        return known
    with closing(open(fd, "rb", buffering=0, closefd=False)) as file:
        return copy_hashed(file, None)[0]
