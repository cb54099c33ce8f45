"""From an ``Intake`` to one commit on the current branch: the same for kits and for model hubs.

Order: what Git holds itself is downloaded, what becomes a pointer is copied to our remote and kept there, then the
commit is made beside everything, and only the last step moves the branch. Killed before it, nothing has changed but
the store and the remote, and running it again finds there what was done.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from gitkit.core.digest import EMPTY
from gitkit.core.paths import show_path
from gitkit.core.pointer import MAX_SIZE, Pointer, parse
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, InvalidFile, Unsupported
from gitkit.git import attributes, commits, objects
from gitkit.git.commits import Readable
from gitkit.git.objects import TreeEntry
from gitkit.modelkit.destination import Destination, Tree, check, head_of, kitfile_path, tree_of
from gitkit.modelkit.intake import Incoming, Intake, patterns_for
from gitkit.modelkit.transfer import Transferred, transfer
from gitkit.store.keepcache import KeepCache
from gitkit.store.layout import ImageLayout
from gitkit.sync import fetch, keep
from gitkit.sync.pointers import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """``commit`` is None where the branch holds exactly this already; ``patterns`` are new in ``.gitattributes``."""

    commit: str | None
    pointers: Sequence[Incoming]
    plain: Sequence[Incoming]
    patterns: Sequence[str]
    moved: Transferred


def bring(place: Destination, source: Remote, intake: Intake) -> Brought:
    """Commit ``intake``, whose content is in the store or at ``source``. Importing the same again changes nothing.

    Raises:
        Conflict: as ``check``; also where the branch moved meanwhile.
        NotFound, Corrupt: content is missing at ``source``, or is not what it should be. Nothing is committed.
        InvalidFile: a file is a pointer itself.
        Denied, NetworkError
    """
    check(place, [file.path for file in intake.files])
    git = place.repository.git
    head = head_of(git)
    tree = tree_of(git, head)
    pointers, plain = _sorted_out(place, intake.files)
    patterns = _patterns(place, tree, pointers, plain)
    lines = _attributes(place, tree, patterns)
    _check_tracked(place, head, lines, pointers)
    _download(place, source, [*plain, *(file for file in pointers if file.size <= MAX_SIZE)])
    _refuse_pointers(place.store, intake.files)
    moved = _move(place, source, pointers)
    with commits.drafted(git, head) as draft:
        draft.put([*lines, *_entries(place, tree, intake, pointers)])
        new = draft.write()
    commit = None
    if head is None or new != git.text("rev-parse", f"{head}^{{tree}}"):
        parents = [head] if head is not None else []
        message = f"Import {intake.origin.rpartition('@')[0]}\n\nKit-Import: {intake.origin}\n"
        commit = objects.write_commit(git, tree=new, parents=parents, message=message)
        commits.advance(git, commit)
    return Brought(commit=commit, pointers=pointers, plain=plain, patterns=patterns, moved=moved)


# -- what may not be -------------------------------------------------------------------------------------------------


def _refuse_pointers(store: ImageLayout, files: Sequence[Incoming]) -> None:
    """In Git, a file that reads as a pointer is one. So no kit may bring one along: it would name other content."""
    for file in files:
        if 0 < file.size <= MAX_SIZE:
            with open(store.blob_path(file.digest), "rb") as blob:
                if parse(blob.read(MAX_SIZE + 1)) is not None:
                    raise InvalidFile(
                        f"{show_path(file.path)} is a pointer, not content",
                        hint="whoever packed this did not have the content: it has to be packed again",
                    )


def _check_tracked(
    place: Destination, head: str | None, lines: Sequence[TreeEntry], pointers: Sequence[Incoming]
) -> None:
    """With the new ``.gitattributes`` (``lines``), the filter must apply to every pointer."""
    with commits.drafted(place.repository.git, head) as draft:
        draft.put(lines)
        tracked = draft.tracked(place.path(file.path) for file in pointers)
    for file in pointers:
        if place.path(file.path) not in tracked:
            raise Conflict(
                f"{show_path(place.path(file.path))} must be tracked, and a .gitattributes here forbids it",
                hint="change that line, or import into another folder",
            )


# -- content ---------------------------------------------------------------------------------------------------------


def _sorted_out(place: Destination, files: Sequence[Incoming]) -> tuple[list[Incoming], list[Incoming]]:
    """Those that become pointers, and those that Git holds itself. An empty file is its own pointer."""
    tracked = attributes.tracked(place.repository.git, [place.path(file.path) for file in files], cached=True)
    pointers: list[Incoming] = []
    plain: list[Incoming] = []
    for file in files:
        large = file.pointer or file.size > place.max_plain_size or place.path(file.path) in tracked
        (pointers if large and file.size else plain).append(file)
    return pointers, plain


def _download(place: Destination, source: Remote, files: Sequence[Incoming]) -> None:
    needs = _needs(files)
    result = fetch.fetch(place.store, source, needs, transfers=place.transfers, emit=place.emit)
    if result.failed:
        raise result.failed[0].error


def _move(place: Destination, source: Remote, pointers: Sequence[Incoming]) -> Transferred:
    """What is in the store already goes with the next push."""
    absent = [need for need in _needs(pointers) if not place.store.holds(need.digest, need.size)]
    if not place.move or not absent or (place.remote is not None and place.remote.url == source.url):
        return Transferred([], [])
    if place.remote is None:
        _download(place, source, pointers)
        return Transferred([], absent)
    moved = transfer(source, place.remote, absent, transfers=place.transfers, emit=place.emit)
    keep.keep(place.remote, KeepCache(place.store), absent)
    return moved


def _needs(files: Sequence[Incoming]) -> list[Need]:
    found = {file.digest: Need(file.digest, file.size, file.path.encode()) for file in files}
    return list(found.values())


# -- the tree --------------------------------------------------------------------------------------------------------


def _patterns(place: Destination, tree: Tree, pointers: Sequence[Incoming], plain: Sequence[Incoming]) -> list[str]:
    prefix, ours = place.path(""), {place.path(file.path) for file in pointers}
    tracked = attributes.tracked(place.repository.git, ours, cached=True)
    others = [os.fsdecode(path[len(prefix) :]) for path in tree.keys() - ours if path.startswith(prefix)]
    return patterns_for(
        [file.path for file in pointers if place.path(file.path) not in tracked],
        [*others, *(file.path for file in plain)],
    )


def _entries(place: Destination, tree: Tree, intake: Intake, pointers: Sequence[Incoming]) -> list[TreeEntry]:
    as_pointers = {file.path for file in pointers}
    items: list[tuple[bytes, str, Readable]] = [(kitfile_path(place, tree), "100644", Readable(intake.kitfile))]
    for file in intake.files:
        mode = "100755" if file.executable else "100644"
        items.append((place.path(file.path), mode, _content(place.store, file, file.path in as_pointers)))
    oids = commits.write_blobs(place.repository.git, [content for _, _, content in items])
    return [TreeEntry(path, mode, oid) for (path, mode, _), oid in zip(items, oids, strict=True)]


def _content(store: ImageLayout, file: Incoming, as_pointer: bool) -> Readable:
    if as_pointer:
        return Readable(Pointer(file.digest, file.size).encode())
    if file.digest == EMPTY:
        return Readable()
    return Readable(path=store.blob_path(file.digest), size=file.size)


def _attributes(place: Destination, tree: Tree, patterns: Sequence[str]) -> list[TreeEntry]:
    """``.gitattributes`` with ``patterns``; nothing where there are none to add."""
    if not patterns:
        return []
    git, path = place.repository.git, place.path(attributes.FILE)
    text = b""
    if path in tree:
        if not tree[path].mode.startswith("100"):
            raise Unsupported(f"{show_path(path)} is a symbolic link, which Git does not follow")
        text = git.run("cat-file", "blob", tree[path].oid)
    for pattern in patterns:
        text = attributes.with_pattern(text, pattern)
    (oid,) = commits.write_blobs(git, [Readable(text)])
    return [TreeEntry(path, "100644", oid)]
