"""A blob's bytes on their way in: front to back, across broken connections, or pieces of them by offset."""

import hashlib
from collections.abc import Callable
from contextlib import closing

from gitkit.core.digest import PREFIX
from gitkit.core.oci import Descriptor
from gitkit.core.remote import BlobReader, Remote
from gitkit.errors import Corrupt, NetworkError
from gitkit.store.ingest import BLOCK, copy_hashed

_FRUITLESS_TRIES = 3
_READ_AHEAD = 16 << 10
_NEAR = 64 << 10

Progress = Callable[[int], None]
"""Told how many bytes came, from any thread. An error that it raises ends the transfer."""


class Steady:
    """A blob's bytes from ``start``, opened again where the connection broke as long as bytes keep coming.

    Of bytes from ``stop`` on none need to travel.
    """

    def __init__(
        self, remote: Remote, layer: Descriptor, progress: Progress, *, start: int = 0, stop: int | None = None
    ) -> None:
        self._remote = remote
        self._layer = layer
        self._progress = progress
        self._position = start
        self._stop = stop
        self._tries = _FRUITLESS_TRIES
        self._reader: BlobReader | None = None

    def readinto(self, buffer: memoryview, /) -> int:
        """See ``BlobReader``.

        Raises:
            NotFound, Denied, NetworkError
            Corrupt: the blob is longer than its descriptor says.
        """
        while True:
            try:
                count = self._opened().readinto(buffer)
            except NetworkError:
                self.close()
                self._tries -= 1
                if self._tries <= 0:
                    raise
                continue
            if count:
                self._tries = _FRUITLESS_TRIES
                self._position += count
                self._progress(count)
            if self._position > self._layer.size:
                raise Corrupt(f"{self._layer.digest} on {self._remote.url} is longer than {self._layer.size} bytes")
            return count

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _opened(self) -> BlobReader:
        if self._reader is None:
            layer = self._layer
            self._reader = self._remote.open_blob(layer.digest, layer.size, start=self._position, stop=self._stop)
        return self._reader


class Ranges:
    """Pieces of a blob by offset. What they hold is verified by nobody here. Not safe between threads."""

    def __init__(self, remote: Remote, layer: Descriptor, progress: Progress) -> None:
        self._remote = remote
        self._layer = layer
        self._progress = progress
        self._block, self._start = b"", 0
        self._ahead = _READ_AHEAD

    def read_at(self, offset: int, size: int) -> bytes:
        """The bytes there, fewer only where the blob ends. Whoever goes on reading gets larger blocks at once."""
        end = min(offset + size, self._layer.size)
        have = self._start + len(self._block)
        if not self._start <= offset <= have + _NEAR:
            self._block, self._start, self._ahead = b"", offset, _READ_AHEAD
            have = offset
        if end > have:
            stop = min(max(end, have + self._ahead), self._layer.size)
            with closing(Steady(self._remote, self._layer, self._progress, start=have, stop=stop)) as reader:
                self._block += take(reader, stop - have)
            self._ahead = min(2 * self._ahead, BLOCK)
        dropped = min(max(offset - self._start, 0), len(self._block))
        self._block, self._start = self._block[dropped:], self._start + dropped
        return self._block[: max(end - offset, 0)]

    def copy(self, offset: int, size: int, fd: int) -> str:
        """Write ``size`` bytes from ``offset`` on to ``fd``; returns their digest, for the caller to compare."""
        with closing(Steady(self._remote, self._layer, self._progress, start=offset, stop=offset + size)) as reader:
            return copy_hashed(Limited(reader, size), fd)[0]

    def close(self) -> None:
        """Forget what was read."""
        self._block = b""


class Limited:
    """The next ``left`` bytes of a source."""

    def __init__(self, source: BlobReader, left: int) -> None:
        self._source = source
        self._left = left

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._source.readinto(buffer[: self._left]) if self._left else 0
        self._left -= count
        return count


def check_digest(layer: Descriptor, hasher: "hashlib._Hash", count: int) -> None:
    """Compare what came with what ``layer`` says.

    Raises:
        Corrupt: they differ.
    """
    if count != layer.size:
        raise Corrupt(f"{layer.digest} should have {layer.size} bytes and has {count}")
    found = PREFIX + hasher.hexdigest()
    if found != layer.digest:
        raise Corrupt(f"content that should be {layer.digest} is {found}")


def hash_blob(remote: Remote, layer: Descriptor, progress: Progress, fd: int) -> None:
    """Write a whole blob to ``fd``.

    Raises:
        Corrupt: it is not what its digest says.
        NotFound, Denied, NetworkError
    """
    hasher = hashlib.sha256()
    with closing(Steady(remote, layer, progress)) as source:
        _, count = copy_hashed(source, fd, hasher=hasher)
    check_digest(layer, hasher, count)


def take(source: BlobReader, size: int) -> bytes:
    """The next ``size`` bytes, fewer only at the end."""
    data = bytearray(size)
    filled = 0
    while filled < size and (count := source.readinto(memoryview(data)[filled:])):
        filled += count
    return bytes(data[:filled])
