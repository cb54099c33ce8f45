"""Which git command runs us, and whether it only shows."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gitkit.git import filters
from gitkit.git.caller import Caller, compares_by_textconv, only_compares, only_shows
from gitkit.git.run import Git
from tests.lib.repos import Repo

PROBE = """\
import sys
sys.path.insert(0, sys.argv[1])
from gitkit.git import caller
found = caller.find()
print(open(sys.argv[2]).read(), found and b" ".join(found.words), found and caller.only_shows(found))
"""
linux = pytest.mark.skipif(not os.path.exists("/proc/self/cmdline"), reason="no /proc here")


@linux
@pytest.mark.parametrize(
    ("args", "shows"),
    [
        (["diff"], True),
        (["-c", "core.quotePath=false", "--no-pager", "diff", "--", "a.x"], True),
        (["grep", "--textconv", "-e", ""], False),
    ],
)
def test_program_that_git_runs_finds_its_command(repo: Repo, args: list[str], shows: bool) -> None:
    probe = repo.write("../probe.py", PROBE)
    words = [sys.executable, str(probe), str(Path(__file__).parents[3])]
    repo.git("config", "diff.probe.textconv", shlex.join(words))
    repo.commit("one", {".gitattributes": "*.x diff=probe\n", "a.x": "old"})
    repo.write("a.x", "new")
    told = f"new {' '.join(['git', *args]).encode()!r} {shows}"
    assert told in repo.out(*args)


def test_process_that_no_git_started_finds_none() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from gitkit.git.caller import find; print(find())"], capture_output=True, check=True
    )
    assert done.stdout == b"None\n"


@pytest.mark.parametrize(
    ("command", "shows"),
    [
        ("git diff", True),
        ("git log -p --stat", True),
        ("/usr/lib/git-core/git show HEAD", True),
        ("git -c a.b=c -C there --no-pager --git-dir=x diff-tree -p HEAD", True),
        ("git --git-dir log show", True),
        ("git -c diff checkout main", False),
        ("git -C log checkout", False),
        ("git checkout diff", False),
        ("git cat-file --filters HEAD:a", False),
        ("git archive HEAD", False),
        ("git difftool", False),
        ("git -c", False),
        ("git", False),
    ],
)
def test_command_only_shows(command: str, shows: bool) -> None:
    assert only_shows(Caller(command.encode().split(), [])) is shows


@pytest.mark.parametrize(
    ("command", "compares"),
    [
        ("git status", True),
        ("git -C there --no-optional-locks status --porcelain", True),
        ("git diff HEAD", True),
        ("git diff-index --cached HEAD", True),
        ("git add status", False),
        ("git stash", False),
        ("git commit -a", False),
        ("git", False),
    ],
)
def test_command_only_compares(command: str, compares: bool) -> None:
    assert only_compares(Caller(command.encode().split(), [])) is compares


def test_command_with_an_external_program_shows_nothing_by_itself() -> None:
    assert not only_shows(Caller([b"git", b"diff"], [b"A=b", b"GIT_EXTERNAL_DIFF=git-difftool--helper"]))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("color.ui", "false", True),
        ("diff.kit.textconv", "cat", False),
        ("diff.kit.command", "meld", False),
        ("diff.external", "meld", False),
    ],
)
def test_versions_are_compared_by_textconv_where_nothing_else_is_set(
    repo: Repo, key: str, value: str, expected: bool
) -> None:
    repo.write(".gitattributes", "*.bin filter=kit diff=kit\nother.bin diff=other\n")
    assert not compares_by_textconv(Git(str(repo.path), repo.environ), b"a.bin")
    git = Git(str(repo.path), repo.environ)
    filters.install(git, "local")
    repo.git("config", key, value)
    assert compares_by_textconv(git, b"a.bin") is expected
    assert not compares_by_textconv(git, b"other.bin")
    assert not compares_by_textconv(git, b"a.txt")


def test_versions_of_the_same_path_are_asked_for_once(repo: Repo, tmp_path: Path) -> None:
    repo.write(".gitattributes", "*.bin filter=kit diff=kit\n")
    filters.install(Git(str(repo.path), repo.environ), "local")
    program = repo.write("../bin/git", f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    git = Git(str(repo.path), {**repo.environ, "PATH": f"{program.parent.resolve()}:{repo.environ['PATH']}"})
    for path in (b"a.bin", b"a.bin", b"b.bin", b"a.bin"):
        assert compares_by_textconv(git, path)
    asked = (tmp_path / "asked").read_text().split()
    assert [word for word in asked if word in ("config", "check-attr")] == ["config", "check-attr", "check-attr"]
