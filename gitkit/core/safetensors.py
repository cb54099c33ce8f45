"""Header facts of a safetensors file, without reading any of its tensors.

Format: the "Format" section of safetensors' README and the checks of its Rust reader (``tensor.rs``): eight bytes with
the header's length (little-endian), a JSON object of at most 100 MB that maps names to dtype, shape and data offsets,
then the data, with neither holes nor overlaps, up to the end of the file.
"""

import json
from typing import Any

from gitkit.core.tensors import MAX_ELEMENTS, Facts, ReadAt, Tensor, elements, main_dtype, quoted, short_text
from gitkit.errors import Corrupt

MAX_HEADER = 100_000_000
"""The longest header that readers of the format accept, in bytes."""

_METADATA = "__metadata__"
_BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}


def read_facts(read_at: ReadAt, size: int) -> Facts:
    """What the header says of a file of ``size`` bytes. Two reads: eight bytes, then the header.

    A dtype that is not known yet is taken at its word.

    Raises:
        Corrupt: not a safetensors file, damaged, or cut short.
    """
    document, start = _document(read_at, size)
    metadata = document.pop(_METADATA, {})
    if not isinstance(metadata, dict):
        raise _corrupt("its metadata is no object")
    texts = {_text(key): _text(value) for key, value in metadata.items()}
    tensors = sorted((_tensor(name, entry, start) for name, entry in document.items()), key=_by_place)
    at = start
    for tensor in tensors:
        if tensor.offset != at:
            raise _corrupt(f"the data of {quoted(tensor.name)} starts at {tensor.offset}, not at {at}")
        at += tensor.size
    if at != size:
        raise _corrupt(f"its tensors end at {at}, the file at {size}")
    return Facts(
        format="safetensors",
        tensors=tuple(tensors),
        metadata={key: short_text(value) for key, value in texts.items()},
        architecture=texts.get("modelspec.architecture"),
        name=texts.get("modelspec.title"),
        quantisation=main_dtype(tensors),
    )


def _document(read_at: ReadAt, size: int) -> tuple[dict[str, Any], int]:
    """The header's object, and the offset of the byte after it."""
    length = int.from_bytes(_exactly(read_at, 0, 8), "little")
    if length > MAX_HEADER or 8 + length > size:
        raise _corrupt(f"its header would be {length} bytes long")
    data = _exactly(read_at, 8, length)
    if not data.startswith(b"{"):
        raise _corrupt("its header is no JSON object")
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise _corrupt(f"its header is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _corrupt("its header is no JSON object")
    return document, 8 + length


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _tensor(name: str, entry: object, start: int) -> Tensor:
    _text(name)
    try:
        dtype, shape, (begin, end) = _fields(entry)
    except (KeyError, TypeError, ValueError) as error:
        raise _corrupt(f"the entry of {quoted(name)} is malformed") from error
    count = elements(shape)
    if count is None or end > MAX_ELEMENTS:
        raise _corrupt(f"{quoted(name)} is too large")
    bits = _BITS.get(dtype)
    if bits is not None and count * bits != (end - begin) * 8:
        raise _corrupt(f"{quoted(name)} has {end - begin} bytes, which its shape and {dtype} do not give")
    return Tensor(name, dtype, shape, start + begin, end - begin)


def _fields(entry: object) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    if not isinstance(entry, dict):
        raise TypeError("not an object")
    begin, end = _numbers(entry["data_offsets"])
    dtype = entry["dtype"]
    if not isinstance(dtype, str) or not dtype.isidentifier() or not dtype.isascii() or len(dtype) > 32:
        raise ValueError("not a dtype")
    if begin > end:
        raise ValueError("offsets the wrong way round")
    return dtype, _numbers(entry["shape"]), (begin, end)


def _numbers(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(item) is int and item >= 0 for item in value):
        raise TypeError("not a list of numbers")
    return tuple(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _corrupt("its metadata holds something else than text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _corrupt("it holds a text that is not Unicode") from error
    return value


def _by_place(tensor: Tensor) -> tuple[int, int]:
    return tensor.offset, tensor.size


def _exactly(read_at: ReadAt, offset: int, size: int) -> bytes:
    data = read_at(offset, size)
    if len(data) != size:
        raise _corrupt("it ends inside its header")
    return data


def _corrupt(why: str) -> Corrupt:
    return Corrupt(f"not a valid safetensors file: {why}")
