"""What setting up must not do. Whatever it does do: tests/integration/test_setup_commands.py, test_first_run.py,
tests/unit/git/test_filters.py and test_hooks.py (other people's hooks, hook folders, worktrees, upgrades)."""

import os
import shutil

import pytest

from tests.lib.large_files import A, pointer_to
from tests.lib.repos import Repo, run


@pytest.mark.parametrize("path", [":{good}", ".:{good}", "bin:{good}", ""])
def test_git_in_the_current_folder_is_never_run(author: Repo, path: str) -> None:
    program = shutil.which("git-kit", path=author.environ["PATH"]) or ""
    good = os.pathsep.join([os.path.dirname(shutil.which("git") or ""), os.path.dirname(program)])
    for place in (author.path / "git", author.path / "bin" / "git"):
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"#!/bin/sh\n: >{author.path}/owned\n")
        place.chmod(0o755)
    environ = {**author.environ, "PATH": path.format(good=good)}
    for command in ("ls-files", "status"):
        done = run([program, command], cwd=author.path, environ=environ, code=0 if path else 10)
        assert path or "git is not on PATH" in done.stderr
    assert not (author.path / "owned").exists()


def test_update_of_settings_that_an_older_git_kit_wrote_replaces_them(repo: Repo) -> None:
    repo.kit("install")
    repo.git("config", "--global", "filter.kit.process", "  git-kit  filter-process --old")
    repo.git("config", "--global", "filter.kit.clean", "git-kit clean")
    assert repo.kit("install").stderr == "filter: set in the global Git configuration\nhooks: nothing to do\n"
    assert repo.out("config", "--global", "--get-all", "filter.kit.process") == "git-kit filter-process"
    assert repo.out("config", "--global", "--get-all", "filter.kit.clean") == "git-kit clean -- %f"


def test_repository_without_git_kit_keeps_working_after_uninstall(author: Repo) -> None:
    author.kit("uninstall")
    assert author.git("config", "filter.kit.process", code=1).stdout == ""
    author.write("plain.txt", "text\n")
    author.git("add", "plain.txt")
    author.git("commit", "--quiet", "--message", "plain")
    assert all(name.endswith(".sample") for name in os.listdir(author.path / ".git" / "hooks"))
    assert author.blob("HEAD:models/a.bin") == pointer_to(A)
    assert author.read("models/a.bin") == A
    author.kit("install")
    assert author.out("status", "--porcelain") == ""
