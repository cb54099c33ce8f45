"""One file that DVC tracks: from the worktree or from DVC's cache into the store, its MD5 checked on the way."""

import os
import stat
from contextlib import suppress
from io import FileIO
from typing import NamedTuple

from gitkit.core.events import Advanced, Sink, ignore
from gitkit.core.pointer import MAX_SIZE, Pointer, parse
from gitkit.git import worktree
from gitkit.migrate.dvc_cache import Checked, DvcCache
from gitkit.migrate.dvc_files import Refused, Wanted
from gitkit.store.layout import ImageLayout
from gitkit.sync.intake import is_same

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Taken(NamedTuple):
    """``raw`` is what Git is to hold. ``stat`` is that of the file in the worktree where it stays as it is; None where
    it has to be written, in the place of a link into the cache when ``is_linked``.
    """

    wanted: Wanted
    raw: bytes
    size: int
    is_executable: bool
    stat: os.stat_result | None
    is_linked: bool = False

    @property
    def digest(self) -> str | None:
        """None for an empty file."""
        pointer = parse(self.raw)
        return pointer.digest if pointer is not None else None


class Here(NamedTuple):
    """What stands in the worktree: nothing, a file of its own, a link into the cache, or what must not be touched."""

    kind: str


NOTHING, FILE, LINK, OTHER = Here("nothing"), Here("file"), Here("link"), Here("other")


def look(root: str, cache: DvcCache, wanted: Wanted) -> Here:
    """What is at the path of ``wanted`` now."""
    try:
        with worktree.folder_of(root, wanted.path) as (folder, name):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            cached = cache.file_of(wanted.hash)
            target = None
            if cached is not None:
                with suppress(OSError):
                    target = os.stat(name, dir_fd=folder)
            is_cached = target is not None and cached is not None and os.path.samestat(target, os.stat(cached))
    except FileNotFoundError:
        return NOTHING
    except OSError:
        return OTHER
    if is_cached:
        return LINK
    return FILE if stat.S_ISREG(found.st_mode) else OTHER


def take(root: str, store: ImageLayout, cache: DvcCache, wanted: Wanted, emit: Sink = ignore) -> Taken | Refused | None:
    """Bring the content of ``wanted`` into ``store``. None where it is neither in the worktree nor in the cache.

    Raises:
        KitError: the store cannot be written.
    """
    here = look(root, cache, wanted)
    if here is OTHER:
        return Refused(wanted.path, "something else is in its place: a folder, a link, or a link on the way to it")
    if here is FILE:
        return _from_worktree(root, store, wanted, emit)
    cached = cache.file_of(wanted.hash)
    if cached is None:
        return None
    try:
        with FileIO(os.open(cached, os.O_RDONLY | os.O_CLOEXEC)) as file:
            taken = _stored(file, store, wanted, emit)
    except OSError as error:
        return Refused(wanted.path, f"cannot be read from DVC's cache: {error.strerror}")
    if taken is None:
        return Refused(wanted.path, f"is damaged in DVC's cache: {cached}")
    return taken._replace(stat=None, is_linked=here is LINK) if isinstance(taken, Taken) else taken


def _from_worktree(root: str, store: ImageLayout, wanted: Wanted, emit: Sink) -> Taken | Refused | None:
    try:
        with (
            worktree.folder_of(root, wanted.path) as (folder, name),
            FileIO(os.open(name, _FLAGS, dir_fd=folder)) as file,
        ):
            taken = _stored(file, store, wanted, emit)
            changed = isinstance(taken, Taken) and taken.stat and not is_same(os.fstat(file.fileno()), taken.stat)
    except OSError as error:
        return Refused(wanted.path, f"cannot be read: {error.strerror}")
    if taken is None or changed:
        return Refused(wanted.path, "was changed since DVC looked at it")
    return taken


def _stored(file: FileIO, store: ImageLayout, wanted: Wanted, emit: Sink) -> Taken | Refused | None:
    """None where the file is not what ``wanted`` names."""
    before = os.fstat(file.fileno())
    head = os.pread(file.fileno(), MAX_SIZE + 1, 0)
    if parse(head) is not None:
        return Refused(wanted.path, "is a pointer itself, not content")
    checked = Checked(file)
    if head:
        digest, size = store.add(checked, worktree_fd=file.fileno())
        raw = Pointer(digest, size).encode()
    else:
        raw, size = b"", 0
    if not checked.is_as(wanted.hash) or wanted.size not in (None, size):
        return None
    emit(Advanced(size))
    return Taken(wanted, raw, size, wanted.is_executable or bool(before.st_mode & stat.S_IXUSR), before)
