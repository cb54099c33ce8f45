"""Pointers: the small text that Git stores instead of a large file (rules and examples: ``docs/pointer.md``).

One content has exactly one pointer. Whatever is not byte for byte a pointer is content, however much it resembles one.
Git LFS pointers are read (``lfs=True``) and never written.
"""

from typing import NamedTuple

from gitkit.core.digest import is_digest

MAX_SIZE = 1024
"""No pointer is longer than this many bytes, so a longer Git blob need not be opened."""

VERSION_LINE = b"version git-kit/1\n"
_LFS_VERSION_LINE = b"version https://git-lfs.github.com/spec/v1\n"
_KEY_AT = len(VERSION_LINE)
_OID_AT = _KEY_AT + len("oid ")
_OID_END = _OID_AT + len("sha256:") + 64
_SIZE_AT = _OID_END + len("\nsize ")
_RESERVED = ("version", "oid", "size")
_KEY = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")
_MAX_CONTENT = (1 << 63) - 1
_CONTROLS = bytes([*range(10), *range(11, 32), 127])
"""Every ASCII control character but LF."""


class Pointer(NamedTuple):
    """What a pointer says: ``digest`` and ``size`` (bytes) of the content, and extra lines in their order."""

    digest: str
    size: int
    extra: tuple[tuple[str, str], ...] = ()
    lfs: bool = False

    def encode(self) -> bytes:
        """The one encoding of this pointer. Extra keys are sorted by the caller; ``parse`` accepts nothing else."""
        lines = [f"oid {self.digest}\n", f"size {self.size}\n", *(f"{key} {value}\n" for key, value in self.extra)]
        return VERSION_LINE + "".join(lines).encode()


def parse(data: bytes) -> Pointer | None:
    """The pointer that ``data`` is, or None where it is content. Never raises."""
    if len(data) > MAX_SIZE:
        return None
    if data.startswith(VERSION_LINE):
        return _parse_plain(data) or _parse_own(data)
    if data.startswith(_LFS_VERSION_LINE):
        return _parse_lfs(data)
    return None


def resembles(data: bytes) -> bool:
    """Whether ``data`` looks like somebody's damaged pointer: worth a warning, still content."""
    head = data[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    return parse(data) is None and head.startswith((b"version git-kit/", b"version https://git-lfs.github.com/spec/"))


def has_conflict(data: bytes) -> bool:
    """Whether ``data`` is a pointer into which a merge wrote conflict markers: never content that somebody meant."""
    if b"<<<<<<< " not in data:
        return False
    lines = data.splitlines()
    marked = [any(line.startswith(mark) for line in lines) for mark in (b"<<<<<<< ", b"=======", b">>>>>>> ")]
    return all(marked) and any(line + b"\n" in (VERSION_LINE, _LFS_VERSION_LINE) for line in lines)


def _parse_plain(data: bytes) -> Pointer | None:
    """What ``_parse_own`` finds, in a fraction of its time, for a pointer without extra lines."""
    digest, size = data[_OID_AT:_OID_END], data[_SIZE_AT:-1]
    if (
        data[_KEY_AT:_OID_AT] != b"oid "
        or not digest.startswith(b"sha256:")
        or digest[7:].translate(None, b"0123456789abcdef")
        or data[_OID_END:_SIZE_AT] != b"\nsize "
        or not data.endswith(b"\n")
        or not size.isdigit()
    ):
        return None
    number = _size(size.decode())
    return None if number is None else Pointer(digest.decode(), number)


def _parse_own(data: bytes) -> Pointer | None:
    fields = _fields(data[len(VERSION_LINE) :])
    if fields is None or [key for key, _ in fields[:2]] != ["oid", "size"]:
        return None
    digest, size = fields[0][1], _size(fields[1][1])
    extra = tuple(fields[2:])
    keys = [key for key, _ in extra]
    if size is None or not is_digest(digest) or keys != sorted(set(keys)) or any(key in _RESERVED for key in keys):
        return None
    return Pointer(digest, size, extra)


def _parse_lfs(data: bytes) -> Pointer | None:
    # A pointer with extension lines names transformed content, which only Git LFS can restore: it stays content here.
    fields = _fields(data[len(_LFS_VERSION_LINE) :])
    if fields is None or [key for key, _ in fields] != ["oid", "size"]:
        return None
    digest, size = fields[0][1], _size(fields[1][1])
    if size is None or not is_digest(digest):
        return None
    return Pointer(digest, size, lfs=True)


def _fields(body: bytes) -> list[tuple[str, str]] | None:
    if not body.endswith(b"\n") or len(body.translate(None, _CONTROLS)) != len(body):
        return None
    try:
        lines = body[:-1].decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return None
    fields = []
    for line in lines:
        key, space, value = line.partition(" ")
        if not space or not key or not _KEY.issuperset(key) or not value:
            return None
        fields.append((key, value))
    return fields


def _size(text: str) -> int | None:
    if not text.isascii() or not text.isdecimal() or text.startswith("0") or len(text) > 19:
        return None
    size = int(text)
    return size if size <= _MAX_CONTENT else None
