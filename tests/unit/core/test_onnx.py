"""What an ONNX file says of itself: files that are put together by hand, and what is not one."""

import pytest

from gitkit.core.onnx import Initialiser, Model, Value, read_model
from gitkit.errors import Corrupt, Unsupported
from tests.lib.header_samples import field, graph_proto, node, onnx_file, tensor_proto, value_info

GRAPH = graph_proto(
    nodes=[node("MatMul"), node("Add"), node("Add"), node("Foo", "my.domain"), node("Relu", "ai.onnx")],
    initialisers=[
        tensor_proto("w", 1, [3, 500_000], data=bytes(6_000_000)),
        tensor_proto("scale", 10, [], data=b"\0\0"),
        tensor_proto("far", 16, [7, 2], external="weights.data", packed=True),
    ],
    inputs=[value_info("x", 1, ["batch", 3, None])],
    outputs=[value_info("y", 7, [1, 2])],
)


def _model(file: bytes, size: int | None = None) -> Model:
    return read_model(lambda offset, count: file[offset : offset + count], len(file) if size is None else size)


def test_model_is_what_its_file_says() -> None:
    file = onnx_file(GRAPH, opsets={"": 17, "my.domain": 2}, metadata={"licence": "MIT", "note": "x" * 500})
    assert _model(file) == Model(
        ir_version=8,
        producer="by hand 1.0",
        graph="tiny",
        opsets={"ai.onnx": 17, "my.domain": 2},
        inputs=(Value("x", "FLOAT[batch, 3, ?]"),),
        outputs=(Value("y", "INT64[1, 2]"),),
        initialisers=(
            Initialiser("w", "FLOAT", (3, 500_000), ""),
            Initialiser("scale", "FLOAT16", (), ""),
            Initialiser("far", "BFLOAT16", (7, 2), "weights.data"),
        ),
        operators={"MatMul": 1, "Add": 2, "my.domain.Foo": 1, "Relu": 1},
        metadata={"licence": "MIT", "note": "x" * 199 + "…"},
    )


def test_model_is_read_without_its_weights() -> None:
    file = onnx_file(GRAPH)
    reads: list[int] = []

    def read_at(offset: int, size: int) -> bytes:
        reads.append(size)
        return file[offset : offset + size]

    read_model(read_at, len(file))
    assert sum(reads) < 200_000


def _of_type(type_: bytes) -> str:
    graph = graph_proto(inputs=[field(1, "x") + field(2, type_)])
    return _model(onnx_file(graph)).inputs[0].type


TENSOR = field(1, field(1, 6) + field(2, field(1, field(1, 4))))


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (TENSOR, "INT32[4]"),
        (field(1, field(1, 6)), "INT32"),
        (field(1, field(1, 6) + field(2, b"")), "INT32[]"),
        (field(1, field(1, 99)), "type-99"),
        (field(4, field(1, TENSOR)), "sequence(INT32[4])"),
        (field(9, field(1, field(4, field(1, TENSOR)))), "optional(sequence(INT32[4]))"),
        (field(5, field(1, 8) + field(2, TENSOR)), "map(STRING, INT32[4])"),
        (field(8, field(1, 11)), "sparse DOUBLE"),
        (field(6, "a denotation"), ""),
        (b"", ""),
    ],
)
def test_type_as_text(type_: bytes, text: str) -> None:
    assert _of_type(type_) == text


def test_negative_dimension_of_an_input_is_shown() -> None:
    graph = graph_proto(inputs=[value_info("x", 1, [-1, 3])])
    assert _model(onnx_file(graph)).inputs[0].type == "FLOAT[-1, 3]"


def test_fields_that_are_not_known_are_passed_over() -> None:
    extra = field(99, "new") + field(98, 7) + bytes([97 << 3 & 127 | 1 | 128, 97 >> 4]) + bytes(8)
    assert _model(extra + onnx_file(GRAPH)) == _model(onnx_file(GRAPH))


def _nested(depth: int) -> bytes:
    type_ = TENSOR
    for _ in range(depth):
        type_ = field(4, field(1, type_))
    return type_


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "no version"),
        (b"no model at all", "no version|no field|beyond"),
        (field(1, 8), "no version or no graph"),
        (onnx_file(GRAPH, opsets={}), "no version or no graph"),
        (field(1, 0) + field(7, GRAPH) + field(8, field(2, 17)), "no version or no graph"),
        (onnx_file(GRAPH) + b"\x03", "no field"),
        (onnx_file(GRAPH) + b"\x00", "no field"),
        (onnx_file(GRAPH) + b"\xff" * 11, "no number"),
        (onnx_file(GRAPH) + b"\x0a\x05ab", "beyond its end"),
        (onnx_file(field(5, b"\x0a\x7f")), "beyond its end"),
        (onnx_file(GRAPH) + field(7, 7), "another type"),
        (onnx_file(GRAPH) + field(1, "eight"), "another type"),
        (onnx_file(GRAPH) + field(2, "n" * 5000), "a name of 5000 bytes"),
        (onnx_file(graph_proto(initialisers=[tensor_proto("w", 1, [-1])])), "the shape of 'w' is impossible"),
        (onnx_file(graph_proto(initialisers=[tensor_proto("w", 1, [1 << 40, 1 << 40])])), "impossible"),
        (onnx_file(graph_proto(initialisers=[tensor_proto("w", 1, [1] * 65)])), "impossible"),
        (onnx_file(graph_proto(initialisers=[tensor_proto("w", 1, [1] * 65, packed=True)])), "more than 64 numbers"),
        (onnx_file(graph_proto(inputs=[field(1, "x") + field(2, _nested(20))])), "nested too deeply"),
    ],
)
def test_what_is_no_model_is_corrupt(file: bytes, why: str) -> None:
    with pytest.raises(Corrupt, match=f"^not a valid ONNX file: .*({why})"):
        _model(file)


def test_more_parts_than_are_read_is_unsupported() -> None:
    graph = field(11, b"") * 100_001
    with pytest.raises(Unsupported, match="more parts than are read"):
        _model(onnx_file(graph))
