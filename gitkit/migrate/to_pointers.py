"""Content to pointers: what `git kit migrate import` does to a history, file by file."""

from collections.abc import Callable, Mapping, Sequence

from gitkit.core.events import Advanced, Sink, ignore
from gitkit.core.pointer import MAX_SIZE, Pointer, parse
from gitkit.errors import Corrupt
from gitkit.git.objects import BlobSource
from gitkit.migrate.lines import KIT, track_paths, track_patterns
from gitkit.migrate.pack import Pack
from gitkit.migrate.patterns import Selection
from gitkit.migrate.reader import Reader
from gitkit.migrate.walk import ROOT, File, Mark, Ruling, Verdict
from gitkit.store.layout import ImageLayout

Convert = Callable[[str, int], str]
"""The Git blob that takes the place of another one, which is given by oid and size (bytes)."""


class ToPointers:
    """A plan. ``sizes`` collects the Git blobs that become pointers."""

    def __init__(self, reader: Reader, selection: Selection, convert: Convert) -> None:
        self.begins = selection.by_pattern
        self.sizes: dict[str, int] = {}
        self._reader = reader
        self._selection = selection
        self._convert = convert
        self._new: dict[str, str | None] = {}

    def includes(self, path: bytes) -> bool:
        return self._selection.takes(path)

    def judge(self, files: Sequence[File], rulings: Mapping[bytes, Ruling]) -> Verdict:
        self._look({file.oid for file in files} - self._new.keys())
        new = {file.path: oid for file in files if (oid := self._new[file.oid]) is not None}
        # A pattern is written down for whatever it matches; a single path only where a pointer needs it.
        meant = [file.path for file in files if self.begins or file.path in new]
        forbidden = [path for path in meant if path in rulings and rulings[path].filter != KIT]
        marks = [Mark(rulings[path].folder, path) for path in forbidden]
        free = [path for path in meant if path not in rulings]
        marks += [Mark(ROOT, path) for path in (meant[:1] if self.begins else free)]
        return Verdict(new, marks)

    def edit(self, folder: bytes, text: bytes, marks: Sequence[Mark], *, begun: bool) -> bytes:
        if folder == ROOT and self.begins:
            return track_patterns(text, self._selection.include, self._selection.exclude) if begun else text
        return track_paths(text, [mark.path for mark in marks])

    def _look(self, oids: set[str]) -> None:
        sizes = self._reader.sizes(oids)
        for oid, size in sizes.items():
            if self._is_content(oid, size):
                self.sizes[oid] = size
                self._new[oid] = self._convert(oid, size)
            else:
                self._new[oid] = None

    def _is_content(self, oid: str, size: int) -> bool:
        """Whether it is to become a pointer: not one yet, and not empty, which is its own."""
        if size <= (self._selection.above or 0):
            return False
        return size > MAX_SIZE or parse(self._reader.read(oid)) is None


def named_only(pack: Pack) -> Convert:
    """Conversion for a pass that only counts: reads no content."""

    def convert(oid: str, size: int) -> str:
        return pack.add(b"blob", oid.encode())

    return convert


class Storing:
    """Conversion that brings content into ``store``: streamed, each Git blob once, in constant memory."""

    def __init__(self, reader: Reader, pack: Pack, store: ImageLayout, emit: Sink = ignore) -> None:
        self._reader = reader
        self._pack = pack
        self._store = store
        self._emit = emit

    def __call__(self, oid: str, size: int) -> str:
        with self._reader.stream(oid) as source:
            digest, count = self._store.add(_Counted(source, self._emit))
        if count != size:
            raise Corrupt(f"Git object {oid} ended early", hint="git fsck")
        return self._pack.add(b"blob", Pointer(digest, size).encode())


class _Counted:
    """Tells how many bytes pass."""

    def __init__(self, source: BlobSource, emit: Sink) -> None:
        self._source = source
        self._emit = emit

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._source.readinto(buffer)
        self._emit(Advanced(count))
        return count
