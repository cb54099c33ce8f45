"""Which commits a migration looks at, and which branches and tags hold them."""

from collections.abc import Sequence
from typing import NamedTuple

from gitkit.errors import NotFound, UsageError
from gitkit.git import objects
from gitkit.git.run import Git

LOCAL = ("refs/heads", "refs/tags")


class Scope(NamedTuple):
    """``commits``: oids, parents before children, which are what `git rev-list` makes of ``revs``. ``words`` says for
    the person which they are.
    """

    commits: list[str]
    revs: list[str]
    words: str


def unpublished(git: Git) -> Scope:
    """Commits of the current branch that no remote-tracking branch has.

    Raises:
        NotFound: there is no branch, or no commit.
    """
    branch = git.ask("symbolic-ref", "-q", "--short", "HEAD")
    if branch is None:
        raise NotFound("HEAD is on no branch", hint="name branches or tags, or say --everything")
    if git.ask("rev-parse", "-q", "--verify", "HEAD^{commit}") is None:
        raise NotFound(f"{branch} has no commit yet")
    return _listed(git, ["HEAD", "--not", "--remotes"], f"of {branch} that no remote-tracking branch has")


def everything(git: Git) -> Scope:
    """Commits of all local branches and tags, and of HEAD."""
    head = ["HEAD"] if git.ask("rev-parse", "-q", "--verify", "HEAD^{commit}") is not None else []
    return _listed(git, ["--branches", "--tags", *head], "of all local branches and tags")


def history_of(git: Git, revs: Sequence[str]) -> Scope:
    """All commits that ``revs`` lead to.

    Raises:
        NotFound: one is no revision.
    """
    return _listed(git, [objects.resolve(git, rev) for rev in revs], f"of {', '.join(revs)}")


def choose(git: Git, revs: Sequence[str], *, all_refs: bool) -> Scope:
    """Commits as the command line names them.

    Raises:
        UsageError: in two ways at once.
        NotFound: as the others here.
    """
    if all_refs and revs:
        raise UsageError("--everything names all branches and tags already", hint="leave either out")
    if all_refs:
        return everything(git)
    return history_of(git, revs) if revs else unpublished(git)


def check_local(git: Git, names: Sequence[str]) -> None:
    """Return when each of ``names`` is a local branch or tag, which can be moved.

    Raises:
        NotFound
    """
    for name in names:
        refs = [name] if name.startswith("refs/") else [f"{folder}/{name}" for folder in LOCAL]
        if not any(ref.startswith(LOCAL) and git.ask("show-ref", "--verify", "--", ref) for ref in refs):
            raise NotFound(f'"{name}" is no local branch or tag', hint="list them: git branch; git tag")


def holding(git: Git, commits: Sequence[str], *, but: set[str]) -> list[str]:
    """Local branches and tags, and the stash, that hold one of ``commits``; without those in ``but``."""
    if not commits:
        return []
    contains = [f"--contains={oid}" for oid in commits]
    found = git.text("for-each-ref", "--format=%(refname)", *contains, *LOCAL, "refs/stash").split("\n")
    return [ref for ref in found if ref and ref not in but]


def _listed(git: Git, revs: list[str], words: str) -> Scope:
    commits = git.text("rev-list", "--topo-order", "--reverse", *revs).split()
    count = "1 commit" if len(commits) == 1 else f"{len(commits)} commits"
    return Scope(commits, revs, f"{count} {words}")
