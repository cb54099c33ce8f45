"""Commits and annotated tags as the bytes that Git stores, with other objects named in them.

Everything else stays byte for byte: authors, dates, encodings, messages, headers that nobody knows. A signature covers
what has changed, so it goes, and whoever calls is told.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

_SIGNATURES = (b"gpgsig", b"gpgsig-sha256")
_HEADER = re.compile(rb"[^\n]*\n(?: [^\n]*\n)*|[^\n]+")
_SIGNED_TAG = re.compile(rb"^-----BEGIN (?:PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----", re.MULTILINE)


class CommitText(NamedTuple):
    """The objects that a commit names, as hex."""

    tree: str
    parents: tuple[str, ...]


class Rewritten(NamedTuple):
    """``unsigned``: a signature was left out."""

    data: bytes
    unsigned: bool


def parse_commit(data: bytes) -> CommitText:
    """Tree and parents of a commit."""
    tree, parents = "", []
    for key, field in _fields(data):
        if key == b"tree":
            tree = _value(field)
        elif key == b"parent":
            parents.append(_value(field))
    return CommitText(tree, tuple(parents))


def rewrite_commit(data: bytes, tree: str, parents: Sequence[str], renamed: Mapping[str, str]) -> Rewritten:
    """The commit ``data`` with another tree and other parents.

    The tags that came with merges (``mergetag``) go with their signatures where what they name is ``renamed``.
    """
    left = iter(parents)
    fields = []
    unsigned = False
    for key, field in _fields(data):
        if key == b"tree":
            fields.append(b"tree %s\n" % tree.encode())
        elif key == b"parent":
            fields.append(b"parent %s\n" % next(left).encode())
        elif key in _SIGNATURES or (key == b"mergetag" and _names_renamed(field, renamed)):
            unsigned = True
        else:
            fields.append(field)
    return Rewritten(b"".join(fields) + _message(data), unsigned)


def tag_target(data: bytes) -> tuple[str, str]:
    """What an annotated tag names: oid and type."""
    values = {key: _value(field) for key, field in _fields(data)}
    return values.get(b"object", ""), values.get(b"type", "")


def rewrite_tag(data: bytes, target: str) -> Rewritten:
    """The annotated tag ``data`` of another object."""
    fields, unsigned = [], False
    for key, field in _fields(data):
        if key in _SIGNATURES:
            unsigned = True
        else:
            fields.append(b"object %s\n" % target.encode() if key == b"object" else field)
    message = _message(data)
    starts = [found.start() for found in _SIGNED_TAG.finditer(message)]
    if starts:
        message, unsigned = message[: starts[-1]], True
    return Rewritten(b"".join(fields) + message, unsigned)


def _names_renamed(mergetag: bytes, renamed: Mapping[str, str]) -> bool:
    # The tag is the header's value; its own first line is "object <oid>".
    return _value(mergetag).split(" ")[-1] in renamed


def _value(field: bytes) -> str:
    return field.split(b"\n", 1)[0].partition(b" ")[2].decode("ascii", "replace")


def _message(data: bytes) -> bytes:
    """From the empty line that ends the headers on."""
    return data[_end_of_headers(data) :]


def _fields(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each header: its name, and all of its lines (those that follow the first begin with a space)."""
    for found in _HEADER.finditer(data[: _end_of_headers(data)]):
        yield found[0].split(b"\n", 1)[0].partition(b" ")[0], found[0]


def _end_of_headers(data: bytes) -> int:
    end = data.find(b"\n\n")
    return len(data) if end < 0 else end + 1
