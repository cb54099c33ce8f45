"""Every pickle of a file, wherever in it: alone, in PyTorch's and other archives, compressed, in arrays of objects.

By content alone: no name and no suffix says that there is none. The whole file is never read, and archives are opened
down to ``MAX_NESTING`` levels.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gitkit.core import gotar, members, npy
from gitkit.core.pickles import Scan, scan
from gitkit.core.tensors import ReadAt
from gitkit.core.ziplist import Member, read_members
from gitkit.errors import Corrupt, Unsupported

MAX_NESTING = 3
"""An archive in an archive in an archive."""

MAX_IN_MEMORY = 64 << 20
"""An archive inside of packed data is unpacked into memory, up to this size in bytes."""

_TAIL = 64 << 10
_PACKED_HEAD = 4 << 10
_ENDLESS = 1 << 62
_END = b"PK\x05\x06"
_TORCH = re.compile(r"(?:^|/)data\.pkl$")
_TENSOR = re.compile(r"(?:^|/)data/\d+$")
_PLAIN_TYPE = re.compile(r"[<>|=]?(?:[?bBiufcmMSUVa]\d*(?:\[[\w/]+\])?)")


class Place(NamedTuple):
    """One pickle, in ``member`` of the file (empty: the file itself). Without ``scan``, the place could not be looked
    into, and ``unread`` says why.
    """

    member: str
    scan: Scan | None
    unread: str | None = None


class _Part(NamedTuple):
    """A piece of the file. What ``open`` gives is read at rising offsets where nobody knows the ``size`` (None), else
    at any.
    """

    member: str
    open: Callable[[], ReadAt]
    size: int | None
    depth: int = 0
    torch: bool = False

    def inner(self, name: str) -> str:
        return f"{self.member}/{name}" if self.member else name


def search(read_at: ReadAt, size: int) -> Iterator[Place]:
    """The pickles of a file of ``size`` bytes that is read at any offset, and the places where there may be more.

    Raises:
        KitError: what ``read_at`` raises, where the file itself cannot be read.
    """
    return _look(_Part("", lambda: read_at, size))


def ends_like_a_zip(read_at: ReadAt, size: int) -> bool:
    """Whether the end of the file has the mark of a zip archive's end, whatever the file begins with."""
    return _END in read_at(max(0, size - _TAIL), min(size, _TAIL))


def is_torch(names: Sequence[str]) -> bool:
    """Whether an archive with these members is one that PyTorch loads."""
    return any(_TORCH.search(name) for name in names)


def is_tar(read_at: ReadAt) -> bool:
    """Whether the file begins with the header of a tar archive, at rising offsets."""
    head = read_at(0, gotar.BLOCK)
    if len(head) < gotar.BLOCK or not head.strip(b"\0"):
        return False
    try:
        next(gotar.entries(lambda offset, size: read_at(offset, size) if offset else head), None)
    except Unsupported:
        return True
    except Corrupt:
        return False
    return True


def compression_of(open: Callable[[], ReadAt]) -> str | None:
    """How a file is compressed; None where it only begins like a compressed one, and nothing harmful comes of that."""
    head = open()(0, _PACKED_HEAD)
    compression = members.compression_of(head)
    if compression is None:
        return None
    data, whole = members.unpack_head(head, compression)
    if whole or scan(lambda offset, size: data[offset : offset + size]) is not None:
        return compression
    return None


def _look(part: _Part) -> Iterator[Place]:
    head = part.open()(0, gotar.BLOCK)
    is_zip = head[:4] in (b"PK\x03\x04", _END)
    # P asks the loader for an object: those of pickles alone have none, and PyTorch's look for a zip file first.
    found = None if is_zip else scan(part.open(), persistent=part.torch)
    if found is not None and not _is_tensor(part, found):
        yield Place(part.member, found)
    if head.startswith(npy.MAGIC):
        yield from _array(part)
    compression = compression_of(part.open)
    if compression is not None:
        yield from _below(part, "", lambda: members.unpacked(part.open(), compression), None)
    for mark, name in members.OPAQUE.items():
        if head.startswith(mark):
            yield Place(part.member, None, f"{name} files are not unpacked here")
    yield from _archive(part, is_zip=is_zip, tar=is_tar(part.open()))


def _is_tensor(part: _Part, found: Scan) -> bool:
    """Whether these are numbers that read as a pickle by chance: PyTorch loads no pickle from there."""
    return part.torch and _TENSOR.search(part.member) is not None and not found.globals and found.unread is None


def _below(
    part: _Part, name: str, open: Callable[[], ReadAt], size: int | None, torch: bool = False
) -> Iterator[Place]:
    """Look into a piece of ``part``. Where anything in it is wrong, it is not looked into any further."""
    inner = _Part(part.inner(name) if name else part.member, open, size, part.depth + 1, torch)
    if inner.depth > MAX_NESTING:
        yield Place(inner.member, None, "it is nested too deeply")
        return
    try:
        yield from _look(inner)
    except (Corrupt, Unsupported) as error:
        yield Place(inner.member, None, error.message)


def _array(part: _Part) -> Iterator[Place]:
    """The pickle of an array of objects."""
    head = part.open()(0, 12 + npy.MAX_HEADER)
    try:
        found = npy.read_array(lambda offset, size: head[offset : offset + size], _ENDLESS)
    except (Corrupt, Unsupported) as error:
        yield Place(part.member, None, error.message)
        return
    if _PLAIN_TYPE.fullmatch(found.dtype):
        return
    width = 2 if head[6] == 1 else 4
    objects = scan(part.open(), 8 + width + int.from_bytes(head[8 : 8 + width], "little"))
    if objects is not None:
        yield Place(part.member, objects)
    elif found.dtype.endswith("O"):
        yield Place(part.member, None, "it is an array of objects that cannot be read")


# -- archives ------------------------------------------------------------------------------------------------------


def _archive(part: _Part, *, is_zip: bool, tar: bool) -> Iterator[Place]:
    if part.size is None and (is_zip or tar):
        data = part.open()(0, MAX_IN_MEMORY + 1)
        if len(data) > MAX_IN_MEMORY:
            yield Place(part.member, None, "it is too large to be unpacked into memory")
            return
        part = part._replace(open=lambda: lambda offset, size: data[offset : offset + size], size=len(data))
    if part.size is None:
        return
    if is_zip or ends_like_a_zip(part.open(), part.size):
        yield from _zip(part, part.size, certain=is_zip)
    if tar:
        yield from _tar(part)


def _zip(part: _Part, size: int, *, certain: bool) -> Iterator[Place]:
    try:
        found = sorted(read_members(part.open(), size), key=lambda member: member.offset)
    except (Corrupt, Unsupported) as error:
        yield Place(part.member, None, error.message if certain else f"it may be a zip file: {error.message}")
        return
    torch = is_torch([member.name for member in found])
    for member in found:
        if member.size or member.packed:
            yield from _member(part, member, torch)


def _member(part: _Part, member: Member, torch: bool) -> Iterator[Place]:
    def opened() -> ReadAt:
        return members.member(part.open(), member)

    yield from _below(part, member.name, opened, member.packed if member.method == 0 else None, torch)


def _tar(part: _Part) -> Iterator[Place]:
    try:
        for entry in gotar.entries(part.open()):
            if entry.kind == "file":
                yield from _below(part, entry.name, _window(part, entry), entry.size)
    except (Corrupt, Unsupported) as error:
        yield Place(part.member, None, error.message)


def _window(part: _Part, entry: gotar.Entry) -> Callable[[], ReadAt]:
    return lambda: members.window(part.open(), entry.offset, entry.size)
