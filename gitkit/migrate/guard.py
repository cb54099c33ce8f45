"""When history is not rewritten: what a person has in work would be lost, or cannot be told from what was there."""

import os

from gitkit.core.paths import show_path
from gitkit.errors import Conflict, Unsupported
from gitkit.git import refs
from gitkit.git.attributes import FILE
from gitkit.git.repository import Repository
from gitkit.git.run import FILTER_OFF

_IN_PROGRESS = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "sequencer": "sequence of picks",
    "BISECT_LOG": "bisect",
}
_SHOWN = 3


def refuse_unfinished(repository: Repository) -> None:
    """Return when nothing is in progress and worktree and index are as HEAD says.

    Raises:
        Conflict
    """
    for name, what in _IN_PROGRESS.items():
        if os.path.exists(os.path.join(repository.git_dir, name)):
            raise Conflict(f"a {what} is in progress", hint="finish it, or give it up, then try again")
    if repository.worktree is not None:
        _refuse_changes(repository)


def refuse_shallow(repository: Repository) -> None:
    """Return when all of the history is here.

    Raises:
        Unsupported
    """
    if repository.git.text("rev-parse", "--is-shallow-repository") == "true":
        raise Unsupported("this clone is shallow: its history has no beginning", hint="git fetch --unshallow")


def refuse_elsewhere(repository: Repository, moved: set[str]) -> None:
    """Return when no other worktree has a branch of ``moved`` (full names) checked out.

    Raises:
        Conflict
    """
    own = os.path.realpath(repository.worktree) if repository.worktree is not None else None
    for branch, folder in refs.checked_out(repository.git).items():
        if f"refs/heads/{branch}" in moved and os.path.realpath(folder) not in (own, repository.git_dir):
            raise Conflict(
                f"{branch} is checked out in the worktree {folder}",
                hint=f"there: git switch --detach; or remove it: git worktree remove {folder}",
            )


def _refuse_changes(repository: Repository) -> None:
    changed = changes(repository)
    if changed:
        listed = ", ".join(show_path(path) for path in changed[:_SHOWN])
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise Conflict(f"there are changes that are in no commit: {listed}{more}", hint="git commit, or git stash")
    path = os.path.join(repository.root, FILE)
    if os.path.lexists(path) and not repository.git.run("ls-files", "--cached", "--", FILE):
        raise Conflict(f"{FILE} is in no commit, and would be overwritten", hint=f"git add {FILE} && git commit")


def changes(repository: Repository, *, of_worktree: bool = False) -> list[bytes]:
    """Paths that differ from HEAD; with ``of_worktree`` only files that differ from the index.

    A file that Git holds as content and the filter would make a pointer of is not changed: it is what an import is for.
    """
    changed = _status(repository, (), of_worktree)
    if changed:
        unfiltered = set(_status(repository, FILTER_OFF, of_worktree))
        changed = [path for path in changed if path in unfiltered]
    return changed


def _status(repository: Repository, options: tuple[str, ...], of_worktree: bool) -> list[bytes]:
    args = ["status", "--porcelain", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules=dirty"]
    records = repository.git.run(*options, *args).split(b"\0")[:-1]
    return [record[3:] for record in records if not of_worktree or record[1:2] != b" "]
