"""Which paths are under ``filter=kit``, and the lines of ``.gitattributes`` that say so (gitattributes(5))."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from gitkit.errors import UsageError
from gitkit.git.run import Git

FILE = ".gitattributes"
ATTRIBUTES = "filter=kit diff=kit merge=kit -text"

_MACRO = "[attr]"
_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_WORD = re.compile(rb"[^ \t\r\n]+")
# C style, as Git's quote.c reads it: what is not exactly this is taken as it stands, quotes included.
_IN_QUOTES = re.compile(rb"""\"((?:[^"\\]|\\[abfnrtv"\\]|\\[0-3][0-7]{2})*)\"""")
_ESCAPE = re.compile(rb"\\([abfnrtv\"\\]|[0-7]{3})")
_CONTROLS = dict(zip(b"abtnvfr", range(7, 14), strict=True))
_TO_ESCAPE = {
    **{code: f"\\{code:03o}" for code in (*range(1, 32), 127)},
    **{code: f"\\{chr(letter)}" for letter, code in _CONTROLS.items()},
    ord('"'): '\\"',
    ord("\\"): "\\\\",
}


def tracked(git: Git, paths: Iterable[bytes], *, cached: bool = False) -> set[bytes]:
    """Those of ``paths`` that the filter applies to. One git process; ``cached`` asks the index's attributes."""
    return {path for path, value in filters(git, paths, cached=cached).items() if value == b"kit"}


def filters(git: Git, paths: Iterable[bytes], *, cached: bool = False) -> dict[bytes, bytes]:
    """What the attribute `filter` is of each path: a name, ``unspecified``, or ``unset`` by `-filter`."""
    names = list(paths)
    if not names:
        return {}
    args = ["check-attr", "-z", "--stdin", *(["--cached"] if cached else []), "filter"]
    fields = git.run(*args, stdin=b"".join(name + b"\0" for name in names)).split(b"\0")
    return dict(zip(fields[0::3], fields[2::3], strict=False))


def of_person(git: Git, environ: Mapping[str, str]) -> str:
    """The file with the person's attributes for all repositories, which need not be there."""
    given = git.ask("config", "--type=path", "core.attributesFile")
    folder = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", ""), ".config")
    return given or os.path.join(folder, "git", "attributes")


class Rule(NamedTuple):
    """A line with its end, its pattern (empty in comments and empty lines) and the attributes that it gives."""

    line: bytes
    pattern: bytes
    values: list[bytes]


def rules(text: bytes) -> Iterator[Rule]:
    """The lines of a ``.gitattributes``, in their order; all of ``text`` is in their ``line``."""
    for number, line in enumerate(_LINE.findall(text)):
        yield _rule(line, line.removeprefix(_BOM) if number == 0 else line)


def patterns(text: bytes) -> list[str]:
    """The patterns that ``.gitattributes`` puts under the filter, in their order, as a person would type them."""
    return [os.fsdecode(pattern) for _, pattern in _lines(text) if pattern]


def with_pattern(text: bytes, pattern: str) -> bytes:
    """``text`` with a line for ``pattern`` at its end; unchanged where it has one. The file's line ends are kept.

    Raises:
        UsageError: Git would not take ``pattern`` for one.
    """
    _check(pattern)
    if pattern in patterns(text):
        return text
    end = b"\r\n" if b"\r\n" in text else b"\n"
    if text and not text.endswith(b"\n"):
        text += end
    return text + _quoted(pattern) + b" " + ATTRIBUTES.encode() + end


def without_pattern(text: bytes, pattern: str) -> bytes:
    """``text`` without the filter line of ``pattern``; all other lines stay byte for byte."""
    wanted = os.fsencode(pattern)
    return b"".join(line for line, found in _lines(text) if not wanted or found != wanted)


def _check(pattern: str) -> None:
    if pattern.startswith("!"):
        raise UsageError(
            f'"{pattern}" excludes, which .gitattributes cannot', hint=f"for names that begin with !: \\{pattern}"
        )
    if pattern.startswith(_MACRO):
        raise UsageError(f'"{pattern}" would define a macro', hint="write the class as [atr]")
    if not pattern or "\0" in pattern:
        raise UsageError("the pattern is empty" if not pattern else "a pattern holds no NUL")


def _quoted(pattern: str) -> bytes:
    # A pattern with white space, control characters or a leading quote is written in C style between double quotes.
    escaped = pattern.translate(_TO_ESCAPE)
    if escaped == pattern and " " not in pattern and not pattern.startswith(("#", _BOM.decode())):
        return os.fsencode(pattern)
    return b'"' + os.fsencode(escaped) + b'"'


def _lines(text: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """Each line with its end, and the pattern that it puts under the filter."""
    for rule in rules(text):
        # Git ignores negative patterns here, and [attr] defines a macro.
        names_files = not rule.pattern.startswith((b"!", _MACRO.encode()))
        yield rule.line, rule.pattern if b"filter=kit" in rule.values and names_files else None


def _rule(line: bytes, text: bytes) -> Rule:
    text = text.lstrip(b" \t\r\n")
    if text.startswith(b"#"):
        return Rule(line, b"", [])
    found = _IN_QUOTES.match(text)
    if found is not None:
        return Rule(line, _ESCAPE.sub(_unescaped, found[1]), _WORD.findall(text, found.end()))
    pattern, *values = _WORD.findall(text) or [b""]
    return Rule(line, pattern, values)


def _unescaped(found: re.Match[bytes]) -> bytes:
    text = found[1]
    if len(text) == 3:
        return bytes([int(text, 8)])
    return bytes([_CONTROLS.get(text[0], text[0])])
