"""Patterns: what is written, what is refused, which files Git looks at again."""

import os
from pathlib import Path

import pytest

from gitkit.errors import Unsupported, UsageError
from gitkit.git.repository import Repository, discover
from gitkit.git.run import Git
from gitkit.setup import track as tracking
from tests.lib.repos import Repo


def opened(repo: Repo) -> Repository:
    return discover(Git(str(repo.path), repo.environ))


def track(
    repo: Repo, *patterns: str, folder: str = "", literal: bool = False, dry_run: bool = False
) -> tracking.Changed:
    where = os.path.join(repo.path, folder).rstrip("/")
    return tracking.track(opened(repo), where, patterns, literal=literal, dry_run=dry_run)


def filtered(repo: Repo, *names: str) -> list[str]:
    """Those of ``names`` that Git itself puts under the filter."""
    out = repo.git("check-attr", "--stdin", "-z", "filter", stdin="\0".join((*names, "")).encode()).stdout.split("\0")
    return [name for name, value in zip(out[0::3], out[2::3], strict=False) if value == "kit"]


def test_track_in_the_root_writes_a_line_that_git_obeys(repo: Repo) -> None:
    changed = track(repo, "*.bin", "models/**")
    assert (changed.done, changed.kept, changed.file) == (["*.bin", "models/**"], [], ".gitattributes")
    assert filtered(repo, "a.bin", "x/y.bin", "models/a/b", "a.txt") == ["a.bin", "x/y.bin", "models/a/b"]


def test_track_twice_changes_nothing(repo: Repo) -> None:
    track(repo, "*.bin")
    before = repo.read(".gitattributes")
    changed = track(repo, "./*.bin")
    assert (changed.done, changed.kept) == ([], ["*.bin"])
    assert repo.read(".gitattributes") == before


def test_track_in_a_folder_writes_there_and_is_listed(repo: Repo, tmp_path: Path) -> None:
    (repo.path / "sub").mkdir()
    track(repo, "*.bin")
    track(repo, "*.dat", folder="sub")
    repo.write(".git/info/attributes", "*.pt filter=kit\n")
    everywhere = tmp_path / "home/.config/git/attributes"
    everywhere.parent.mkdir(parents=True)
    everywhere.write_text("*.onnx filter=kit\n")
    assert tracking.lines(opened(repo), repo.environ) == [
        tracking.Line("*.bin", ".gitattributes"),
        tracking.Line("*.dat", "sub/.gitattributes"),
        tracking.Line("*.pt", ".git/info/attributes"),
        tracking.Line("*.onnx", str(everywhere)),
    ]


def test_track_keeps_other_lines_and_the_mode(repo: Repo) -> None:
    path = repo.write(".gitattributes", "# ours\n*.txt text", mode=0o640)
    track(repo, "*.bin")
    assert path.read_bytes().startswith(b"# ours\n*.txt text\n*.bin filter=kit")
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "name",
    ["a b.bin", "a*.bin", "a?.bin", "[x].bin", 'q".bin', "back\\slash", "!x.bin", "#x.bin", "-x", "ü.bin", "t\tb"],
)
def test_track_of_a_file_name_takes_that_file_only(repo: Repo, name: str) -> None:
    track(repo, name, literal=True)
    others = ["ab.bin", "aa.bin", "x.bin", "back/slash", "other"]
    assert filtered(repo, name, *others) == [name]
    tracking.untrack(opened(repo), str(repo.path), [name], dry_run=False)
    assert repo.read(".gitattributes") == b""


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "*",
            "**",
            "**/*",
            "/*",
            ".*",
            ".git*",
            "*.toml",
            "K*",
            "Kitfile",
            "sub/Kitfile",
            "/.gitkit.toml",
            ".gitignore",
        ),
        *("*file", "a/.gitmodules", ".git/x/.gitfoo"),
    ],
)
def test_track_of_what_must_stay_readable_is_refused(repo: Repo, pattern: str) -> None:
    with pytest.raises(UsageError):
        track(repo, pattern)
    assert not (repo.path / ".gitattributes").exists()


@pytest.mark.parametrize("pattern", ["", "!*.bin", "../*.bin", "models/", "models"])
def test_track_of_what_is_no_pattern_is_refused(repo: Repo, pattern: str) -> None:
    (repo.path / "models").mkdir()
    with pytest.raises(UsageError):
        track(repo, pattern)


def test_track_of_a_folder_says_the_pattern_that_takes_its_files(repo: Repo) -> None:
    (repo.path / "models").mkdir()
    with pytest.raises(UsageError) as caught:
        track(repo, "models")
    assert caught.value.hint == "git kit track 'models/**'"


def test_track_with_a_linked_gitattributes_is_refused(repo: Repo) -> None:
    (repo.path / ".gitattributes").symlink_to("elsewhere")
    with pytest.raises(Unsupported):
        track(repo, "*.bin")
    assert not (repo.path / "elsewhere").exists()


def test_track_in_a_bare_repository_is_refused(bare: Repo) -> None:
    with pytest.raises(Unsupported):
        track(bare, "*.bin")


def test_dry_run_writes_nothing(repo: Repo) -> None:
    assert track(repo, "*.bin", dry_run=True).done == ["*.bin"]
    assert not (repo.path / ".gitattributes").exists()


def test_track_makes_git_look_again_at_matching_files_only(repo: Repo) -> None:
    repo.commit(files={"a.bin": b"content", "b.txt": b"text", "empty.bin": b""})
    assert track(repo, "*.bin").touched == [b"a.bin"]
    assert track(repo, "*.bin").touched == [b"a.bin"], "still content in Git"


def test_untrack_of_one_pattern_keeps_the_others(repo: Repo) -> None:
    repo.write(".gitattributes", "*.txt text\n")
    track(repo, "*.bin", "*.pt")
    changed = tracking.untrack(opened(repo), str(repo.path), ["*.bin", "*.none"], dry_run=False)
    assert (changed.done, changed.kept) == (["*.bin"], ["*.none"])
    assert filtered(repo, "a.bin", "a.pt") == ["a.pt"]
    assert repo.read(".gitattributes").startswith(b"*.txt text\n")


@pytest.mark.parametrize("name", [".", "sub", "sub/", "sub/."])
def test_folder_is_refused_with_a_pattern_that_works(repo: Repo, name: str) -> None:
    (repo.path / "sub").mkdir()
    with pytest.raises(UsageError, match="is a folder") as refused:
        track(repo, name)
    assert refused.value.hint is not None
    track(repo, refused.value.hint.split("'")[1])
    assert filtered(repo, "sub/a.bin") == ["sub/a.bin"]
