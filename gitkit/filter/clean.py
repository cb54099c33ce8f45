"""Content to pointer: hashed and stored in one pass, or recalled where the same path held the same content before."""

import os
from typing import NamedTuple

from gitkit.core import pointer
from gitkit.errors import Conflict, Denied, KitError
from gitkit.git import worktree
from gitkit.store.fingerprint import Fingerprint, head_of
from gitkit.store.hashcache import HashCache, Recalled
from gitkit.store.ingest import BLOCK, SMALL, Source, copy_hashed
from gitkit.store.layout import ImageLayout

CONFLICT_HINT = "choose a side: git checkout --ours -- FILE (or --theirs), then: git add -- FILE"


class Place(NamedTuple):
    """The file that the content is said to be of: ``path`` from the worktree's ``root``. Git may stream other bytes.

    ``trust`` allows to recall a digest by path, length and fingerprint.
    """

    root: str | None
    path: bytes
    cache: HashCache
    trust: bool = True


class Prefixed:
    """Bytes that were read already, then the rest of their source. ``begun`` tells whether anything was taken."""

    def __init__(self, head: bytes | memoryview, rest: Source) -> None:
        self._head = memoryview(head)
        self._rest = rest
        self.begun = False

    def readinto(self, buffer: memoryview, /) -> int:
        self.begun = True
        if len(self._head):
            count = min(len(self._head), len(buffer))
            buffer[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        return self._rest.readinto(buffer) or 0


def clean(source: Source, store: ImageLayout, place: Place | None = None) -> bytes:
    """What Git stores for the content of ``source``: a pointer; pointers and empty files pass unchanged.

    The content is in ``store`` when this returns. Memory stays constant. Cleaning twice is the same as once.

    Raises:
        Conflict: the content is a pointer with a merge's conflict markers in it.
        KitError: the store cannot be written.
    """
    first = _first_block(source)
    if not first or (len(first) <= pointer.MAX_SIZE and pointer.parse(bytes(first)) is not None):
        return bytes(first)
    if pointer.has_conflict(bytes(first[: pointer.MAX_SIZE + 1])):
        raise Conflict("a merge left conflict markers in this pointer", hint=CONFLICT_HINT)
    if len(first) < BLOCK:
        digest, size = store.add_bytes(first), len(first)
    else:
        digest, size = _clean_large(first, source, store, place)
    theirs = place.cache.pointer_of(place.path, digest) if place is not None else None
    return theirs or pointer.Pointer(digest, size).encode()


def look_at(place: Place) -> bytes | None:
    """What ``clean`` answers for the content of the worktree's file, which is not stored; None where there is none."""
    fd = worktree.open_regular(place.root, place.path) if place.root is not None else None
    if fd is None:
        return None
    with open(fd, "rb", buffering=0) as file:
        digest, size = copy_hashed(file, None)
    return place.cache.pointer_of(place.path, digest) or pointer.Pointer(digest, size).encode()


def _clean_large(first: memoryview, source: Source, store: ImageLayout, place: Place | None) -> tuple[str, int]:
    if place is None:
        return _store(first, source, store, None)
    fd = worktree.open_regular(place.root, place.path) if place.root is not None else None
    try:
        known = _candidates(first, store, place, os.fstat(fd).st_size) if place.trust and fd is not None else []
        if known:
            digest, size = _recall(first, source, store, place, known, fd)
        else:
            digest, size = _store(first, source, store, fd)
        place.cache.remember(place.path, digest, size)
    finally:
        if fd is not None:
            os.close(fd)
    return digest, size


def _store(first: memoryview, source: Source, store: ImageLayout, fd: int | None) -> tuple[str, int]:
    content = Prefixed(first, source)
    try:
        return store.add(content, worktree_fd=fd)
    except Denied:
        # `git status` of a read-only clone cleans, too: nothing has to be written where the store has it already.
        if content.begun:
            raise
        digest, size = copy_hashed(content, None)
        if not store.holds(digest, size):
            raise
    return digest, size


def _candidates(first: memoryview, store: ImageLayout, place: Place, size: int) -> list[Recalled]:
    """What the path held before, has the file's length, begins in the same way and is in the store."""
    before = [one for one in place.cache.of_path(place.path) if one.size == size]
    head = head_of(first) if before else b""
    return [one for one in before if one.head == head and store.holds(one.digest, one.size)]


def _recall(
    first: memoryview, source: Source, store: ImageLayout, place: Place, known: list[Recalled], fd: int | None
) -> tuple[str, int]:
    """Take the content's fingerprint as it passes by; most often it is one that we know.

    Raises:
        KitError: it is not, and the worktree's file holds something else: nothing is left to store.
    """
    fingerprint = Fingerprint()
    content = Prefixed(first, source)
    block = memoryview(bytearray(BLOCK))
    while count := content.readinto(block):
        fingerprint.update(block[:count])
    seen = (fingerprint.count, fingerprint.whole)
    for one in known:
        if (one.size, one.whole) == seen and store.claim(one.digest, one.size):
            return one.digest, one.size
    if fd is not None:
        found = _read_again(store, fd, seen)
        if found is not None:
            return found
    place.cache.forget(place.path)
    raise KitError("Git gave other content than the file holds", hint="run the command again")


def _read_again(store: ImageLayout, fd: int, seen: tuple[int, bytes]) -> tuple[str, int] | None:
    """Store the worktree's file, if it is what has passed by."""
    fingerprint = Fingerprint()
    if os.fstat(fd).st_size != seen[0]:
        return None
    with open(fd, "rb", buffering=0, closefd=False) as file:
        digest, size = store.add(_Watched(file, fingerprint), worktree_fd=fd)
    return (digest, size) if (fingerprint.count, fingerprint.whole) == seen else None


class _Watched:
    """A source whose bytes are shown to a fingerprint."""

    def __init__(self, source: Source, fingerprint: Fingerprint) -> None:
        self._source = source
        self._fingerprint = fingerprint

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._source.readinto(buffer) or 0
        if count:
            self._fingerprint.update(buffer[:count])
        return count


def _first_block(source: Source) -> memoryview:
    """The first block of ``source``; shorter only where that is all."""
    start = _read(source, SMALL)
    if len(start) < SMALL:
        return start
    rest = _read(source, BLOCK - SMALL)
    return memoryview(b"".join((start, rest)))


def read_head(source: Source) -> bytes:
    """The first bytes of ``source``: one more than a pointer can have, so that a pointer is seen whole."""
    return bytes(_read(source, pointer.MAX_SIZE + 1))


def _read(source: Source, limit: int) -> memoryview:
    view = memoryview(bytearray(limit))
    filled = 0
    while filled < limit:
        count = source.readinto(view[filled:])
        if not count:
            break
        filled += count
    return view[:filled]
