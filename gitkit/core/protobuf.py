"""Protocol Buffers on the wire, walked without a schema and without reading what is skipped.

Format: "Encoding" in the Protocol Buffers documentation. A message is a range of the file; long fields in it are never
fetched unless asked for. Groups, which no current format uses, are refused.
"""

from collections.abc import Iterator
from typing import NamedTuple

from gitkit.core.tensors import ReadAt
from gitkit.errors import Corrupt, Unsupported

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_GROUPS = (3, 4)
_NEAR = 4 << 10  # bytes fetched after a jump
_FAR = 64 << 10  # bytes fetched where reading goes on
_MAX_FIELDS = 1_000_000
_MAX_FETCHED = 256 << 20
_LONGEST_VARINT = 10


class Field(NamedTuple):
    """One field. ``value`` is the number, of a ``BYTES`` field its length; ``start`` is where those bytes are."""

    number: int
    wire: int
    value: int
    start: int

    @property
    def end(self) -> int:
        return self.start + self.value


class Wire:
    """A file of messages. Counts what it does: a hostile file ends in an error, not in hours of work."""

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._read_at, self.size = read_at, size
        self._data, self._start = b"", 0
        self._fields, self._fetched = _MAX_FIELDS, _MAX_FETCHED

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message in these bytes, in its order.

        Raises:
            Corrupt: they are no message.
            Unsupported: there are more fields than are read.
        """
        at = start
        while at < end:
            self._fields -= 1
            if self._fields < 0:
                raise Unsupported("it has more parts than are read")
            field, at = self._field(at, end)
            yield field

    def message(self, field: Field) -> Iterator[Field]:
        """The fields of the message that ``field`` holds.

        Raises:
            Corrupt, Unsupported: as ``fields``.
        """
        self._expect(field, BYTES)
        return self.fields(field.start, field.end)

    def text(self, field: Field, limit: int) -> str:
        """The text that ``field`` holds.

        Raises:
            Corrupt: it holds none, or one of more than ``limit`` bytes.
        """
        self._expect(field, BYTES)
        if field.value > limit:
            raise Corrupt(f"it has a name of {field.value} bytes")
        return self._bytes(field.start, field.value).decode("utf-8", "replace")

    def number(self, field: Field) -> int:
        """The signed number that ``field`` holds.

        Raises:
            Corrupt: it holds none.
        """
        self._expect(field, VARINT)
        return _signed(field.value)

    def numbers(self, field: Field, limit: int) -> list[int]:
        """The signed numbers of a repeated field: one, or several packed into one.

        Raises:
            Corrupt: it holds none, or more than ``limit``.
        """
        if field.wire == VARINT:
            return [_signed(field.value)]
        self._expect(field, BYTES)
        found: list[int] = []
        at = field.start
        while at < field.end:
            if len(found) == limit:
                raise Corrupt(f"it has a list of more than {limit} numbers")
            value, at = self._varint(at, field.end)
            found.append(_signed(value))
        return found

    def _field(self, at: int, end: int) -> tuple[Field, int]:
        key, at = self._varint(at, end)
        number, wire = key >> 3, key & 7
        if number == 0 or wire in _GROUPS or wire > FIXED32:
            raise Corrupt(f"there is no field at {at}")
        if wire == VARINT:
            value, after = self._varint(at, end)
            return Field(number, wire, value, at), after
        length, start = self._varint(at, end) if wire == BYTES else (8 if wire == FIXED64 else 4, at)
        if length > end - start:
            raise Corrupt(f"a field at {at} goes beyond its end")
        return Field(number, wire, length, start), start + length

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """The number at ``at``, and where it ends."""
        if not self._start <= at <= self._start + len(self._data) - _LONGEST_VARINT:
            self._fetch(at, min(_LONGEST_VARINT, self.size - at))
        begin = at - self._start
        value = 0
        for index, byte in enumerate(self._data[begin : begin + min(_LONGEST_VARINT, end - at)]):
            value |= (byte & 127) << 7 * index
            if byte < 128:
                return value & 0xFFFFFFFFFFFFFFFF, at + index + 1
        raise Corrupt(f"there is no number at {at}")

    def _bytes(self, at: int, count: int) -> bytes:
        if not self._start <= at <= self._start + len(self._data) - count:
            self._fetch(at, count)
        return self._data[at - self._start : at - self._start + count]

    def _fetch(self, at: int, count: int) -> None:
        """Have ``count`` bytes from ``at`` on at hand."""
        if count <= 0:
            self._data, self._start = b"", at
            return
        ahead = _FAR if self._start <= at <= self._start + len(self._data) else _NEAR
        wanted = min(max(count, ahead), self.size - at)
        self._fetched -= wanted
        if self._fetched < 0:
            raise Unsupported("it has more parts than are read")
        self._data, self._start = self._read_at(at, wanted), at
        if len(self._data) < count:
            raise Corrupt("it ends too early")

    def _expect(self, field: Field, wire: int) -> None:
        if field.wire != wire:
            raise Corrupt(f"field {field.number} is of another type")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
