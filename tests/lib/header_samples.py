"""Small files of formats that the package only reads, put together byte by byte: ONNX, Parquet, NumPy.

Written from the formats' specifications, with nothing of the readers in it.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

# -- Protocol Buffers, and ONNX in it ------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    """An unsigned number in groups of seven bits, the lowest first."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | str | bytes) -> bytes:
    """One field of a message: a number, a text, or bytes (which a message inside of it is, too)."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor_proto(
    name: str, dtype: int, shape: Sequence[int], *, data: bytes = b"", external: str = "", packed: bool = False
) -> bytes:
    """An initialiser, with its data inside or in the file ``external``."""
    dims = b"".join(map(varint, shape))
    out = field(1, dims) if packed else b"".join(field(1, size) for size in shape)
    out += field(2, dtype) + field(8, name)
    if external:
        return out + field(13, field(1, "location") + field(2, external)) + field(14, 1)
    return out + field(9, data)


def value_info(name: str, dtype: int, shape: Sequence[int | str | None]) -> bytes:
    """An input or output; a dimension may have a name, or nothing."""
    sizes = (b"" if size is None else field(1 if isinstance(size, int) else 2, size) for size in shape)
    dimensions = b"".join(field(1, size) for size in sizes)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, dimensions)))


def node(operator: str, domain: str = "") -> bytes:
    return field(1, "x") + field(2, "y") + field(4, operator) + (field(7, domain) if domain else b"")


def graph_proto(
    *,
    nodes: Sequence[bytes] = (),
    initialisers: Sequence[bytes] = (),
    inputs: Sequence[bytes] = (),
    outputs: Sequence[bytes] = (),
) -> bytes:
    parts = [(1, nodes), (2, ["tiny"]), (5, initialisers), (11, inputs), (12, outputs)]
    return b"".join(field(number, item) for number, items in parts for item in items)


def onnx_file(
    graph: bytes, *, opsets: Mapping[str, int] | None = None, metadata: Mapping[str, str] | None = None
) -> bytes:
    """A whole model, its fields in the order of their numbers, as every serialiser writes them."""
    out = field(1, 8) + field(2, "by hand") + field(3, "1.0") + field(7, graph)
    for domain, version in ({"": 17} if opsets is None else opsets).items():
        out += field(8, (field(1, domain) if domain else b"") + field(2, version))
    for key, value in (metadata or {}).items():
        out += field(14, field(1, key) + field(2, value))
    return out


# -- Thrift's compact protocol, and Parquet in it ------------------------------------------------------------------

Struct = dict[int, Any]
"""Field number to value: bool, int (i32), ``I64``, str, a list of one kind, or another Struct."""


class I64(int):
    """A number that is written as i64."""


class I8(int):
    """A number that is written as a byte."""


def zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _kind(value: Any) -> int:
    if isinstance(value, bool):
        return 1 if value else 2
    kinds: list[tuple[type, int]] = [(I64, 6), (I8, 3), (int, 5), (float, 7), (str, 8), (list, 9), (dict, 12)]
    return next(number for type_, number in kinds if isinstance(value, type_))


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return b""
    if isinstance(value, I8):
        return struct.pack("b", value)
    if isinstance(value, int):
        return zigzag(value)
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, str):
        return varint(len(value.encode())) + value.encode()
    if isinstance(value, dict):
        return compact(value)
    kind = _kind(value[0]) if value else 12
    head = bytes([len(value) << 4 | kind]) if len(value) < 15 else bytes([0xF0 | kind]) + varint(len(value))
    return head + b"".join(map(_value, value))


def compact(fields: Struct) -> bytes:
    """A structure, its fields in the order given."""
    out, last = b"", 0
    for number, value in fields.items():
        delta = number - last
        out += bytes([delta << 4 | _kind(value)]) if 0 < delta < 16 else bytes([_kind(value)]) + zigzag(number)
        out += _value(value)
        last = number
    return out + b"\0"


def element(name: str, type_: int | None = None, *, repetition: int = 1, children: int = 0, **more: Any) -> Struct:
    """A node of the schema; ``more`` are further fields by name, as ``f6=0``."""
    found: Struct = {} if type_ is None else {1: type_}
    found |= {3: repetition, 4: name} | ({5: children} if children else {})
    return dict(sorted((found | {int(key[1:]): value for key, value in more.items()}).items()))


def row_group(rows: int, size: int, codecs: Sequence[int]) -> Struct:
    chunks: list[Struct] = [
        {2: I64(4), 3: {1: 1, 2: [0, 3], 3: ["id"], 4: codec, 5: I64(rows), 6: I64(size), 7: I64(size), 9: I64(4)}}
        for codec in codecs
    ]
    return {1: chunks, 2: I64(size), 3: I64(rows)}


def parquet_file(footer: Struct | bytes, data: bytes = b"") -> bytes:
    """A whole file around its footer."""
    encoded = footer if isinstance(footer, bytes) else compact(footer)
    return b"PAR1" + data + encoded + len(encoded).to_bytes(4, "little") + b"PAR1"


def table_footer(
    schema: Sequence[Struct], groups: Sequence[Struct], metadata: Mapping[str, str] | None = None
) -> Struct:
    """A footer; the root of the schema is put before it."""
    root: Struct = {4: "schema", 5: len(_roots(schema))}
    rows = sum(group[3] for group in groups)
    footer: Struct = {1: 2, 2: [root, *schema], 3: I64(rows), 4: list(groups)}
    if metadata:
        footer[5] = [{1: key, 2: value} for key, value in metadata.items()]
    footer[6] = "by hand"
    return footer


def _roots(schema: Sequence[Struct]) -> list[Struct]:
    """The elements that are no child of another one."""
    found, at = [], 0
    while at < len(schema):
        found.append(schema[at])
        left = 1
        while left:
            left += schema[at].get(5, 0) - 1
            at += 1
    return found


# -- NumPy ---------------------------------------------------------------------------------------------------------


def npy_file(header: str, data: bytes = b"", *, version: int = 1) -> bytes:
    """An array file with this header, padded as NumPy does."""
    width = 2 if version == 1 else 4
    text = header.encode("latin-1" if version < 3 else "utf-8")
    text += b" " * (-(8 + width + len(text) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(width, "little") + text + data


def npy_header(descr: str, shape: Sequence[int], *, fortran: bool = False) -> str:
    """The header of a plain array: ``descr`` is written as it is, with its quotes."""
    sizes = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': ({sizes}), }}"
