"""Paths as people see them. Git's paths are bytes; nothing in one may act as a control sequence on a terminal."""

import os

_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def show_path(path: bytes | str) -> str:
    """A path for people: quoted as Git does where it holds control characters or bytes that are not UTF-8."""
    raw = os.fsencode(path)
    text = raw.decode("utf-8", "surrogateescape")
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return '"' + "".join(_quoted(char) for char in text) + '"'


def _quoted(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if char.isprintable():
        return char
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(char))


def is_inside(path: str) -> bool:
    """Whether a relative path with ``/`` names something inside of the folder that it is relative to."""
    parts = path.split("/")
    return bool(path) and not path.startswith("/") and "\0" not in path and not {"", ".", ".."} & set(parts)
