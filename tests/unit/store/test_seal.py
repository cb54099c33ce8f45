"""What the mark on a blob promises, and what happens to blobs without it."""

import io
import os
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.errors import Corrupt, NotFound
from gitkit.store.durable import SEAL_NS
from gitkit.store.hashcache import HashCache
from gitkit.store.ingest import BLOCK
from gitkit.store.layout import ImageLayout
from tests.lib.repos import some_bytes

DATA = some_bytes(2 * BLOCK)
DIGEST = digest_of(DATA)


@pytest.fixture
def store(tmp_path: Path) -> ImageLayout:
    store = ImageLayout(str(tmp_path / "kit"))
    store.add(io.BytesIO(DATA))
    return store


def copy_out(store: ImageLayout, tmp_path: Path) -> bytes:
    with open(tmp_path / "out", "w+b") as file:
        store.copy_to(DIGEST, len(DATA), file.fileno())
    return (tmp_path / "out").read_bytes()


def test_blob_that_was_stored_is_sealed_and_read_only(store: ImageLayout) -> None:
    found = os.stat(store.blob_path(DIGEST))
    assert found.st_mtime_ns == SEAL_NS
    assert found.st_mode & 0o222 == 0
    assert store.is_sealed(DIGEST, len(DATA))


def test_copy_to_gives_the_bytes(store: ImageLayout, tmp_path: Path) -> None:
    assert copy_out(store, tmp_path) == DATA


def test_copy_to_of_a_blob_that_somebody_wrote_to_is_corrupt(store: ImageLayout, tmp_path: Path) -> None:
    path = Path(store.blob_path(DIGEST))
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.write(b"damage")
    assert not store.is_sealed(DIGEST, len(DATA))
    with pytest.raises(Corrupt):
        copy_out(store, tmp_path)


def test_copy_to_of_a_good_blob_without_the_mark_gives_the_bytes(store: ImageLayout, tmp_path: Path) -> None:
    os.utime(store.blob_path(DIGEST))
    assert copy_out(store, tmp_path) == DATA


def test_copy_to_of_a_blob_of_the_wrong_size_is_corrupt(store: ImageLayout, tmp_path: Path) -> None:
    path = Path(store.blob_path(DIGEST))
    path.chmod(0o644)
    os.truncate(path, 100)
    os.utime(path, ns=(SEAL_NS, SEAL_NS))
    with pytest.raises(Corrupt):
        copy_out(store, tmp_path)


def test_copy_to_of_a_missing_blob_is_not_found(store: ImageLayout, tmp_path: Path) -> None:
    os.unlink(store.blob_path(DIGEST))
    with pytest.raises(NotFound):
        copy_out(store, tmp_path)


@pytest.mark.parametrize("count", [3, 40])
def test_batch_can_be_read_inside_and_is_sealed_at_its_end(tmp_path: Path, count: int) -> None:
    store = ImageLayout(str(tmp_path / "kit"))
    datas = [some_bytes(100, number) for number in range(count)]
    with store.batch():
        digests = [store.add_bytes(data) for data in datas]
        assert all(store.holds(digest, 100) for digest in digests)
        assert not any(store.is_sealed(digest, 100) for digest in digests)
    assert all(store.is_sealed(digest, 100) for digest in digests)


def test_batch_inside_a_batch_ends_with_the_outer_one(tmp_path: Path) -> None:
    store = ImageLayout(str(tmp_path / "kit"))
    with store.batch():
        with store.batch():
            digest = store.add_bytes(b"data")
        assert not store.is_sealed(digest, 4)
    assert store.is_sealed(digest, 4)


def test_batch_whose_blob_was_taken_away_ends_well(tmp_path: Path) -> None:
    store = ImageLayout(str(tmp_path / "kit"))
    with store.batch():
        os.unlink(store.blob_path(store.add_bytes(b"data")))


def test_adopt_shares_the_file(tmp_path: Path) -> None:
    store = ImageLayout(str(tmp_path / "kit"))
    (tmp_path / "theirs").write_bytes(DATA)
    assert store.adopt(str(tmp_path / "theirs"), DIGEST, len(DATA))
    assert os.path.samefile(tmp_path / "theirs", store.blob_path(DIGEST))
    assert store.is_sealed(DIGEST, len(DATA))
    assert store.adopt(str(tmp_path / "gone"), DIGEST, len(DATA))
    assert not os.listdir(tmp_path / "kit/tmp")


def test_adopt_of_other_content_is_corrupt_and_leaves_nothing(tmp_path: Path) -> None:
    store = ImageLayout(str(tmp_path / "kit"))
    (tmp_path / "theirs").write_bytes(some_bytes(len(DATA), 9))
    with pytest.raises(Corrupt):
        store.adopt(str(tmp_path / "theirs"), DIGEST, len(DATA))
    assert not store.has_blob(DIGEST)
    assert not os.listdir(tmp_path / "kit/tmp")


@pytest.mark.parametrize("what", ["missing", "size", "link", "folder"])
def test_adopt_of_what_is_no_such_file_does_nothing(tmp_path: Path, what: str) -> None:
    store = ImageLayout(str(tmp_path / "kit"))
    theirs = tmp_path / "theirs"
    if what == "size":
        theirs.write_bytes(b"short")
    elif what == "link":
        (tmp_path / "real").write_bytes(DATA)
        theirs.symlink_to("real")
    elif what == "folder":
        theirs.mkdir()
    assert not store.adopt(str(theirs), DIGEST, len(DATA))
    assert not store.has_blob(DIGEST)
    assert not os.listdir(tmp_path / "kit/tmp")


def test_store_tells_the_cache_the_fingerprints_of_large_content(tmp_path: Path) -> None:
    cache = HashCache(str(tmp_path / "kit/state.db"))
    store = ImageLayout(str(tmp_path / "kit"), cache=cache)
    digest, size = store.add(io.BytesIO(DATA))
    small = store.add_bytes(b"small")
    for one in (digest, small):
        cache.remember(b"x", one, size)
    (known,) = cache.of_path(b"x")
    assert (known.size, known.digest) == (len(DATA), DIGEST)
    import xxhash

    assert known.whole == xxhash.xxh3_128(DATA).digest()
    assert known.head == xxhash.xxh3_128(DATA[: 1 << 20]).digest()
