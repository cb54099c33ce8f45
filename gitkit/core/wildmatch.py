"""Git's patterns for paths (``wildmatch.c``, gitignore(5)) as regular expressions over bytes."""

import re
from collections.abc import Callable

_NAMED = re.compile(rb"\[:([^]]*):\]")
_CLASSES: dict[bytes, Callable[[bytes], bool]] = {
    b"alnum": lambda char: char.isalnum(),
    b"alpha": lambda char: char.isalpha(),
    b"blank": lambda char: char in b" \t",
    b"cntrl": lambda char: ord(char) < 32 or ord(char) == 127,
    b"digit": lambda char: char.isdigit(),
    b"graph": lambda char: 32 < ord(char) < 127,
    b"lower": lambda char: char.islower(),
    b"print": lambda char: 31 < ord(char) < 127,
    b"punct": lambda char: 32 < ord(char) < 127 and not char.isalnum(),
    b"space": lambda char: char.isspace(),
    b"upper": lambda char: char.isupper(),
    b"xdigit": lambda char: char in b"0123456789abcdefABCDEF",
}


def translate(pattern: bytes, *, anchored: bool) -> bytes | None:
    """The regular expression, for ``re.DOTALL``; None for a broken pattern, which matches nothing.

    ``anchored`` patterns are for whole paths: only in them ``**`` stands for any folders.
    """
    out, at = b"", 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        if char == b"*":
            piece, at = _stars(pattern, at, anchored)
        elif char == b"?":
            piece, at = b"[^/]", at + 1
        elif char == b"[":
            found = _bracket(pattern, at)
            if found is None:
                return None
            piece, at = found
        elif char == b"\\":
            if at + 1 == len(pattern):
                return None
            piece, at = re.escape(pattern[at + 1 : at + 2]), at + 2
        else:
            piece, at = re.escape(char), at + 1
        out += piece
    return out


def _stars(pattern: bytes, at: int, anchored: bool) -> tuple[bytes, int]:
    end = at
    while pattern[end : end + 1] == b"*":
        end += 1
    opens = at == 0 or pattern[at - 1 : at] == b"/"
    if anchored and end - at >= 2 and opens:
        if end == len(pattern):
            return b".*", end
        if pattern[end : end + 1] == b"/":
            return b"(?:.*/)?", end + 1
    return b"[^/]*", end


def _bracket(pattern: bytes, at: int) -> tuple[bytes, int] | None:
    """A character class as the bytes that it takes, and where it ends; None where it does not."""
    at += 1
    negated = pattern[at : at + 1] in (b"!", b"^")
    at += negated
    taken: set[int] = set()
    first = True
    while first or pattern[at : at + 1] != b"]":
        first = False
        found = _named_class(pattern, at) if _NAMED.match(pattern, at) else _range(pattern, at)
        if found is None:
            return None
        taken |= found[0]
        at = found[1]
    if negated:
        taken = set(range(256)) - taken
    taken -= set(b"/")
    return (b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(taken)) + b"]" if taken else b"(?!)"), at + 1


def _named_class(pattern: bytes, at: int) -> tuple[set[int], int] | None:
    found = _NAMED.match(pattern, at)
    if found is None or found[1] not in _CLASSES:
        return None
    return {byte for byte in range(128) if _CLASSES[found[1]](bytes([byte]))}, found.end()


def _range(pattern: bytes, at: int) -> tuple[set[int], int] | None:
    start = _member(pattern, at)
    if start is None:
        return None
    low, at = start
    if pattern[at : at + 1] == b"-" and pattern[at + 1 : at + 2] not in (b"]", b""):
        end = _member(pattern, at + 1)
        if end is None:
            return None
        return {low, *range(low, end[0] + 1)}, end[1]
    return {low}, at


def _member(pattern: bytes, at: int) -> tuple[int, int] | None:
    at += pattern[at : at + 1] == b"\\"
    return (pattern[at], at + 1) if at < len(pattern) else None
