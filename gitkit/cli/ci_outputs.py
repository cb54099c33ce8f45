"""What commands leave behind for the CI system that runs them: outputs of a GitHub step and its summary, a dotenv file
for GitLab. ``docs/ci.md`` shows all of them.

Values may come from people (reasons, names of tags and authors): none of them starts another output, or is read as
Markdown or HTML.
"""

import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence

import click

from gitkit.errors import KitError, PartlyDone

MAX_SUMMARY = 1 << 20
"""Bytes of a step's summary; GitHub shows nothing of a larger one (docs.github.com, "Workflow commands")."""

MAX_DOTENV = 5 << 10
"""Bytes that GitLab takes unless its administrator raised the limit (docs.gitlab.com, "dotenv" report)."""

_CUT = "\n\n(cut: the summary of a step is not longer)\n"

dotenv_option = click.option(
    "--dotenv", metavar="FILE", help="Write the outcome to FILE, for GitLab's artifacts:reports:dotenv."
)


def publish(
    environ: Mapping[str, str],
    outputs: Mapping[str, str],
    summary: str,
    *,
    dotenv: str | None = None,
    done: str = "it is done",
) -> None:
    """Append ``outputs`` to ``$GITHUB_OUTPUT`` and ``summary`` (Markdown) to ``$GITHUB_STEP_SUMMARY``, where they are
    set, and write ``outputs`` to the file ``dotenv``, where it is given.

    Keys are lower-case words. In the dotenv file ``digest`` is ``KIT_DIGEST``.

    Raises:
        PartlyDone: a file cannot be written; the message begins with ``done``, what was done until then.
    """
    step, page = environ.get("GITHUB_OUTPUT"), environ.get("GITHUB_STEP_SUMMARY")
    try:
        if step:
            _append(step, "".join(_output(key, value) for key, value in outputs.items()).encode())
        if page:
            _append(page, _fitting(page, summary))
        if dotenv:
            _write(dotenv, "".join(_line(key, value) for key, value in outputs.items()).encode())
    except (OSError, KitError) as error:
        why = error.strerror if isinstance(error, OSError) else error.message
        raise PartlyDone(
            f"{done}, but the outputs for CI cannot be written: {why}", hint="the same command again finishes it"
        ) from error


# -- GitHub --------------------------------------------------------------------------------------------------------


def _append(path: str, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


def _output(key: str, value: str) -> str:
    if value.isprintable():
        return f"{key}={value}\n"
    # Nobody who writes a value can know the word that ends it.
    end = f"end_{secrets.token_hex(16)}"
    return f"{key}<<{end}\n{value}\n{end}\n"


def _fitting(path: str, summary: str) -> bytes:
    try:
        room = MAX_SUMMARY - os.stat(path).st_size
    except FileNotFoundError:
        room = MAX_SUMMARY
    data = summary.encode("utf-8", "replace")
    if len(data) <= room:
        return data
    kept = data[: max(room - len(_CUT), 0)].decode("utf-8", "ignore")
    return (kept.rpartition("\n")[0] + _CUT).encode()[: max(room, 0)]


# -- GitLab --------------------------------------------------------------------------------------------------------


_NOT_IN_DOTENV = re.compile(r"""[^!-~]|["'`$]""")


def _line(key: str, value: str) -> str:
    """One line without spaces and quotes, which GitLab does not take, nor ``$``, which it would expand."""
    return f"KIT_{key.upper()}={_NOT_IN_DOTENV.sub('_', value)}\n"


def _write(path: str, data: bytes) -> None:
    from gitkit.git.replace import replace_file

    if len(data) > MAX_DOTENV:
        raise KitError(f"{path} would have {len(data)} bytes, and GitLab takes {MAX_DOTENV}")
    replace_file(os.path.abspath(path), data)


# -- Markdown ------------------------------------------------------------------------------------------------------

_SPECIAL = re.compile(r"[\\`*_{}\[\]()<>#!|~&@$:^]|(?<=www)\.", re.IGNORECASE)


def escape(text: str) -> str:
    """``text`` as one line of Markdown that shows exactly this: no markup, HTML, link or mention."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", line)


def code(text: str) -> str:
    """``text`` (a digest, an oid, a name without backticks) as code; anything else as by ``escape``."""
    return f"`{text}`" if text and re.fullmatch(r"[!-_a-{}~]+", text) and "|" not in text else escape(text)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown. Empty without rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}", *lines]) + "\n"


def section(title: str, *parts: str) -> str:
    """A part of a page: ``title`` (Markdown), then what is there of ``parts``."""
    return "\n\n".join([f"### {title}", *(part.rstrip("\n") for part in parts if part)]) + "\n\n"


def commands(lines: Sequence[str]) -> str:
    """Commands to copy. They hold names of versions and environments, which hold no backtick and no line end."""
    return "To check it:\n\n```sh\n" + "\n".join(lines) + "\n```"
