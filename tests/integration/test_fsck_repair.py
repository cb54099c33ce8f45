"""`git kit fsck --repair`: damaged and missing content comes back from wherever it still is right."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from gitkit.core.digest import digest_of
from gitkit.store.durable import SEAL_NS
from gitkit.store.layout import ImageLayout
from tests.lib.large_files import unprivileged
from tests.lib.repos import Repo, some_bytes

ATTRIBUTES = "*.bin filter=kit diff=kit merge=kit -text\n"
OLD, NEW = some_bytes(70_000, seed=1), some_bytes(3 << 20, seed=2)
SKIP = {"GIT_KIT_SKIP_SMUDGE": "1"}


@pytest.fixture
def repo(kit_repo: Repo, bare: Repo) -> Repo:
    """OLD in the first commit, NEW in the second; pushed."""
    kit_repo.git("remote", "add", "origin", str(bare.path))
    kit_repo.commit("old", {".gitattributes": ATTRIBUTES, "models/model.bin": OLD})
    kit_repo.commit("new", {"models/model.bin": NEW})
    kit_repo.git("push", "--quiet", "origin", "main")
    return kit_repo


def store(repo: Repo) -> ImageLayout:
    return ImageLayout(str(repo.path / ".git" / "kit"))


def blob(repo: Repo, data: bytes) -> Path:
    return Path(store(repo).blob_path(digest_of(data)))


def damage(repo: Repo, data: bytes) -> None:
    """Change one byte of a blob behind the store's back, its seal included."""
    path = blob(repo, data)
    path.chmod(0o644)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def repair(repo: Repo, code: int = 0) -> dict[str, Any]:
    return json.loads(repo.kit("fsck", "--repair", "--json", code=code).stdout)


def is_whole(repo: Repo, data: bytes) -> bool:
    return blob(repo, data).exists() and blob(repo, data).read_bytes() == data


def test_repair_of_a_sound_store_does_nothing(repo: Repo) -> None:
    result = repair(repo)
    assert (result["repaired"], result["not_repaired"], result["corrupt"]) == ([], [], [])


def test_repair_of_a_damaged_blob_takes_the_file_of_the_worktree(repo: Repo, bare: Repo) -> None:
    shutil.rmtree(bare.path / "kit")
    damage(repo, NEW)
    result = repair(repo)
    assert result["repaired"] == [{"path": "models/model.bin", "digest": digest_of(NEW), "from": "worktree"}]
    assert is_whole(repo, NEW)
    assert not (repo.path / ".git" / "kit" / "corrupt" / digest_of(NEW)[7:]).exists()
    assert repo.kit("fsck").returncode == 0


def test_repair_takes_the_file_of_a_linked_worktree(repo: Repo, bare: Repo) -> None:
    repo.git("worktree", "add", "--quiet", "../linked")
    shutil.rmtree(bare.path / "kit")
    repo.write("models/model.bin", "changed meanwhile")
    damage(repo, NEW)
    assert [it["from"] for it in repair(repo)["repaired"]] == ["worktree"]
    assert is_whole(repo, NEW)


def test_repair_with_a_changed_file_of_the_same_size_asks_the_remote(repo: Repo) -> None:
    damage(repo, NEW)
    repo.write("models/model.bin", NEW[:-1] + bytes([NEW[-1] ^ 2]))
    assert [it["from"] for it in repair(repo)["repaired"]] == ["remote"]
    assert is_whole(repo, NEW)
    assert {digest for digest, _ in store(repo).blobs()} == {digest_of(OLD), digest_of(NEW)}


def test_repair_of_missing_content_takes_it_from_the_trash(repo: Repo, bare: Repo) -> None:
    (repo.path / ".git" / "kit" / "trash" / "2024-05-06").mkdir(parents=True)
    blob(repo, NEW).rename(repo.path / ".git" / "kit" / "trash" / "2024-05-06" / digest_of(NEW)[7:])
    shutil.rmtree(bare.path / "kit")
    assert [it["from"] for it in repair(repo)["repaired"]] == ["trash or another store"]
    assert is_whole(repo, NEW)


def test_repair_takes_content_from_a_repository_that_git_borrows_from(repo: Repo, tmp_path: Path) -> None:
    clone = repo.clone(tmp_path / "clone", "--shared")
    clone.git("config", "kit.url", "oci://127.0.0.1:9/acme/llm")
    (clone.path / "models" / "model.bin").unlink()
    blob(clone, NEW).unlink()
    assert [it["from"] for it in repair(clone)["repaired"]] == ["trash or another store"]


def test_repair_of_missing_content_downloads_it(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    Repo(tmp_path, repo.environ).kit("clone", "--no-content", str(bare.path), "clone")
    clone = Repo(tmp_path / "clone", repo.environ)
    assert [it["from"] for it in repair(clone)["repaired"]] == ["remote"]
    assert is_whole(clone, NEW)


def test_repair_of_a_damaged_blob_of_an_older_commit_downloads_it(repo: Repo) -> None:
    damage(repo, OLD)
    assert repair(repo)["repaired"] == [{"path": "models/model.bin", "digest": digest_of(OLD), "from": "remote"}]
    assert is_whole(repo, OLD)


def test_repair_that_finds_content_nowhere_says_so(repo: Repo, bare: Repo) -> None:
    shutil.rmtree(bare.path / "kit")
    damage(repo, OLD)
    done = repo.kit("fsck", "--repair", code=11)
    assert f"  not repaired: models/model.bin: oci-layout:{bare.path}/kit: there is no folder" in done.stdout
    assert "hint: from a clone that has the content: git kit push --all" in done.stderr
    assert (repo.path / ".git" / "kit" / "corrupt" / digest_of(OLD)[7:]).exists()


def test_repair_without_a_remote_still_takes_what_is_near(repo: Repo) -> None:
    repo.git("remote", "remove", "origin")
    damage(repo, NEW)
    damage(repo, OLD)
    result = repair(repo, code=11)
    assert [it["digest"] for it in result["repaired"]] == [digest_of(NEW)]
    assert [it["digest"] for it in result["not_repaired"]] == [digest_of(OLD)]


def test_repair_of_a_damaged_blob_that_nothing_names_says_so(repo: Repo) -> None:
    store(repo).add_bytes(b"nobody needs this")
    damage(repo, b"nobody needs this")
    assert [it["reason"] for it in repair(repo, code=11)["not_repaired"]] == ["nothing in Git names it"]
    assert repair(repo)["corrupt"] == []


def test_repair_in_a_second_run_mends_what_the_first_put_aside(repo: Repo) -> None:
    damage(repo, NEW)
    assert "hint: git kit fsck --repair" in repo.kit("fsck", code=11).stderr
    assert repair(repo)["repaired"][0]["digest"] == digest_of(NEW)


def test_fsck_of_a_blob_that_cannot_be_read_leaves_it_and_says_why(repo: Repo) -> None:
    blob(repo, OLD).chmod(0o000)
    done = unprivileged(repo, "git", "kit", "fsck", "--repair", code=1)
    assert done.stdout.splitlines()[0].endswith(": 0 damaged")
    assert f"  could not be read: {digest_of(OLD)}: cannot read {blob(repo, OLD)}: Permission denied" in done.stdout
    result = json.loads(unprivileged(repo, "git", "kit", "fsck", "--json", code=1).stdout)
    assert (result["corrupt"], [it["digest"] for it in result["unread"]]) == ([], [digest_of(OLD)])
    assert is_whole(repo, OLD)
    damage(repo, NEW)
    blob(repo, OLD).chmod(0o000)
    unprivileged(repo, "git", "kit", "fsck", code=11)
    assert is_whole(repo, OLD)


def test_repair_with_dry_run_is_refused(repo: Repo) -> None:
    repo.kit("fsck", "--repair", "--dry-run", code=2)


def test_fsck_dry_run_leaves_the_trash_alone(repo: Repo) -> None:
    trash = repo.path / ".git" / "kit" / "trash" / "2024-05-06"
    trash.mkdir(parents=True)
    blob(repo, NEW).rename(trash / digest_of(NEW)[7:])
    result = json.loads(repo.kit("fsck", "--dry-run", "--json").stdout)
    assert [it["digest"] for it in result["missing"]] == [digest_of(NEW)]
    assert (trash / digest_of(NEW)[7:]).exists()


# -- files that were checked out from a damaged blob -----------------------------------------------------------------

WRONG = NEW[:-1] + bytes([NEW[-1] ^ 1])


def decay(repo: Repo, data: bytes) -> None:
    """``damage`` by the disk: nobody wrote, so the seal is whole."""
    damage(repo, data)
    blob(repo, data).chmod(0o444)
    os.utime(blob(repo, data), ns=(SEAL_NS, SEAL_NS))


def put_aside(repo: Repo, data: bytes) -> Path:
    return repo.path / ".git" / "kit" / "corrupt" / digest_of(data)[7:]


@pytest.fixture
def spread(repo: Repo) -> Repo:
    """``repo`` after a checkout of decayed content."""
    decay(repo, NEW)
    (repo.path / "models/model.bin").unlink()
    repo.git("checkout", "--", "models/model.bin")
    assert repo.read("models/model.bin") == WRONG
    assert repo.out("status", "--porcelain") == ""
    return repo


def test_repair_checks_a_file_with_damaged_content_out_anew(spread: Repo) -> None:
    done = spread.kit("fsck", "--repair")
    assert "  checked out from a damaged blob: models/model.bin\n" in done.stdout
    assert "  checked out anew: models/model.bin\n" in done.stdout
    assert done.stderr.endswith("everything is right now\n")
    assert spread.read("models/model.bin") == NEW
    assert spread.out("status", "--porcelain") == ""
    assert not put_aside(spread, NEW).exists()
    assert spread.kit("fsck", "--repair").stderr.endswith("nothing was to be repaired\n")


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_fsck_names_a_file_with_damaged_content_until_it_is_repaired(spread: Repo, options: list[str]) -> None:
    named = [{"path": str(spread.path / "models/model.bin"), "digest": digest_of(NEW)}]
    assert json.loads(spread.kit("fsck", "--json", *options, code=11).stdout)["damaged_files"] == named
    spread.kit("fsck", code=11)
    spread.kit("fetch")
    again = spread.kit("fsck", code=11)
    assert again.stdout.splitlines()[1:] == ["  checked out from a damaged blob: models/model.bin"]
    assert "hint: git kit fsck --repair" in again.stderr
    assert put_aside(spread, NEW).exists()
    assert repair(spread)["repaired_files"] == named
    assert spread.read("models/model.bin") == NEW
    assert not put_aside(spread, NEW).exists()


def test_repair_leaves_a_file_that_a_person_changed_since(spread: Repo) -> None:
    mine = WRONG[:-2] + bytes(2)
    spread.write("models/model.bin", mine)
    assert (repair(spread)["damaged_files"], spread.read("models/model.bin")) == ([], mine)
    assert spread.out("status", "--porcelain") == " M models/model.bin"


def test_repair_mends_files_of_linked_worktrees(spread: Repo) -> None:
    spread.git("worktree", "add", "--quiet", "../linked")
    linked = Repo(spread.path.parent / "linked", spread.environ)
    assert linked.read("models/model.bin") == WRONG
    assert f"  checked out anew: {linked.path}/models/model.bin\n" in spread.kit("fsck", "--repair").stdout
    assert (spread.read("models/model.bin"), linked.read("models/model.bin")) == (NEW, NEW)
    assert spread.out("status", "--porcelain") == linked.out("status", "--porcelain") == ""


def test_repair_without_right_content_says_which_files_stay_damaged(spread: Repo, bare: Repo) -> None:
    shutil.rmtree(bare.path / "kit")
    done = spread.kit("fsck", "--repair", code=11)
    assert "  not checked out anew: models/model.bin\n" in done.stdout
    assert spread.read("models/model.bin") == WRONG
    assert put_aside(spread, NEW).exists()


@pytest.mark.parametrize("by", ["disk", "person"])
def test_repair_of_a_hard_link_mends_what_the_disk_did_and_leaves_what_a_person_did(repo: Repo, by: str) -> None:
    repo.git("config", "kit.link", "hardlink")
    (repo.path / "models/model.bin").unlink()
    repo.git("checkout", "--", "models/model.bin")
    assert os.path.samefile(repo.path / "models/model.bin", blob(repo, NEW))
    (decay if by == "disk" else damage)(repo, NEW)
    repair(repo)
    assert is_whole(repo, NEW)
    assert repo.read("models/model.bin") == (NEW if by == "disk" else WRONG)


def test_fsck_says_what_it_deletes_from_corrupt(repo: Repo) -> None:
    damage(repo, OLD)
    repo.kit("fsck", code=11)
    repo.kit("fetch", "HEAD~1")
    assert "deleted 1 damaged blob from corrupt/: the store has the right content" in repo.kit("fsck").stderr
    assert not put_aside(repo, OLD).exists()


def test_repair_without_a_remote_says_how_to_name_one(repo: Repo) -> None:
    repo.git("remote", "remove", "origin")
    damage(repo, OLD)
    assert "hint: git kit remote oci://HOST/REPOSITORY\n" in repo.kit("fsck", "--repair", code=11).stderr


def test_fsck_counts_blobs_wherever_it_counts(repo: Repo) -> None:
    done = repo.kit("fsck")
    assert done.stdout == "2 blobs, 3.1 MiB: 0 damaged\n"
    assert done.stderr.startswith("checked 2 blobs, 3.1 MiB in ")
