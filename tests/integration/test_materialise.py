"""Large files are filled in after Git is done: whichever command it was, the content is there and Git knows it.

Files of more than 1 MiB go that way, smaller ones through Git itself; each case has both.
"""

import hashlib
import os
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest

from gitkit.core.pointer import parse
from tests.lib.repos import Repo, init, some_bytes

LARGE, LARGER, SMALL = 1_100_000, 2_300_000, 10_000
ONE, TWO = some_bytes(LARGE, 1), some_bytes(LARGE, 2)
EXEC, TOOL = some_bytes(LARGER, 3), some_bytes(SMALL, 4)


def filters_started(repo: Repo, *command: str) -> int:
    """How many filter processes a git command starts; `git status` where none is given."""
    return repo.git(*(command or ("status", "--porcelain")), extra={"GIT_TRACE": "1"}).stderr.count("filter-process")


def assert_filled(repo: Repo, *, status: Sequence[str] = ()) -> None:
    """Every pointer of the index has its content in the worktree, and Git knows so without reading a file."""
    assert filters_started(repo) == 0
    assert repo.git("status", "--porcelain").stdout.splitlines() == list(status)
    found = 0
    for path in repo.git("ls-files", "-z", "*.bin").stdout.split("\0")[:-1]:
        pointer = parse(repo.blob(f":{path}"))
        if pointer is not None and (repo.path / path).is_file():
            assert f"sha256:{hashlib.sha256(repo.read(path)).hexdigest()}" == pointer.digest, path
            found += 1
    assert found
    assert not (repo.path / ".git").is_dir() or not list((repo.path / ".git").glob("index*.lock"))


@pytest.fixture
def two(kit_repo: Repo) -> Repo:
    """Branches ``main`` (the worktree) and ``other``, whose files differ; ``side`` adds a plain file to ``main``."""
    kit_repo.write(".gitattributes", "*.bin filter=kit diff=kit merge=kit -text\n")
    kit_repo.write("deep/exec.bin", EXEC, mode=0o755)
    kit_repo.commit("one", {"big.bin": ONE, "small.bin": some_bytes(SMALL, 5), "plain.txt": "1\n", "gone.bin": ONE})
    kit_repo.git("checkout", "--quiet", "-b", "side")
    kit_repo.commit("side", {"side.txt": "side\n"})
    kit_repo.git("checkout", "--quiet", "-b", "other", "main")
    kit_repo.git("rm", "--quiet", "gone.bin")
    kit_repo.commit("two", {"big.bin": TWO, "deep/new.bin": some_bytes(LARGER, 6), "plain.txt": "2\n"})
    kit_repo.commit("three", {"big.bin": some_bytes(LARGE, 7), "small.bin": TOOL, "deep/new.bin": EXEC})
    kit_repo.git("checkout", "--quiet", "main")
    return kit_repo


COMMANDS = {
    "checkout": [["checkout", "other"]],
    "checkout and back": [["checkout", "other"], ["checkout", "main"]],
    "checkout detached": [["checkout", "other~1"]],
    "switch": [["switch", "other"]],
    "reset hard": [["reset", "--hard", "other"]],
    "merge": [["merge", "other"]],
    "merge of two sides": [["checkout", "side"], ["merge", "--no-edit", "other"]],
    "cherry-pick": [["cherry-pick", "other~1", "other"]],
    "revert": [["checkout", "other"], ["revert", "--no-edit", "HEAD"]],
    "rebase": [["checkout", "other"], ["rebase", "side"]],
    "rebase with apply backend": [["checkout", "other"], ["rebase", "--apply", "side"]],
    "rebase with merge backend, forced": [["checkout", "other"], ["rebase", "--force-rebase", "main"]],
    "read-tree": [["read-tree", "-m", "-u", "HEAD", "other"], ["reset", "--soft", "other"]],
    "bisect": [["bisect", "start", "other", "main"], ["bisect", "reset"]],
    "sparse checkout": [
        ["sparse-checkout", "set", "--no-cone", "/*", "!/deep"],
        ["checkout", "other"],
        ["sparse-checkout", "disable"],
    ],
}


@pytest.mark.parametrize("commands", COMMANDS.values(), ids=COMMANDS.keys())
def test_git_command_leaves_content_that_git_knows(two: Repo, commands: list[list[str]]) -> None:
    for command in commands:
        two.git(*command)
    assert_filled(two)
    if (two.path / "deep/exec.bin").exists():
        assert os.access(two.path / "deep/exec.bin", os.X_OK)
        assert not os.access(two.path / "big.bin", os.X_OK)


def test_restore_of_a_deleted_file_brings_its_content(two: Repo) -> None:
    (two.path / "big.bin").unlink()
    two.git("restore", "big.bin")
    assert two.read("big.bin") == ONE
    assert_filled(two)


def test_restore_from_another_commit_is_seen_as_a_change(two: Repo) -> None:
    two.git("restore", "-s", "other", "big.bin")
    assert two.read("big.bin") == some_bytes(LARGE, 7)
    assert two.git("status", "--porcelain").stdout == " M big.bin\n"
    two.git("restore", "big.bin")
    assert two.read("big.bin") == ONE
    assert_filled(two)


def test_restore_from_another_commit_with_its_index_entry_is_known(two: Repo) -> None:
    two.git("checkout", "other", "--", "big.bin")
    assert two.read("big.bin") == some_bytes(LARGE, 7)
    assert_filled(two, status=["M  big.bin"])


def test_stash_and_pop_bring_both_contents(two: Repo) -> None:
    two.write("big.bin", TWO)
    two.git("stash")
    assert two.read("big.bin") == ONE
    assert_filled(two)
    two.git("stash", "pop")
    assert two.read("big.bin") == TWO
    assert two.git("status", "--porcelain").stdout == " M big.bin\n"


def test_stash_of_untracked_files_brings_their_content_back(two: Repo) -> None:
    two.write("fresh.bin", TWO)
    two.git("stash", "--include-untracked")
    assert not (two.path / "fresh.bin").exists()
    two.git("stash", "pop")
    assert two.read("fresh.bin") == TWO


def test_worktree_add_fills_the_new_worktree(two: Repo, tmp_path: Path) -> None:
    two.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "other")
    linked = Repo(tmp_path / "linked", two.environ)
    assert linked.read("big.bin") == some_bytes(LARGE, 7)
    assert_filled(linked)
    assert_filled(two)


def _published(two: Repo, bare: Repo) -> None:
    two.git("remote", "add", "origin", str(bare.path))
    two.git("push", "--quiet", "origin", "main", "other", "side")


def test_clone_fills_in_what_it_downloads(two: Repo, bare: Repo, tmp_path: Path) -> None:
    _published(two, bare)
    clone = bare.clone(tmp_path / "clone", "--branch", "other")
    assert clone.read("big.bin") == some_bytes(LARGE, 7)
    assert_filled(clone)


@pytest.mark.parametrize("options", [["--ff-only"], ["--rebase"], ["--no-rebase", "--no-edit"]])
def test_pull_fills_in_what_it_downloads(two: Repo, bare: Repo, tmp_path: Path, options: list[str]) -> None:
    _published(two, bare)
    clone = bare.clone(tmp_path / "clone", "--branch", "other")
    if options != ["--ff-only"]:
        clone.commit("mine", {"mine.bin": some_bytes(LARGE, 9)})
    two.git("checkout", "--quiet", "other")
    two.commit("four", {"big.bin": some_bytes(LARGER, 8)})
    two.git("push", "--quiet", "origin", "other")
    clone.git("pull", "--quiet", *options)
    assert clone.read("big.bin") == some_bytes(LARGER, 8)
    assert_filled(clone)


def test_clone_with_submodules_fills_them_in(two: Repo, bare: Repo, tmp_path: Path, environ: dict[str, str]) -> None:
    _published(two, bare)
    outer = init(tmp_path / "outer", environ)
    allow = ("-c", "protocol.file.allow=always")
    outer.git(*allow, "submodule", "--quiet", "add", "-b", "main", str(bare.path), "models")
    outer.commit("with models")
    outer.git(*allow, "clone", "--quiet", "--recurse-submodules", str(outer.path), str(tmp_path / "clone"))
    inner = Repo(tmp_path / "clone/models", environ)
    assert inner.read("big.bin") == ONE
    assert_filled(inner)


# -- bytes at once, where Git asks for them --------------------------------------------------------------------------


def test_archive_holds_the_content(two: Repo, tmp_path: Path) -> None:
    two.git("archive", "--output", str(tmp_path / "out.tar"), "other")
    with tarfile.open(tmp_path / "out.tar") as archive:
        member = archive.extractfile("big.bin")
        assert member is not None and member.read() == some_bytes(LARGE, 7)


def test_cat_file_with_filters_gives_the_content(two: Repo) -> None:
    two.git("show", "--no-textconv", "HEAD:plain.txt")
    argv = ["sh", "-c", "git cat-file --filters HEAD:big.bin | sha256sum"]
    process = two.start(*argv)
    out, _ = process.communicate(timeout=60)
    assert out.decode().split()[0] == hashlib.sha256(ONE).hexdigest()


def test_checkout_index_with_a_prefix_writes_the_content(two: Repo) -> None:
    two.git("checkout-index", "--all", "--prefix=copy/")
    assert two.read("copy/big.bin") == ONE


@pytest.mark.parametrize("way", ["inline", "delay"])
def test_other_ways_to_materialise_bring_the_same(two: Repo, bare: Repo, tmp_path: Path, way: str) -> None:
    _published(two, bare)
    clone = bare.clone(tmp_path / "clone", "--no-checkout")
    clone.git("config", "kit.materialize", way)
    clone.git("checkout", "--quiet", "other")
    assert_filled(clone)


def test_materialise_setting_of_no_kind_is_refused(two: Repo) -> None:
    two.git("config", "kit.materialize", "later")
    done = two.git("checkout", "other", code=None)
    assert done.returncode != 0
    assert 'kit.materialize is "later"' in done.stderr
    assert "one of: after, delay, inline" in done.stderr


# -- what must not happen --------------------------------------------------------------------------------------------


def _filter_that_meets(repo: Repo, what: str) -> None:
    """Have the shell command ``what`` run in the worktree when Git has written its files and none is filled yet."""
    script = repo.path.parent / "filter"
    # The filter reads what Git sends through `cat`; when Git has closed the pipe, its own work is done.
    script.write_text(f"#!/bin/sh\n{{ cat; {{ {what}; }} >&2; }} | exec git-kit filter-process\n")
    script.chmod(0o755)
    repo.git("config", "filter.kit.process", str(script))


def test_file_that_somebody_changed_meanwhile_stays_theirs(two: Repo) -> None:
    _filter_that_meets(two, "echo mine > big.bin")
    two.git("checkout", "other")
    two.git("config", "--unset", "filter.kit.process")
    assert two.read("big.bin") == b"mine\n"
    assert two.git("status", "--porcelain").stdout == " M big.bin\n"
    assert two.read("deep/new.bin") == EXEC


def test_small_file_that_somebody_changed_meanwhile_is_seen_as_changed(two: Repo) -> None:
    new = "x" * SMALL
    _filter_that_meets(two, f"printf %s {new} > small.bin")
    two.git("checkout", "other")
    two.git("config", "--unset", "filter.kit.process")
    assert two.read("small.bin").decode() == new
    assert two.git("status", "--porcelain").stdout == " M small.bin\n"


def test_folder_that_became_a_link_is_not_followed(two: Repo, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    _filter_that_meets(two, f"mv deep/* {outside}; rmdir deep; ln -s {outside} deep")
    two.git("checkout", "other")
    assert (outside / "new.bin").read_bytes().startswith(b"version git-kit/1\n")
    assert two.read("big.bin") == some_bytes(LARGE, 7)


def test_locked_index_is_left_alone_and_so_are_the_pointers(two: Repo) -> None:
    _filter_that_meets(two, "touch .git/index.lock")
    assert "another git keeps the index locked" in two.git("checkout", "other").stderr
    (two.path / ".git/index.lock").unlink()
    two.git("config", "--unset", "filter.kit.process")
    assert two.read("big.bin").startswith(b"version git-kit/1\n")
    assert two.git("status", "--porcelain").stdout == ""
    two.kit("checkout")
    assert_filled(two)


def test_missing_content_leaves_the_pointer_and_one_line(two: Repo, bare: Repo, tmp_path: Path) -> None:
    _published(two, bare)
    clone = bare.clone(tmp_path / "clone", "--no-checkout")
    for blob in (bare.path / "kit/blobs/sha256").iterdir():
        if blob.stat().st_size == LARGE:
            blob.unlink()
    done = clone.git("checkout", "other")
    assert "1 file is still a pointer" in done.stderr
    assert "hint: git kit pull" in done.stderr
    assert clone.read("big.bin").startswith(b"version git-kit/1\n")
    assert clone.read("deep/new.bin") == EXEC
    assert filters_started(clone) == 0
    assert clone.git("status", "--porcelain").stdout == ""


def test_missing_content_while_strict_fails_the_checkout(two: Repo, bare: Repo, tmp_path: Path) -> None:
    _published(two, bare)
    clone = bare.clone(tmp_path / "clone", "--no-checkout")
    for blob in (bare.path / "kit/blobs/sha256").iterdir():
        if blob.stat().st_size == LARGE:
            blob.unlink()
    assert clone.git("-c", "kit.strict=true", "checkout", "other", code=None).returncode != 0


# -- kinds of index --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_checkout_in_any_kind_of_index_is_known(
    tmp_path: Path, environ: dict[str, str], object_format: str, version: str
) -> None:
    repo = init(tmp_path / "repo", environ, f"--object-format={object_format}")
    repo.kit("install")
    repo.git("update-index", "--index-version", version)
    repo.write(".gitattributes", "*.bin filter=kit -text\n")
    repo.commit("one", {"big.bin": ONE, "a.bin": TOOL, "a/file": "x", "zz": "z"})
    repo.git("checkout", "--quiet", "-b", "other")
    repo.commit("two", {"big.bin": TWO, "a.bin": some_bytes(SMALL, 9)})
    if version == "3":
        repo.git("update-index", "--skip-worktree", "zz")
    repo.git("checkout", "main")
    assert (repo.path / ".git/index").read_bytes()[7] == int(version)
    assert_filled(repo)
    repo.git("fsck", "--strict")


def test_checkout_with_a_split_index_leaves_a_clean_status(two: Repo) -> None:
    two.git("update-index", "--split-index")
    two.git("checkout", "other")
    assert two.read("big.bin") == some_bytes(LARGE, 7)
    assert_filled(two)


def test_restore_from_another_commit_with_a_split_index_stages_nothing(two: Repo) -> None:
    two.git("update-index", "--split-index")
    two.git("restore", "-s", "other", "big.bin")
    assert two.git("status", "--porcelain").stdout == " M big.bin\n"


# -- hard links ------------------------------------------------------------------------------------------------------


def test_checkout_with_hard_links_shares_the_stores_file_read_only(two: Repo) -> None:
    two.git("config", "kit.link", "hardlink")
    two.git("checkout", "other")
    found = (two.path / "big.bin").stat()
    assert found.st_nlink > 1
    assert found.st_mode & 0o222 == 0
    assert (two.path / "deep/exec.bin").stat().st_mode & 0o300 == 0o300
    assert_filled(two)
    two.git("checkout", "main")
    assert two.read("big.bin") == ONE
    assert_filled(two)
    two.kit("fsck")


def test_checkout_of_equal_files_with_hard_links_is_known(two: Repo) -> None:
    two.git("config", "kit.link", "hardlink")
    two.git("checkout", "--quiet", "-b", "twins")
    two.commit("twins", {f"twin{number}.bin": TWO for number in range(3)})
    two.git("checkout", "main")
    two.git("checkout", "twins")
    assert (two.path / "twin0.bin").samefile(two.path / "twin2.bin")
    assert_filled(two)


def test_archive_of_a_tree_is_the_same_for_both_kinds_of_file(two: Repo) -> None:
    process = two.start("git", "archive", "main")
    out, _ = process.communicate(timeout=60)
    with tarfile.open(fileobj=BytesIO(out)) as archive:
        sizes = {member.name: member.size for member in archive if member.isfile()}
    assert sizes["big.bin"] == LARGE and sizes["small.bin"] == SMALL
