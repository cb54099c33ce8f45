"""A kit into a folder or one file, to be carried where no network goes; ``gitkit.modelkit.archive`` reads it back.

The archive is a function of kit and tag alone: no clock, owner or machine goes in. It is written beside its place,
each blob verified on its way, flushed to disk and renamed.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple

from gitkit.core import gotar
from gitkit.core.events import Advanced, Finished, Sink, Started, ignore
from gitkit.core.gotar import Member
from gitkit.core.oci import Descriptor, to_json
from gitkit.core.paths import show_path
from gitkit.core.remote import BlobReader, ReadOnly, Remote
from gitkit.errors import Conflict, Corrupt, Denied, KitError, Locked, NotFound
from gitkit.modelkit.copying import needs_of, size_of
from gitkit.modelkit.streams import Steady
from gitkit.modelkit.tags import kit_manifest
from gitkit.store.index import LAYOUT, NO_TAGS, entry_of
from gitkit.store.ingest import copy_hashed, write_all
from gitkit.store.layout import ImageLayout
from gitkit.sync.pointers import Need


class Nearest(ReadOnly):
    """The store, and for what it lacks a remote, which is opened when that is first needed."""

    def __init__(self, store: ImageLayout, open_remote: Callable[[], Remote]) -> None:
        self.url = store.url
        self._store = store
        self._open_remote = open_remote

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        place = self._store if self._store.holds(digest, size) else self._open_remote()
        return place.open_blob(digest, size, start=start)

    def get_manifest(self, reference: str) -> bytes:
        try:
            return self._store.get_manifest(reference)
        except NotFound:
            return self._open_remote().get_manifest(reference)


class Exported(NamedTuple):
    """``size`` is that of all layers in bytes."""

    digest: str
    size: int
    layers: int


def export_archive(
    source: Remote, name: str, path: str, *, tag: str | None, replace: bool = False, emit: Sink = ignore
) -> Exported:
    """Write the kit ``name`` (tag or digest) of ``source`` to the file ``path``. Constant memory.

    Raises:
        Conflict: there is something at ``path``, and not ``replace`` or it is no file.
        Locked: another process writes the same archive.
        NotFound, Corrupt, InvalidFile: as for ``copying.copy``; nothing is at ``path`` then.
        Denied, NetworkError
    """
    data = source.get_manifest(name)
    manifest = kit_manifest(data, f"{source.url} {name}")
    if os.path.lexists(path) and not (replace and os.path.isfile(path)):
        raise Conflict(
            f"there is {show_path(path)} already", hint=None if os.path.isdir(path) else "to replace it: --force"
        )
    needs = needs_of(manifest)
    entry = entry_of(data, tag)
    emit(Started("exporting", len(needs), sum(need.size for need in needs)))
    with _beside(path) as fd:
        _add(fd, "oci-layout", LAYOUT)
        _add(fd, "index.json", to_json({**NO_TAGS, "manifests": [entry]}))
        for folder in ("blobs", "blobs/sha256"):
            write_all(fd, memoryview(gotar.header(Member(folder, 0o755, is_dir=True), uid=0)))
        _add(fd, _blob_name(entry["digest"]), data)
        for need in needs:
            if need.digest != entry["digest"]:
                _add_blob(fd, source, need, emit)
        write_all(fd, memoryview(gotar.END))
    emit(Finished("exported", len(needs), sum(need.size for need in needs)))
    return Exported(entry["digest"], size_of(manifest), len(manifest.layers))


def _blob_name(digest: str) -> str:
    return f"blobs/sha256/{digest[7:]}"


def _add(fd: int, name: str, data: bytes) -> None:
    head = gotar.header(Member(name, 0o644, len(data)), uid=0)
    write_all(fd, memoryview(head + data + bytes(gotar.padding(len(data)))))


def _add_blob(fd: int, source: Remote, need: Need, emit: Sink) -> None:
    write_all(fd, memoryview(gotar.header(Member(_blob_name(need.digest), 0o644, need.size), uid=0)))
    layer = Descriptor(media_type="", digest=need.digest, size=need.size)
    with closing(Steady(source, layer, lambda count: emit(Advanced(count)))) as reader:
        found, count = copy_hashed(reader, fd)
    if (found, count) != (need.digest, need.size):
        raise Corrupt(f"{need.digest} at {source.url} is {found} of {count} bytes")
    write_all(fd, memoryview(bytes(gotar.padding(count))))


@contextmanager
def _beside(path: str) -> Iterator[int]:
    """A file that takes the place of ``path`` when the block ends well.

    It has the same name each time and is locked while it is written: what a killed process left is written over.
    """
    folder, name = os.path.split(os.path.abspath(path))
    draft = os.path.join(folder, f".{name}.part")
    try:
        fd = _locked(draft, path)
    except OSError as error:
        raise _failure(error, path) from error
    try:
        os.ftruncate(fd, 0)
        yield fd
        os.fsync(fd)
        os.rename(draft, path)
        _sync_folder(folder)
    except BaseException as error:
        with suppress(FileNotFoundError):
            os.unlink(draft)
        if isinstance(error, OSError):
            raise _failure(error, path) from error
        raise
    finally:
        os.close(fd)


def _locked(draft: str, path: str) -> int:
    while True:
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise Locked(f"another process writes {show_path(path)}", hint="wait for it to end") from error
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(draft), os.fstat(fd)):
                return fd
        os.close(fd)  # its last holder finished it before it was locked: this is an archive by now


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _failure(error: OSError, path: str) -> KitError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KitError(f"the disk is too full for {show_path(path)}", hint="free some space and run the command again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Denied(f"cannot write {show_path(path)}: {error.strerror}")
    return KitError(f"cannot write {show_path(path)}: {error.strerror or error}")
