"""Index and worktree after the branch has moved: as its new commit says, without reading large files again.

A file of the worktree that is what it was before stays in place, and the index learns its stat data. All of the index
changes at once. Killed before, the person sees the difference between the old index and the new commit, and the same
command again ends it (``repair``).
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from gitkit.core.pointer import MAX_SIZE, parse
from gitkit.git import draft, index, objects, worktree
from gitkit.git.attributes import FILE
from gitkit.git.repository import Repository
from gitkit.git.run import FILTER_OFF, Git
from gitkit.migrate import guard
from gitkit.migrate.moving import kept_head
from gitkit.store.layout import ImageLayout
from gitkit.sync.checkout import checkout
from gitkit.sync.intake import find, is_same
from gitkit.sync.pointers import PointerFile

Snapshot = Mapping[bytes, os.stat_result]
"""The regular files of the worktree that the index names, as they were at one time."""

# Hooks that follow the index are for the one that the person sees.
_QUIET = (*FILTER_OFF, "-c", "core.hooksPath=/dev/null")
_NO_FILTER = (b"unspecified", b"unset", b"kit")


class _Change(NamedTuple):
    """A path whose Git blob is another one now. ``new`` is empty where the path is gone, ``old`` where it was not."""

    path: bytes
    mode: str
    old: str
    new: str

    @property
    def is_attributes(self) -> bool:
        return self.path.rpartition(b"/")[2] == FILE.encode()


class _Plan(NamedTuple):
    """``stays``: files that are right as they are, ``written``: those that Git writes, ``gone``: those that go."""

    stays: dict[bytes, index.Written]
    written: list[bytes]
    created: list[bytes]
    gone: list[bytes]


def take(repository: Repository) -> Snapshot:
    """The worktree as it is now. What `git status` says afterwards is about these files."""
    if repository.worktree is None:
        return {}
    paths = [entry.path for entry in objects.list_index(repository.git) if entry.mode.startswith("100")]
    return dict(find(repository.worktree, paths))


def bring(repository: Repository, store: ImageLayout, before: Snapshot, old: str, new: str) -> None:
    """Bring index and worktree from the commit ``old`` to ``new``; what changed since ``before`` is left alone.

    Raises:
        Locked: another process holds the index.
        GitError
    """
    if repository.worktree is None:
        return
    changes = _changes(repository.git, old, new)
    plan = _plan(repository, repository.worktree, before, changes)

    def work(path: str) -> tuple[bool, None]:
        drafted = draft.with_index(repository, path)
        # With both commits, what somebody staged in the meantime stays staged.
        drafted.git.run(*_QUIET, "read-tree", "-i", "-m", old, new)
        for paths, args in ((plan.written, ["-f"]), (plan.created, [])):
            lines = b"".join(name + b"\0" for name in paths)
            drafted.git.ask(*_QUIET, "checkout-index", *args, "-q", "-u", "-z", "--stdin", stdin=lines)
        index.record(drafted, plan.stays)
        return True, None

    draft.change_index(repository, work)
    for path in plan.gone:
        _remove(repository.worktree, path)
    _materialise(repository, store, [change for change in changes if change.path in set(plan.written)])


def repair(repository: Repository, store: ImageLayout) -> bool:
    """Do what a killed migration had left to do: the branch had moved, and the index not. Whether there was anything.

    Raises:
        Locked, GitError: as ``bring``.
    """
    git = repository.git
    if repository.worktree is None or (old := kept_head(git)) is None:
        return False
    new, wanted, tree = git.text("rev-parse", "HEAD", f"{old}^{{tree}}", "HEAD^{tree}").split("\n")
    if tree == wanted or git.ask("write-tree") != wanted:
        return False
    before = take(repository)
    changed = set(guard.changes(repository, of_worktree=True))
    bring(repository, store, {path: stat for path, stat in before.items() if path not in changed}, old, new)
    return True


def _plan(repository: Repository, root: str, before: Snapshot, changes: Sequence[_Change]) -> _Plan:
    now = dict(find(root, [change.path for change in changes]))
    same = {path for path, stat in now.items() if path in before and is_same(stat, before[path])}
    files = [change for change in changes if change.path in same and change.old and change.new]
    as_they_are = _equal_to_content(repository.git, now, [change for change in files if not change.is_attributes])
    return _Plan(
        stays={change.path: index.Written(change.new, now[change.path]) for change in as_they_are},
        written=[change.path for change in files if change not in set(as_they_are)],
        created=[change.path for change in changes if not change.old],
        gone=[change.path for change in changes if not change.new and change.path in same],
    )


def _equal_to_content(git: Git, now: Snapshot, files: Sequence[_Change]) -> list[_Change]:
    """Those files that hold exactly the bytes which one side of the change has as content.

    They were clean, so only a conversion on the way out of Git can have made other bytes of them. It shows in the size,
    or is another filter.
    """
    sizes = objects.sizes(git, {oid for file in files for oid in (file.old, file.new)})
    foreign = _with_other_filter(git, [file.path for file in files])
    return [file for file in files if file.path not in foreign and now[file.path].st_size == _content_size(file, sizes)]


def _content_size(file: _Change, sizes: Mapping[str, int]) -> int | None:
    """The size of the side that is content; None where the sizes do not tell which one it is."""
    old, new = sizes[file.old], sizes[file.new]
    return max(old, new) if max(old, new) > MAX_SIZE else None


def _with_other_filter(git: Git, paths: Sequence[bytes]) -> set[bytes]:
    if not paths:
        return set()
    fields = git.run("check-attr", "-z", "--stdin", "filter", stdin=b"".join(path + b"\0" for path in paths)).split(
        b"\0"
    )
    return {path for path, value in zip(fields[0::3], fields[2::3], strict=False) if value not in _NO_FILTER}


def _materialise(repository: Repository, store: ImageLayout, written: Sequence[_Change]) -> None:
    """Content for pointers that Git wrote over content."""
    raws = objects.read_small(repository.git, [change.new for change in written], MAX_SIZE)
    files = []
    for change in written:
        raw = raws.get(change.new, b"")
        pointer = parse(raw)
        if pointer is not None:
            files.append(PointerFile(change.path, change.mode, change.new, pointer, raw))
    checkout(repository, store, files)


def _changes(git: Git, old: str, new: str) -> list[_Change]:
    fields = git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", old, new).split(b"\0")
    changes = []
    for head, path in zip(fields[0::2], fields[1::2], strict=False):
        _, mode, old_oid, new_oid, letter = head.decode().split(" ")
        changes.append(_Change(path, mode, "" if letter == "A" else old_oid, "" if letter == "D" else new_oid))
    return changes


def _remove(root: str, path: bytes) -> None:
    with suppress(OSError), worktree.folder_of(root, path) as (folder, name):
        os.unlink(name, dir_fd=folder)
