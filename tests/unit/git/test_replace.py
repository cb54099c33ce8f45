"""Writing a file beside and renaming it."""

import os
import stat
from pathlib import Path

import pytest

from gitkit.errors import KitError
from gitkit.git.replace import replace_file


def test_replace_of_a_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    replace_file(str(path), b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o640)
    assert list(tmp_path.iterdir()) == [path]


def test_replace_with_a_mode_sets_it_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    replace_file(str(path), b"new", mode=0o777)
    assert stat.S_IMODE(path.stat().st_mode) == 0o777


def test_replace_of_a_link_leaves_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    path = tmp_path / "link"
    path.symlink_to("target")
    replace_file(str(path), b"new")
    assert (path.read_bytes(), path.is_symlink(), (tmp_path / "target").read_text()) == (b"new", False, "old")


def test_replace_that_fails_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inner").mkdir(parents=True)
    with pytest.raises(KitError):
        replace_file(str(path), b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_replace_below_a_file_fails_and_leaves_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(KitError):
        replace_file(str(tmp_path / "file" / "below"), b"new")
    assert (tmp_path / "file").read_text() == "old"


def test_replace_over_the_draft_of_a_killed_process_works(tmp_path: Path) -> None:
    draft = tmp_path / f".file.{os.getpid()}"
    draft.write_text("half")
    replace_file(str(tmp_path / "file"), b"whole")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
