"""Files that were checked out from a damaged blob: wrong bytes that Git and the hash cache take for the right ones.

A sealed blob is copied without being hashed, so a checkout spreads what the disk has made of it. Such a file has the
very bytes of the damaged blob; whatever else a file holds is somebody's own.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from gitkit.git import worktree
from gitkit.git.places import Place, places
from gitkit.git.repository import Repository
from gitkit.store import durable
from gitkit.store.hashcache import HashCache
from gitkit.store.ingest import BLOCK, write_all
from gitkit.store.layout import ImageLayout
from gitkit.sync import pointers
from gitkit.sync.checkout import checkout
from gitkit.sync.pointers import PointerFile


class DamagedFile(NamedTuple):
    """``file`` of the worktree at ``root``, as it was ``seen``."""

    place: Place
    root: str
    file: PointerFile
    seen: worktree.Seen

    @property
    def path(self) -> bytes:
        """The absolute path."""
        return os.path.join(os.fsencode(self.root), self.file.path)


def all_places(repository: Repository) -> list[Place]:
    """The worktrees of the clone."""
    in_main = os.path.realpath(repository.git_dir) == os.path.realpath(repository.common_dir)
    return places(repository.git, repository.common_dir, repository.worktree if in_main else None)


def find(repository: Repository, store: ImageLayout, corrupt: Sequence[str]) -> list[DamagedFile]:
    """Files of all worktrees that hold what a blob of ``corrupt``, or one put aside earlier, was damaged to."""
    blobs = [(digest, store.blob_path(digest)) for digest in corrupt]
    blobs += [(digest, os.path.join(store.pool, "corrupt", digest[7:])) for digest in store.quarantined()]
    return list(_find(repository, blobs)) if blobs else []


def _find(repository: Repository, blobs: Sequence[tuple[str, str]]) -> Iterator[DamagedFile]:
    for place in all_places(repository):
        for file in pointers.in_index(place.git) if place.folder is not None else ():
            for digest, blob in blobs:
                if digest == file.pointer.digest and place.folder is not None:
                    seen = _seen_damaged(place.folder, file.path, blob)
                    if seen is not None:
                        yield DamagedFile(place, place.folder, file, seen)


def _seen_damaged(root: str, path: bytes, blob: str) -> worktree.Seen | None:
    fd = worktree.open_regular(root, path)
    if fd is None:
        return None
    with open(fd, "rb") as file, suppress(OSError), open(blob, "rb") as damaged:
        found, other = os.fstat(fd), os.fstat(damaged.fileno())
        # Where a file is a hard link of its blob and the seal is broken, a person has edited it.
        is_edited = os.path.samestat(found, other) and not durable.is_sealed(other)
        if found.st_size == other.st_size and not is_edited and _are_equal(file, damaged):
            return worktree.seen_as(found)
    return None


def _are_equal(first: BinaryIO, second: BinaryIO) -> bool:
    while block := first.read(BLOCK):
        if second.read(len(block)) != block:
            return False
    return True


def restore(
    repository: Repository, store: ImageLayout, cache: HashCache, files: Sequence[DamagedFile], *, hard_links: bool
) -> list[DamagedFile]:
    """Check those of ``files`` out anew whose content the store has again; returns them.

    Each becomes a pointer first, in one step and only where nobody changed it meanwhile; so if we are killed,
    `git kit checkout` goes on.
    """
    ready = [it for it in files if store.holds(it.file.pointer.digest, it.file.pointer.size)]
    done = []
    for root in dict.fromkeys(it.root for it in ready):
        group = [it for it in ready if it.root == root and _make_pointer(store, cache, it)]
        if not group:
            continue
        place = group[0].place
        there = Repository(worktree=root, git_dir=place.git_dir, common_dir=repository.common_dir, git=place.git)
        result = checkout(there, store, [it.file for it in group], hard_links=hard_links, cache=cache)
        written = {file.path for file in result.done}
        done += [it for it in group if it.file.path in written]
    return done


def _make_pointer(store: ImageLayout, cache: HashCache, damaged: DamagedFile) -> bool:
    with suppress(OSError), worktree.folder_of(damaged.root, damaged.file.path) as (folder, name):
        with worktree.replacement(folder, name, damaged.seen, drafts=store.drafts_path) as new:
            write_all(new.fd, memoryview(damaged.file.raw))
        cache.forget(damaged.file.path)
        return True
    return False
