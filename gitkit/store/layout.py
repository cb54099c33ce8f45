"""A content-addressed folder in the form of an OCI image layout (image specification, image-layout.md).

The clone's store (``$GIT_COMMON_DIR/kit``) and the layout-folder remote are the same thing in two places, so one class
serves both; it does what ``gitkit.core.remote.Remote`` says. Beside the layout's own files: ``tmp/`` (same file system)
and ``lock``.

Safe with several processes: a blob is written under ``tmp/``, verified, flushed to disk and renamed; it is never
rewritten. Every file in ``tmp/`` is locked by its writer, so what is not locked was left by a killed process.
``index.json`` changes under ``lock``.
"""

import errno
import fcntl
import hashlib
import io
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, BinaryIO, NamedTuple

from gitkit.core.digest import digest_of, is_digest
from gitkit.core.oci import to_json
from gitkit.core.remote import BlobReader
from gitkit.errors import Corrupt, Denied, KitError, NotFound
from gitkit.store.index import LAYOUT, NO_TAGS, digests_of, entry_of, is_listed, parse_index, replaces, tag_of, tags_of
from gitkit.store.ingest import Source, copy_hashed, write_all
from gitkit.store.lock import locked


class ImageLayout:
    """One OCI image layout. The folder is made by the first write."""

    def __init__(self, path: str, *, url: str | None = None) -> None:
        self.path = path
        self._url = url or f"oci-layout:{path}"
        self._blobs = os.path.join(path, "blobs", "sha256")
        self._tmp = os.path.join(path, "tmp")
        self._ready = False

    @property
    def url(self) -> str:
        return self._url

    def exists(self) -> bool:
        """Whether the folder is an image layout already."""
        return os.path.exists(os.path.join(self.path, "oci-layout"))

    # -- blobs -----------------------------------------------------------------------------------------------------

    def blob_path(self, digest: str) -> str:
        """Where the blob is, or would be.

        Raises:
            Corrupt: ``digest`` is not a digest.
        """
        if not is_digest(digest):
            raise Corrupt(f"{digest!r} is not a digest")
        return os.path.join(self._blobs, digest[7:])

    def has_blob(self, digest: str) -> bool:
        return os.path.exists(self.blob_path(digest))

    def holds(self, digest: str, size: int) -> bool:
        """Whether the blob is there with the right size. Its bytes are checked when they are read."""
        try:
            return os.stat(self.blob_path(digest)).st_size == size
        except OSError:
            return False

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        try:
            file = io.FileIO(self.blob_path(digest))
        except FileNotFoundError as error:
            raise NotFound(f"{self.url} does not hold {digest}") from error
        except OSError as error:
            raise _storage_error(error, self.path, "read") from error
        found = os.fstat(file.fileno()).st_size
        if found != size:
            file.close()
            raise Corrupt(f"{digest} has {found} bytes in {self.url}, not {size}", hint="git kit fsck")
        file.seek(start)
        return file

    def blobs(self) -> Iterator[tuple[str, int]]:
        """Digest and size of every blob, in no order."""
        for entry in _entries(self._blobs):
            digest = f"sha256:{entry.name}"
            if is_digest(digest) and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    yield digest, entry.stat(follow_symlinks=False).st_size

    def add(self, source: Source) -> tuple[str, int]:
        """Store all bytes of ``source``; returns digest and size. One pass, constant memory."""
        with self._writing() as draft:
            digest, size = copy_hashed(source, draft.fd)
            if not self.holds(digest, size):
                self._publish(draft, digest)
        return digest, size

    def add_bytes(self, data: bytes) -> str:
        """Store a small blob; returns its digest."""
        digest = digest_of(data)
        if not self.holds(digest, len(data)):
            with self._writing() as draft:
                write_all(draft.fd, memoryview(data))
                self._publish(draft, digest)
        return digest

    def put_blob(self, digest: str, size: int, open_source: Callable[[], BinaryIO]) -> None:
        if self.holds(digest, size):
            return
        with self._writing() as draft, open_source() as source:
            self._check(digest, size, *copy_hashed(source, draft.fd))  # type: ignore[arg-type]
            self._publish(draft, digest)

    def mount_blob(self, digest: str, source: str) -> bool:
        """Only what is here already: a folder takes nothing over by itself."""
        return self.has_blob(digest)

    def receive(self, digest: str, size: int, open_source: Callable[[int], BlobReader]) -> None:
        """Download a blob: ``open_source(offset)`` gives its bytes from there on.

        What an earlier attempt wrote is kept in ``tmp/`` and continued. Two processes that want the same blob take
        turns, so it travels once.

        Raises:
            Corrupt: the bytes do not have this digest; they are thrown away.
            NotFound, Denied, NetworkError: as ``open_source`` does. Calling again continues.
        """
        with self._errors("write"):
            name = os.path.basename(self.blob_path(digest))
            self._prepare()
            with _partial(os.path.join(self._tmp, f"{name}.part")) as draft:
                if self.holds(digest, size):
                    os.unlink(draft.name)
                    return
                hasher, have = _resume(draft.fd, size)
                found, count = f"sha256:{hasher.hexdigest()}", 0
                if have < size:
                    with closing(open_source(have)) as source:
                        found, count = copy_hashed(source, draft.fd, hasher=hasher)
                try:
                    self._check(digest, size, found, have + count)
                except Corrupt:
                    os.ftruncate(draft.fd, 0)
                    raise
                self._publish(draft, digest)

    def quarantine(self, digest: str) -> None:
        """Move a blob that is known to be damaged to ``corrupt/``, where nothing looks for it."""
        with self._errors("write"), suppress(FileNotFoundError):
            os.makedirs(os.path.join(self.path, "corrupt"), exist_ok=True)
            os.replace(self.blob_path(digest), os.path.join(self.path, "corrupt", digest[7:]))

    def sweep(self) -> int:
        """Delete what killed processes left in ``tmp/`` (partial downloads are kept for a day); returns how many."""
        with self._errors("write"):
            return sum(_sweep(entry) for entry in _entries(self._tmp))

    # -- manifests -------------------------------------------------------------------------------------------------

    def resolve(self, tag: str) -> str | None:
        return self._tags().get(tag)

    def get_manifest(self, reference: str) -> bytes:
        digest = reference if is_digest(reference) else self._tags().get(reference)
        if digest is None:
            raise NotFound(f"{self.url} has no {reference}")
        try:
            with open(self.blob_path(digest), "rb") as file:
                data = file.read()
        except FileNotFoundError as error:
            raise NotFound(f"{self.url} does not hold {digest}") from error
        except OSError as error:
            raise _storage_error(error, self.path, "read") from error
        if digest_of(data) != digest:
            raise Corrupt(f"the manifest {digest} in {self.url} is damaged", hint="git kit fsck")
        return data

    def put_manifest(self, manifest: bytes, *, tag: str | None = None) -> str:
        entry = entry_of(manifest, tag)
        digest = self.add_bytes(manifest)
        with self._errors("write"):
            self._prepare()
            with locked(os.path.join(self.path, "lock")):
                index = self._read_index()
                if not is_listed(entry, index["manifests"]):
                    kept = [other for other in index["manifests"] if not replaces(entry, other)]
                    self._write_index({**index, "manifests": [*kept, entry]})
        return digest

    def delete_tag(self, tag: str) -> None:
        if self.resolve(tag) is None:
            raise NotFound(f"{self.url} has no tag {tag}")
        with self._errors("write"):
            self._prepare()
            with locked(os.path.join(self.path, "lock")):
                index = self._read_index()
                kept = [entry for entry in index["manifests"] if tag_of(entry) != tag]
                self._write_index({**index, "manifests": kept})

    def tags(self) -> list[str]:
        return sorted(self._tags())

    def digests(self) -> list[str]:
        """What ``index.json`` lists, tagged or not, each once."""
        return digests_of(self._read_index())

    def _tags(self) -> dict[str, str]:
        return tags_of(self._read_index())

    def _read_index(self) -> dict[str, Any]:
        try:
            with open(os.path.join(self.path, "index.json"), "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return NO_TAGS
        except OSError as error:
            raise _storage_error(error, self.path, "read") from error
        return parse_index(data, f"{self.url} index.json")

    def _write_index(self, index: dict[str, Any]) -> None:
        self._replace("index.json", to_json(index))

    # -- writing ---------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        if self._ready:
            return
        new = not os.path.exists(self._blobs)
        os.makedirs(self._blobs, exist_ok=True)
        os.makedirs(self._tmp, exist_ok=True)
        if new:
            self._share_with_group()
        if not os.path.exists(os.path.join(self.path, "index.json")):
            with locked(os.path.join(self.path, "lock")):
                if not os.path.exists(os.path.join(self.path, "index.json")):
                    self._replace("index.json", to_json(NO_TAGS))
        if not self.exists():
            self._replace("oci-layout", LAYOUT)
        self._ready = True

    def _share_with_group(self) -> None:
        """Let the group write here, where it may write into the folder that this one is in (core.sharedRepository)."""
        outer = os.stat(os.path.dirname(os.path.abspath(self.path))).st_mode
        if outer & stat.S_IWGRP and outer & stat.S_ISGID:
            for folder in (self.path, os.path.dirname(self._blobs), self._blobs, self._tmp):
                os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) | (outer & (stat.S_IRWXG | stat.S_ISGID)))

    @contextmanager
    def _writing(self) -> "Iterator[_Draft]":
        with self._errors("write"):
            self._prepare()
            with _temporary(self._tmp) as draft:
                yield draft

    def _publish(self, draft: "_Draft", digest: str) -> None:
        os.fchmod(draft.fd, os.fstat(draft.fd).st_mode & 0o444)
        os.fsync(draft.fd)
        os.rename(draft.name, self.blob_path(digest))
        _sync_folder(self._blobs)

    def _replace(self, name: str, data: bytes) -> None:
        with _temporary(self._tmp) as draft:
            write_all(draft.fd, memoryview(data))
            os.fsync(draft.fd)
            os.rename(draft.name, os.path.join(self.path, name))
        _sync_folder(self.path)

    def _check(self, digest: str, size: int, found: str, count: int) -> None:
        if count != size:
            raise Corrupt(f"{digest} should have {size} bytes and has {count}")
        if found != digest:
            raise Corrupt(f"content that should be {digest} is {found}")

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _storage_error(error, self.path, doing) from error


class _Draft(NamedTuple):
    """A file in ``tmp/`` that this process holds locked."""

    fd: int
    name: str


@contextmanager
def _temporary(folder: str) -> Iterator[_Draft]:
    """A new draft; deleted on leaving unless it was renamed."""
    while True:
        name = os.path.join(folder, f"{os.getpid()}-{os.urandom(8).hex()}")
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if _is_at(fd, name):
            break
        os.close(fd)  # a sweep found it before it was locked
    try:
        yield _Draft(fd, name)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
        os.close(fd)


@contextmanager
def _partial(name: str) -> Iterator[_Draft]:
    """The partial download ``name``, locked; it stays unless it was renamed."""
    while True:
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if _is_at(fd, name):
            break
        os.close(fd)  # its last holder finished the download and renamed it
    try:
        yield _Draft(fd, name)
    finally:
        os.close(fd)


def _is_at(fd: int, name: str) -> bool:
    """Whether the open file is still the one under ``name``."""
    try:
        return os.path.samestat(os.stat(name), os.fstat(fd))
    except FileNotFoundError:
        return False


def _sweep(entry: "os.DirEntry[str]") -> bool:
    """Delete a file of ``tmp/`` that nobody writes; whether it was one."""
    with suppress(FileNotFoundError, BlockingIOError):
        if not entry.is_file(follow_symlinks=False):
            return False
        if entry.name.endswith(".part") and entry.stat().st_mtime > time.time() - 86400:
            return False
        with open(entry.path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file.fileno(), entry.path):
                os.unlink(entry.path)
                return True
    return False


def _entries(folder: str) -> "list[os.DirEntry[str]]":
    """What is in ``folder``; nothing where it does not exist yet."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _resume(fd: int, size: int) -> "tuple[hashlib._Hash, int]":
    """Hash what a partial download holds and stand at its end."""
    if os.fstat(fd).st_size > size:
        os.ftruncate(fd, 0)
    hasher = hashlib.sha256()
    have = 0
    block = bytearray(1 << 20)
    while count := os.readv(fd, [block]):
        hasher.update(memoryview(block)[:count])
        have += count
    return hasher, have


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _storage_error(error: OSError, path: str, doing: str) -> KitError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KitError(
            f"the disk that holds {path} is full", hint="free some space and run the command again: nothing was lost"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Denied(f"cannot {doing} {error.filename or path}: {error.strerror}", hint=f"check who owns {path}")
    return KitError(f"cannot {doing} {path}: {error.strerror or error}")
