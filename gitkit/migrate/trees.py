"""Git trees as bytes and as entries (git's ``Documentation/technical/`` on trees): what is read is written the same.

Modes keep their spelling, also an old ``100664``; names are any bytes.
"""

from typing import NamedTuple

FOLDERS = (b"40000", b"040000")


class Entry(NamedTuple):
    """``oid`` in binary."""

    mode: bytes
    name: bytes
    oid: bytes

    @property
    def is_folder(self) -> bool:
        return self.mode in FOLDERS

    @property
    def is_file(self) -> bool:
        return self.mode.startswith(b"100")


def parse_tree(data: bytes, width: int) -> list[Entry]:
    """The entries of a tree, in their order; ``width`` is the length of an oid in bytes."""
    entries = []
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        entries.append(Entry(data[at:space], data[space + 1 : end], data[end + 1 : end + 1 + width]))
        at = end + 1 + width
    return entries


def format_tree(entries: list[Entry]) -> bytes:
    """The tree with ``entries``, which are in Git's order."""
    return b"".join(b"%s %s\0%s" % entry for entry in entries)


def put(entries: list[Entry], new: Entry) -> list[Entry]:
    """``entries`` with ``new`` in the place of the one with its name, or in its place in Git's order."""
    kept = [entry for entry in entries if entry.name != new.name]
    return sorted([*kept, new], key=_order)


def _order(entry: Entry) -> bytes:
    # Git compares folders as if their names ended with a slash.
    return entry.name + b"/" if entry.is_folder else entry.name
