"""Which small Git blobs commits, the index and history hold, in one `git rev-list` each.

Objects that are missing are reported, never fetched: in a partial or shallow clone Git cannot say what is needed, and
whoever asks has to know that.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gitkit.git.run import Git


class Reached(NamedTuple):
    """``blobs``: a path for each oid, in Git's order. ``is_whole`` is False where objects are missing."""

    blobs: dict[str, bytes]
    is_whole: bool


class Attributed(NamedTuple):
    """``roots``: for each oid (trees are among them) the first commit that was given and holds it."""

    roots: dict[str, str]
    is_whole: bool


def in_index(git: Git, limit: int) -> Reached:
    """Blobs of at most ``limit`` bytes that the index of any worktree names, with what it remembers of conflicts."""
    return _reached(git, ["--no-walk", "--indexed-objects"], [], limit)


def in_history(
    git: Git, revs: Iterable[str], limit: int, *, beyond: str | None = None, everything: bool = False
) -> Reached:
    """Blobs of at most ``limit`` bytes in the whole history of ``revs``.

    Without what remote-tracking refs of the Git remote ``beyond`` hold; with ``everything`` also of all refs, HEADs,
    reflogs and indexes.
    """
    args = ["--all", "--reflog", "--indexed-objects"] if everything else []
    return _reached(git, [*args, *(["--not", f"--remotes={beyond}"] if beyond is not None else [])], revs, limit)


def at_commits(git: Git, commits: Iterable[str], limit: int) -> Attributed:
    """Blobs of at most ``limit`` bytes in the trees of ``commits`` (oids or revisions), then of all in reflogs."""
    args = ["--no-walk=unsorted", "--in-commit-order", f"--filter=blob:limit={limit + 1}"]
    roots: dict[str, str] = {}
    root, is_whole = "", True
    for line in _lines(git, [*args, "--stdin", "--reflog"], commits):
        if line.startswith(b"?"):
            is_whole = False
            continue
        oid, space, _ = line.partition(b" ")
        if space:
            roots.setdefault(oid.decode(), root)
        else:
            root = oid.decode()
    return Attributed(roots, is_whole)


def has_all_trees(git: Git, commits: Iterable[str]) -> bool:
    """Whether no folder of ``commits``, or of a commit in a reflog, is missing."""
    lines = _lines(git, ["--no-walk", "--filter=blob:none", "--stdin", "--reflog"], commits)
    return not any(line.startswith(b"?") for line in lines)


def is_partial(git: Git) -> bool:
    """Whether objects may be missing on purpose: a partial or a shallow clone."""
    if git.text("rev-parse", "--is-shallow-repository") == "true":
        return True
    return git.ask("config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$") is not None


def _reached(git: Git, args: list[str], revs: Iterable[str], limit: int) -> Reached:
    kind = f"--filter=combine:object:type=blob+blob:limit={limit + 1}"
    blobs: dict[str, bytes] = {}
    is_whole = True
    for line in _lines(git, [kind, "--filter-provided-objects", "--stdin", *args], revs):
        if line.startswith(b"?"):
            is_whole = False
        else:
            oid, _, path = line.partition(b" ")
            blobs.setdefault(oid.decode(), path)
    return Reached(blobs, is_whole)


def _lines(git: Git, args: list[str], revs: Iterable[str]) -> Iterator[bytes]:
    stdin = "".join(f"{rev}\n" for rev in revs).encode()
    out = git.run("rev-list", "--objects", "--missing=print", *args, stdin=stdin)
    yield from out.split(b"\n")[:-1]
