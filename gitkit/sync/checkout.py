"""Materialise: pointers in the worktree become content from the store.

Only a file that still holds exactly the index's pointer is replaced; whatever a person changed stays. Written beside,
verified, renamed: killed anywhere, a file is either the pointer or the whole content.
"""

import os
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from gitkit.core.events import Advanced, Finished, Sink, Started, ignore
from gitkit.core.pointer import MAX_SIZE
from gitkit.errors import Corrupt, KitError
from gitkit.git import index, worktree
from gitkit.git.repository import Repository
from gitkit.store.ingest import copy_hashed
from gitkit.store.layout import ImageLayout
from gitkit.sync.pointers import PointerFile


class Failure(NamedTuple):
    file: PointerFile
    error: KitError


class CheckedOut(NamedTuple):
    """``missing``: the store does not hold the content."""

    done: list[PointerFile]
    missing: list[PointerFile]
    failed: list[Failure]


def still_pointers(repository: Repository, files: Sequence[PointerFile]) -> list[PointerFile]:
    """Those of ``files`` that are pointers in the worktree too: not content, changed, deleted or linked elsewhere."""
    root = repository.worktree
    return [file for file in files if root is not None and _as_pointer(root, file) is not None]


def checkout(
    repository: Repository, store: ImageLayout, files: Sequence[PointerFile], *, transfers: int = 4, emit: Sink = ignore
) -> CheckedOut:
    """Materialise ``files`` where they are pointers and the store holds their content. Idempotent.

    A damaged blob or a file that cannot be written is reported in the result and leaves the pointer.
    """
    root = repository.worktree
    pending = still_pointers(repository, files)
    if root is None or not pending:
        return CheckedOut([], [], [])
    ready = [file for file in pending if store.holds(file.pointer.digest, file.pointer.size)]
    missing = [file for file in pending if not store.holds(file.pointer.digest, file.pointer.size)]
    if not ready:
        return CheckedOut([], missing, [])
    from concurrent.futures import ThreadPoolExecutor

    emit(Started("checking out", len(ready), sum(file.pointer.size for file in ready)))
    with ThreadPoolExecutor(transfers) as pool:
        results = list(pool.map(lambda file: _materialise(root, store, file, emit), ready))
    outcomes = list(zip(ready, results, strict=True))
    written = {file.path: index.Written(file.oid, it) for file, it in outcomes if isinstance(it, os.stat_result)}
    if written:
        index.record(repository, written)
    done = [file for file in ready if file.path in written]
    emit(Finished("checked out", len(done), sum(file.pointer.size for file in done)))
    failed = [Failure(file, error) for file, error in outcomes if isinstance(error, KitError)]
    return CheckedOut(done, missing, failed)


def _as_pointer(root: str, file: PointerFile) -> worktree.Seen | None:
    try:
        with worktree.folder_of(root, file.path) as (folder, name):
            seen = worktree.look(folder, name)
            if seen is None or seen.size != len(file.raw):
                return None
            return seen if worktree.read_small(folder, name, MAX_SIZE + 1) == file.raw else None
    except OSError:
        return None


def _materialise(root: str, store: ImageLayout, file: PointerFile, emit: Sink) -> os.stat_result | KitError | None:
    """The written file's stat data; None where there was no pointer (any more)."""
    try:
        with worktree.folder_of(root, file.path) as (folder, name):
            seen = worktree.look(folder, name)
            if seen is None or worktree.read_small(folder, name, MAX_SIZE + 1) != file.raw:
                return None
            with worktree.replacement(folder, name, file.mode, seen) as fd:
                _copy(store, file, fd)
            written = os.stat(name, dir_fd=folder, follow_symlinks=False)
        emit(Advanced(file.pointer.size))
        return written
    except KitError as error:
        return error
    except FileExistsError:
        return None  # changed meanwhile: by its owner, or by another git kit that was faster
    except OSError as error:
        return KitError(f"cannot write the file: {error.strerror}")


def _copy(store: ImageLayout, file: PointerFile, fd: int) -> None:
    with closing(store.open_blob(file.pointer.digest, file.pointer.size)) as source:
        digest, _ = copy_hashed(source, fd)
    if digest != file.pointer.digest:
        raise Corrupt(f"the blob {file.pointer.digest} in the store is damaged", hint="git kit fsck, then git kit pull")
