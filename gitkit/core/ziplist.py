"""What a zip file holds, from its central directory alone: names, sizes and checksums of its members.

Format: PKWARE's APPNOTE 6.3, sections 4.3 to 4.5, with ZIP64. Nothing is unpacked but, where a caller asks, the first
bytes of a member. Names are the file's own, so whoever shows them on a terminal escapes them.
"""

import struct
import zlib
from typing import Any, NamedTuple

from gitkit.core.tensors import ReadAt
from gitkit.errors import Corrupt, Unsupported

MAX_DIRECTORY = 32 << 20
"""The longest central directory that is read, in bytes."""

_MAX_MEMBERS = 100_000
_END = struct.Struct("<4s4H2LH")  # signature, disk, its disk, entries here, entries, size, offset, length of comment
_LOCATOR = struct.Struct("<4sLQL")  # signature, disk, offset of the ZIP64 end record, disks
_END64 = struct.Struct("<4sQ2H2L4Q")  # signature, size, versions, disks, entries here, entries, size, offset
_MEMBER = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_UTF8 = 1 << 11
_ENCRYPTED = 1
_STORED, _DEFLATED = 0, 8
_ENOUGH = 4 << 10  # packed bytes that give the first unpacked ones, whatever tables come before them
_FULL = 0xFFFFFFFF  # the value is in the ZIP64 extra field


class Member(NamedTuple):
    """One file of the archive: ``size`` unpacked, ``packed`` as it lies there, ``offset`` of its local header."""

    name: str
    size: int
    packed: int
    crc: int
    method: int
    encrypted: bool
    offset: int


def read_members(read_at: ReadAt, size: int) -> tuple[Member, ...]:
    """The members of a zip file of ``size`` bytes, in its own order.

    Raises:
        Corrupt: not a zip file, damaged, or cut short.
        Unsupported: in several volumes, or more members than are read.
    """
    start, length, shift = _directory(read_at, size)
    data = read_at(start, length)
    if len(data) != length:
        raise _corrupt("its list of members is cut short")
    members: list[Member] = []
    at = 0
    while at < length:
        if len(members) == _MAX_MEMBERS:
            raise Unsupported(f"this zip file has more than {_MAX_MEMBERS} members")
        member, at = _member(data, at, shift)
        members.append(member)
    return tuple(members)


def read_head(read_at: ReadAt, member: Member, count: int) -> bytes:
    """The first bytes of ``member``, at most ``count``; unpacked where it is deflated.

    Raises:
        Corrupt: the member is not where the list says, or its data is damaged.
        Unsupported: it is encrypted, or packed in another way.
    """
    if member.encrypted or member.method not in (_STORED, _DEFLATED):
        raise Unsupported("it is encrypted, or packed in a way that is not read")
    fields = _unpacked(_LOCAL, read_at(member.offset, _LOCAL.size), "a member's header")
    if fields[0] != b"PK\x03\x04":
        raise _corrupt("a member is not where its list says")
    data = read_at(member.offset + _LOCAL.size + fields[-2] + fields[-1], min(member.packed, max(count, _ENOUGH)))
    if member.method == _STORED:
        return data[:count]
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, count)
    except zlib.error as error:
        raise _corrupt("a member's data is damaged") from error


def _directory(read_at: ReadAt, size: int) -> tuple[int, int, int]:
    """Where the list of members is: offset and length, and by how much all offsets in it are too small."""
    tail = read_at(max(0, size - _END.size - 0xFFFF), min(size, _END.size + 0xFFFF))
    at = _end(tail)
    end = size - len(tail) + at
    fields = _END.unpack_from(tail, at)
    disk, length, offset = fields[1], fields[5], fields[6]
    if (end >= _LOCATOR.size and _FULL in (length, offset)) or fields[4] == 0xFFFF:
        found = _zip64(read_at, end)
        if found is not None:
            end, length, offset = found
    if disk not in (0, 0xFFFF):
        raise Unsupported("this zip file is in several volumes")
    if length > MAX_DIRECTORY:
        raise Unsupported(f"the list of members of this zip file is {length} bytes long")
    start = end - length
    if start < offset:
        raise _corrupt("its list of members is not where its end says")
    return start, length, start - offset


def _end(tail: bytes) -> int:
    """Where in ``tail`` the end record is: the last one whose comment ends with the file."""
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if len(tail) - at >= _END.size and at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail):
            return at
        at = tail.rfind(b"PK\x05\x06", 0, at)
    raise _corrupt("it has no end record")


def _zip64(read_at: ReadAt, end: int) -> tuple[int, int, int] | None:
    """End, length and offset of the list by the ZIP64 record, where there is one before ``end``."""
    locator = read_at(max(0, end - _LOCATOR.size), _LOCATOR.size)
    if len(locator) != _LOCATOR.size or not locator.startswith(b"PK\x06\x07"):
        return None
    # Its own place first, then the one right before the locator: something may stand before the archive.
    for at in (_LOCATOR.unpack(locator)[2], end - _LOCATOR.size - _END64.size):
        record = read_at(at, _END64.size) if 0 <= at < end else b""
        if len(record) == _END64.size and record.startswith(b"PK\x06\x06"):
            fields = _END64.unpack(record)
            return at, fields[8], fields[9]
    raise _corrupt("its ZIP64 end record is missing")


def _member(data: bytes, at: int, shift: int) -> tuple[Member, int]:
    """The member whose entry is at ``at``, and where the next entry is."""
    fields = _unpacked(_MEMBER, data[at : at + _MEMBER.size], "its list of members")
    if fields[0] != b"PK\x01\x02":
        raise _corrupt("its list of members is damaged")
    flags, method, crc = fields[3], fields[4], fields[7]
    name_length, extra_length, comment_length = fields[10:13]
    begin = at + _MEMBER.size
    after = begin + name_length + extra_length + comment_length
    if after > len(data):
        raise _corrupt("its list of members is cut short")
    raw = data[begin : begin + name_length]
    extra = data[begin + name_length : begin + name_length + extra_length]
    packed, size, offset = _wide(fields[8], fields[9], fields[16], extra)
    name = raw.decode("utf-8", "replace") if flags & _UTF8 else raw.decode("cp437")
    return Member(name, size, packed, crc, method, bool(flags & _ENCRYPTED), offset + shift), after


def _wide(packed: int, size: int, offset: int, extra: bytes) -> tuple[int, int, int]:
    """The three numbers, those that do not fit taken from the ZIP64 extra field."""
    if _FULL not in (packed, size, offset):
        return packed, size, offset
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            numbers = iter(struct.unpack(f"<{len(field) // 8}Q", field[: len(field) // 8 * 8]))
            # APPNOTE 4.5.3: in this order, and only those that are full.
            wide = [next(numbers, value) if value == _FULL else value for value in (size, packed, offset)]
            return wide[1], wide[0], wide[2]
        at += 4 + length
    return packed, size, offset


def _unpacked(form: struct.Struct, data: bytes, what: str) -> tuple[Any, ...]:
    if len(data) != form.size:
        raise _corrupt(f"{what} is cut short")
    return form.unpack(data)


def _corrupt(why: str) -> Corrupt:
    return Corrupt(f"not a valid zip file: {why}")
