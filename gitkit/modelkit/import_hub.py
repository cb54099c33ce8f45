"""A repository of a model hub becomes files of this repository.

The hub's listing names the SHA-256 of each large file, and that is all that a pointer needs: its bytes go from the hub
to our remote, which verifies them, and not through this disk. Small files are downloaded and verified by Git's oid.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import NamedTuple

from gitkit.core.events import Advanced, Finished, Sink, Started
from gitkit.core.hub import HubFile, HubRepository
from gitkit.core.oci import Descriptor
from gitkit.core.paths import show_path
from gitkit.core.remote import BlobReader, ReadOnly
from gitkit.errors import Corrupt, InvalidFile
from gitkit.modelkit.bring import Brought, bring
from gitkit.modelkit.destination import Destination, check
from gitkit.modelkit.intake import KITFILES, Incoming, Intake, is_weights, left_out
from gitkit.modelkit.names import Names, safe_path
from gitkit.modelkit.streams import Steady
from gitkit.store.layout import ImageLayout
from gitkit.sync.parallel import each

Guess = Callable[[Sequence[tuple[str, int]]], str]
"""Writes a Kitfile (YAML) for files, given as path and size in bytes."""

_MAX_KITFILE = 1 << 20


class FromHub(NamedTuple):
    """``origin`` is what the commit's trailer says; ``left_out`` are paths that may not come in."""

    origin: str
    brought: Brought
    left_out: Sequence[str]


def import_hub(place: Destination, hub: HubRepository, guess: Guess) -> FromHub:
    """Commit all files of ``hub``. A Kitfile there is taken over where it is one, else ``guess`` writes it.

    Raises:
        InvalidFile: the hub names files that no disk should hold.
        Corrupt: a file is not what the hub's listing says. Nothing is committed.
        As ``bring.bring``.
    """
    files = {_checked(file.path): file for file in hub.files}
    names = Names()
    for path in files:
        names.claim(path)
    if len(files) != len(hub.files) or not files:
        raise InvalidFile(f"{hub.url} holds {'a file twice' if files else 'no files'}")
    kept = {path: file for path, file in files.items() if not left_out(path, at_root=not place.folder)}
    check(place, list(kept))
    small = {path: file for path, file in files.items() if file.digest is None and (path in kept or path in KITFILES)}
    downloaded = _download(place, hub, small)
    incoming = [downloaded[path] if path in small else _large(path, file) for path, file in sorted(kept.items())]
    kitfile = _kitfile(place.store, downloaded) or guess([(file.path, file.size) for file in incoming]).encode()
    origin = f"{hub.url}@{hub.commit}"
    brought = bring(place, hub, Intake(origin, kitfile, incoming))
    return FromHub(origin, brought, sorted(files.keys() - kept.keys() - set(KITFILES)))


def _checked(path: str) -> str:
    return safe_path(path, "a file on the hub")


def _large(path: str, file: HubFile) -> Incoming:
    return Incoming(path, file.digest or "", file.size, pointer=True)


def _download(place: Destination, hub: HubRepository, files: dict[str, HubFile]) -> dict[str, Incoming]:
    """Small files into the store."""
    if not files:
        return {}
    size = sum(file.size for file in files.values())
    place.emit(Started("downloading", len(files), size))
    paths = list(files)
    digests = each(lambda path: _store(place.store, hub, files[path], place.emit), paths, limit=place.transfers)
    place.emit(Finished("downloaded", len(files), size))
    return {
        path: Incoming(path, digest, files[path].size, pointer=is_weights(path))
        for path, digest in zip(paths, digests, strict=True)
    }


def _store(store: ImageLayout, hub: HubRepository, file: HubFile, emit: Sink) -> str:
    layer = Descriptor(media_type="", digest=file.path, size=file.size)
    with closing(Steady(_OneFile(hub, file), layer, lambda count: emit(Advanced(count)))) as reader:
        source = _AsGitBlob(reader, file.size)
        digest, size = store.add(source)
    if size != file.size or source.oid() != file.oid:
        raise Corrupt(f"{show_path(file.path)} of {hub.url} is not what the hub's listing says")
    return digest


class _OneFile(ReadOnly):
    def __init__(self, hub: HubRepository, file: HubFile) -> None:
        self.url = hub.url
        self._hub = hub
        self._file = file

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        return self._hub.open_file(self._file, start=start)


class _AsGitBlob:
    """A source that also makes Git's oid of what passes."""

    def __init__(self, source: BlobReader, size: int) -> None:
        self._source = source
        self._hasher = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._source.readinto(buffer)
        self._hasher.update(buffer[:count])
        return count

    def oid(self) -> str:
        return self._hasher.hexdigest()


def _kitfile(store: ImageLayout, files: dict[str, Incoming]) -> bytes | None:
    """The hub's own Kitfile, if it has one that is valid."""
    from gitkit.core.kitfile import parse_kitfile

    found = next((files[name] for name in KITFILES if name in files), None)
    if found is None or found.size > _MAX_KITFILE:
        return None
    with open(store.blob_path(found.digest), "rb") as file:
        text = file.read()
    try:
        parse_kitfile(text)
    except InvalidFile:
        return None
    return text
