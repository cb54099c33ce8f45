"""A content-addressed folder in the form of an OCI image layout (image specification, image-layout.md).

The clone's store (``$GIT_COMMON_DIR/kit``) and the layout-folder remote are the same thing in two places, so one class
serves both; it does what ``gitkit.core.remote.Remote`` says. Beside the layout's own files: ``tmp/`` (same file system)
and ``lock``.

Safe with several processes: a blob is written under ``tmp/``, verified, flushed to disk and renamed; it is never
rewritten. In a batch many small blobs are flushed together at its end (decision 10 in ``docs/decisions``).
``index.json`` changes under ``lock``.
"""

import errno
import hashlib
import io
import os
import stat
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

from gitkit.core.digest import digest_of, is_digest
from gitkit.core.oci import to_json
from gitkit.core.paths import show_path
from gitkit.core.remote import BlobReader
from gitkit.errors import Corrupt, Denied, KitError, NotFound
from gitkit.store import drafts, durable, sharing
from gitkit.store.fingerprint import Fingerprint
from gitkit.store.index import LAYOUT, NO_TAGS, digests_of, entry_of, is_listed, parse_index, replaces, tag_of, tags_of
from gitkit.store.ingest import BLOCK, Source, copy_hashed, write_all
from gitkit.store.lock import locked

if TYPE_CHECKING:
    from gitkit.store.drafts import Draft
    from gitkit.store.hashcache import HashCache

_BATCHED = 64 << 20
"""Blobs up to this size (bytes) wait for the end of a batch to be flushed to disk."""

_FEW = 16
_FULL = (errno.ENOSPC, errno.EDQUOT)


class ImageLayout:
    """One OCI image layout. The folder is made by the first write."""

    def __init__(
        self,
        path: str,
        *,
        url: str | None = None,
        cache: "HashCache | None" = None,
        pool: str | None = None,
        neighbours: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """``cache`` is told the fingerprints of content that comes in. ``pool`` is the folder that holds the blobs,
        where that is another one than ``path``; ``neighbours`` finds stores to take missing blobs over from.
        """
        self.path = path
        self.pool = pool or path
        self.neighbours = neighbours
        self._cache = cache
        self._batch: dict[str, None] | None = None
        self._url = url or f"oci-layout:{path}"
        self._blobs = os.path.join(self.pool, "blobs", "sha256")
        self._tmp = os.path.join(self.pool, "tmp")
        self._ready = False
        self._takes_unnamed = True
        self._spare: list[int] = []
        self._listed: tuple[tuple[int, ...], dict[str, str]] | None = None
        self._listing = threading.Lock()

    @property
    def url(self) -> str:
        return self._url

    @property
    def drafts_path(self) -> str:
        """Where ``sweep`` deletes files that nobody locks; on the file system of ``path``. May not be there yet."""
        return os.path.join(self.path, "tmp")

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
        return f"{self._blobs}/{digest[7:]}"

    def has_blob(self, digest: str) -> bool:
        return os.path.exists(self.blob_path(digest))

    def has(self, digest: str, size: int) -> bool:
        """Whether the blob is in its place with the right size. Its bytes are checked when they are read."""
        try:
            return os.stat(self.blob_path(digest)).st_size == size
        except OSError:
            return False

    def holds(self, digest: str, size: int) -> bool:
        """Like ``has``; a blob that is in the trash or in a neighbour's store is brought to its place."""
        return self.has(digest, size) or self._recall(digest, size)

    def claim(self, digest: str, size: int) -> bool:
        """Like ``holds``, and a prune that runs at the same time leaves the blob: it is about to be named."""
        return self._is_kept(digest, size) or self._recall(digest, size)

    def _is_kept(self, digest: str, size: int) -> bool:
        return durable.keep(self.blob_path(digest), size)

    def _is_good(self, digest: str, size: int) -> bool:
        """Whether the blob is here, to be left by a prune, and certainly what it should be."""
        if not self._is_kept(digest, size):
            return False
        return self.is_sealed(digest, size) or self.blob_path(digest) in (self._batch or ())

    def _is_right(self, digest: str, size: int) -> bool:
        """Whether a blob that is here holds what it should; hashed where nobody vouches for it, and then sealed."""
        if self._is_good(digest, size):
            return True
        with closing(self.open_blob(digest, size)) as source:
            if copy_hashed(source, None) != (digest, size):
                return False
            with suppress(OSError):
                durable.seal(source.fileno())
        return True

    def _recall(self, digest: str, size: int) -> bool:
        from gitkit.store.recall import recall

        return recall(self, digest, size)

    def is_sealed(self, digest: str, size: int) -> bool:
        """Whether the blob is here and has not been written to since it was verified."""
        try:
            found = os.stat(self.blob_path(digest))
        except OSError:
            return False
        return found.st_size == size and durable.is_sealed(found)

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> io.FileIO:
        file = self._open(digest)
        if file is None or _size_of(file) != size:
            if file is not None:
                file.close()
            self._recall(digest, size)
            file = self._open(digest)
        if file is None:
            raise self._lacks(digest)
        if (found := _size_of(file)) != size:
            file.close()
            raise Corrupt(f"{digest} has {found} bytes in {self.url}, not {size}", hint="git kit fsck")
        if start:
            file.seek(start)
        return file

    def _lacks(self, what: str, how: str = "does not hold") -> NotFound:
        """A folder that is not there is told from one that was never given something: a disk may not be mounted."""
        if not os.path.isdir(self.path):
            return NotFound(f"{self.url}: there is no folder {show_path(self.path)}")
        return NotFound(f"{self.url} {how} {what}")

    def _open(self, digest: str) -> io.FileIO | None:
        try:
            return io.FileIO(self.blob_path(digest))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _storage_error(error, self.pool, "read") from error

    def read_small(self, digest: str, size: int) -> bytes | None:
        """All of a blob, verified. None where it cannot be had like this: ``open_blob`` tells why."""
        try:
            fd = os.open(self.blob_path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            data = os.read(fd, size + 1)
        except OSError:
            return None
        finally:
            os.close(fd)
        return data if len(data) == size and digest_of(data) == digest else None

    def blobs(self) -> Iterator[tuple[str, int]]:
        """Digest and size of every blob, in no order."""
        for entry in _entries(self._blobs):
            digest = f"sha256:{entry.name}"
            if is_digest(digest) and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    yield digest, entry.stat(follow_symlinks=False).st_size

    def add(self, source: Source, *, worktree_fd: int | None = None) -> tuple[str, int]:
        """Store all bytes of ``source``; returns digest and size. One pass, constant memory.

        ``worktree_fd`` is an open file that probably holds these bytes: where the file system can, the blob shares its
        place on the disk, as far as it really is equal.
        """
        fingerprint = Fingerprint()
        with self._writing() as draft:
            is_clone = worktree_fd is not None and sharing.reflink(worktree_fd, draft.fd)
            digest, size = copy_hashed(source, draft.fd, watcher=fingerprint, is_clone=is_clone)
            if not self._is_good(digest, size):
                self._publish(draft, digest)
        self._learn(digest, size, fingerprint)
        return digest, size

    def add_bytes(self, data: bytes | memoryview, *, digest: str | None = None) -> str:
        """Store a small blob; returns its digest, which the caller may give where it was computed before."""
        digest = digest or digest_of(data)
        if not self._is_good(digest, len(data)) and not self._add_unnamed(data, self.blob_path(digest)):
            with self._writing() as draft:
                write_all(draft.fd, memoryview(data))
                self._publish(draft, digest)
        return digest

    def _add_unnamed(self, data: bytes | memoryview, path: str) -> bool:
        """Store a blob in the fewest steps, for there may be thousands. False where that cannot be, or ``path`` is
        there: damaged, or another process was faster.
        """
        if not self._takes_unnamed:
            return False
        try:
            self._prepare()
            fd = self._spare.pop() if self._spare else drafts.unnamed(self._tmp, 0o444)
        except OSError as error:
            raise _storage_error(error, self.pool, "write") from error
        if fd is None:
            return False
        try:
            write_all(fd, memoryview(data))
            if self._shared:
                os.fchmod(fd, os.fstat(fd).st_mode & 0o777 | self._shared & 0o444)
            if self._batch is None:
                durable.seal(fd)
            drafts.give_name(fd, path)
            if self._batch is None:
                durable.sync_folder(self._blobs)
            else:
                self._batch[path] = None
        except OSError as error:
            # Where it is about more than this one blob, the other way tells.
            self._takes_unnamed = error.errno in (errno.EEXIST, *_FULL)
            return False
        finally:
            os.close(fd)
        return True

    def get_ready(self) -> None:
        """In a batch, while there is nothing else to do: make what the next ``add_bytes`` begins with."""
        if self._batch and self._takes_unnamed and not self._spare:
            fd = drafts.unnamed(self._tmp, 0o444)
            if fd is not None:
                self._spare.append(fd)

    def adopt(self, path: str, digest: str, size: int) -> bool:
        """Take the file ``path`` as this blob without a copy: one more name for its bytes, once they are verified.

        False where there is no such file of ours of this size, or it cannot be linked here. Idempotent.

        Raises:
            Corrupt: the file holds something else.
        """
        if self._is_kept(digest, size) and self._is_right(digest, size):
            return True
        with self._errors("write"):
            self._prepare()
            name = os.path.join(self._tmp, f"{os.getpid()}-{os.urandom(8).hex()}")
            try:
                os.link(path, name, follow_symlinks=False)
            except OSError:
                return False
            with drafts.opened(name) as draft:
                if draft is None or not self._is_ours(draft, size):
                    return False
                fingerprint = Fingerprint()
                with open(draft.fd, "rb", buffering=0, closefd=False) as file:
                    self._check(digest, size, *copy_hashed(file, None, watcher=fingerprint))
                self._publish(draft, digest)
        self._learn(digest, size, fingerprint)
        return True

    @staticmethod
    def _is_ours(draft: "Draft", size: int) -> bool:
        found = os.fstat(draft.fd)
        return stat.S_ISREG(found.st_mode) and found.st_size == size and found.st_uid == os.geteuid()

    def copy_to(self, digest: str, size: int, fd: int) -> None:
        """Write the blob into an empty open file: sharing its bytes where the file system can, else as a copy.

        A sealed blob was verified when it was stored and is not hashed again.

        Raises:
            NotFound: the blob is not here.
            Corrupt: it is damaged.
            OSError: the file cannot be written.
        """
        with closing(self.open_blob(digest, size)) as source:
            if not durable.is_sealed(os.fstat(source.fileno())):
                self._check(digest, size, *copy_hashed(source, fd))
            elif sharing.copy(source.fileno(), fd, size) != size:
                raise Corrupt(f"{digest} ended early in {self.url}", hint="git kit fsck")

    def put_blob(self, digest: str, size: int, open_source: Callable[[], BinaryIO]) -> None:
        if not self.claim(digest, size):
            self.copy_in(digest, size, open_source)

    def copy_in(self, digest: str, size: int, open_source: Callable[[], BinaryIO]) -> None:
        """Store a blob that is not here.

        Raises:
            Corrupt: the source's bytes do not have this digest. Nothing is stored.
        """
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
            with drafts.partial(self._tmp, name) as draft:
                with suppress(PermissionError):  # somebody else's, who has done so
                    os.fchmod(draft.fd, os.fstat(draft.fd).st_mode & 0o777 | self._shared)
                if self.claim(digest, size) and self._is_right(digest, size):
                    os.unlink(draft.name)
                    return
                fingerprint = Fingerprint()
                hasher, have = _resume(draft.fd, size)
                found, count = f"sha256:{hasher.hexdigest()}", 0
                if have < size:
                    watcher = fingerprint if have == 0 else None  # a resumed download is not worth reading once more
                    with closing(open_source(have)) as source:
                        found, count = copy_hashed(source, draft.fd, hasher=hasher, watcher=watcher)
                try:
                    self._check(digest, size, found, have + count)
                except Corrupt:
                    os.ftruncate(draft.fd, 0)
                    raise
                self._publish(draft, digest)
        self._learn(digest, size, fingerprint)

    def quarantine(self, digest: str) -> None:
        """Move a blob that is known to be damaged to ``corrupt/``, where nothing looks for it."""
        with self._errors("write"), suppress(FileNotFoundError):
            os.makedirs(os.path.join(self.pool, "corrupt"), exist_ok=True)
            os.replace(self.blob_path(digest), os.path.join(self.pool, "corrupt", digest[7:]))

    def quarantined(self) -> list[str]:
        """Digests of what ``quarantine`` put aside."""
        names = [f"sha256:{entry.name}" for entry in _entries(os.path.join(self.pool, "corrupt"))]
        return [digest for digest in names if is_digest(digest)]

    def forget_corrupt(self, digest: str) -> None:
        """Delete what ``quarantine`` put aside, once the right content is here."""
        with self._errors("write"), suppress(FileNotFoundError):
            os.unlink(os.path.join(self.pool, "corrupt", digest[7:]))

    def sweep(self) -> int:
        """Delete what killed processes left in ``tmp/`` (partial downloads are kept for a day); returns how many."""
        with self._errors("write"):
            return sum(drafts.sweep(os.path.join(folder, "tmp")) for folder in {self.path, self.pool})

    # -- manifests -------------------------------------------------------------------------------------------------

    def resolve(self, tag: str) -> str | None:
        return self._tags().get(tag)

    def get_manifest(self, reference: str) -> bytes:
        digest = reference if is_digest(reference) else self._tags().get(reference)
        if digest is None:
            raise self._lacks(reference, "has no")
        try:
            with open(self.blob_path(digest), "rb") as file:
                data = file.read()
        except FileNotFoundError as error:
            raise self._lacks(digest) from error
        except OSError as error:
            raise _storage_error(error, self.path, "read") from error
        if digest_of(data) != digest:
            raise Corrupt(f"the manifest {digest} in {self.url} is damaged", hint="git kit fsck")
        return data

    def put_manifest(self, manifest: bytes, *, tag: str | None = None) -> str:
        entry = entry_of(manifest, tag)
        digest = self.add_bytes(manifest)
        with self._errors("write", self.path):
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
        with self._errors("write", self.path):
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
        """The digest of each tag; read anew when ``index.json`` is another file, since writers replace it."""
        with self._listing:
            state = self._index_state()
            if self._listed is None or self._listed[0] != state:
                self._listed = (state, tags_of(self._read_index()))
            return self._listed[1]

    def _index_state(self) -> tuple[int, ...]:
        try:
            found = os.stat(os.path.join(self.path, "index.json"))
        except OSError:
            return ()
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

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
        new = not os.path.exists(self._blobs) or not os.path.exists(os.path.join(self.path, "index.json"))
        os.makedirs(self._blobs, exist_ok=True)
        os.makedirs(self._tmp, exist_ok=True)
        os.makedirs(self.drafts_path, exist_ok=True)
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
        pool = (self.pool, os.path.dirname(self._blobs), self._blobs, self._tmp)
        for own, folders in ((self.pool, pool), (self.path, (self.path, self.drafts_path))):
            outer = os.stat(os.path.dirname(os.path.abspath(own))).st_mode
            if outer & stat.S_IWGRP and outer & stat.S_ISGID:
                for folder in folders:
                    with suppress(PermissionError):  # somebody else's, who has done so
                        mode = stat.S_IMODE(os.stat(folder).st_mode)
                        os.chmod(folder, mode | (outer & (stat.S_IRWXG | stat.S_ISGID)))

    @contextmanager
    def batch(self) -> Iterator[None]:
        """What is stored inside of the block is on disk when it is left: thousands of small blobs in one go.

        Until then they can be read by everybody, and only a crash of the whole machine could take them away.
        """
        if self._batch is not None:
            yield
            return
        self._batch = {}
        try:
            yield
        finally:
            written, self._batch = self._batch, None
            while self._spare:
                os.close(self._spare.pop())
            with self._errors("write"):
                self._flush(written)

    def _flush(self, written: Collection[str]) -> None:
        if len(written) > _FEW:
            durable.sync_all(self._blobs)
        for name in written if len(written) <= _FEW else ():
            with suppress(FileNotFoundError), open(name, "rb") as file:
                os.fsync(file.fileno())
        if written:
            durable.sync_folder(self._blobs)
        for name in written:
            with suppress(OSError):  # without the mark the blob is only hashed once more
                os.utime(name, ns=(durable.SEAL_NS, durable.SEAL_NS), follow_symlinks=False)

    @cached_property
    def _shared(self) -> int:
        """What everybody who shares the folder may do with its files (core.sharedRepository), whatever the umask."""
        mode = os.stat(self._blobs).st_mode
        return mode & 0o066 if mode & stat.S_ISGID else 0

    @contextmanager
    def _writing(self) -> "Iterator[Draft]":
        with self._errors("write"):
            self._prepare()
            with drafts.temporary(self._tmp) as draft:
                yield draft

    def _publish(self, draft: "Draft", digest: str) -> None:
        found = os.fstat(draft.fd)
        os.fchmod(draft.fd, found.st_mode & 0o444 | self._shared & 0o444)
        if self._batch is not None and found.st_size <= _BATCHED:
            if found.st_size > BLOCK:
                durable.start_writing(draft.fd)
            os.rename(draft.name, self.blob_path(digest))
            self._batch[self.blob_path(digest)] = None
            return
        durable.seal(draft.fd)
        os.rename(draft.name, self.blob_path(digest))
        durable.sync_folder(self._blobs)

    def _learn(self, digest: str, size: int, fingerprint: Fingerprint) -> None:
        if self._cache is not None and fingerprint.count == size:
            self._cache.learn(digest, size, fingerprint.head, fingerprint.whole)

    def _replace(self, name: str, data: bytes) -> None:
        with drafts.temporary(self.drafts_path) as draft:
            write_all(draft.fd, memoryview(data))
            os.fchmod(draft.fd, os.fstat(draft.fd).st_mode & 0o777 | self._shared)
            os.fsync(draft.fd)
            os.rename(draft.name, os.path.join(self.path, name))
        durable.sync_folder(self.path)

    def _check(self, digest: str, size: int, found: str, count: int) -> None:
        if count != size:
            raise Corrupt(f"{digest} should have {size} bytes and has {count}")
        if found != digest:
            raise Corrupt(f"content that should be {digest} is {found}")

    @contextmanager
    def _errors(self, doing: str, folder: str | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _storage_error(error, folder or self.pool, doing) from error


def _entries(folder: str) -> "list[os.DirEntry[str]]":
    """What is in ``folder``; nothing where it does not exist yet."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _size_of(file: io.FileIO) -> int:
    return os.fstat(file.fileno()).st_size


def _resume(fd: int, size: int) -> "tuple[hashlib._Hash, int]":
    """Hash what a partial download holds and stand at its end."""
    if os.fstat(fd).st_size > size:
        os.ftruncate(fd, 0)
    hasher = hashlib.sha256()
    have = 0
    if os.fstat(fd).st_size == 0:
        return hasher, have
    block = bytearray(1 << 20)
    while count := os.readv(fd, [block]):
        hasher.update(memoryview(block)[:count])
        have += count
    return hasher, have


def _storage_error(error: OSError, path: str, doing: str) -> KitError:
    if error.errno in _FULL:
        return KitError(
            f"the disk that holds {path} is full", hint="free some space and run the command again: nothing was lost"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Denied(f"cannot {doing} {error.filename or path}: {error.strerror}", hint=f"check who owns {path}")
    return KitError(f"cannot {doing} {path}: {error.strerror or error}")
