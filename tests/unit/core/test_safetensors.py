"""Header facts of safetensors files, and what is not one."""

import json
from typing import Any

import pytest

from gitkit.core.safetensors import MAX_HEADER, read_facts
from gitkit.core.tensors import Facts, Share, Tensor, parameters_text, quoted, short_text
from gitkit.errors import Corrupt


def _entry(dtype: Any, shape: Any, *offsets: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}


def _file(header: object, data: int = 0) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(data)


def _facts(file: bytes, size: int | None = None) -> Facts:
    return read_facts(lambda offset, count: file[offset : offset + count], len(file) if size is None else size)


MODEL = {
    "__metadata__": {"format": "pt", "modelspec.architecture": "tiny", "modelspec.title": "Tiny One"},
    "head": _entry("F32", [2, 4], 48, 80),
    "embed": _entry("BF16", [6, 4], 0, 48),
    "mask": _entry("BOOL", [3], 80, 83),
    "scale": _entry("F32", [], 83, 87),
    "none": _entry("F32", [0, 7], 83, 83),
}


def test_facts_of_a_model_are_what_its_header_says() -> None:
    file = _file(MODEL, 87)
    start = len(file) - 87
    assert _facts(file) == Facts(
        format="safetensors",
        tensors=(
            Tensor("embed", "BF16", (6, 4), start, 48),
            Tensor("head", "F32", (2, 4), start + 48, 32),
            Tensor("mask", "BOOL", (3,), start + 80, 3),
            Tensor("none", "F32", (0, 7), start + 83, 0),
            Tensor("scale", "F32", (), start + 83, 4),
        ),
        metadata={"format": "pt", "modelspec.architecture": "tiny", "modelspec.title": "Tiny One"},
        architecture="tiny",
        name="Tiny One",
        quantisation="BF16",
    )


def test_facts_count_parameters_and_dtypes_by_weight() -> None:
    facts = _facts(_file(MODEL, 87))
    assert facts.parameters == 36
    assert list(facts.dtypes.items()) == [("BF16", Share(1, 24)), ("F32", Share(3, 9)), ("BOOL", Share(1, 3))]


def test_facts_take_two_reads_and_no_byte_of_a_tensor() -> None:
    file = _file(MODEL, 87)
    reads: list[tuple[int, int]] = []

    def read_at(offset: int, size: int) -> bytes:
        reads.append((offset, size))
        return file[offset : offset + size]

    read_facts(read_at, len(file))
    assert reads == [(0, 8), (8, len(file) - 87 - 8)]


@pytest.mark.parametrize(
    ("dtype", "shape", "size"),
    [
        *[(dtype, [3], 3) for dtype in ("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0")],
        *[(dtype, [3], 3) for dtype in ("F8_E4M3FNUZ", "F8_E5M2FNUZ")],
        *[(dtype, [3], 6) for dtype in ("U16", "I16", "F16", "BF16")],
        *[(dtype, [3], 12) for dtype in ("U32", "I32", "F32")],
        *[(dtype, [3], 24) for dtype in ("U64", "I64", "F64", "C64")],
        ("F4", [2, 3], 3),
        ("F6_E2M3", [4], 3),
        ("F6_E3M2", [4], 3),
    ],
)
def test_dtype_has_its_size_and_no_other(dtype: str, shape: list[int], size: int) -> None:
    (tensor,) = _facts(_file({"t": _entry(dtype, shape, 0, size)}, size)).tensors
    assert (tensor.dtype, tensor.shape, tensor.size) == (dtype, tuple(shape), size)
    for other in (size - 1, size + 1):
        with pytest.raises(Corrupt, match="which its shape and"):
            _facts(_file({"t": _entry(dtype, shape, 0, other)}, other))


def test_dtype_that_is_not_known_is_taken_at_its_word() -> None:
    facts = _facts(_file({"t": _entry("F2_NEW", [8], 0, 2)}, 2))
    assert facts.tensors[0].size == 2
    assert facts.dtypes == {"F2_NEW": Share(1, 8)}


def test_file_without_tensors_has_none() -> None:
    facts = _facts(_file({"__metadata__": {}}))
    assert (facts.tensors, facts.parameters, facts.dtypes, facts.quantisation) == ((), 0, {}, None)
    assert _facts(_file(b"{}    ")).metadata == {}


def test_metadata_is_shortened() -> None:
    assert _facts(_file({"__metadata__": {"a": "x" * 5000}})).metadata["a"] == "x" * 199 + "…"


GOOD = _entry("U8", [2], 0, 2)


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\2\0\0\0", id="no length"),
        pytest.param(b"\0" * 8, id="no header"),
        pytest.param(_file(b"[]"), id="a list"),
        pytest.param(_file(b" {}"), id="a blank first"),
        pytest.param(_file(b'{"a":'), id="not JSON"),
        pytest.param(_file(b"{}x"), id="more than JSON"),
        pytest.param(_file('{"ü":1}'.encode("latin-1")), id="not UTF-8"),
        pytest.param(_file("{}".encode("utf-16-le")), id="UTF-16"),
        pytest.param(_file(b'{"a":' + b"[" * 100_000), id="deep JSON"),
        pytest.param(_file(b'{"__metadata__":' + b'{"a":' * 100_000), id="deep objects"),
        pytest.param(_file(b'{"a":%b}' % (b"1" * 5000)), id="a long number"),
        pytest.param(_file(b'{"a":{},"a":{}}'), id="a name twice"),
        pytest.param(_file({"a": 1}), id="an entry that is no object"),
        pytest.param(_file({"a": {"dtype": "U8", "shape": [2]}}), id="no offsets"),
        pytest.param(_file({"a": {"dtype": "U8", "data_offsets": [0, 2]}}, 2), id="no shape"),
        pytest.param(_file({"a": {"shape": [2], "data_offsets": [0, 2]}}, 2), id="no dtype"),
        pytest.param(_file({"a": _entry(8, [2], 0, 2)}, 2), id="dtype not text"),
        pytest.param(_file({"a": _entry("\x1b[31m", [2], 0, 2)}, 2), id="dtype not a word"),
        pytest.param(_file({"a": _entry("U8", 2, 0, 2)}, 2), id="shape not a list"),
        pytest.param(_file({"a": _entry("U8", [2.0], 0, 2)}, 2), id="shape of floats"),
        pytest.param(_file({"a": _entry("U8", [True, 2], 0, 2)}, 2), id="shape of booleans"),
        pytest.param(_file({"a": _entry("U8", [-1, -2], 0, 2)}, 2), id="negative shape"),
        pytest.param(_file({"a": _entry("U8", [1 << 40, 1 << 40], 0, 2)}, 2), id="too many elements"),
        pytest.param(_file({"a": _entry("U8", [1 << 60] * 100_000, 0, 2)}, 2), id="a very large shape"),
        pytest.param(_file({"a": _entry("U8", [2], 0, 2, 2)}, 2), id="three offsets"),
        pytest.param(_file({"a": _entry("U8", [2], 2, 0)}, 2), id="offsets swapped"),
        pytest.param(_file({"a": _entry("X", [2], 0, 1 << 70)}, 2), id="too many bytes"),
        pytest.param(_file({"a": GOOD, "b": GOOD}, 2), id="two tensors in one place"),
        pytest.param(_file({"a": _entry("U8", [2], 0, 2), "b": _entry("U8", [2], 1, 3)}, 3), id="overlap"),
        pytest.param(_file({"a": _entry("U8", [2], 0, 2), "b": _entry("U8", [2], 3, 5)}, 5), id="hole"),
        pytest.param(_file({"a": _entry("U8", [2], 1, 3)}, 3), id="hole at the start"),
        pytest.param(_file({"a": GOOD}, 1), id="data cut short"),
        pytest.param(_file({"a": GOOD}, 3), id="more than the data"),
        pytest.param(_file({"__metadata__": []}), id="metadata not an object"),
        pytest.param(_file({"__metadata__": {"a": 1}}), id="metadata not text"),
        pytest.param(_file(b'{"__metadata__":{"a":"\\ud800"}}'), id="metadata not Unicode"),
        pytest.param(_file(b'{"\\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), id="name not Unicode"),
    ],
)
def test_facts_of_what_is_no_safetensors_file_are_corrupt(file: bytes) -> None:
    with pytest.raises(Corrupt, match="not a valid safetensors file: "):
        _facts(file)


def test_header_beyond_the_limit_is_not_read() -> None:
    length = (MAX_HEADER + 1).to_bytes(8, "little")
    with pytest.raises(Corrupt, match="would be 100000001 bytes"):
        _facts(length, size=1 << 40)


def test_header_beyond_the_file_is_not_read() -> None:
    with pytest.raises(Corrupt, match="would be 1000 bytes"):
        _facts((1000).to_bytes(8, "little") + b"{}")


def test_message_names_no_control_character() -> None:
    with pytest.raises(Corrupt) as caught:
        _facts(_file({"\x1b[2J": _entry("U8", [2], 0, 3)}, 3))
    assert "\x1b" not in caught.value.message
    assert quoted("a" * 500 + "\n").endswith("a…'")


# -- shared values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1 K"),
        (1234, "1.23 K"),
        (268_098_176, "268.10 M"),
        (8_030_261_248, "8.03 B"),
        (70_000_000_000, "70 B"),
        (1_026_000_000_000, "1.03 T"),
    ],
)
def test_parameters_text_is_docker_model_runners(count: int, text: str) -> None:
    assert parameters_text(count) == text


def test_short_text_of_a_short_text_is_itself() -> None:
    assert short_text("é" * 200) == "é" * 200
    assert len(short_text("é" * 201)) == 200
