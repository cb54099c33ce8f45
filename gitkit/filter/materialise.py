"""Content put into the worktree after Git has done its own work.

Git waits for the filter at its exit, with ``index.lock`` already free. So a large file is answered with its pointer,
and written here, when Git has no more to ask: in parallel, without a byte in Git's memory, and with the index told of
the new file, so that the next ``git status`` reads nothing. Whatever a person changed in between stays.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.digest import digest_of
from gitkit.core.events import Finished, Sink, Started
from gitkit.core.pointer import Pointer
from gitkit.errors import KitError, Locked
from gitkit.git import index

if TYPE_CHECKING:
    from gitkit.filter.smudge import Downloads, Surroundings
    from gitkit.sync.pointers import PointerFile

LARGE = 1 << 20
"""Content up to this size (bytes) goes through Git."""

_WORTH_SHOWING = 256 << 20


class _Later(NamedTuple):
    file: "PointerFile"
    treeish: str | None


class Materialiser:
    """What one git process has checked out: files to fill in, and files that Git wrote itself."""

    def __init__(self, around: "Surroundings", downloads: "Callable[[], Downloads]") -> None:
        self._around = around
        self._downloads = downloads
        self._later: dict[bytes, _Later] = {}
        self._inlined: dict[bytes, tuple[bytes, str]] = {}

    def add(self, path: bytes, pointer: Pointer, raw: bytes, oid: str, treeish: str | None) -> None:
        """Fill ``path`` in at the end. The same path again replaces what was meant before."""
        from gitkit.sync.pointers import PointerFile

        self._inlined.pop(path, None)
        # The mode is that of the file which Git writes.
        self._later[path] = _Later(PointerFile(path, "100644", oid, pointer, raw), treeish)

    def inlined(self, path: bytes, raw: bytes, digest: str) -> None:
        """Git itself writes this file, for the pointer ``raw``: content that has ``digest``."""
        self._later.pop(path, None)
        self._inlined[path] = (raw, digest)

    @property
    def pending(self) -> list[bytes]:
        """The paths that are to be filled in."""
        return list(self._later)

    def finish(self) -> list[tuple[bytes, KitError]]:
        """Write what was added and tell the index; returns what stays a pointer, and why."""
        if self._around.repository.worktree is None:
            return []
        results = self._write() if self._later else {}
        for path in [path for path, result in results.items() if isinstance(result, KitError)]:
            file = self._later[path].file
            self._inlined[path] = (file.raw, digest_of(file.raw))
        written = {path: result for path, result in results.items() if isinstance(result, os.stat_result)}
        if self._around.hard_links:
            from gitkit.sync.checkout import current

            written = current(self._around.repository.worktree, written)
        is_locked = any(isinstance(result, Locked) for result in results.values())
        if written or (self._inlined and not is_locked):
            from gitkit.sync.checkout import Settler

            files = {path: index.Written(self._later[path].file.oid, stat) for path, stat in written.items()}
            settle = Settler(self._around.repository.worktree, self._inlined)
            index.record(self._around.repository, files, settle=settle)
        for path, stat in written.items():
            pointer = self._later[path].file.pointer
            self._around.cache.remember(path, pointer.digest, pointer.size, stat)
        return [(path, result) for path, result in results.items() if isinstance(result, KitError)]

    def _write(self) -> dict[bytes, os.stat_result | KitError | None]:
        from gitkit.sync.checkout import still_pointers
        from gitkit.sync.parallel import each

        # A git that ours has started may have written some anew: `git rebase --apply` runs `git am`.
        pending = still_pointers(self._around.repository, [item.file for item in self._later.values()])
        if not pending:
            return {}
        items = sorted((self._later[file.path] for file in pending), key=self._is_absent)  # what is here needs no wait
        size = sum(item.file.pointer.size for item in items)
        try:
            index_ns = index.doubt(self._around.repository, {file.path for file in pending})
        except KitError as error:
            return {item.file.path: error for item in items}
        with self._around.progress(size >= _WORTH_SHOWING) as emit:
            emit(Started("checking out", len(items), size))
            self._downloads().expect([item.file.pointer for item in items], items[0].treeish)
            results = each(lambda item: self._write_one(item, index_ns, emit), items, limit=self._around.transfers)
            done = [item for item, result in zip(items, results, strict=True) if isinstance(result, os.stat_result)]
            emit(Finished("checked out", len(done), sum(item.file.pointer.size for item in done)))
        return {item.file.path: result for item, result in zip(items, results, strict=True)}

    def _is_absent(self, item: _Later) -> bool:
        return not self._around.store.holds(item.file.pointer.digest, item.file.pointer.size)

    def _write_one(self, item: _Later, index_ns: int, emit: Sink) -> os.stat_result | KitError | None:
        from gitkit.sync.checkout import materialise

        error = self._downloads().once(item.file.pointer, item.treeish)
        if error is not None:
            return error
        root = self._around.repository.worktree or ""
        hard_links = self._around.hard_links
        store = self._around.store
        return materialise(root, store, item.file, hard_links=hard_links, older_than_ns=index_ns, emit=emit)
