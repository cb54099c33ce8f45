"""Other repositories whose objects this one borrows: ``objects/info/alternates`` (gitrepository-layout(5)) and
``GIT_ALTERNATE_OBJECT_DIRECTORIES`` (git(1)).

Read as Git reads them: ``#`` begins a comment, a path in double quotes is escaped in C style, a relative one counts
from the objects folder that names it, and what the named ones name counts, too, five levels deep.
"""

import os
import re
from collections.abc import Iterator

_DEPTH = 5
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\([0-3][0-7]{2}|.)", re.DOTALL)
_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def borrowed(objects: str, listed: str) -> list[str]:
    """The objects folders that the one at ``objects`` borrows from, each once, without itself; only those that exist.

    ``listed`` is the value of ``GIT_ALTERNATE_OBJECT_DIRECTORIES``.
    """
    found: dict[str, None] = {}
    for path in _listed(listed):
        _follow(os.path.abspath(path), 1, found)
    for path in _named_by(objects):
        _follow(path, 1, found)
    found.pop(os.path.realpath(objects), None)
    return list(found)


def _follow(path: str, depth: int, found: dict[str, None]) -> None:
    path = os.path.realpath(path)
    if path in found or not os.path.isdir(path):
        return
    found[path] = None
    if depth < _DEPTH:
        for further in _named_by(path):
            _follow(further, depth + 1, found)


def _named_by(objects: str) -> Iterator[str]:
    try:
        with open(os.path.join(objects, "info", "alternates"), "rb") as file:
            lines = os.fsdecode(file.read()).split("\n")
    except OSError:
        return
    for line in lines:
        if line and not line.startswith("#"):
            quoted = _QUOTED.fullmatch(line)
            yield os.path.join(objects, _unescaped(quoted[1]) if quoted else line)


def _listed(text: str) -> Iterator[str]:
    """The paths of a list that is separated by colons, except inside of quotes."""
    at = 0
    while at < len(text):
        quoted = _QUOTED.match(text, at)
        if quoted is not None and text[quoted.end() : quoted.end() + 1] in ("", ":"):
            path, at = _unescaped(quoted[1]), quoted.end() + 1
        else:
            path, _, _ = text[at:].partition(":")
            at += len(path) + 1
        if path:
            yield path


def _unescaped(text: str) -> str:
    # Octal escapes are single bytes of a character.
    return os.fsdecode(os.fsencode(_ESCAPE.sub(_character, text)))


def _character(found: re.Match[str]) -> str:
    word = found[1]
    return os.fsdecode(bytes([int(word, 8)])) if len(word) == 3 else _CONTROLS.get(word, word)
