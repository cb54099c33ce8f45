"""Lines of ``.gitattributes`` that put files under Git LFS, turned into git kit's (gitattributes(5)). Pure."""

import os
import re
from typing import NamedTuple

_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_BOM = b"\xef\xbb\xbf"
_PATTERN = re.compile(rb"""[ \t]*(\"(?:[^"\\]|\\.)*\"|[^ \t\r\n]+)""")
_WORD = re.compile(rb"[ \t]+([^ \t\r\n]+)")
_OF_LFS = frozenset({b"filter=lfs", b"diff=lfs", b"merge=lfs", b"-text"})


class Dropped(NamedTuple):
    """An attribute that a line loses: it means nothing without Git LFS, or would make content of a pointer."""

    pattern: str
    attribute: str


class Switched(NamedTuple):
    """``patterns`` as the file writes them, those whose lines changed."""

    text: bytes
    patterns: list[str]
    dropped: list[Dropped]


def switched(text: bytes) -> Switched:
    """``text`` with git kit in the place of Git LFS. Other lines, white space and line ends stay byte for byte.

    A line keeps the drivers for diff and merge that it names itself. Doing it again changes nothing.
    """
    lines: list[bytes] = []
    patterns: list[str] = []
    dropped: list[Dropped] = []
    for number, line in enumerate(_LINE.findall(text)):
        bom = _BOM if number == 0 and line.startswith(_BOM) else b""
        found = _PATTERN.match(line, len(bom))
        words = list(_WORD.finditer(line, found.end())) if found else []
        if found is None or found[1].startswith(b"#") or b"filter=lfs" not in [word[1] for word in words]:
            lines.append(line)
            continue
        pattern = os.fsdecode(found[1])
        patterns.append(pattern)
        dropped += [Dropped(pattern, os.fsdecode(word[1])) for word in words if _is_lost(word[1])]
        end = line[words[-1].end() :]
        lines.append(line[: found.end()] + b"".join(_rewritten(words)) + end)
    return Switched(b"".join(lines), patterns, dropped)


def _rewritten(words: list[re.Match[bytes]]) -> list[bytes]:
    names = {_name(word[1]) for word in words if word[1] not in _OF_LFS}
    kept = [word for word in words if word[1] == b"filter=lfs" or not (word[1] in _OF_LFS or _is_lost(word[1]))]
    ours = [b"filter=kit"]
    ours += [driver + b"=kit" for driver in (b"diff", b"merge") if not {driver, b"binary"} & names]
    replacement = b" ".join([*ours, b"-text"])
    return [word[0][: -len(word[1])] + (replacement if word[1] == b"filter=lfs" else word[1]) for word in kept]


def _is_lost(word: bytes) -> bool:
    # With any other value of `text` or `eol` Git may turn the line ends of a pointer, which is then none.
    return _name(word) == b"lockable" or (_name(word) in (b"text", b"crlf", b"eol") and word != b"-text")


def _name(word: bytes) -> bytes:
    return word.lstrip(b"-!").partition(b"=")[0]
