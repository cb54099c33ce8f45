"""A commit as the source of a kit: its Kitfile, and which of its files belong to which entry.

A file belongs to the entry with the longest path that leads to it, so `model: models` and `datasets: models/eval`
divide a tree. A file that an entry names itself is never ignored by ``.kitignore``.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.ignore import parse_ignore
from gitkit.core.pointer import MAX_SIZE, parse
from gitkit.errors import InvalidFile, Unsupported
from gitkit.git import objects
from gitkit.git.objects import Commit, TreeEntry
from gitkit.git.run import Git
from gitkit.store.ingest import copy_hashed

if TYPE_CHECKING:
    from gitkit.core.kitfile import Entry, Kitfile

_MAX_KITFILE = 1 << 20


class KitLayer(NamedTuple):
    """One file of a kit. ``oid`` is the Git blob that holds its content, or None where Git holds a pointer."""

    section: str
    number: int
    path: str
    digest: str
    size: int
    executable: bool
    named: bool
    oid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KitSource:
    """Everything that a kit of this commit is made from. ``skipped`` are links and submodules, which no kit holds.

    ``source_url`` is what the commit's own ``.gitkit.toml`` says under ``kit.source``.
    """

    commit: Commit
    source_url: str | None
    kitfile: "Kitfile"
    layers: Sequence[KitLayer]
    skipped: Sequence[str]


def read_source(git: Git, commit_oid: str) -> KitSource:
    """Read a commit. Opens no blob but Kitfile, ``.kitignore``, pointers and the files that Git holds itself.

    Raises:
        InvalidFile: no Kitfile, or one that does not fit the commit; every problem is listed.
        Unsupported: the Kitfile asks for what this version cannot do.
    """
    from gitkit.core.kitfile import entries

    tree = {entry.path: entry for entry in objects.list_tree(git, commit_oid)}
    kitfile = _read_kitfile(git, tree, commit_oid)
    _refuse_unsupported(kitfile)
    wanted = list(entries(kitfile))
    ignored = parse_ignore((_content(git, tree.get(b".kitignore")) or b"").decode("utf-8", "replace"))
    chosen, skipped = _assign(tree, wanted, ignored)
    _check_entries(tree, wanted, chosen)
    return KitSource(
        commit=objects.read_commit(git, commit_oid),
        source_url=_source_url(git, tree),
        kitfile=kitfile,
        layers=_layers(git, wanted, chosen),
        skipped=skipped,
    )


def _read_kitfile(git: Git, tree: Mapping[bytes, TreeEntry], commit_oid: str) -> "Kitfile":
    from gitkit.core.kitfile import NAMES, parse_kitfile

    for name in NAMES:
        text = _content(git, tree.get(name.encode()))
        if text is not None:
            return parse_kitfile(text, file=name)
    raise InvalidFile(
        f"commit {commit_oid[:12]} has no Kitfile",
        hint="git kit kitfile write && git add Kitfile && git commit, then tag that commit",
    )


def _source_url(git: Git, tree: Mapping[bytes, TreeEntry]) -> str | None:
    text = _content(git, tree.get(b".gitkit.toml"))
    if text is None:
        return None
    from gitkit.core.config import parse_config

    return parse_config(text).kit.source


def _refuse_unsupported(kitfile: "Kitfile") -> None:
    from gitkit.core.kitfile import is_kit_reference

    if kitfile.model is not None and kitfile.model.path and is_kit_reference(kitfile.model.path):
        raise Unsupported(f"the model refers to another kit, {kitfile.model.path}: git kit cannot build that yet")
    if any(dataset.remote_path for dataset in kitfile.datasets):
        raise Unsupported("a dataset has a remotePath: git kit cannot build that yet")
    if kitfile.mcp_servers:
        raise Unsupported("mcpServers cannot be part of a kit in the format modelpack")


def _content(git: Git, entry: TreeEntry | None) -> bytes | None:
    if entry is None or not entry.mode.startswith("100"):
        return None
    return objects.read_small(git, [entry.oid], _MAX_KITFILE).get(entry.oid)


class _Choice(NamedTuple):
    entry: "Entry"
    file: TreeEntry
    named: bool


def _assign(
    tree: Mapping[bytes, TreeEntry], wanted: Sequence["Entry"], ignored: Callable[[str], bool]
) -> tuple[list[_Choice], list[str]]:
    by_path = {os.fsencode(entry.path): entry for entry in wanted}
    chosen, skipped = [], []
    for path, file in tree.items():
        entry = _owner(by_path, path)
        if entry is None:
            continue
        named = os.fsencode(entry.path) == path
        if not named and ignored(os.fsdecode(path)):
            continue
        if file.mode.startswith("100"):
            chosen.append(_Choice(entry, file, named))
        else:
            skipped.append(os.fsdecode(path))
    return chosen, skipped


def _owner(by_path: Mapping[bytes, "Entry"], path: bytes) -> "Entry | None":
    while path:
        if path in by_path:
            return by_path[path]
        path = path.rpartition(b"/")[0]
    return by_path.get(b".")


def _check_entries(tree: Mapping[bytes, TreeEntry], wanted: Sequence["Entry"], chosen: Sequence[_Choice]) -> None:
    from gitkit.core.problems import Problem, raise_for

    filled = {(choice.entry.section, choice.entry.number) for choice in chosen}
    problems = []
    for entry in wanted:
        if (entry.section, entry.number) not in filled:
            reason = "holds no files" if _is_folder(tree, entry.path) else "is not in this commit"
            problems.append(Problem((entry.section, entry.number, "path"), f'"{entry.path}" {reason}'))
    for choice in chosen:
        try:
            choice.file.path.decode("utf-8")
        except UnicodeDecodeError:
            place = (choice.entry.section, choice.entry.number, "path")
            problems.append(Problem(place, f"{choice.file.path!r}: the name is not UTF-8, so no kit can hold it"))
    raise_for(problems, "Kitfile")
    if not chosen:
        raise InvalidFile("the Kitfile names no files", hint="give it a model, code, datasets or docs entry")


def _is_folder(tree: Mapping[bytes, TreeEntry], path: str) -> bool:
    prefix = os.fsencode(path) + b"/"
    return path == "." or any(name.startswith(prefix) or name == prefix[:-1] for name in tree)


def _layers(git: Git, wanted: Sequence["Entry"], chosen: Sequence[_Choice]) -> list[KitLayer]:
    """In the order of the sections, then of the path's bytes."""
    from gitkit.core.kitfile import SECTIONS

    small = objects.read_small(git, [choice.file.oid for choice in chosen], MAX_SIZE)
    pointers = {oid: pointer for oid, raw in small.items() if raw and (pointer := parse(raw)) is not None}
    plain = _hashed(git, [choice.file.oid for choice in chosen if choice.file.oid not in pointers])
    layers = []
    for choice in sorted(chosen, key=lambda choice: (SECTIONS.index(choice.entry.section), choice.file.path)):
        pointer = pointers.get(choice.file.oid)
        digest, size = (pointer.digest, pointer.size) if pointer else plain[choice.file.oid]
        layers.append(
            KitLayer(
                section=choice.entry.section,
                number=choice.entry.number,
                path=choice.file.path.decode("utf-8"),
                digest=digest,
                size=size,
                executable=choice.file.mode == "100755",
                named=choice.named,
                oid=None if pointer else choice.file.oid,
            )
        )
    return layers


def _hashed(git: Git, oids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Digest and size of Git blobs, each read once."""
    return {oid: copy_hashed(source, None) for oid, source in objects.each_blob(git, list(dict.fromkeys(oids)))}
