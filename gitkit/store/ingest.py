"""Bytes on their way into a file: read, hash and write in one pass, in constant memory.

The first block is handled inline, so that small files cost no thread. From the second block on, a thread hashes while
the caller's thread reads and writes: hashlib and file writes both release the interpreter lock.
"""

import hashlib
import os
import queue
import threading
from typing import Protocol

from gitkit.core.digest import PREFIX

BLOCK = 1 << 20
_BLOCKS_IN_FLIGHT = 4


class Source(Protocol):
    """Anything that fills a buffer; 0 means the end."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


def copy_hashed(source: Source, fd: int | None, *, hasher: "hashlib._Hash | None" = None) -> tuple[str, int]:
    """Write all of ``source`` to ``fd`` (only hash it when None); returns the digest and the number of bytes.

    ``hasher`` may already hold the bytes that precede the source (a resumed download).
    """
    hasher = hashlib.sha256() if hasher is None else hasher
    block = bytearray(BLOCK)
    count = _fill(source, memoryview(block))
    if count < BLOCK:
        hasher.update(memoryview(block)[:count])
        if fd is not None:
            write_all(fd, memoryview(block)[:count])
        return PREFIX + hasher.hexdigest(), count
    return _copy_threaded(source, fd, hasher, block)


def _copy_threaded(source: Source, fd: int | None, hasher: "hashlib._Hash", first: bytearray) -> tuple[str, int]:
    free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
    full: queue.SimpleQueue[tuple[bytearray, int] | None] = queue.SimpleQueue()
    for _ in range(_BLOCKS_IN_FLIGHT - 1):
        free.put(bytearray(BLOCK))

    def hash_blocks() -> None:
        while (item := full.get()) is not None:
            block, count = item
            hasher.update(memoryview(block)[:count])
            free.put(block)

    thread = threading.Thread(target=hash_blocks, daemon=True)
    thread.start()
    block, count, size = first, BLOCK, 0
    try:
        while count:
            full.put((block, count))
            if fd is not None:
                # The hasher only reads the block, so both may use it; it is refilled after it came back through `free`.
                write_all(fd, memoryview(block)[:count])
            size += count
            block = free.get()
            count = _fill(source, memoryview(block))
    finally:
        full.put(None)
        thread.join()
    return PREFIX + hasher.hexdigest(), size


def _fill(source: Source, view: memoryview) -> int:
    filled = 0
    while filled < len(view):
        count = source.readinto(view[filled:])
        if not count:
            break
        filled += count
    return filled


def write_all(fd: int, view: memoryview) -> None:
    """Write the whole of ``view``; os.write may stop early."""
    while len(view):
        view = view[os.write(fd, view) :]
