"""Laws of the readers that meet other people's files: tar, safetensors and GGUF headers."""

import io
import json
import math
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gitkit.core import gguf, safetensors
from gitkit.core.gotar import END, Forward, Member, entries, header, members_of, offset_of, padding, total_size
from gitkit.core.tensors import Facts
from gitkit.errors import Corrupt, KitError
from tests.unit.core.test_gguf import KINDS, entry, gguf_file, info

Reader = Callable[[bytes], object]


def _read_at(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: data[offset : offset + size]


def _tar(data: bytes) -> object:
    return list(entries(_read_at(data)))


def _safetensors(data: bytes) -> Facts:
    return safetensors.read_facts(_read_at(data), len(data))


def _gguf(data: bytes) -> Facts:
    return gguf.read_facts(_read_at(data), len(data))


# -- tar -----------------------------------------------------------------------------------------------------------

PARTS = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12) | st.text(
    "aé", min_size=90, max_size=160
)
PATHS = st.lists(PARTS.filter(lambda part: part not in (".", "..")), min_size=1, max_size=3).map("/".join)
CONTENTS = st.dictionaries(PATHS, st.binary(max_size=700), max_size=4)
MODES = st.integers(0, 0o7777)


def _folders(path: str) -> set[str]:
    return {path[:at] for at, char in enumerate(path) if char == "/"}


@st.composite
def layers(draw: st.DrawFn) -> tuple[list[Member], dict[str, bytes]]:
    contents = draw(CONTENTS)
    assume(not any(folder in contents for path in contents for folder in _folders(path)))
    return members_of(Member(path, draw(MODES), len(data)) for path, data in contents.items()), contents


def _written(members: list[Member], contents: dict[str, bytes]) -> bytes:
    out = b"".join(
        header(member) + contents.get(member.name, b"") + bytes(padding(member.data_size)) for member in members
    )
    return out + END


@given(layers())
def test_layer_reads_back_in_python_and_here(layer: tuple[list[Member], dict[str, bytes]]) -> None:
    members, contents = layer
    data = _written(members, contents)
    assert len(data) == total_size(members)
    found = list(entries(_read_at(data)))
    expected = [(m.name, "dir" if m.is_dir else "file", m.mode, m.size) for m in members]
    assert [(e.name, e.kind, e.mode, e.size) for e in found] == expected
    assert {e.name: e.offset for e in found} == {m.name: offset_of(members, m.name) for m in members}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        pythons = [(m.name, "dir" if m.isdir() else "file", m.mode, m.size) for m in archive.getmembers()]
        assert pythons == expected
        for path, content in contents.items():
            reader = archive.extractfile(path)
            assert reader is not None
            assert reader.read() == content


@given(layers())
def test_layer_is_walked_like_a_tree(layer: tuple[list[Member], dict[str, bytes]]) -> None:
    members, contents = layer
    names = [member.name for member in members]
    assert set(names) == set(contents).union(*map(_folders, contents))
    assert len(names) == len(set(names))
    for at, member in enumerate(members):
        below = [name for name in names if name.startswith(f"{member.name}/")]
        assert names[at + 1 : at + 1 + len(below)] == below
        siblings = [n for n in names if n.rpartition("/")[0] == member.name.rpartition("/")[0]]
        assert siblings == sorted(siblings, key=str.encode)


TYPES = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
MEMBERS = st.tuples(PATHS, TYPES, MODES, PATHS, st.integers(0, 1100))
FORMATS = st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])


def _archive(format_: int, members: list[tuple[str, bytes, int, str, int]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_, encoding="utf-8") as archive:
        for name, type_, mode, link, size in members:
            member = tarfile.TarInfo(name)
            member.type, member.mode = type_, mode
            member.linkname = link if type_ in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            member.size = size if type_ == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(bytes(size)))
    return out.getvalue()


ARCHIVES = st.builds(_archive, FORMATS, st.lists(MEMBERS, max_size=4))


@given(ARCHIVES)
def test_archive_that_python_writes_is_read_as_python_reads_it(data: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8") as archive:
        expected = [(m.name, m.mode, m.size, m.linkname, m.offset_data if m.isreg() else None) for m in archive]
    found = list(entries(_read_at(data)))
    assert [(e.name, e.mode, e.size, e.link, e.offset if e.kind == "file" else None) for e in found] == expected


@given(ARCHIVES, st.integers(1, 1000), st.data())
def test_stream_gives_the_same_entries_whatever_is_read_between_them(
    archive: bytes, chunk: int, data: st.DataObject
) -> None:
    stream = io.BytesIO(archive)
    forward = Forward(lambda size: stream.read(min(size, chunk)))
    found = []
    for read in entries(forward.read_at):
        found.append(read)
        start = data.draw(st.integers(0, read.size))
        assert forward.read_at(read.offset + start, read.size - start) == bytes(read.size - start)
    assert found == list(entries(_read_at(archive)))


# -- safetensors ---------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
SHAPES = st.lists(st.integers(0, 6), max_size=3)
BYTES = {"F64": 8, "F32": 4, "BF16": 2, "F8_E4M3": 1, "BOOL": 1}
TABLES = st.dictionaries(
    TEXTS.filter(lambda name: name != "__metadata__"), st.tuples(st.sampled_from([*BYTES]), SHAPES), max_size=5
)


def _safetensors_file(table: dict[str, tuple[str, list[int]]], metadata: dict[str, str], ascii_: bool) -> bytes:
    document: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, (dtype, shape) in table.items():
        end = at + math.prod(shape) * BYTES[dtype]
        document[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(document, ensure_ascii=ascii_).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(at)


@given(TABLES, st.dictionaries(TEXTS, TEXTS, max_size=3), st.booleans())
def test_safetensors_header_is_what_was_written(
    table: dict[str, tuple[str, list[int]]], metadata: dict[str, str], ascii_: bool
) -> None:
    file = _safetensors_file(table, metadata, ascii_)
    facts = _safetensors(file)
    assert facts.metadata == metadata
    assert {tensor.name: (tensor.dtype, list(tensor.shape)) for tensor in facts.tensors} == table
    assert facts.parameters == sum(math.prod(shape) for _, shape in table.values())
    assert sum(share.tensors for share in facts.dtypes.values()) == len(table)
    assert facts.tensors == tuple(sorted(facts.tensors, key=lambda tensor: tensor.offset))


# -- GGUF ----------------------------------------------------------------------------------------------------------

VALUES = {
    "u8": st.integers(0, 255),
    "i32": st.integers(-(1 << 31), (1 << 31) - 1),
    "u64": st.integers(0, (1 << 64) - 1),
    "bool": st.booleans(),
    "string": TEXTS,
}
ENTRIES = st.sampled_from([*VALUES]).flatmap(
    lambda kind: st.tuples(st.just(kind), VALUES[kind] | st.lists(VALUES[kind], max_size=6))
)
METADATA = st.dictionaries(
    TEXTS.filter(lambda key: key != "" and not key.startswith(("general.", "tokenizer."))), ENTRIES, max_size=5
)
GGML = {"F32": (0, 1, 4), "Q4_0": (2, 32, 18), "Q6_K": (14, 256, 210)}
GGUF_TABLES = st.dictionaries(TEXTS, st.tuples(st.sampled_from([*GGML]), SHAPES, st.integers(1, 2)), max_size=4)


def _gguf_file(metadata: dict[str, tuple[str, object]], table: dict[str, tuple[str, list[int], int]]) -> bytes:
    infos, at = [], 0
    for name, (dtype, shape, blocks) in table.items():
        kind, block, size = GGML[dtype]
        infos.append(info(name, [*shape, blocks * block], kind, at))
        at += math.prod(shape) * blocks * size
        at += -at % 32
    return gguf_file([entry(key, kind, value) for key, (kind, value) in metadata.items()], infos, at)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@given(METADATA, GGUF_TABLES)
def test_gguf_header_is_what_was_written(
    metadata: dict[str, tuple[str, object]], table: dict[str, tuple[str, list[int], int]]
) -> None:
    facts = _gguf(_gguf_file(metadata, table))
    assert facts.metadata.keys() == metadata.keys()
    for key, (kind, value) in metadata.items():
        if isinstance(value, list):
            assert facts.metadata[key].startswith(f"{kind}[{len(value)}]")
        else:
            assert facts.metadata[key] == _shown(value)
    shapes = {name: (dtype, (*shape, blocks * GGML[dtype][1])) for name, (dtype, shape, blocks) in table.items()}
    assert {tensor.name: (tensor.dtype, tensor.shape) for tensor in facts.tensors} == shapes
    assert facts.parameters == sum(math.prod(shape) for _, shape in shapes.values())


@given(METADATA, GGUF_TABLES, st.integers(0, 200))
def test_gguf_within_any_budget_is_whole_or_says_that_it_is_not(
    metadata: dict[str, tuple[str, object]], table: dict[str, tuple[str, list[int], int]], budget: int
) -> None:
    file = _gguf_file(metadata, table)
    reads: list[int] = []

    def read_at(offset: int, size: int) -> bytes:
        reads.append(size)
        return file[offset : offset + size]

    facts = gguf.read_facts(read_at, len(file), budget=budget)
    assert sum(reads) <= budget
    whole = _gguf(file)
    if facts.complete:
        assert facts == whole
    else:
        assert facts.parameters is None
        assert facts.metadata.keys() <= whole.metadata.keys()


# -- damage --------------------------------------------------------------------------------------------------------

LAYER = members_of([Member("a/b", 0o644, 600), Member("é", 0o755, 1), Member("n" * 120, 0o644, 0)])
WHOLE: list[tuple[Reader, bytes]] = [
    (_tar, _written(LAYER, {"a/b": b"x" * 600, "é": b"y"})),
    (_tar, _archive(tarfile.GNU_FORMAT, [("f" * 120, tarfile.SYMTYPE, 0o644, "l" * 120, 0)])[: 7 * 512]),
    (_safetensors, _safetensors_file({"a": ("F32", [2, 3]), "b": ("BOOL", [3])}, {"format": "pt"}, False)),
    (
        _gguf,
        _gguf_file(
            {
                "general.architecture": ("string", "x"),
                "n": ("i32", [1, 2, 3, 4]),
                "s": ("string", ["a", "b", "c", "d"]),
            },
            {"t": ("F32", [2], 2), "u": ("Q4_0", [16], 1)},
        ),
    ),
]
IDS = ["layer", "GNU tar", "safetensors", "GGUF"]


@pytest.mark.parametrize(("read", "file"), WHOLE, ids=IDS)
def test_file_cut_at_any_byte_is_corrupt(read: Reader, file: bytes) -> None:
    read(file)
    for size in range(len(file)):
        with pytest.raises(Corrupt):
            read(file[:size])


@pytest.mark.parametrize(("read", "file"), WHOLE, ids=IDS)
@given(data=st.data())
def test_file_with_any_bytes_replaced_is_read_or_refused(read: Reader, file: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(file) - 1))
    _read_or_refuse(read, file[:start] + data.draw(st.binary(min_size=1, max_size=12)) + file[start + 1 :])


@given(st.binary(max_size=600), st.sampled_from([_tar, _safetensors, _gguf]))
def test_any_bytes_are_read_or_refused(data: bytes, read: Reader) -> None:
    _read_or_refuse(read, data)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, lambda x: st.lists(x) | st.dictionaries(TEXTS, x))
)
def test_safetensors_header_of_any_json_is_read_or_refused(value: object) -> None:
    for document in (value, {"a": value}, {"a": {"dtype": "U8", "shape": value, "data_offsets": [0, 0]}}):
        text = json.dumps(document).encode()
        _read_or_refuse(_safetensors, len(text).to_bytes(8, "little") + text)


@given(st.lists(st.sampled_from(sorted(kind for kind, _ in KINDS.values())) | st.integers(0, 20), max_size=40))
def test_gguf_of_any_small_numbers_is_read_or_refused(numbers: list[int]) -> None:
    words = b"".join(number.to_bytes(4, "little") for number in numbers)
    _read_or_refuse(_gguf, b"GGUF\3\0\0\0" + words)


def _read_or_refuse(read: Reader, data: bytes) -> None:
    try:
        read(data)
    except KitError as error:
        assert error.message  # and nothing else is ever raised
