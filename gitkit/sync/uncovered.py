"""Pointers that no attribute in Git covers: in a clone nothing knows that they stand for content."""

import os
from collections.abc import Iterable, Sequence

from gitkit.core.pointer import MAX_SIZE, parse
from gitkit.git import attributes, objects
from gitkit.git.objects import TreeEntry
from gitkit.git.run import Git

_SHORTEST = 101
"""Bytes of the smallest pointer."""


def uncovered(git: Git, entries: Iterable[TreeEntry]) -> list[bytes]:
    """Those of ``entries`` (of the index) that are pointers of git kit and that the index's attributes leave open.

    A path that is not to be filtered on purpose has the attribute `-filter`. Git LFS pointers are for Git LFS.
    """
    regular = {entry.path: entry.oid for entry in entries if entry.mode.startswith("100")}
    filters = attributes.filters(git, regular, cached=True)
    oids = {path: oid for path, oid in regular.items() if filters[path] == b"unspecified"}
    sizes = objects.sizes(git, dict.fromkeys(oids.values()))
    small = [oid for oid, size in sizes.items() if _SHORTEST <= size <= MAX_SIZE]
    found = {oid for oid, source in objects.each_blob(git, small) if _is_pointer(source)}
    return [path for path, oid in oids.items() if oid in found]


def not_staged(git: Git, paths: Sequence[bytes]) -> list[bytes]:
    """The ``.gitattributes`` that may cover ``paths`` and that the index has not, or has otherwise; none where those of
    the worktree do not cover them either.
    """
    names = sorted({os.fsdecode(name) for path in attributes.tracked(git, paths) for name in _above(path)})
    out = git.run("ls-files", "-z", "--others", "--modified", "--", *names) if names else b""
    return list(dict.fromkeys(out.split(b"\0")[:-1]))


def _is_pointer(source: objects.BlobSource) -> bool:
    data = bytearray(MAX_SIZE)
    pointer = parse(bytes(data[: source.readinto(memoryview(data))]))
    return pointer is not None and not pointer.lfs


def _above(path: bytes) -> Iterable[bytes]:
    """The names that a file with attributes of ``path`` can have."""
    folders = path.split(b"/")[:-1]
    return (b"/".join([*folders[:depth], attributes.FILE.encode()]) for depth in range(len(folders) + 1))
