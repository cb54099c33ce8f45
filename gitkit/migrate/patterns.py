"""Which files of a history a migration is about: patterns of gitattributes(5), over paths from the root.

A pattern without a slash takes names in any folder, one with a slash takes whole paths; ``**`` stands for any folders.
The grammar is that of Git's ``wildmatch.c``: here it is a regular expression over bytes, as a history has more paths
than git could be asked about.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from gitkit.errors import UsageError
from gitkit.setup.track import NEVER

_NOTHING = re.compile(rb"(?!)")
_NAMED = re.compile(rb"\[:([^]]*):\]")
_SPECIAL = b"\\*?["
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


def compile_pattern(pattern: bytes) -> re.Pattern[bytes]:
    """What ``pattern`` matches, for ``fullmatch`` on a path. Git takes a broken one for one that matches nothing."""
    if pattern.endswith(b"/") or not pattern:
        return _NOTHING  # folders have no attributes
    anchored = b"/" in pattern
    body = _translated(pattern.removeprefix(b"/"), anchored)
    if body is None:
        return _NOTHING
    return re.compile(body if anchored else rb"(?:.*/)?" + body, re.DOTALL)


def is_literal(pattern: bytes) -> bool:
    """Whether ``pattern`` takes one path at most, as what ``exact`` writes does."""
    return b"/" in pattern and not re.search(rb"(?<!\\)(?:\\\\)*[*?\[]", pattern)


def exact(path: bytes) -> str:
    """The pattern, for the ``.gitattributes`` of the folder that ``path`` starts in, that matches nothing else."""
    escaped = b"".join(b"\\" + bytes([byte]) if byte in _SPECIAL else bytes([byte]) for byte in path)
    return os.fsdecode(b"/" + escaped)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Files whose path matches one of ``include`` (any, when empty) and none of ``exclude``; of more than ``above``
    bytes where that is not None. With ``paths`` only these.

    Raises:
        UsageError: a pattern is none, or takes in what has to stay readable.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    above: int | None = None
    paths: frozenset[bytes] | None = None

    def __post_init__(self) -> None:
        for pattern in (*self.include, *self.exclude):
            _check(pattern)

    @property
    def by_pattern(self) -> bool:
        """Whether the patterns alone say which files are meant, so that they can be written down as they are."""
        return bool(self.include) and self.above is None and self.paths is None

    def includes(self, path: bytes) -> bool:
        """Whether ``path`` is meant, but for ``exclude``."""
        if self.paths is not None:
            return path in self.paths
        return (not self.include or self._included.fullmatch(path) is not None) and not _is_readable(path)

    def takes(self, path: bytes) -> bool:
        """Whether ``path`` is meant."""
        return self.includes(path) and not self._excluded.fullmatch(path)

    @cached_property
    def _included(self) -> re.Pattern[bytes]:
        return _any(self.include)

    @cached_property
    def _excluded(self) -> re.Pattern[bytes]:
        return _any(self.exclude)


def refuse_readable(patterns: Sequence[str]) -> None:
    """Refuse patterns that would put under the filter what Git or git kit must be able to read.

    Raises:
        UsageError
    """
    for pattern in patterns:
        taken = [name for name in NEVER if compile_pattern(os.fsencode(pattern)).fullmatch(name.encode())]
        if taken:
            raise UsageError(
                f'"{pattern}" takes in {taken[0]}, which must stay as it is', hint="name a suffix: '*.bin'"
            )


def _is_readable(path: bytes) -> bool:
    name = path.rpartition(b"/")[2]
    return name.startswith(b".git") or os.fsdecode(name) in NEVER


def _check(pattern: str) -> None:
    if not pattern or "\0" in pattern:
        raise UsageError("an empty pattern names nothing")
    if pattern.startswith("!"):
        raise UsageError(f'"{pattern}": what is not meant is named by --exclude', hint=f"--exclude '{pattern[1:]}'")
    if pattern.endswith("/"):
        raise UsageError(f'"{pattern}" is a folder, and a pattern takes files', hint=f"'{pattern}**'")


def _any(patterns: Sequence[str]) -> re.Pattern[bytes]:
    if not patterns:
        return _NOTHING
    compiled = [compile_pattern(os.fsencode(pattern)) for pattern in patterns]
    return re.compile(b"|".join(b"(?:%s)" % pattern.pattern for pattern in compiled), re.DOTALL)


# -- wildmatch -------------------------------------------------------------------------------------------------------


def _translated(pattern: bytes, anchored: bool) -> bytes | None:
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
