"""Branches here and on the Git remote: reading, fetching, and moving them so that a race is noticed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitkit.core.paths import show_text
from gitkit.errors import Conflict, Denied, NetworkError
from gitkit.git.run import Git, GitError

_UNREACHABLE = (
    "could not read from remote",
    "could not resolve",
    "unable to access",
    "connection",
    "does not appear to be a git repository",
)

_NO_ACCESS = (
    *("permission denied", "denied to", "not allowed", "authentication failed", "access denied"),
    *("could not read username", "could not read password", "returned error: 401", "returned error: 403"),
)

_REFUSED = ("remote rejected", "hook declined", "remote unpack failed")

_SERVER = "remote:"
"""How Git begins a line that the server says."""

_HINT = "hint: "

_RACED = "but expected "
"""What Git on the other side says of a branch that moved while it was about to."""

_OVERTAKEN = ("[rejected]", "updates were rejected", "non-fast-forward", "cannot lock ref", "failed to update ref")


def branch_oid(git: Git, branch: str) -> str | None:
    """The commit of a local branch."""
    return git.ask("rev-parse", "-q", "--verify", f"refs/heads/{branch}^{{commit}}")


def known(git: Git, remote: str | None, branches: Sequence[str]) -> dict[str, str]:
    """The oid of each of ``branches`` that exists, as this clone knows it: on the Git remote, else here. No network."""
    folder = f"refs/remotes/{remote}" if remote is not None else "refs/heads"
    names = {f"{folder}/{branch}": branch for branch in branches}
    listed = git.text("for-each-ref", "--format=%(objectname) %(refname)", *names) if names else ""
    found = (line.partition(" ") for line in listed.splitlines())
    return {names[ref]: oid for oid, _, ref in found if ref in names}


def is_ancestor(git: Git, older: str, newer: str) -> bool:
    """Whether ``older`` is ``newer`` or one of its ancestors."""
    return git.ask("merge-base", "--is-ancestor", older, newer) is not None


class There(NamedTuple):
    """What the Git remote has: the commit of each branch that was asked for and exists, the oid of every tag."""

    tips: dict[str, str]
    tags: dict[str, str]


def fetch_branches(git: Git, remote: str, branches: Sequence[str]) -> There:
    """Bring ``branches`` of the Git remote here, and the tags on them. Where all is here already, nothing is fetched.

    Raises:
        NetworkError: the remote cannot be reached.
    """
    refs = [f"refs/heads/{branch}" for branch in branches]
    try:
        listed = git.text("ls-remote", "--refs", remote, *refs, "refs/tags/*").splitlines()
        there = {ref: oid for oid, _, ref in (line.partition("\t") for line in listed)}
        found = {branch: there.pop(ref) for branch, ref in zip(branches, refs, strict=True) if ref in there}
        if found and not _is_here(git, remote, found, listed):
            specs = [f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}" for branch in found]
            git.run("fetch", "-q", "--no-write-fetch-head", "--no-recurse-submodules", remote, *specs)
    except GitError as error:
        raise _translated(error, remote) from error
    return There(found, {ref.removeprefix("refs/tags/"): oid for ref, oid in there.items()})


def fetch_head(git: Git, remote: str) -> str | None:
    """The commit that HEAD of the Git remote is at, brought here; None where there is none. No ref moves.

    Raises:
        NetworkError: the remote cannot be reached.
    """
    try:
        oid = git.text("ls-remote", remote, "HEAD").partition("\t")[0]
        if oid and git.ask("cat-file", "-e", oid) is None:
            git.run("fetch", "-q", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", remote, "HEAD")
    except GitError as error:
        raise _translated(error, remote) from error
    return oid or None


def _is_here(git: Git, remote: str, branches: Mapping[str, str], listed: Sequence[str]) -> bool:
    """Whether a fetch of ``branches`` would bring nothing: not even a tag, which Git brings along with them.

    ``listed`` are lines of the remote, ``OID TAB REF``.
    """
    followed = {f"refs/remotes/{remote}/{branch}": oid for branch, oid in branches.items()}
    lines = git.text("for-each-ref", "--format=%(objectname)%09%(refname)", "refs/tags", *followed).splitlines()
    here = set(lines)
    if any(f"{oid}\t{ref}" not in here for ref, oid in followed.items()):
        return False
    other = [ref for ref in (line.partition("\t")[2] for line in listed if line not in here) if "/tags/" in ref]
    # Git leaves a tag alone that is here, wherever it leads to.
    return not other or {line.partition("\t")[2] for line in lines}.issuperset(other)


def push(git: Git, remote: str, branches: Mapping[str, str], *, tag: str | None = None) -> None:
    """Move ``branches`` of the Git remote forward to these commits, or create them, and bring ``tag`` along: all or
    nothing.

    Raises:
        Conflict: a branch is not where its commit continues it: somebody was faster.
        Denied: the remote refuses (a hook, a protected branch, missing rights).
        NetworkError
    """
    try:
        specs = [f"{oid}:refs/heads/{branch}" for branch, oid in branches.items()]
        specs += [f"refs/tags/{tag}:refs/tags/{tag}"] if tag else []
        git.act("push", "--atomic", "--no-follow-tags", "--no-recurse-submodules", remote, *specs)
    except GitError as error:
        raise _translated(error, remote, ", ".join([*branches, *([tag] if tag else [])])) from error


def move_all(git: Git, moves: Mapping[str, tuple[str, str | None]]) -> None:
    """Move local branches, each from its old commit (None: it does not exist) to the new one: all or nothing.

    ``moves`` gives ``(new, old)`` by branch.

    Raises:
        Conflict: one is elsewhere by now.
    """
    lines = [f"update refs/heads/{branch} {new} {old or '0' * len(new)}\n" for branch, (new, old) in moves.items()]
    try:
        git.run("update-ref", "-m", "git kit", "--stdin", stdin="".join(lines).encode())
    except GitError as error:
        names = ", ".join(moves)
        raise Conflict(f"{names} was moved by somebody else", hint="run the command again") from error


def move_local(git: Git, branch: str, new: str, old: str | None) -> None:
    """Move a local branch from ``old`` (None: it does not exist) to ``new``.

    Raises:
        Conflict: it is elsewhere by now.
    """
    try:
        git.run("update-ref", "-m", "git kit", f"refs/heads/{branch}", new, old or "0" * len(new))
    except GitError as error:
        raise Conflict(f"branch {branch} was moved by somebody else", hint="run the command again") from error


def checked_out(git: Git) -> dict[str, str]:
    """The branch that each worktree has checked out, and the worktree's folder."""
    found: dict[str, str] = {}
    folder = branch = ""
    for line in git.text("worktree", "list", "--porcelain").splitlines():
        key, _, value = line.partition(" ")
        if key == "worktree":
            folder = value
        elif key == "branch":
            branch = value.removeprefix("refs/heads/")
            found[branch] = folder
        elif key == "prunable":
            found.pop(branch, None)
    return found


def _translated(error: GitError, remote: str, pushed: str | None = None) -> Exception:
    """The error as what it means; ``pushed`` names the branches of a push, None where nothing was to move.

    What it means is read from Git's own words alone: a server says whatever it likes.
    """
    said = [line.strip() for line in error.stderr.splitlines()]
    own = "\n".join(line for line in said if not line.startswith(_SERVER)).lower()
    if pushed is not None and (any(word in own for word in _OVERTAKEN) or _RACED in error.stderr):
        return Conflict(f"{pushed} was moved on {remote} by somebody else")
    if pushed is not None and any(word in own for word in _REFUSED):
        return _refused(said, remote, pushed)
    if any(word in error.stderr.lower() for word in _NO_ACCESS):
        hint = f"check your key or login: git ls-remote {remote}"
        return Denied(f"{remote} gives no access:\n{_listed(said)}", hint=hint)
    if any(word in own for word in _UNREACHABLE):
        return NetworkError(f"cannot reach the Git remote {remote}: {show_text(said[0])}", hint="git remote -v")
    return error


def _refused(said: Sequence[str], remote: str, pushed: str) -> Denied:
    """With the server's own words, where it has some, and what it advises."""
    server = [line.removeprefix(_SERVER).strip() for line in said if line.startswith(_SERVER)]
    hints = [line.removeprefix(_HINT) for line in server if line.startswith(_HINT)]
    words = [line for line in server if line and not line.startswith(_HINT)]
    rejected = [line for line in said if line.startswith("!")]
    hint = f"{remote} says: {show_text('; '.join(hints))}" if hints else "ask who administers it"
    return Denied(f"{remote} refuses to move {pushed}:\n{_listed(words or rejected or said)}", hint=hint)


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"  {show_text(line)}" for line in lines if line)
