"""Bytes on their way into a file: read, hash and write in one pass, in constant memory.

The first block is handled inline, so that small files cost no thread. From the second block on, a thread hashes while
the caller's thread reads and writes: hashlib and file writes both release the interpreter lock. Another one has the
kernel write out what was written so far, so that the caller's fsync at the end finds little left to do.
"""

import hashlib
import os
import queue
import threading
from contextlib import suppress
from typing import Protocol

from gitkit.core.digest import PREFIX
from gitkit.errors import KitError

BLOCK = 1 << 20
SMALL = 64 << 10
"""Most files are smaller, and a whole block costs time to set up."""

_BLOCKS_IN_FLIGHT = 4
_BLOCKS_PER_FLUSH = 32
_KEPT_IN_CACHE = 128 << 20
"""Up to this size (bytes) a new blob stays in the page cache, where the push that follows finds it."""


class Source(Protocol):
    """Anything that fills a buffer; 0 means the end."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


class Watcher(Protocol):
    """Sees bytes pass, in order."""

    def update(self, data: bytearray | memoryview, /) -> None: ...


def copy_hashed(
    source: Source,
    fd: int | None,
    *,
    hasher: "hashlib._Hash | None" = None,
    watcher: Watcher | None = None,
    is_clone: bool = False,
) -> tuple[str, int]:
    """Write all of ``source`` to ``fd`` (only hash it when None); returns the digest and the number of bytes.

    Where the source raises a ``KitError``, what it gave before is written: a download that breaks is continued there.
    ``hasher`` may already hold the bytes that precede the source (a resumed download). ``watcher`` sees the bytes of a
    source that has a block or more. With ``is_clone`` the file holds already what the source is believed to give: what
    is equal is not written again, and from the first difference on the source is written.
    """
    hasher = hashlib.sha256() if hasher is None else hasher
    blocks = _Blocks(source)
    block, count = _first_block(blocks)
    if count < BLOCK:
        hasher.update(memoryview(block)[:count])
        if fd is not None:
            if is_clone:
                os.ftruncate(fd, 0)
            write_all(fd, memoryview(block)[:count])
        blocks.end()
        return PREFIX + hasher.hexdigest(), count
    writer = _Writer(fd) if not is_clone or fd is None else _CloneWriter(fd)
    return _copy_threaded(blocks, writer, hasher, block, watcher)


def _first_block(blocks: "_Blocks") -> tuple[bytearray, int]:
    """The first block of a source, and how much of it is filled: less than ``BLOCK`` only where that is all."""
    start = bytearray(SMALL)
    count = blocks.fill(memoryview(start))
    if count < SMALL:
        return start, count
    block = bytearray(BLOCK)
    block[:SMALL] = start
    return block, count + blocks.fill(memoryview(block)[SMALL:])


def _copy_threaded(
    blocks: "_Blocks", writer: "_Writer", hasher: "hashlib._Hash", first: bytearray, watcher: Watcher | None
) -> tuple[str, int]:
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
            # The hasher only reads the block, so all may use it; it is refilled after it came back through `free`.
            full.put((block, count))
            if watcher is not None:
                watcher.update(memoryview(block)[:count])
            writer.write(block, count)
            size += count
            block = free.get()
            count = blocks.fill(memoryview(block))
        blocks.end()
    finally:
        full.put(None)
        thread.join()
        writer.end()
    return PREFIX + hasher.hexdigest(), size


class _Writer:
    """Puts blocks into a file (nowhere, when there is none)."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._flusher = _Flusher(fd)
        self._size = 0

    def write(self, block: bytearray, count: int) -> None:
        if self._fd is not None:
            write_all(self._fd, memoryview(block)[:count])
        self._size += count
        if self._size % (_BLOCKS_PER_FLUSH * BLOCK) == 0:
            self._flusher.flush()

    def end(self) -> None:
        """No more blocks; the file may be closed after this."""
        self._flusher.stop()


class _CloneWriter(_Writer):
    """Compares with what the file holds, and writes from the first difference on."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self._clone: int | None = fd
        self._other = bytearray(BLOCK)

    def write(self, block: bytearray, count: int) -> None:
        if self._clone is not None:
            if self._is_equal(self._clone, block, count):
                self._size += count
                return
            os.ftruncate(self._clone, self._size)
            os.lseek(self._clone, self._size, os.SEEK_SET)
            self._clone = None
        super().write(block, count)

    def end(self) -> None:
        super().end()
        if self._clone is not None:
            os.ftruncate(self._clone, self._size)  # the file may have been longer than the source

    def _is_equal(self, fd: int, block: bytearray, count: int) -> bool:
        view, filled = memoryview(self._other), 0
        while filled < count:
            got = os.preadv(fd, [view[filled:count]], self._size + filled)
            if not got:
                return False
            filled += got
        # Only whole byte arrays are compared in one go.
        return self._other == block if count == BLOCK else self._other[:count] == block[:count]


class _Flusher:
    """Starts the write-out of a file that is still being written. Whether it works is for the final fsync to say."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def flush(self) -> None:
        """Write out what is there now; returns at once."""
        if self._fd is None:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(self._fd,), daemon=True)
            self._thread.start()
        if self._asked.empty():
            self._asked.put(True)

    def stop(self) -> None:
        """Wait for the flush under way; the file may be closed after this."""
        if self._thread is not None:
            self._asked.put(False)
            self._thread.join()

    def _run(self, fd: int) -> None:
        while self._asked.get():
            with suppress(OSError):
                os.fdatasync(fd)
                if os.fstat(fd).st_size > _KEPT_IN_CACHE:
                    # Memory that the kernel has handed out before is faster than new memory, and the person's other
                    # files stay in it: what is on disk now need not stay in the page cache.
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


class _Blocks:
    """Fills blocks from a source. An error of the source waits until what came before it has been handed out."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._error: KitError | None = None

    def fill(self, view: memoryview) -> int:
        filled = 0
        while filled < len(view) and self._error is None:
            try:
                count = self._source.readinto(view[filled:])
            except KitError as error:
                self._error = error
                break
            if not count:
                break
            filled += count
        return filled

    def end(self) -> None:
        """Raise what the source raised."""
        if self._error is not None:
            raise self._error


def write_all(fd: int, view: memoryview) -> None:
    """Write the whole of ``view``; os.write may stop early."""
    while len(view):
        view = view[os.write(fd, view) :]
