"""Where a new file gets its first name: in the folder for drafts where that can be, beside the old one where not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitkit.git import worktree
from gitkit.git.exchange import exchange
from gitkit.git.worktree import Seen

OTHER_FILE_SYSTEM = Path("/dev/shm")


@pytest.fixture
def drafts(tmp_path: Path) -> Path:
    folder = tmp_path / "drafts"
    folder.mkdir()
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "worktree" / "file"
    path.parent.mkdir()
    path.write_text("pointer")
    return path


@contextmanager
def opened(file: Path) -> Iterator[tuple[int, Seen]]:
    with worktree.folder_of(str(file.parent), os.fsencode(file.name)) as (folder, name):
        seen = worktree.look(folder, name)
        assert seen is not None
        yield folder, seen


def replace(file: Path, drafts: Path | None) -> None:
    with opened(file) as (folder, seen):
        place = str(drafts) if drafts is not None else None
        with worktree.replacement(folder, b"file", seen, drafts=place) as new:
            os.write(new.fd, b"content")


def test_replacement_by_way_of_drafts_leaves_nothing_but_the_file(file: Path, drafts: Path) -> None:
    replace(file, drafts)
    assert file.read_text() == "content"
    assert os.listdir(file.parent) == ["file"]
    assert os.listdir(drafts) == []
    assert file.stat().st_nlink == 1


@pytest.mark.parametrize("where", ["nowhere", "missing"])
def test_replacement_without_a_folder_for_drafts_works_beside_the_file(file: Path, tmp_path: Path, where: str) -> None:
    replace(file, None if where == "nowhere" else tmp_path / "missing")
    assert file.read_text() == "content"
    assert os.listdir(file.parent) == ["file"]


def test_replacement_with_drafts_on_another_file_system_works_beside_the_file(file: Path) -> None:
    if not OTHER_FILE_SYSTEM.is_dir() or OTHER_FILE_SYSTEM.stat().st_dev == file.stat().st_dev:
        pytest.skip("there is no other file system")
    replace(file, OTHER_FILE_SYSTEM)
    assert file.read_text() == "content"
    assert os.listdir(file.parent) == ["file"]


def test_replacement_of_a_file_that_changed_leaves_it_and_no_draft(file: Path, drafts: Path) -> None:
    with opened(file) as (folder, seen):
        file.write_text("somebody's")
        with (
            pytest.raises(FileExistsError),
            worktree.replacement(folder, b"file", seen, drafts=str(drafts)) as new,
        ):
            os.write(new.fd, b"content")
    assert file.read_text() == "somebody's"
    assert os.listdir(drafts) == []
    assert os.listdir(file.parent) == ["file"]


def test_exchange_lets_two_files_change_their_names(file: Path, drafts: Path) -> None:
    other = drafts / "other"
    other.write_text("content")
    inodes = file.stat().st_ino, other.stat().st_ino
    with opened(file) as (folder, _):
        if not exchange(folder, os.fsencode(other), b"file"):
            pytest.skip("this file system cannot exchange names")
    assert (other.stat().st_ino, file.stat().st_ino) == inodes


def test_exchange_with_a_file_that_has_gone_is_an_error_and_moves_nothing(file: Path, drafts: Path) -> None:
    with opened(file) as (folder, _), pytest.raises(FileNotFoundError):
        exchange(folder, os.fsencode(drafts / "missing"), b"file")
    assert file.read_text() == "pointer"


def test_replace_by_link_by_way_of_drafts_leaves_nothing_but_the_link(file: Path, drafts: Path, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_text("content")
    with opened(file) as (folder, seen):
        assert worktree.replace_by_link(folder, b"file", str(blob), seen, drafts=str(drafts))
    assert file.samefile(blob)
    assert blob.stat().st_nlink == 2
    assert os.listdir(drafts) == []


def test_replace_by_link_of_a_file_that_is_the_link_already_leaves_no_draft(
    file: Path, drafts: Path, tmp_path: Path
) -> None:
    blob = tmp_path / "blob"
    os.link(file, blob)
    with opened(file) as (folder, seen):
        assert worktree.replace_by_link(folder, b"file", str(blob), seen, drafts=str(drafts))
    assert os.listdir(drafts) == []
    assert blob.stat().st_nlink == 2


def test_replace_by_link_of_what_cannot_be_linked_is_false(file: Path, drafts: Path, tmp_path: Path) -> None:
    with opened(file) as (folder, seen):
        assert not worktree.replace_by_link(folder, b"file", str(tmp_path / "missing"), seen, drafts=str(drafts))
    assert file.read_text() == "pointer"
