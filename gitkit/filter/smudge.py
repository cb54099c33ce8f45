"""Pointer to content: from the store, else from the remote, else the pointer stays.

Downloads run in threads while Git goes on checking out (``delay``), each digest once. The first sign that the remote
cannot be reached ends all attempts: a checkout offline is not slowed down by every missing file.
"""

import hashlib
import io
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from gitkit.core.events import Sink, ignore
from gitkit.core.paths import show_text
from gitkit.core.pointer import Pointer, parse
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, Denied, KitError, NetworkError, NotFound
from gitkit.filter.clean import read_head
from gitkit.git.repository import Repository
from gitkit.git.settings import Settings
from gitkit.store.hashcache import HashCache
from gitkit.store.ingest import Source
from gitkit.store.layout import ImageLayout

if TYPE_CHECKING:
    from concurrent.futures import Future

    from gitkit.sync.parallel import Threads


@contextmanager
def no_progress(is_worth_it: bool) -> Iterator[Sink]:
    """Show nothing."""
    yield ignore


class Surroundings(NamedTuple):
    """What the filter needs of the clone. ``open_remote`` takes the tree that is being checked out, if known, and
    whether it is for Git LFS pointers.

    ``install_hooks`` makes sure that a push will upload: it returns what to tell the person, or None. ``progress``
    shows work to the person, where it is worth it.
    """

    repository: Repository
    store: ImageLayout
    cache: HashCache
    settings: Settings
    skip: bool
    open_remote: Callable[[str | None, bool], Remote]
    install_hooks: Callable[[], str | None]
    progress: Callable[[bool], AbstractContextManager[Sink]] = no_progress

    @property
    def strict(self) -> bool:
        return self.settings.strict

    @property
    def transfers(self) -> int:
        return self.settings.transfers

    @property
    def hard_links(self) -> bool:
        return self.settings.link == "hardlink"

    def declines(self, path: bytes, pointer: Pointer) -> bool:
        """Whether the content is not here, and the person's settings say that it is not to be downloaded."""
        return not self.settings.wanted.takes(path) and not self.store.holds(pointer.digest, pointer.size)


class Downloads:
    """Content that is on its way, by digest."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        # By whether they are for Git LFS pointers: one that cannot be reached leaves the other alone.
        self._remotes: dict[bool, Remote] = {}
        self._broken: dict[bool, KitError] = {}
        self._lock = threading.Lock()
        self._threads: Threads | None = None
        self._futures: dict[str, Future[KitError | None]] = {}
        self._turns: dict[str, threading.Lock] = {}

    def fetch(self, pointer: Pointer, treeish: str | None) -> KitError | None:
        """Download now; the error where it did not work."""
        if self._holds(pointer):
            return None
        try:
            self._download(pointer, treeish)
        except KitError as error:
            if isinstance(error, NetworkError | Denied) or pointer.lfs not in self._remotes:
                self._broken[pointer.lfs] = error
            return error
        return None

    def expect(self, pointers: Iterable[Pointer], treeish: str | None) -> None:
        """These are going to be fetched: a Git LFS server is asked for many at once."""
        absent = [(one.digest, one.size) for one in pointers if one.lfs and not self._holds(one)]
        if absent:
            from gitkit.sync.lfs import LfsContent

            with suppress(KitError):  # it shows again when they are fetched
                remote = self._opened(treeish, lfs=True)
                if isinstance(remote, LfsContent):
                    remote.expect(absent)

    def once(self, pointer: Pointer, treeish: str | None) -> KitError | None:
        """``fetch`` for threads of the caller's own: several that want the same content take turns."""
        with self._lock:
            turn = self._turns.setdefault(pointer.digest, threading.Lock())
        with turn:
            return self.fetch(pointer, treeish)

    def start(self, pointer: Pointer, treeish: str | None) -> "Future[KitError | None]":
        """Download in a thread; the same download for the same digest."""
        from gitkit.sync.parallel import Threads

        if self._threads is None:
            self._threads = Threads(self._around.transfers)
        if pointer.digest not in self._futures:
            self.expect([pointer], treeish)
            self._futures[pointer.digest] = self._threads.submit(lambda: self.fetch(pointer, treeish))
        return self._futures[pointer.digest]

    def _download(self, pointer: Pointer, treeish: str | None) -> None:
        from gitkit.sync.fetch import download

        remote = self._opened(treeish, lfs=pointer.lfs)
        try:
            download(self._around.store, remote, pointer.digest, pointer.size)
        except NotFound as error:
            if pointer.lfs:
                raise  # it says who does not have it, and why
            raise NotFound(f"{remote.url} does not hold it") from error

    def _opened(self, treeish: str | None, *, lfs: bool) -> Remote:
        with self._lock:
            if lfs in self._broken:
                raise self._broken[lfs]
            if lfs not in self._remotes:
                self._remotes[lfs] = self._around.open_remote(treeish, lfs)
            return self._remotes[lfs]

    def _holds(self, pointer: Pointer) -> bool:
        return self._around.store.holds(pointer.digest, pointer.size)


def smudge_once(source: io.BufferedReader, sink: BinaryIO, around: Surroundings) -> None:
    """Single-shot smudge of one file.

    Raises:
        KitError: the content is damaged, or missing while ``strict``.
    """
    head = read_head(source)
    pointer = parse(head)
    if pointer is None or around.skip:
        sink.write(head)
        shutil.copyfileobj(source, sink, 1 << 20)
        return
    error = Downloads(around).fetch(pointer, None)
    if error is not None:
        if around.strict:
            raise error
        sink.write(head)
        print(f"git kit: the pointer stays: {show_text(error.message)}", file=sys.stderr)
        return
    with closing(around.store.open_blob(pointer.digest, pointer.size)) as blob:
        _copy_verified(blob, sink, pointer.digest)


def _copy_verified(blob: Source, sink: BinaryIO, digest: str) -> None:
    hasher = hashlib.sha256()
    block = memoryview(bytearray(1 << 20))
    while count := blob.readinto(block):
        hasher.update(block[:count])
        sink.write(block[:count])
    if f"sha256:{hasher.hexdigest()}" != digest:
        raise Corrupt(f"the blob {digest} in the store is damaged", hint="git kit fsck --repair")
