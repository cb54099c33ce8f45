"""A new index takes the old one's place; what a killed process left is told from what a living one holds."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitkit.git import index_swap


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "index"
    path.write_text("old")
    return path


def left_by_a_killed_process(index: Path, text: str = "new") -> Path:
    """A workshop with a new index in it, which nobody locks."""
    folder = index.with_name("index.git-kit-0123456789abcdef")
    folder.mkdir()
    (folder / "index").write_text(text)
    return folder


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Another process works there."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def swap(index: Path, before: os.stat_result | None) -> bool | None:
    with index_swap.workshop(str(index)) as folder:
        new = Path(folder, "index")
        new.write_text("new")
        return index_swap.swap(str(new), str(index), before)


def test_swap_replaces_the_index_and_leaves_nothing_else(index: Path) -> None:
    assert swap(index, index_swap.look(str(index))) is True
    assert index.read_text() == "new"
    assert os.listdir(index.parent) == ["index"]
    assert index.stat().st_nlink == 1


def test_swap_of_an_index_that_changed_leaves_it_and_no_lock(index: Path) -> None:
    before = index_swap.look(str(index))
    index.write_text("somebody's")
    assert swap(index, before) is False
    assert swap(index, None) is False
    assert index.read_text() == "somebody's"
    assert os.listdir(index.parent) == ["index"]


def test_swap_while_another_process_holds_the_lock_leaves_the_lock(index: Path) -> None:
    lock = index.with_name("index.lock")
    lock.write_text("git's")
    assert swap(index, index_swap.look(str(index))) is None
    assert (index.read_text(), lock.read_text()) == ("old", "git's")


def test_swap_makes_an_index_where_there_was_none(tmp_path: Path) -> None:
    assert swap(tmp_path / "index", None) is True
    assert (tmp_path / "index").read_text() == "new"


def test_lock_of_a_killed_process_is_taken_away_and_the_index_stays(index: Path) -> None:
    folder = left_by_a_killed_process(index)
    os.link(folder / "index", index.with_name("index.lock"))
    assert index_swap.sweep(str(index)) == 1
    assert os.listdir(index.parent) == ["index"]
    assert index.read_text() == "old"


def test_next_swap_takes_away_the_lock_of_a_killed_process(index: Path) -> None:
    folder = left_by_a_killed_process(index, "killed")
    os.link(folder / "index", index.with_name("index.lock"))
    assert swap(index, index_swap.look(str(index))) is True
    assert index.read_text() == "new"
    assert os.listdir(index.parent) == ["index"]


def test_process_killed_after_its_swap_leaves_a_folder_that_is_taken_away(index: Path) -> None:
    folder = left_by_a_killed_process(index)
    index.unlink()
    os.link(folder / "index", index)
    assert index_swap.sweep(str(index)) == 1
    assert os.listdir(index.parent) == ["index"]
    assert index.read_text() == "new"


def test_lock_and_folder_of_a_living_process_stay(index: Path) -> None:
    folder = left_by_a_killed_process(index)
    lock = index.with_name("index.lock")
    os.link(folder / "index", lock)
    with held(folder):
        assert index_swap.sweep(str(index)) == 0
        assert swap(index, index_swap.look(str(index))) is None
    assert lock.exists() and (folder / "index").exists()


def test_lock_of_git_stays_when_a_killed_process_is_swept_away(index: Path) -> None:
    left_by_a_killed_process(index)
    lock = index.with_name("index.lock")
    lock.write_text("git's")
    assert index_swap.sweep(str(index)) == 1
    assert lock.read_text() == "git's"


def test_lock_of_a_killed_process_does_not_count(index: Path) -> None:
    folder, lock = left_by_a_killed_process(index), index.with_name("index.lock")
    os.link(folder / "index", lock)
    with held(folder):
        assert index_swap.is_locked(str(index))
    assert not index_swap.is_locked(str(index))
    lock.write_text("git's")
    assert index_swap.is_locked(str(index))


def test_link_in_the_place_of_a_workshop_is_not_followed(index: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    index.with_name("index.git-kit-0123456789abcdef").symlink_to(outside)
    assert index_swap.sweep(str(index)) == 0
    assert (outside / "kept").exists()


def test_sweep_where_nothing_can_be_listed_finds_nothing(tmp_path: Path) -> None:
    assert index_swap.sweep(str(tmp_path / "missing" / "index")) == 0
