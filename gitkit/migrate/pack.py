"""New Git objects of a rewritten history: collected in a draft, then given to Git as one pack, all or none.

Format: gitformat-pack(5), version 2. A tree that differs little from the one before it at the same place is written as
the difference, or a history of large folders would need gigabytes. Not safe across threads.
"""

import hashlib
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

from gitkit.errors import KitError
from gitkit.git.run import Git

_TYPES = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}
_DIFFERENCE = 6
_BLOCK = 1 << 20
_MAX_DEPTH = 50
"""As `git gc`: reading an object means to read all that it is a difference to."""

_MAX_COPY = 0xFFFFFF
_MAX_INSERT = 0x7F


class Base(NamedTuple):
    """An object that was added before and is much like the new one."""

    oid: str
    data: bytes


class _Place(NamedTuple):
    offset: int
    depth: int


class Pack:
    """Gives objects their oids, and keeps them in ``draft``, an empty file; without one it only names them."""

    def __init__(self, hash_name: str, draft: IO[bytes] | None) -> None:
        self.width = hashlib.new(hash_name, usedforsecurity=False).digest_size
        """The length of an oid in bytes."""
        self._hash_name = hash_name
        self._draft = draft
        self._places: dict[str, _Place] = {}
        self._offset = 12

    def add(self, kind: bytes, data: bytes, base: Base | None = None) -> str:
        """The oid of the object, which ``store`` will store. Adding it again does nothing."""
        head = b"%s %d\0" % (kind, len(data))
        oid = hashlib.new(self._hash_name, head + data, usedforsecurity=False).hexdigest()
        if self._draft is not None and oid not in self._places:
            depth, entry = self._entry(kind, data, base)
            self._places[oid] = _Place(self._offset, depth)
            self._draft.write(entry)
            self._offset += len(entry)
        return oid

    def store(self, git: Git) -> None:
        """Put everything into Git's object store: one pack, which git has checked.

        Raises:
            KitError: git cannot write it; nothing was stored.
        """
        if not self._places:
            return
        try:
            with git.pipe("index-pack", "--stdin") as (stream, answer):
                for piece in self._pieces():
                    stream.write(piece)
                stream.close()
                said = answer.read()
        except BrokenPipeError:
            said = b""
        if not said.startswith(b"pack\t"):
            raise KitError("git index-pack failed", hint="its message is above")

    def _entry(self, kind: bytes, data: bytes, base: Base | None) -> tuple[int, bytes]:
        place = self._places.get(base.oid) if base is not None else None
        if base is not None and place is not None and place.depth < _MAX_DEPTH:
            delta = difference(base.data, data)
            if len(delta) < len(data) // 2:
                head = _header(_DIFFERENCE, len(delta)) + _distance(self._offset - place.offset)
                return place.depth + 1, head + zlib.compress(delta)
        return 0, _header(_TYPES[kind], len(data)) + zlib.compress(data)

    def _pieces(self) -> Iterator[bytes]:
        hasher = hashlib.new(self._hash_name, usedforsecurity=False)
        head = b"PACK" + (2).to_bytes(4, "big") + len(self._places).to_bytes(4, "big")
        hasher.update(head)
        yield head
        if self._draft is not None:
            self._draft.seek(0)
            while piece := self._draft.read(_BLOCK):
                hasher.update(piece)
                yield piece
        yield hasher.digest()


@contextmanager
def drafted(hash_name: str, folder: str) -> Iterator[Pack]:
    """A pack whose draft is in ``folder``, without a name: killed, we leave nothing there.

    Raises:
        KitError: it cannot be written.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as draft:
            yield Pack(hash_name, draft)
    except OSError as error:
        raise KitError(f"cannot write in {folder}: {error.strerror}", hint="is the disk full?") from error


def difference(base: bytes, data: bytes) -> bytes:
    """How to make ``data`` of ``base``: their common start, what is new, their common end."""
    start = _common(base, data)
    end = _common(base[start:][::-1], data[start:][::-1])
    new = data[start : len(data) - end]
    pieces = [_varint(len(base)), _varint(len(data)), _copies(0, start)]
    pieces += [bytes([len(part)]) + part for part in _parts(new)]
    return b"".join([*pieces, _copies(len(base) - end, end)])


def _common(one: bytes, other: bytes) -> int:
    """How many bytes both have in common at their start."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _copies(offset: int, size: int) -> bytes:
    out = b""
    while size:
        count = min(size, _MAX_COPY)
        out += b"\xff" + offset.to_bytes(4, "little") + count.to_bytes(3, "little")
        offset, size = offset + count, size - count
    return out


def _parts(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), _MAX_INSERT):
        yield data[at : at + _MAX_INSERT]


def _header(kind: int, size: int) -> bytes:
    """Type and size: four bits of the size in the first byte, seven in each that follows."""
    first, rest = (kind << 4) | (size & 0x0F), size >> 4
    return bytes([first | 0x80]) + _varint(rest) if rest else bytes([first])


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(0x80 | (value & 0x7F))
        value >>= 7
    out.append(value)
    return bytes(out)


def _distance(value: int) -> bytes:
    """How far back the base begins; each byte but the last counts from one."""
    out = bytearray([value & 0x7F])
    while value := value >> 7:
        value -= 1
        out.append(0x80 | (value & 0x7F))
    return bytes(reversed(out))
