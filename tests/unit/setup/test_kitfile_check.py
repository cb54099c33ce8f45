"""The Kitfile of a worktree: written from what is there, checked against it."""

from pathlib import Path

import pytest

from gitkit.core.pointer import Pointer
from gitkit.errors import Conflict, InvalidFile, NotFound
from gitkit.git.repository import Repository, discover
from gitkit.git.run import Git
from gitkit.setup.kitfile import check_kitfile, find_kitfile, guessed_kitfile, worktree_files, write_kitfile
from tests.lib.repos import Repo

POINTER = Pointer("sha256:" + "a" * 64, 5_000_000).encode()


def opened(repo: Repo) -> Repository:
    return discover(Git(str(repo.path), repo.environ))


def test_worktree_files_have_the_size_of_their_content(repo: Repo) -> None:
    repo.commit(files={"model.onnx": POINTER, "gone.txt": "x", ".gitignore": "*.log\n"})
    (repo.path / "gone.txt").unlink()
    repo.write("new file.txt", "12345")
    repo.write("ignored.log", "x")
    (repo.path / "link").symlink_to("model.onnx")
    assert worktree_files(opened(repo)) == [(".gitignore", 6), ("model.onnx", 5_000_000), ("new file.txt", 5)]


def test_guessed_kitfile_reads_the_licence_and_the_folder_name(repo: Repo) -> None:
    repo.commit(files={"model.onnx": POINTER, "LICENSE": "Mozilla Public License Version 2.0"})
    text = guessed_kitfile(opened(repo))
    assert "  name: repo\n  path: model.onnx\n  license: MPL-2.0\n" in text


def test_write_of_a_kitfile_over_one_needs_force(repo: Repo) -> None:
    repo.write(".kitfile", "package:\n  name: mine\n")
    with pytest.raises(Conflict):
        write_kitfile(opened(repo))
    assert repo.read(".kitfile") == b"package:\n  name: mine\n"
    assert write_kitfile(opened(repo), force=True) == str(repo.path / ".kitfile")
    assert b"name: repo" in repo.read(".kitfile")
    assert not (repo.path / "Kitfile").exists()


def test_check_of_a_right_kitfile_passes(repo: Repo) -> None:
    repo.write("model.onnx", "x")
    path = Path(write_kitfile(opened(repo)))
    assert check_kitfile(str(path), root=str(repo.path)).package.name == "repo"


def test_check_names_every_missing_file_by_line(repo: Repo) -> None:
    repo.write("code/a.py", "x")
    text = "package:\n  name: x\nmodel:\n  path: m.onnx\n  parts:\n    - path: p.json\n"
    text += "code:\n  - path: code\ndocs:\n  - path: d\n"
    path = repo.write("Kitfile", text)
    with pytest.raises(InvalidFile) as caught:
        check_kitfile(str(path), root=str(repo.path))
    assert caught.value.message == (
        "Kitfile has 3 problems:\n"
        '  line 4: model.path: "m.onnx" is not in the worktree\n'
        '  line 6: model.parts[0].path: "p.json" is not in the worktree\n'
        '  line 10: docs[0].path: "d" is not in the worktree'
    )


def test_check_of_a_model_that_is_another_kit_does_not_look_for_a_file(repo: Repo) -> None:
    path = repo.write("Kitfile", "model:\n  path: registry.example.com/acme/llm:v1\n")
    check_kitfile(str(path), root=str(repo.path))


def test_check_of_no_file_says_how_to_write_one(repo: Repo) -> None:
    assert find_kitfile(str(repo.path)) is None
    with pytest.raises(NotFound) as caught:
        check_kitfile(str(repo.path / "Kitfile"), root=str(repo.path))
    assert caught.value.hint == "git kit kitfile write"
