"""The worktrees of a clone, linked ones included, whether their folders can be reached or not."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from gitkit.errors import Corrupt
from gitkit.git.run import Git


class Place(NamedTuple):
    """One worktree: Git's folder for it, and its own folder where that is there."""

    git_dir: str
    folder: str | None
    git: Git

    def resolve(self, names: Iterable[str]) -> list[str]:
        """The oids of those ``names`` (revisions) that exist. One git process."""
        lines = "".join(f"{name}\n" for name in names).encode()
        out = self.git.run("cat-file", "--batch-check", "--buffer", stdin=lines).decode("utf-8", "replace")
        return [words[0] for line in out.splitlines() if len(words := line.split(" ")) == 3 and words[2].isdigit()]

    def head(self, refs: Iterable[str]) -> str | None:
        """The oid of HEAD; None before the first commit. ``refs`` are all that exist.

        Raises:
            Corrupt: HEAD names a commit that is not there.
        """
        oids = self.resolve(["HEAD"])
        if oids:
            return oids[0]
        branch = self.git.ask("symbolic-ref", "-q", "HEAD")
        if branch is None or branch in set(refs):
            raise Corrupt(f"HEAD of {self.folder or self.git_dir} names a commit that is missing", hint="git fsck")
        return None


def places(git: Git, common_dir: str, main: str | None) -> list[Place]:
    """All worktrees of the repository at ``common_dir``, the main one first (in a bare repository it has no folder).

    ``main`` is the main worktree's folder where the caller knows it; else it is found out.
    """
    inside = git.inside(common_dir)
    main = main or main_folder(inside, common_dir)
    found = [Place(common_dir, main, git.inside(common_dir, main))]
    for git_dir in linked(common_dir):
        folder = _linked_folder(git_dir)
        found.append(Place(git_dir, folder, git.inside(git_dir, folder)))
    return found


def linked(common_dir: str) -> list[str]:
    """Git's folders for the linked worktrees."""
    try:
        with os.scandir(os.path.join(common_dir, "worktrees")) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir())
    except FileNotFoundError:
        return []


def main_folder(git: Git, common_dir: str) -> str | None:
    """The folder of the main worktree, by Git's own rules; ``git`` works inside of ``common_dir``."""
    if git.ask("config", "--type=bool", "core.bare") == "true":
        return None
    configured = git.ask("config", "core.worktree")  # submodules
    if configured is not None:
        return _existing(os.path.join(common_dir, configured))
    return os.path.dirname(common_dir) if os.path.basename(common_dir) == ".git" else None


def _linked_folder(git_dir: str) -> str | None:
    try:
        with open(os.path.join(git_dir, "gitdir"), "rb") as file:
            named = os.fsdecode(file.read().rstrip(b"\r\n"))
    except OSError:
        return None
    # Git can write it relative to this folder (worktree.useRelativePaths).
    return _existing(os.path.dirname(os.path.join(git_dir, named)))


def _existing(path: str) -> str | None:
    path = os.path.realpath(path)
    return path if os.path.isdir(path) else None
