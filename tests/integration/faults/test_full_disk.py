"""A disk that is full: the command says so and what to do, nothing is lost or half written, and with space it works.

What is full holds all of a clone, or the store alone, the worktree, Git's own folder, or what is only a cache.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.faults.conftest import BIG, NEW, OLD, SMALL, copied
from tests.lib import soundness
from tests.lib.large_files import SKIP, blob_in, digests_in, pointer_to
from tests.lib.repos import Ran, Repo, run, some_bytes

HINT = "hint: free some space and run the command again"


def fill(disk: Path) -> None:
    """Leave no room on the file system of ``disk``, in its folder neither."""
    for size in (1 << 20, 1 << 12, 1):
        with suppress(OSError), (disk / f"ballast-{size}").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(size))
    with suppress(OSError):
        for number in range(1000):
            (disk / f"ballast-{number:0200}").mkdir()
    assert os.statvfs(disk).f_bavail == 0


def free(disk: Path) -> None:
    for path in disk.glob("ballast-*"):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()


def attempt(repo: Repo, *argv: str, code: int) -> Ran:
    done = run(argv, cwd=repo.path, environ=repo.environ, code=code)
    assert "Traceback" not in done.stderr
    return done


def assert_sound(repo: Repo) -> None:
    assert soundness.damaged(repo) == set()
    soundness.assert_status_is_true(repo)
    assert soundness.leftovers(repo) == []


def assert_checked_out(repo: Repo, content: dict[str, bytes]) -> None:
    assert {path: repo.read(path) for path in content} == content
    assert soundness.status(repo) == []
    assert_sound(repo)


# -- git add ---------------------------------------------------------------------------------------------------------

ADD = pytest.mark.parametrize(("argv", "code"), [(["git", "add", "."], 128), (["git-kit", "add", "."], 1)])


@ADD
def test_add_in_a_clone_on_a_full_disk_changes_nothing_and_works_with_space(
    published: Path, small_disk: Path, environ: dict[str, str], argv: list[str], code: int
) -> None:
    _add_fails_and_then_works(copied(published, small_disk, environ), small_disk, "clone/.git/kit", argv, code)


@ADD
def test_add_to_a_shared_store_on_a_full_disk_changes_nothing_and_works_with_space(
    small_disk: Path, two: Repo, argv: list[str], code: int
) -> None:
    two.git("config", "kit.storage", str(small_disk / "store"))
    two.kit("fetch")
    _add_fails_and_then_works(two, small_disk, "store", argv, code)


def _add_fails_and_then_works(repo: Repo, disk: Path, store: str, argv: list[str], code: int) -> None:
    fresh, fresh_small = some_bytes(len(BIG), 5), some_bytes(len(SMALL), 6)  # Git has to look into them
    repo.write("big.bin", fresh)
    repo.write("small.bin", fresh_small)
    index, blobs = repo.out("ls-files", "--stage"), digests_in(disk / store)
    fill(disk)
    done = attempt(repo, *argv, code=code)
    assert f"the disk that holds {disk / store} is full" in done.stderr
    assert HINT in done.stderr
    assert repo.out("ls-files", "--stage") == index
    assert digests_in(disk / store) == blobs
    assert (repo.read("big.bin"), repo.read("small.bin")) == (fresh, fresh_small)
    assert_sound(repo)
    free(disk)
    attempt(repo, *argv, code=0)
    assert (repo.blob(":big.bin"), repo.blob(":small.bin")) == (pointer_to(fresh), pointer_to(fresh_small))
    assert blob_in(disk / store, fresh).read_bytes() == fresh
    assert_sound(repo)


# -- downloads -------------------------------------------------------------------------------------------------------


@pytest.fixture
def empty_shared(small_disk: Path, two: Repo) -> Repo:
    """A clone that holds pointers alone, whose shared store is empty and lies on a full disk."""
    two.git("checkout", "--quiet", "old", extra=SKIP)
    two.git("checkout", "--quiet", "main", extra=SKIP)
    for path in (two.path / ".git" / "kit" / "blobs" / "sha256").iterdir():
        path.unlink()
    two.git("config", "kit.storage", str(small_disk / "store"))
    fill(small_disk)
    return two


def test_checkout_that_downloads_to_a_full_disk_leaves_pointers_and_pull_fills_them_in(
    empty_shared: Repo, small_disk: Path
) -> None:
    done = attempt(empty_shared, "git", "checkout", "old", code=0)
    assert f"still pointers, without content (the disk that holds {small_disk / 'store'} is full)" in done.stderr
    assert HINT in done.stderr
    assert (empty_shared.read("big.bin"), empty_shared.read("small.bin")) == (pointer_to(BIG), pointer_to(SMALL))
    assert soundness.status(empty_shared) == []
    free(small_disk)
    empty_shared.kit("pull")
    assert_checked_out(empty_shared, OLD)


@pytest.mark.parametrize("command", ["pull", "fetch"])
def test_download_to_a_full_disk_fails_and_is_continued_with_space(
    empty_shared: Repo, small_disk: Path, command: str
) -> None:
    done = attempt(empty_shared, "git-kit", command, code=1)
    assert f"error: the disk that holds {small_disk / 'store'} is full\n\n{HINT}" in done.stderr
    assert soundness.status(empty_shared) == []
    free(small_disk)
    empty_shared.kit("pull")
    assert_checked_out(empty_shared, NEW)


# -- the worktree ----------------------------------------------------------------------------------------------------


def test_checkout_into_a_full_worktree_leaves_the_pointer_that_git_kit_checkout_fills_in(
    small_disk: Path, two: Repo
) -> None:
    two.git("worktree", "add", "--quiet", "--no-checkout", "--detach", str(small_disk / "linked"))
    linked = Repo(small_disk / "linked", two.environ)
    room = small_disk / "room-for-small-files"
    room.write_bytes(bytes(300_000))
    fill(small_disk)
    room.unlink()
    done = attempt(linked, "git", "checkout", "old", code=0)
    assert "still a pointer, without content (cannot write the file: No space left on device)" in done.stderr
    assert (linked.read("big.bin"), linked.read("small.bin")) == (pointer_to(BIG), SMALL)
    assert soundness.status(linked) == []
    done = attempt(linked, "git-kit", "checkout", code=19)
    assert "big.bin: cannot write the file: No space left on device" in done.stderr
    assert HINT in done.stderr
    assert linked.read("big.bin") == pointer_to(BIG)
    assert_sound(linked)
    free(small_disk)
    linked.kit("checkout")
    assert_checked_out(linked, OLD)


def test_checkout_whose_index_cannot_be_written_says_so_and_works_with_space(
    small_disk: Path, tmp_path: Path, two: Repo
) -> None:
    shutil.move(two.path / ".git", small_disk / "git")
    two.write(".git", f"gitdir: {small_disk / 'git'}\n")
    two.git("config", "kit.storage", str(tmp_path / "store"))
    two.kit("fetch")
    two.git("checkout", "--quiet", "old", extra=SKIP)
    fill(small_disk)
    done = attempt(two, "git-kit", "checkout", code=1)
    assert f"error: cannot change the index: No space left on device\n\n{HINT}" in done.stderr
    (two.path / "big.bin").unlink()
    done = attempt(two, "git", "checkout", "--", "big.bin", code=128)  # Git itself cannot write its index
    assert "1 file is still a pointer, without content" in done.stderr
    assert "keeps the index locked" not in done.stderr
    assert_sound(two)
    free(small_disk)
    two.kit("checkout")
    assert_checked_out(two, OLD)


# -- what is only a cache --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_new", [False, True], ids=["state-db-there", "state-db-not-there"])
def test_full_disk_of_the_cache_alone_fails_nothing(small_disk: Path, tmp_path: Path, two: Repo, is_new: bool) -> None:
    two.git("config", "kit.storage", str(tmp_path / "store"))
    two.kit("fetch")
    kit = two.path / ".git" / "kit"
    shutil.copytree(kit, small_disk / "kit")
    shutil.rmtree(kit)
    kit.symlink_to(small_disk / "kit")
    assert (kit / "state.db").exists()
    if is_new:
        (kit / "state.db").unlink()
    fill(small_disk)
    fresh = some_bytes(1_600_000, 7)
    two.write("big.bin", fresh)
    two.write("new.bin", BIG)
    assert attempt(two, "git", "add", "big.bin", code=0).stderr == ""
    attempt(two, "git-kit", "add", "new.bin", code=0)
    os.utime(two.path / "big.bin")
    assert soundness.status(two) == ["M  big.bin", "A  new.bin"]
    attempt(two, "git", "commit", "--quiet", "--message", "three", code=0)
    attempt(two, "git", "checkout", "--quiet", "old", code=0)
    attempt(two, "git-kit", "pull", code=0)
    assert_checked_out(two, OLD)
