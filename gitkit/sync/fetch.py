"""Downloads: from the remote into the store, in parallel, each byte verified before it has its name."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeGuard

from gitkit.core.digest import short
from gitkit.core.events import Advanced, Finished, Sink, Started, ignore
from gitkit.core.remote import BlobReader, Remote
from gitkit.errors import Corrupt, Denied, KitError, NetworkError
from gitkit.store.ingest import BLOCK
from gitkit.store.layout import ImageLayout
from gitkit.sync.lfs import LfsContent
from gitkit.sync.parallel import each
from gitkit.sync.pointers import Need

_FRUITLESS_TRIES = 3
"""How often a download may break without having moved a byte before we give up."""


class Failure(NamedTuple):
    need: Need
    error: KitError


class Fetched(NamedTuple):
    """``here`` was in the store before; ``bytes`` counts what was downloaded."""

    here: list[Need]
    downloaded: list[Need]
    failed: list[Failure]
    bytes: int


def fetch_each(
    store: ImageLayout,
    open_remote: Callable[[bool], Remote],
    needs: Sequence[Need],
    *,
    transfers: int = 4,
    emit: Sink = ignore,
) -> Fetched:
    """Bring all of ``needs`` into the store: those of Git LFS pointers from ``open_remote(True)``, others from
    ``open_remote(False)``. A remote that nothing is wanted of is not opened.

    Raises:
        KitError: the only remote that is needed cannot be opened.
    """
    kinds = [[need for need in needs if need.lfs is lfs] for lfs in (False, True)]
    results = []
    for lfs, group in enumerate(kinds):
        here, absent = _sorted_out(store, group)
        try:
            remote: Remote = open_remote(bool(lfs)) if absent else store
        except KitError as error:
            if not kinds[not lfs]:
                raise
            results.append(Fetched(here, [], [Failure(need, error) for need in absent], 0))
            continue
        results.append(_fetch(store, remote, here, absent, transfers, emit))
    first, second = results
    return Fetched(
        first.here + second.here,
        first.downloaded + second.downloaded,
        first.failed + second.failed,
        first.bytes + second.bytes,
    )


def fetch(
    store: ImageLayout, remote: Remote, needs: Sequence[Need], *, transfers: int = 4, emit: Sink = ignore
) -> Fetched:
    """Bring all of ``needs`` into the store. What fails is reported in the result, in the order of ``needs``.

    After a failure that concerns the remote as a whole (it cannot be reached, access is denied) nothing more is tried.
    """
    return _fetch(store, remote, *_sorted_out(store, needs), transfers, emit)


def _sorted_out(store: ImageLayout, needs: Sequence[Need]) -> tuple[list[Need], list[Need]]:
    """What is here, and what is not."""
    here = [need for need in needs if store.holds(need.digest, need.size)]
    present = {need.digest for need in here}
    return here, [need for need in needs if need.digest not in present]


def _fetch(
    store: ImageLayout, remote: Remote, here: list[Need], wanted: list[Need], transfers: int, emit: Sink
) -> Fetched:
    if not wanted:
        return Fetched(here, [], [], 0)
    broken: list[KitError] = []
    if isinstance(remote, LfsContent):
        remote.expect((need.digest, need.size) for need in wanted)

    def one(need: Need) -> KitError | None:
        if broken:
            return broken[0]
        try:
            download(store, remote, need.digest, need.size, emit=emit)
        except KitError as error:
            if isinstance(error, NetworkError | Denied):
                broken.append(error)
            return error
        return None

    emit(Started("downloading", len(wanted), sum(need.size for need in wanted)))
    with store.batch():
        errors = _each(one, wanted, remote, transfers)
    failed = [Failure(need, error) for need, error in zip(wanted, errors, strict=True) if error is not None]
    done = [need for need, error in zip(wanted, errors, strict=True) if error is None]
    size = sum(need.size for need in done)
    emit(Finished("downloaded", len(done), size))
    return Fetched(here, done, failed, size)


def _each(
    one: Callable[[Need], KitError | None], needs: Sequence[Need], remote: Remote, transfers: int
) -> list[KitError | None]:
    """``one`` of each; in turn where a folder answers at once, since threads would only wait for each other."""
    quick = {need.digest: one(need) for need in needs if _is_at_hand(remote, need.size)}
    slow = [need for need in needs if need.digest not in quick]
    quick.update(zip((need.digest for need in slow), each(one, slow, limit=transfers), strict=True))
    return [quick[need.digest] for need in needs]


def _is_at_hand(remote: Remote, size: int) -> TypeGuard[ImageLayout]:
    return isinstance(remote, ImageLayout) and size < BLOCK


def download(store: ImageLayout, remote: Remote, digest: str, size: int, *, emit: Sink = ignore) -> None:
    """Bring one blob into the store; continues after a broken connection as long as bytes keep coming.

    Raises:
        NotFound: the remote does not hold it.
        Corrupt: what the remote sent is something else; nothing is stored.
        Denied, NetworkError: true of every blob, as none is tried after it.
    """
    try:
        _download(store, remote, digest, size, emit)
    except (Denied, NetworkError) as error:
        error.message = error.message.replace(f"blob {short(digest)}", "a blob").replace(digest, "...")
        raise


def _download(store: ImageLayout, remote: Remote, digest: str, size: int, emit: Sink) -> None:
    if isinstance(remote, LfsContent) and remote.take(store, digest, size):
        emit(Advanced(size))
        return
    if _is_at_hand(remote, size) and (content := remote.read_small(digest, size)) is not None:
        store.add_bytes(content, digest=digest)
        emit(Advanced(size))
        return
    tries = _FRUITLESS_TRIES
    anew = False
    while True:
        counted = _Counted(remote, digest, size, emit)
        try:
            store.receive(digest, size, counted.open)
            return
        except Corrupt:
            if anew or counted.start == 0:
                raise
            anew = True  # what an earlier attempt had left was damaged; the store has thrown it away
        except NetworkError:
            if not counted.opened:
                raise  # the remote has been asked as often as makes sense
            tries = _FRUITLESS_TRIES if counted.count else tries - 1
            if tries <= 0:
                raise


class _Counted:
    """Tells how many bytes pass."""

    def __init__(self, remote: Remote, digest: str, size: int, emit: Sink) -> None:
        self.count = 0
        self.opened = False
        self.start: int | None = None
        self._remote = remote
        self._digest = digest
        self._size = size
        self._emit = emit

    def open(self, start: int) -> BlobReader:
        self.start = start
        self._reader = self._remote.open_blob(self._digest, self._size, start=start)
        self.opened = True
        return self

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._reader.readinto(buffer)
        self.count += count
        self._emit(Advanced(count))
        return count

    def close(self) -> None:
        self._reader.close()
