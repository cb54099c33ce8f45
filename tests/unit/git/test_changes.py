"""Which files `git add` would read, and which of them only the filter changes."""

import os

import pytest

from gitkit.git import changes
from gitkit.git.run import Git
from tests.lib.repos import Repo, init


def git_of(repo: Repo, folder: str = ".") -> Git:
    return Git(str(repo.path / folder), repo.environ)


@pytest.mark.parametrize(
    ("attributes", "only_filtered"),
    [
        ("filter=kit -text", True),
        ("filter=kit binary", True),
        ("filter=kit -text eol=lf", True),
        ("filter=kit -text -ident", True),
        ("filter=kit", True),
        ("filter=kit text", False),
        ("filter=kit text=auto", False),
        ("filter=kit eol=lf", False),
        ("filter=kit crlf", False),
        ("filter=kit -text ident", False),
        ("filter=kit -text working-tree-encoding=UTF-16", False),
        ("filter=lfs -text", False),
        ("-filter -text", False),
        ("-text", False),
    ],
)
def test_only_filtered_knows_every_conversion(repo: Repo, attributes: str, only_filtered: bool) -> None:
    repo.write(".gitattributes", f"a {attributes}\n")
    found = changes.only_filtered(git_of(repo), [b"a"], converts_line_ends=False)
    assert found == ({b"a"} if only_filtered else set())


def test_only_filtered_where_the_clone_converts_line_ends_takes_nothing_for_granted(repo: Repo) -> None:
    repo.write(".gitattributes", "a filter=kit\nb filter=kit -text\n")
    assert changes.only_filtered(git_of(repo), [b"a", b"b"], converts_line_ends=True) == {b"b"}


def test_read_rules_without_settings_and_with_all(repo: Repo) -> None:
    repo.git("config", "--unset", "core.fileMode", code=None)
    assert changes.read_rules(git_of(repo)) == changes.Rules(True, False, False, False, False)
    for name in ("core.ignoreCase", "core.sparseCheckout"):
        repo.git("config", name, "yes")
    for name, value in (("core.fileMode", "off"), ("core.autocrlf", "input"), ("filter.kit.process", "x")):
        repo.git("config", name, value)
    assert changes.read_rules(git_of(repo)) == changes.Rules(False, True, True, True, True)
    repo.git("config", "filter.kit.process", "")
    assert not changes.read_rules(git_of(repo)).has_filter


def test_tracked_changes_tells_changed_gone_and_unmerged(repo: Repo) -> None:
    repo.commit(files={"same": "1", "changed": "1", "gone": "1", "both": "1"})
    base = repo.out("rev-parse", "HEAD")
    repo.commit(files={"both": "2"})
    repo.git("checkout", "--quiet", "-b", "other", base)
    repo.commit(files={"both": "3"})
    repo.git("merge", "main", code=1)
    repo.write("changed", "22")
    (repo.path / "gone").unlink()
    found = changes.tracked_changes(git_of(repo), [], {})
    assert found is not None
    assert [(file.path, file.mode, file.oid) for file in found.changed if file.path != b"both"] == [
        (b"changed", "100644", repo.out("rev-parse", ":changed"))
    ]
    assert found.gone == [b"gone"]
    assert found.unmerged == [b"both"]


def test_changes_take_pathspecs_as_a_person_means_them(repo: Repo) -> None:
    repo.commit(files={"d/a.bin": "1", "b.bin": "1"})
    for path in ("d/a.bin", "b.bin", "d/new.bin", "d/new.txt", "new.bin"):
        repo.write(path, "22")
    here = git_of(repo, "d")

    def seen(*pathspecs: str, environ: dict[str, str] | None = None) -> list[bytes]:
        looked = changes.tracked_changes(here, pathspecs, environ or {})
        others = changes.untracked(here, pathspecs, environ or {}, ignored_too=False)
        assert looked is not None
        return [file.path for file in (*looked.changed, *(others or ()))]

    assert seen(".") == [b"d/a.bin", b"d/new.bin", b"d/new.txt"]
    assert seen("*.bin") == [b"d/a.bin", b"d/new.bin"]
    assert seen("*.bin", environ={"GIT_LITERAL_PATHSPECS": "1"}) == []
    assert seen(":/*.bin") == [b"b.bin", b"d/a.bin", b"d/new.bin", b"new.bin"]
    assert seen("..", ":(exclude,top)*.bin") == [b"d/new.txt"]
    assert changes.tracked_changes(here, ["../.."], {}) is None
    assert changes.untracked(here, ["../.."], {}, ignored_too=False) is None


def test_untracked_leaves_out_other_repositories_and_what_is_ignored(repo: Repo) -> None:
    init(repo.path / "nested", repo.environ)
    repo.write("nested/file", "1")
    repo.write(".gitignore", "*.log\n")
    repo.write("odd \n\udcff name", "1")
    repo.write("a.log", "1")

    def seen(ignored_too: bool) -> list[bytes]:
        found = changes.untracked(git_of(repo), ["."], {}, ignored_too=ignored_too)
        return [file.path for file in found or ()]

    assert seen(False) == [b".gitignore", b"odd \n\xff name"]
    assert seen(True) == [b".gitignore", b"a.log", b"odd \n\xff name"]
    assert os.path.exists(repo.path / "nested/.git")
