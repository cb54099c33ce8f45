"""The git command that started this process, where the system tells: Linux, by ``/proc``.

Git does not say what it wants a filter's content for. `git diff` and `git log -p` want it for ``diff.kit.textconv``
alone, which knows the content of a pointer by itself: with the pointer for an answer Git neither holds whole files in
memory nor writes them to temporary ones, and nothing is downloaded to be looked at.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from gitkit.git.filters import VALUES
from gitkit.git.run import Git

_SHOWING = frozenset({b"diff", b"log", b"show", b"whatchanged", b"diff-tree", b"diff-index", b"diff-files"})
"""Commands that write no file of the worktree, whatever their options."""

_COMPARING = frozenset({b"status", b"diff", b"diff-index", b"diff-files"})
"""Commands that have files cleaned and store no object, whatever their options."""

_WITH_VALUE = frozenset(
    {b"-c", b"-C", b"--git-dir", b"--work-tree", b"--namespace", b"--config-env", b"--attr-source", b"--super-prefix"}
)
_SHELLS = frozenset({b"sh", b"dash", b"bash", b"ash", b"busybox", b"zsh", b"ksh"})
_TEXTCONV = "diff.kit.textconv"
_GENERATIONS = 3  # git may start us through a shell


class Caller(NamedTuple):
    """``words`` is the command as it was started, ``environ`` the variables that it was started with."""

    words: Sequence[bytes]
    environ: Sequence[bytes]


def find() -> Caller | None:
    """The git that started this process; None where that cannot be told."""
    pid = _git()
    return Caller(_read(pid, "cmdline"), _read(pid, "environ")) if pid is not None else None


def has_open(path: str) -> bool:
    """Whether the git that started this process has the file ``path`` open."""
    try:
        with os.scandir(f"/proc/{_git()}/fd") as entries:
            return os.path.realpath(path) in [os.readlink(entry.path) for entry in entries]
    except OSError:
        return False


def _git() -> int | None:
    pid = os.getppid()
    for _ in range(_GENERATIONS):
        words = _read(pid, "cmdline")
        name = os.path.basename(words[0]) if words else b""
        if name == b"git":
            return pid
        if name not in _SHELLS:
            return None
        pid = _parent(pid)
    return None


def only_shows(caller: Caller) -> bool:
    """Whether the command compares versions and writes no file of the worktree."""
    if any(setting.startswith(b"GIT_EXTERNAL_DIFF=") for setting in caller.environ):
        return False  # `git difftool`, for one: another program gets the files
    return _command(caller) in _SHOWING


def only_compares(caller: Caller) -> bool:
    """Whether the command wants to know about the worktree's files, and puts none of them into Git."""
    return _command(caller) in _COMPARING


def _command(caller: Caller) -> bytes | None:
    words = iter(caller.words[1:])
    for word in words:
        if word in _WITH_VALUE:
            next(words, None)
        elif not word.startswith(b"-"):
            return word
    return None


def compares_by_textconv(git: Git, path: bytes) -> bool:
    """Whether Git compares versions of ``path`` by `git kit textconv` and nothing else.

    One git process for each path, and one for the configuration; asked again, none.
    """
    return _is_set_up(git) and _driver(git, path) == b"kit"


@lru_cache
def _is_set_up(git: Git) -> bool:
    out = git.ask("config", "--null", "--get-regexp", r"^diff\.(external|kit\..*)$") or ""
    settings = dict(record.partition("\n")[::2] for record in out.split("\0")[:-1])
    return settings.get(_TEXTCONV) == VALUES[_TEXTCONV] and not settings.keys() & {"diff.external", "diff.kit.command"}


@lru_cache(maxsize=4096)
def _driver(git: Git, path: bytes) -> bytes:
    """The attribute ``diff``."""
    return git.run("check-attr", "-z", "diff", "--", path).split(b"\0")[2]


def _read(pid: int, name: str) -> list[bytes]:
    """A list of texts of a process; nothing where it cannot be seen."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().split(b"\0")[:-1]
    except OSError:
        return []


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # After the program's name, which may hold anything: state, then the parent.
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
