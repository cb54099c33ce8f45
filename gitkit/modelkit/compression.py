"""Compressing a stream so that equal input gives equal bytes: no name, no time, one thread, fixed levels.

gzip (RFC 1952) at deflate level 6, with the header that Go's ``compress/gzip`` writes; zstd (RFC 8878) at level 3 with
a checksum. The bytes also depend on the library that makes them, which ``library`` names.
"""

import struct
import zlib
from collections.abc import Generator
from contextlib import closing
from typing import Any

from gitkit.errors import Unsupported

Blocks = Generator[bytes | memoryview, None, None]
"""Pieces of a stream; each is valid until the next is asked for."""

_GZIP_LEVEL = 6
_ZSTD_LEVEL = 3
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # deflate; no flags, no time, no extra flags, no operating system


def compressed(compression: str, blocks: Blocks) -> Blocks:
    """``blocks``, compressed by ``none``, ``gzip`` or ``zstd``. Ending it ends ``blocks``.

    Raises:
        Unsupported: the package for it is not installed.
    """
    if compression == "none":
        return blocks
    return _gzip(blocks) if compression == "gzip" else _zstd(blocks, _zstd_packer())


def library(compression: str) -> str:
    """What compressed bytes depend on besides the content: the library's version; empty for ``none``.

    Raises:
        Unsupported: the package for it is not installed.
    """
    if compression == "none":
        return ""
    if compression == "gzip":
        return zlib.ZLIB_RUNTIME_VERSION
    return ".".join(str(number) for number in _zstandard().ZSTD_VERSION)


def _gzip(blocks: Blocks) -> Blocks:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    checksum, size = 0, 0
    with closing(blocks):
        yield _GZIP_HEADER
        for block in blocks:
            checksum, size = zlib.crc32(block, checksum), size + len(block)
            yield packer.compress(block)
        yield packer.flush() + struct.pack("<II", checksum, size & 0xFFFFFFFF)


def _zstd(blocks: Blocks, packer: Any) -> Blocks:
    with closing(blocks):
        for block in blocks:
            yield packer.compress(block)
        yield packer.flush()


def _zstd_packer() -> Any:
    return _zstandard().ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compressobj()


def _zstandard() -> Any:
    try:
        import zstandard  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise Unsupported("compression by zstd needs a package", hint="pip install zstandard") from error
    return zstandard
