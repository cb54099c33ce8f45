"""Where a repository's parts are. Read once; the values do not change while a command runs."""

import os
from dataclasses import dataclass

from gitkit.errors import NotFound, Unsupported
from gitkit.git.run import Git, GitError

_INSIDE = ("--is-inside-work-tree", "--is-inside-git-dir")
_BETWEEN = "--//"
"""Git repeats what it does not know, and no absolute path has this in a line: paths may have line ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Absolute paths. ``worktree`` is None in a bare repository; ``git`` runs at its root (or in the git directory)."""

    worktree: str | None
    git_dir: str
    common_dir: str
    git: Git

    @property
    def root(self) -> str:
        """What relative paths in settings are relative to."""
        return self.worktree or self.git_dir

    def path(self, relative: bytes) -> bytes:
        """The absolute path of a file of the worktree.

        Raises:
            Unsupported: there is no worktree.
        """
        if self.worktree is None:
            raise Unsupported("this is a bare repository: it has no files to check out")
        return os.path.join(os.fsencode(self.worktree), relative)


def discover(git: Git) -> Repository:
    """The repository that ``git`` runs in.

    Raises:
        NotFound: there is none.
    """
    try:
        out = _read(git, "--is-bare-repository", *_INSIDE, "--absolute-git-dir", _BETWEEN, "--git-common-dir")
    except GitError as error:
        if "not a git repository" in error.stderr.lower():
            raise NotFound(
                "this is not a Git repository", hint="run the command inside one, or make one: git init"
            ) from error
        raise
    head, _, common = out.partition(f"\n{_BETWEEN}\n")
    bare, in_worktree, in_git_dir, git_dir = head.split("\n", 3)
    if bare != "true" and in_worktree != "true" and in_git_dir == "true":
        raise NotFound("this is inside .git, not in the worktree", hint="run the command one folder up")
    # With GIT_WORK_TREE set the current folder may be anywhere.
    worktree = _read(git, "--show-toplevel") if bare != "true" else None
    common_dir = os.path.normpath(os.path.join(git.directory, common))
    if worktree is None:
        return Repository(worktree=None, git_dir=git_dir, common_dir=common_dir, git=git.at(git_dir))
    return Repository(worktree=worktree, git_dir=git_dir, common_dir=common_dir, git=git.at(worktree))


def _read(git: Git, *options: str) -> str:
    """What rev-parse says; only the last line end is its own."""
    return os.fsdecode(git.run("rev-parse", *options).removesuffix(b"\n"))
