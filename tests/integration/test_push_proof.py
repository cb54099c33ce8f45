"""A push proves that the remote of the blobs has everything, whatever Git's own remote-tracking branches say."""

from pathlib import Path

import pytest

from tests.lib.repos import Repo, init, some_bytes

TRACKED = "*.bin filter=kit diff=kit merge=kit -text\n"


@pytest.fixture
def pushed(kit_repo: Repo, bare: Repo) -> Repo:
    """A clone that pushed one large file to ``bare``, whose embedded folder holds it."""
    kit_repo.git("remote", "add", "origin", str(bare.path))
    kit_repo.commit(files={".gitattributes": TRACKED, "a.bin": some_bytes(5000, 1)})
    kit_repo.git("push", "--quiet", "origin", "main")
    return kit_repo


def blobs(path: Path) -> int:
    """Large blobs in a layout folder: keep-manifests and the empty config are smaller."""
    folder = path / "blobs" / "sha256"
    return sum(1 for file in folder.iterdir() if file.stat().st_size >= 2000) if folder.exists() else 0


def test_push_after_the_git_remote_moved_elsewhere_uploads_all_of_history(pushed: Repo, tmp_path: Path) -> None:
    elsewhere = init(tmp_path / "elsewhere.git", pushed.environ, "--bare")
    pushed.git("remote", "set-url", "origin", str(elsewhere.path))
    pushed.git("push", "--quiet", "origin", "main")
    assert blobs(elsewhere.path / "kit") == 1


def test_push_to_a_remote_with_two_push_urls_uploads_to_both(pushed: Repo, tmp_path: Path) -> None:
    others = [init(tmp_path / f"{name}.git", pushed.environ, "--bare") for name in ("one", "two")]
    for other in others:
        pushed.git("remote", "set-url", "--add", "--push", "origin", str(other.path))
    pushed.git("push", "--quiet", "origin", "main")
    assert [blobs(other.path / "kit") for other in others] == [1, 1]


def test_push_of_a_tag_after_kit_url_changed_uploads_what_it_needs(pushed: Repo, tmp_path: Path) -> None:
    pushed.git("config", "kit.url", f"oci-layout:{tmp_path / 'new'}")
    pushed.git("tag", "v1")
    pushed.git("push", "--quiet", "origin", "v1")
    assert blobs(tmp_path / "new") == 1


def test_push_after_one_without_the_hook_uploads_what_that_left_out(pushed: Repo, bare: Repo) -> None:
    pushed.commit(files={"b.bin": some_bytes(6000, 2)})
    pushed.git("push", "--quiet", "--no-verify", "origin", "main")
    assert blobs(bare.path / "kit") == 1
    pushed.git("tag", "v1")
    pushed.git("push", "--quiet", "origin", "v1")
    assert blobs(bare.path / "kit") == 2


def test_push_of_what_was_proven_uploads_and_says_nothing(pushed: Repo) -> None:
    pushed.git("branch", "other")
    assert pushed.git("push", "--quiet", "origin", "other").stderr == ""


def test_push_with_pointers_of_git_lfs_does_not_ask_for_their_content(pushed: Repo) -> None:
    lfs = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'1' * 64}\nsize 12\n"
    pushed.commit(files={"of-lfs.dat": lfs})
    pushed.git("push", "--quiet", "origin", "main")


def test_push_with_a_pointer_as_an_example_in_a_text_warns_and_goes_through(pushed: Repo) -> None:
    pushed.commit(files={"example.txt": f"version git-kit/1\noid sha256:{'2' * 64}\nsize 12\n"})
    assert "example.txt" in pushed.git("push", "--quiet", "origin", "main").stderr


def test_push_of_a_tag_that_names_a_blob_goes_through(pushed: Repo) -> None:
    pushed.git("tag", "a-blob", pushed.out("hash-object", "-w", ".gitattributes"))
    pushed.commit(files={"b.bin": some_bytes(6000, 2)})
    pushed.git("push", "--quiet", "origin", "main", "a-blob")


def test_push_of_a_file_whose_name_holds_a_carriage_return_goes_through(pushed: Repo, bare: Repo) -> None:
    pushed.commit(files={"odd\rname.bin": some_bytes(7000, 3)})
    pushed.git("push", "--quiet", "origin", "main")
    assert blobs(bare.path / "kit") == 2


def test_push_all_after_the_remote_lost_a_blob_uploads_it_again(pushed: Repo, bare: Repo) -> None:
    for file in (bare.path / "kit/blobs/sha256").iterdir():
        if file.stat().st_size == 5000:
            file.unlink()
    pushed.kit("push", "--all")
    assert blobs(bare.path / "kit") == 1


def test_cherry_pick_of_commits_that_change_one_file_fetches_it_each_time(
    pushed: Repo, bare: Repo, tmp_path: Path
) -> None:
    pushed.git("switch", "--quiet", "--create", "topic")
    for seed in (4, 5, 6):
        pushed.commit(files={"a.bin": some_bytes(5000 + seed, seed)})
    pushed.git("push", "--quiet", "origin", "topic")
    clone = bare.clone(tmp_path / "clone")
    clone.git("cherry-pick", "origin/topic~2", "origin/topic~1", "origin/topic")
    assert clone.read("a.bin") == some_bytes(5006, 6)


def test_merge_of_two_changes_keeps_ours_as_a_conflict(pushed: Repo) -> None:
    pushed.git("switch", "--quiet", "--create", "topic")
    pushed.commit(files={"a.bin": some_bytes(5000, 7)})
    pushed.git("switch", "--quiet", "main")
    pushed.commit(files={"a.bin": some_bytes(5000, 8)})
    pushed.git("merge", "topic", code=1)
    assert pushed.read("a.bin") == some_bytes(5000, 8)
    assert pushed.out("status", "--porcelain", "a.bin") == "UU a.bin"
    pushed.git("checkout", "--theirs", "--", "a.bin")
    pushed.git("add", "--", "a.bin")
    assert pushed.read("a.bin") == some_bytes(5000, 7)


def test_add_of_a_pointer_with_conflict_markers_is_refused(pushed: Repo) -> None:
    ours, theirs = "3" * 64, "4" * 64
    text = f"version git-kit/1\n<<<<<<< HEAD\noid sha256:{ours}\n=======\noid sha256:{theirs}\n>>>>>>> x\nsize 12\n"
    pushed.write("a.bin", text)
    assert "git checkout --ours -- FILE" in pushed.git("add", "a.bin", code=128).stderr


def test_config_environment_that_is_named_like_a_version_is_refused(pushed: Repo) -> None:
    pushed.write(".gitkit.toml", '[environments.vnext]\nbranch = "next"\n')
    assert "environments.vnext" in pushed.kit("env", code=16).stderr


def test_push_into_a_repository_of_a_group_lets_the_group_write(kit_repo: Repo, tmp_path: Path) -> None:
    shared = init(tmp_path / "shared.git", kit_repo.environ, "--bare", "--shared=group")
    kit_repo.git("remote", "add", "origin", str(shared.path))
    kit_repo.commit(files={".gitattributes": TRACKED, "a.bin": some_bytes(5000, 1)})
    kit_repo.git("push", "--quiet", "origin", "main")
    for name in ("kit", "kit/blobs", "kit/blobs/sha256", "kit/tmp"):
        assert (shared.path / name).stat().st_mode & 0o2070 == 0o2070
