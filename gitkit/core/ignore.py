"""``.kitignore``: which files of a commit stay out of its kit.

The grammar is that of ``.dockerignore`` (patterns from the root, ``**``, ``?``, character classes, ``!`` exceptions,
the last match wins, a matched directory takes what is in it), because that is what KitOps applies to the same file.
"""

import re
from collections.abc import Callable

_ALWAYS = ("Kitfile", "kitfile", ".kitfile", ".kitignore")


def parse_ignore(text: str) -> Callable[[str], bool]:
    """A function that tells whether a path (from the root, with slashes) is ignored."""
    rules = [rule for line in text.splitlines() if (rule := _rule(line)) is not None]
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


def _rule(line: str) -> tuple[bool, re.Pattern[str]] | None:
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    ignore = not line.startswith("!")
    cleaned = "/".join(part for part in line.lstrip("!").strip().split("/") if part not in ("", "."))
    return (ignore, re.compile(_regex(cleaned))) if cleaned else None


def _regex(pattern: str) -> str:
    out = ""
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            out, at = out + ".*", at + 2
        elif char == "*":
            out, at = out + "[^/]*", at + 1
        elif char == "?":
            out, at = out + "[^/]", at + 1
        elif char == "[" and (end := pattern.find("]", at + 2)) > 0:
            inner = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out, at = out + f"[{inner}]", end + 1
        elif char == "\\" and at + 1 < len(pattern):
            out, at = out + re.escape(pattern[at + 1]), at + 2
        else:
            out, at = out + re.escape(char), at + 1
    return out
