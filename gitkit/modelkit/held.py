"""What the kits of many commits hold, read together: a handful of git processes, however many commits.

Nothing is built: a commit whose Kitfile cannot be read holds files that belong to no entry.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.ignore import parse_ignore
from gitkit.core.pointer import MAX_SIZE, parse
from gitkit.errors import InvalidFile
from gitkit.git import objects
from gitkit.git.objects import TreeEntry
from gitkit.git.run import Git
from gitkit.git.trees import Trees, read_trees
from gitkit.modelkit.files import assign, owner_of
from gitkit.store.ingest import copy_hashed

if TYPE_CHECKING:
    from gitkit.core.kitfile import Kitfile
    from gitkit.core.pointer import Pointer

_MAX_TEXT = 1 << 20


class HeldFile(NamedTuple):
    """``section`` is that of its entry in the Kitfile, None where it is in no kit. ``oid`` is Git's, of the pointer or
    of the content itself.
    """

    path: str
    section: str | None
    oid: str
    digest: str
    size: int


class Elsewhere(NamedTuple):
    """Something that a kit takes from another place: ``base``, the kit that its model is from, or a ``dataset``."""

    kind: str
    place: str
    hash: str | None


class Held(NamedTuple):
    """What one commit holds."""

    files: Sequence[HeldFile]
    elsewhere: Sequence[Elsewhere]


class Holdings:
    """Looks into ``commits``. Trees are read at once, pointers when they are asked for first."""

    def __init__(self, git: Git, commits: Iterable[str]) -> None:
        self._git = git
        self._trees: Trees = read_trees(git, commits)
        self._pointers: dict[str, Pointer] | None = None
        self._texts: dict[str, bytes] = {}
        self._kitfiles: dict[str, Kitfile | None] = {}

    @property
    def pointers(self) -> "Mapping[str, Pointer]":
        """Every pointer in any of the commits, by its oid."""
        if self._pointers is None:
            small = objects.read_small(self._git, self._trees.blobs(), MAX_SIZE)
            self._pointers = {oid: pointer for oid, raw in small.items() if (pointer := parse(raw)) is not None}
        return self._pointers

    def plain(self) -> dict[str, tuple[str, int]]:
        """Digest and size of each file that Git holds itself, by its oid."""
        return self._hashed(oid for oid in self._trees.blobs() if oid not in self.pointers)

    def with_blobs(self, oids: Iterable[str]) -> dict[str, list[HeldFile]]:
        """The commits that have a file with one of these oids, and those files; whether a kit holds them or not."""
        wanted = set(oids)
        return self._found(lambda file: file.oid in wanted)

    def with_path(self, path: str) -> dict[str, list[HeldFile]]:
        """The commits that have the file or folder ``path``, and the files there; whether a kit holds them or not."""
        name = path.encode("utf-8", "surrogateescape")
        return self._found(lambda file: file.path == name or file.path.startswith(name + b"/"))

    def held(self, commits: Sequence[str]) -> dict[str, Held]:
        """What each of ``commits`` holds: the large files of its kit's entries; of an entry without any, all of it."""
        self._read_texts(commits)
        chosen = {commit: list(self._chosen(commit)) for commit in commits}
        plain = self._hashed({file.oid for files in chosen.values() for _, file in files} - self.pointers.keys())
        return {
            commit: Held([self._file(section, file, plain) for section, file in files], list(self._elsewhere(commit)))
            for commit, files in chosen.items()
        }

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _chosen(self, commit: str) -> Iterator[tuple[str, TreeEntry]]:
        by_entry: dict[tuple[str, int], list[TreeEntry]] = {}
        for place, file in self._by_entry(commit):
            by_entry.setdefault(place, []).append(file)
        for (section, _), files in by_entry.items():
            large = [file for file in files if file.oid in self.pointers]
            yield from ((section, file) for file in large or files)

    def _found(self, is_wanted: Callable[[TreeEntry], bool]) -> dict[str, list[HeldFile]]:
        found = {
            commit: [file for file in self._trees.files(commit) if file.mode.startswith("100") and is_wanted(file)]
            for commit in self._trees.roots
        }
        found = {commit: files for commit, files in found.items() if files}
        self._read_texts(found)
        plain = self._hashed({file.oid for files in found.values() for file in files} - self.pointers.keys())
        told = {}
        for commit, files in found.items():
            sections = {file.path: section for (section, _), file in self._by_entry(commit)}
            told[commit] = [self._file(sections.get(file.path), file, plain) for file in files]
        return told

    def _by_entry(self, commit: str) -> Iterator[tuple[tuple[str, int], TreeEntry]]:
        from gitkit.core.kitfile import entries

        kitfile = self._kitfile(commit)
        if kitfile is None:
            return
        tree = self._trees.files(commit)
        ignored = parse_ignore(self._text(tree, b".kitignore").decode("utf-8", "replace"))
        base = _base_of(kitfile)
        wanted = [entry for entry in entries(kitfile) if base is None or entry.section != "model"]
        owner = owner_of(wanted, [one.path for one in kitfile.datasets if one.remote_path and one.path])
        for choice in assign(tree, owner, ignored)[0]:
            yield (choice.entry.section, choice.entry.number), choice.file

    def _elsewhere(self, commit: str) -> Iterator[Elsewhere]:
        kitfile = self._kitfile(commit)
        if kitfile is None:
            return
        base = _base_of(kitfile)
        if base is not None:
            yield Elsewhere("base", base, None)
        for dataset in kitfile.datasets:
            if dataset.remote_path:
                yield Elsewhere("dataset", dataset.remote_path, dataset.remote_hash)

    def _kitfile(self, commit: str) -> "Kitfile | None":
        from gitkit.core.kitfile import NAMES, parse_kitfile

        by_path = {file.path: file.oid for file in self._trees.files(commit)}
        oid = next((by_path[name.encode()] for name in NAMES if name.encode() in by_path), None)
        if oid is None:
            return None
        if oid not in self._kitfiles:
            try:
                self._kitfiles[oid] = parse_kitfile(self._texts.get(oid, b""))
            except InvalidFile:
                self._kitfiles[oid] = None
        return self._kitfiles[oid]

    def _text(self, tree: Iterable[TreeEntry], name: bytes) -> bytes:
        oid = next((file.oid for file in tree if file.path == name), None)
        return self._texts.get(oid, b"") if oid is not None else b""

    def _read_texts(self, commits: Iterable[str]) -> None:
        from gitkit.core.kitfile import NAMES

        names = {b".kitignore", *(name.encode() for name in NAMES)}
        wanted = {
            file.oid
            for commit in commits
            for file in self._trees.files(commit)
            if file.path in names and file.oid not in self._texts
        }
        self._texts.update(objects.read_small(self._git, sorted(wanted), _MAX_TEXT))

    def _file(self, section: str | None, file: TreeEntry, plain: Mapping[str, tuple[str, int]]) -> HeldFile:
        pointer = self.pointers.get(file.oid)
        digest, size = (pointer.digest, pointer.size) if pointer is not None else plain[file.oid]
        return HeldFile(file.path.decode("utf-8", "surrogateescape"), section, file.oid, digest, size)

    def _hashed(self, oids: Iterable[str]) -> dict[str, tuple[str, int]]:
        return {oid: copy_hashed(source, None) for oid, source in objects.each_blob(self._git, sorted(oids))}


def _base_of(kitfile: "Kitfile") -> str | None:
    from gitkit.core.kitfile import is_kit_reference

    path = kitfile.model.path if kitfile.model is not None else None
    return path if path and is_kit_reference(path) else None
