"""Trees of many commits at once: the same as `git ls-tree` of each."""

import pytest

from gitkit.errors import Corrupt
from gitkit.git import objects
from gitkit.git.run import Git
from gitkit.git.trees import read_trees
from tests.lib.repos import Repo


def test_read_trees_gives_what_ls_tree_gives_for_each_commit(repo: Repo) -> None:
    commits = [
        repo.commit("one", {"a": b"1", "b/c": b"2", "b.txt": b"3", "b/d/e": b"4", "ü/\tx": b"5"}),
        repo.commit("two", {"b/d/e": b"6"}),
    ]
    (repo.path / "link").symlink_to("a")
    commits.append(repo.commit("three"))
    git = Git(str(repo.path), repo.environ)
    trees = read_trees(git, [*commits, commits[0]])
    for commit in commits:
        assert trees.files(commit) == objects.list_tree(git, commit)
    regular = {entry.oid for commit in commits for entry in objects.list_tree(git, commit) if entry.mode != "120000"}
    assert list(trees.blobs()) == sorted(regular)
    assert read_trees(git, []).roots == {}


def test_read_trees_of_an_empty_commit_has_no_files(repo: Repo) -> None:
    commit = repo.commit("empty")
    assert read_trees(Git(str(repo.path), repo.environ), [commit]).files(commit) == []


def test_read_trees_of_what_is_not_there_is_corrupt(repo: Repo) -> None:
    repo.commit("one")
    with pytest.raises(Corrupt, match="is missing"):
        read_trees(Git(str(repo.path), repo.environ), ["1" * 40])
