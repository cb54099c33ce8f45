"""Git's index and the worktree when files leave DVC: pointers in, and what DVC wrote about them out."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from gitkit.core.pointer import parse
from gitkit.git import draft, index, packs, worktree
from gitkit.git.repository import Repository
from gitkit.git.run import FILTER_OFF
from gitkit.migrate.dvc_files import without_line
from gitkit.migrate.dvc_plan import Tracked
from gitkit.migrate.dvc_take import Taken
from gitkit.store.layout import ImageLayout
from gitkit.sync.checkout import checkout
from gitkit.sync.pointers import PointerFile

_IGNORE = b".gitignore"


class Entry(NamedTuple):
    """A file as the index has it; ``raw`` is its pointer, or empty."""

    path: bytes
    mode: str
    oid: str
    raw: bytes


def stage(repository: Repository, taken: Sequence[Taken]) -> list[Entry]:
    """Index entries for ``taken``; files that stay as they are get their stat data."""
    hash_name = packs.object_format(repository.git)
    packs.write_blobs(repository.git, [one.raw for one in taken], hash_name)
    modes = ("100644", "100755")
    entries = [
        Entry(one.wanted.path, modes[one.is_executable], packs.oid_of(one.raw, hash_name), one.raw) for one in taken
    ]
    lines = b"".join(b"%s %s 0\t%s\0" % (mode.encode(), oid.encode(), path) for path, mode, oid, _ in entries)
    here = {
        entry.path: index.Written(entry.oid, one.stat)
        for entry, one in zip(entries, taken, strict=True)
        if one.stat is not None
    }

    def work(path: str) -> tuple[bool, None]:
        drafted = draft.with_index(repository, path)
        # Hooks that follow the index are for the one that the person sees.
        drafted.git.run("-c", "core.hooksPath=/dev/null", "update-index", "-z", "--index-info", stdin=lines)
        index.record(drafted, here)
        return True, None

    draft.change_index(repository, work)
    return entries


def fill(repository: Repository, store: ImageLayout, entries: Sequence[Entry], transfers: int) -> None:
    """Files that the worktree does not have: their pointers by Git, which makes folders, then their content."""
    names = b"".join(entry.path + b"\0" for entry in entries)
    # Those that are there make git complain, and stay.
    repository.git.ask(*FILTER_OFF, "checkout-index", "-q", "-u", "-z", "--stdin", stdin=names)
    files = [
        PointerFile(entry.path, entry.mode, entry.oid, pointer, entry.raw)
        for entry in entries
        if (pointer := parse(entry.raw)) is not None
    ]
    checkout(repository, store, files, transfers=transfers)


def forget(repository: Repository, root: str, tracked: Tracked) -> None:
    """Remove what DVC wrote about files that Git has now: the ``*.dvc``, and its lines in ``.gitignore``."""
    changed = [path for out in tracked.outs if (path := _unignore(root, out)) is not None]
    unlink(root, tracked.file.path)
    known = repository.git.run("ls-files", "-z", "--cached", "--full-name", "--", *changed, tracked.file.path)
    paths = [path for path in known.split(b"\0") if path]
    if paths:
        repository.git.run("add", "--update", "--", *paths)


def _unignore(root: str, out: bytes) -> bytes | None:
    """The ``.gitignore`` that had DVC's line for ``out``; removed where it held nothing else."""
    folder, slash, name = out.rpartition(b"/")
    path = folder + slash + _IGNORE
    fd = worktree.open_regular(root, path)
    if fd is None:
        return None
    with open(fd, "rb") as file:
        text = file.read()
    new = without_line(text, name)
    if new == text:
        return None
    if not new.strip():
        unlink(root, path)
        return path
    with worktree.folder_of(root, path) as (inside, own):
        seen = worktree.look(inside, own)
        if seen is not None:
            with worktree.replacement(inside, own, seen) as draft, open(draft.fd, "wb", closefd=False) as target:
                target.write(new)
    return path


def unlink(root: str, path: bytes) -> None:
    """Remove a file of the worktree, if it is there."""
    with suppress(OSError), worktree.folder_of(root, path) as (folder, name):
        os.unlink(name, dir_fd=folder)
