"""Where the bytes of a kit's files are: in Git, in the store, or on a remote, in this order. Nothing is kept.

Content of Git LFS pointers is also looked for where Git LFS has it; what it has on this machine goes to the store.
"""

import io
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import BinaryIO

from gitkit.core.gotar import Forward
from gitkit.core.oci import Descriptor
from gitkit.core.paths import show_path
from gitkit.core.remote import Remote
from gitkit.core.tensors import ReadAt
from gitkit.errors import Corrupt, NotFound
from gitkit.git import objects
from gitkit.git.objects import BlobSource
from gitkit.git.run import Git
from gitkit.modelkit.files import KitFile
from gitkit.modelkit.streams import Ranges, Steady
from gitkit.store.ingest import Source
from gitkit.store.layout import ImageLayout
from gitkit.sync.lfs import LfsContent

MAX_IN_MEMORY = 64 << 20
"""What Git holds itself is opened for reading at random only up to this size, in bytes."""

_OIDS_AT_ONCE = 500


class Content:
    """Reads the content of files. ``remotes`` are opened when something is not here, and asked in their order; then
    ``lfs`` for Git LFS pointers.

    Safe to share between threads; what it returns is not.
    """

    def __init__(
        self,
        git: Git,
        store: ImageLayout,
        remotes: Sequence[Callable[[], Remote]] = (),
        lfs: LfsContent | None = None,
    ) -> None:
        self.git = git
        self.store = store
        self._remotes = remotes
        self.lfs = lfs
        self._opened: list[Remote] | None = None

    def each(self, files: Sequence[KitFile]) -> Generator[Source, None, None]:
        """The content of each of ``files``, in order, each to be read before the next is asked for. Close it.

        A broken download goes on where it broke. The caller verifies digests.

        Raises:
            NotFound: content is nowhere.
            Corrupt, Denied, NetworkError
        """
        with closing(self._of_git([file.oid for file in files if file.oid is not None])) as blobs:
            for file in files:
                if file.oid is not None:
                    yield next(blobs)
                else:
                    with closing(self._open(file)) as source:
                        yield source

    @contextmanager
    def ranges(self, file: KitFile) -> Iterator[ReadAt]:
        """The content by offset, at rising offsets; only what is asked for travels. It is not verified.

        Raises:
            NotFound: it is nowhere.
            Corrupt, Denied, NetworkError
        """
        if file.oid is not None:
            with closing(self.each([file])) as sources:
                yield Forward(_reading(next(sources))).read_at
            return
        with closing(Ranges(self._holder(file), _descriptor(file), _ignore)) as found:
            yield found.read_at

    def open_here(self, file: KitFile) -> BinaryIO | None:
        """The content as a file to seek in; None where that would need a remote, or too much memory."""
        if file.oid is None:
            try:
                return open(self.store.blob_path(file.digest), "rb")
            except OSError:
                return None
        if file.size > MAX_IN_MEMORY:
            return None
        return io.BytesIO(objects.read_small(self.git, [file.oid], MAX_IN_MEMORY).get(file.oid, b""))

    def read_whole(self, file: KitFile) -> bytes:
        """All of a small file, of at most ``MAX_IN_MEMORY`` bytes. It is not verified.

        Raises:
            NotFound: it is nowhere.
            Corrupt: it is larger, or shorter than it should be.
        """
        if file.size > MAX_IN_MEMORY:
            raise Corrupt(f"{show_path(file.path.encode())} is too large to be read whole: {file.size} bytes")
        with self.ranges(file) as read_at:
            data = read_at(0, file.size)
        if len(data) != file.size:
            raise Corrupt(f"{show_path(file.path.encode())} has {len(data)} bytes, not {file.size}")
        return data

    def _of_git(self, oids: Sequence[str]) -> Generator[BlobSource, None, None]:
        # A process for each few hundred: git's pipe takes their names at once, so that it can be left at any time.
        for start in range(0, len(oids), _OIDS_AT_ONCE):
            for _, source in objects.each_blob(self.git, oids[start : start + _OIDS_AT_ONCE]):
                yield source

    def _open(self, file: KitFile) -> Steady:
        return Steady(self._holder(file), _descriptor(file), _ignore)

    def _is_here(self, file: KitFile) -> bool:
        return self.store.holds(file.digest, file.size)

    def _holder(self, file: KitFile) -> Remote:
        if self._is_here(file):
            return self.store
        remotes = self._asked()
        for remote in remotes:
            if remote.has_blob(file.digest):
                return remote
        if file.lfs and self.lfs is not None:  # which says itself what is wrong where it does not have the content
            return self.store if self.lfs.take(self.store, file.digest, file.size) else self.lfs
        places = " or ".join(["in this clone", *(f"on {remote.url}" for remote in remotes)])
        raise NotFound(
            f"the content of {show_path(file.path.encode())} is not {places}: {file.digest}",
            hint="this format is made of the content: push it from the clone that has it, then run the command again",
        )

    def _asked(self) -> list[Remote]:
        if self._opened is None:
            opened = []
            for open_remote in self._remotes:
                with suppress(NotFound):  # no remote is configured: then the content has to be here
                    opened.append(open_remote())
            self._opened = opened
        return self._opened


def _descriptor(file: KitFile) -> Descriptor:
    return Descriptor(media_type="application/octet-stream", digest=file.digest, size=file.size)


def _reading(source: Source | BlobSource) -> Callable[[int], bytes]:
    def read(size: int) -> bytes:
        data = bytearray(size)
        return bytes(data[: source.readinto(memoryview(data)) or 0])

    return read


def _ignore(count: int) -> None:
    """Progress that nobody looks at."""
