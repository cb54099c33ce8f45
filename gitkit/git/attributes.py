"""Which paths are under ``filter=kit``, and the lines of ``.gitattributes`` that say so."""

import os
from collections.abc import Iterable

from gitkit.git.run import Git

FILE = ".gitattributes"
ATTRIBUTES = "filter=kit diff=kit merge=kit -text"


def tracked(git: Git, paths: Iterable[bytes], *, cached: bool = False) -> set[bytes]:
    """Those of ``paths`` that the filter applies to. One git process; ``cached`` asks the index's attributes."""
    names = list(paths)
    if not names:
        return set()
    args = ["check-attr", "-z", "--stdin", *(["--cached"] if cached else []), "filter"]
    fields = git.run(*args, stdin=b"".join(name + b"\0" for name in names)).split(b"\0")
    return {path for path, value in zip(fields[0::3], fields[2::3], strict=False) if value == b"kit"}


def patterns(text: bytes) -> list[str]:
    """The patterns that ``.gitattributes`` puts under the filter, in their order, as a person would type them."""
    found = []
    for line in text.splitlines():
        pattern, values = _split(line)
        if pattern and b"filter=kit" in values:
            found.append(os.fsdecode(pattern))
    return found


def with_pattern(text: bytes, pattern: str) -> bytes:
    """``text`` with a line for ``pattern`` at its end; unchanged where it has one. The file's line ends are kept."""
    if pattern in patterns(text):
        return text
    end = b"\r\n" if b"\r\n" in text else b"\n"
    if text and not text.endswith(b"\n"):
        text += end
    return text + _quoted(pattern) + b" " + ATTRIBUTES.encode() + end


def without_pattern(text: bytes, pattern: str) -> bytes:
    """``text`` without the filter line of ``pattern``; all other lines stay byte for byte."""
    wanted = os.fsencode(pattern)
    kept = []
    for line in text.splitlines(keepends=True):
        name, values = _split(line)
        if not (name == wanted and b"filter=kit" in values):
            kept.append(line)
    return b"".join(kept)


def _quoted(pattern: str) -> bytes:
    # gitattributes(5): a pattern with white space or a leading quote is written in C style between double quotes.
    if not any(char in pattern for char in ' \t"\n\\') and not pattern.startswith(("#", "!")):
        return os.fsencode(pattern)
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n")
    return b'"' + os.fsencode(escaped) + b'"'


def _split(line: bytes) -> tuple[bytes, list[bytes]]:
    line = line.strip()
    if line.startswith(b"#"):
        return b"", []
    if line.startswith(b'"'):
        end = 1
        while end < len(line) and line[end : end + 1] != b'"':
            end += 2 if line[end : end + 1] == b"\\" else 1
        inner = line[1:end].replace(b"\\t", b"\t").replace(b"\\n", b"\n")
        return inner.replace(b'\\"', b'"').replace(b"\\\\", b"\\"), line[end + 1 :].split()
    words = line.split()
    return (words[0], words[1:]) if words else (b"", [])
