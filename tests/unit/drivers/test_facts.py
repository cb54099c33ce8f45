"""Lines about each kind of file, whatever it is."""

import io
import json
import zipfile

import pytest

from gitkit.core.kinds import Kind
from gitkit.drivers.facts import MAX_FACTS, Fact, Facts, read_facts
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
from tests.unit.core.test_gguf import entry, gguf_file, info


def _facts(kind: Kind, file: bytes) -> Facts:
    return read_facts(kind, lambda offset, count: file[offset : offset + count], len(file))


def _lines(found: Facts) -> list[str]:
    assert found.problem is None
    return [" ".join(filter(None, fact)) for fact in found.facts]


def safetensors_file(tensors: dict[str, tuple[str, list[int], int]], metadata: dict[str, str] | None = None) -> bytes:
    """``tensors``: name to dtype, shape and size in bytes."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(at)


def zip_file(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def test_facts_of_safetensors_are_sorted_by_name() -> None:
    file = safetensors_file({"b": ("F32", [2, 3], 24), "a": ("BF16", [4], 8)}, {"format": "pt"})
    found = _facts("safetensors", file)
    assert found.kind == "safetensors"
    assert _lines(found) == ["parameters 10", "metadata format pt", "tensor a BF16 [4]", "tensor b F32 [2, 3]"]


def test_facts_of_gguf() -> None:
    file = gguf_file([entry("general.name", "string", "Tiny")], [info("t", [2, 32], 2, 0)], 36)
    assert _lines(_facts("gguf", file)) == ["parameters 64", "metadata general.name Tiny", "tensor t Q4_0 [2, 32]"]


def test_facts_of_onnx() -> None:
    graph = graph_proto(
        nodes=[node("Relu"), node("Add"), node("Relu")],
        initialisers=[tensor_proto("w", 1, [2], data=bytes(8)), tensor_proto("e", 10, [3], external="w.data")],
        inputs=[value_info("x", 1, ["batch", 2])],
        outputs=[value_info("y", 1, [2])],
    )
    assert _lines(_facts("onnx", onnx_file(graph, metadata={"k": "v"}))) == [
        "ir 8",
        "producer by hand 1.0",
        "graph tiny",
        "opset ai.onnx 17",
        "metadata k v",
        "input x FLOAT[batch, 2]",
        "output y FLOAT[2]",
        "operator Add 1",
        "operator Relu 2",
        "initialiser e FLOAT16 [3] in w.data",
        "initialiser w FLOAT [2]",
    ]


def test_facts_of_npy() -> None:
    file = npy_file(npy_header("'<f4'", (2, 3), fortran=True), bytes(24))
    assert _lines(_facts("npy", file)) == ["dtype <f4", "shape [2, 3]", "order Fortran"]


def test_facts_of_npz_are_those_of_its_arrays() -> None:
    array = npy_file(npy_header("'<f4'", (2, 3)), bytes(24))
    found = _facts("npz", zip_file({"w.npy": array, "notes.txt": b"hello", "far.npy": npy_file(" " * 9000, version=2)}))
    assert [(fact.label, fact.name) for fact in found.facts] == [
        ("member", "far.npy"),
        ("member", "notes.txt"),
        ("array", "w"),
    ]
    assert found.facts[1].value == "5 bytes, crc 3610a686"
    assert found.facts[2].value.startswith(f"<f4 [2, 3] C order, {len(array)} bytes, crc ")


def test_facts_of_zip_and_of_what_torch_saves() -> None:
    assert _lines(_facts("zip", zip_file({"b": b"hello", "a": b""}))) == [
        "member a 0 bytes, crc 00000000",
        "member b 5 bytes, crc 3610a686",
    ]
    assert _facts("zip", zip_file({"model/data.pkl": b"never loaded", "model/data/0": b""})).kind == "pytorch"


def test_facts_of_parquet() -> None:
    schema = [element("id", 2, repetition=0), element("name", 6, f6=0)]
    footer = table_footer(schema, [row_group(3, 30, [1]), row_group(1, 10, [1])], {"k": "v"})
    assert _lines(_facts("parquet", parquet_file(footer))) == [
        "rows 4",
        "created-by by hand",
        "codec SNAPPY",
        "metadata k v",
        "column id INT64 required",
        "column name BYTE_ARRAY UTF8 optional",
        "row-group 0 3 rows, 30 bytes",
        "row-group 1 1 rows, 10 bytes",
    ]


@pytest.mark.parametrize("kind", ["safetensors", "gguf", "onnx", "npy", "npz", "parquet", "zip"])
def test_damaged_file_has_a_problem_and_no_facts(kind: Kind) -> None:
    found = _facts(kind, b"\xff" * 100)
    assert (found.kind, found.facts, found.more) == (kind, [], 0)
    assert found.problem


def test_more_facts_than_are_listed_are_counted() -> None:
    count = MAX_FACTS + 25
    found = _facts("safetensors", safetensors_file({f"t{number:06}": ("U8", [0], 0) for number in range(count)}))
    assert (len(found.facts), found.more) == (MAX_FACTS, 26)
    assert found.facts[0] == Fact("parameters", "", "0")


def test_header_longer_than_is_read_is_a_problem() -> None:
    length = 20 << 20
    start = length.to_bytes(8, "little")
    found = read_facts("safetensors", lambda offset, count: start[offset : offset + count], length + 8)
    assert found.problem == f"it is {length} bytes long"


def test_gguf_header_longer_than_is_read_keeps_what_came_before() -> None:
    tokens = entry("tokens", "string", [])
    start = gguf_file([entry("general.name", "string", "Tiny"), tokens], [])[:-8] + (10_000_000).to_bytes(8, "little")
    found = read_facts("gguf", lambda offset, count: start[offset : offset + count].ljust(count, b"\0"), 100 << 20)
    assert Fact("metadata", "general.name", "Tiny") in found.facts
    assert found.problem == "it is too long, so tensors are not shown"
