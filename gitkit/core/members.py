"""What is inside of archives and compressed files, opened one piece at a time, with nothing written and little kept.

Zip: stored and deflated members, as ``gitkit.core.ziplist`` finds them. Compressed: gzip, zlib, bzip2, xz and lzma, all
of their parts one after the other. Names are the file's own, so whoever shows them on a terminal escapes them.
"""

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable
from typing import Protocol

from gitkit.core.gotar import Forward
from gitkit.core.tensors import ReadAt
from gitkit.core.ziplist import Member
from gitkit.errors import Corrupt, Unsupported

MAX_UNPACKED = 4 << 30
"""So many bytes are unpacked of one file."""

_BLOCK = 64 << 10
_STEP = 16
_DAMAGES = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)
_XZ_MEMORY = 256 << 20
_LOCAL = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = "it is encrypted, or packed in a way that is not read"


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Inflate:
    """``zlib``'s unpacker with the interface of those of ``bz2`` and ``lzma``."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


_MAKERS: dict[str, Callable[[], _Unpacker]] = {
    "deflate": lambda: _Inflate(-zlib.MAX_WBITS),
    "gzip": lambda: _Inflate(zlib.MAX_WBITS | 16),
    "zlib": lambda: _Inflate(zlib.MAX_WBITS),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY),
}

OPAQUE = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"Rar!\x1a\x07": "rar",
    b"ZF0x": "old joblib",
}
"""First bytes of compressed files that are not unpacked here."""


def compression_of(head: bytes) -> str | None:
    """How a file that begins with ``head`` is compressed, by one of those that ``unpacked`` knows. It may only look so:
    the mark of some is two bytes long.
    """
    if head[:3] == b"\x1f\x8b\x08":
        return "gzip"
    if head[:3] == b"BZh":
        return "bzip2"
    if head[:6] == b"\xfd7zXZ\0":
        return "xz"
    if head[:2] == b"\x5d\0":
        return "lzma"
    if len(head) > 1 and head[0] == 0x78 and int.from_bytes(head[:2], "big") % 31 == 0:
        return "zlib"
    return None


def unpack_head(head: bytes, compression: str) -> tuple[bytes, bool]:
    """What the first bytes of a compressed file unpack to, and whether they are undamaged. A part may be unpacked of
    what is damaged.
    """
    unpacker, found = _MAKERS[compression](), b""
    try:
        for at in range(0, len(head), _STEP):
            if unpacker.eof:
                break
            found += unpacker.decompress(head[at : at + _STEP], _BLOCK)
    except _DAMAGES:
        return found, False
    return found, True


def unpacked(read_at: ReadAt, compression: str) -> ReadAt:
    """The content of a compressed file, at rising offsets.

    The reader raises:
        Corrupt: it is damaged.
        Unsupported: it holds more than ``MAX_UNPACKED`` bytes.
    """
    return Forward(_Unpacking(read_at, compression).read).read_at


def member(read_at: ReadAt, found: Member) -> ReadAt:
    """The content of a zip file's member, at rising offsets. Of a stored one, at any.

    Raises:
        Corrupt: it is not where the list says. So does the reader, where the data is damaged.
        Unsupported: it is encrypted, or packed in another way.
    """
    if found.encrypted or found.method not in (_STORED, _DEFLATED):
        raise Unsupported(_ENCRYPTED)
    head = read_at(found.offset, _LOCAL.size)
    if len(head) != _LOCAL.size or not head.startswith(b"PK\x03\x04"):
        raise Corrupt("not a valid zip file: a member is not where its list says")
    fields = _LOCAL.unpack(head)
    data = window(read_at, found.offset + _LOCAL.size + fields[-2] + fields[-1], found.packed)
    if found.method == _STORED:
        return data
    return unpacked(data, "deflate")


def window(read_at: ReadAt, start: int, length: int) -> ReadAt:
    """``length`` bytes from ``start`` on, as a file of their own."""
    return lambda offset, size: read_at(start + offset, max(min(size, length - offset), 0)) if offset < length else b""


class _Unpacking:
    """Unpacks a stream piece by piece; what follows its end is unpacked as the next one, if it is one."""

    def __init__(self, read_at: ReadAt, compression: str) -> None:
        self._read_at, self._compression = read_at, compression
        self._unpacker = _MAKERS[compression]()
        self._at = self._given = 0
        self._done = False

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, none at the end."""
        offered = b""
        while not self._done:
            data = self._unpack(offered, min(size, _BLOCK))
            if data:
                self._given += len(data)
                if self._given > MAX_UNPACKED:
                    raise Unsupported(f"it unpacks to more than {MAX_UNPACKED >> 30} GiB")
                return data
            offered = self._end() if self._unpacker.eof else self._more()
        return b""

    def _unpack(self, offered: bytes, size: int) -> bytes:
        if self._unpacker.eof:
            return b""
        try:
            return self._unpacker.decompress(offered, size)
        except _DAMAGES as error:
            raise Corrupt("its compressed data is damaged") from error

    def _more(self) -> bytes:
        if not self._unpacker.needs_input:
            return b""
        fresh = self._read_at(self._at, _BLOCK)
        if not fresh:
            raise Corrupt("its compressed data is cut short")
        self._at += len(fresh)
        return fresh

    def _end(self) -> bytes:
        """One stream ends: the first bytes of the next."""
        rest = self._unpacker.unused_data
        if not rest:
            rest = self._read_at(self._at, _BLOCK)
            self._at += len(rest)
        if self._compression == "deflate" or not rest.strip(b"\0"):  # gzip may be padded
            self._done = True
            return b""
        self._unpacker = _MAKERS[self._compression]()
        return rest
