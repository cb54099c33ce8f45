"""The instructions of a pickle, read one after the other from a stream and never carried out.

Instructions and the forms of their arguments: ``pickletools`` of Python's library. A long argument is stepped over, not
read, so a stream of any size takes the same memory, whatever lengths it claims.
"""

import pickletools
from typing import NamedTuple

from gitkit.core.tensors import ReadAt

HIGHEST_PROTOCOL = 5
MAX_TEXT = 256
"""Texts up to this length are kept, in bytes; no name that is allowed is longer."""

_FIRST_BLOCK = 4 << 10
_LARGEST_BLOCK = 1 << 20
_MAX_LINE = 4 << 10  # of a line that is a name: no module or attribute has a longer one
_NUMBERS = b"0123456789_+- \t\v\f\r\0"  # what a reader may take as part of a number
_LONGEST_NUMBER = 16


class Damaged(Exception):
    """No loader gets beyond this point of the stream."""


class Unfollowable(Exception):
    """A loader may go on where this reader cannot tell what it does."""


class TooShort(Damaged):
    """The stream ends inside of a pickle."""


class Unknown:
    """A value that nobody needs to know."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()

Argument = str | int | tuple[str, str] | Unknown
"""A text, a number, a module with a name, or something that was stepped over."""


class Instruction(NamedTuple):
    name: str
    argument: Argument


class Stream:
    """Bytes from front to back; ``at`` is the offset of the next. What is skipped is not fetched."""

    def __init__(self, read_at: ReadAt, at: int = 0) -> None:
        self._read_at = read_at
        self._block, self._start = b"", at
        self._ahead = _FIRST_BLOCK
        self.at = at

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer only where the stream ends."""
        begin = self.at - self._start
        if begin + count > len(self._block):
            self._fetch(count)
            begin = 0
        return self._block[begin : begin + count]

    def take(self, count: int) -> bytes:
        data = self.peek(count)
        if len(data) < count:
            raise TooShort("it ends too early")
        self.at += count
        return data

    def skip(self, count: int) -> None:
        """Step over ``count`` bytes, of which the last must be there."""
        if count > 0:
            self.at += count - 1
            self.take(1)

    def line(self) -> bytes:
        """The next line without its end; of a long one the first bytes, more than ``MAX_TEXT``.

        Raises:
            Damaged: it does not end.
        """
        kept = b""
        while (end := (block := self.peek(_MAX_LINE)).find(b"\n")) < 0:
            if not block:
                raise TooShort("it ends inside of a line")
            kept = (kept + block)[: MAX_TEXT + 1]
            self.at += len(block)
        self.at += end + 1
        return (kept + block[:end])[: MAX_TEXT + 1]

    def name(self) -> str:
        """The next line, which names a module or something in it.

        Raises:
            Damaged: it does not end, or is longer than any name.
        """
        block = self.peek(_MAX_LINE)
        end = block.find(b"\n")
        if end < 0:
            raise Damaged("a name is too long") if len(block) == _MAX_LINE else TooShort("it ends inside of a line")
        self.at += end + 1
        return block[:end].decode("utf-8", "backslashreplace")

    def _fetch(self, count: int) -> None:
        rest = self._block[self.at - self._start :] if self.at >= self._start else b""
        wanted = max(count, self._ahead) - len(rest)
        self._block = rest + self._read_at(self.at + len(rest), wanted)
        self._start = self.at
        self._ahead = min(2 * self._ahead, _LARGEST_BLOCK)


_BY_CODE = {op.code.encode("latin-1"): op for op in pickletools.opcodes}
_PREFIX = {
    pickletools.TAKEN_FROM_ARGUMENT1: (1, False),
    pickletools.TAKEN_FROM_ARGUMENT4: (4, True),
    pickletools.TAKEN_FROM_ARGUMENT4U: (4, False),
    pickletools.TAKEN_FROM_ARGUMENT8U: (8, False),
}
_SIGNED = ("BININT", "EXT4")
_PAIRS = ("GLOBAL", "INST")
_INDEXES = ("GET", "PUT")
_UNICODE = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
_STRINGS = ("SHORT_BINSTRING", "BINSTRING")


def is_instruction(code: bytes) -> bool:
    """Whether an instruction begins with this byte."""
    return code in _BY_CODE


def read(stream: Stream) -> Instruction:
    """The next instruction.

    Raises:
        Damaged: there is none.
    """
    op = _BY_CODE.get(stream.take(1))
    if op is None:
        raise Damaged(f"there is no instruction at byte {stream.at - 1}")
    if op.arg is None:
        return Instruction(op.name, UNKNOWN)
    if op.arg.n == pickletools.UP_TO_NEWLINE:
        return Instruction(op.name, _of_line(op.name, stream))
    if op.arg.n in _PREFIX:
        return Instruction(op.name, _of_bytes(op.name, stream, *_PREFIX[op.arg.n]))
    data = stream.take(op.arg.n)
    if op.name == "BINFLOAT":
        return Instruction(op.name, UNKNOWN)
    return Instruction(op.name, int.from_bytes(data, "little", signed=op.name in _SIGNED))


def _of_bytes(name: str, stream: Stream, width: int, signed: bool) -> Argument:
    length = int.from_bytes(stream.take(width), "little", signed=signed)
    if length < 0:
        raise Damaged(f"a length at byte {stream.at} is negative")
    if name == "LONG1" and length <= _LONGEST_NUMBER:
        return int.from_bytes(stream.take(length), "little", signed=True)
    if length > MAX_TEXT or name not in (*_UNICODE, *_STRINGS):
        stream.skip(length)
        return UNKNOWN
    data = stream.take(length)
    try:
        return data.decode("utf-8") if name in _UNICODE else data.decode("ascii")
    except UnicodeDecodeError:
        return UNKNOWN


def _of_line(name: str, stream: Stream) -> Argument:
    if name in _PAIRS:
        return (stream.name(), stream.name())
    line = stream.line()
    if name in _INDEXES:
        return _index(line)
    if len(line) > MAX_TEXT or name not in ("INT", "LONG", "STRING", "UNICODE"):
        return UNKNOWN
    if name in ("INT", "LONG"):
        digits = line.removesuffix(b"L")
        return int(digits) if digits.lstrip(b"-").isdigit() and len(digits) <= 2 * _LONGEST_NUMBER else UNKNOWN
    return _text(line, name)


def _text(line: bytes, name: str) -> Argument:
    try:
        if name == "UNICODE":
            text = line.decode("raw-unicode-escape")
            return text if text.isascii() else UNKNOWN  # it may be none that can be written anywhere
        quoted = line.strip()
        if len(quoted) < 2 or quoted[:1] != quoted[-1:] or quoted[:1] not in (b"'", b'"') or b"\\" in quoted:
            return UNKNOWN
        return quoted[1:-1].decode("ascii")
    except UnicodeDecodeError:
        return UNKNOWN


def _index(line: bytes) -> int:
    text = line.partition(b"\0")[0]  # one of Python's two readers stops at a zero byte
    if len(line) > MAX_TEXT and not line.translate(None, _NUMBERS):
        raise Unfollowable("a number of its memo is too long")
    try:
        found = int(text)
    except ValueError as error:
        raise Damaged("a number of its memo is none") from error
    if found < 0:
        raise Damaged("a number of its memo is negative")
    return found
