"""Laws of the readers whose findings `git diff` shows: ONNX, Parquet, NumPy and zip headers."""

import io
import math
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitkit.cli.textconv import escaped
from gitkit.core.kinds import HEAD, kind_of
from gitkit.core.npy import read_array
from gitkit.core.onnx import read_model
from gitkit.core.parquet import read_table
from gitkit.core.tensors import ReadAt
from gitkit.core.ziplist import read_head, read_members
from gitkit.drivers.facts import read_facts
from gitkit.errors import Corrupt, KitError
from tests.lib.header_samples import (
    element,
    graph_proto,
    node,
    npy_file,
    npy_header,
    onnx_file,
    parquet_file,
    row_group,
    table_footer,
    tensor_proto,
    value_info,
)

Reader = Callable[[bytes], object]


def _read_at(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


def _onnx(data: bytes) -> object:
    return read_model(_read_at(data), len(data))


def _parquet(data: bytes) -> object:
    return read_table(_read_at(data), len(data))


def _npy(data: bytes) -> object:
    return read_array(_read_at(data), len(data))


def _zip(data: bytes) -> object:
    return [read_head(_read_at(data), member, 8) for member in read_members(_read_at(data), len(data))]


# -- what was written ----------------------------------------------------------------------------------------------

NAMES = st.text(st.characters(codec="utf-8"), max_size=20)
SHAPES = st.lists(st.integers(0, 1 << 20), max_size=3)
DTYPES = st.sampled_from([(1, "FLOAT"), (7, "INT64"), (16, "BFLOAT16")])


@given(st.lists(st.tuples(NAMES, DTYPES, SHAPES, st.binary(max_size=300), st.booleans()), max_size=5), NAMES)
def test_onnx_initialisers_are_what_was_written(
    weights: list[tuple[str, tuple[int, str], list[int], bytes, bool]], operator: str
) -> None:
    initialisers = [
        tensor_proto(name, number, shape, data=data, packed=packed)
        for name, (number, _), shape, data, packed in weights
    ]
    file = onnx_file(graph_proto(nodes=[node(operator)], initialisers=initialisers))
    model = read_model(_read_at(file), len(file))
    assert [(one.name, one.dtype, list(one.shape)) for one in model.initialisers] == [
        (name, dtype, shape) for name, (_, dtype), shape, _, _ in weights
    ]
    assert model.operators == {operator: 1}


@given(st.lists(st.tuples(NAMES, st.integers(0, 2)), max_size=20), st.lists(st.integers(0, 1 << 40), max_size=20))
def test_parquet_columns_and_rows_are_what_was_written(columns: list[tuple[str, int]], rows: list[int]) -> None:
    schema = [element(name, 2, repetition=repetition) for name, repetition in columns]
    file = parquet_file(table_footer(schema, [row_group(count, count * 8, [0]) for count in rows]))
    table = read_table(_read_at(file), len(file))
    words = ("required", "optional", "repeated")
    assert [(one.path, one.repetition) for one in table.columns] == [(name, words[number]) for name, number in columns]
    assert [(group.rows, group.size) for group in table.row_groups] == [(count, count * 8) for count in rows]
    assert table.rows == sum(rows)


@given(st.lists(st.integers(0, 5), max_size=4), st.booleans(), st.integers(1, 3))
def test_npy_header_is_what_was_written(shape: list[int], fortran: bool, version: int) -> None:
    file = npy_file(npy_header("'<i2'", shape, fortran=fortran), bytes(2 * math.prod(shape)), version=version)
    array = read_array(_read_at(file), len(file))
    assert array == ("<i2", tuple(shape), fortran)


@given(
    st.lists(st.tuples(NAMES.filter(lambda name: "\0" not in name), st.binary(max_size=99), st.booleans()), max_size=4)
)
def test_zip_members_are_what_python_wrote(members: list[tuple[str, bytes, bool]]) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, (name, data, deflated) in enumerate(members):
            info = zipfile.ZipInfo(f"{number}{name}")
            archive.writestr(info, data, zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED)
    file = out.getvalue()
    found = read_members(_read_at(file), len(file))
    assert [(one.name, one.size, one.crc) for one in found] == [
        (f"{number}{name}", len(data), zlib.crc32(data)) for number, (name, data, _) in enumerate(members)
    ]
    assert [read_head(_read_at(file), one, 99) for one in found] == [data for _, data, _ in members]


# -- damage --------------------------------------------------------------------------------------------------------


def _archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("model/data.pkl"), b"pickled")
        archive.writestr(zipfile.ZipInfo("model/data/0"), bytes(50), zipfile.ZIP_DEFLATED)
    return out.getvalue()


MODEL = onnx_file(
    graph_proto(
        nodes=[node("MatMul"), node("Foo", "my.domain")],
        initialisers=[tensor_proto("w", 1, [2, 3], data=bytes(24)), tensor_proto("e", 1, [9], external="w.data")],
        inputs=[value_info("x", 1, ["batch", 3, None])],
        outputs=[value_info("y", 7, [1])],
    )
)
TABLE = parquet_file(
    table_footer(
        [element("id", 2), element("user", children=1), element("name", 6, f6=0, f10={8: {1: True, 2: {2: {}}}})],
        [row_group(3, 99, [1]), row_group(2, 88, [1])],
        {"key": "value"},
    ),
    bytes(40),
)
WHOLE: list[tuple[Reader, bytes, str]] = [
    (_onnx, MODEL, "m.onnx"),
    (_parquet, TABLE, "t.parquet"),
    (_npy, npy_file(npy_header("'<f4'", (2, 3)), bytes(24)), "a.npy"),
    (_zip, _archive(), "m.npz"),
]
IDS = ["ONNX", "Parquet", "NumPy", "zip"]


@pytest.mark.parametrize(("read", "file", "name"), WHOLE, ids=IDS)
def test_file_cut_at_any_byte_is_corrupt(read: Reader, file: bytes, name: str) -> None:
    read(file)
    for size in range(len(file)):
        with pytest.raises(Corrupt):
            read(file[:size])


@pytest.mark.parametrize(("read", "file", "name"), WHOLE, ids=IDS)
@given(data=st.data())
def test_file_with_any_bytes_replaced_is_read_or_refused(
    read: Reader, file: bytes, name: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(file) - 1))
    damaged = file[:start] + data.draw(st.binary(min_size=1, max_size=12)) + file[start + 1 :]
    _read_or_refuse(read, damaged)
    _facts(damaged, name)


@given(st.binary(max_size=600), st.sampled_from([_onnx, _parquet, _npy, _zip]))
def test_any_bytes_are_read_or_refused(data: bytes, read: Reader) -> None:
    _read_or_refuse(read, data)


@given(st.binary(max_size=300))
def test_any_bytes_between_the_marks_of_a_format_are_read_or_refused(data: bytes) -> None:
    _read_or_refuse(_parquet, parquet_file(data))
    _read_or_refuse(_npy, b"\x93NUMPY\x01\x00" + len(data).to_bytes(2, "little") + data)
    _read_or_refuse(_zip, data + b"PK\x05\x06" + bytes(8) + len(data).to_bytes(4, "little") + bytes(6))
    _read_or_refuse(_onnx, onnx_file(data))


@given(st.text("{}[]()'\",:\\ 0123456789TrueFals", max_size=80))
def test_any_npy_header_text_is_read_or_refused(text: str) -> None:
    _read_or_refuse(_npy, npy_file(text))
    _read_or_refuse(_npy, npy_file(f"{{'descr': {text}, 'fortran_order': False, 'shape': (2,)}}"))


@given(
    st.sampled_from(
        [b"", b"GGUF\3\0\0\0", b"PAR1", b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY\1\0", b'\2\0\0\0\0\0\0\0{"']
    ),
    st.binary(max_size=200),
    st.sampled_from(["a", "m.safetensors", "m.gguf", "m.onnx", "a.npy", "a.npz", "t.parquet", "x.zip"]),
)
def test_facts_of_any_file_are_found_or_say_why_not(mark: bytes, data: bytes, name: str) -> None:
    _facts(mark + data, name)


def _facts(data: bytes, name: str) -> None:
    kind = kind_of(data[:HEAD], name)
    if kind is not None:
        found = read_facts(kind, _read_at(data), len(data))
        assert found.problem != ""  # it is None, or says something


def _read_or_refuse(read: Reader, data: bytes) -> None:
    try:
        read(data)
    except KitError as error:
        assert error.message  # and nothing else is ever raised


# -- what a terminal sees ------------------------------------------------------------------------------------------


@given(st.text())
@example("\x1b]0;title\x07\x1b[2J\r\x9b31m\u202e\u2028\x7f")
def test_line_that_is_shown_has_nothing_that_acts_on_a_terminal(text: str) -> None:
    shown = escaped(text)
    assert all(char.isprintable() or char == "\t" for char in shown)
    assert "\n" not in shown
    if text.isprintable():
        assert shown == text
