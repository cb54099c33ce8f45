"""Writes `share/`: the manual page and the completion scripts, from the commands themselves.

Run it after changing a command's name, help or options: ``python docs/make_man.py``. A test compares. It takes another
folder as its argument. Sections follow man-pages(7); the same commands give the same bytes.
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from gitkit.cli import table
from gitkit.cli.described import Described, described, everything, usage
from gitkit.cli.shells import SCRIPTS

_COMPLETIONS = {
    "bash": "bash-completion/completions/git-kit",
    "zsh": "zsh/site-functions/_git-kit",
    "fish": "fish/vendor_completions.d/git-kit.fish",
}

_START = r""".\" Made by docs/make_man.py from the commands. Do not edit.
.TH GIT-KIT 1 "" "git kit" "Git Manual"
.SH NAME
git-kit \- Git as a model registry
.SH SYNOPSIS
.B git kit
.I COMMAND
.RI [ ARGUMENTS ]
.SH DESCRIPTION
Large files are pointers in Git and blobs in any OCI registry.
A tag is a ModelKit, a branch is an environment, and a rollback is a commit.
.PP
.B git kit install
sets up Git once for each person,
.B git kit init
a repository, and
.B git kit doctor
says what is wrong and the command that mends it.
Data goes to standard output, everything else to standard error; commands that read have
.BR \-\-json .
"""

_END = r""".SH EXIT STATUS
0 done, 1 failed, 2 usage, 3 bug, 10 not found, 11 corrupt, 12 denied, 13 conflict, 14 network, 15 locked,
16 invalid file, 17 unsupported, 18 gate refused, 19 partly done, 130 interrupted, 141 closed pipe.
.SH CONFIGURATION
Settings of a clone or a person, for
.BR git\-config (1):
.TP
.B kit.url
The remote, before what .gitkit.toml says.
.TP
.B kit.remote
The Git remote that branches and tags go to, when it is not origin.
.TP
.B kit.strict
A checkout fails where content is missing, instead of leaving the pointer.
.TP
.B kit.maxPlainSize
From which size on a file that nothing tracks is refused in a commit (50m).
.TP
.B kit.transfers
How many blobs travel at once (4).
.TP
.B kit.allowCommands
.I .gitkit.toml
may name commands to run.
.SH ENVIRONMENT
.TP
.B GIT_KIT_SKIP_SMUDGE
Set to 1, every checkout leaves pointers: for jobs that need no content.
.SH FILES
.TP
.I .gitkit.toml
Remote, releases and environments, for everyone.
.TP
.I Kitfile
What a kit holds.
.TP
.I .gitattributes
Which files are tracked: lines with filter=kit.
.TP
.I .git/kit
The store, an OCI image layout.
.SH SEE ALSO
.BR git (1),
.BR gitattributes (5),
.BR githooks (5)
"""


def files() -> dict[str, str]:
    """Every generated file: path below ``share`` and content."""
    commands = list(everything())
    made = {path: SCRIPTS[shell](commands) for shell, path in _COMPLETIONS.items()}
    return {"man/man1/git-kit.1": _START + "".join(_groups()) + _END, **made}


def _groups() -> Iterator[str]:
    for group, rows in table.GROUPS:
        yield f".SH {group.upper()} COMMANDS\n"
        for row in rows:
            yield from _command(described(row.name))


def _command(item: Described) -> Iterator[str]:
    yield f".SS {_roff(usage(item))}\n"
    yield from _paragraphs(item.command.help or item.help)
    for option in item.options:
        if option.names == ("-h", "--help"):
            continue
        names = ", ".join(rf"\fB{_roff(name)}\fP" for name in option.names)
        value = rf" \fI{_roff(option.value)}\fP" if option.value else ""
        yield f".TP\n{names}{value}\n{_roff(option.help)}\n"
    lines = inspect.cleandoc(item.command.epilog or "").replace("\b", "").strip().splitlines()
    if lines:
        yield (
            ".PP\nExample:\n.PP\n.in +4n\n.nf\n"
            + "".join(f"{_roff(line.strip())}\n" for line in lines[1:])
            + ".fi\n.in\n"
        )
    for inner in item.inner:
        yield from _command(inner)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).replace("\b\n", "").split("\n\n"):
        yield f".PP\n{_code(_roff(' '.join(paragraph.split())))}\n"


def _code(text: str) -> str:
    """What stands between backquotes in bold."""
    parts = text.split("`")
    return "".join(rf"\fB{part}\fP" if number % 2 else part for number, part in enumerate(parts))


def _roff(text: str) -> str:
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main(argv: list[str]) -> None:
    """Write every file below the folder that is given, else below ``share``."""
    folder = Path(argv[0]) if argv else Path(__file__).parent.parent / "share"
    for path, text in files().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
