"""What a Parquet file says of itself: columns with their types, rows, row groups, from its footer alone.

Format: ``parquet.thrift`` and "File Format" of Apache Parquet. The footer is a structure in Thrift's compact protocol
at the end of the file, followed by its length and ``PAR1``.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gitkit.core.tensors import ReadAt, short_text
from gitkit.core.thrift import FALSE, I32, STRUCT, TRUE, Compact
from gitkit.errors import Corrupt, KitError, Unsupported

MAX_FOOTER = 16 << 20
"""The longest footer that is read, in bytes."""

_MARK = b"PAR1"
_ENCRYPTED = b"PARE"
_MAX_NAME = 4 << 10
_MAX_TEXT = MAX_FOOTER
_MAX_PATHS = 16 << 20  # characters of all columns: each repeats the names of all nodes above it
_MAX_DEPTH = 64
_MAX_ITEMS = 100_000
_TYPES = ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
_REPETITIONS = ("required", "optional", "repeated")
# fmt: off
_CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW")
_CONVERTED = (
    "UTF8", "MAP", "MAP_KEY_VALUE", "LIST", "ENUM", "DECIMAL", "DATE", "TIME_MILLIS", "TIME_MICROS",
    "TIMESTAMP_MILLIS", "TIMESTAMP_MICROS", "UINT_8", "UINT_16", "UINT_32", "UINT_64", "INT_8", "INT_16", "INT_32",
    "INT_64", "JSON", "BSON", "INTERVAL",
)
_LOGICAL = {
    1: "STRING", 2: "MAP", 3: "LIST", 4: "ENUM", 5: "DECIMAL", 6: "DATE", 7: "TIME", 8: "TIMESTAMP", 10: "INTEGER",
    11: "UNKNOWN", 12: "JSON", 13: "BSON", 14: "UUID", 15: "FLOAT16", 16: "VARIANT", 17: "GEOMETRY", 18: "GEOGRAPHY",
}
# fmt: on
_UNITS = {1: "millis", 2: "micros", 3: "nanos"}


class Column(NamedTuple):
    """One column: ``path`` dotted from the root, ``type`` such as ``BYTE_ARRAY STRING``."""

    path: str
    type: str
    repetition: str


class RowGroup(NamedTuple):
    """``size`` is that of its column data before compression, in bytes."""

    rows: int
    size: int


class Table(NamedTuple):
    """What the footer says. ``codecs`` are those of all column chunks, each once."""

    version: int
    rows: int
    columns: tuple[Column, ...]
    row_groups: tuple[RowGroup, ...]
    codecs: tuple[str, ...]
    created_by: str
    metadata: Mapping[str, str]


def read_table(read_at: ReadAt, size: int) -> Table:
    """What the footer of a file of ``size`` bytes says. Two reads.

    Raises:
        Corrupt: not a Parquet file, damaged, or cut short.
        Unsupported: its footer is encrypted, or longer than is read.
    """
    if size < 12 or read_at(0, 4) not in (_MARK, _ENCRYPTED):
        raise Corrupt("not a Parquet file")
    tail = read_at(size - 8, 8)
    if tail[4:] == _ENCRYPTED:
        raise Unsupported("the footer of this Parquet file is encrypted")
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MARK or length > size - 12:
        raise Corrupt("not a valid Parquet file: it has no footer")
    if length > MAX_FOOTER:
        raise Unsupported(f"the footer of this Parquet file is {length} bytes long")
    footer = read_at(size - 8 - length, length)
    try:
        return _table(Compact(footer))
    except Unsupported as error:
        raise Unsupported(f"this Parquet file is not read: {error.message}") from error
    except KitError as error:
        raise Corrupt(f"not a valid Parquet file: {error.message}") from error


class _Element(NamedTuple):
    name: str
    type: str
    repetition: str
    children: int


def _table(data: Compact) -> Table:
    version, rows, created_by = 0, -1, ""
    schema: list[_Element] = []
    groups: list[RowGroup] = []
    codecs: dict[str, None] = {}
    metadata: dict[str, str] = {}
    for number, kind in data.fields():
        if number == 1:
            version = data.integer(kind)
        elif number == 2:
            schema = [_element(data) for _ in data.items(kind, STRUCT, _MAX_ITEMS)]
        elif number == 3:
            rows = data.integer(kind)
        elif number == 4:
            groups = [_row_group(data, codecs) for _ in data.items(kind, STRUCT, _MAX_ITEMS)]
        elif number == 5:
            metadata = dict(_entry(data) for _ in data.items(kind, STRUCT, _MAX_ITEMS))
        elif number == 6:
            created_by = short_text(data.text(kind, _MAX_NAME))
        else:
            data.skip(kind)
    if not schema or rows < 0:
        raise Corrupt("it has no schema")
    columns, length = [], 0
    for column in _columns(iter(schema[1:]), schema[0].children, (), 0):
        length += len(column.path)
        if length > _MAX_PATHS:
            raise Unsupported("the names of its columns are too long")
        columns.append(column)
    return Table(version, rows, tuple(columns), tuple(groups), tuple(codecs), created_by, metadata)


def _columns(elements: Iterator[_Element], count: int, path: tuple[str, ...], depth: int) -> Iterator[Column]:
    """The leaves below a node of ``count`` children: the schema is a tree, written depth first."""
    if depth > _MAX_DEPTH:
        raise Corrupt("its schema is nested too deeply")
    for _ in range(count):
        element = next(elements, None)
        if element is None:
            raise Corrupt("its schema ends too early")
        here = (*path, element.name)
        if element.children:
            yield from _columns(elements, element.children, here, depth + 1)
        else:
            yield Column(".".join(here), element.type, element.repetition)


def _element(data: Compact) -> _Element:
    numbers: dict[int, int] = {}
    name = logical = ""
    for number, kind in data.fields():
        if number in (1, 2, 3, 5, 6, 7, 8):
            numbers[number] = data.integer(kind)
        elif number == 4:
            name = data.text(kind, _MAX_NAME)
        elif number == 10 and kind == STRUCT:
            logical = _logical(data)
        else:
            data.skip(kind)
    children = numbers.get(5, 0)
    if children < 0:
        raise Corrupt("its schema is malformed")
    return _Element(name, _type(numbers, logical), _named(_REPETITIONS, numbers.get(3, 0)), children)


def _type(numbers: Mapping[int, int], logical: str) -> str:
    if 1 not in numbers:
        return ""
    physical = _named(_TYPES, numbers[1]) + (f"({numbers[2]})" if numbers.get(2) else "")
    if not logical and 6 in numbers:
        logical = _named(_CONVERTED, numbers[6])
        if logical == "DECIMAL":
            logical += f"({numbers.get(8, 0)}, {numbers.get(7, 0)})"
    return f"{physical} {logical}".rstrip()


def _logical(data: Compact) -> str:
    """The one member of the union, with what it says."""
    found = ""
    for number, kind in data.fields():
        if number in (5, 10) and kind == STRUCT:
            found = _LOGICAL[number] + (_decimal(data) if number == 5 else _integer(data))
        elif number in (7, 8) and kind == STRUCT:
            found = _LOGICAL[number] + _time(data)
        else:
            data.skip(kind)
            found = _LOGICAL.get(number, f"logical-{number}")
    return found


def _decimal(data: Compact) -> str:
    scale = precision = 0
    for number, kind in data.fields():
        if number == 1:
            scale = data.integer(kind)
        elif number == 2:
            precision = data.integer(kind)
        else:
            data.skip(kind)
    return f"({precision}, {scale})"


def _integer(data: Compact) -> str:
    bits, signed = 0, False
    for number, kind in data.fields():
        if number == 1:
            bits = data.integer(kind)
        elif number == 2 and kind in (TRUE, FALSE):
            signed = kind == TRUE
        else:
            data.skip(kind)
    return f"({bits}, {'signed' if signed else 'unsigned'})"


def _time(data: Compact) -> str:
    utc, unit = False, "?"
    for number, kind in data.fields():
        if number == 1 and kind in (TRUE, FALSE):
            utc = kind == TRUE
        elif number == 2 and kind == STRUCT:
            for member, inner in data.fields():
                unit = _UNITS.get(member, f"unit-{member}")
                data.skip(inner)
        else:
            data.skip(kind)
    return f"({unit}{', UTC' if utc else ''})"


def _row_group(data: Compact, codecs: dict[str, None]) -> RowGroup:
    rows = size = 0
    for number, kind in data.fields():
        if number == 1:
            for _ in data.items(kind, STRUCT, _MAX_ITEMS):
                _column_chunk(data, codecs)
        elif number == 2:
            size = data.integer(kind)
        elif number == 3:
            rows = data.integer(kind)
        else:
            data.skip(kind)
    return RowGroup(rows, size)


def _column_chunk(data: Compact, codecs: dict[str, None]) -> None:
    for number, kind in data.fields():
        if number == 3 and kind == STRUCT:
            for inner, inner_kind in data.fields():
                if inner == 4 and inner_kind == I32:
                    codecs[_named(_CODECS, data.integer(inner_kind))] = None
                else:
                    data.skip(inner_kind)
        else:
            data.skip(kind)


def _entry(data: Compact) -> tuple[str, str]:
    key = value = ""
    for number, kind in data.fields():
        if number == 1:
            key = data.text(kind, _MAX_NAME)
        elif number == 2:
            value = data.text(kind, _MAX_TEXT)
        else:
            data.skip(kind)
    return key, short_text(value)


def _named(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else f"type-{number}"
