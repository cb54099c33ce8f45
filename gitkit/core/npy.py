"""The header of a NumPy array file (``.npy``): element type, shape and order.

Format: NumPy enhancement proposal 1, versions 1 to 3 of it. The header is text in the form of a Python dictionary; it
is taken apart here and never evaluated.
"""

import re
from math import prod
from typing import NamedTuple

from gitkit.core.tensors import MAX_ELEMENTS, ReadAt, elements, quoted, short_text
from gitkit.errors import Corrupt, Unsupported

MAGIC = b"\x93NUMPY"
MAX_HEADER = 64 << 10
"""The longest header that is read, in bytes. NumPy itself refuses those above 10,000 unless told otherwise."""

_MAX_DEPTH = 20
_TOKEN = re.compile(
    r"""\s*(?:([\[\](){},:])|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(True|False)|(\d{1,19})L?)""", re.S
)
_SIMPLE = re.compile(r"[<>|=]?([A-Za-z])(\d{0,9})(?:\[[^]]*\])?")


class Array(NamedTuple):
    """What the header says. ``dtype`` as NumPy writes it (``<f4``), fields of a structured one with their names."""

    dtype: str
    shape: tuple[int, ...]
    fortran_order: bool


def read_array(read_at: ReadAt, size: int) -> Array:
    """The header of a file of ``size`` bytes. Two reads.

    Raises:
        Corrupt: not an array file, damaged, or shorter than its header says.
        Unsupported: a version of the format that is not known.
    """
    start = read_at(0, 12)
    if not start.startswith(MAGIC):
        raise Corrupt("not a NumPy file")
    if len(start) < 12:
        raise _corrupt("it ends inside its header")
    if start[6] not in (1, 2, 3):
        raise Unsupported(f"this NumPy file has version {start[6]}.{start[7]}; 1 to 3 are read")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(start[8 : 8 + width], "little")
    if length > MAX_HEADER:
        raise _corrupt(f"its header would be {length} bytes long")
    text = read_at(8 + width, length)
    if len(text) != length:
        raise _corrupt("it ends inside its header")
    array, item = _header(text.decode("latin-1" if start[6] < 3 else "utf-8", "replace"))
    if item is not None and 8 + width + length + prod(array.shape) * item > size:
        raise _corrupt("it ends inside its data")
    return array


def _header(text: str) -> tuple[Array, int | None]:
    """The array, and how many bytes each of its elements has, where that is known."""
    value = _Reader(text).value()
    if not isinstance(value, dict):
        raise _corrupt("its header is no dictionary")
    shape, order, descr = value.get("shape"), value.get("fortran_order"), value.get("descr")
    if not isinstance(shape, tuple) or not isinstance(order, bool) or descr is None:
        raise _corrupt("its header lacks shape, order or type")
    sizes = tuple(_dimension(item) for item in shape)
    item = _item_size(descr)
    if elements((*sizes, item or 1)) is None:
        raise _corrupt("it is too large")
    return Array(short_text(_shown(descr)), sizes, order), item


def _dimension(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _corrupt("its shape holds something else than numbers")
    return value


def _shown(descr: object) -> str:
    """A type as one text: ``<f4``, or ``x <f4, y <i8[2]`` where elements have fields."""
    if isinstance(descr, tuple):
        return ", ".join(_field(field) for field in descr)
    return str(descr)


def _field(field: object) -> str:
    if not isinstance(field, tuple) or len(field) < 2:
        raise _corrupt("a field of its type is malformed")
    # A field's name is a text, or a pair of title and name.
    name = field[0][-1] if isinstance(field[0], tuple) and field[0] else field[0]
    inner = f"({_shown(field[1])})" if isinstance(field[1], tuple) else str(field[1])
    shape = f"[{', '.join(map(str, field[2]))}]" if len(field) > 2 and isinstance(field[2], tuple) else ""
    return f"{name} {inner}{shape}"


def _item_size(descr: object) -> int | None:
    """Bytes of one element; None where they cannot be told: objects, and types that are not known."""
    found = _SIMPLE.fullmatch(descr) if isinstance(descr, str) else None
    if found is None or found[1] == "O" or not found[2]:
        return None
    return int(found[2]) * (4 if found[1] == "U" else 1)


class _Reader:
    """Takes a Python literal apart: texts, numbers, True and False, tuples and lists (both as tuples), dictionaries."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def value(self, depth: int = 0) -> "str | bool | int | tuple[object, ...] | dict[str, object]":
        if depth > _MAX_DEPTH:
            raise _corrupt("its header is nested too deeply")
        found = self._token()
        mark, single, double, truth, number = found.groups()
        if mark == "{":
            return self._dictionary(depth)
        if mark in ("(", "["):
            return self._items(")" if mark == "(" else "]", depth)
        if mark is not None:
            raise _corrupt(f"its header has {mark} in a wrong place")
        if truth is not None:
            return truth == "True"
        if number is not None:
            count = int(number)
            if count > MAX_ELEMENTS:
                raise _corrupt("it is too large")
            return count
        return str(single if single is not None else double)

    def _dictionary(self, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        while not self._follows("}"):
            key = self.value(depth + 1)
            if not isinstance(key, str) or not self._follows(":"):
                raise _corrupt("its header is no dictionary of names")
            found[key] = self.value(depth + 1)
            if not self._follows(","):
                self._end("}")
                break
        return found

    def _items(self, end: str, depth: int) -> tuple[object, ...]:
        found: list[object] = []
        while not self._follows(end):
            found.append(self.value(depth + 1))
            if not self._follows(","):
                self._end(end)
                break
        return tuple(found)

    def _follows(self, mark: str) -> bool:
        """Whether ``mark`` is next; then it is taken."""
        found = _TOKEN.match(self._text, self._at)
        if found is None or found[1] != mark:
            return False
        self._at = found.end()
        return True

    def _end(self, mark: str) -> None:
        if not self._follows(mark):
            raise _corrupt(f"its header lacks {mark}")

    def _token(self) -> "re.Match[str]":
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            rest = self._text[self._at : self._at + 40].strip()
            raise _corrupt(f"its header cannot be read at {quoted(rest)}" if rest else "its header is cut short")
        self._at = found.end()
        return found


def _corrupt(why: str) -> Corrupt:
    return Corrupt(f"not a valid NumPy file: {why}")
