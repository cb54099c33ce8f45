"""Files on their way into the store: each is stored as it was at one moment, or left to git."""

import os
import time
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.events import Advanced, Event
from gitkit.store.hashcache import HashCache
from gitkit.store.ingest import BLOCK
from gitkit.store.layout import ImageLayout
from gitkit.sync.intake import Taken, find, is_same, take_in
from tests.lib.large_files import lfs_pointer_to, pointer_to
from tests.lib.repos import some_bytes

PAST_NS = 1_700_000_000 * 10**9
POINTER = pointer_to(b"elsewhere")


class Place:
    """A worktree and its store; ``seen`` are the events, ``on_event`` runs at each."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "worktree"
        self.root.mkdir()
        self.cache = HashCache(str(folder / "kit/state.db"))
        self.store = ImageLayout(str(folder / "kit"), cache=self.cache)
        self.seen: list[Event] = []

    def write(self, path: bytes, data: bytes | bytearray) -> Path:
        target = self.root / os.fsdecode(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        os.utime(target, ns=(PAST_NS, PAST_NS))
        return target

    def take(self, *paths: bytes) -> list[Taken]:
        self.seen.clear()
        files = find(str(self.root), paths)
        return take_in(str(self.root), self.store, self.cache, files, threads=2, emit=self.handle)

    def raw(self, *paths: bytes) -> dict[bytes, bytes]:
        return {file.path: file.raw for file in self.take(*paths)}

    def handle(self, event: Event) -> None:
        self.seen.append(event)
        self.on_event()

    def on_event(self) -> None:
        """What happens while files are read."""

    @property
    def told(self) -> int:
        return sum(event.bytes for event in self.seen if isinstance(event, Advanced))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("size", [1, 5000, BLOCK - 1, BLOCK, 3 * BLOCK + 1])
def test_take_in_content_is_stored_and_named_by_its_pointer(place: Place, size: int) -> None:
    data = some_bytes(size)
    written = place.write(b"d/a", data)
    (taken,) = place.take(b"d/a")
    assert (taken.path, taken.raw) == (b"d/a", pointer_to(data))
    assert is_same(taken.stat, written.stat())
    assert (Path(place.store.blob_path(digest_of(data)))).read_bytes() == data
    assert place.told == size


@pytest.mark.parametrize("raw", [b"", POINTER, lfs_pointer_to(b"elsewhere")])
def test_take_in_pointers_and_empty_files_stay_what_they_are(place: Place, raw: bytes) -> None:
    place.write(b"a", raw)
    assert place.raw(b"a") == {b"a": raw}
    assert not place.store.exists()


def test_take_in_keeps_the_order_whatever_the_sizes(place: Place) -> None:
    paths = [b"b", b"a", b"d/z", b"c", b"d/y"]
    for number, path in enumerate(paths):
        place.write(path, some_bytes(2 * BLOCK if number % 2 else 10, seed=number))
    assert [file.path for file in place.take(*paths)] == paths


@pytest.mark.parametrize("rest", [b"", some_bytes(BLOCK)])
def test_take_in_pointer_with_conflict_markers_is_left_out(place: Place, rest: bytes) -> None:
    place.write(b"a", b"<<<<<<< ours\n" + POINTER + b"=======\n" + POINTER + b">>>>>>> theirs\n" + rest)
    assert place.raw(b"a") == {}


def test_find_leaves_out_links_folders_pipes_and_what_lies_behind_a_link(place: Place, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_bytes(b"secret")
    (place.root / "link").symlink_to("../outside")
    (place.root / "file").symlink_to("../outside/file")
    (place.root / "folder").mkdir()
    os.mkfifo(place.root / "pipe")
    place.write(b"real/file", b"1")
    paths = [
        b"link/file",
        b"file",
        b"folder",
        b"pipe",
        b"missing",
        b"real/file",
        b"real/../real/file",
        b"../outside/file",
    ]
    assert [file.path for file in find(str(place.root), paths)] == [b"real/file"]


def test_take_in_file_that_becomes_a_link_is_left_out(place: Place, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    target = place.write(b"a", b"1")
    files = find(str(place.root), [b"a"])
    target.unlink()
    target.symlink_to(tmp_path / "secret")
    assert take_in(str(place.root), place.store, place.cache, files, threads=1) == []


def test_take_in_file_that_changes_once_while_it_is_read_is_read_again(place: Place) -> None:
    new = some_bytes(2 * BLOCK, seed=2)
    target = place.write(b"a", some_bytes(2 * BLOCK, seed=1))

    def change() -> None:
        if target.read_bytes() != new:
            target.write_bytes(new)

    place.on_event = change  # type: ignore[method-assign]
    assert place.raw(b"a") == {b"a": pointer_to(new)}


def test_take_in_file_that_changes_all_the_time_is_left_out_and_others_are_taken(place: Place) -> None:
    target = place.write(b"a", some_bytes(2 * BLOCK, seed=1))
    other = place.write(b"b", some_bytes(BLOCK, seed=3)).read_bytes()

    def grow() -> None:
        with open(target, "ab") as file:
            file.write(b"more")

    place.on_event = grow  # type: ignore[method-assign]
    assert place.raw(b"a", b"b") == {b"b": pointer_to(other)}


def test_take_in_large_file_that_did_not_change_is_not_read_again(place: Place) -> None:
    data = some_bytes(3 * BLOCK)
    written = place.write(b"a", data).stat()
    while time.time_ns() - written.st_ctime_ns < 50_000_000:  # the cache knows no file that has just been written
        time.sleep(0.01)
    assert place.raw(b"a") == {b"a": pointer_to(data)}
    pieces = len(place.seen)
    assert place.raw(b"a") == {b"a": pointer_to(data)}
    assert len(place.seen) < pieces
    assert place.told == len(data)


@pytest.mark.parametrize("change", [None, 0, 2 * BLOCK + 3])
def test_take_in_large_file_that_was_touched_is_recalled_only_if_all_bytes_are_the_same(
    place: Place, change: int | None
) -> None:
    data = bytearray(some_bytes(3 * BLOCK))
    place.write(b"a", data)
    place.take(b"a")
    pieces = len(place.seen)
    if change is not None:
        data[change] ^= 1
    place.write(b"a", data)
    assert place.raw(b"a") == {b"a": pointer_to(bytes(data))}
    assert (len(place.seen) < pieces) == (change is None)
    assert Path(place.store.blob_path(digest_of(bytes(data)))).read_bytes() == data


def test_take_in_large_file_whose_blob_is_gone_is_stored_again(place: Place) -> None:
    data = some_bytes(2 * BLOCK)
    place.write(b"a", data)
    place.take(b"a")
    blob = Path(place.store.blob_path(digest_of(data)))
    blob.unlink()
    assert place.raw(b"a") == {b"a": pointer_to(data)}
    assert blob.read_bytes() == data


@pytest.mark.parametrize("size", [10, 2 * BLOCK])
def test_take_in_content_that_came_from_a_git_lfs_pointer_goes_back_to_it(place: Place, size: int) -> None:
    data = some_bytes(size)
    place.write(b"a", data)
    place.write(b"b", data)
    place.cache.keep_pointer(b"a", digest_of(data), lfs_pointer_to(data))
    assert place.raw(b"a", b"b") == {b"a": lfs_pointer_to(data), b"b": pointer_to(data)}
