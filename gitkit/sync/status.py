"""Where the large files of the worktree stand: changed, staged, without content, not pushed."""

from typing import NamedTuple

from gitkit.errors import Unsupported
from gitkit.git.repository import Repository
from gitkit.store.layout import ImageLayout
from gitkit.sync import pointers
from gitkit.sync.checkout import still_pointers
from gitkit.sync.fsck import has_head
from gitkit.sync.pointers import Need, PointerFile

_CONFLICTS = frozenset({"DD", "AU", "UD", "UA", "DU", "AA", "UU"})
"""What `git status --porcelain` says of unmerged paths (git-status(1))."""


class Status(NamedTuple):
    """``staged`` and ``changed`` hold Git's letter and the path; ``unpushed`` is None without a Git remote."""

    branch: str
    files: list[PointerFile]
    conflicts: list[bytes]
    staged: list[tuple[str, bytes]]
    changed: list[tuple[str, bytes]]
    missing: list[PointerFile]
    unpushed: list[Need] | None


def status(repository: Repository, store: ImageLayout, *, remote: str | None) -> Status:
    """The status of all large files. Needs no network: ``unpushed`` compares with the remote-tracking refs.

    Raises:
        Unsupported: there is no worktree.
    """
    if repository.worktree is None:
        raise Unsupported("this is a bare repository: it has no files that could be changed", hint="git kit fsck")
    git = repository.git
    files = pointers.in_index(git)
    known = {file.path for file in files}
    if has_head(git):
        known.update(file.path for file in pointers.in_tree_alone(git, "HEAD"))
    conflicts, staged, changed = _changes(repository, known)
    pending = still_pointers(repository, files)
    missing = [file for file in pending if not store.holds(file.pointer.digest, file.pointer.size)]
    branch = git.ask("symbolic-ref", "-q", "--short", "HEAD") or "(no branch)"
    return Status(branch, files, conflicts, staged, changed, missing, unpushed(repository, remote))


def unpushed(repository: Repository, remote: str | None) -> list[Need] | None:
    """What HEAD needs and no remote-tracking ref has; None where there is no Git remote."""
    if remote is None:
        return None
    if not has_head(repository.git):
        return []
    head = repository.git.text("rev-parse", "HEAD")
    return pointers.in_range(repository.git, [head], [], remote=remote)


def _changes(
    repository: Repository, known: set[bytes]
) -> tuple[list[bytes], list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    """Paths in conflict, then those that differ between HEAD and index, and between index and worktree."""
    out = repository.git.run("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames")
    conflicts, staged, changed = [], [], []
    for record in out.split(b"\0")[:-1]:
        letters, path = record[:2].decode(), record[3:]
        if path in known and letters in _CONFLICTS:
            conflicts.append(path)
        elif path in known:
            if letters[0] not in " ?!":
                staged.append((letters[0], path))
            if letters[1] not in " ?!":
                changed.append((letters[1], path))
    return conflicts, staged, changed
