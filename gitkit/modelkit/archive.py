"""A kit as one file: a tar of an OCI image layout, what skopeo and podman call ``oci-archive``. Read in place.

An archive is a source like any other: whoever takes a blob from it verifies the blob. Safe between threads.
"""

import os
from types import TracebackType
from typing import Self

from gitkit.core import gotar
from gitkit.core.digest import digest_of, is_digest
from gitkit.core.gotar import Entry
from gitkit.core.oci import MAX_MANIFEST
from gitkit.core.paths import show_path
from gitkit.core.remote import BlobReader, ReadOnly
from gitkit.errors import Corrupt, InvalidFile, KitError, NotFound, Unsupported
from gitkit.store.index import digests_of, parse_index, tags_of

_BLOBS = "blobs/sha256/"
_COMPRESSED = {b"\x1f\x8b": "gunzip", b"\x28\xb5": "unzstd", b"BZ": "bunzip2", b"\xfd7": "unxz"}


class Archive(ReadOnly):
    """The archive at ``path``. Close it.

    Raises:
        NotFound: there is no such file.
        Corrupt: it is cut short or damaged, or holds a file twice.
        InvalidFile: it is no archive of an image layout.
        Unsupported: it is compressed.
    """

    def __init__(self, path: str) -> None:
        self.url = f"oci-archive:{os.path.basename(path)}"
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(f"there is no file {show_path(path)}") from error
        except OSError as error:
            raise KitError(f"cannot read {show_path(path)}: {error.strerror}") from error
        try:
            self._refuse_compressed()
            self._entries = self._read_entries()
            self._index = parse_index(self._small("index.json"), f"index.json in {self.url}")
        except BaseException:
            os.close(self._fd)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._fd)

    def has_blob(self, digest: str) -> bool:
        return is_digest(digest) and _BLOBS + digest[7:] in self._entries

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        """The blob's bytes from ``start``.

        Raises:
            NotFound: it is not in the archive.
            Corrupt: it has another size there.
        """
        entry = self._blob(digest)
        if entry.size != size:
            raise Corrupt(f"{digest} has {entry.size} bytes in {self.url}, not {size}")
        return _Slice(self._fd, entry.offset + start, size - start)

    def resolve(self, tag: str) -> str | None:
        return tags_of(self._index).get(tag)

    def get_manifest(self, reference: str) -> bytes:
        """The exact bytes of the manifest under a tag or digest, verified.

        Raises:
            NotFound, Corrupt, InvalidFile
        """
        digest = reference if is_digest(reference) else self.resolve(reference)
        if digest is None:
            raise NotFound(f"{self.url} has no {reference}", hint=f"it has: {', '.join(self.tags()) or 'no tags'}")
        data = self._small(_BLOBS + digest[7:])
        if digest_of(data) != digest:
            raise Corrupt(f"the manifest {digest} in {self.url} is damaged")
        return data

    def tags(self) -> list[str]:
        return sorted(tags_of(self._index))

    def digests(self) -> list[str]:
        """What the archive lists, tagged or not, each once."""
        return digests_of(self._index)

    def _refuse_compressed(self) -> None:
        program = _COMPRESSED.get(os.pread(self._fd, 2, 0))
        if program is not None:
            raise Unsupported(
                f"{self.url} is compressed: blobs cannot be read from it in place", hint=f"unpack it first: {program}"
            )

    def _read_entries(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for entry in gotar.entries(lambda offset, size: os.pread(self._fd, size, offset)):
            name = entry.name.removeprefix("./")
            if entry.kind == "dir":
                continue
            if entry.kind != "file":
                raise InvalidFile(f"{self.url} holds a {entry.kind}: {show_path(entry.name)}")
            if name in found:
                raise Corrupt(f"{self.url} holds {show_path(name)} twice")
            found[name] = entry
        if "index.json" not in found:
            raise InvalidFile(f"{self.url} is not an archive of an OCI image layout: it holds no index.json")
        return found

    def _blob(self, digest: str) -> Entry:
        if not self.has_blob(digest):
            raise NotFound(f"{self.url} does not hold {digest}")
        return self._entries[_BLOBS + digest[7:]]

    def _small(self, name: str) -> bytes:
        """A whole file of at most 4 MiB."""
        entry = self._entries.get(name)
        if entry is None:
            raise NotFound(f"{self.url} does not hold {name}")
        if entry.size > MAX_MANIFEST:
            raise InvalidFile(f"{name} in {self.url} has {entry.size} bytes, which is too much for a manifest")
        return os.pread(self._fd, entry.size, entry.offset)


class _Slice:
    """A ``BlobReader`` over a part of an open file."""

    def __init__(self, fd: int, offset: int, left: int) -> None:
        self._fd = fd
        self._offset = offset
        self._left = left

    def readinto(self, buffer: memoryview, /) -> int:
        count = os.preadv(self._fd, [buffer[: self._left]], self._offset) if self._left else 0
        self._offset += count
        self._left -= count
        return count

    def close(self) -> None:
        pass
