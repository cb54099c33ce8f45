"""A commit as the source of a kit: its Kitfile, and which of its files belong to which entry.

A file belongs to the entry with the longest path that leads to it, so `model: models` and `datasets: models/eval`
divide a tree. A file that an entry names itself is never ignored by ``.kitignore``. What lies in the folder of a
dataset that comes from elsewhere belongs to no entry.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.ignore import parse_ignore
from gitkit.core.pointer import MAX_SIZE, parse
from gitkit.errors import InvalidFile
from gitkit.git import objects
from gitkit.git.objects import Commit, TreeEntry
from gitkit.git.run import Git
from gitkit.store.ingest import copy_hashed

if TYPE_CHECKING:
    from gitkit.core.kitfile import Entry, Kitfile
    from gitkit.core.problems import Problem

_MAX_KITFILE = 1 << 20
_Place = tuple[str, int]


class KitFile(NamedTuple):
    """One file of a kit. ``oid`` is the Git blob that holds its content, or None where Git holds a pointer.

    ``section`` and ``number`` are its entry's; ``named`` where the entry's path is the file's own; ``lfs`` where the
    pointer is one of Git LFS.
    """

    section: str
    number: int
    path: str
    digest: str
    size: int
    executable: bool
    named: bool
    oid: str | None
    lfs: bool = False

    @property
    def mode(self) -> int:
        """Permission bits, as Git knows them."""
        return 0o755 if self.executable else 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class KitSource:
    """Everything that a kit of this commit is made from. ``skipped`` are links and submodules, which no kit holds.

    ``files`` come in the order of the sections, then of the path's bytes. ``folders`` are those of each entry, by its
    section and number, that ``.kitignore`` does not name. ``source_url`` is what the commit's own ``.gitkit.toml`` says
    under ``kit.source``. ``reference`` names the kit that the model is taken from, if it is.
    """

    commit: Commit
    source_url: str | None
    kitfile: "Kitfile"
    files: Sequence[KitFile]
    folders: Mapping[_Place, Sequence[str]]
    reference: str | None
    skipped: Sequence[str]

    @property
    def by_entry(self) -> dict[_Place, list[KitFile]]:
        """The files of each entry that has some, in the order of a kit's layers."""
        from gitkit.core.kitfile import entries

        found: dict[_Place, list[KitFile]] = {(entry.section, entry.number): [] for entry in entries(self.kitfile)}
        for file in self.files:
            found[file.section, file.number].append(file)
        return {place: files for place, files in found.items() if files}


def read_source(git: Git, commit_oid: str) -> KitSource:
    """Read a commit. Opens no blob but Kitfile, ``.kitignore``, pointers and the files that Git holds itself.

    Raises:
        InvalidFile: no Kitfile, or one that does not fit the commit; every problem is listed.
    """
    from gitkit.core.kitfile import entries, is_kit_reference

    tree = {entry.path: entry for entry in objects.list_tree(git, commit_oid)}
    kitfile = _read_kitfile(git, tree, commit_oid)
    model = kitfile.model.path if kitfile.model is not None else None
    reference = model if model and is_kit_reference(model) else None
    wanted = [entry for entry in entries(kitfile) if reference is None or entry.section != "model"]
    ignored = parse_ignore((_content(git, tree.get(b".kitignore")) or b"").decode("utf-8", "replace"))
    elsewhere = [dataset.path for dataset in kitfile.datasets if dataset.remote_path]
    owner = owner_of(wanted, [path for path in elsewhere if path])
    chosen, skipped = assign(tree.values(), owner, ignored)
    _check_entries(tree, wanted, chosen)
    if not chosen and reference is None and not elsewhere:
        raise InvalidFile("the Kitfile names no files", hint="give it a model, code, datasets or docs entry")
    return KitSource(
        commit=objects.read_commit(git, commit_oid),
        source_url=_source_url(git, tree),
        kitfile=kitfile,
        files=_files(git, chosen),
        folders=_folders(tree, owner, ignored),
        reference=reference,
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


def _content(git: Git, entry: TreeEntry | None) -> bytes | None:
    if entry is None or not entry.mode.startswith("100"):
        return None
    return objects.read_small(git, [entry.oid], _MAX_KITFILE).get(entry.oid)


# -- which file belongs where ----------------------------------------------------------------------------------------

Owner = Callable[[bytes], "Entry | None"]


class Choice(NamedTuple):
    """A file of a tree and the entry that it belongs to; ``named`` where the entry's path is its own."""

    entry: "Entry"
    file: TreeEntry
    named: bool


def owner_of(wanted: Sequence["Entry"], elsewhere: Sequence[str]) -> Owner:
    """Which entry a path belongs to. ``elsewhere`` are folders that are filled from other places."""
    by_path: dict[bytes, Entry | None] = {os.fsencode(os.path.normpath(path)): None for path in elsewhere}
    by_path.update({os.fsencode(entry.path): entry for entry in wanted})

    def owner(path: bytes) -> "Entry | None":
        while path:
            if path in by_path:
                return by_path[path]
            path = path.rpartition(b"/")[0]
        return by_path.get(b".")

    return owner


def assign(tree: Iterable[TreeEntry], owner: Owner, ignored: Callable[[str], bool]) -> tuple[list[Choice], list[str]]:
    """Which files of a tree go into the kit; and those that belong to an entry and no kit can hold."""
    chosen, skipped = [], []
    for file in tree:
        entry = owner(file.path)
        if entry is None:
            continue
        path = os.fsdecode(file.path)
        named = entry.path == path
        if not named and ignored(path):
            continue
        if file.mode.startswith("100"):
            chosen.append(Choice(entry, file, named))
        else:
            skipped.append(path)
    return chosen, skipped


def _folders(tree: Iterable[bytes], owner: Owner, ignored: Callable[[str], bool]) -> dict[_Place, list[str]]:
    folders = {path.rpartition(b"/")[0] for path in tree} - {b""}
    for folder in list(folders):
        while (folder := folder.rpartition(b"/")[0]) and folder not in folders:
            folders.add(folder)
    found: dict[_Place, list[str]] = {}
    for folder in folders:
        entry, path = owner(folder), os.fsdecode(folder)
        if entry is not None and not ignored(path):
            found.setdefault((entry.section, entry.number), []).append(path)
    return found


def _check_entries(tree: Mapping[bytes, TreeEntry], wanted: Sequence["Entry"], chosen: Sequence[Choice]) -> None:
    from gitkit.core.problems import raise_for

    filled = {(choice.entry.section, choice.entry.number) for choice in chosen}
    problems = []
    for entry in wanted:
        if (entry.section, entry.number) not in filled:
            reason = "holds no files" if _is_folder(tree, entry.path) else "is not in this commit"
            problems.append(_problem(entry, f'"{entry.path}" {reason}'))
    for choice in chosen:
        if choice.entry.section == "mcpServers" and not choice.named:
            problems.append(_problem(choice.entry, f'"{choice.entry.path}" is a folder, not an MCP bundle'))
        try:
            choice.file.path.decode("utf-8")
        except UnicodeDecodeError:
            problems.append(
                _problem(choice.entry, f"{choice.file.path!r}: the name is not UTF-8, so no kit can hold it")
            )
    raise_for(list(dict.fromkeys(problems)), "Kitfile")


def _problem(entry: "Entry", text: str) -> "Problem":
    from gitkit.core.problems import Problem

    return Problem((entry.section, entry.number, "path"), text)


def _is_folder(tree: Mapping[bytes, TreeEntry], path: str) -> bool:
    prefix = os.fsencode(path) + b"/"
    return path == "." or any(name.startswith(prefix) or name == prefix[:-1] for name in tree)


# -- what is in it -------------------------------------------------------------------------------------------------


def _files(git: Git, chosen: Sequence[Choice]) -> list[KitFile]:
    """In the order of the sections, then of the path's bytes."""
    from gitkit.core.kitfile import SECTIONS

    small = objects.read_small(git, [choice.file.oid for choice in chosen], MAX_SIZE)
    pointers = {oid: pointer for oid, raw in small.items() if raw and (pointer := parse(raw)) is not None}
    plain = _hashed(git, [choice.file.oid for choice in chosen if choice.file.oid not in pointers])
    files = []
    for choice in sorted(chosen, key=lambda choice: (SECTIONS.index(choice.entry.section), choice.file.path)):
        pointer = pointers.get(choice.file.oid)
        digest, size = (pointer.digest, pointer.size) if pointer else plain[choice.file.oid]
        files.append(
            KitFile(
                section=choice.entry.section,
                number=choice.entry.number,
                path=choice.file.path.decode("utf-8"),
                digest=digest,
                size=size,
                executable=choice.file.mode == "100755",
                named=choice.named,
                oid=None if pointer else choice.file.oid,
                lfs=pointer is not None and pointer.lfs,
            )
        )
    return files


def _hashed(git: Git, oids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Digest and size of Git blobs, each read once."""
    return {oid: copy_hashed(source, None) for oid, source in objects.each_blob(git, list(dict.fromkeys(oids)))}


def uncovered(git: Git, commit_oid: str, files: Iterable[KitFile]) -> list[str]:
    """Large files of the commit that are in no kit: no entry of the Kitfile leads to them, and nothing ignores them."""
    held = {os.fsencode(file.path) for file in files}
    ignored = parse_ignore((objects.read_file(git, commit_oid, ".kitignore") or b"").decode("utf-8", "replace"))
    others = [file for file in objects.list_tree(git, commit_oid) if file.path not in held]
    others = [file for file in others if file.mode.startswith("100") and not ignored(os.fsdecode(file.path))]
    small = objects.read_small(git, [file.oid for file in others], MAX_SIZE)
    return [os.fsdecode(file.path) for file in others if parse(small.get(file.oid, b"")) is not None]
