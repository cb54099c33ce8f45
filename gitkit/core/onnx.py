"""What an ONNX model says of itself: inputs, outputs, initialisers, operators, without reading any weights.

Format: ``onnx.proto`` of the ONNX project (field numbers and element types), IR version 3 and newer. The weights are
inside of the graph: each is a message whose data is skipped, or names a file beside the model.
"""

from collections.abc import Mapping, Sized
from typing import NamedTuple

from gitkit.core.protobuf import Field, Wire
from gitkit.core.tensors import ReadAt, elements, quoted, short_text
from gitkit.errors import Corrupt, KitError, Unsupported

_MAX_NAME = 4 << 10
_MAX_TEXT = 64 << 10
_MAX_ITEMS = 100_000
_MAX_DIMENSIONS = 64
_MAX_NESTING = 8
_EXTERNAL = 1
# fmt: off
_DTYPES = {
    1: "FLOAT", 2: "UINT8", 3: "INT8", 4: "UINT16", 5: "INT16", 6: "INT32", 7: "INT64", 8: "STRING", 9: "BOOL",
    10: "FLOAT16", 11: "DOUBLE", 12: "UINT32", 13: "UINT64", 14: "COMPLEX64", 15: "COMPLEX128", 16: "BFLOAT16",
    17: "FLOAT8E4M3FN", 18: "FLOAT8E4M3FNUZ", 19: "FLOAT8E5M2", 20: "FLOAT8E5M2FNUZ", 21: "UINT4", 22: "INT4",
    23: "FLOAT4E2M1", 24: "FLOAT8E8M0", 25: "UINT2", 26: "INT2",
}
# fmt: on


class Initialiser(NamedTuple):
    """A weight: ``external`` is the file beside the model that holds its data, or nothing."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    external: str


class Value(NamedTuple):
    """An input or output: ``type`` such as ``FLOAT[batch, 3, 224, 224]``."""

    name: str
    type: str


class Model(NamedTuple):
    """``operators`` counts the nodes of the graph by their operator; ``opsets`` are versions by domain."""

    ir_version: int
    producer: str
    graph: str
    opsets: Mapping[str, int]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    initialisers: tuple[Initialiser, ...]
    operators: Mapping[str, int]
    metadata: Mapping[str, str]


def read_model(read_at: ReadAt, size: int) -> Model:
    """What a model file of ``size`` bytes holds.

    Raises:
        Corrupt: not an ONNX file, damaged, or cut short.
        Unsupported: it has more parts than are read.
    """
    try:
        return _model(Wire(read_at, size))
    except Unsupported as error:
        raise Unsupported(f"this ONNX file is not read: {error.message}") from error
    except KitError as error:
        raise Corrupt(f"not a valid ONNX file: {error.message}") from error


def _model(wire: Wire) -> Model:
    version, graph = 0, None
    producer: dict[int, str] = {}
    opsets: dict[str, int] = {}
    metadata: dict[str, str] = {}
    for field in wire.fields(0, wire.size):
        if field.number == 1:
            version = wire.number(field)
        elif field.number in (2, 3):
            producer[field.number] = wire.text(field, _MAX_NAME)
        elif field.number == 7:
            graph = _graph(wire, field)
        elif field.number == 8:
            domain, opset = _opset(wire, field)
            opsets[domain] = opset
        elif field.number == 14:
            key, value = _entry(wire, field)
            metadata[key] = short_text(value)
        _check_count(opsets, metadata)
    if graph is None or version <= 0 or not opsets:
        raise Corrupt("it has no version or no graph")
    return Model(
        ir_version=version,
        producer=" ".join(producer[number] for number in sorted(producer)),
        graph=graph.name,
        opsets=opsets,
        inputs=tuple(graph.inputs),
        outputs=tuple(graph.outputs),
        initialisers=tuple(graph.initialisers),
        operators=graph.operators,
        metadata=metadata,
    )


class _Graph:
    def __init__(self) -> None:
        self.name = ""
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.initialisers: list[Initialiser] = []
        self.operators: dict[str, int] = {}


def _graph(wire: Wire, message: Field) -> _Graph:
    graph = _Graph()
    for field in wire.message(message):
        if field.number == 1:
            operator = _operator(wire, field)
            graph.operators[operator] = graph.operators.get(operator, 0) + 1
        elif field.number == 2:
            graph.name = wire.text(field, _MAX_NAME)
        elif field.number == 5:
            graph.initialisers.append(_initialiser(wire, field))
        elif field.number in (11, 12):
            (graph.inputs if field.number == 11 else graph.outputs).append(_value(wire, field))
        _check_count(graph.operators, graph.initialisers, graph.inputs, graph.outputs)
    return graph


def _check_count(*collections: Sized) -> None:
    if max(map(len, collections)) > _MAX_ITEMS:
        raise Unsupported("it has more parts than are read")


def _operator(wire: Wire, message: Field) -> str:
    """A node's operator, with its domain where that is not ONNX' own."""
    name = domain = ""
    for field in wire.message(message):
        if field.number == 4:
            name = wire.text(field, _MAX_NAME)
        elif field.number == 7:
            domain = wire.text(field, _MAX_NAME)
    return f"{domain}.{name}" if domain and domain != "ai.onnx" else name


def _opset(wire: Wire, message: Field) -> tuple[str, int]:
    domain, version = "", 0
    for field in wire.message(message):
        if field.number == 1:
            domain = wire.text(field, _MAX_NAME)
        elif field.number == 2:
            version = wire.number(field)
    return domain or "ai.onnx", version


def _entry(wire: Wire, message: Field) -> tuple[str, str]:
    key = value = ""
    for field in wire.message(message):
        if field.number == 1:
            key = wire.text(field, _MAX_NAME)
        elif field.number == 2:
            value = wire.text(field, _MAX_TEXT)
    return key, value


def _initialiser(wire: Wire, message: Field) -> Initialiser:
    name, dtype, external, location = "", 0, False, ""
    shape: list[int] = []
    for field in wire.message(message):
        if field.number == 1:
            shape += wire.numbers(field, _MAX_DIMENSIONS)
        elif field.number == 2:
            dtype = wire.number(field)
        elif field.number == 8:
            name = wire.text(field, _MAX_NAME)
        elif field.number == 13:
            key, value = _entry(wire, field)
            location = value if key == "location" else location
        elif field.number == 14:
            external = wire.number(field) == _EXTERNAL
    if len(shape) > _MAX_DIMENSIONS or min(shape, default=0) < 0 or elements(shape) is None:
        raise Corrupt(f"the shape of {quoted(name)} is impossible")
    return Initialiser(name, _dtype(dtype), tuple(shape), location if external else "")


def _value(wire: Wire, message: Field) -> Value:
    name = type_ = ""
    for field in wire.message(message):
        if field.number == 1:
            name = wire.text(field, _MAX_NAME)
        elif field.number == 2:
            type_ = _type(wire, field, 0)
    return Value(name, type_)


def _type(wire: Wire, message: Field, depth: int) -> str:
    """A type as text: a tensor, or something made of other types."""
    if depth > _MAX_NESTING:
        raise Corrupt("a type is nested too deeply")
    for field in wire.message(message):
        if field.number in (1, 8):
            return ("sparse " if field.number == 8 else "") + _tensor_type(wire, field)
        if field.number in (4, 9):
            inner = next((part for part in wire.message(field) if part.number == 1), None)
            return ("sequence" if field.number == 4 else "optional") + (
                f"({_type(wire, inner, depth + 1)})" if inner is not None else ""
            )
        if field.number == 5:
            return _map_type(wire, field, depth)
    return ""


def _map_type(wire: Wire, message: Field, depth: int) -> str:
    key, value = 0, ""
    for field in wire.message(message):
        if field.number == 1:
            key = wire.number(field)
        elif field.number == 2:
            value = _type(wire, field, depth + 1)
    return f"map({_dtype(key)}, {value})"


def _tensor_type(wire: Wire, message: Field) -> str:
    dtype, shape = 0, ""
    for field in wire.message(message):
        if field.number == 1:
            dtype = wire.number(field)
        elif field.number == 2:
            sizes = [_dimension(wire, part) for part in wire.message(field) if part.number == 1]
            shape = f"[{', '.join(sizes[:_MAX_DIMENSIONS])}]"
    return _dtype(dtype) + shape


def _dimension(wire: Wire, message: Field) -> str:
    for field in wire.message(message):
        if field.number == 1:
            return str(wire.number(field))
        if field.number == 2:
            return wire.text(field, _MAX_NAME)
    return "?"


def _dtype(number: int) -> str:
    return _DTYPES.get(number, f"type-{number}")
