"""Files of the worktree into the store: what Git is to hold for each, and its stat data while it was read.

Left out, for git to decide about: what the filter would refuse, what cannot be read, what somebody keeps writing to.
Small files are read one after another, as threads would only wait for each other; large ones in parallel.
"""

import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from io import FileIO
from typing import NamedTuple

from gitkit.core import pointer
from gitkit.core.events import Advanced, Sink, ignore
from gitkit.errors import Denied, KitError
from gitkit.git import worktree
from gitkit.store.fingerprint import Fingerprint
from gitkit.store.hashcache import HashCache, Recalled
from gitkit.store.ingest import BLOCK
from gitkit.store.layout import ImageLayout
from gitkit.sync.parallel import each

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TRIES = 2
_TOLD_AT_ONCE = 64
_HEAD = pointer.MAX_SIZE + 1


class Found(NamedTuple):
    """A regular file of the worktree."""

    path: bytes
    stat: os.stat_result


class Taken(NamedTuple):
    """``raw`` is what Git is to hold: a pointer, or nothing for an empty file."""

    path: bytes
    raw: bytes
    stat: os.stat_result


class _Read(NamedTuple):
    """``size`` bytes with this ``digest``, or ``raw`` where the file stays what it is."""

    path: bytes
    stat: os.stat_result
    size: int
    digest: str | None
    raw: bytes = b""


class _Task(NamedTuple):
    """A large file; ``held`` is what it may be."""

    path: bytes
    held: Sequence[Recalled]


class _Unreadable(KitError):
    """The file, not the store, gave an error."""


def is_same(now: os.stat_result, before: os.stat_result) -> bool:
    """Whether a file did not change in between."""
    return (
        now.st_mtime_ns == before.st_mtime_ns
        and now.st_ctime_ns == before.st_ctime_ns
        and now.st_ino == before.st_ino
        and now.st_size == before.st_size
    )


def find(root: str, paths: Iterable[bytes]) -> list[Found]:
    """The regular files among ``paths``, reached through no link."""
    found = []
    for folder, names in worktree.by_folder(root, paths):
        for path, name in names:
            with suppress(OSError):
                seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(seen.st_mode):
                    found.append(Found(path, seen))
    return found


def take_in(
    root: str,
    store: ImageLayout,
    cache: HashCache,
    files: Sequence[Found],
    *,
    threads: int,
    trust: bool = True,
    emit: Sink = ignore,
) -> list[Taken]:
    """Store the content of ``files``, in their order; all of it is on disk when this returns. Idempotent.

    ``trust`` allows to recall a digest by path, length and fingerprint.

    Raises:
        KitError: the store cannot be written.
    """
    read_ns = time.time_ns()
    known = {file.path: file for file in _known(store, cache, files)}
    emit(Advanced(sum(file.stat.st_size for file in known.values())))
    rest = [file for file in files if file.path not in known]
    with store.batch():
        small = _take_small(root, store, [file.path for file in rest if not _is_large(file)], emit)
        tasks = [_Task(file.path, _held(store, cache, file) if trust else ()) for file in rest if _is_large(file)]
        large = [file for file in each(partial(_take_large, root, store, emit), tasks, limit=threads) if file]
    for file in large:
        if file.digest is not None:
            cache.remember(file.path, file.digest, file.size, file.stat, read_ns=read_ns)
    taken = {file.path: file for file in (*known.values(), *small, *large)}
    return [Taken(path, _text(cache, taken[path]), taken[path].stat) for path, _ in files if path in taken]


def _known(store: ImageLayout, cache: HashCache, files: Iterable[Found]) -> Iterator[_Read]:
    """Large files that did not change since they were hashed and whose content is in the store."""
    for file in files:
        size = file.stat.st_size
        if _is_large(file) and (digest := cache.of_stat(file.stat)) and store.claim(digest, size):
            yield _Read(file.path, file.stat, size, digest)


def _held(store: ImageLayout, cache: HashCache, file: Found) -> list[Recalled]:
    """Content of this length that the path had before and that is in the store."""
    size = file.stat.st_size
    return [one for one in cache.of_path(file.path) if one.size == size and store.holds(one.digest, size)]


def _is_large(file: Found) -> bool:
    return file.stat.st_size >= BLOCK


def _text(cache: HashCache, file: _Read) -> bytes:
    if file.digest is None:
        return file.raw
    return cache.pointer_of(file.path, file.digest) or pointer.Pointer(file.digest, file.size).encode()


def _take_small(root: str, store: ImageLayout, paths: Iterable[bytes], emit: Sink) -> list[_Read]:
    taken: list[_Read] = []
    told = 0
    for folder, names in worktree.by_folder(root, paths):
        for path, name in names:
            if (file := _take(folder, name, _Task(path, ()), store, ignore)) is not None:
                taken.append(file)
            if len(taken) - told >= _TOLD_AT_ONCE:
                emit(Advanced(sum(file.stat.st_size for file in taken[told:])))
                told = len(taken)
    emit(Advanced(sum(file.stat.st_size for file in taken[told:])))
    return taken


def _take_large(root: str, store: ImageLayout, emit: Sink, task: _Task) -> _Read | None:
    with suppress(OSError), worktree.folder_of(root, task.path) as (folder, name):
        return _take(folder, name, task, store, emit)
    return None


def _take(folder: int, name: bytes, task: _Task, store: ImageLayout, emit: Sink) -> _Read | None:
    """Store one file; None where that is for git to decide."""
    for _ in range(_TRIES):
        try:
            with FileIO(os.open(name, _FLAGS, dir_fd=folder)) as file:
                before = os.fstat(file.fileno())
                if not stat.S_ISREG(before.st_mode):
                    return None
                read = _read(file, task, before, store, emit)
                if read is None or (read.size == before.st_size and is_same(os.fstat(file.fileno()), before)):
                    return read
        except (OSError, _Unreadable, Denied):
            return None  # git will say so; a store that cannot be written may hold the content already
    return None


def _read(file: FileIO, task: _Task, seen: os.stat_result, store: ImageLayout, emit: Sink) -> _Read | None:
    # What the filter makes of content, gitkit.filter.clean, where the content comes from a pipe.
    head = os.pread(file.fileno(), _HEAD, 0)
    if not head or (len(head) <= pointer.MAX_SIZE and pointer.parse(head) is not None):
        return _Read(task.path, seen, len(head), None, head)
    if pointer.has_conflict(head):
        return None
    if seen.st_size < BLOCK:
        content = file.read(seen.st_size)
        return _Read(task.path, seen, len(content), store.add_bytes(content))
    digest = _recall(file, task.held, seen.st_size, store) if task.held else None
    if digest is not None:
        emit(Advanced(seen.st_size))
        return _Read(task.path, seen, seen.st_size, digest)
    digest, size = store.add(_Counted(file, seen.st_size, emit), worktree_fd=file.fileno())
    return _Read(task.path, seen, size, digest)


def _recall(file: FileIO, held: Sequence[Recalled], size: int, store: ImageLayout) -> str | None:
    """The digest of that one of ``held`` whose fingerprint the file has. Read to the end only if it begins like one."""
    fingerprint = Fingerprint()
    source = _Counted(file, size, ignore)
    block = memoryview(bytearray(BLOCK))
    while count := source.readinto(block):
        fingerprint.update(block[:count])
        if fingerprint.head not in [one.head for one in held]:
            break
    file.seek(0)
    seen = (fingerprint.count, fingerprint.head, fingerprint.whole)
    same = (one.digest for one in held if (one.size, one.head, one.whole) == seen and store.claim(one.digest, one.size))
    return next(same, None)


class _Counted:
    """The first ``size`` bytes of a file, however fast it grows; tells how many have passed."""

    def __init__(self, file: FileIO, size: int, emit: Sink) -> None:
        self._file = file
        self._left = size
        self._emit = emit

    def readinto(self, buffer: memoryview, /) -> int:
        try:
            count = self._file.readinto(buffer[: self._left])
        except OSError as error:
            raise _Unreadable(str(error)) from error
        self._left -= count
        self._emit(Advanced(count))
        return count
