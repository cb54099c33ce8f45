"""Where a repository's parts are, whatever their names."""

from pathlib import Path

import pytest

from gitkit.git.repository import discover
from gitkit.git.run import Git
from tests.lib.repos import Repo, init


@pytest.mark.parametrize("name", ["a b", "true\ntrue", "ends\n", "\n"])
def test_repository_is_found_whatever_its_path(tmp_path: Path, environ: dict[str, str], name: str) -> None:
    repo = init(tmp_path / name / name, environ)
    (repo.path / name).mkdir()
    repository = discover(Git(str(repo.path / name), environ))
    path = str(repo.path)
    assert (repository.worktree, repository.git.directory) == (path, path)
    assert (repository.git_dir, repository.common_dir) == (f"{path}/.git", f"{path}/.git")


@pytest.mark.parametrize("name", ["a b", "ends\n"])
def test_bare_repository_and_its_worktree_are_found_whatever_their_paths(
    tmp_path: Path, environ: dict[str, str], name: str
) -> None:
    bare = init(tmp_path / name, environ, "--bare")
    assert discover(Git(str(bare.path), environ)).git_dir == str(bare.path)
    tree = bare.out("hash-object", "-w", "-t", "tree", "/dev/null")
    commit = bare.out("commit-tree", "-m", "one", tree)
    bare.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), commit)
    found = discover(Git(str(Repo(tmp_path / "linked", environ).path), environ))
    assert (found.worktree, found.common_dir) == (str(tmp_path / "linked"), str(bare.path))
