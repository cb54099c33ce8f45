"""Header facts of a GGUF file, read in a few growing blocks from its start.

Format: ``docs/gguf.md`` of ggml, versions 2 and 3, with the checks of llama.cpp's ``gguf.cpp``; block sizes and names
of types from ``ggml.h`` and ``llama.h``. Only little-endian files are read.
"""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from gitkit.core.tensors import Facts, ReadAt, Tensor, elements, main_dtype, quoted, short_text
from gitkit.errors import Corrupt, Unsupported

MAX_HEADER = 256 << 20
"""The longest header that is read, in bytes. Real ones, tokenizer included, have up to some 20 MiB."""

_FIRST_BLOCK = 256 << 10
_LARGEST_BLOCK = 8 << 20
_MAX_ENTRIES = 100_000
_MAX_TENSORS = 1_000_000
_MAX_NAME = (1 << 16) - 1
_MAX_TEXT = 804  # bytes that are kept of a longer one: enough for the 200 characters that are shown
_MAX_DIMENSIONS = 4
_HEAD = 3

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_STRING = 8
_ARRAY = 9
# fmt: off
_NUMBERS = {
    0: ("u8", struct.Struct("<B")), 1: ("i8", struct.Struct("<b")), 2: ("u16", struct.Struct("<H")),
    3: ("i16", struct.Struct("<h")), 4: ("u32", _U32), 5: ("i32", struct.Struct("<i")),
    6: ("f32", struct.Struct("<f")), 7: ("bool", struct.Struct("<?")), 10: ("u64", _U64),
    11: ("i64", struct.Struct("<q")), 12: ("f64", struct.Struct("<d")),
}

# Tensor types: name, elements of a block, bytes of a block.
_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 31: ("Q4_0_4_4", 32, 18), 32: ("Q4_0_4_8", 32, 18),
    33: ("Q4_0_8_8", 32, 18), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}

# general.file_type: all or most tensors have this type.
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 33: "Q4_0_4_4", 34: "Q4_0_4_8", 35: "Q4_0_8_8", 36: "TQ1_0",
    37: "TQ2_0", 38: "MXFP4_MOE", 39: "NVFP4", 40: "Q1_0",
}
# fmt: on
_GUESSED = 1024  # a flag in general.file_type


class _Array(NamedTuple):
    kind: str
    length: int
    head: tuple[str, ...] = ()

    def __str__(self) -> str:
        items = [*self.head, *(["…"] if self.length > len(self.head) else [])]
        return f"{self.kind}[{self.length}]" + (": " + ", ".join(items) if items else "")


_Value = str | int | float | bool | _Array


class _BudgetSpent(Exception):
    """The next block would exceed what the caller wants to read."""


def read_facts(read_at: ReadAt, size: int, *, budget: int = MAX_HEADER) -> Facts:
    """What the header says of a file of ``size`` bytes.

    Blocks of 256 KiB, 512 KiB, ... are read until the header ends, so up to as much again of what follows it. Before
    more than ``budget`` bytes are read, reading stops and the facts are not ``complete``: the tensor table comes last.

    Raises:
        Corrupt: not a GGUF file, damaged, cut short, or beyond the limits of this reader.
        Unsupported: big-endian, of another version, or with arrays in arrays.
    """
    cursor = _Cursor(read_at, size, budget)
    values: dict[str, _Value] = {}
    try:
        tensors = _read_header(cursor, size, values)
    except _BudgetSpent:
        return _facts(values, (), complete=False)
    return _facts(values, tensors, complete=True)


def _facts(values: Mapping[str, _Value], tensors: tuple[Tensor, ...], *, complete: bool) -> Facts:
    architecture = _string(values, "general.architecture")
    tokens = values.get("tokenizer.ggml.tokens")
    file_type = _integer(values, "general.file_type")
    known = None if file_type is None else _FILE_TYPES.get(file_type & ~_GUESSED)
    return Facts(
        format="gguf",
        tensors=tensors,
        metadata={key: _shown(value) for key, value in values.items()},
        architecture=architecture,
        name=_string(values, "general.name"),
        quantisation=known or main_dtype(tensors),
        context_length=_integer(values, f"{architecture}.context_length"),
        vocabulary=tokens.length if isinstance(tokens, _Array) else _integer(values, f"{architecture}.vocab_size"),
        chat_template=any(key.startswith("tokenizer.chat_template") for key in values),
        complete=complete,
    )


def _string(values: Mapping[str, _Value], key: str) -> str | None:
    value = values.get(key)
    return value if isinstance(value, str) else None


def _integer(values: Mapping[str, _Value], key: str) -> int | None:
    value = values.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return short_text(f"{value:.7g}" if isinstance(value, float) else str(value))


# -- reading -------------------------------------------------------------------------------------------------------


class _Cursor:
    """Reads forward. What is skipped may never be fetched."""

    def __init__(self, read_at: ReadAt, size: int, budget: int) -> None:
        self._read_at, self._size, self._budget = read_at, size, budget
        self._block = _FIRST_BLOCK
        self._data, self._start = b"", 0  # the bytes at hand, and the offset of their first
        self._at = 0  # the next byte to take, from _start; beyond _data after a skip

    @property
    def position(self) -> int:
        return self._start + self._at

    def number(self, form: struct.Struct) -> Any:
        if self._at + form.size > len(self._data):
            self.fetch(form.size)
        (value,) = form.unpack_from(self._data, self._at)
        self._at += form.size
        return value

    def text(self, limit: int, keep: int) -> str:
        """A string of at most ``limit`` bytes, of which ``keep`` are read."""
        length = self.number(_U64)
        if length > limit:
            raise _corrupt(f"it has a text of {length} bytes at {self.position}")
        kept = min(length, keep)
        self.fetch(kept)
        text = self._data[self._at : self._at + kept].decode("utf-8", "replace")
        self._at += length
        return text

    def skip(self, count: int) -> None:
        self._at += count

    def skip_texts(self, count: int) -> None:
        unpack = _U64.unpack_from
        for _ in range(count):  # up to a million times: no call that is not needed
            if self._at + 8 > len(self._data):
                self.fetch(8)
            self._at += 8 + unpack(self._data, self._at)[0]

    def fetch(self, count: int) -> None:
        """Have the next ``count`` bytes at hand."""
        limit = min(self._size, MAX_HEADER)
        if self.position + count > limit:
            raise _corrupt("it ends inside its header" if limit == self._size else "its header is too long")
        if count == 0 or self._at + count <= len(self._data):
            return
        rest, start = self._data[self._at :], self.position
        if count - len(rest) > self._budget:
            raise _BudgetSpent
        wanted = max(min(self._block, self._budget), count - len(rest))
        wanted = min(wanted, self._size - start - len(rest))
        fresh = self._read_at(start + len(rest), wanted)
        if len(fresh) != wanted:
            raise _corrupt("it ends inside its header")
        self._budget -= wanted
        self._block = min(2 * self._block, _LARGEST_BLOCK)
        self._data, self._start, self._at = rest + fresh, start, 0


def _read_header(cursor: _Cursor, size: int, values: dict[str, _Value]) -> tuple[Tensor, ...]:
    """The tensors. ``values`` is filled on the way, so that it is there when the budget is spent."""
    if cursor.number(_U32) != 0x46554747:
        raise Corrupt("not a GGUF file")
    version = cursor.number(_U32)
    if version and not version & 0xFFFF:
        raise Unsupported("this GGUF file is big-endian")
    if version not in (2, 3):
        raise Unsupported(f"this GGUF file has version {version}; 2 and 3 are read")
    tensor_count, entry_count = cursor.number(_U64), cursor.number(_U64)
    if tensor_count > _MAX_TENSORS or entry_count > _MAX_ENTRIES:
        raise _corrupt(f"it would have {tensor_count} tensors and {entry_count} metadata entries")
    for _ in range(entry_count):
        _read_entry(cursor, values)
    infos = [_read_info(cursor) for _ in range(tensor_count)]
    if len({info.name for info in infos}) != len(infos):
        raise _corrupt("two tensors have one name")
    alignment = values.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise _corrupt(f"its alignment is {_shown(alignment)}")
    cursor.fetch(0)
    return _placed(infos, cursor.position + -cursor.position % alignment, size, alignment)


def _read_entry(cursor: _Cursor, values: dict[str, _Value]) -> None:
    key = cursor.text(_MAX_NAME, _MAX_NAME)
    kind = cursor.number(_U32)
    if not key or key in values:
        raise _corrupt(f"its metadata key {quoted(key)} is empty or there twice")
    if kind != _ARRAY:
        values[key] = _read_value(cursor, kind)
        return
    kind, count = cursor.number(_U32), cursor.number(_U64)
    if kind == _ARRAY:
        raise Unsupported(f"the GGUF metadata {quoted(key)} is an array of arrays")
    if kind != _STRING and kind not in _NUMBERS:
        raise _corrupt(f"its metadata holds a value of the unknown type {kind}")
    if count > MAX_HEADER:
        raise _corrupt(f"its metadata {quoted(key)} would have {count} items")
    array = _Array("string" if kind == _STRING else _NUMBERS[kind][0], count)
    values[key] = array  # without items yet: the budget may end in them
    head = tuple(_shown(_read_value(cursor, kind)) for _ in range(min(count, _HEAD)))
    values[key] = array._replace(head=head)
    if kind == _STRING:
        cursor.skip_texts(count - len(head))
    else:
        cursor.skip((count - len(head)) * _NUMBERS[kind][1].size)


def _read_value(cursor: _Cursor, kind: int) -> str | int | float | bool:
    if kind == _STRING:
        return cursor.text(MAX_HEADER, _MAX_TEXT)
    if kind not in _NUMBERS:
        raise _corrupt(f"its metadata holds a value of the unknown type {kind}")
    value: int | float | bool = cursor.number(_NUMBERS[kind][1])
    return value


class _Info(NamedTuple):
    name: str
    shape: tuple[int, ...]
    elements: int
    kind: int
    offset: int


def _read_info(cursor: _Cursor) -> _Info:
    name = cursor.text(_MAX_NAME, _MAX_NAME)
    dimensions = cursor.number(_U32)
    if dimensions > _MAX_DIMENSIONS:
        raise _corrupt(f"{quoted(name)} has {dimensions} dimensions")
    shape = tuple([cursor.number(_U64) for _ in range(dimensions)][::-1])
    count = elements(shape)
    if count is None:
        raise _corrupt(f"{quoted(name)} is too large")
    return _Info(name, shape, count, cursor.number(_U32), cursor.number(_U64))


def _placed(infos: list[_Info], start: int, size: int, alignment: int) -> tuple[Tensor, ...]:
    """The tensors with the offset and size of their data, in the order of their data."""
    infos = sorted(infos, key=lambda info: (info.offset, info.elements))
    ends = [*(info.offset for info in infos), size - start][1:]
    tensors = []
    for info, end in zip(infos, ends, strict=True):
        row = info.shape[-1] if info.shape else 1
        # What a type that is not known yet occupies is taken to be all the room it has.
        dtype, block, bytes_ = _TYPES.get(info.kind, (f"type-{info.kind}", 1, 0))
        length = info.elements // block * bytes_ if bytes_ else end - info.offset
        if row % block:
            raise _corrupt(f"the rows of {quoted(info.name)} are no whole blocks of {dtype}")
        if info.offset % alignment:
            raise _corrupt(f"the data of {quoted(info.name)} is not aligned")
        if length < 0 or info.offset + length > end:
            raise _corrupt(f"the data of {quoted(info.name)} overlaps other data, or is not in the file")
        tensors.append(Tensor(info.name, dtype, info.shape, start + info.offset, length))
    return tuple(tensors)


def _corrupt(why: str) -> Corrupt:
    return Corrupt(f"not a valid GGUF file: {why}")
