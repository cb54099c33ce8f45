"""Materialise: pointers in the worktree become content from the store.

Only a file that still holds exactly the index's pointer is replaced; whatever a person changed stays. Written beside,
verified, renamed: killed anywhere, a file is either the pointer or the whole content.
"""

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from gitkit.core.digest import digest_of
from gitkit.core.events import Advanced, Finished, Sink, Started, ignore
from gitkit.core.pointer import MAX_SIZE
from gitkit.errors import Corrupt, KitError
from gitkit.git import index, worktree
from gitkit.git.repository import Repository
from gitkit.store.hashcache import HashCache
from gitkit.store.ingest import BLOCK, copy_hashed
from gitkit.store.layout import ImageLayout
from gitkit.sync.parallel import each
from gitkit.sync.pointers import PointerFile

_FULL = (errno.ENOSPC, errno.EDQUOT)


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
    by_path = {file.path: file for file in files}
    found: set[bytes] = set()
    for folder, names in worktree.by_folder(root, by_path) if root is not None else ():
        found.update(path for path, name in names if _is_pointer(folder, name, by_path[path]))
    return [file for file in files if file.path in found]


def checkout(
    repository: Repository,
    store: ImageLayout,
    files: Sequence[PointerFile],
    *,
    transfers: int = 4,
    hard_links: bool = False,
    cache: HashCache | None = None,
    emit: Sink = ignore,
) -> CheckedOut:
    """Materialise ``files`` where they are pointers and the store holds their content. Idempotent.

    With ``hard_links`` a file is one more name of the store's blob, read-only. A damaged blob or a file that cannot be
    written is reported in the result and leaves the pointer. ``cache`` is told which files are Git LFS pointers in Git.
    """
    root = repository.worktree
    pending = still_pointers(repository, files)
    if root is None or not pending:
        return CheckedOut([], [], [])
    ready: list[PointerFile] = []
    missing: list[PointerFile] = []
    for file in pending:
        (ready if store.holds(file.pointer.digest, file.pointer.size) else missing).append(file)
    if not ready:
        return CheckedOut([], missing, [])
    if cache is not None:
        for file in ready:
            if file.pointer.lfs:
                cache.keep_pointer(file.path, file.pointer.digest, file.raw)
    index.doubt(repository, {file.path for file in ready})
    emit(Started("checking out", len(ready), sum(file.pointer.size for file in ready)))
    outcomes = _materialise_all(root, store, ready, transfers, hard_links=hard_links, emit=emit)
    stats = {file.path: it for file, it in outcomes if isinstance(it, os.stat_result)}
    if hard_links:
        stats = current(root, stats)
    written = {file.path: index.Written(file.oid, stats[file.path]) for file in ready if file.path in stats}
    if written:
        expected = {file.path: (file.raw, file.pointer.digest) for file in files}
        index.record(repository, written, settle=Settler(root, expected))
    done = [file for file in ready if file.path in written]
    emit(Finished("checked out", len(done), sum(file.pointer.size for file in done)))
    failed = [Failure(file, error) for file, error in outcomes if isinstance(error, KitError)]
    return CheckedOut(done, missing, failed)


def _materialise_all(
    root: str, store: ImageLayout, files: Sequence[PointerFile], transfers: int, *, hard_links: bool, emit: Sink
) -> list[tuple[PointerFile, "os.stat_result | KitError | None"]]:
    """Small files one after another, as threads would only wait for each other; large ones in parallel."""
    small = {file.path: file for file in files if file.pointer.size < BLOCK}
    done: dict[bytes, os.stat_result | KitError | None] = {}
    for folder, names in worktree.by_folder(root, small):
        for path, name in names:
            done[path] = _put(folder, name, store, small[path], hard_links, None, emit)
    rest = [file for file in files if file.path not in done]
    write = partial(materialise, root, store, hard_links=hard_links, emit=emit)
    done.update(zip((file.path for file in rest), each(write, rest, limit=transfers), strict=True))
    return [(file, done[file.path]) for file in files]


def materialise(
    root: str,
    store: ImageLayout,
    file: PointerFile,
    *,
    hard_links: bool = False,
    older_than_ns: int | None = None,
    emit: Sink = ignore,
) -> os.stat_result | KitError | None:
    """Put content in the place of one pointer; the written file's stat data, or why it was not written.

    None where there was no pointer (any more). The index is the caller's (``index.doubt`` before, ``index.record``
    after it). The file's time lies before ``older_than_ns``.
    """
    try:
        with worktree.folder_of(root, file.path) as (folder, name):
            return _put(folder, name, store, file, hard_links, older_than_ns, emit)
    except OSError as error:
        return _problem(error)


def _put(
    folder: int,
    name: bytes,
    store: ImageLayout,
    file: PointerFile,
    hard_links: bool,
    older_than_ns: int | None,
    emit: Sink,
) -> os.stat_result | KitError | None:
    try:
        seen = worktree.look(folder, name)
        if seen is None or worktree.read_small(folder, name, MAX_SIZE + 1) != file.raw:
            return None
        written = _link(store, file, folder, name, seen) if hard_links else None
        if written is None:
            drafts = store.drafts_path
            with worktree.replacement(folder, name, seen, older_than_ns=older_than_ns, drafts=drafts) as new:
                _copy(store, file, new.fd)
            written = new.stat
        emit(Advanced(file.pointer.size))
        return written
    except KitError as error:
        return error
    except FileExistsError:
        return None  # changed meanwhile: by its owner, or by another git kit that was faster
    except OSError as error:
        return _problem(error)


def _problem(error: OSError) -> KitError:
    hint = "free some space and run the command again" if error.errno in _FULL else None
    return KitError(f"cannot write the file: {error.strerror}", hint=hint)


def current(root: str, stats: Mapping[bytes, os.stat_result]) -> dict[bytes, os.stat_result]:
    """Stat data as they are now of files that were just written as hard links: each further link changes them all."""
    found = {}
    for path, before in stats.items():
        with suppress(OSError), worktree.folder_of(root, path) as (folder, name):
            now = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if (now.st_ino, now.st_size, now.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns):
                found[path] = now
    return found


class Settler:
    """Makes sure of files that Git wrote in the second of its index (see ``index.Settle``).

    ``expected`` gives by path what Git holds and the digest of what the file should hold. A file with other content was
    changed by somebody and is theirs.
    """

    def __init__(self, root: str, expected: Mapping[bytes, tuple[bytes, str]]) -> None:
        self._root = root
        self._expected = expected

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._expected)

    def __call__(self, path: bytes, oid: str) -> os.stat_result | None:
        raw, digest = self._expected.get(path, (b"", ""))
        if not digest or not _is_oid_of(raw, oid) or (fd := worktree.open_regular(self._root, path)) is None:
            return None
        with open(fd, "rb", buffering=0) as file:
            before = os.fstat(fd)
            try:
                after = worktree.back_date(fd)
            except OSError:
                return None  # not our file
            found = digest_of(file.readall()) if after.st_size < BLOCK else copy_hashed(file, None)[0]
            if found == digest:
                return after if os.fstat(fd).st_mtime_ns == after.st_mtime_ns else None
            os.utime(fd, ns=(before.st_atime_ns, before.st_mtime_ns))
            return None


def _is_oid_of(raw: bytes, oid: str) -> bool:
    hasher = hashlib.sha256 if len(oid) == 64 else hashlib.sha1
    return hasher(b"blob %d\0%s" % (len(raw), raw)).hexdigest() == oid


def _is_pointer(folder: int, name: bytes, file: PointerFile) -> bool:
    with suppress(OSError):
        seen = worktree.look(folder, name)
        if seen is not None and seen.size == len(file.raw):
            return worktree.read_small(folder, name, MAX_SIZE + 1) == file.raw
    return False


def _link(
    store: ImageLayout, file: PointerFile, folder: int, name: bytes, seen: worktree.Seen
) -> os.stat_result | None:
    # All names of a file share its permissions, and a blob is not executable.
    if seen.is_executable or not store.is_sealed(file.pointer.digest, file.pointer.size):
        return None
    source = store.blob_path(file.pointer.digest)
    return worktree.replace_by_link(folder, name, source, seen, drafts=store.drafts_path)


def _copy(store: ImageLayout, file: PointerFile, fd: int) -> None:
    try:
        store.copy_to(file.pointer.digest, file.pointer.size, fd)
    except Corrupt as error:
        raise Corrupt(
            f"the blob {file.pointer.digest} in the store is damaged", hint="git kit fsck --repair"
        ) from error
