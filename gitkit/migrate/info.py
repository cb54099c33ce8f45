"""`git kit migrate info`: what in a history is large, by kind of file.

One `git rev-list` names all files, one `git cat-file` their sizes. What a partial clone has left out is counted as
missing and not fetched.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from gitkit.core.pointer import MAX_SIZE, parse
from gitkit.git import objects
from gitkit.git.run import Git
from gitkit.migrate.patterns import Selection
from gitkit.migrate.scope import Scope

_SMALLEST_POINTER = 100


class Kind(NamedTuple):
    """Files of one ``pattern``; ``held`` by Git itself (``git``) or as pointers (``kit``, ``lfs``). ``files`` counts
    different contents, ``size`` is that of the content in bytes."""

    pattern: str
    held: str
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``kinds``, the largest first. ``files`` and ``size`` are those of all files that were looked at.

    ``convertible`` counts those of ``kinds`` that are in Git itself and larger than a pointer.
    """

    scope: Scope
    kinds: list[Kind]
    files: int
    size: int
    missing: int
    convertible: int


class _Content(NamedTuple):
    path: bytes
    size: int
    held: str


def info(git: Git, scope: Scope, selection: Selection) -> Report:
    """Look at the files that the commits of ``scope`` add to what was there before them.

    A content with several names counts under one of them.
    """
    listed, missing = _listed(git, scope)
    contents = [content for content in _contents(git, listed) if selection.takes(content.path)]
    kinds: dict[tuple[str, str], list[int]] = {}
    convertible = 0
    for content in contents:
        if content.size > (selection.above or 0):
            kinds.setdefault((pattern_of(content.path), content.held), []).append(content.size)
            convertible += content.held == "git" and content.size > MAX_SIZE
    rows = [Kind(pattern, held, len(sizes), sum(sizes)) for (pattern, held), sizes in kinds.items()]
    rows.sort(key=lambda kind: (-kind.size, kind.pattern, kind.held))
    total = sum(content.size for content in contents)
    return Report(scope=scope, kinds=rows, files=len(contents), size=total, missing=missing, convertible=convertible)


def pattern_of(path: bytes) -> str:
    """The pattern for files like this one: by the suffix, or the name where it has none."""
    name = os.fsdecode(path.rpartition(b"/")[2])
    suffix = os.path.splitext(name)[1]
    return f"*{suffix}" if suffix else name


def _listed(git: Git, scope: Scope) -> tuple[dict[str, bytes], int]:
    """A path for each file, by oid; and how many files are missing."""
    args = ["--objects", "--missing=print", "--filter=object:type=blob", "--filter-provided-objects"]
    found: dict[str, bytes] = {}
    missing = 0
    for line in git.run("rev-list", *args, *scope.revs).split(b"\n")[:-1]:
        oid, _, path = line.partition(b" ")
        if oid.startswith(b"?"):
            missing += 1
        else:
            found[oid.decode()] = path
    return found, missing


def _contents(git: Git, listed: dict[str, bytes]) -> Iterator[_Content]:
    sizes = objects.sizes(git, listed)
    small = [oid for oid, size in sizes.items() if _SMALLEST_POINTER <= size <= MAX_SIZE]
    pointers = {}
    for oid, source in objects.each_blob(git, small):
        pointer = parse(_whole(source, sizes[oid]))
        if pointer is not None:
            pointers[oid] = pointer
    for oid, size in sizes.items():
        pointer = pointers.get(oid)
        if pointer is None:
            yield _Content(listed[oid], size, "git")
        else:
            yield _Content(listed[oid], pointer.size, "lfs" if pointer.lfs else "kit")


def _whole(source: objects.BlobSource, size: int) -> bytes:
    buffer = memoryview(bytearray(size))
    source.readinto(buffer)
    return bytes(buffer)
