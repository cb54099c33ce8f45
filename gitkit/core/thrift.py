"""Apache Thrift's compact protocol, walked without a schema.

Format: ``thrift-compact-protocol.md`` of Apache Thrift. What is not asked for is skipped; every value counts against a
limit, so a hostile document ends in an error, not in hours of work.
"""

from collections.abc import Iterator

from gitkit.errors import Corrupt, Unsupported

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = range(1, 14)
_INTEGERS = (I16, I32, I64)
_MAX_VALUES = 4_000_000
_MAX_DEPTH = 32
_LONGEST_VARINT = 10


class Compact:
    """Reads one document front to back. Whoever takes a field or an item also takes, or skips, its value."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._left = _MAX_VALUES

    def fields(self) -> Iterator[tuple[int, int]]:
        """Number and type of each field of a structure.

        Raises:
            Corrupt: this is no structure.
            Unsupported: the document has more values than are read.
        """
        number = 0
        while (head := self._byte()) != 0:
            self._count()
            delta, kind = head >> 4, head & 15
            number = number + delta if delta else _zigzag(self._varint())
            yield number, kind

    def items(self, kind: int, of: int, limit: int) -> Iterator[None]:
        """Once for each item of a list whose items are of type ``of``.

        Raises:
            Corrupt: this is no such list.
            Unsupported: it has more items than ``limit``, or as ``fields``.
        """
        if kind not in (LIST, SET):
            raise Corrupt("a list is of another type")
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        if size and head & 15 != of:
            raise Corrupt("a list holds something else")
        if size > limit:
            raise Unsupported(f"it has a list of {size} items")
        for _ in range(size):
            self._count()
            yield None

    def integer(self, kind: int) -> int:
        """A number.

        Raises:
            Corrupt: this is none.
        """
        if kind == BYTE:
            byte = self._byte()
            return byte - 256 if byte > 127 else byte
        if kind not in _INTEGERS:
            raise Corrupt("a number is of another type")
        return _zigzag(self._varint())

    def text(self, kind: int, limit: int) -> str:
        """A text.

        Raises:
            Corrupt: this is none, or one of more than ``limit`` bytes.
        """
        if kind != BINARY:
            raise Corrupt("a text is of another type")
        size = self._varint()
        if size > limit:
            raise Corrupt(f"it has a name of {size} bytes")
        return self._take(size).decode("utf-8", "replace")

    def skip(self, kind: int, depth: int = 0) -> None:
        """Pass over a field's value.

        Raises:
            Corrupt: there is none, or it is nested too deeply.
            Unsupported: as ``fields``.
        """
        if kind in (TRUE, FALSE):  # in a field the type is the value
            return
        if depth > _MAX_DEPTH:
            raise Corrupt("it is nested too deeply")
        if kind in _INTEGERS:
            self._varint()
        elif kind == BINARY:
            self._take(self._varint())
        elif kind in (BYTE, DOUBLE, UUID):
            self._take({BYTE: 1, DOUBLE: 8, UUID: 16}[kind])
        elif kind == STRUCT:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        elif kind in (LIST, SET):
            self._skip_list(depth)
        elif kind == MAP:
            self._skip_map(depth)
        else:
            raise Corrupt(f"there is no type {kind}")

    def _skip_list(self, depth: int) -> None:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        for _ in range(size):
            self._skip_item(head & 15, depth)

    def _skip_map(self, depth: int) -> None:
        size = self._varint()
        kinds = self._byte() if size else 0
        for _ in range(size):
            self._skip_item(kinds >> 4, depth)
            self._skip_item(kinds & 15, depth)

    def _skip_item(self, kind: int, depth: int) -> None:
        self._count()
        self.skip(BYTE if kind in (TRUE, FALSE) else kind, depth + 1)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Unsupported("it has more values than are read")

    def _byte(self) -> int:
        if self._at >= len(self._data):
            raise Corrupt("it ends too early")
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise Corrupt("it ends too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def _varint(self) -> int:
        value = 0
        for index in range(_LONGEST_VARINT):
            byte = self._byte()
            value |= (byte & 127) << 7 * index
            if byte < 128:
                return value & 0xFFFFFFFFFFFFFFFF
        raise Corrupt("it has a number that is too long")


def _zigzag(value: int) -> int:
    return value >> 1 ^ -(value & 1)
