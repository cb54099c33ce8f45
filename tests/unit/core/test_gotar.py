"""Tar bytes as KitOps writes them, and the reader of anybody's tar."""

import io
import tarfile
from collections.abc import Callable
from typing import Literal

import pytest

from gitkit.core import gotar
from gitkit.core.digest import digest_of
from gitkit.core.gotar import END, Entry, Forward, Member, entries, header, members_of, offset_of, padding, total_size
from gitkit.errors import Corrupt, KitError, NotFound, Unsupported

GIB8 = 8 << 30


def _archive(members: list[Member], contents: dict[str, bytes], *, uid: int = 1000) -> bytes:
    out = b""
    for member in members:
        data = contents.get(member.name, b"")
        out += header(member, uid=uid) + data + bytes(padding(len(data)))
    return out + END


def _read_at(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: data[offset : offset + size]


def _entries(data: bytes) -> list[Entry]:
    return list(entries(_read_at(data)))


# -- writing -------------------------------------------------------------------------------------------------------


# The layers of the sample kit: digests computed with Go's archive/tar under KitOps' rules.
@pytest.mark.parametrize(
    ("path", "size", "digest"),
    [
        ("model/weights.bin", 2560, "3103799c0d6ad35bfef6bec893b9447f66a57889040f27d1120d837f6812b0f2"),
        ("adapters/lora.bin", 2560, "0490ff361b186dc9b8e524083722b75a0baefcd8d1dfb8d646c220cab0e30cd4"),
        ("src/train.py", 2560, "498ec6573ffd869da5a10568d06b409cec0c3551e461d07ae1aa5b401b0e8ad6"),
        ("data/train.csv", 2560, "537ec9d4348addc6270b3aff9a7cd10852054688cae96592c8a065c9309cc6d9"),
        ("README.md", 2048, "6a5bd8cd6ca014dfaa398d1107ffe41048521853685f9c6063c7ebbe30f517d8"),
        ("system.prompt.md", 2048, "61dbec9076526a132666d8492209e8eb0e05b813fbe394210a77f6a17c7608cb"),
    ],
)
def test_layer_of_the_sample_kit_has_the_digest_that_kitops_gives(path: str, size: int, digest: str) -> None:
    content = f"testing: {path}".encode()
    members = members_of([Member(path, 0o644, len(content))])
    layer = _archive(members, {path: content})
    assert digest_of(layer) == f"sha256:{digest}"
    assert len(layer) == size == total_size(members)


# The expected digests are of what Go 1.26's tar.Writer.WriteHeader writes for the same header.
@pytest.mark.parametrize(
    ("member", "uid", "blocks", "digest"),
    [
        pytest.param(Member("a" * 100, 0o644, 1), 1000, 1, "cdddb6d4af89a89a", id="name of 100 bytes"),
        pytest.param(Member("d" * 50 + "/" + "f" * 50, 0o644, 1), 1000, 1, "e131e798b6f5511b", id="split"),
        pytest.param(Member("d" * 155 + "/" + "f" * 100, 0o644, 1), 1000, 1, "b27d11d68a7daa3c", id="longest split"),
        pytest.param(Member("d" * 156 + "/" + "f" * 100, 0o644, 1), 1000, 3, "87a69657a11dc7b1", id="prefix too long"),
        pytest.param(Member("f" * 101, 0o644, 1), 1000, 3, "8a97de808472e966", id="no place to split"),
        pytest.param(Member("modèle/poids-日本.bin", 0o644, 1), 1000, 3, "7b934ad5cfd63393", id="not ASCII"),
        pytest.param(Member("caf\udce9/x", 0o644, 1), 1000, 3, "5e727d5580e79a65", id="not UTF-8"),
        pytest.param(Member("adapters", 0o755, is_dir=True), 1000, 1, "f7dfa0c90da5af81", id="dir"),
        pytest.param(Member("d" * 60 + "/" + "e" * 60, 0o755, 0, True), 1000, 1, "55eeb9ef64622357", id="dir, split"),
        pytest.param(Member("modèle", 0o755, is_dir=True), 1000, 3, "0485bb3bac0c374b", id="dir, not ASCII"),
        pytest.param(Member("model/weights.bin", 0o644, GIB8 - 1), 1000, 1, "00f725de0364c4ad", id="below 8 GiB"),
        pytest.param(Member("model/weights.bin", 0o644, GIB8), 1000, 3, "3e31763f9fe0a950", id="8 GiB"),
        pytest.param(
            Member("d" * 60 + "/" + "f" * 60, 0o644, GIB8), 1000, 3, "0c3313aed1f3e8e8", id="8 GiB, long name"
        ),
        pytest.param(Member("modèle/" + "f" * 120, 0o600, (1 << 63) - 1), 1000, 3, "540a6f996bd3c0b5", id="largest"),
        pytest.param(
            Member("d" * 99 + "/é/" + "f" * 99, 0o644, 1), 1000, 3, "a6bc76663f95efae", id="a slash at byte 100"
        ),
        pytest.param(
            Member("d" * 96 + "/é/é/é/" + "f" * 99, 0o644, 1), 1000, 3, "71e8084a107c2a19", id="slashes up to byte 100"
        ),
        pytest.param(
            Member("é" * 10 + "d" * 86 + "/" + "f" * 10 + "é", 0o644, 1), 1000, 3, "6e62c8cbf6105520", id="PAX name cut"
        ),
        pytest.param(Member("é" * 45, 0o644, 1), 1000, 3, "e21e9da82f9d40db", id="record of 99 bytes"),
        pytest.param(Member("é" * 46, 0o644, 1), 1000, 3, "3ada65fdfb40a3a9", id="record of 101 bytes"),
        pytest.param(Member("model/weights.bin", 0o4755, 5), 0, 1, "6ab1afd5d8883479", id="root's, setuid"),
    ],
)
def test_header_is_what_go_writes(member: Member, uid: int, blocks: int, digest: str) -> None:
    written = header(member, uid=uid)
    assert digest_of(written)[7:23] == digest
    assert len(written) == blocks * 512


def test_header_of_a_directory_has_no_size_and_no_slash() -> None:
    directory = tarfile.TarInfo.frombuf(header(Member("a/b", 0o755, 700, is_dir=True)), "utf-8", "strict")
    assert (directory.name, directory.size, directory.isdir()) == ("a/b", 0, True)
    assert header(Member("a/b", 0o755, 700, is_dir=True))[:4] == b"a/b\0"


def test_archive_as_python_reads_it_has_the_owner_and_no_time() -> None:
    members = members_of([Member("a/b", 0o600, 3), Member("a/ü", 0o755, 0)])
    for uid in (1000, 0):
        with tarfile.open(fileobj=io.BytesIO(_archive(members, {"a/b": b"abc"}, uid=uid))) as archive:
            found = archive.getmembers()
            assert [(m.name, m.mode, m.size) for m in found] == [("a", 0o755, 0), ("a/b", 0o600, 3), ("a/ü", 0o755, 0)]
            assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in found} == {(uid, 0, "", "", 0)}


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511), (GIB8, 0)])
def test_padding_fills_the_block(size: int, expected: int) -> None:
    assert padding(size) == expected


def test_members_are_in_the_order_of_a_walk_and_not_of_sorted_paths() -> None:
    names = ["a-b", "a/z", "a/b/c", "a.txt", "B/x", "a/b.txt", "\u00e9", "z"]
    found = [member.name for member in members_of([Member(name, 0o644, 1) for name in names])]
    assert found == ["B", "B/x", "a", "a/b", "a/b/c", "a/b.txt", "a/z", "a-b", "a.txt", "z", "\u00e9"]


def test_members_have_each_ancestor_once_as_a_directory() -> None:
    found = members_of([Member("a/b/c", 0o600, 1), Member("a/b/d", 0o755, 2), Member("a/e", 0o644, 3)])
    directory = [Member("a", 0o755, 0, True), Member("a/b", 0o755, 0, True)]
    assert found == [*directory, Member("a/b/c", 0o600, 1), Member("a/b/d", 0o755, 2), Member("a/e", 0o644, 3)]


def test_members_with_a_directory_that_holds_none_of_the_files_keep_it() -> None:
    given = [Member("a/empty", 0o700, 0, True), Member("a/f", 0o644, 1)]
    assert members_of(given) == [Member("a", 0o755, 0, True), *given]
    assert members_of([]) == []


def test_offset_is_where_the_data_starts() -> None:
    contents = {"a/é": b"x" * 600, "b": b"y"}
    members = members_of([Member(name, 0o644, len(data)) for name, data in contents.items()])
    layer = _archive(members, contents)
    for name, data in contents.items():
        start = offset_of(members, name)
        assert layer[start : start + len(data)] == data
    assert total_size(members) == len(layer)
    with pytest.raises(NotFound):
        offset_of(members, "c")


# -- reading -------------------------------------------------------------------------------------------------------


def _python(format_: int, *infos: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(b"x" * info.size))
    return out.getvalue()


def _info(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_entries_of_each_kind_are_read_from_each_format(format_: int) -> None:
    infos = [
        _info("dir", type=tarfile.DIRTYPE, mode=0o755),
        _info("dir/" + "f" * 90, size=700, mode=0o4711),
        _info("d" * 80 + "/" + "f" * 80, size=1),
        _info("link", type=tarfile.SYMTYPE, linkname="dir"),
        _info("hard", type=tarfile.LNKTYPE, linkname="dir/x"),
        _info("pipe", type=tarfile.FIFOTYPE),
        _info("null", type=tarfile.CHRTYPE),
        _info("old", type=tarfile.AREGTYPE, size=3),
    ]
    data = _python(format_, *infos)
    found = _entries(data)
    kinds = ["dir", "file", "file", "symlink", "hardlink", "fifo", "device", "file"]
    assert [(e.name, e.kind, e.mode, e.size, e.link) for e in found] == [
        (info.name, kind, info.mode, info.size, info.linkname) for info, kind in zip(infos, kinds, strict=True)
    ]
    assert all(data[e.offset : e.offset + e.size] == b"x" * e.size for e in found)


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_entries_with_long_names_and_links_are_read(format_: int) -> None:
    infos = [_info("é" * 300, type=tarfile.SYMTYPE, linkname="l" * 300), _info("f" * 300, size=1), _info("g")]
    found = _entries(_python(format_, *infos))
    assert [(e.name, e.link) for e in found] == [(info.name, info.linkname) for info in infos]


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_entry_larger_than_octal_digits_can_say_is_read(format_: Literal[1, 2]) -> None:
    size = 5 << 40
    first = _info("big", size=size).tobuf(format_)
    rest = _info("small", size=1).tobuf(format_) + b"x" + bytes(511) + END

    def read_at(offset: int, count: int) -> bytes:
        data, at = (first, offset) if offset < len(first) else (rest, offset - len(first) - size)
        return data[at : at + count]

    assert [(e.name, e.size, e.offset) for e in entries(read_at)] == [
        ("big", size, len(first)),
        ("small", 1, len(first) + size + len(rest) - len(END) - 512),
    ]


def _block(
    name: bytes = b"a", *, flag: bytes = b"0", size: bytes = b"00000000000\0", magic: bytes = b"ustar\x0000"
) -> bytes:
    start = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + size + b"00000000000\0"
    rest = flag + bytes(100) + magic.ljust(255, b"\0")
    return start + b"%06o\0 " % (sum(start + rest) + 256) + rest


def _extension(flag: bytes, payload: bytes) -> bytes:
    return _block(flag=flag, size=b"%011o\0" % len(payload)) + payload + bytes(padding(len(payload)))


def _record(text: bytes) -> bytes:
    return b"%d %s\n" % (len(text) + (3 if len(text) < 7 else 4), text)


def test_entries_of_tars_from_before_ustar_are_read() -> None:
    data = _block(b"d/", flag=b"\0", magic=b"") + _block(b"d/f", flag=b"\0", magic=b"") + END
    assert [(e.name, e.kind) for e in _entries(data)] == [("d", "dir"), ("d/f", "file")]


def test_entry_whose_checksum_adds_signed_bytes_is_read() -> None:
    block = bytearray(_block("é".encode()))
    block[148:156] = b"%06o\0 " % (int(block[148:154], 8) - 2 * 256)
    assert _entries(bytes(block) + END)[0].name == "é"


def test_prefix_of_a_gnu_header_is_no_part_of_the_name() -> None:
    block = _block(magic=b"ustar  \0".ljust(88, b"\0") + b"12345670000\0")
    assert _entries(block + END)[0].name == "a"


def test_extension_changes_the_next_entry_only() -> None:
    data = _extension(b"x", _record(b"path=long/name") + _record(b"size=3") + _record(b"mtime=1.5"))
    found = _entries(data + _block() + b"abc" + bytes(509) + _block(b"b") + END)
    assert [(e.name, e.size) for e in found] == [("long/name", 3), ("b", 0)]


def test_extension_with_an_empty_value_gives_back_the_headers() -> None:
    data = _extension(b"x", _record(b"path=long/name") + _record(b"path="))
    assert _entries(data + _block() + END)[0].name == "a"


def test_global_header_with_a_comment_is_skipped() -> None:
    data = _extension(b"g", _record(b"comment=0123456789")) + _block() + END
    assert [e.name for e in _entries(data)] == ["a"]


def test_empty_archive_has_no_entries_and_what_follows_the_end_is_ignored() -> None:
    assert _entries(END) == []
    assert _entries(END + b"anything") == []


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(bytes(512), id="one zero block"),
        pytest.param(bytes(512) + _block() + END, id="an entry after a zero block"),
        pytest.param(_block(), id="no end"),
        pytest.param(_block(size=b"00000002000\0") + END, id="data cut short"),
        pytest.param(b"b" + _block()[1:] + END, id="wrong checksum"),
        pytest.param(_block(size=b"0000000008x\0") + END, id="size not octal"),
        pytest.param(_block(size=b"-0000000001\0") + END, id="negative size"),
        pytest.param(_block(size=b"\xff" * 12) + END, id="negative size in base 256"),
        pytest.param(_block(size=b"\x80" + b"\x7f" * 11) + END, id="size beyond 63 bits"),
        pytest.param(_extension(b"x", _record(b"size=-1")) + _block() + END, id="negative PAX size"),
        pytest.param(
            _extension(b"x", _record(b"size=18446744073709551615")) + _block() + END, id="PAX size beyond 63 bits"
        ),
        pytest.param(_extension(b"x", b"8 path=a\n") + _block() + END, id="PAX record too short"),
        pytest.param(_extension(b"x", b"99 path=a\n") + _block() + END, id="PAX record too long"),
        pytest.param(_extension(b"x", b"0 path=a\n") + _block() + END, id="PAX record of length 0"),
        pytest.param(_extension(b"x", b"-9 path=a\n") + _block() + END, id="PAX record of a negative length"),
        pytest.param(_extension(b"x", b"path=a\n") + _block() + END, id="PAX record without a length"),
        pytest.param(_extension(b"x", b"7 path\n") + _block() + END, id="PAX record without a value"),
        pytest.param(_extension(b"x", b"10 path=a ") + _block() + END, id="PAX record without a newline"),
        pytest.param(_extension(b"x", b"6 =ab\n") + _block() + END, id="PAX record without a key"),
        pytest.param(_extension(b"x", _record(b"path=a\0b")) + _block() + END, id="PAX path with a NUL"),
        pytest.param(_extension(b"x", _record(b"path=abc")) + END, id="extension without its entry"),
        pytest.param(_extension(b"L", b"name\0") + END, id="GNU long name without its entry"),
        pytest.param(_block(flag=b"x", size=b"00004000001\0") + bytes(2 << 20), id="PAX header over 1 MiB"),
        pytest.param(_block(flag=b"L", size=b"00004000001\0") + bytes(2 << 20), id="GNU long name over 1 MiB"),
        pytest.param(b"PK\3\4" + bytes(2000), id="a zip"),
    ],
)
def test_entries_of_a_damaged_archive_are_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt, match="the tar "):
        _entries(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_block(flag=b"S") + END, id="GNU sparse"),
        pytest.param(_extension(b"x", _record(b"GNU.sparse.major=1")) + _block() + END, id="PAX sparse"),
        pytest.param(_extension(b"g", _record(b"path=a")) + _block() + END, id="global path"),
        pytest.param(_extension(b"g", _record(b"size=12")) + _block() + END, id="global size"),
    ],
)
def test_entries_that_would_be_read_differently_elsewhere_are_unsupported(data: bytes) -> None:
    with pytest.raises(Unsupported, match="the tar "):
        _entries(data)


# -- streams -------------------------------------------------------------------------------------------------------


def test_forward_gives_entries_and_their_data_from_a_stream() -> None:
    contents = {"a": b"1" * 3000, "b": b"2", "c": b""}
    data = _archive([Member(name, 0o644, len(content)) for name, content in contents.items()], contents)
    stream = io.BytesIO(data)
    forward = Forward(lambda size: stream.read(min(size, 100)))  # as sockets do: less than was asked for
    found = {entry.name: forward.read_at(entry.offset, entry.size) for entry in entries(forward.read_at)}
    assert found == contents


def test_forward_skips_what_is_not_wanted() -> None:
    data = _archive([Member("a", 0o644, 3 << 20), Member("b", 0o644, 1)], {"a": bytes(3 << 20), "b": b"2"})
    assert [entry.name for entry in entries(Forward(io.BytesIO(data).read).read_at)] == ["a", "b"]


def test_forward_never_goes_back() -> None:
    forward = Forward(io.BytesIO(bytes(100)).read)
    assert forward.read_at(10, 20) == bytes(20)
    with pytest.raises(ValueError, match="offset 29"):
        forward.read_at(29, 1)


def test_forward_of_a_stream_that_ends_gives_what_there_is() -> None:
    forward = Forward(io.BytesIO(b"abc").read)
    assert forward.read_at(1, 10) == b"bc"
    assert forward.read_at(50, 10) == b""


def test_damage_after_an_entry_shows_after_that_entry() -> None:
    walk = entries(_read_at(_block() + _block(b"b")[:-1]))
    assert next(walk).name == "a"
    with pytest.raises(KitError):
        next(walk)


def test_largest_extension_is_read() -> None:
    name = b"n" * (gotar.MAX_EXTENSION - 1)
    assert len(_entries(_extension(b"L", name + b"\0") + _block() + END)[0].name) == len(name)
