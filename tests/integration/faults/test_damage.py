"""Bad luck of other kinds: signals, what a crash of the machine leaves, a bad cache, a wrong clock, no permission."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.faults.conftest import BIG, NEW, NEW_BIG, NEW_SMALL, OLD, SMALL
from tests.lib import soundness
from tests.lib.large_files import SKIP, blob_in, digests_in, drafts, pointer_to
from tests.lib.repos import Repo, some_bytes
from tests.lib.stepping import Step, Stepper


def kit(repo: Repo) -> Path:
    return repo.path / ".git" / "kit"


def assert_holds(repo: Repo, content: dict[str, bytes]) -> None:
    assert {path: repo.read(path) for path in content} == content
    assert soundness.status(repo) == []
    assert_sound(repo)


def assert_sound(repo: Repo) -> None:
    soundness.assert_status_is_true(repo)
    assert soundness.damaged(repo) == set()
    assert soundness.leftovers(repo) == []


# -- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signal", "call", "number"),
    [
        ("TERM", "copy_file_range", 1),
        ("INT", "linkat", 1),
        ("TERM", "link", 1),  # index.lock is there when it ends
        ("INT", "link", 1),
        ("HUP", "link", 2),
    ],
)
def test_filter_that_gets_a_signal_while_it_fills_files_in_leaves_pointers_or_content(
    two: Repo, tmp_path: Path, signal: str, call: str, number: int
) -> None:
    step = Step(call, number, "")
    assert Stepper(tmp_path / "stepper").kill_at(step, ["git", "checkout", "old"], two.path, two.environ, signal)
    assert two.read("big.bin") in (BIG, pointer_to(BIG))
    assert two.read("small.bin") == SMALL
    soundness.assert_status_is_true(two)
    assert soundness.status(two) == []
    two.kit("checkout")
    two.kit("fsck")
    assert_holds(two, OLD)


@pytest.mark.parametrize("signal", ["KILL", "TERM", "INT"])
def test_filter_that_gets_a_signal_while_git_streams_a_file_fails_that_add_alone(
    two: Repo, tmp_path: Path, signal: str
) -> None:
    stepper, command = Stepper(tmp_path / "stepper"), ["git", "add", "big.bin"]
    two.write("big.bin", some_bytes(3_700_000, 5))
    writes = [step for step in stepper.steps(command, two.path, two.environ) if "/kit/tmp/" in step.what]
    before, index = digests_in(kit(two)), two.blob(":big.bin")
    fresh = some_bytes(3_700_000, 6)
    two.write("big.bin", fresh)
    assert writes[2].call == "write"
    assert stepper.kill_at(writes[2], command, two.path, two.environ, signal)
    assert digests_in(kit(two)) == before
    assert two.blob(":big.bin") == index
    two.kit("fsck")
    assert drafts(two) == []
    two.git("add", "big.bin")
    assert two.blob(":big.bin") == pointer_to(fresh)
    assert blob_in(kit(two), fresh).read_bytes() == fresh
    assert_sound(two)


def test_git_that_gives_up_over_one_file_is_not_waited_for(two: Repo) -> None:
    damage(two, SMALL, SMALL[::-1])
    done = two.git("checkout", "old", code=128)
    assert "small.bin: its blob in the store is damaged" in done.stderr
    assert "keeps the index locked" not in done.stderr
    assert not (two.path / ".git" / "index.lock").exists()
    soundness.assert_status_is_true(two)
    two.kit("fsck", code=11)
    two.git("checkout", "--force", "old")
    two.kit("pull")
    two.kit("fsck")
    assert_holds(two, OLD)


# -- a crash of the machine ------------------------------------------------------------------------------------------


def damage(repo: Repo, blob: bytes, data: bytes) -> None:
    """Put ``data`` in the place of a blob's bytes. No write of ours leaves it so; a crash inside of a batch may."""
    path = blob_in(kit(repo), blob)
    path.chmod(0o644)
    path.write_bytes(data)


def cut(repo: Repo, how: str) -> None:
    """The blobs of NEW have their names and not all of their bytes."""
    for data in (NEW_BIG, NEW_SMALL):
        if how == "absent":
            blob_in(kit(repo), data).unlink()
        else:
            damage(repo, data, data[: len(data) // 2] if how == "short" else b"")


def assert_mended(repo: Repo) -> None:
    assert blob_in(kit(repo), NEW_BIG).read_bytes() == NEW_BIG
    assert blob_in(kit(repo), NEW_SMALL).read_bytes() == NEW_SMALL
    assert_holds(repo, NEW)


ADD = pytest.mark.parametrize("argv", [["git", "add"], ["git-kit", "add"]], ids=["git", "git-kit"])


@ADD
@pytest.mark.parametrize("how", ["empty", "short", "absent"])
def test_blob_that_a_crash_cut_is_mended_by_the_next_add(two: Repo, argv: list[str], how: str) -> None:
    cut(two, how)
    for path in NEW:
        os.utime(two.path / path)
    subprocess.run([*argv, *NEW], cwd=two.path, env=two.environ, check=True)
    assert_mended(two)


@ADD
def test_blob_that_a_crash_cut_is_mended_when_its_file_is_added_as_a_new_one(two: Repo, argv: list[str]) -> None:
    cut(two, "short")
    two.git("rm", "--quiet", "--cached", *NEW)
    subprocess.run([*argv, *NEW], cwd=two.path, env=two.environ, check=True)
    assert_mended(two)


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("kit pull", "empty"),
        ("kit fetch", "short"),
        ("kit fsck --repair", "short"),
        ("checkout --quiet main", "empty"),
        ("checkout --quiet main", "short"),
    ],
)
def test_blob_that_a_crash_cut_is_mended_by_the_next_download(two: Repo, command: str, how: str) -> None:
    cut(two, how)
    two.git("checkout", "--quiet", "old", extra=SKIP)
    if not command.startswith("checkout"):
        two.git("checkout", "--quiet", "main", extra=SKIP)
    two.git(*command.split())
    two.kit("checkout")
    assert_mended(two)


def test_blob_of_the_right_size_that_a_crash_filled_with_zeros_reaches_no_file(two: Repo) -> None:
    damage(two, BIG, bytes(len(BIG)))
    done = two.git("checkout", "old")
    assert "1 file is still a pointer, without content" in done.stderr and "is damaged" in done.stderr
    assert two.read("big.bin") == pointer_to(BIG)
    assert "1 damaged" in two.kit("fsck", code=11).stdout
    two.kit("pull")
    two.kit("fsck")
    assert_holds(two, OLD)


# -- the cache -------------------------------------------------------------------------------------------------------


def _nothing(path: Path) -> None:
    path.unlink(missing_ok=True)


def _garbage(path: Path) -> None:
    path.write_bytes(some_bytes(5_000, 9))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def _folder(path: Path) -> None:
    if not path.is_dir():
        path.unlink(missing_ok=True)
        path.mkdir()


def _write_ahead_log(path: Path) -> None:
    path.with_name("state.db-wal").write_bytes(some_bytes(5_000, 9))


@pytest.mark.parametrize("spoil", [_nothing, _garbage, _cut, _folder, _write_ahead_log])
def test_cache_that_goes_bad_between_any_two_commands_fails_none(two: Repo, spoil: Callable[[Path], None]) -> None:
    fresh = some_bytes(len(BIG), 6)
    commands: list[list[str]] = [
        ["git", "checkout", "--quiet", "old"],
        ["git", "status", "--porcelain"],
        ["git-kit", "add", "fresh.bin"],
        ["git", "add", "again.bin"],
        ["git", "commit", "--quiet", "--message", "fresh"],
        ["git", "checkout", "--quiet", "main"],
        ["git-kit", "pull"],
    ]
    two.write("fresh.bin", fresh)
    two.write("again.bin", fresh)
    for command in commands:
        spoil(kit(two) / "state.db")
        done = subprocess.run(command, cwd=two.path, env=two.environ, capture_output=True, check=False)
        said = done.stderr.decode()
        assert done.returncode == 0 and "Traceback" not in said, f"{' '.join(command)}: {said}"
        os.utime(two.path / "big.bin")
    two.git("status")
    assert_holds(two, NEW)
    assert two.blob("old:big.bin") == pointer_to(BIG)
    assert two.blob("HEAD@{1}:fresh.bin") == pointer_to(fresh)


# -- the clock -------------------------------------------------------------------------------------------------------


@ADD
def test_files_and_an_index_of_tomorrow_are_known_when_they_change(two: Repo, argv: list[str]) -> None:
    tomorrow = time.time() + 86_400
    two.git("checkout", "--quiet", "old")
    for path in ("big.bin", "small.bin", ".git/index"):
        os.utime(two.path / path, (tomorrow, tomorrow))
    assert soundness.status(two) == []
    two.git("checkout", "--quiet", "main")
    assert_holds(two, NEW)
    os.utime(two.path / ".git/index", (tomorrow, tomorrow))
    for path, data in OLD.items():  # the sizes are the same
        two.write(path, data)
        os.utime(two.path / path, (tomorrow, tomorrow))
    assert soundness.status(two) == [" M big.bin", " M small.bin"]
    subprocess.run([*argv, "."], cwd=two.path, env=two.environ, check=True)
    assert (two.blob(":big.bin"), two.blob(":small.bin")) == (pointer_to(BIG), pointer_to(SMALL))
    for path, data in NEW.items():
        two.write(path, data)
        os.utime(two.path / path, (tomorrow, tomorrow))
    assert soundness.status(two) == ["MM big.bin", "MM small.bin"]
    two.git("checkout", "--quiet", "--force", "old")
    two.git("checkout", "--quiet", "main", extra=SKIP)
    os.utime(two.path / ".git/index", (tomorrow, tomorrow))
    two.kit("checkout")
    assert_holds(two, NEW)


def test_file_of_the_same_size_and_time_from_another_commit_is_seen_as_a_change(two: Repo) -> None:
    # Nothing but size and seconds are compared here; a file that git kit writes has a time shortly before the index's.
    two.git("config", "core.checkStat", "minimal")
    two.git("config", "core.trustCtime", "false")
    two.git("checkout", "--quiet", "old")
    two.git("checkout", "--quiet", "main")
    before = (two.path / "big.bin").stat()
    two.git("restore", "--source", "old", "big.bin")
    after = (two.path / "big.bin").stat()
    assert (after.st_size, int(after.st_mtime)) == (before.st_size, int(before.st_mtime))
    assert soundness.status(two) == [" M big.bin"]
    soundness.assert_status_is_true(two)
    two.git("restore", "big.bin")
    assert_holds(two, NEW)


# -- permissions -----------------------------------------------------------------------------------------------------


@pytest.fixture
def read_only(small_disk: Path, two: Repo) -> Repo:
    """``two``, whose shared store has all of its content and cannot be written."""
    two.git("config", "kit.storage", str(small_disk / "store"))
    two.kit("fetch")
    for branch in ("old", "main"):
        two.git("checkout", "--quiet", branch)
    assert len(digests_in(small_disk / "store")) == 4
    shutil.rmtree(kit(two) / "blobs")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    return two


def test_store_that_cannot_be_written_serves_what_it_has(read_only: Repo) -> None:
    read_only.git("checkout", "--quiet", "old")
    assert_holds(read_only, OLD)
    for path in OLD:
        os.utime(read_only.path / path)
    read_only.git("add", *OLD)
    read_only.kit("add", *OLD)
    assert_holds(read_only, OLD)
    read_only.git("checkout", "--quiet", "main", extra=SKIP)
    read_only.kit("checkout")
    assert_holds(read_only, NEW)
    assert read_only.kit("pull").stderr == "nothing to pull\n"
    assert "4 blobs" in read_only.kit("fsck").stdout


def test_store_that_cannot_be_written_refuses_new_content_and_loses_none(read_only: Repo, small_disk: Path) -> None:
    fresh = some_bytes(len(BIG), 7)
    read_only.write("big.bin", fresh)
    for command in (["git", "add", "big.bin"], ["git-kit", "add", "big.bin"], ["git", "stash"]):
        done = subprocess.run(command, cwd=read_only.path, env=read_only.environ, capture_output=True, check=False)
        assert done.returncode in (1, 128)
        assert f"cannot write {small_disk / 'store'}" in done.stderr.decode()
        assert read_only.read("big.bin") == fresh
        assert soundness.status(read_only) == [" M big.bin"]
    assert_sound(read_only)
    assert read_only.kit("prune", "--grace", "0", code=12).stderr.startswith("error: cannot lock")
