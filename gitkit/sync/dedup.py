"""One place on the disk for a file of the worktree and its blob.

Where the file system shares bytes between files, the kernel compares and shares them: no file is replaced. With hard
links a file becomes one more name of its blob, read-only, once both were found equal. Only files that Git knows to be
unchanged are looked at.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from gitkit.core.events import Advanced, Finished, Sink, Started, ignore
from gitkit.errors import KitError, Unsupported
from gitkit.git import changes, index, worktree
from gitkit.git.repository import Repository
from gitkit.store import dedupe, durable
from gitkit.store.ingest import copy_hashed
from gitkit.store.layout import ImageLayout
from gitkit.sync.checkout import current
from gitkit.sync.parallel import each
from gitkit.sync.pointers import PointerFile, in_index

DIFFERENT = "its content is not the blob's"
IMPOSSIBLE = "it cannot share its bytes"
EXECUTABLE = "it is executable"


class Skipped(NamedTuple):
    """``reason`` completes a sentence about the file."""

    file: PointerFile
    reason: str


class Deduplicated(NamedTuple):
    """``shared`` now, or with a dry run could be; ``before``: shared already. ``bytes`` counts those of ``shared``."""

    shared: list[PointerFile]
    before: list[PointerFile]
    skipped: list[Skipped]
    bytes: int


def dedup(
    repository: Repository, store: ImageLayout, *, hard_links: bool = False, dry_run: bool = False, emit: Sink = ignore
) -> Deduplicated:
    """Have clean, materialised files of the worktree and their blobs lie in one place. Idempotent.

    Raises:
        Unsupported: this file system cannot do it.
    """
    files = _clean(repository, store)
    if repository.worktree is None or not files:
        return Deduplicated([], [], [], 0)
    way = (_Linking if hard_links else _Sharing)(repository.worktree, store, dry_run)
    emit(Started("comparing", len(files), sum(file.pointer.size for file in files)))
    verdicts = each(lambda file: _told(way.try_one, file, emit), files, limit=os.cpu_count() or 1)
    outcomes = list(zip(files, verdicts, strict=True))
    shared = [file for file, outcome in outcomes if outcome is True]
    before = [file for file, outcome in outcomes if outcome is False]
    skipped = [Skipped(file, outcome) for file, outcome in outcomes if isinstance(outcome, str)]
    if isinstance(way, _Linking) and shared and not dry_run:
        _record(repository, repository.worktree, [*shared, *before], way.linked)
    size = sum(file.pointer.size for file in shared)
    emit(Finished("shared", 0 if dry_run else len(shared), size))
    if not shared and not before and skipped and all(it.reason == IMPOSSIBLE for it in skipped):
        raise _unsupported(hard_links)
    return Deduplicated(shared, before, skipped, size)


def _clean(repository: Repository, store: ImageLayout) -> list[PointerFile]:
    """Files with content that Git takes for unchanged and that is in the store."""
    root = repository.worktree
    repository.git.ask("update-index", "-q", "--refresh")  # a copied clone's files all have other stat data
    looked = changes.tracked_changes(repository.git, [], {})
    if root is None or looked is None:
        return []
    changed = {*(change.path for change in looked.changed), *looked.gone, *looked.unmerged}
    files = [file for file in in_index(repository.git) if file.path not in changed and file.pointer.size]
    return [file for file in files if _is_whole(root, file) and store.holds(file.pointer.digest, file.pointer.size)]


def _is_whole(root: str, file: PointerFile) -> bool:
    try:
        with worktree.folder_of(root, file.path) as (folder, name):
            seen = worktree.look(folder, name)
    except OSError:
        return False
    return seen is not None and seen.size == file.pointer.size


def _told(one: Callable[[PointerFile], bool | str], file: PointerFile, emit: Sink) -> bool | str:
    try:
        outcome = one(file)
    except KitError as error:
        outcome = error.message
    except OSError as error:
        outcome = f"it cannot be read or replaced: {error.strerror}"
    emit(Advanced(file.pointer.size))
    return outcome


class _Sharing:
    """True: shares its bytes now; False: did before; else why not."""

    def __init__(self, root: str, store: ImageLayout, dry_run: bool) -> None:
        self._root = root
        self._store = store
        self._dry_run = dry_run

    def try_one(self, file: PointerFile) -> bool | str:
        digest, size = file.pointer.digest, file.pointer.size
        fd = worktree.open_regular(self._root, file.path)
        if fd is None:
            return DIFFERENT
        try:
            with closing(self._store.open_blob(digest, size)) as blob:
                return self._share(blob.fileno(), fd, size)
        finally:
            os.close(fd)

    def _share(self, blob: int, fd: int, size: int) -> bool | str:
        if os.fstat(fd).st_size != size:
            return DIFFERENT
        if os.path.samestat(os.fstat(blob), os.fstat(fd)) or dedupe.is_shared(blob, fd):
            return False
        if self._dry_run:
            return True if dedupe.can_share(blob, fd) else IMPOSSIBLE
        try:
            return True if dedupe.share(blob, fd, size) else DIFFERENT
        except dedupe.NotPossible:
            return IMPOSSIBLE


class _Linking:
    """The same with one more name for the blob. ``linked`` gives, by path, stat data of files known to be whole."""

    def __init__(self, root: str, store: ImageLayout, dry_run: bool) -> None:
        self._root = root
        self._store = store
        self._dry_run = dry_run
        self.linked: dict[bytes, os.stat_result] = {}

    def try_one(self, file: PointerFile) -> bool | str:
        digest, size = file.pointer.digest, file.pointer.size
        blob = self._store.blob_path(digest)
        with worktree.folder_of(self._root, file.path) as (folder, name):
            seen = worktree.look(folder, name)
            if seen is None or seen.size != size:
                return DIFFERENT
            found, whole = os.stat(name, dir_fd=folder, follow_symlinks=False), os.stat(blob)
            if os.path.samestat(found, whole):
                if durable.is_sealed(whole):
                    self.linked[file.path] = whole
                return False
            if seen.is_executable or file.mode != "100644":
                return EXECUTABLE  # all names of a file share its permissions
            if found.st_dev != whole.st_dev:
                return IMPOSSIBLE
            if self._dry_run:
                return True
            if not self._is_content(folder, name, digest) or not self._is_good(digest, size):
                return DIFFERENT
            if not worktree.replace_by_link(folder, name, blob, seen, drafts=self._store.drafts_path):
                return IMPOSSIBLE
            self.linked[file.path] = whole
            return True

    @staticmethod
    def _is_content(folder: int, name: bytes, digest: str) -> bool:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with open(fd, "rb", buffering=0) as source:
            return copy_hashed(source, None)[0] == digest

    def _is_good(self, digest: str, size: int) -> bool:
        if self._store.is_sealed(digest, size):
            return True
        with closing(self._store.open_blob(digest, size)) as source:
            return copy_hashed(source, None)[0] == digest


def _record(
    repository: Repository, root: str, files: Sequence[PointerFile], linked: Mapping[bytes, os.stat_result]
) -> None:
    """Tell Git about the files' new stat data, where they are still as they were linked."""
    stats = current(root, linked)
    index.record(
        repository, {file.path: index.Written(file.oid, stats[file.path]) for file in files if file.path in stats}
    )


def _unsupported(hard_links: bool) -> Unsupported:
    if hard_links:
        return Unsupported(
            "the store is on another file system than the worktree, so there are no hard links between them",
            hint="a store beside it: git config --unset kit.storage",
        )
    return Unsupported(
        "this file system cannot have files share their bytes",
        hint="XFS and btrfs can. Read-only files that are hard links to the store: git config kit.link hardlink",
    )
