"""A history from its first commit to its last, with other files in its trees: which commits that makes.

Each tree is looked at once for each place and set of rules that it is found with, so the work is that of the changes
between commits. Nothing here writes: new objects go to a ``Pack``, what becomes of files a ``Plan`` decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from gitkit.core.paths import show_path
from gitkit.errors import Unsupported
from gitkit.git.attributes import FILE
from gitkit.migrate import texts
from gitkit.migrate.lines import Deciding, deciding, macros_of, verdict
from gitkit.migrate.pack import Base, Pack
from gitkit.migrate.reader import Reader
from gitkit.migrate.trees import Entry, format_tree, parse_tree, put

_ATTRIBUTES = FILE.encode()
ROOT = b""
_AT_ONCE = 100
"""So many commits are read together, with their root trees."""


class File(NamedTuple):
    """A regular file of a tree: its path from the root and its Git blob."""

    path: bytes
    oid: str


class Ruling(NamedTuple):
    """What a ``.gitattributes`` below the root says about a path: ``folder`` (with a slash) has it."""

    folder: bytes
    filter: bytes


class Mark(NamedTuple):
    """A path that concerns the ``.gitattributes`` of ``folder``; ``kept``: it is a pointer and stays one."""

    folder: bytes
    path: bytes
    kept: bool = False


class Verdict(NamedTuple):
    """The new blob of each file that gets one, and what that means for ``.gitattributes``."""

    new: dict[bytes, str]
    marks: list[Mark]


class Plan(Protocol):
    """What becomes of files."""

    begins: bool
    """Whether a commit's ``.gitattributes`` changes also because that of a commit before it did."""

    def includes(self, path: bytes) -> bool:
        """Whether ``judge`` is to see this file."""
        ...

    def judge(self, files: Sequence[File], rulings: Mapping[bytes, Ruling]) -> Verdict:
        """Decide about files of one folder; ``rulings`` by path, where there are any."""
        ...

    def edit(self, folder: bytes, text: bytes, marks: Sequence[Mark], *, begun: bool) -> bytes:
        """The new ``.gitattributes`` of ``folder`` (asked where there are ``marks``, and always for the root). The
        paths of ``marks`` are relative to it."""
        ...


class _Level(NamedTuple):
    """A ``.gitattributes`` below the root that concerns the filter."""

    folder: bytes
    oid: bytes


class _Context(NamedTuple):
    """What is known on the way down. Equal trees at equal places with equal contexts become the same."""

    macros: tuple[tuple[bytes, bytes], ...] = ()
    levels: tuple[_Level, ...] = ()


class _Subtree(NamedTuple):
    oid: bytes
    marks: tuple[Mark, ...]


@dataclass
class Walked:
    """``renamed`` maps each commit that changes to its new oid: all descend from the ``first`` ones, and those of
    ``unsigned`` lose a signature.
    """

    renamed: dict[str, str] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)


class Walk:
    """One pass over a history."""

    def __init__(self, reader: Reader, pack: Pack, plan: Plan) -> None:
        self._reader = reader
        self._pack = pack
        self._plan = plan
        self._seen: dict[tuple[bytes, bytes, _Context], _Subtree] = {}
        self._roots: dict[tuple[str, bool], tuple[str, bool]] = {}
        self._lines: dict[tuple[bytes, tuple[tuple[bytes, bytes], ...]], list[Deciding]] = {}
        self._last: dict[bytes, Base] = {}
        self._expected: dict[str, bytes] = {}

    def commits(self, oids: Sequence[str]) -> Walked:
        """Rewrite commits, parents before children. A commit whose tree and parents stay the same stays.

        Raises:
            Unsupported: ``.gitattributes`` would have to change and is no file.
            Corrupt: an object is missing.
        """
        walked = Walked()
        begun: set[str] = set()
        for start in range(0, len(oids), _AT_ONCE):
            some = oids[start : start + _AT_ONCE]
            read = self._reader.read_all(some)
            parsed = [texts.parse_commit(data) for data in read]
            self._expect([commit.tree for commit in parsed])
            for oid, data, commit in zip(some, read, parsed, strict=True):
                tree, is_begun = self.tree(commit.tree, begun=not begun.isdisjoint(commit.parents))
                if is_begun:
                    begun.add(oid)
                self._rename(walked, oid, data, commit, tree)
        return walked

    def _rename(self, walked: Walked, oid: str, data: bytes, commit: texts.CommitText, tree: str) -> None:
        parents = [walked.renamed.get(parent, parent) for parent in commit.parents]
        same_parents = parents == list(commit.parents)
        if tree == commit.tree and same_parents:
            return
        if same_parents:
            walked.first.append(oid)
        new = texts.rewrite_commit(data, tree, parents, walked.renamed)
        walked.renamed[oid] = self._pack.add(b"commit", new.data)
        if new.unsigned:
            walked.unsigned.append(oid)

    def tree(self, oid: str, *, begun: bool = False) -> tuple[str, bool]:
        """The new tree of a commit, and whether the commits that follow have ``begun``."""
        key = (oid, begun)
        if key not in self._roots:
            self._roots[key] = self._root(oid, begun)
        return self._roots[key]

    def _root(self, oid: str, begun: bool) -> tuple[str, bool]:
        old = self._entries(oid)
        macros = tuple(sorted(macros_of(self._text(_attributes_of(old))).items()))
        entries, marks = self._inside(old, ROOT, _Context(macros))
        is_begun = self._plan.begins and (begun or bool(marks))
        entries = self._edited(entries, ROOT, marks, begun=is_begun)
        return (oid if entries is old else self._added(entries, ROOT)), is_begun

    # -- one folder ------------------------------------------------------------------------------------------------

    def _subtree(self, oid: bytes, folder: bytes, context: _Context) -> _Subtree:
        key = (oid, folder, context)
        found = self._seen.get(key)
        if found is None:
            found = self._seen[key] = self._looked(oid, folder, context)
        return found

    def _looked(self, oid: bytes, folder: bytes, context: _Context) -> _Subtree:
        old = self._entries(oid.hex())
        entries, marks = self._inside(old, folder, self._entered(old, folder, context))
        if any(mark.folder == folder for mark in marks):
            entries = self._edited(entries, folder, marks, begun=False)
            marks = [mark for mark in marks if mark.folder != folder]
        new = oid if entries is old else bytes.fromhex(self._added(entries, folder))
        return _Subtree(new, tuple(marks))

    def _entered(self, entries: list[Entry], folder: bytes, context: _Context) -> _Context:
        own = _attributes_of(entries)
        # Git follows no link here, and a line that does not concern the filter concerns nobody.
        if own is None or not own.is_file or not self._deciding(own.oid, context.macros):
            return context
        return context._replace(levels=(*context.levels, _Level(folder, own.oid)))

    def _inside(self, entries: list[Entry], folder: bytes, context: _Context) -> tuple[list[Entry], list[Mark]]:
        """The new entries of a folder, but for its ``.gitattributes``, and the marks of all that is in it.

        ``entries`` themselves where nothing changes.
        """
        marks: list[Mark] = []
        files: list[File] = []
        new: dict[bytes, bytes] = {}
        folders = [entry for entry in entries if entry.is_folder]
        self._expect([it.oid.hex() for it in folders if (it.oid, folder + it.name + b"/", context) not in self._seen])
        for entry in entries:
            path = folder + entry.name
            if entry.is_folder:
                subtree = self._subtree(entry.oid, path + b"/", context)
                marks += subtree.marks
                if subtree.oid != entry.oid:
                    new[entry.name] = subtree.oid
            elif entry.is_file and self._plan.includes(path):
                files.append(File(path, entry.oid.hex()))
        if files:
            judged = self._plan.judge(files, self._rulings(files, context))
            marks += judged.marks
            new.update({path[len(folder) :]: bytes.fromhex(oid) for path, oid in judged.new.items()})
        if new:
            entries = [entry._replace(oid=new.get(entry.name, entry.oid)) for entry in entries]
        return entries, marks

    def _edited(self, entries: list[Entry], folder: bytes, marks: list[Mark], *, begun: bool) -> list[Entry]:
        """``entries`` with the new ``.gitattributes``; themselves where that stays as it is."""
        mine = [mark._replace(path=mark.path[len(folder) :]) for mark in marks if mark.folder == folder]
        own = _attributes_of(entries)
        text = self._text(own)
        new = self._plan.edit(folder, text, mine, begun=begun)
        if new == text:
            return entries
        if own is not None and not own.is_file:
            raise Unsupported(
                f"{show_path(folder + _ATTRIBUTES)} is not a file in some commit, and Git reads no attributes from it",
                hint="name only branches and tags whose history has none like it",
            )
        if not new:
            return [entry for entry in entries if entry.name != _ATTRIBUTES]
        oid = bytes.fromhex(self._pack.add(b"blob", new))
        return put(entries, Entry(own.mode if own is not None else b"100644", _ATTRIBUTES, oid))

    def _expect(self, trees: Sequence[str]) -> None:
        """These trees are going to be looked at: they are read in one go."""
        wanted = [oid for oid in dict.fromkeys(trees) if oid not in self._expected]
        if len(wanted) > 1:
            self._expected.update(zip(wanted, self._reader.read_all(wanted), strict=True))

    def _entries(self, tree: str) -> list[Entry]:
        data = self._expected.pop(tree, None)
        return parse_tree(data if data is not None else self._reader.read(tree), self._pack.width)

    def _added(self, entries: list[Entry], folder: bytes) -> str:
        data = format_tree(entries)
        oid = self._pack.add(b"tree", data, self._last.get(folder))
        self._last[folder] = Base(oid, data)
        return oid

    # -- attributes ------------------------------------------------------------------------------------------------

    def _rulings(self, files: Sequence[File], context: _Context) -> dict[bytes, Ruling]:
        found: dict[bytes, Ruling] = {}
        for level in context.levels:
            lines = self._deciding(level.oid, context.macros)
            for file in files:
                said = verdict(lines, file.path[len(level.folder) :])
                if said is not None:
                    found[file.path] = Ruling(level.folder, said)
        return found

    def _deciding(self, oid: bytes, macros: tuple[tuple[bytes, bytes], ...]) -> list[Deciding]:
        key = (oid, macros)
        if key not in self._lines:
            self._lines[key] = deciding(self._reader.read(oid.hex()), dict(macros))
        return self._lines[key]

    def _text(self, own: Entry | None) -> bytes:
        return self._reader.read(own.oid.hex()) if own is not None and own.is_file else b""


def _attributes_of(entries: list[Entry]) -> Entry | None:
    return next((entry for entry in entries if entry.name == _ATTRIBUTES), None)
