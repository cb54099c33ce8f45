"""The stat patcher: after git kit wrote files, Git must know them without reading them, in every kind of index."""

import os
import time
from pathlib import Path

import pytest

from gitkit.context import Context
from gitkit.core.digest import digest_of
from gitkit.git import index
from gitkit.git.repository import discover
from gitkit.git.run import Git
from gitkit.sync.checkout import Settler
from tests.lib.repos import Repo, init, some_bytes


def filters_started(repo: Repo) -> int:
    done = repo.git("status", "--porcelain", extra={"GIT_TRACE": "1"})
    return done.stderr.count("filter-process")


def pulled_clone(tmp_path: Path, environ: dict[str, str], object_format: str, prepare: list[list[str]]) -> Repo:
    """A clone that held pointers, whose index was prepared by git commands, after `git kit pull`."""
    bare = init(tmp_path / "bare.git", environ, "--bare", f"--object-format={object_format}")
    source = init(tmp_path / "source", environ, f"--object-format={object_format}")
    source.kit("install")
    source.git("remote", "add", "origin", str(bare.path))
    source.write(".gitattributes", "*.bin filter=kit -text\n")
    source.write("a.bin", some_bytes(300_000, 1))
    source.write("deep/er/b.bin", some_bytes(40_000, 2), mode=0o755)
    source.write("deep/er/a", "plain\n")
    source.write("zz", "plain too\n")
    source.commit()
    source.git("push", "--quiet", "origin", "main")
    clone_at = tmp_path / "clone"
    source.git("clone", "--quiet", str(bare.path), str(clone_at), extra={"GIT_KIT_SKIP_SMUDGE": "1"})
    clone = Repo(clone_at, environ)
    for args in prepare:
        clone.git(*args)
    clone.git("status")
    clone.kit("pull")
    assert clone.read("a.bin") == some_bytes(300_000, 1)
    assert clone.read("deep/er/b.bin") == some_bytes(40_000, 2)
    return clone


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_pull_index_version_leaves_a_status_that_runs_no_filter(
    tmp_path: Path, environ: dict[str, str], object_format: str, version: str
) -> None:
    # Version 3 is what Git writes as soon as an entry needs extended flags, such as intent-to-add.
    prepare = [["update-index", "--index-version", version]]
    if version == "3":
        (tmp_path / "new").write_text("x")
        prepare = [["config", "core.worktree", str(tmp_path / "clone")], ["update-index", "--skip-worktree", "zz"]]
    clone = pulled_clone(tmp_path, environ, object_format, prepare)
    assert (clone.path / ".git/index").read_bytes()[7] == int(version)
    assert filters_started(clone) == 0
    assert clone.git("status", "--porcelain").stdout == ""
    clone.git("fsck", "--strict")


@pytest.mark.parametrize("setting", [["config", "index.skipHash", "true"], ["update-index", "--split-index"]])
def test_pull_index_of_another_kind_leaves_a_clean_status(
    tmp_path: Path, environ: dict[str, str], setting: list[str]
) -> None:
    clone = pulled_clone(tmp_path, environ, "sha1", [setting])
    assert clone.git("status", "--porcelain").stdout == ""


def test_record_entry_with_another_oid_is_left_alone(kit_repo: Repo) -> None:
    os.utime(kit_repo.write("a", "one\n"), (1, 1))
    kit_repo.commit()
    before = (kit_repo.path / ".git/index").read_bytes()
    context = Context(kit_repo.environ, str(kit_repo.path))
    stat = os.stat(kit_repo.write("b", "something else"))
    index.record(context.repository, {b"a": index.Written("0" * 40, stat)})
    assert (kit_repo.path / ".git/index").read_bytes() == before


def test_record_locked_index_gives_up_and_leaves_the_lock(kit_repo: Repo) -> None:
    kit_repo.commit(files={".gitattributes": "*.bin filter=kit -text\n", "a.bin": "content\n"})
    lock = kit_repo.write(".git/index.lock", "somebody's")
    context = Context(kit_repo.environ, str(kit_repo.path))
    before = (kit_repo.path / ".git/index").read_bytes()
    oid = kit_repo.out("rev-parse", ":a.bin")
    os.utime(kit_repo.path / "a.bin", (1, 1))
    index.record(context.repository, {b"a.bin": index.Written(oid, os.stat(kit_repo.path / "a.bin"))})
    assert (kit_repo.path / ".git/index").read_bytes() == before
    assert lock.read_text() == "somebody's"
    assert [name for name in os.listdir(kit_repo.path / ".git") if "git-kit" in name] == []


def test_doubt_about_a_file_that_stays_a_pointer_is_taken_back(kit_repo: Repo) -> None:
    kit_repo.write(".gitattributes", "*.bin filter=kit -text\n")
    kit_repo.commit("one", {"a.bin": some_bytes(1_200_000, 1)})
    (kit_repo.path / "a.bin").unlink()
    kit_repo.git("checkout", "--", "a.bin", extra={"GIT_KIT_SKIP_SMUDGE": "1"})
    repository, raw = discover(Git(str(kit_repo.path), kit_repo.environ)), kit_repo.blob(":a.bin")
    status = ("--no-optional-locks", "status", "--porcelain")
    index.doubt(repository, {b"a.bin"})
    tomorrow = time.time() + 86_400  # the entry is not "racily clean": Git would look at it because of the doubt alone
    os.utime(kit_repo.path / ".git/index", (tomorrow, tomorrow))
    assert kit_repo.git(*status, extra={"GIT_TRACE": "1"}).stderr.count("filter-process") == 1
    index.record(repository, {}, settle=Settler(str(kit_repo.path), {b"a.bin": (raw, digest_of(raw))}))
    assert kit_repo.git(*status, extra={"GIT_TRACE": "1"}).stderr.count("filter-process") == 0
    assert kit_repo.out(*status) == ""
