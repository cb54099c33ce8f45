"""What a Parquet file says of itself: footers that are put together by hand, and what is not one."""

import tracemalloc
from typing import Any

import pytest

from gitkit.core.parquet import MAX_FOOTER, Column, RowGroup, Table, read_table
from gitkit.errors import Corrupt, Unsupported
from tests.lib.header_samples import I8, I64, Struct, compact, element, parquet_file, row_group, table_footer


def _table(file: bytes, size: int | None = None) -> Table:
    return read_table(lambda offset, count: file[offset : offset + count], len(file) if size is None else size)


SCHEMA = [
    element("id", 2, repetition=0),
    element("user", repetition=1, children=2),
    element("name", 6, f6=0, f10={1: {}}),
    element("tags", repetition=1, children=1, f10={3: {}}),
    element("list", repetition=2, children=1),
    element("item", 7, f2=16, f10={14: {}}),
    element("score", 5),
]
FOOTER = table_footer(SCHEMA, [row_group(1000, 123, [1, 6, 1]), row_group(24, 99, [1])], {"k": "v", "long": "x" * 500})


def test_table_is_what_its_footer_says() -> None:
    assert _table(parquet_file(FOOTER, b"data" * 10)) == Table(
        version=2,
        rows=1024,
        columns=(
            Column("id", "INT64", "required"),
            Column("user.name", "BYTE_ARRAY STRING", "optional"),
            Column("user.tags.list.item", "FIXED_LEN_BYTE_ARRAY(16) UUID", "optional"),
            Column("score", "DOUBLE", "optional"),
        ),
        row_groups=(RowGroup(1000, 123), RowGroup(24, 99)),
        codecs=("SNAPPY", "ZSTD"),
        created_by="by hand",
        metadata={"k": "v", "long": "x" * 199 + "…"},
    )


def test_table_takes_the_footer_and_no_column_data() -> None:
    file = parquet_file(FOOTER, bytes(1_000_000))
    reads: list[tuple[int, int]] = []

    def read_at(offset: int, size: int) -> bytes:
        reads.append((offset, size))
        return file[offset : offset + size]

    read_table(read_at, len(file))
    length = len(compact(FOOTER))
    assert reads == [(0, 4), (len(file) - 8, 8), (len(file) - 8 - length, length)]


UTC_MICROS = {1: True, 2: {2: {}}}


@pytest.mark.parametrize(
    ("type_", "more", "text"),
    [
        *[(number, {}, name) for number, name in enumerate(["BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE"])],
        (6, {}, "BYTE_ARRAY"),
        (7, {"f2": 5}, "FIXED_LEN_BYTE_ARRAY(5)"),
        (40, {}, "type-40"),
        (6, {"f6": 0}, "BYTE_ARRAY UTF8"),
        (1, {"f6": 15}, "INT32 INT_8"),
        (1, {"f6": 5, "f7": 2, "f8": 9}, "INT32 DECIMAL(9, 2)"),
        (1, {"f6": 99}, "INT32 type-99"),
        (2, {"f10": {5: {1: 2, 2: 18}}}, "INT64 DECIMAL(18, 2)"),
        (1, {"f10": {10: {1: I8(16), 2: True}}}, "INT32 INTEGER(16, signed)"),
        (1, {"f10": {10: {1: I8(8), 2: False}}}, "INT32 INTEGER(8, unsigned)"),
        (2, {"f10": {8: UTC_MICROS}}, "INT64 TIMESTAMP(micros, UTC)"),
        (2, {"f10": {7: {1: False, 2: {3: {}}}}}, "INT64 TIME(nanos)"),
        (1, {"f10": {6: {}}, "f6": 6}, "INT32 DATE"),
        (6, {"f10": {12: {}}}, "BYTE_ARRAY JSON"),
        (6, {"f10": {77: {}}}, "BYTE_ARRAY logical-77"),
    ],
)
def test_type_of_a_column_as_text(type_: int, more: dict[str, Any], text: str) -> None:
    (column,) = _table(parquet_file(table_footer([element("c", type_, **more)], []))).columns
    assert column.type == text


def test_fields_that_are_not_known_are_passed_over() -> None:
    new: Struct = {20: True, 21: 7, 22: I64(-7), 23: 1.5, 24: "text", 25: [1, 2], 26: {1: ["a", "b"]}, 27: [I8(1)] * 20}
    assert _table(parquet_file({**FOOTER, **new})) == _table(parquet_file(FOOTER))


def test_map_and_set_are_passed_over() -> None:
    maps = b"\x0b\x50" + b"\x00" + b"\x0b\x52" + b"\x02\x85" + b"\x01a\x02\x01b\x04" + b"\x0a\x54" + b"\x21\x01\x02"
    encoded = compact(FOOTER)[:-1] + maps + b"\0"
    assert _table(parquet_file(encoded)) == _table(parquet_file(FOOTER))


def test_table_without_columns_or_rows_is_one() -> None:
    table = _table(parquet_file(table_footer([], [])))
    assert (table.columns, table.rows, table.row_groups) == ((), 0, ())


def test_paths_that_are_much_longer_than_the_footer_are_not_held() -> None:
    nodes = [*(element("n" * 4000, children=1) for _ in range(49)), element("n" * 4000, children=400)]
    file = parquet_file(table_footer([*nodes, *(element("leaf", 1) for _ in range(400))], []))
    tracemalloc.start()
    try:
        with pytest.raises(Unsupported, match="the names of its columns are too long"):
            _table(file)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "not a Parquet file"),
        (b"PAR1PAR1", "not a Parquet file"),
        (b"CSV," + parquet_file(FOOTER)[4:], "not a Parquet file"),
        (parquet_file(FOOTER)[:-1] + b"2", "no footer"),
        (parquet_file(FOOTER)[:-8] + b"\xff\xff\xff\0PAR1", "no footer"),
        (parquet_file(b"\0"), "no schema"),
        (parquet_file(b""), "ends too early"),
        (parquet_file(compact(FOOTER)[:-1]), "ends too early"),
        (parquet_file(b"\x0e\x28"), "no type 14"),
        (parquet_file(b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "another type"),
        (parquet_file(b"\x16" + b"\xff" * 11), "a number that is too long"),
        (parquet_file({**FOOTER, 2: ["id"]}), "holds something else"),
        (parquet_file({**FOOTER, 2: 7}), "a list is of another type"),
        (parquet_file({**FOOTER, 3: "many"}), "a number is of another type"),
        (parquet_file({**FOOTER, 6: 6}), "a text is of another type"),
        (parquet_file({**FOOTER, 6: "n" * 5000}), "a name of 5000 bytes"),
        (parquet_file({**FOOTER, 2: [{4: "schema", 5: 3}]}), "schema ends too early"),
        (parquet_file({**FOOTER, 2: [{4: "schema", 5: -3}]}), "schema is malformed"),
        (parquet_file({**FOOTER, 2: [{4: "s", 5: 1}] * 100}), "nested too deeply"),
        (parquet_file(b"\x9c" * 50 + b"\0" * 50), "nested too deeply"),
    ],
)
def test_what_is_no_table_is_corrupt(file: bytes, why: str) -> None:
    with pytest.raises(Corrupt, match=why):
        _table(file)


def test_encrypted_footer_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="encrypted"):
        _table(b"PARE" + parquet_file(FOOTER)[4:-4] + b"PARE")


def test_footer_longer_than_is_read_is_unsupported() -> None:
    tail = (MAX_FOOTER + 1).to_bytes(4, "little") + b"PAR1"
    size = MAX_FOOTER + 100

    def read_at(offset: int, count: int) -> bytes:
        return b"PAR1" if offset == 0 else tail[offset - size + 8 :][:count]

    with pytest.raises(Unsupported, match=f"{MAX_FOOTER + 1} bytes long"):
        read_table(read_at, size)


@pytest.mark.parametrize("items", [b"\xfc" + b"\xc1\x9a\x0c", b"\xf5" + b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"])
def test_list_of_more_items_than_are_read_is_refused(items: bytes) -> None:
    with pytest.raises((Unsupported, Corrupt)):
        _table(parquet_file(b"\x29" + items + b"\0" * 300_000))
