"""The index is changed by several git commands together, or stays as it is, whoever else works on it."""

import os
import subprocess
from pathlib import Path

import pytest

from gitkit.errors import Denied, Locked
from gitkit.git import draft
from gitkit.git.index import Written
from gitkit.git.repository import Repository, discover
from gitkit.git.run import Git
from tests.lib.repos import Repo


@pytest.fixture
def repository(repo: Repo) -> Repository:
    repo.commit(files={"a": "a\n", "b": "b\n"})
    return discover(Git(str(repo.path), repo.environ))


def leftovers(repo: Repo) -> list[str]:
    return [name for name in os.listdir(repo.path / ".git") if name.startswith("index.")]


def nothing(path: str) -> tuple[bool, None]:
    return True, None


def remove(repository: Repository, path: str, name: str) -> None:
    draft.with_index(repository, path).git.run("rm", "--cached", "--quiet", name)


def test_change_index_kept_puts_all_changes_in_place(repo: Repo, repository: Repository) -> None:
    def work(path: str) -> tuple[bool, str]:
        remove(repository, path, "a")
        assert repo.out("ls-files") == "a\nb"
        remove(repository, path, "b")
        return True, "result"

    assert draft.change_index(repository, work) == "result"
    assert repo.out("ls-files") == ""
    assert leftovers(repo) == []


def test_change_index_not_kept_leaves_the_index_byte_for_byte(repo: Repo, repository: Repository) -> None:
    before = (repo.path / ".git/index").read_bytes()

    def work(path: str) -> tuple[bool, None]:
        remove(repository, path, "a")
        return False, None

    draft.change_index(repository, work)
    assert (repo.path / ".git/index").read_bytes() == before
    assert leftovers(repo) == []


def test_change_index_work_that_fails_leaves_index_and_folder_as_they_were(repo: Repo, repository: Repository) -> None:
    def work(path: str) -> tuple[bool, None]:
        remove(repository, path, "a")
        (Path(path + ".lock")).touch()
        raise ValueError

    with pytest.raises(ValueError):
        draft.change_index(repository, work)
    assert repo.out("ls-files") == "a\nb"
    assert leftovers(repo) == []


def test_change_index_somebody_else_changes_it_meanwhile_both_changes_hold(repo: Repo, repository: Repository) -> None:
    runs = []

    def work(path: str) -> tuple[bool, None]:
        remove(repository, path, "a")
        if not runs:
            repo.git("rm", "--cached", "--quiet", "b")
        runs.append(path)
        return True, None

    draft.change_index(repository, work)
    assert len(runs) == 2
    assert repo.out("ls-files") == ""


def test_change_index_without_an_index_makes_one(repo: Repo) -> None:
    repository = discover(Git(str(repo.path), repo.environ))
    repo.write("new", "new\n")

    def work(path: str) -> tuple[bool, None]:
        draft.with_index(repository, path).git.run("add", "new")
        return True, None

    draft.change_index(repository, work)
    assert repo.out("ls-files") == "new"
    draft.change_index(repository, nothing)
    assert repo.out("ls-files") == "new"


def test_change_index_without_an_index_and_nothing_to_do_makes_none(repo: Repo) -> None:
    draft.change_index(discover(Git(str(repo.path), repo.environ)), nothing)
    assert not (repo.path / ".git/index").exists()


def test_change_index_locked_by_another_process_gives_up_and_leaves_the_lock(
    repo: Repo, repository: Repository
) -> None:
    lock = repo.write(".git/index.lock", "somebody's")
    with pytest.raises(Locked, match="another process"):
        draft.change_index(repository, nothing)
    with pytest.raises(Locked):
        draft.refuse_locked(repository)
    assert lock.read_text() == "somebody's"
    assert leftovers(repo) == ["index.lock"]


def test_refuse_locked_lock_that_goes_away_is_waited_for(repo: Repo, repository: Repository) -> None:
    lock = repo.write(".git/index.lock", "")
    with subprocess.Popen(["sh", "-c", f"sleep 0.2; rm '{lock}'"]):
        draft.refuse_locked(repository)
    assert leftovers(repo) == []


def test_change_index_in_a_folder_that_is_gone_is_denied(repo: Repo, repository: Repository) -> None:
    elsewhere = draft.with_index(repository, str(repo.path / "missing/index"))
    with pytest.raises(Denied, match="cannot change the index"):
        draft.change_index(elsewhere, nothing)


def test_draft_keeps_the_time_of_the_index_by_which_git_tells_what_may_have_changed(
    repo: Repo, repository: Repository
) -> None:
    os.utime(repo.path / ".git/index", (1_000_000_000, 1_000_000_000))

    def work(path: str) -> tuple[bool, int]:
        return False, os.stat(path).st_mtime_ns

    assert draft.change_index(repository, work) == 1_000_000_000 * 10**9


def test_set_stats_puts_them_into_entries_with_their_oid_alone(repo: Repo, repository: Repository) -> None:
    os.utime(repo.path / ".git/index", (1_000_000_000, 1_000_000_000))
    index, before = repo.path / ".git/index", repo.out("ls-files", "--debug")
    oid = repo.out("rev-parse", ":a")
    stat = os.stat(repo.write("b", "something else\n"))
    draft.set_stats(repository, str(index), {})
    draft.set_stats(repository, str(index), {b"a": Written("0" * 40, stat), b"missing": Written(oid, stat)})
    assert repo.out("ls-files", "--debug") == before
    draft.set_stats(repository, str(index), {b"a": Written(oid, stat)})
    assert f"size: {stat.st_size}" in repo.out("ls-files", "--debug", "a")
    assert f"ino: {stat.st_ino}" in repo.out("ls-files", "--debug", "a")
    assert index.stat().st_mtime == 1_000_000_000
    repo.git("fsck", "--strict")


def test_set_stats_of_a_split_index_leaves_it_alone(repo: Repo, repository: Repository) -> None:
    repo.git("update-index", "--split-index")
    index = repo.path / ".git/index"
    before = index.read_bytes()
    oid = repo.out("rev-parse", ":a")
    draft.set_stats(repository, str(index), {b"a": Written(oid, os.stat(repo.path / "b"))})
    assert index.read_bytes() == before
