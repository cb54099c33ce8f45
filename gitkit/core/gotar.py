"""Tar: the bytes that Go's ``archive/tar`` writes for KitOps, and a careful reader of any tar.

Writing follows Go's ``writer.go`` for headers of no given format: USTAR where name and size fit, else PAX records for
``path`` and ``size`` only. Owner names are empty and times 0, directories have no trailing slash, two zero blocks end
the archive and nothing pads it further. Reading takes ustar, GNU long names and base-256 numbers, and PAX (POSIX
pax(1), "Extended Description"; tar(5)).

Names are ``str`` as ``os.fsdecode`` gives them: bytes that are not UTF-8 survive as surrogates.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from gitkit.errors import Corrupt, NotFound, Unsupported

BLOCK = 512
END = bytes(2 * BLOCK)
"""What follows the last entry."""

MAX_EXTENSION = 1 << 20
"""The longest PAX header or GNU long name that is read, in bytes (Go's limit too)."""

_MAX_OCTAL_SIZE = 8**11 - 1
_MAX_SIZE = (1 << 63) - 1
_ZERO = bytes(BLOCK)
_SKIP = 1 << 20

# -- writing -------------------------------------------------------------------------------------------------------


class Member(NamedTuple):
    """An entry to write. ``name`` is a clean relative path without NUL, ``mode`` permission bits, ``size`` bytes."""

    name: str
    mode: int
    size: int = 0
    is_dir: bool = False

    @property
    def data_size(self) -> int:
        """Bytes of content that follow the header, without padding."""
        return 0 if self.is_dir else self.size


def header(member: Member, *, uid: int = 1000, gid: int = 0) -> bytes:
    """The header blocks of ``member``: 512 bytes, or three or more blocks where PAX records are needed.

    The default owner is KitOps'; ids are below 2,097,152, and no length depends on them.
    """
    name = _encoded(member.name)
    main = _Main(b"5" if member.is_dir else b"0", member.mode, uid, gid, member.data_size)
    place = _place(name)
    if place is not None and main.size <= _MAX_OCTAL_SIZE:
        return _block(main, *place)
    records = b""
    if len(name) > 100 or not name.isascii():
        records = _record(b"path", name)
    if main.size > _MAX_OCTAL_SIZE:
        records += _record(b"size", b"%d" % main.size)
        main = main._replace(size=0)
    folder, slash, base = name.rpartition(b"/")
    title = _ascii(folder + slash + b"PaxHeaders.0/" + base)[:100].rstrip(b"/")
    extension = _block(_Main(b"x", 0, 0, 0, len(records)), title, devices=bytes(16))
    return extension + records + bytes(padding(len(records))) + _block(main, _ascii(name))


def padding(size: int) -> int:
    """How many zero bytes follow ``size`` bytes of data."""
    return -size % BLOCK


def total_size(members: Iterable[Member]) -> int:
    """Bytes of the archive of ``members``, ``END`` included."""
    return sum(_length(member) for member in members) + len(END)


def offset_of(members: Iterable[Member], name: str) -> int:
    """Where the data of ``name`` starts in the archive of ``members``.

    Raises:
        NotFound: none of ``members`` has that name.
    """
    at = 0
    for member in members:
        if member.name == name:
            return at + len(header(member))
        at += _length(member)
    raise NotFound(f"{name} is not in the layer")


def members_of(files: Iterable[Member]) -> list[Member]:
    """The entries of a KitOps layer, in the order of Go's ``filepath.Walk``: names of a directory sorted by byte, a
    directory before what is in it.

    ``files`` may be in any order. Their ancestor directories are added with mode 0755; a directory that none of them
    is in has to be among them (KitOps writes one for each that it walks through and does not ignore).
    """
    found: dict[str, Member] = {}
    for member in files:
        found[member.name] = member
        parent = member.name.rpartition("/")[0]
        while parent and parent not in found:
            found[parent] = Member(parent, 0o755, is_dir=True)
            parent = parent.rpartition("/")[0]
    return sorted(found.values(), key=lambda member: _encoded(member.name).split(b"/"))


class _Main(NamedTuple):
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int


def _block(main: _Main, name: bytes, prefix: bytes = b"", devices: bytes = b"0000000\0" * 2) -> bytes:
    start = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (_name_field(name), main.mode, main.uid, main.gid, main.size, 0)
    rest = main.kind + bytes(100) + b"ustar\x0000" + bytes(64) + devices + prefix.ljust(155 + 12, b"\0")
    return start + b"%06o\0 " % (sum(start) + 8 * 0x20 + sum(rest)) + rest


def _name_field(name: bytes) -> bytes:
    field = bytearray(name[:100].ljust(100, b"\0"))
    if len(name) > 100 and field[99:] == b"/":  # Go keeps old readers from taking a cut name for a directory's
        field[len(name[:99].rstrip(b"/"))] = 0
    return bytes(field)


def _place(name: bytes) -> tuple[bytes, bytes] | None:
    """The name and prefix fields of USTAR, or None where ``name`` does not fit them."""
    if not name.isascii():
        return None
    if len(name) <= 100:
        return name, b""
    cut = name.rfind(b"/", 0, 156)
    if cut <= 0 or not 0 < len(name) - cut - 1 <= 100:
        return None
    return name[cut + 1 :], name[:cut]


def _record(key: bytes, value: bytes) -> bytes:
    body = b" %s=%s\n" % (key, value)
    digits = len(b"%d" % len(body))
    digits = len(b"%d" % (len(body) + digits))  # the length counts its own digits
    return b"%d" % (len(body) + digits) + body


def _length(member: Member) -> int:
    return len(header(member)) + member.data_size + padding(member.data_size)


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _ascii(name: bytes) -> bytes:
    return bytes(byte for byte in name if byte < 0x80)


# -- reading -------------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """An entry as read. ``kind`` is ``file``, ``dir``, ``hardlink``, ``symlink``, ``device``, ``fifo`` or ``other``.

    ``mode`` holds the twelve permission bits, ``size`` the bytes of content at ``offset`` of the archive, ``link`` what
    a link points to. Nothing here is checked for safety: names may be absolute, hold ``..`` or be empty.
    """

    name: str
    kind: str
    mode: int
    size: int
    offset: int
    link: str


class Forward:
    """``read_at`` over a stream that cannot seek. ``read(size)`` gives up to ``size`` bytes, none at the end."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._position = 0

    def read_at(self, offset: int, size: int) -> bytes:
        """The bytes there, fewer where the stream ends; what lies before ``offset`` is dropped.

        Raises:
            ValueError: ``offset`` lies behind what was read.
        """
        if offset < self._position:
            raise ValueError(f"offset {offset} of the stream is gone, it is at {self._position}")
        while self._position < offset and self._take(min(offset - self._position, _SKIP)):
            pass
        out = b""
        while len(out) < size and (data := self._take(size - len(out))):
            out += data
        return out

    def _take(self, size: int) -> bytes:
        data = self._read(size)
        self._position += len(data)
        return data


def entries(read_at: Callable[[int, int], bytes]) -> Iterator[Entry]:
    """The entries of an uncompressed tar, in order, up to its two zero blocks.

    ``read_at(offset, size)`` gives fewer than ``size`` bytes only where the archive ends. It is asked for headers only,
    at rising offsets and not before the next entry is wanted: data may be read in between through the same ``Forward``.

    Raises:
        Corrupt: not a tar, damaged, or cut short. Whether the last data is whole shows after the last entry only.
        Unsupported: sparse files; PAX headers that give a name or size to every entry after them.
    """
    at = 0
    pax: dict[str, bytes] = {}
    gnu: dict[str, bytes] = {}
    while (block := _exactly(read_at, at, BLOCK)) != _ZERO:
        _check(block, at)
        kind, size, data = block[156:157], _number(block[124:136], at), at + BLOCK
        if kind not in _EXTENSIONS:
            entry = _entry(block, data, pax | gnu)
            at = data + entry.size + padding(entry.size)
            yield entry
            pax, gnu = {}, {}
            continue
        if size > MAX_EXTENSION:
            raise _corrupt(f"has an extended header of {size} bytes", at)
        payload = _exactly(read_at, data, size)
        if kind in b"LK":
            gnu["path" if kind == b"L" else "linkpath"] = payload.partition(b"\0")[0]
        elif kind == b"x":
            pax = _records(payload, at)
        elif _records(payload, at):
            raise Unsupported("the tar has a global header that names or sizes entries")
        at = data + size + padding(size)
    if pax or gnu or _exactly(read_at, at + BLOCK, BLOCK) != _ZERO:
        raise _corrupt("does not end as a tar does", at)


_EXTENSIONS = (b"x", b"g", b"L", b"K")
_KINDS = {
    **dict.fromkeys((b"0", b"\0", b"7"), "file"),
    **dict.fromkeys((b"3", b"4"), "device"),
    b"1": "hardlink",
    b"2": "symlink",
    b"5": "dir",
    b"6": "fifo",
}


def _entry(block: bytes, data: int, extended: dict[str, bytes]) -> Entry:
    flag, at = block[156:157], data - BLOCK
    if flag == b"S":
        raise Unsupported("the tar holds a sparse file")
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and block[345] and "path" not in extended:
        name = f"{_text(block[345:500])}/{name}"
    name = _decoded(extended["path"]) if "path" in extended else name
    kind = _KINDS.get(flag, "other")
    if flag == b"\0" and name.endswith("/"):  # how tar wrote directories before ustar
        kind = "dir"
    size = _decimal(extended["size"], at) if "size" in extended else _number(block[124:136], at)
    return Entry(
        name=name.rstrip("/") if kind == "dir" else name,
        kind=kind,
        mode=_number(block[100:108], at) & 0o7777,
        size=size if kind in ("file", "other") else 0,
        offset=data,
        link=_decoded(extended["linkpath"]) if "linkpath" in extended else _text(block[157:257]),
    )


def _records(payload: bytes, at: int) -> dict[str, bytes]:
    """The PAX records that change what an entry is; an empty value takes back an earlier one."""
    found: dict[str, bytes] = {}
    while payload:
        digits, space, _ = payload.partition(b" ")
        length = int(digits) if space and digits.isdigit() and len(digits) < 9 else 0
        record, payload = payload[len(digits) + 1 : length], payload[length:]
        key, equals, value = record[:-1].partition(b"=")
        if not record.endswith(b"\n") or not equals or not key or len(digits) + 1 + len(record) != length:
            raise _corrupt("has a malformed PAX record", at)
        if key.startswith(b"GNU.sparse."):
            raise Unsupported("the tar holds a sparse file")
        if key in (b"path", b"linkpath", b"size"):
            if b"\0" in value:
                raise _corrupt("has a name with a NUL", at)
            found[key.decode()] = value
    return {key: value for key, value in found.items() if value}


def _check(block: bytes, at: int) -> None:
    rest = block[:148] + b" " * 8 + block[156:]
    said, total = _number(block[148:156], at), sum(rest)
    if said not in (total, total - 256 * sum(byte > 127 for byte in rest)):  # some old tars summed signed bytes
        raise _corrupt("has a header with a wrong checksum", at)


def _number(field: bytes, at: int) -> int:
    if field[0] & 0x80:  # base-256, two's complement: the second bit is the sign
        value = int.from_bytes(field, "big") - (0x80 << 8 * (len(field) - 1))
        if field[0] & 0x40 or value > _MAX_SIZE:
            raise _corrupt("has a number out of range", at)
        return value
    text = field.strip(b" \0").partition(b"\0")[0]
    if text.translate(None, b"01234567"):
        raise _corrupt("has a number that is not octal", at)
    return int(text, 8) if text else 0


def _decimal(text: bytes, at: int) -> int:
    if not text.isdigit() or len(text) > 19 or int(text) > _MAX_SIZE:
        raise _corrupt("has a size that is not a number of bytes", at)
    return int(text)


def _text(field: bytes) -> str:
    return _decoded(field.partition(b"\0")[0])


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _exactly(read_at: Callable[[int, int], bytes], offset: int, size: int) -> bytes:
    data = read_at(offset, size)
    if len(data) != size:
        raise _corrupt("is cut short", offset)
    return data


def _corrupt(what: str, at: int) -> Corrupt:
    return Corrupt(f"the tar {what} at byte {at}")
