"""What `git kit status`, `ls-files` and `fsck` say of repositories in every state.

What is staged, changed, missing and not pushed: tests/integration/test_push_pull.py. Damaged blobs, damaged pointers:
test_bad_input.py and test_filter_process.py.
"""

import json
import os
from typing import Any

from tests.lib.large_files import (
    ATTRIBUTES,
    FILTER_OFF,
    LARGE,
    OURS,
    TOP,
    A,
    B,
    lfs_pointer_to,
    pointer_to,
    store_blob,
)
from tests.lib.repos import Repo, init


def status(repo: Repo, *, cwd: str = ".") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(repo.kit("status", "--json", cwd=cwd).stdout)
    return found


def listed(repo: Repo, *args: str, cwd: str = ".") -> list[str]:
    """The paths of `git kit ls-files`."""
    return [item["path"] for item in json.loads(repo.kit("ls-files", "--json", *args, cwd=cwd).stdout)]


# -- status ----------------------------------------------------------------------------------------------------------


def test_status_before_the_first_commit_tells_what_is_staged(repo: Repo) -> None:
    assert repo.kit("status").stdout == "On main: 0 large files, 0 B\n"
    repo.write("a.bin", A)
    repo.git("add", "--all")
    assert status(repo)["staged"] == [{"path": "a.bin", "change": "A"}]
    assert repo.kit("status").stdout == (
        "On main: 1 large file, 97.7 KiB\n\nStaged:\n  A  a.bin\n\n"
        "There is no Git remote to compare with: see git remote -v\n"
    )


def test_status_in_a_folder_tells_of_the_whole_repository(author: Repo) -> None:
    author.write("top.bin", A)
    author.write("models/b.bin", A)
    assert status(author, cwd="models") == status(author)
    assert [item["path"] for item in status(author, cwd="models")["changed"]] == ["models/b.bin", "top.bin"]


def test_status_of_files_that_were_deleted_moved_or_replaced(author: Repo) -> None:
    author.git("mv", "models/b.bin", "moved.bin")
    (author.path / "models/a.bin").unlink()
    (author.path / "top.bin").unlink()
    author.write("top.bin/inside.txt", "a folder now\n")
    found = status(author)
    assert found["staged"] == [{"path": "models/b.bin", "change": "D"}, {"path": "moved.bin", "change": "A"}]
    assert found["changed"] == [{"path": "models/a.bin", "change": "D"}, {"path": "top.bin", "change": "D"}]
    assert found["missing"] == []


def test_status_of_a_file_that_became_executable_is_a_change(author: Repo) -> None:
    (author.path / "top.bin").chmod(0o755)
    assert status(author)["changed"] == [{"path": "top.bin", "change": "M"}]
    author.git("add", "top.bin")
    assert status(author)["staged"] == [{"path": "top.bin", "change": "M"}]


def test_status_of_a_file_that_became_a_link_is_a_change_of_kind(author: Repo) -> None:
    (author.path / "top.bin").unlink()
    (author.path / "top.bin").symlink_to("models/a.bin")
    assert status(author)["changed"] == [{"path": "top.bin", "change": "T"}]


def test_status_of_content_in_git_that_becomes_a_pointer_tells_it_as_staged(repo: Repo) -> None:
    repo.write("a.bin", A)
    repo.git(*FILTER_OFF, "add", "--all")
    repo.git("commit", "--quiet", "--no-verify", "--message", "by a clone without git kit")
    assert status(repo)["files"] == 0
    repo.git("add", "--renormalize", ".")
    assert status(repo)["staged"] == [{"path": "a.bin", "change": "M"}]


def test_status_in_a_conflict_at_no_branch_and_without_a_git_remote(conflicted: Repo) -> None:
    conflicted.write(".git/HEAD", conflicted.out("rev-parse", "HEAD") + "\n")
    conflicted.git("remote", "remove", "origin")
    found = status(conflicted)
    assert (found["branch"], found["files"], found["unpushed"]) == ("(no branch)", 3, None)
    assert (found["conflicts"], found["staged"], found["changed"]) == (["top.bin"], [], [])


def test_status_of_files_that_an_ignored_or_untracked_file_resembles_says_nothing(author: Repo) -> None:
    author.write("untracked.bin", pointer_to(A[1:]))
    found = status(author)
    assert (found["staged"], found["changed"], found["missing"]) == ([], [], [])


# -- ls-files --------------------------------------------------------------------------------------------------------


def test_ls_files_marks_what_the_store_has_and_prints_short_or_whole_digests(author: Repo) -> None:
    store_blob(author, TOP).unlink()
    lines = author.kit("ls-files").stdout.splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["*", "*", "*", "-"]
    assert lines[1].split() == [pointer_to(A)[29:41].decode(), "*", "97.7", "KiB", "models/a.bin"]
    digests = [line.split()[0] for line in author.kit("ls-files", "--long").stdout.splitlines()[1:]]
    assert digests == [pointer_to(data).split()[3].decode() for data in LARGE.values()]


def test_ls_files_of_the_index_and_of_commits_differ_as_these_do(author: Repo) -> None:
    author.commit("second", {"new.bin": A[1:]})
    author.git("tag", "v1")
    author.write("staged.bin", A[2:])
    author.git("add", "staged.bin")
    author.git("rm", "--quiet", "--cached", "top.bin")
    models = ["models/a.bin", "models/b.bin", "models/same.bin"]
    assert listed(author) == [*models, "new.bin", "staged.bin"]
    assert listed(author, "v1") == [*models, "new.bin", "top.bin"]
    assert listed(author, "HEAD~1") == [*models, "top.bin"]
    assert listed(author, cwd="models") == listed(author)
    assert "is not a commit, branch or tag here" in author.kit("ls-files", "nonsense", code=10).stderr


def test_ls_files_of_nothing_prints_nothing_but_the_heads(repo: Repo) -> None:
    assert listed(repo) == []
    repo.commit("first", {"README.md": "hello\n", "empty.bin": b""})
    assert listed(repo) == listed(repo, "HEAD") == []


def test_ls_files_in_a_bare_repository_is_of_head(origin: Repo) -> None:
    assert listed(origin) == listed(origin, "main") == list(LARGE)


def test_ls_files_tells_pointers_of_git_lfs_apart(repo: Repo) -> None:
    repo.commit("both", {"lfs.bin": lfs_pointer_to(B), "kit.bin": A})
    found = json.loads(repo.kit("ls-files", "--json").stdout)
    assert [(item["path"], item["lfs"], item["size"]) for item in found] == [
        ("kit.bin", False, len(A)),
        ("lfs.bin", True, len(B)),
    ]


def test_ls_files_of_names_that_differ_in_case_lists_each(repo: Repo) -> None:
    repo.commit("cases", {"a.bin": A, "A.bin": B, "Sub/a.bin": TOP})
    assert listed(repo) == ["A.bin", "Sub/a.bin", "a.bin"]


# -- fsck ------------------------------------------------------------------------------------------------------------


def checked(repo: Repo, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(repo.kit("fsck", "--json", code=code).stdout)
    return found


def test_fsck_minds_no_link_no_empty_file_and_no_file_that_is_taken_out(repo: Repo) -> None:
    repo.write(".gitattributes", f"{ATTRIBUTES}plain/* -filter\n")
    (repo.path / "link.bin").symlink_to("a.bin")
    (repo.path / "broken link.bin").symlink_to("nowhere")
    repo.commit("first", {"a.bin": A, "empty.bin": b"", "plain/a.bin": B})
    found = checked(repo)
    assert (found["blobs"], found["size"]) == (1, len(A))
    assert [found[name] for name in ("corrupt", "content", "damaged_pointers", "missing")] == [[]] * 4


def test_fsck_names_content_and_damaged_pointers_by_any_path(repo: Repo) -> None:
    odd = ["line\nend.bin", "-dash.bin", 'quo"te.bin', "ünï/cödé.bin", os.fsdecode(b"not-\xff-utf8.bin")]
    for name in odd:
        repo.write(name, B)
    repo.write("damaged.bin", pointer_to(A).replace(b"\n", b"\r\n"))
    repo.git(*FILTER_OFF, "add", "--all")
    repo.git("commit", "--quiet", "--no-verify", "--message", "by a clone without git kit")
    found = checked(repo, code=11)
    assert sorted(found["content"]) == sorted(odd)
    assert found["damaged_pointers"] == ["damaged.bin"]
    assert "line\nend" not in repo.kit("fsck", code=11).stdout


def test_fsck_finds_objects_that_git_keeps_elsewhere(author: Repo) -> None:
    (author.path / ".git/objects").rename(author.path.parent / "objects")
    elsewhere = {"GIT_OBJECT_DIRECTORY": str(author.path.parent / "objects")}
    (author.path / ".git/objects").mkdir()
    store_blob(author, TOP).unlink()
    found = json.loads(author.kit("fsck", "--json", extra=elsewhere).stdout)
    assert (found["blobs"], [item["path"] for item in found["missing"]]) == (2, ["top.bin"])


def test_fsck_before_the_first_commit_and_in_a_bare_repository(repo: Repo, origin: Repo) -> None:
    assert checked(repo)["blobs"] == 0
    found = checked(origin)
    assert (found["corrupt"], found["missing"]) == ([], [])
    assert found["blobs"] >= 3
    store_blob(origin, TOP).unlink()
    assert [item["path"] for item in checked(origin)["missing"]] == ["top.bin"]


def test_fsck_in_a_conflict_is_about_what_head_and_index_have(conflicted: Repo) -> None:
    assert checked(conflicted)["missing"] == []
    store_blob(conflicted, OURS).unlink()
    assert [item["path"] for item in checked(conflicted)["missing"]] == ["top.bin"]


def test_listing_in_an_empty_bare_repository_is_empty(repo: Repo) -> None:
    empty = init(repo.path.parent / "empty.git", repo.environ, "--bare")
    assert listed(empty) == []
    assert checked(empty)["blobs"] == 0
    assert "nothing to download" in empty.kit("fetch").stderr
