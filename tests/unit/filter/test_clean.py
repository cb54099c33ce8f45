"""Content to pointer: what is recalled, what is hashed again, and that it is always the right digest."""

import io
import os
from pathlib import Path
from typing import Any

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.pointer import Pointer
from gitkit.errors import Conflict, KitError
from gitkit.filter.clean import Place, clean
from gitkit.store.hashcache import HashCache
from gitkit.store.ingest import BLOCK
from gitkit.store.layout import ImageLayout
from tests.lib.repos import some_bytes

DATA = some_bytes(2 * BLOCK + 9)
SAME_START = DATA[:BLOCK] + some_bytes(BLOCK + 9, 5)


class World:
    """A store, a cache and a worktree with one file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "worktree" / "model.bin"
        self.file.parent.mkdir()
        self.cache = HashCache(str(folder / "kit/state.db"))
        self.store = ImageLayout(str(folder / "kit"), cache=self.cache)

    def clean(self, data: bytes, *, trust: bool = True, path: bytes = b"model.bin") -> bytes:
        place = Place(str(self.file.parent), path, self.cache, trust)
        return clean(io.BytesIO(data), self.store, place)

    def holds(self, data: bytes) -> bool:
        path = Path(self.store.blob_path(digest_of(data)))
        return path.exists() and path.read_bytes() == data


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def pointer(data: bytes) -> bytes:
    return Pointer(digest_of(data), len(data)).encode()


SIZES = [1, 1023, 1024, 1025, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 9]


@pytest.mark.parametrize("size", SIZES)
def test_clean_of_any_size_stores_the_content(world: World, size: int) -> None:
    data = DATA[:size]
    for _ in range(2):
        assert world.clean(data) == pointer(data)
    assert world.holds(data)


def test_clean_of_nothing_is_nothing(world: World) -> None:
    assert world.clean(b"") == b""
    assert not list(world.store.blobs())


def test_clean_of_a_pointer_is_the_pointer(world: World) -> None:
    assert world.clean(pointer(DATA)) == pointer(DATA)


def test_clean_of_a_pointer_with_conflict_markers_is_refused(world: World) -> None:
    text = b"<<<<<<< ours\n" + pointer(DATA) + b"=======\n" + pointer(SAME_START) + b">>>>>>> theirs\n"
    with pytest.raises(Conflict):
        world.clean(text)


def test_clean_of_a_file_that_grew_is_read_once(world: World) -> None:
    # `cat file more | git hash-object --stdin --path file` gives more than the file holds.
    world.file.write_bytes(DATA)
    world.clean(DATA)
    world.file.write_bytes(DATA + b"more")
    assert world.clean(DATA + b"more and more") == pointer(DATA + b"more and more")
    assert world.holds(DATA + b"more and more")


def test_clean_of_known_content_writes_nothing(world: World) -> None:
    world.file.write_bytes(DATA)
    world.clean(DATA)
    before = os.stat(world.store.blob_path(digest_of(DATA)))
    tmp = Path(world.store.path, "tmp")
    tmp_before = tmp.stat().st_mtime_ns
    assert world.clean(DATA) == pointer(DATA)
    assert os.stat(world.store.blob_path(digest_of(DATA))) == before
    assert tmp.stat().st_mtime_ns == tmp_before  # not even a draft was made


def test_clean_of_known_content_without_trust_is_hashed_again(world: World) -> None:
    world.clean(DATA)
    tmp = Path(world.store.path, "tmp")
    tmp_before = tmp.stat().st_mtime_ns
    assert world.clean(DATA, trust=False) == pointer(DATA)
    assert tmp.stat().st_mtime_ns != tmp_before


def test_clean_of_new_content_with_the_same_start_and_length_is_seen(world: World) -> None:
    world.clean(DATA)
    world.file.write_bytes(SAME_START)
    assert world.clean(SAME_START) == pointer(SAME_START)
    assert world.holds(SAME_START)


@pytest.mark.parametrize("size", [BLOCK, BLOCK + 1, 2 * BLOCK])
def test_clean_of_content_that_became_shorter_is_seen(world: World, size: int) -> None:
    world.clean(DATA)
    world.file.write_bytes(DATA[:size])
    assert world.clean(DATA[:size]) == pointer(DATA[:size])
    assert world.holds(DATA[:size])


def test_clean_of_content_that_became_longer_is_seen(world: World) -> None:
    world.clean(DATA)
    world.file.write_bytes(DATA + b"more")
    assert world.clean(DATA + b"more") == pointer(DATA + b"more")
    assert world.holds(DATA + b"more")


def test_clean_back_and_forth_recalls_both(world: World) -> None:
    for data in (DATA, SAME_START, DATA, SAME_START):
        world.file.write_bytes(data)
        assert world.clean(data) == pointer(data)


def test_clean_of_content_that_is_not_the_file_fails_once_and_then_works(world: World) -> None:
    # `git hash-object --stdin --path`: neither known, nor in the worktree, but it begins like what is known.
    world.file.write_bytes(DATA)
    world.clean(DATA)
    with pytest.raises(KitError) as failed:
        world.clean(SAME_START)
    assert failed.value.hint == "run the command again"
    assert world.clean(SAME_START) == pointer(SAME_START)
    assert world.holds(SAME_START)


def test_clean_of_content_that_is_not_the_file_and_begins_differently_works_at_once(world: World) -> None:
    world.file.write_bytes(DATA)
    world.clean(DATA)
    other = some_bytes(len(DATA), 8)
    assert world.clean(other) == pointer(other)
    assert world.holds(other)


def test_clean_whose_blob_has_gone_stores_it_again(world: World) -> None:
    world.clean(DATA)
    os.unlink(world.store.blob_path(digest_of(DATA)))
    assert world.clean(DATA) == pointer(DATA)
    assert world.holds(DATA)


def test_clean_of_the_same_content_elsewhere_is_not_recalled_from_another_path(world: World) -> None:
    world.clean(DATA)
    assert world.clean(DATA, path=b"other.bin") == pointer(DATA)


def test_clean_without_a_cache_database_works(world: World) -> None:
    world.clean(DATA)
    world.cache.close()
    for file in Path(world.store.path).glob("state.db*"):
        file.unlink()
    assert world.clean(DATA) == pointer(DATA)


def test_clean_of_unchanged_content_gives_back_the_pointer_of_another_tool(world: World) -> None:
    lfs = b"version https://git-lfs.github.com/spec/v1\noid %s\nsize %d\n" % (digest_of(DATA).encode(), len(DATA))
    world.cache.keep_pointer(b"model.bin", digest_of(DATA), lfs)
    assert world.clean(DATA) == lfs
    other = some_bytes(len(DATA), 6)
    assert world.clean(other) == pointer(other)
    assert world.clean(DATA, path=b"other.bin") == pointer(DATA)


def test_clean_reads_a_link_in_the_place_of_the_file_as_no_file(world: World, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(SAME_START)
    world.clean(DATA)
    world.file.symlink_to(tmp_path / "outside")
    assert world.clean(SAME_START) == pointer(SAME_START)
    assert world.holds(SAME_START)


class Slow(io.BytesIO):
    """Gives few bytes at a time, as a pipe does."""

    def readinto(self, buffer: Any, /) -> int:
        return super().readinto(memoryview(buffer)[:7000])


def test_clean_of_a_source_in_small_pieces_is_the_same(world: World) -> None:
    place = Place(None, b"model.bin", world.cache)
    for _ in range(2):
        assert clean(Slow(DATA), world.store, place) == pointer(DATA)
