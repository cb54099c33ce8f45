"""``.kitignore``: which files of a commit stay out of its kit.

The grammar is that of ``.dockerignore`` as moby's ``patternmatcher`` reads it (patterns from the root, ``**``, ``?``,
character classes, ``!`` exceptions, the last match wins, a matched directory takes what is in it), because that is what
KitOps applies to the same file.
"""

import posixpath
import re
from collections.abc import Callable

from gitkit.errors import InvalidFile

FILE = ".kitignore"
_ALWAYS = ("Kitfile", "kitfile", ".kitfile", FILE)

_MEMBER = r"(?:\\.|[^\\\]-])"
_RANGE = re.compile(rf"({_MEMBER})(?:-({_MEMBER}))?", re.DOTALL)
_CLASS = re.compile(rf"\[\^?(?:{_MEMBER}(?:-{_MEMBER})?)+\]", re.DOTALL)
_SPECIAL = frozenset("*?[]\\")


def parse_ignore(text: str) -> Callable[[str], bool]:
    """A function that tells whether a path (from the root, with slashes) is ignored.

    Raises:
        InvalidFile: a line is not a pattern.
    """
    lines = enumerate(text.removeprefix("\ufeff").split("\n"), start=1)
    rules = [rule for number, line in lines if (rule := _rule(line, number)) is not None]
    rules += [(True, re.compile(re.escape(name))) for name in _ALWAYS]

    def ignored(path: str) -> bool:
        parts = path.split("/")
        parents = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        verdict = False
        for ignore, pattern in rules:
            if any(pattern.fullmatch(parent) for parent in parents):
                verdict = ignore
        return verdict

    return ignored


def _rule(line: str, number: int) -> tuple[bool, re.Pattern[str]] | None:
    pattern = line.strip()
    if not pattern or line.startswith("#"):
        return None
    ignore = not pattern.startswith("!")
    wanted = pattern if ignore else pattern[1:].strip()
    try:
        if not wanted:
            raise ValueError("nothing follows the !")
        return ignore, re.compile(_regex(posixpath.normpath(wanted).lstrip("/").strip()))
    except (ValueError, re.error) as error:
        raise InvalidFile(f'{FILE} line {number}: "{pattern}" is not a pattern: {error}') from error


def _regex(pattern: str) -> str:
    out = ""
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            rest = pattern[at + 2 :]
            out, at = out + _any_depth(rest, first=at == 0), at + (3 if rest.startswith("/") else 2)
        elif char == "*":
            out, at = out + "[^/]*", at + 1
        elif char == "?":
            out, at = out + "[^/]", at + 1
        elif char == "[":
            text = _character_class(pattern, at)
            out, at = out + _for_python(text), at + len(text)
        elif char == "\\":
            if at + 1 == len(pattern):
                raise ValueError("nothing follows the backslash")
            out, at = out + re.escape(pattern[at + 1]), at + 2
        else:
            out, at = out + re.escape(char), at + 1
    return out


def _any_depth(rest: str, *, first: bool) -> str:
    """What ``**`` before ``rest`` matches: folders, but also a part of a name at the very end, or before plain text."""
    if not rest or (first and not rest.startswith("/") and _SPECIAL.isdisjoint(rest)):
        return ".*"
    return "(?:.*/)?"


def _character_class(pattern: str, at: int) -> str:
    found = _CLASS.match(pattern, at)
    if found is None:
        raise ValueError("the [ starts no character class")
    return found[0]


def _for_python(text: str) -> str:
    """The class, escaped: Python's ``re`` would also see nested sets and set operations in it."""
    start = 2 if text.startswith("[^") else 1
    ranges = [found.groups() for found in _RANGE.finditer(text[start:-1])]
    inner = "".join("-".join(re.escape(end[-1]) for end in ends if end) for ends in ranges)
    return f"{text[:start]}{inner}]"
