"""Small blobs into Git's object store in one go: a pack of our own making that git checks and keeps.

Format: gitformat-pack(5), version 2, whole objects only. Safe to repeat and with several processes: an object that
exists already does no harm.
"""

import hashlib
import zlib
from collections.abc import Iterable

from gitkit.git.run import Git

_LOOSE_UP_TO = 100
"""So few blobs become loose objects, as from `git add`; more of them stay together in their pack."""

_BLOB = 3 << 4
_MORE = 0x80


def object_format(git: Git) -> str:
    """``sha1`` or ``sha256``: what oids of this repository are."""
    return git.text("rev-parse", "--show-object-format")


def oid_of(content: bytes, hash_name: str) -> str:
    """The oid of a blob with this content."""
    return hashlib.new(hash_name, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def write_blobs(git: Git, contents: Iterable[bytes], hash_name: str) -> None:
    """Store each content as a blob.

    Raises:
        GitError: git cannot write them; nothing was stored.
    """
    # In the order of their text the same blobs are the same pack, so a second try adds nothing.
    unique = sorted(set(contents))
    if not unique:
        return
    args = ["unpack-objects", "-q"] if len(unique) <= _LOOSE_UP_TO else ["index-pack", "--stdin"]
    git.run(*args, stdin=_pack(unique, hash_name))


def _pack(contents: list[bytes], hash_name: str) -> bytes:
    pieces = [b"PACK", (2).to_bytes(4, "big"), len(contents).to_bytes(4, "big")]
    for content in contents:
        pieces += (_header(len(content)), zlib.compress(content, 1))
    pack = b"".join(pieces)
    return pack + hashlib.new(hash_name, pack, usedforsecurity=False).digest()


def _header(size: int) -> bytes:
    """Type and size: four bits of the size in the first byte, seven in each that follows."""
    first, rest = _BLOB | (size & 0x0F), size >> 4
    header = bytearray([first | _MORE if rest else first])
    while rest:
        header.append((rest & 0x7F) | (_MORE if rest >> 7 else 0))
        rest >>= 7
    return bytes(header)
