"""The bytes of Git's index: finding its entries, and changing the stat data of some of them. Pure.

Format: gitformat-index(5), versions 2, 3 and 4, SHA-1 and SHA-256, with or without ``index.skipHash``. Everything but
the stat fields that are set stays byte for byte, extensions included.
"""

import hashlib
import os
import struct
from collections.abc import Sequence
from typing import NamedTuple

_STAT = struct.Struct(">10I")
_MODE = slice(24, 28)
_SIZE = slice(36, 40)
_EXTENDED = 0x4000
_REGULAR, _LINK = 0o10, 0o12


class Entry(NamedTuple):
    """One entry: where it begins in the file, and what it says. ``kind`` is the mode's upper part."""

    offset: int
    oid: bytes
    stage: int
    path: bytes
    mtime_s: int
    kind: int

    @property
    def is_regular(self) -> bool:
        return self.kind == _REGULAR

    @property
    def is_link(self) -> bool:
        return self.kind == _LINK


class IndexFile:
    """An index that was read into memory. ``width`` is the length of an oid in bytes: 20 or 32.

    Raises:
        ValueError: this kind of index cannot be patched.
    """

    def __init__(self, data: bytearray, width: int) -> None:
        self.data = data
        self._width = width
        try:
            self.entries, end = _scan(data, width)
        except (IndexError, struct.error) as error:
            raise ValueError("not an index that we know") from error
        if b"link" in _extensions(data, end, len(data) - width):
            raise ValueError("a split index")

    def set_stat(self, entry: Entry, stat: os.stat_result, *, counts_4gib: bool) -> None:
        """Have Git take the file for unchanged while its stat data is this. The mode stays."""
        at = entry.offset
        mode = self.data[at + _MODE.start : at + _MODE.stop]
        _STAT.pack_into(self.data, at, *_fields(stat, counts_4gib))
        self.data[at + _MODE.start : at + _MODE.stop] = mode

    def doubt(self, entry: Entry) -> None:
        """Have Git look at the file's content: size 0, as in its own ce_smudge_racily_clean_entry()."""
        self.data[entry.offset + _SIZE.start : entry.offset + _SIZE.stop] = bytes(4)

    def is_doubted(self, entry: Entry) -> bool:
        """Whether Git looks at the file's content; so it does for an empty file."""
        return not any(self.data[entry.offset + _SIZE.start : entry.offset + _SIZE.stop])

    def finish(self) -> bytearray:
        """The whole file, with its checksum."""
        width = self._width
        if any(self.data[-width:]):  # index.skipHash leaves zeros
            hasher = hashlib.sha256 if width == 32 else hashlib.sha1
            self.data[-width:] = hasher(memoryview(self.data)[:-width]).digest()
        return self.data


def _fields(stat: os.stat_result, counts_4gib: bool) -> tuple[int, ...]:
    size = stat.st_size & 0xFFFFFFFF
    if size == 0 and stat.st_size and counts_4gib:
        size = 0x80000000  # what Git 2.43 and later write for multiples of 4 GiB
    ctime, mtime = divmod(stat.st_ctime_ns, 10**9), divmod(stat.st_mtime_ns, 10**9)
    values = (*ctime, *mtime, stat.st_dev, stat.st_ino, 0, stat.st_uid, stat.st_gid, size)
    return tuple(value & 0xFFFFFFFF for value in values)


def _scan(data: bytearray, width: int) -> tuple[Sequence[Entry], int]:
    """All entries, and where they end."""
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("not an index that we know")
    entries, at, name = [], 12, b""
    for _ in range(count):
        flags_at = at + 40 + width
        flags = int.from_bytes(data[flags_at : flags_at + 2], "big")
        name_at = flags_at + (4 if flags & _EXTENDED else 2)
        strip, name_at = _varint(data, name_at) if version == 4 else (len(name), name_at)
        end = data.index(0, name_at)
        name = name[: len(name) - strip] + data[name_at:end]
        mtime_s = int.from_bytes(data[at + 8 : at + 12], "big")
        kind = data[at + 26] >> 4
        entries.append(Entry(at, bytes(data[at + 40 : flags_at]), (flags >> 12) & 3, bytes(name), mtime_s, kind))
        # Versions 2 and 3 pad each entry with 1 to 8 NULs to a multiple of eight bytes, version 4 ends it with one.
        at = end + 1 if version == 4 else at + ((end - at) // 8 + 1) * 8
    return entries, at


def _varint(data: bytearray, at: int) -> tuple[int, int]:
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1


def _extensions(data: bytearray, at: int, end: int) -> set[bytes]:
    found = set()
    while at + 8 <= end:
        found.add(bytes(data[at : at + 4]))
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    return found
