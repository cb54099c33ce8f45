"""What a hook file says: git kit's script, git kit's lines in another script, or a wrapper around another program.

Pure: bytes in, bytes out. In another shell script git kit's lines come first, because a script may end with ``exec`` or
``exit``, or read all of standard input; they run in a subshell and hand standard input on. What cannot take such lines
(another language, a binary, a link) is kept under ``SAVED`` and run by the wrapper.
"""

import re

SAVED = ".before-git-kit"
"""What the name of a hook gets when the wrapper takes its place."""

_SHEBANG = b"#!/bin/sh\n"
_HEADER = b"# git kit hook"
_FIRST = b'# >>> git kit: added by "git kit install", removed by "git kit uninstall" >>>\n'
_LAST = b"# <<< git kit <<<\n"

_SHELL = re.compile(rb"#![ \t]*(/\S+/)?(env[ \t]+(-\S+[ \t]+)*)?(/\S+/)?(ba|da|a|k|mk|z)?sh([ \t][^\n]*)?\n")
_FULL_SCRIPT_OF_ANOTHER_LANGUAGE = re.compile(rb"""exec['"]?[ \t][^\n]*\$\{?0""")
# husky up to version 8 runs the script again from this line: in front of it git kit would run twice.
_HUSKY_LINE = re.compile(rb'^\.[ \t]+"\$\(dirname[^\n]*husky\.sh"[ \t]*\n', re.MULTILINE)

# What stands around git kit's commands. A pre-push hook reads the refs from standard input, and so may the other one.
_PRE_PUSH = (
    b"""git_kit_refs=$(mktemp) && cat >"$git_kit_refs" || exit 2
(
""",
    b""") <"$git_kit_refs" || { git_kit_code=$?; rm -f "$git_kit_refs"; exit "$git_kit_code"; }
exec <"$git_kit_refs"
rm -f "$git_kit_refs"
""",
)
_SUBSHELL = (b"(\n", b") || exit $?\n")
_AROUND = {"pre-push": _PRE_PUSH, "pre-commit": _SUBSHELL, "update": _SUBSHELL}


def is_own(text: bytes) -> bool:
    """Whether ``text`` is git kit's script or wrapper, of any version."""
    return text.startswith(_SHEBANG + _HEADER)


def has_lines(text: bytes) -> bool:
    """Whether ``text`` is another's script with git kit's lines in it."""
    return _FIRST in text and not is_own(text)


def takes_lines(text: bytes) -> bool:
    """Whether git kit's lines can be put into ``text``: a plain shell script, or one without ``#!`` (Git uses sh)."""
    if b"\0" in text or _FULL_SCRIPT_OF_ANOTHER_LANGUAGE.search(text):
        return False
    return not text.startswith(b"#!") or _SHELL.match(text) is not None


def with_lines(text: bytes, name: str, script: bytes) -> bytes:
    """``text`` with git kit's lines for the hook ``name``; lines of an earlier version are replaced."""
    bare = without_lines(text)
    at = 0
    if bare.startswith(b"#!"):
        at = bare.index(b"\n") + 1
    if husky := _HUSKY_LINE.search(bare):
        at = husky.end()
    return bare[:at] + _lines(name, script) + bare[at:]


def without_lines(text: bytes) -> bytes:
    """``text`` without git kit's lines: byte for byte what was there before.

    Raises:
        ValueError: the first of them is there and the last is not.
    """
    head, first, rest = text.partition(_FIRST)
    if not first:
        return text
    return head + rest[rest.index(_LAST) + len(_LAST) :]


def wrapper(name: str, script: bytes) -> bytes:
    """A hook that runs git kit and then what is kept beside it."""
    saved = f"{name}{SAVED}"
    return (
        _SHEBANG
        + f'{_HEADER.decode()}: runs git kit, then {saved}. "git kit uninstall" puts that back.\n'.encode()
        + _lines(name, script)
        + f'git_kit_saved=$(dirname "$0")/{saved}\n'.encode()
        + b'[ ! -x "$git_kit_saved" ] || exec "$git_kit_saved" "$@"\n'
    )


def _lines(name: str, script: bytes) -> bytes:
    before, after = _AROUND[name]
    commands = script.split(b"\n", 2)[2]  # without "#!" and header
    return _FIRST + before + commands + after + _LAST
