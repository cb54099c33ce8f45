"""What `git kit checkout` and `git kit pull` write, and what they leave alone.

Edited and deleted files, links in the place of folders and files: tests/integration/test_push_pull.py. Choosing a side
of a merge conflict: tests/integration/test_filter_process.py.
"""

import os

import pytest

from tests.lib.large_files import (
    FILTER_OFF,
    LARGE,
    OURS,
    THEIRS,
    TOP,
    A,
    B,
    in_worktree,
    pointer_to,
    store_blob,
    store_of,
    unprivileged,
)
from tests.lib.repos import Repo

COMMANDS = pytest.mark.parametrize("command", ["checkout", "pull"])


def pointers(*paths: str) -> dict[str, bytes]:
    return {path: pointer_to(LARGE[path]) for path in paths}


@COMMANDS
def test_paths_are_those_of_the_current_folder(fetched: Repo, command: str) -> None:
    fetched.kit(command, "a.bin", "./b.bin", "../top.bin", cwd="models")
    assert in_worktree(fetched) == {
        "models/a.bin": A,
        "models/b.bin": B,
        "top.bin": TOP,
        **pointers("models/same.bin"),
    }
    fetched.kit(command, ".", cwd="models")
    assert in_worktree(fetched) == LARGE
    assert fetched.out("status", "--porcelain") == ""


def test_checkout_of_a_folder_and_of_patterns_takes_those_files_only(fetched: Repo) -> None:
    fetched.kit("checkout", "models", "-X", "models/same.bin")
    assert in_worktree(fetched) == {**LARGE, **pointers("models/same.bin", "top.bin")}
    fetched.kit("checkout", "-I", "*.bin", "-X", "models/*")
    assert in_worktree(fetched) == {**LARGE, **pointers("models/same.bin")}
    assert "no large file matches README.md" in fetched.kit("checkout", "README.md", code=10).stderr


def test_empty_and_finished_files_keep_their_time(author: Repo) -> None:
    for path in ("empty.bin", "models/a.bin"):
        os.utime(author.path / path, (1_000_000_000, 1_000_000_000))
    author.git("status")
    author.write("models/b.bin", pointer_to(B))
    author.kit("checkout")
    assert author.read("models/b.bin") == B
    for path in ("empty.bin", "models/a.bin"):
        assert (author.path / path).stat().st_mtime == 1_000_000_000


@COMMANDS
def test_folder_in_the_place_of_a_file_and_file_in_the_place_of_a_folder_stay(fetched: Repo, command: str) -> None:
    (fetched.path / "top.bin").unlink()
    fetched.write("top.bin/mine.txt", "mine\n")
    for path in ("a.bin", "b.bin", "same.bin"):
        (fetched.path / "models" / path).unlink()
    (fetched.path / "models").rmdir()
    fetched.write("models", "mine\n")
    assert "nothing to" in fetched.kit(command).stderr
    assert (fetched.read("top.bin/mine.txt"), fetched.read("models")) == (b"mine\n", b"mine\n")


def test_hard_link_to_a_pointer_is_broken_and_the_other_name_keeps_the_pointer(fetched: Repo) -> None:
    os.link(fetched.path / "top.bin", fetched.path.parent / "outside.bin")
    fetched.kit("checkout")
    assert fetched.read("top.bin") == TOP
    assert (fetched.path.parent / "outside.bin").read_bytes() == pointer_to(TOP)


def test_name_in_another_case_is_another_file(fetched: Repo) -> None:
    (fetched.path / "top.bin").rename(fetched.path / "TOP.bin")
    fetched.kit("checkout")
    assert fetched.read("TOP.bin") == pointer_to(TOP)
    assert not (fetched.path / "top.bin").exists()


def test_read_only_file_gets_content_and_its_mode_from_git(fetched: Repo) -> None:
    (fetched.path / "top.bin").chmod(0o444)
    unprivileged(fetched, "git-kit", "checkout")
    assert fetched.read("top.bin") == TOP
    assert fetched.out("status", "--porcelain") == ""


def test_read_only_folder_keeps_its_pointers_and_all_other_files_get_content(fetched: Repo) -> None:
    (fetched.path / "models").chmod(0o555)
    try:
        done = unprivileged(fetched, "git-kit", "checkout", code=19)
    finally:
        (fetched.path / "models").chmod(0o755)
    assert "3 files could not be checked out:\n  models/a.bin: cannot write the file: Permission denied" in done.stderr
    assert in_worktree(fetched) == {"top.bin": TOP, **pointers("models/a.bin", "models/b.bin", "models/same.bin")}
    assert os.listdir(fetched.path / "models") == unchanged_names(fetched)
    fetched.kit("checkout")
    assert in_worktree(fetched) == LARGE


def unchanged_names(repo: Repo) -> list[str]:
    """What lies in ``models``, which must be what Git put there."""
    names = os.listdir(repo.path / "models")
    assert sorted(names) == ["a.bin", "b.bin", "same.bin"]
    return names


def test_merge_conflict_in_progress_stays_and_all_other_files_get_content(conflicted: Repo) -> None:
    conflicted.write("models/a.bin", pointer_to(A))
    before = conflicted.read("top.bin"), conflicted.out("ls-files", "--unmerged")
    conflicted.kit("pull")
    assert (conflicted.read("top.bin"), conflicted.out("ls-files", "--unmerged")) == before
    assert conflicted.read("models/a.bin") == A
    for side, data in (("--ours", OURS), ("--theirs", THEIRS)):
        conflicted.git("checkout", side, "--", "top.bin")
        assert conflicted.read("top.bin") == data
    conflicted.git("add", "top.bin")
    assert conflicted.blob(":top.bin") == pointer_to(THEIRS)


def test_every_side_of_a_conflict_can_be_written_beside_the_file(conflicted: Repo) -> None:
    for stage, data in (("1", TOP), ("2", OURS), ("3", THEIRS)):
        name = conflicted.out("checkout-index", f"--stage={stage}", "--temp", "top.bin").partition("\t")[0]
        assert conflicted.read(name) == data


def test_checkout_in_a_bare_repository_writes_nothing_and_is_no_error(origin: Repo) -> None:
    before = sorted(os.listdir(origin.path))
    assert "nothing to check out" in origin.kit("checkout").stderr
    assert sorted(os.listdir(origin.path)) == before


def test_checkout_without_content_in_the_store_downloads_nothing_and_names_the_command(lazy: Repo) -> None:
    done = lazy.kit("checkout")
    assert "4 files without content in the store" in done.stderr
    assert "hint: git kit pull" in done.stderr
    assert not store_of(lazy).exists() or not store_blob(lazy, A).exists()
    assert in_worktree(lazy) == pointers(*LARGE)


def test_content_of_a_pointer_that_git_does_not_track_is_left_alone(fetched: Repo) -> None:
    fetched.write("untracked.bin", pointer_to(A))
    fetched.write("ignored.bin", pointer_to(A))
    fetched.write(".git/info/exclude", "ignored.bin\n")
    fetched.kit("checkout")
    assert in_worktree(fetched, "untracked.bin", "ignored.bin") == {
        "untracked.bin": pointer_to(A),
        "ignored.bin": pointer_to(A),
    }


def test_pointer_in_a_file_under_no_filter_is_left_alone(author: Repo) -> None:
    author.commit("an example", {"example.txt": pointer_to(A)})
    assert "nothing to check out" in author.kit("checkout").stderr
    author.git(*FILTER_OFF, "checkout", "--", "example.txt")
    assert author.read("example.txt") == pointer_to(A)
