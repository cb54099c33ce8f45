"""Which content a commit, the index or a range of commits names: the pointers in it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gitkit.core.pointer import MAX_SIZE, Pointer, parse, resembles
from gitkit.git import attributes, objects
from gitkit.git.run import Git


class PointerFile(NamedTuple):
    """A file that Git holds as a pointer. ``raw`` is the pointer's own text, ``oid`` the Git blob that holds it."""

    path: bytes
    mode: str
    oid: str
    pointer: Pointer
    raw: bytes


class Need(NamedTuple):
    """Content that must exist somewhere, and one path that it is known by. ``lfs``: a Git LFS pointer names it."""

    digest: str
    size: int
    path: bytes
    lfs: bool = False


def in_tree(git: Git, rev: str) -> list[PointerFile]:
    """The pointers of a commit, in path order."""
    return _pointers(git, objects.list_tree(git, rev))


def in_tree_alone(git: Git, rev: str) -> list[PointerFile]:
    """The pointers of a commit that the index has not, or has otherwise, in path order."""
    return _pointers(git, objects.list_tree_alone(git, rev))


def in_index(git: Git) -> list[PointerFile]:
    """The pointers of the index that the filter applies to, in path order."""
    # Attributes first: in a partial clone looking at the other files would download them.
    entries = objects.list_index(git)
    under_filter = attributes.tracked(git, [entry.path for entry in entries])
    return _pointers(git, [entry for entry in entries if entry.path in under_filter])


def in_range(
    git: Git, include: Sequence[str], exclude: Sequence[str], *, remote: str | None, lfs: bool = False
) -> list[Need]:
    """What commits in ``include`` need and those in ``exclude`` (and on ``remote``) do not. One `rev-list` for all.

    Git LFS keeps the content of its own pointers: they only count with ``lfs``.
    """
    paths = dict(objects.candidate_blobs(git, include, exclude, remote=remote, limit=MAX_SIZE))
    found = objects.read_small(git, paths, MAX_SIZE)
    needs = []
    for oid, raw in found.items():
        pointer = parse(raw)
        if pointer is not None and (lfs or not pointer.lfs):
            needs.append(Need(pointer.digest, pointer.size, paths[oid], pointer.lfs))
    return unique(needs)


def needs_of(files: Iterable[PointerFile]) -> list[Need]:
    """The content that ``files`` name, each once."""
    return unique(Need(file.pointer.digest, file.pointer.size, file.path, file.pointer.lfs) for file in files)


def unique(needs: Iterable[Need]) -> list[Need]:
    """One need for each digest, in the order of their first."""
    return list({need.digest: need for need in reversed(list(needs))}.values())[::-1]


class TrackedContent(NamedTuple):
    """Tracked files that should be pointers in Git. ``damaged`` ones are content that looks like a broken pointer."""

    tracked: int
    plain: list[bytes]
    damaged: list[bytes]


def content_in_index(git: Git) -> TrackedContent:
    """Files of the index that the filter applies to and that Git holds as content all the same."""
    entries = [entry for entry in objects.list_index(git) if entry.mode.startswith("100")]
    tracked = attributes.tracked(git, [entry.path for entry in entries])
    entries = [entry for entry in entries if entry.path in tracked]
    small = objects.read_small(git, [entry.oid for entry in entries], MAX_SIZE)
    plain: list[bytes] = []
    damaged: list[bytes] = []
    for entry in entries:
        raw = small.get(entry.oid)
        if raw is None or not is_clean(raw):
            (damaged if raw is not None and resembles(raw) else plain).append(entry.path)
    return TrackedContent(len(entries), plain, damaged)


def is_clean(raw: bytes) -> bool:
    """Whether ``raw`` is what the filter makes of some content: a pointer, or nothing for an empty file."""
    return raw == b"" or parse(raw) is not None


def _pointers(git: Git, entries: Sequence[objects.TreeEntry]) -> list[PointerFile]:
    regular = [entry for entry in entries if entry.mode.startswith("100")]
    contents = objects.read_small(git, [entry.oid for entry in regular], MAX_SIZE)
    files = []
    for entry in regular:
        raw = contents.get(entry.oid)
        pointer = parse(raw) if raw else None
        if raw is not None and pointer is not None:
            files.append(PointerFile(entry.path, entry.mode, entry.oid, pointer, raw))
    return files
