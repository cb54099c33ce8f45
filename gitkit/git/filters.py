"""``filter.kit.*``, ``diff.kit.*`` and ``merge.kit.*`` in Git's configuration: what makes Git run git kit.

One scope at a time is written; Git itself merges them. ``required`` is always set: without it Git stores content as it
is where the filter fails, and reads whole files into memory.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from gitkit.errors import Denied, Locked, UsageError
from gitkit.git.run import Git, GitError

Scope = Literal["global", "local", "worktree", "system"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

SECTIONS = ("filter.kit", "diff.kit", "merge.kit")
VALUES = {
    "filter.kit.clean": "git-kit clean -- %f",
    "filter.kit.smudge": "git-kit smudge -- %f",
    "filter.kit.process": "git-kit filter-process",
    "filter.kit.required": "true",
    # Not with cachetextconv: what is shown changes when content arrives, and the cache would be pushed as notes.
    "diff.kit.textconv": "git-kit textconv --",
    "merge.kit.name": "text by lines, other large files by choosing a side",
    "merge.kit.driver": "git-kit merge-driver -- %O %A %B %L %P",
    # Where histories cross, Git merges their common ancestors first. That result must not be a side that nobody chose.
    "merge.kit.recursive": "binary",
}
PREFERENCES = frozenset(key for key in VALUES if not key.startswith("filter."))
"""What Git shows and merges may be set otherwise by a person; the filter must be this one."""

_KEYS = r"^(filter|diff|merge)\.kit\."


class Setting(NamedTuple):
    """One line of one configuration file; ``scope`` as Git names it (``command`` for ``git -c``)."""

    scope: str
    origin: str
    key: str
    value: str


def read(git: Git) -> list[Setting]:
    """Every setting of git kit that Git sees here, in its order: the last one of a key wins."""
    args = ["config", "--null", "--show-scope", "--show-origin", "--get-regexp", _KEYS]
    fields = (git.ask(*args) or "").split("\0")
    found = []
    for scope, origin, setting in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
        key, newline, value = setting.partition("\n")
        found.append(Setting(scope, origin, key, value if newline else "true"))
    return found


def in_force(git: Git) -> dict[str, Setting]:
    """The setting of each key that counts."""
    return {setting.key: setting for setting in read(git)}


def is_configured(git: Git) -> bool:
    """Whether Git runs this git kit here, wherever that is configured."""
    return not wrong(in_force(git))


def wrong(found: Mapping[str, Setting]) -> list[str]:
    """The keys that are missing in ``found``, or that make Git run something else."""
    return [
        key
        for key, value in VALUES.items()
        if key not in found or (found[key].value != value and key not in PREFERENCES)
    ]


def install(git: Git, scope: Scope) -> bool:
    """Set what is missing or different in ``scope``; whether there was anything.

    Raises:
        UsageError: the scope is ``worktree`` and this repository has no configuration by worktree.
        Denied, Locked: the file cannot be written, or not now.
    """
    _check(git, scope)
    present: dict[str, list[str]] = {}
    for setting in _in_scope(git, scope):
        present.setdefault(setting.key, []).append(setting.value)
    stale = {key: value for key, value in VALUES.items() if present.get(key) != [value]}
    for key, value in stale.items():
        _write(git, scope, "--replace-all", key, value)
    return bool(stale)


def uninstall(git: Git, scope: Scope) -> bool:
    """Remove the sections from ``scope``; whether any was there.

    Raises:
        UsageError, Denied, Locked: as ``install``.
    """
    _check(git, scope)
    present = {setting.key.rpartition(".")[0] for setting in _in_scope(git, scope)}
    for section in SECTIONS:
        if section in present:
            _write(git, scope, "--remove-section", section)
    return bool(present)


def _in_scope(git: Git, scope: Scope) -> list[Setting]:
    out = git.ask("config", f"--{scope}", "--null", "--get-regexp", _KEYS) or ""
    found = []
    for record in out.split("\0")[:-1]:
        key, newline, value = record.partition("\n")
        found.append(Setting(scope, "", key, value if newline else "true"))
    return found


def _check(git: Git, scope: Scope) -> None:
    if scope == "worktree" and git.ask("config", "--type=bool", "extensions.worktreeConfig") != "true":
        raise UsageError(
            "this repository keeps no configuration by worktree", hint="git config extensions.worktreeConfig true"
        )


def _write(git: Git, scope: Scope, *args: str) -> None:
    try:
        git.run("config", f"--{scope}", *args)
    except GitError as error:
        if "could not lock config file" not in error.stderr:
            raise
        what = f"cannot write the {scope} Git configuration: {error.stderr}"
        if error.stderr.endswith("File exists"):
            raise Locked(what, hint="another git is writing it, or was killed: then delete that .lock file") from error
        hint = "run the command as an administrator" if scope == "system" else "check who owns the file"
        raise Denied(what, hint=hint) from error
