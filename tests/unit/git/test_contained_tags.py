"""Release tags that a commit contains, newest first; and fetching only what is not here."""

from pathlib import Path

from gitkit.git import refs
from gitkit.git.run import Git
from gitkit.git.tags import contained
from tests.lib.repos import Repo


def git_of(repo: Repo) -> Git:
    return Git(str(repo.path), repo.environ)


def names(repo: Repo, tip: str) -> list[str]:
    return [tag.name for tag in contained(git_of(repo), tip, "v*")]


def test_contained_gives_tags_of_both_kinds_newest_commit_first_and_by_precedence_on_one(repo: Repo) -> None:
    repo.commit("one")
    repo.git("tag", "v1")
    repo.git("tag", "--annotate", "v1.1", "--message", "x")
    repo.git("tag", "other")
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit("aside")
    repo.git("tag", "v9")
    repo.git("checkout", "--quiet", "main")
    repo.commit("two")
    for name in ("v2-rc1", "v2", "v2.10", "v2.9"):
        repo.git("tag", name)
    assert names(repo, "main") == ["v2.10", "v2.9", "v2", "v2-rc1", "v1.1", "v1"]
    assert names(repo, "main~1") == ["v1.1", "v1"]
    (tag,) = contained(git_of(repo), "main", "v1.1")
    assert (tag.commit, tag.by) == (repo.out("rev-parse", "main~1"), "Ada Tester")


def test_contained_with_a_clock_that_went_back_has_the_newer_commit_first(repo: Repo) -> None:
    for version, second in (("v1", 2000), ("v2", 1000)):
        repo.environ["GIT_COMMITTER_DATE"] = f"@{second} +0000"
        repo.commit(version)
        repo.git("tag", version)
    assert names(repo, "main") == ["v2", "v1"]


def test_contained_stops_where_the_caller_does(repo: Repo) -> None:
    repo.commit("one")
    repo.git("tag", "v1")
    found = contained(git_of(repo), "main", "v*")
    assert next(found).name == "v1"
    found.close()
    assert names(repo, "main") == ["v1"]


def test_contained_without_tags_is_empty(repo: Repo) -> None:
    repo.commit("one")
    assert names(repo, "main") == []


def test_fetch_branches_fetches_what_is_new_and_nothing_where_all_is_here(repo: Repo, tmp_path: Path) -> None:
    repo.commit("one")
    clone = repo.clone(tmp_path / "clone")
    git = git_of(clone)
    counter = clone.path / ".git" / "fetched"
    hook = clone.path / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\n[ "$1" = committed ] && cat >> {counter}\nexit 0\n')
    hook.chmod(0o755)

    def fetched() -> list[str]:
        there = refs.fetch_branches(git, "origin", ["main", "absent"])
        assert there.tips == {"main": repo.out("rev-parse", "main")}
        tag = repo.out("for-each-ref", "--format=%(objectname)", "refs/tags/v1")
        assert there.tags == ({"v1": tag} if tag else {})
        lines = counter.read_text().splitlines() if counter.exists() else []
        counter.unlink(missing_ok=True)
        return [line.split()[2] for line in lines]

    assert fetched() == []
    repo.git("tag", "--annotate", "v1", "--message", "x")
    assert fetched() == ["refs/tags/v1"]  # a tag on a commit that is here already
    repo.commit("two")
    assert fetched() == ["refs/remotes/origin/main"]
    assert fetched() == []
    clone.git("tag", "--force", "v1", "origin/main")
    counter.unlink()
    assert fetched() == []  # a tag that is here is left alone, as Git does


def test_known_gives_branches_as_the_clone_knows_them(repo: Repo, tmp_path: Path) -> None:
    oid = repo.commit("one")
    clone = repo.clone(tmp_path / "clone")
    repo.commit("two")
    assert refs.known(git_of(clone), "origin", ["main", "absent"]) == {"main": oid}
    assert refs.known(git_of(clone), None, ["main"]) == {"main": oid}
    assert refs.known(git_of(clone), "origin", []) == {}
