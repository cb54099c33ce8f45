"""Paths and texts as people see them. Git's paths are bytes; names, reasons and what servers say come from anybody:
nothing in them may act as a control sequence on a terminal, or pass for a line of ours.
"""

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


def show_word(path: bytes | str) -> str:
    """A path as one word of a command for a shell: quoted where it must be, as ``$'...'`` where it holds what
    ``show_path`` quotes.
    """
    raw = os.fsencode(path)
    text = raw.decode("utf-8", "surrogateescape")
    if text.isprintable():
        from shlex import quote

        return quote(text)
    return "$'" + "".join("\\'" if char == "'" else '"' if char == '"' else _quoted(char) for char in text) + "'"


def show_text(text: str) -> str:
    """A text of any origin on one line: what acts on a terminal, line ends too, is spelled out (``\\n``, ``\\x1b``)."""
    return text if text.isprintable() else "".join(map(_spelled, text))


def show_lines(text: str) -> str:
    """As ``show_text``, but line ends stay."""
    return "\n".join(map(show_text, text.split("\n")))


def show_message(text: str) -> str:
    """As ``show_lines``, with all lines but the first indented: none of them passes for an error or hint of ours."""
    first, *others = show_lines(text).split("\n")
    return "\n".join([first, *(line if line.startswith(" ") or not line else f"  {line}" for line in others)])


def _spelled(char: str) -> str:
    return char.encode("unicode_escape").decode() if _acts(char) else char


def _acts(char: str) -> bool:
    """Whether a character steers terminal or reading direction, or is half of one. Some letters need two others."""
    from unicodedata import category

    return category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in "\u00ad\u200c\u200d"


def is_inside(path: str) -> bool:
    """Whether a relative path with ``/`` names something inside of the folder that it is relative to."""
    parts = path.split("/")
    return bool(path) and not path.startswith("/") and "\0" not in path and not {"", ".", ".."} & set(parts)
