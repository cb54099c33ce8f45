"""Header facts of GGUF files that are put together here byte by byte, and what is not one."""

import struct
from collections.abc import Iterable
from typing import Any

import pytest

from gitkit.core.gguf import MAX_HEADER, read_facts
from gitkit.core.tensors import Facts, Share, Tensor
from gitkit.errors import Corrupt, Unsupported

KINDS = {
    **{"u8": (0, "<B"), "i8": (1, "<b"), "u16": (2, "<H"), "i16": (3, "<h"), "u32": (4, "<I"), "i32": (5, "<i")},
    **{"f32": (6, "<f"), "bool": (7, "<?"), "string": (8, ""), "u64": (10, "<Q"), "i64": (11, "<q"), "f64": (12, "<d")},
}


def _text(text: str | bytes) -> bytes:
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def _item(kind: str, value: Any) -> bytes:
    return _text(value) if kind == "string" else struct.pack(KINDS[kind][1], value)


def entry(key: str, kind: str, value: Any) -> bytes:
    """A metadata entry; a list is an array."""
    number = struct.pack("<I", KINDS[kind][0])
    if not isinstance(value, list):
        return _text(key) + number + _item(kind, value)
    items = b"".join(_item(kind, item) for item in value)
    return _text(key) + struct.pack("<I", 9) + number + struct.pack("<Q", len(value)) + items


def info(name: str, shape: Iterable[int], kind: int, offset: int) -> bytes:
    """A tensor's description. ``shape`` has the outermost dimension first."""
    dimensions = list(shape)[::-1]
    return _text(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, offset)


def gguf_file(
    entries: list[bytes], infos: list[bytes], data: int = 0, *, version: int = 3, alignment: int = 32
) -> bytes:
    """A file with ``data`` bytes of tensor data."""
    out = b"GGUF" + struct.pack("<IQQ", version, len(infos), len(entries)) + b"".join(entries) + b"".join(infos)
    return out + (bytes(-len(out) % alignment) + bytes(data) if infos else b"")


def _facts(file: bytes, **options: Any) -> Facts:
    return read_facts(lambda offset, size: file[offset : offset + size], len(file), **options)


GENERAL = [
    entry("general.architecture", "string", "llama"),
    entry("general.name", "string", "Tiny Llama"),
    entry("llama.context_length", "u32", 8192),
    entry("llama.attention.layer_norm_rms_epsilon", "f32", 1e-6),
    entry("tokenizer.ggml.tokens", "string", ["<s>", "", "é", "d", "e"]),
    entry("tokenizer.ggml.scores", "f32", [0.0, -1.5, 2.0, 3.0, 4.0]),
    entry("tokenizer.ggml.add_bos_token", "bool", True),
    entry("tokenizer.chat_template", "string", "{{ x }}" * 1000),
]
TENSORS = [
    info("token_embd.weight", [5, 256], 12, 0),
    info("blk.0.attn_norm.weight", [256], 0, 736),
    info("output.weight", [4, 256], 14, 1760),
]
MODEL = gguf_file([*GENERAL, entry("general.file_type", "u32", 15)], TENSORS, 2624)


def test_facts_of_a_model_are_what_its_header_says() -> None:
    facts = _facts(MODEL)
    start = len(MODEL) - 2624
    assert facts == Facts(
        format="gguf",
        tensors=(
            Tensor("token_embd.weight", "Q4_K", (5, 256), start, 720),
            Tensor("blk.0.attn_norm.weight", "F32", (256,), start + 736, 1024),
            Tensor("output.weight", "Q6_K", (4, 256), start + 1760, 840),
        ),
        metadata=facts.metadata,
        architecture="llama",
        name="Tiny Llama",
        quantisation="Q4_K_M",
        context_length=8192,
        vocabulary=5,
        chat_template=True,
    )
    assert facts.metadata == {
        "general.architecture": "llama",
        "general.name": "Tiny Llama",
        "llama.context_length": "8192",
        "llama.attention.layer_norm_rms_epsilon": "1e-06",
        "tokenizer.ggml.tokens": "string[5]: <s>, , é, …",
        "tokenizer.ggml.scores": "f32[5]: 0, -1.5, 2, …",
        "tokenizer.ggml.add_bos_token": "true",
        "tokenizer.chat_template": ("{{ x }}" * 1000)[:199] + "…",
        "general.file_type": "15",
    }


def test_facts_count_parameters_and_dtypes_by_weight() -> None:
    facts = _facts(MODEL)
    assert facts.parameters == 10 * 256
    assert list(facts.dtypes.items()) == [("Q4_K", Share(1, 1280)), ("Q6_K", Share(1, 1024)), ("F32", Share(1, 256))]


@pytest.mark.parametrize("kind", KINDS)
def test_value_of_each_kind_is_read_alone_and_in_an_array(kind: str) -> None:
    value = {"string": "text", "bool": False, "i8": -3, "f64": 1e-300}.get(kind, 7)
    shown = {"bool": "false"}.get(kind, str(value))
    metadata = _facts(
        gguf_file([entry("a", kind, value), entry("b", kind, [value] * 5), entry("c", kind, [])], [])
    ).metadata
    assert metadata == {"a": shown, "b": f"{kind}[5]: {shown}, {shown}, {shown}, …", "c": f"{kind}[0]"}


@pytest.mark.parametrize(
    ("file_type", "quantisation"),
    [(0, "F32"), (1, "F16"), (7, "Q8_0"), (15, "Q4_K_M"), (30, "IQ4_XS"), (32, "BF16"), (15 + 1024, "Q4_K_M")],
)
def test_quantisation_is_the_file_type(file_type: int, quantisation: str) -> None:
    assert _facts(gguf_file([entry("general.file_type", "u32", file_type)], [])).quantisation == quantisation


@pytest.mark.parametrize("entries", [[], [entry("general.file_type", "u32", 999)]])
def test_quantisation_without_a_known_file_type_is_the_main_dtype(entries: list[bytes]) -> None:
    assert _facts(gguf_file(entries, TENSORS, 2624)).quantisation == "Q4_K"


def test_vocabulary_without_tokens_is_the_architectures() -> None:
    entries = [entry("general.architecture", "string", "bert"), entry("bert.vocab_size", "u32", 30522)]
    assert _facts(gguf_file(entries, [])).vocabulary == 30522


def test_facts_of_an_empty_header_say_nothing() -> None:
    assert _facts(gguf_file([], [])) == Facts(format="gguf", tensors=(), metadata={})
    assert _facts(gguf_file([], [], version=2)).parameters == 0


def test_alignment_of_the_header_places_the_data() -> None:
    file = gguf_file([entry("general.alignment", "u32", 4096)], [info("a", [2], 0, 0)], 8, alignment=4096)
    assert _facts(file).tensors == (Tensor("a", "F32", (2,), 4096, 8),)


def test_tensors_are_in_the_order_of_their_data() -> None:
    file = gguf_file([], [info("b", [8], 0, 32), info("a", [8], 0, 0), info("empty", [0], 0, 32)], 64)
    assert [tensor.name for tensor in _facts(file).tensors] == ["a", "empty", "b"]


def test_type_that_is_not_known_has_the_room_up_to_the_next_tensor() -> None:
    file = gguf_file([], [info("a", [64], 999, 0), info("b", [8], 0, 96), info("c", [], 999, 128)], 160)
    found = [(tensor.name, tensor.dtype, tensor.size) for tensor in _facts(file).tensors]
    assert found == [("a", "type-999", 96), ("b", "F32", 32), ("c", "type-999", 32)]


# -- how much is read ----------------------------------------------------------------------------------------------


class _Blocks:
    def __init__(self, file: bytes) -> None:
        self.file = file
        self.reads: list[tuple[int, int]] = []

    def read_at(self, offset: int, size: int) -> bytes:
        self.reads.append((offset, size))
        return self.file[offset : offset + size]


KIB = 1 << 10
TOKENS = [f"token {number:06}" for number in range(80_000)]  # 20 bytes each with their lengths
LARGE = gguf_file(
    [
        entry("general.architecture", "string", "llama"),
        entry("tokenizer.ggml.tokens", "string", TOKENS),
        entry("tokenizer.ggml.scores", "f32", [0.5] * 400_000),
        entry("general.file_type", "u32", 15),
    ],
    [info("t", [8], 0, 0)],
    10 << 20,
)


def test_small_header_takes_one_block() -> None:
    blocks = _Blocks(MODEL + bytes(1 << 20))
    read_facts(blocks.read_at, len(blocks.file))
    assert blocks.reads == [(0, 256 * KIB)]


def test_large_header_takes_a_few_growing_blocks_and_skips_long_arrays_of_numbers() -> None:
    blocks = _Blocks(LARGE)
    facts = read_facts(blocks.read_at, len(LARGE))
    assert (facts.vocabulary, facts.parameters, facts.quantisation) == (80_000, 8, "Q4_K_M")
    assert facts.metadata["tokenizer.ggml.tokens"] == "string[80000]: token 000000, token 000001, token 000002, …"
    sizes = [size for _, size in blocks.reads]
    assert sizes == [256 * KIB, 512 * KIB, 1024 * KIB, 2048 * KIB]
    ends = [offset + size for offset, size in blocks.reads]
    assert blocks.reads[3][0] > ends[2]  # the scores lie in between


def test_header_beyond_the_budget_gives_what_was_read_so_far() -> None:
    blocks = _Blocks(LARGE)
    facts = read_facts(blocks.read_at, len(LARGE), budget=1024 * KIB)
    assert facts == Facts(
        format="gguf",
        tensors=(),
        metadata={
            "general.architecture": "llama",
            "tokenizer.ggml.tokens": "string[80000]: token 000000, token 000001, token 000002, …",
        },
        architecture="llama",
        vocabulary=80_000,
        complete=False,
    )
    assert facts.parameters is None
    assert [size for _, size in blocks.reads] == [256 * KIB, 512 * KIB, 256 * KIB]


def test_budget_that_the_header_fits_into_is_kept() -> None:
    blocks = _Blocks(MODEL + bytes(1 << 20))
    assert read_facts(blocks.read_at, len(blocks.file), budget=len(MODEL)).complete
    assert blocks.reads == [(0, len(MODEL))]


def test_long_text_is_skipped() -> None:
    file = gguf_file([entry("tokenizer.huggingface.json", "string", "x" * (1 << 20)), entry("a", "u8", 1)], [])
    blocks = _Blocks(file)
    assert read_facts(blocks.read_at, len(file)).metadata["a"] == "1"
    assert sum(size for _, size in blocks.reads) < 300 * KIB


# -- what is no GGUF file ------------------------------------------------------------------------------------------


def _with_count(tensors: int, entries: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, entries)


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GGUF", id="a magic number only"),
        pytest.param(b"ggjt" + bytes(100), id="another format"),
        pytest.param(_with_count(1_000_001, 0) + bytes(100), id="too many tensors"),
        pytest.param(_with_count(0, 100_001) + bytes(100), id="too many metadata entries"),
        pytest.param(_with_count(0, (1 << 64) - 1) + bytes(100), id="2^64 - 1 metadata entries"),
        pytest.param(_with_count(1, 0), id="no tensor table"),
        pytest.param(gguf_file([entry("", "u8", 1)], []), id="an empty key"),
        pytest.param(gguf_file([entry("a", "u8", 1), entry("a", "u8", 2)], []), id="a key twice"),
        pytest.param(gguf_file([entry("k" * 65536, "u8", 1)], []), id="a key too long"),
        pytest.param(gguf_file([_text("a") + struct.pack("<IB", 13, 1)], []), id="a type not known"),
        pytest.param(gguf_file([_text("a") + struct.pack("<IIQ", 9, 13, 0)], []), id="an item type not known"),
        pytest.param(gguf_file([_text("a") + struct.pack("<IIQ", 9, 0, 1 << 62)], []), id="an array too long"),
        pytest.param(gguf_file([_text("a") + struct.pack("<IIQ", 9, 8, 1 << 20)], []), id="texts that are not there"),
        pytest.param(gguf_file([_text("a") + struct.pack("<IIQ", 9, 0, 1 << 20)], []), id="numbers that are not there"),
        pytest.param(gguf_file([_text("a") + struct.pack("<IQ", 8, (1 << 64) - 1)], []), id="a text too long"),
        pytest.param(
            gguf_file([_text("a") + struct.pack("<IIQ", 9, 8, 5) + _text("") * 3 + struct.pack("<Q", 1 << 63)], []),
            id="an item too long",
        ),
        pytest.param(gguf_file([entry("general.alignment", "u32", 0)], TENSORS, 4000), id="alignment 0"),
        pytest.param(
            gguf_file([entry("general.alignment", "u32", 24)], TENSORS, 4000), id="alignment not a power of two"
        ),
        pytest.param(
            gguf_file([entry("general.alignment", "string", "32")], TENSORS, 4000), id="alignment not a number"
        ),
        pytest.param(gguf_file([], [info("a", [1, 1, 1, 1, 1], 0, 0)], 32), id="five dimensions"),
        pytest.param(gguf_file([], [info("a", [1 << 40, 1 << 40], 0, 0)], 32), id="too many elements"),
        pytest.param(gguf_file([], [info("a", [8], 0, 0), info("a", [8], 0, 32)], 64), id="a tensor's name twice"),
        pytest.param(gguf_file([], [info("a", [100], 12, 0)], 4000), id="a row that is no number of blocks"),
        pytest.param(gguf_file([], [info("a", [], 12, 0)], 4000), id="a scalar of a block type"),
        pytest.param(gguf_file([], [info("a", [8], 0, 16)], 4000), id="offset not aligned"),
        pytest.param(gguf_file([], [info("a", [9], 0, 0), info("b", [8], 0, 32)], 64), id="overlap"),
        pytest.param(gguf_file([], [info("a", [9], 0, 0)], 32), id="data cut short"),
        pytest.param(gguf_file([], [info("a", [8], 0, 1 << 63)], 32), id="data beyond the file"),
        pytest.param(gguf_file([], [info("a", [8], 999, 64)], 32), id="data of an unknown type beyond the file"),
    ],
)
def test_facts_of_what_is_no_gguf_file_are_corrupt(file: bytes) -> None:
    with pytest.raises(Corrupt, match=r"not a (valid )?GGUF file"):
        _facts(file)


def test_header_beyond_the_limit_is_corrupt_and_not_read() -> None:
    scores = _text("a") + struct.pack("<IIQ", 9, 12, MAX_HEADER // 8) + bytes(100)
    start = b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + scores
    blocks = _Blocks(start + bytes(1 << 20))
    with pytest.raises(Corrupt, match="its header is too long"):
        read_facts(blocks.read_at, 1 << 40)
    assert blocks.reads == [(0, 256 * KIB)]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 4, 0, 0), "version 4"),
        (gguf_file([_text("a") + struct.pack("<IIQ", 9, 9, 1)], []), "array of arrays"),
    ],
)
def test_facts_of_another_dialect_are_unsupported(file: bytes, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        _facts(file)


def test_text_that_is_not_utf8_is_read_with_marks() -> None:
    assert _facts(gguf_file([entry("a", "string", b"caf\xe9")], [])).metadata == {"a": "caf\ufffd"}
