"""Where the content of Git LFS pointers is: among Git LFS's own objects on this machine, on its server, or, where that
does not give it, on the remote of git kit, which has what was released from here.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from gitkit.core.remote import BlobReader, ReadOnly, Remote
from gitkit.errors import Corrupt, KitError, NotFound
from gitkit.store.layout import ImageLayout
from gitkit.store.lfs_objects import LfsObjects


class LfsSource(Protocol):
    """A Git LFS server, or a folder that stands for one. Safe to share between threads."""

    url: str

    def expect(self, blobs: Iterable[tuple[str, int]]) -> None:
        """These digests and sizes are going to be asked for."""
        ...

    def has_blob(self, digest: str) -> bool:
        """Whether it gives a blob that was expected."""
        ...

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        """See ``gitkit.core.remote``."""
        ...


class LfsContent(ReadOnly):
    """``own`` are the objects of this clone, ``borrowed`` those of its alternates. ``server`` and ``kit`` (the remote
    of git kit) are opened when something is not there. Safe to share between threads.
    """

    def __init__(
        self,
        own: LfsObjects,
        borrowed: Sequence[LfsObjects],
        server: Callable[[], LfsSource],
        kit: Callable[[], Remote],
    ) -> None:
        self.url = "Git LFS"
        self._own = own
        self._borrowed = borrowed
        self._open_server = server
        self._open_kit = kit
        self._lock = threading.Lock()
        self._server: LfsSource | KitError | None = None
        self._expected: dict[str, int] = {}

    def take(self, store: ImageLayout, digest: str, size: int) -> bool:
        """Bring an object of this machine into ``store``: linked where that can be, else copied; always verified.

        False where there is none, or only a damaged one.
        """
        for objects in (self._own, *self._borrowed):
            path = objects.file_of(digest, size)
            if path is None:
                continue
            try:
                # What is borrowed stays another repository's: a link would change its permissions.
                if objects is not self._own or not store.adopt(path, digest, size):
                    _copy(store, path, digest, size)
                return True
            except (Corrupt, OSError):
                continue  # as if it were not there: the server has the right one
        return False

    def expect(self, blobs: Iterable[tuple[str, int]]) -> None:
        """These digests and sizes are going to be opened: a server is asked for many at once."""
        with self._lock:
            self._expected.update(blobs)

    def has_blob(self, digest: str) -> bool:
        """Whether a blob that was expected is on the server or on the remote of git kit.

        Raises:
            KitError: the server cannot be asked, and the remote does not have it.
        """
        try:
            return self._opened().has_blob(digest) or self._is_in_kit(digest)
        except KitError:
            if self._is_in_kit(digest):
                return True
            raise

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        """See ``gitkit.core.remote``. Where neither has it, the error is the server's."""
        try:
            return self._opened().open_blob(digest, size, start=start, stop=stop)
        except Corrupt:
            raise
        except KitError as error:
            try:
                return self._open_kit().open_blob(digest, size, start=start, stop=stop)
            except KitError:
                raise error from None

    def _opened(self) -> LfsSource:
        with self._lock:
            if self._server is None:
                try:
                    self._server = self._open_server()
                    self.url = self._server.url
                except KitError as error:
                    self._server = error
            if isinstance(self._server, KitError):
                raise self._server
            if self._expected:
                self._server.expect(self._expected.items())
                self._expected = {}
            return self._server

    def _is_in_kit(self, digest: str) -> bool:
        try:
            return self._open_kit().has_blob(digest)
        except NotFound:
            return False  # there is no such remote


def _copy(store: ImageLayout, path: str, digest: str, size: int) -> None:
    with open(path, "rb") as file:
        store.put_blob(digest, size, lambda: file)
