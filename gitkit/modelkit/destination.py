"""Where an import goes, and what it must not touch there: work that is in no commit, and names that collide."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gitkit.core.events import Sink, ignore
from gitkit.core.paths import show_path
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, InvalidFile, Unsupported
from gitkit.git import attributes, commits, objects
from gitkit.git.objects import TreeEntry
from gitkit.git.repository import Repository
from gitkit.git.run import Git
from gitkit.modelkit.intake import KITFILES
from gitkit.modelkit.names import Names
from gitkit.store.layout import ImageLayout

_SHOWN = 5

Tree = Mapping[bytes, TreeEntry]
"""Every file of a commit, by path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where an import goes. ``folder`` is a path in the repository, "" for its root.

    Content of pointers goes to ``remote``; to the store where that is None; nowhere where ``move`` is False.
    """

    repository: Repository
    store: ImageLayout
    remote: Remote | None
    folder: str = ""
    move: bool = True
    max_plain_size: int
    transfers: int = 4
    emit: Sink = ignore

    def path(self, inner: str) -> bytes:
        """The path in the repository of a file that is imported as ``inner``."""
        return f"{self.folder}/{inner}".encode() if self.folder else inner.encode()


def check(place: Destination, paths: Sequence[str]) -> None:
    """Whether files can be imported as ``paths``; ask before anything travels.

    Raises:
        Conflict: there is work in these places that is in no commit, or names that collide with others.
        InvalidFile: Git does not know who commits.
        Unsupported: there is no worktree.
    """
    if place.repository.worktree is None:
        raise Unsupported("this is a bare repository: an import needs a worktree")
    git = place.repository.git
    commits.check_identity(git)
    tree = tree_of(git, head_of(git))
    ours = [place.path(path) for path in paths]
    kitfile = kitfile_path(place, tree)
    _refuse_collisions(tree, [*ours, kitfile])
    touched = [*ours, kitfile, place.path(attributes.FILE)]
    changed = commits.changed_paths(place.repository, touched)
    if changed:
        lines = "\n".join(f"  {show_path(path)}" for path in changed[:_SHOWN])
        more = f"\n  and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise Conflict(
            f"the import would replace what is in no commit:\n{lines}{more}",
            hint="commit, stash or move these first",
        )


def head_of(git: Git) -> str | None:
    """The current commit; None on a branch without one."""
    return git.ask("rev-parse", "-q", "--verify", "HEAD^{commit}")


def tree_of(git: Git, head: str | None) -> Tree:
    """The files of ``head``."""
    return {} if head is None else {entry.path: entry for entry in objects.list_tree(git, head)}


def kitfile_path(place: Destination, tree: Tree) -> bytes:
    """That of the present Kitfile, which is replaced; else a new one."""
    return next((place.path(name) for name in KITFILES if place.path(name) in tree), place.path(KITFILES[0]))


def _refuse_collisions(tree: Tree, paths: Sequence[bytes]) -> None:
    """Names that some disk takes for one with a file of this repository, or that need a folder where a file is."""
    names = Names()
    for path in tree.keys() - set(paths):
        with suppress(InvalidFile):  # collisions of its own are this repository's business
            names.claim(os.fsdecode(path))
    for path in paths:
        entry = tree.get(path)
        if entry is not None and not entry.mode.startswith("100"):
            raise Conflict(f"{show_path(path)} is a link or submodule in this repository")
        try:
            names.claim(path.decode())
        except InvalidFile as error:
            raise Conflict(
                f"{show_path(path)} collides with a file of this repository: {error.message}",
                hint="import into a folder: git kit import REFERENCE FOLDER",
            ) from error
