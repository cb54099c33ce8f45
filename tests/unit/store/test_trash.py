"""The trash: blobs go and come back by rename, and nothing that is wrong comes back."""

import os
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.store import durable
from gitkit.store.layout import ImageLayout
from gitkit.store.trash import Trash, days_ago, today
from gitkit.sync.parallel import each

DATA = b"some content"
DIGEST = digest_of(DATA)


@pytest.fixture
def store(tmp_path: Path) -> ImageLayout:
    """A store that holds ``DATA``."""
    layout = ImageLayout(str(tmp_path / "kit"))
    layout.add_bytes(DATA)
    return layout


@pytest.fixture
def trash(store: ImageLayout) -> Trash:
    return Trash(store.pool)


def throw(trash: Trash, digest: str = DIGEST) -> bool:
    """Throw away whatever its age."""
    return trash.throw(digest, unused_since=time.time() + 10)


def thrown_path(store: ImageLayout, day: date | None = None) -> Path:
    return Path(store.pool, "trash", (day or today()).isoformat(), DIGEST[7:])


def test_throw_moves_the_blob_under_the_day(store: ImageLayout, trash: Trash) -> None:
    inode = os.stat(store.blob_path(DIGEST)).st_ino
    assert throw(trash)
    assert not store.has(DIGEST, len(DATA))
    assert thrown_path(store).stat().st_ino == inode
    assert [(item.digest, item.size, item.day) for item in trash.blobs()] == [(DIGEST, len(DATA), today())]


def test_throw_a_blob_that_is_younger_than_asked_leaves_it(store: ImageLayout, trash: Trash) -> None:
    assert not trash.throw(DIGEST, unused_since=time.time() - 60)
    assert store.has(DIGEST, len(DATA))
    assert list(trash.blobs()) == []


def test_throw_a_blob_that_is_not_there_moves_nothing(store: ImageLayout, trash: Trash) -> None:
    assert not throw(trash, digest_of(b"other"))


def test_throw_in_a_shared_repository_lets_the_group_take_it_back(store: ImageLayout, trash: Trash) -> None:
    Path(store.blob_path(DIGEST)).parent.chmod(0o2770)
    throw(trash)
    assert thrown_path(store).parent.stat().st_mode & 0o7777 == 0o2770


def test_holds_a_thrown_blob_brings_it_back_by_rename(store: ImageLayout, trash: Trash) -> None:
    inode = os.stat(store.blob_path(DIGEST)).st_ino
    throw(trash)
    assert store.holds(DIGEST, len(DATA))
    assert os.stat(store.blob_path(DIGEST)).st_ino == inode
    assert list(trash.blobs()) == []


def test_open_blob_that_was_thrown_reads_it(store: ImageLayout, trash: Trash) -> None:
    throw(trash)
    with store.open_blob(DIGEST, len(DATA)) as file:
        assert file.read() == DATA


def test_receive_a_thrown_blob_asks_no_remote(store: ImageLayout, trash: Trash) -> None:
    throw(trash)
    store.receive(DIGEST, len(DATA), lambda _: pytest.fail("the remote was asked"))
    assert store.has(DIGEST, len(DATA))


def test_add_bytes_of_a_thrown_blob_stores_it_again(store: ImageLayout, trash: Trash) -> None:
    throw(trash)
    assert store.add_bytes(DATA) == DIGEST
    assert store.has(DIGEST, len(DATA))


def test_take_back_finds_the_blob_whatever_its_day(store: ImageLayout, trash: Trash) -> None:
    throw(trash)
    thrown_path(store).parent.rename(thrown_path(store, date(2001, 2, 3)).parent)
    assert trash.take_back(DIGEST)
    assert store.has(DIGEST, len(DATA))


def test_take_back_a_damaged_blob_that_is_not_sealed_deletes_it(store: ImageLayout, trash: Trash) -> None:
    throw(trash)
    thrown_path(store).chmod(0o644)
    thrown_path(store).write_bytes(b"some conten!")
    assert not trash.take_back(DIGEST)
    assert not store.has(DIGEST, len(DATA))
    assert list(trash.blobs()) == []


def test_take_back_an_unsealed_blob_with_the_right_bytes_works(store: ImageLayout, trash: Trash) -> None:
    os.utime(store.blob_path(DIGEST))
    throw(trash)
    assert not durable.is_sealed(thrown_path(store).stat())
    assert trash.take_back(DIGEST)


def test_take_back_a_link_in_the_trash_leaves_it(store: ImageLayout, trash: Trash, tmp_path: Path) -> None:
    throw(trash)
    (tmp_path / "elsewhere").write_bytes(DATA)
    thrown_path(store).unlink()
    thrown_path(store).symlink_to(tmp_path / "elsewhere")
    assert not trash.take_back(DIGEST)
    assert list(trash.blobs()) == []


def test_take_back_by_many_threads_at_once_succeeds_in_all(store: ImageLayout, trash: Trash) -> None:
    for _ in range(20):
        throw(trash)
        assert all(each(lambda _: Trash(store.pool).take_back(DIGEST), range(8), limit=8))
        assert store.has(DIGEST, len(DATA))


def test_delete_removes_the_blob_and_the_empty_day(store: ImageLayout, trash: Trash) -> None:
    throw(trash)
    (item,) = trash.blobs()
    assert trash.delete(item, unused_since=0)
    assert not trash.delete(item, unused_since=0)
    assert not thrown_path(store).parent.exists()


def test_delete_leaves_a_blob_with_two_names_that_was_just_thrown(
    store: ImageLayout, trash: Trash, tmp_path: Path
) -> None:
    os.link(store.blob_path(DIGEST), tmp_path / "file")
    throw(trash)
    (item,) = trash.blobs()
    assert not trash.delete(item, unused_since=time.time() - 60)
    assert store.claim(DIGEST, len(DATA))
    throw(trash)
    assert trash.delete(item, unused_since=time.time() + 10)


def test_blobs_ignores_what_is_no_day_and_no_blob(store: ImageLayout, trash: Trash) -> None:
    throw(trash)
    folder = Path(store.pool, "trash")
    (folder / "2024-1-1").mkdir()
    (folder / "2024-1-1" / DIGEST[7:]).write_bytes(DATA)
    (folder / "notes").write_text("x")
    (thrown_path(store).parent / "other.txt").write_text("x")
    assert [item.digest for item in trash.blobs()] == [DIGEST]


def test_days_ago_of_more_days_than_there_were_is_the_first_day() -> None:
    assert days_ago(999_999) == date.min
    assert days_ago(1) == today() - timedelta(1)


# -- what was asked for in the meantime --------------------------------------------------------------------------------


def test_keep_of_a_blob_that_was_stored_just_now_changes_nothing(store: ImageLayout) -> None:
    before = os.stat(store.blob_path(DIGEST))
    assert durable.keep(store.blob_path(DIGEST), len(DATA))
    assert os.stat(store.blob_path(DIGEST)) == before


def test_keep_of_an_older_blob_leaves_the_seal(store: ImageLayout) -> None:
    path = store.blob_path(DIGEST)
    os.utime(path, ns=(0, durable.SEAL_NS))
    assert durable.keep(path, len(DATA), fresh_s=-1)
    assert os.stat(path).st_atime > 1
    assert durable.is_sealed(os.stat(path))


def test_keep_of_a_blob_that_is_a_file_of_a_worktree_leaves_its_times(store: ImageLayout, tmp_path: Path) -> None:
    path = store.blob_path(DIGEST)
    os.link(path, tmp_path / "file")
    before = os.stat(path)
    assert durable.keep(path, len(DATA), fresh_s=-1)
    assert os.stat(path) == before


@pytest.mark.parametrize("size", [0, len(DATA) + 1])
def test_keep_of_a_blob_of_another_size_is_none(store: ImageLayout, size: int) -> None:
    assert not durable.keep(store.blob_path(DIGEST), size)


def test_keep_of_no_blob_is_none(store: ImageLayout) -> None:
    assert not durable.keep(store.blob_path(digest_of(b"other")), 5)


# -- other stores ------------------------------------------------------------------------------------------------------


def test_holds_a_blob_of_a_neighbour_links_it(store: ImageLayout, tmp_path: Path) -> None:
    mine = ImageLayout(str(tmp_path / "mine"), neighbours=lambda: [store.path])
    assert mine.holds(DIGEST, len(DATA))
    assert os.path.samefile(mine.blob_path(DIGEST), store.blob_path(DIGEST))


def test_holds_a_damaged_blob_of_a_neighbour_does_not_take_it(store: ImageLayout, tmp_path: Path) -> None:
    os.chmod(store.blob_path(DIGEST), 0o644)
    Path(store.blob_path(DIGEST)).write_bytes(b"some conten!")
    mine = ImageLayout(str(tmp_path / "mine"), neighbours=lambda: [store.path])
    assert not mine.holds(DIGEST, len(DATA))
    assert list(mine.blobs()) == []


def test_holds_a_blob_on_another_file_system_copies_it(tmp_path: Path, store: ImageLayout) -> None:
    if os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("/dev/shm is on the same file system")
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        mine = ImageLayout(folder, neighbours=lambda: [store.path])
        assert mine.holds(DIGEST, len(DATA))
        assert Path(mine.blob_path(DIGEST)).read_bytes() == DATA
        assert durable.is_sealed(os.stat(mine.blob_path(DIGEST)))


def test_holds_a_link_in_a_neighbour_does_not_follow_it(store: ImageLayout, tmp_path: Path) -> None:
    Path(store.blob_path(DIGEST)).unlink()
    (tmp_path / "secret").write_bytes(DATA)
    Path(store.blob_path(DIGEST)).symlink_to(tmp_path / "secret")
    mine = ImageLayout(str(tmp_path / "mine"), neighbours=lambda: [store.path])
    assert not mine.holds(DIGEST, len(DATA))


def test_holds_a_blob_that_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path, small_disk: Path) -> None:
    theirs = ImageLayout(str(tmp_path / "theirs"))
    data = bytes(30 << 20)
    digest = theirs.add_bytes(data)
    mine = ImageLayout(str(small_disk / "mine"), neighbours=lambda: [theirs.path])
    assert not mine.holds(digest, len(data))
    assert list((small_disk / "mine" / "tmp").iterdir()) == []
    assert list(mine.blobs()) == []
