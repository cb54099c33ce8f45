"""`git kit dedup`: bytes shared on an XFS, hard links anywhere, and nothing touched that is not clean and equal."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.events import Advanced, Event
from gitkit.git.repository import discover
from gitkit.git.run import Git
from gitkit.store.layout import ImageLayout
from gitkit.sync import dedup as sync
from tests.lib.repos import Repo, init, some_bytes

ATTRIBUTES = "*.bin filter=kit diff=kit merge=kit -text\n"
LARGE, SMALL = some_bytes(17 << 20, seed=1), some_bytes(3001, seed=2)


def with_copies(repo: Repo) -> Repo:
    """Two committed large files whose bytes lie on the disk apart from the store's."""
    repo.kit("install")
    repo.commit("one", {".gitattributes": ATTRIBUTES, "large.bin": LARGE, "models/small.bin": SMALL})
    for path in ("large.bin", "models/small.bin"):
        data = repo.read(path)
        (repo.path / path).unlink()
        # Older than the index is going to be: Git is to have no reason to look at it again.
        os.utime(repo.write(path, data), (1_700_000_000, 1_700_000_000))
    repo.git("status")
    return repo


@pytest.fixture
def sharing(reflink_folder: Path, environ: dict[str, str]) -> Repo:
    """``with_copies`` on a file system that can share bytes."""
    return with_copies(init(reflink_folder / "repo", environ))


@pytest.fixture
def linking(repo: Repo) -> Repo:
    """``with_copies`` on the tests' own file system, set to hard links."""
    repo.git("config", "kit.link", "hardlink")
    return with_copies(repo)


def dedup(repo: Repo, *options: str, code: int = 0) -> dict[str, Any]:
    return json.loads(repo.kit("dedup", "--json", *options, code=code).stdout)


def used(folder: Path) -> int:
    """Bytes in use on the file system."""
    subprocess.run(["sync", "-f", str(folder)], check=True)
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def blob(repo: Repo, data: bytes) -> Path:
    return Path(ImageLayout(str(repo.path / ".git" / "kit")).blob_path(digest_of(data)))


def started_filters(repo: Repo) -> int:
    """How many filter processes `git status` starts."""
    return repo.git("status", extra={"GIT_TRACE": "1"}).stderr.count("git-kit filter-process")


def times(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return (found.st_ino, found.st_mode, found.st_mtime_ns, found.st_ctime_ns, found.st_nlink)


# -- sharing bytes -----------------------------------------------------------------------------------------------------


def test_dedup_shares_bytes_and_changes_no_file(sharing: Repo) -> None:
    paths = [sharing.path / "large.bin", sharing.path / "models" / "small.bin"]
    before, stats = used(sharing.path), [times(path) for path in paths]
    result = dedup(sharing)
    assert result["shared"] == ["large.bin", "models/small.bin"]
    assert result["bytes"] == len(LARGE) + len(SMALL)
    assert used(sharing.path) <= before - len(LARGE) + (1 << 20)
    assert [times(path) for path in paths] == stats
    assert sharing.read("large.bin") == LARGE
    assert started_filters(sharing) == 0


def test_dedup_a_second_time_finds_everything_shared(sharing: Repo) -> None:
    dedup(sharing)
    result = dedup(sharing)
    assert (result["shared"], result["bytes"]) == ([], 0)
    assert result["before"] == ["large.bin", "models/small.bin"]


def test_dedup_dry_run_tells_what_could_be_shared_and_shares_nothing(sharing: Repo) -> None:
    before = used(sharing.path)
    assert dedup(sharing, "--dry-run")["bytes"] == len(LARGE) + len(SMALL)
    assert used(sharing.path) == before
    assert dedup(sharing)["bytes"] == len(LARGE) + len(SMALL)


def test_dedup_leaves_changed_files_alone(sharing: Repo) -> None:
    sharing.write("large.bin", LARGE[:-1] + b"x")
    assert dedup(sharing)["shared"] == ["models/small.bin"]
    assert sharing.read("large.bin") == LARGE[:-1] + b"x"


def test_dedup_of_a_file_that_git_takes_for_clean_and_is_not_leaves_it(sharing: Repo) -> None:
    path = sharing.path / "large.bin"
    found = path.stat()
    with path.open("r+b") as file:
        file.seek(16 << 20)
        file.write(b"changed")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    changed = path.read_bytes()
    sharing.git("config", "core.trustCtime", "false")
    result = dedup(sharing, code=19)
    assert result["skipped"] == [{"path": "large.bin", "reason": "its content is not the blob's"}]
    assert path.read_bytes() == changed
    assert blob(sharing, LARGE).read_bytes() == LARGE


def test_dedup_of_a_file_that_is_written_afterwards_leaves_the_blob(sharing: Repo) -> None:
    dedup(sharing)
    with (sharing.path / "large.bin").open("r+b") as file:
        file.write(b"changed")
    assert blob(sharing, LARGE).read_bytes() == LARGE


def test_dedup_on_a_file_system_that_cannot_says_what_can(repo: Repo) -> None:
    kind = subprocess.run(["stat", "-f", "-c", "%T", "."], cwd=repo.path, capture_output=True, check=True).stdout
    if kind.strip() in (b"btrfs", b"xfs"):
        pytest.skip("the tests' own file system can share bytes")
    with_copies(repo)
    for options in ([], ["--dry-run"]):
        done = repo.kit("dedup", *options, code=17)
        assert done.stderr.startswith("error: this file system cannot have files share their bytes\n")
        assert "git config kit.link hardlink" in done.stderr


def test_dedup_with_no_large_file_does_nothing(kit_repo: Repo) -> None:
    kit_repo.commit("one", {"a.txt": "a"})
    assert kit_repo.kit("dedup").stdout == "0 files, 0 B, share their bytes with the store now\n"


# -- hard links --------------------------------------------------------------------------------------------------------


def test_dedup_with_hard_links_makes_files_names_of_their_blobs(linking: Repo) -> None:
    result = dedup(linking)
    assert result["shared"] == ["large.bin", "models/small.bin"]
    assert os.path.samefile(linking.path / "large.bin", blob(linking, LARGE))
    assert (linking.path / "large.bin").stat().st_mode & 0o222 == 0
    assert started_filters(linking) == 0
    assert linking.out("status", "--porcelain") == ""
    assert dedup(linking)["before"] == ["large.bin", "models/small.bin"]


def test_dedup_with_hard_links_of_equal_files_leaves_git_with_nothing_to_read(linking: Repo) -> None:
    linking.commit("more", {f"copy{n}.bin": SMALL for n in range(3)})
    dedup(linking)
    linking.commit("yet another", {"late.bin": SMALL})
    dedup(linking)
    assert blob(linking, SMALL).stat().st_nlink == 6
    assert started_filters(linking) == 0


def test_dedup_in_a_copy_of_a_clone_looks_at_its_files(linking: Repo, tmp_path: Path) -> None:
    subprocess.run(["cp", "-a", linking.path, tmp_path / "copy"], check=True)
    assert dedup(Repo(tmp_path / "copy", linking.environ))["shared"] == ["large.bin", "models/small.bin"]


def test_dedup_with_hard_links_leaves_executable_files(linking: Repo) -> None:
    (linking.path / "large.bin").chmod(0o755)
    linking.commit("executable")
    result = dedup(linking, code=19)
    assert result["skipped"] == [{"path": "large.bin", "reason": "it is executable"}]
    assert (linking.path / "large.bin").stat().st_mode & 0o777 == 0o755


def test_dedup_with_hard_links_dry_run_replaces_nothing(linking: Repo) -> None:
    before = times(linking.path / "large.bin")
    assert dedup(linking, "--dry-run")["shared"] == ["large.bin", "models/small.bin"]
    assert times(linking.path / "large.bin") == before


def test_dedup_with_hard_links_of_a_damaged_blob_keeps_the_file(linking: Repo) -> None:
    path = blob(linking, LARGE)
    path.chmod(0o644)
    path.write_bytes(LARGE[:-1] + b"x")
    dedup(linking, code=19)
    assert linking.read("large.bin") == LARGE


def test_dedup_with_hard_links_does_not_follow_a_linked_folder(linking: Repo, tmp_path: Path) -> None:
    shutil.copytree(linking.path / "models", tmp_path / "outside")
    shutil.rmtree(linking.path / "models")
    (linking.path / "models").symlink_to(tmp_path / "outside")
    before = times(tmp_path / "outside" / "small.bin")
    assert dedup(linking)["shared"] == ["large.bin"]
    assert times(tmp_path / "outside" / "small.bin") == before


def test_dedup_with_hard_links_to_a_store_on_another_file_system_is_refused(repo: Repo, small_disk: Path) -> None:
    repo.git("config", "kit.link", "hardlink")
    repo.git("config", "kit.storage", str(small_disk / "pool"))
    repo.kit("install")
    repo.commit("one", {".gitattributes": ATTRIBUTES, "small.bin": SMALL})
    done = repo.kit("dedup", code=17)
    assert done.stderr.startswith("error: the store is on another file system")
    assert repo.read("small.bin") == SMALL


def test_dedup_with_hard_links_of_files_that_change_meanwhile_leaves_git_to_see_it(linking: Repo) -> None:
    def interfere(event: Event) -> None:
        if event == Advanced(len(LARGE)):
            edited.replace(linking.path / "large.bin")
        if event == Advanced(len(SMALL)):
            (linking.path / "models" / "small.bin").unlink()

    edited = linking.write("edited", b"a person's")
    repository = discover(Git(str(linking.path), linking.environ))
    store = ImageLayout(str(linking.path / ".git" / "kit"))
    result = sync.dedup(repository, store, hard_links=True, emit=interfere)
    assert len(result.shared) == 2
    assert linking.out("status", "--porcelain").split("\n") == [" M large.bin", " D models/small.bin"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_dedup_with_hard_links_killed_at_any_step_leaves_whole_files(linking: Repo) -> None:
    number, killed = 1, True
    while killed:
        inject = f"inject=link,linkat,rename,renameat,unlink,unlinkat:signal=SIGKILL:when={number}"
        argv = ["strace", "-f", "-qq", "-o", os.devnull, "-e", inject, shutil.which("git-kit") or "git-kit", "dedup"]
        done = subprocess.run(argv, cwd=linking.path, env=linking.environ, capture_output=True, check=False)
        killed = done.returncode != 0
        assert linking.read("large.bin") == LARGE
        assert linking.read("models/small.bin") == SMALL
        assert not (linking.path / ".git" / "index.lock").exists() or killed
        (linking.path / ".git" / "index.lock").unlink(missing_ok=True)
        assert linking.out("status", "--porcelain", "--untracked-files=no") == ""
        number += 1
    assert number > 2
