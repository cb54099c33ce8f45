"""Pointers back to content: what `git kit migrate export` does to a history, file by file."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import BinaryIO

from gitkit.core.events import Advanced, Sink, ignore
from gitkit.core.pointer import MAX_SIZE, Pointer, parse
from gitkit.errors import Corrupt, KitError
from gitkit.git.run import Git
from gitkit.migrate.lines import MANAGED, untrack
from gitkit.migrate.pack import Pack
from gitkit.migrate.patterns import Selection
from gitkit.migrate.reader import Reader
from gitkit.migrate.walk import ROOT, File, Mark, Ruling, Verdict
from gitkit.store.ingest import copy_hashed
from gitkit.store.layout import ImageLayout
from gitkit.sync.pointers import Need

Convert = Callable[[Pointer], str]
"""The Git blob that holds the content of a pointer."""


class ToContent:
    """A plan. ``needs`` collects the content that is wanted, by digest."""

    begins = False

    def __init__(self, reader: Reader, selection: Selection, convert: Convert) -> None:
        self.needs: dict[str, Need] = {}
        self._reader = reader
        self._selection = selection
        self._convert = convert
        self._pointers: dict[str, Pointer | None] = {}
        self._new: dict[str, str] = {}

    def includes(self, path: bytes) -> bool:
        return self._selection.includes(path)

    def judge(self, files: Sequence[File], rulings: Mapping[bytes, Ruling]) -> Verdict:
        self._look({file.oid for file in files} - self._pointers.keys())
        new: dict[bytes, str] = {}
        marks = []
        for file in files:
            pointer, ruling = self._pointers[file.oid], rulings.get(file.path)
            if pointer is None:
                continue
            if self._selection.takes(file.path):
                new[file.path] = self._content(file, pointer)
                folder = ruling.folder if ruling is not None and ruling.filter in MANAGED else ROOT
                marks.append(Mark(folder, file.path))
            elif ruling is None:
                marks.append(Mark(ROOT, file.path, kept=True))
        return Verdict(new, marks)

    def edit(self, folder: bytes, text: bytes, marks: Sequence[Mark], *, begun: bool) -> bytes:
        patterns = self._selection.include if folder == ROOT else ()
        gone = [mark.path for mark in marks if not mark.kept]
        return untrack(text, patterns, gone, [mark.path for mark in marks if mark.kept])

    def _content(self, file: File, pointer: Pointer) -> str:
        if file.oid not in self._new:
            self.needs.setdefault(pointer.digest, Need(pointer.digest, pointer.size, file.path, pointer.lfs))
            self._new[file.oid] = self._convert(pointer)
        return self._new[file.oid]

    def _look(self, oids: set[str]) -> None:
        for oid, size in self._reader.sizes(oids).items():
            self._pointers[oid] = parse(self._reader.read(oid)) if 0 < size <= MAX_SIZE else None


def named_only(pack: Pack) -> Convert:
    """Conversion for a pass that only collects what is needed."""
    return lambda pointer: pack.add(b"blob", b"the content of " + pointer.digest.encode())


class Restoring:
    """Conversion that has git read content from the files of ``store``, each once, after it was verified."""

    def __init__(self, questions: BinaryIO, answers: BinaryIO, store: ImageLayout, emit: Sink = ignore) -> None:
        self._questions = questions
        self._answers = answers
        self._store = store
        self._emit = emit
        self._known: dict[str, str] = {}

    def __call__(self, pointer: Pointer) -> str:
        if pointer.digest not in self._known:
            self._verify(pointer)
            path = os.fsencode(os.path.abspath(self._store.blob_path(pointer.digest)))
            self._questions.write(_quoted(path) + b"\n")
            self._questions.flush()
            oid = self._answers.readline().decode().strip()
            if not oid:
                raise KitError("git hash-object failed", hint="its message is above")
            self._known[pointer.digest] = oid
            self._emit(Advanced(pointer.size))
        return self._known[pointer.digest]

    def _verify(self, pointer: Pointer) -> None:
        if self._store.is_sealed(pointer.digest, pointer.size):
            return
        with closing(self._store.open_blob(pointer.digest, pointer.size)) as file:
            found, _ = copy_hashed(file, None)
        if found != pointer.digest:
            raise Corrupt(f"the blob {pointer.digest} in the store is damaged", hint="git kit fsck --repair")


@contextmanager
def restoring(git: Git, store: ImageLayout, emit: Sink = ignore) -> Iterator[Restoring]:
    """A ``Restoring`` for the repository of ``git``, until the block is left."""
    with git.pipe("hash-object", "-w", "--no-filters", "--stdin-paths") as (questions, answers):
        yield Restoring(questions, answers, store, emit)


def _quoted(path: bytes) -> bytes:
    """A path for a line of git's input: in C style where it would be taken for something else."""
    if not path.startswith(b'"') and b"\n" not in path:
        return path
    return b'"' + path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
