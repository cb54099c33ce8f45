"""What is in a layer, front to back, while its digest is made: as it is, or decompressed within limits.

Only ``finish`` tells whether the bytes were the right ones, so whoever writes them makes nothing visible before it.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from gitkit.core.digest import PREFIX, short
from gitkit.core.oci import Descriptor
from gitkit.core.remote import BlobReader
from gitkit.errors import Corrupt, Unsupported
from gitkit.modelkit.artifact import ArtifactFile, Compression
from gitkit.modelkit.streams import Limited, check_digest, take
from gitkit.store.ingest import BLOCK, copy_hashed, write_all

MAX_RATIO = 1000
"""Whatever grows to more than so many times its compressed size is no honest content, ..."""

HARMLESS = 64 << 20
"""... unless it has no more than so many bytes in all."""

_MAX_WINDOW = 128 << 20
_PULL = 256 << 10


class Layer(Protocol):
    """What is in a layer, front to back."""

    position: int

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer only at the end."""
        ...

    def copy(self, size: int, fd: int | None) -> None:
        """Write the next ``size`` bytes to ``fd``, or drop them.

        Raises:
            Corrupt: there are fewer.
        """
        ...

    def finish(self) -> None:
        """Read to the end.

        Raises:
            Corrupt: the layer is not what its digest says. Whatever came from it must not be used.
        """
        ...


def open_layer(source: BlobReader, file: ArtifactFile) -> Layer:
    """The layer of ``file``, from the first byte of ``source`` on.

    Raises:
        Unsupported: its compression needs a package that is not installed.
    """
    if file.compression is None:
        return PlainLayer(source, file.layer)
    return PackedLayer(source, file.layer, file.compression, file.diff_id)


class PlainLayer:
    """A layer that is not compressed: all that passes is hashed, in large files while they are written."""

    def __init__(self, source: BlobReader, layer: Descriptor) -> None:
        self.position = 0
        self._source = source
        self._layer = layer
        self._hasher = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = take(self._source, size)
        self._hasher.update(data)
        self.position += len(data)
        return data

    def copy(self, size: int, fd: int | None) -> None:
        if size <= BLOCK:
            data = self.read(size)
            count = len(data)
            if fd is not None:
                write_all(fd, memoryview(data))
        else:
            _, count = copy_hashed(Limited(self._source, size), fd, hasher=self._hasher)
            self.position += count
        if count != size:
            raise Corrupt(f"the layer {short(self._layer.digest)} is cut short")

    def finish(self) -> None:
        _, count = copy_hashed(self._source, None, hasher=self._hasher)
        check_digest(self._layer, self._hasher, self.position + count)


class PackedLayer:
    """A compressed layer: the compressed bytes are hashed for its digest, what comes out for ``diff_id`` if known.

    Raises:
        Unsupported: what ``compression`` needs is not installed.
    """

    def __init__(self, source: BlobReader, layer: Descriptor, compression: Compression, diff_id: str | None) -> None:
        self.position = 0
        self._source = source
        self._layer = layer
        self._hasher = hashlib.sha256()
        self._taken = 0
        self._inner = hashlib.sha256() if diff_id is not None else None
        self._diff_id = diff_id
        self._unpacked = gunzip(self._pull) if compression == "gzip" else unzstd(self._pull)
        self._block, self._at = b"", 0

    def read(self, size: int) -> bytes:
        parts = []
        while size > 0 and (part := self._some(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def copy(self, size: int, fd: int | None) -> None:
        while size > 0:
            part = self._some(size)
            if not part:
                raise Corrupt(f"the layer {short(self._layer.digest)} is cut short")
            if fd is not None:
                write_all(fd, memoryview(part))
            size -= len(part)

    def finish(self) -> None:
        while self._some(BLOCK):
            pass
        while self._pull(BLOCK):
            pass
        check_digest(self._layer, self._hasher, self._taken)
        if self._inner is not None and PREFIX + self._inner.hexdigest() != self._diff_id:
            raise Corrupt(f"the layer {short(self._layer.digest)} does not unpack to {self._diff_id}")

    def _some(self, limit: int) -> bytes:
        """Up to ``limit`` bytes of what is inside; none at the end."""
        if self._at == len(self._block):
            try:
                self._block, self._at = next(self._unpacked, b""), 0
            except ValueError as error:
                raise Corrupt(f"the layer {short(self._layer.digest)} cannot be decompressed: {error}") from error
        part = self._block[self._at : self._at + limit]
        self._at += len(part)
        self.position += len(part)
        if self.position > max(HARMLESS, MAX_RATIO * self._taken):
            raise Corrupt(
                f"the layer {short(self._layer.digest)} grows to more than {MAX_RATIO} times its size",
                hint="that is what a decompression bomb does; nothing of it was kept",
            )
        if self._inner is not None:
            self._inner.update(part)
        return part

    def _pull(self, size: int) -> bytes:
        data = take(self._source, size)
        self._hasher.update(data)
        self._taken += len(data)
        return data


def gunzip(pull: Callable[[int], bytes]) -> Iterator[bytes]:
    """What is in the gzip members (RFC 1952) that ``pull`` gives, in blocks of at most 1 MiB.

    Raises:
        ValueError: not gzip, or cut short.
    """
    data = pull(_PULL)
    while data:
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof:
            try:
                out = stream.decompress(data, BLOCK)
            except zlib.error as error:
                raise ValueError(str(error)) from error
            data = stream.unconsumed_tail or (b"" if stream.eof else pull(_PULL))
            if out:
                yield out
            elif not data and not stream.eof:
                raise ValueError("it is cut short")
        data = stream.unused_data or pull(_PULL)


def unzstd(pull: Callable[[int], bytes]) -> Iterator[bytes]:
    """What is in the zstd frames (RFC 8878) that ``pull`` gives, in blocks of at most 1 MiB.

    Raises:
        Unsupported: the package for it is not installed.
        ValueError: not zstd.
    """
    try:
        import zstandard
    except ImportError as error:
        raise Unsupported("reading layers compressed by zstd needs a package", hint="pip install zstandard") from error
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    source: Any = _Pulled(pull)  # read() is all that it needs
    stream = unpacker.stream_reader(source, read_size=_PULL, read_across_frames=True)
    return _blocks(stream, zstandard.ZstdError)


def _blocks(stream: Any, failure: type[Exception]) -> Iterator[bytes]:
    while True:
        try:
            out: bytes = stream.read(BLOCK)
        except failure as error:
            raise ValueError(str(error)) from error
        if not out:
            return
        yield out


class _Pulled:
    def __init__(self, pull: Callable[[int], bytes]) -> None:
        self.read = pull
