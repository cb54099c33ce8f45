"""Files that change while Git or git kit works on them, and clocks that are wrong: what is stored is what was read,
what a person wrote stays, and `git status` tells the truth."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.matrix.journey import MAIN, SIDE, Upstream, assert_clean, assert_files, assert_sound
from tests.lib.large_files import ATTRIBUTES, MIB, drafts, pointer_to, read_by_status, store_of, unprivileged
from tests.lib.repos import Repo, some_bytes

OLD, NEW = some_bytes(3 * MIB, seed=11), some_bytes(3 * MIB, seed=12)
BIG = "models/deep/3m.bin"

PROXY = """\
#!{python}
# A filter that lets {after} bytes of what Git sends pass, then runs a command, then lets the rest pass.
import os, subprocess
child = subprocess.Popen(["git-kit", "filter-process"], stdin=subprocess.PIPE)
left = {after}
while data := os.read(0, min(left, 65536) or 65536):
    child.stdin.write(data)
    child.stdin.flush()
    if left:
        left -= len(data)
        if not left:
            subprocess.run(["sh", "-c", {command!r}], check=True)
child.stdin.close()
raise SystemExit(child.wait())
"""


def swap_while_git_reads(repo: Repo, command: str, *, after: int) -> None:
    """Have ``command`` run when Git has sent ``after`` bytes to the filter."""
    program = repo.path.parent / "proxy"
    program.write_text(PROXY.format(python=sys.executable, after=after, command=command))
    program.chmod(0o755)
    repo.git("config", "filter.kit.process", str(program))


# -- while Git reads -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "command"),
    [
        pytest.param(100, "cp new newer && mv newer a.bin", id="renamed over at once"),
        pytest.param(2 * MIB, "cp new newer && mv newer a.bin", id="renamed over"),
        pytest.param(100, "cat new > a.bin", id="overwritten at once"),
        pytest.param(2 * MIB, "cat new > a.bin", id="overwritten"),
        pytest.param(100, "truncate --size=1000 a.bin", id="cut short at once"),
        pytest.param(2 * MIB, "truncate --size=1000 a.bin", id="cut short"),
        pytest.param(2 * MIB, "cat new >> a.bin", id="grown"),
        pytest.param(100, "rm a.bin && mkfifo a.bin", id="a pipe"),
        pytest.param(100, "rm a.bin && ln -s new a.bin", id="a link"),
        pytest.param(2 * MIB, "rm a.bin", id="deleted"),
    ],
)
def test_file_that_is_swapped_while_git_reads_it_is_stored_as_it_was_read(repo: Repo, command: str, after: int) -> None:
    repo.write(".gitattributes", ATTRIBUTES)
    repo.write(".git/info/exclude", "new\n")
    repo.write("a.bin", OLD)
    repo.write("new", NEW)
    swap_while_git_reads(repo, command, after=after)
    adding = repo.start("git", "add", "a.bin")
    _, said = adding.communicate(timeout=60)
    repo.git("config", "--unset", "filter.kit.process")
    assert (repo.path / "a.bin").is_file() is ("fifo" not in command and command != "rm a.bin"), "it was swapped"
    if adding.returncode == 0:
        assert_stored(repo)
        now = (repo.path / "a.bin").read_bytes() if (repo.path / "a.bin").is_file() else None
        if now is None or (repo.path / "a.bin").is_symlink() or repo.blob(":a.bin") != pointer_to(now):
            assert repo.out("status", "--porcelain", "a.bin") != "A  a.bin"
    else:
        assert b"a.bin" in said
        assert repo.out("ls-files", "a.bin") == ""
    assert drafts(repo) == []
    assert repo.read("new") == NEW


def assert_stored(repo: Repo) -> None:
    """The store has what the pointer in the index names, and nothing under a wrong name."""
    words = repo.blob(":a.bin").split()
    blob = store_of(repo) / "blobs" / "sha256" / words[3].decode().removeprefix("sha256:")
    assert blob.stat().st_size == int(words[5])
    assert pointer_to(blob.read_bytes()) == repo.blob(":a.bin")


def test_pipe_in_the_place_of_a_tracked_file_is_never_opened(upstream: Upstream, tmp_path: Path) -> None:
    upstream.trust(upstream.bare.environ)
    repo = upstream.clone(tmp_path / "clone", upstream.bare.environ)
    (repo.path / BIG).unlink()
    os.mkfifo(repo.path / BIG)
    for command in (["git-kit", "status"], ["git-kit", "pull"], ["git-kit", "checkout"], ["git", "status"]):
        working = repo.start(*command)
        working.communicate(timeout=60)
        assert working.returncode == 0, command
    assert repo.out("status", "--porcelain").endswith(f" {BIG}")
    repo.git("restore", BIG)
    assert_files(repo, MAIN)


# -- between Git and us ----------------------------------------------------------------------------------------------


def after_git(repo: Repo, command: str) -> None:
    """Have ``command`` run when Git has checked out and git kit has not yet filled large files in."""
    hook = repo.path / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\n{command}\n")
    hook.chmod(0o755)


@pytest.fixture
def clone(upstream: Upstream, tmp_path: Path) -> Repo:
    """A clone of ``main``, with content."""
    upstream.trust(upstream.bare.environ)
    return upstream.clone(tmp_path / "clone", upstream.bare.environ)


@pytest.mark.parametrize(
    ("command", "left"),
    [
        (f"printf more >> {BIG}", pointer_to(SIDE[BIG]) + b"more"),
        (f"rm {BIG} && ln -s ../../../outside {BIG}", b"outside"),
        (f"rm {BIG}", None),
    ],
    ids=["appended", "a link", "deleted"],
)
def test_file_that_a_person_changes_before_it_is_filled_in_stays_theirs(
    clone: Repo, command: str, left: bytes | None
) -> None:
    (clone.path.parent / "outside").write_bytes(b"outside")
    after_git(clone, command)
    clone.git("switch", "--quiet", "--detach", "origin/side")
    assert (clone.read(BIG) if left is not None else (clone.path / BIG).exists()) == (left or False)
    assert (clone.path.parent / "outside").read_bytes() == b"outside"
    assert clone.out("status", "--porcelain").split() in (["M", BIG], ["D", BIG], ["T", BIG])
    assert clone.read("models/side.bin") == SIDE["models/side.bin"]
    clone.git("-c", "core.hooksPath=/dev/null", "restore", ".")
    assert_files(clone, SIDE)
    assert_clean(clone)


def test_folder_that_becomes_read_only_keeps_the_pointer_and_the_next_pull_brings_content(clone: Repo) -> None:
    after_git(clone, "chmod 555 models/deep")
    said = unprivileged(clone, "git", "switch", "--detach", "origin/side").stderr
    assert BIG in said and "hint: " in said
    assert clone.read(BIG) == pointer_to(SIDE[BIG])
    assert os.listdir(clone.path / "models/deep") == ["3m.bin"]
    assert_clean(clone)
    (clone.path / "models/deep").chmod(0o755)
    clone.kit("pull")
    assert_files(clone, SIDE)
    assert_sound(clone)


def test_files_that_others_write_while_branches_are_switched_are_whole_or_pointers(clone: Repo) -> None:
    whole = {MAIN[BIG], SIDE[BIG], pointer_to(MAIN[BIG]), pointer_to(SIDE[BIG])}
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            try:
                seen.add((clone.path / BIG).read_bytes())
            except FileNotFoundError:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for branch in ("origin/side", "origin/main", "origin/side"):
            clone.git("switch", "--quiet", "--detach", branch)
    finally:
        done.set()
        watcher.join()
    assert seen
    torn = {len(data) for data in seen} - {len(data) for data in whole}
    assert torn <= {0}, "Git itself creates a file before it writes the pointer"
    assert {data for data in seen if len(data) > 1000} <= whole


# -- clocks ----------------------------------------------------------------------------------------------------------

YEAR = 365 * 24 * 3600
TIMES = {"before 1970": -10 * YEAR, "a year ahead": 57 * YEAR, "2200": 230 * YEAR}


@pytest.mark.parametrize("seconds", TIMES.values(), ids=TIMES.keys())
def test_files_and_index_from_another_time_are_read_as_they_are(clone: Repo, seconds: int) -> None:
    def turn_back() -> None:
        for path in (*MAIN, ".git/index"):
            if (clone.path / path).exists():
                os.utime(clone.path / path, (seconds, seconds))

    turn_back()
    assert clone.out("status", "--porcelain") == ""
    turn_back()
    clone.git("switch", "--quiet", "--detach", "origin/side")
    assert_files(clone, SIDE)
    assert clone.out("status", "--porcelain") == ""
    clone.write(BIG, NEW)
    turn_back()
    assert clone.out("status", "--porcelain") == f" M {BIG}"
    clone.kit("add", BIG)
    assert clone.blob(f":{BIG}") == pointer_to(NEW)
    turn_back()
    clone.write(BIG, pointer_to(NEW))
    clone.kit("checkout")
    assert clone.read(BIG) == NEW
    assert clone.out("status", "--porcelain") == f"M  {BIG}"


def in_place(path: Path, data: bytes) -> None:
    """Other bytes in the same file."""
    path.write_bytes(data)


def anew(path: Path, data: bytes) -> None:
    """Another file under the same name."""
    beside = path.with_suffix(".new")
    beside.write_bytes(data)
    beside.rename(path)


@pytest.mark.parametrize(
    ("rewrite", "add"),
    [
        (in_place, ["add", "--renormalize"]),  # else Git itself sees no change within a second
        (anew, ["add", "--renormalize"]),
        (anew, ["kit", "add"]),
    ],
)
def test_other_content_of_the_same_size_and_time_is_seen(
    repo: Repo, rewrite: Callable[[Path, bytes], None], add: list[str]
) -> None:
    repo.write(".gitattributes", ATTRIBUTES)
    path = repo.write("a.bin", OLD)
    before = path.stat()
    repo.git("add", "a.bin")
    for data in (NEW, OLD[::-1], NEW):
        rewrite(path, data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        repo.git(*add, "a.bin")
        assert repo.blob(":a.bin") == pointer_to(data)
    assert ": 0 damaged" in repo.kit("fsck").stdout


# -- what Git need not read ------------------------------------------------------------------------------------------


def test_status_after_any_checkout_reads_not_even_empty_files(clone: Repo) -> None:
    for path in MAIN:
        (clone.path / path).unlink()
    clone.git("checkout", "--quiet", "--", ".")
    assert read_by_status(clone) == set()
