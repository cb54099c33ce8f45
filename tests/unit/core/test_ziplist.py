"""Members of zip files that Python writes, and what is not one."""

import io
import struct
import zipfile
import zlib

import pytest

from gitkit.core.tensors import ReadAt
from gitkit.core.ziplist import Member, read_head, read_members
from gitkit.errors import Corrupt, Unsupported

CONTENTS = {"a.txt": b"hello" * 100, "folder/": b"", "é/ü.bin": bytes(range(256)), "empty": b""}


def _zip(
    contents: dict[str, bytes] = CONTENTS, *, deflated: bool = False, comment: bytes = b"", before: bytes = b""
) -> bytes:
    out = io.BytesIO(before)
    out.seek(len(before))
    method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "a" if before else "w", method) as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
        archive.comment = comment
    return out.getvalue()


def _read_at(file: bytes) -> ReadAt:
    return lambda offset, count: file[offset : offset + count]


def _members(file: bytes) -> tuple[Member, ...]:
    return read_members(_read_at(file), len(file))


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("comment", [b"", b"a comment", b"PK\x05\x06 is in this one"])
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n"])
def test_members_are_what_was_written(deflated: bool, comment: bytes, before: bytes) -> None:
    file = _zip(deflated=deflated, comment=comment, before=before)
    members = _members(file)
    assert [(m.name, m.size, m.crc) for m in members] == [(n, len(d), zlib.crc32(d)) for n, d in CONTENTS.items()]
    assert [read_head(_read_at(file), member, 1 << 20) for member in members] == list(CONTENTS.values())


def test_first_bytes_of_a_member_are_no_more_than_asked_for() -> None:
    for deflated in (False, True):
        file = _zip({"a": b"x" * 100_000}, deflated=deflated)
        assert read_head(_read_at(file), _members(file)[0], 7) == b"x" * 7


def test_name_of_old_writers_is_taken_as_code_page_437() -> None:
    file = _zip({"ab": b""}).replace(b"ab", b"\x82b")
    assert _members(file)[0].name == "éb"


def test_empty_archive_has_no_members() -> None:
    assert _members(_zip({})) == ()


def _zip64(before: bytes = b"") -> bytes:
    """An archive of one member whose numbers are all in ZIP64 records."""
    name, data = b"big", b"data"
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 45, 0, 0, 0, 33, zlib.crc32(data), 4, 4, 3, 0) + name + data
    extra = struct.pack("<2H3Q", 1, 24, 4, 4, 0)
    full = 0xFFFFFFFF
    entry = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 45, 45, 0, 0, 0, 33, zlib.crc32(data), full, full, 3, len(extra), 0, 0, 0, 0, full
    )
    directory = entry + name + extra
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(directory), len(local))
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(local) + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, full, full, 0)
    return before + local + directory + end64 + locator + end


@pytest.mark.parametrize("before", [b"", b"something before"])
def test_numbers_in_zip64_records_are_read(before: bytes) -> None:
    file = _zip64(before)
    (member,) = _members(file)
    assert (member.name, member.size, member.packed) == ("big", 4, 4)
    assert read_head(_read_at(file), member, 10) == b"data"


def test_zip64_archive_without_its_record_is_corrupt() -> None:
    with pytest.raises(Corrupt, match="ZIP64 end record is missing"):
        _members(_zip64().replace(b"PK\x06\x06", b"PK\x06\x00"))


ONE = _zip({"name": b"data"})


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "no end record"),
        (b"PK\x05\x06", "no end record"),
        (ONE[:-1], "no end record"),
        (ONE + b"x", "no end record"),
        (ONE.replace(b"PK\x01\x02", b"PK\x01\x03"), "list of members is damaged"),
        (ONE[:-10] + struct.pack("<LLH", 20, 0, 0), "damaged|cut short|not where"),
        (ONE[:-10] + struct.pack("<LLH", 5000, 0, 0), "not where its end says"),
    ],
)
def test_what_is_no_archive_is_corrupt(file: bytes, why: str) -> None:
    with pytest.raises(Corrupt, match=why):
        _members(file)


def test_list_longer_than_is_read_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="bytes long"):
        _members(ONE[:-10] + struct.pack("<LLH", 1 << 30, 0, 0))


def test_archive_in_volumes_is_unsupported() -> None:
    end = ONE.rindex(b"PK\x05\x06")
    with pytest.raises(Unsupported, match="volumes"):
        _members(ONE[: end + 4] + b"\x02\x00" + ONE[end + 6 :])


def test_member_that_is_not_where_the_list_says_is_corrupt() -> None:
    member = _members(ONE)[0]
    with pytest.raises(Corrupt, match="not where"):
        read_head(_read_at(ONE), member._replace(offset=3), 4)
    with pytest.raises(Corrupt, match="cut short"):
        read_head(_read_at(ONE), member._replace(offset=1 << 62), 4)


def test_member_with_damaged_data_is_corrupt() -> None:
    file = _zip({"a": b"some text " * 100}, deflated=True)
    member = _members(file)[0]
    with pytest.raises(Corrupt, match="damaged"):
        read_head(_read_at(file[:31] + b"\xff" * 20 + file[51:]), member, 1000)


@pytest.mark.parametrize("change", [{"encrypted": True}, {"method": 14}])
def test_member_that_cannot_be_unpacked_is_unsupported(change: dict[str, int]) -> None:
    with pytest.raises(Unsupported):
        read_head(_read_at(ONE), _members(ONE)[0]._replace(**change), 4)  # type: ignore[arg-type]
