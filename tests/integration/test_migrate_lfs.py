"""`git kit migrate lfs`: on repositories that were written by hand, and on one that the real git-lfs has made."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lib.lfs_server import LfsServer, pointer_to
from tests.lib.repos import Repo, some_bytes

KIT = "filter=kit diff=kit merge=kit -text"
LFS = "filter=lfs diff=lfs merge=lfs -text"
DATA = some_bytes(200_000, seed=1)
OTHER = some_bytes(50_000, seed=2)
HEADER = f"# large files\r\n*.bin {LFS} lockable\r\n"


@pytest.fixture
def lfs_repo(repo: Repo) -> Repo:
    """A repository of Git LFS on a machine without git-lfs: pointers in Git, one object in ``.git/lfs``."""
    files = {"a.bin": pointer_to(DATA), "models/b.dat": pointer_to(OTHER), "notes.txt": b"text\n"}
    repo.commit("start", {".gitattributes": HEADER, "models/.gitattributes": f"b.dat {LFS}\n", **files})
    put(repo, DATA)
    return repo


def put(repo: Repo, data: bytes, content: bytes | None = None) -> Path:
    """Store ``data`` as Git LFS does."""
    oid = oid_of(data)
    path = repo.path / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if content is None else content)
    return path


def oid_of(data: bytes) -> str:
    return pointer_to(data).split(b"sha256:")[1][:64].decode()


def state(repo: Repo) -> tuple[str, str, list[str]]:
    """What a dry run must leave alone."""
    kit = sorted(str(path) for path in (repo.path / ".git").rglob("*") if path.is_file() and path.name != "index")
    return repo.out("status", "--porcelain"), repo.out("config", "--list", "--local"), kit


# -- attributes ----------------------------------------------------------------------------------------------------


def test_every_line_of_git_lfs_is_switched_and_staged_and_nothing_else(lfs_repo: Repo) -> None:
    done = lfs_repo.kit("migrate", "lfs")
    assert lfs_repo.read(".gitattributes") == f"# large files\r\n*.bin {KIT}\r\n".encode()
    assert lfs_repo.read("models/.gitattributes") == f"b.dat {KIT}\n".encode()
    assert lfs_repo.out("status", "--porcelain").splitlines() == ["M  .gitattributes", "M  models/.gitattributes"]
    assert '*.bin loses "lockable"' in done.stderr
    assert "git commit" in done.stderr and "git kit pull" in done.stderr and "git kit remote URL" in done.stderr


def test_old_commits_and_pointers_stay(lfs_repo: Repo) -> None:
    before = lfs_repo.out("rev-parse", "HEAD")
    lfs_repo.kit("migrate", "lfs")
    lfs_repo.git("commit", "--quiet", "--message", "switch")
    assert lfs_repo.out("rev-parse", "HEAD~1") == before
    assert lfs_repo.out("diff", "--name-only", "HEAD~1").splitlines() == [".gitattributes", "models/.gitattributes"]
    assert lfs_repo.blob("HEAD:a.bin") == pointer_to(DATA)


def test_second_run_before_and_after_the_commit_changes_nothing(lfs_repo: Repo) -> None:
    lfs_repo.kit("migrate", "lfs")
    staged = lfs_repo.out("write-tree")
    for _ in range(2):
        done = lfs_repo.kit("migrate", "lfs", "--json")
        assert json.loads(done.stdout)["files"] == []
        assert lfs_repo.out("write-tree") == staged
        lfs_repo.git("commit", "--quiet", "--allow-empty", "--message", "switch")
    assert "git commit" not in lfs_repo.kit("migrate", "lfs").stderr


def test_dry_run_says_the_same_and_changes_nothing(lfs_repo: Repo) -> None:
    before = state(lfs_repo)
    told = json.loads(lfs_repo.kit("migrate", "lfs", "--dry-run", "--json").stdout)
    assert state(lfs_repo) == before
    done = json.loads(lfs_repo.kit("migrate", "lfs", "--json").stdout)
    assert told.pop("dry_run") and not done.pop("dry_run")
    assert told == done
    assert done == {
        "files": [
            {"file": ".gitattributes", "patterns": ["*.bin"]},
            {"file": "models/.gitattributes", "patterns": ["b.dat"]},
        ],
        "dropped": [{"file": ".gitattributes", "pattern": "*.bin", "attribute": "lockable"}],
        "elsewhere": [],
        "objects": {"linked": 1, "bytes": len(DATA), "here": 0, "left": 0, "damaged": []},
        "pointers": 2,
        "missing": [{"path": "models/b.dat", "digest": f"sha256:{oid_of(OTHER)}", "size": len(OTHER)}],
    }


def test_changed_worktree_is_refused_and_left_alone(lfs_repo: Repo) -> None:
    lfs_repo.write("notes.txt", b"changed\n")
    before = state(lfs_repo)
    done = lfs_repo.kit("migrate", "lfs", code=13)
    assert "notes.txt" in done.stderr and "commit or stash" in done.stderr
    assert state(lfs_repo) == before


def test_staged_and_half_written_changes_are_refused(lfs_repo: Repo) -> None:
    lfs_repo.write(".gitattributes", HEADER + "# more\n")
    assert ".gitattributes" in lfs_repo.kit("migrate", "lfs", code=13).stderr
    lfs_repo.git("add", ".gitattributes")
    assert ".gitattributes" in lfs_repo.kit("migrate", "lfs", code=13).stderr


def test_run_that_was_killed_between_two_files_is_finished_by_the_next(lfs_repo: Repo) -> None:
    lfs_repo.write(".gitattributes", HEADER.replace(f"{LFS} lockable", KIT))
    lfs_repo.kit("migrate", "lfs")
    assert lfs_repo.out("status", "--porcelain").splitlines() == ["M  .gitattributes", "M  models/.gitattributes"]


def test_untracked_attributes_of_git_lfs_are_refused(lfs_repo: Repo) -> None:
    lfs_repo.write("new/.gitattributes", f"*.x {LFS}\n")
    assert "new/.gitattributes" in lfs_repo.kit("migrate", "lfs", code=13).stderr


def test_attributes_that_are_a_link_are_refused(lfs_repo: Repo, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text(f"*.x {LFS}\n")
    (lfs_repo.path / "linked").mkdir()
    (lfs_repo.path / "linked" / ".gitattributes").symlink_to(target)
    lfs_repo.commit("link")
    assert "symbolic link" in lfs_repo.kit("migrate", "lfs", code=17).stderr
    assert target.read_text() == f"*.x {LFS}\n"


def test_attributes_outside_of_a_sparse_checkout_are_switched_in_the_index(lfs_repo: Repo) -> None:
    lfs_repo.write("other/x.txt", "x\n")
    lfs_repo.commit("more")
    lfs_repo.git("sparse-checkout", "set", "other")
    assert not (lfs_repo.path / "models").exists()
    lfs_repo.kit("migrate", "lfs")
    assert lfs_repo.blob(":models/.gitattributes") == f"b.dat {KIT}\n".encode()
    assert not (lfs_repo.path / "models").exists()
    assert lfs_repo.out("status", "--porcelain").splitlines() == ["M  .gitattributes", "M  models/.gitattributes"]


def test_attributes_of_the_clone_itself_are_switched_too(lfs_repo: Repo) -> None:
    local = lfs_repo.path / ".git" / "info" / "attributes"
    local.parent.mkdir(exist_ok=True)
    local.write_text(f"*.bin {LFS}\n")
    lfs_repo.kit("migrate", "lfs")
    assert local.read_text() == f"*.bin {KIT}\n"


def test_attributes_of_the_person_are_told_of(lfs_repo: Repo, tmp_path: Path) -> None:
    mine = tmp_path / "attributes"
    mine.write_text(f"notes.txt {LFS}\n")
    lfs_repo.git("config", "core.attributesFile", str(mine))
    done = lfs_repo.kit("migrate", "lfs")
    assert "still under Git LFS" in done.stderr and "notes.txt" in done.stderr
    assert mine.read_text() == f"notes.txt {LFS}\n"


@pytest.mark.parametrize("args", [(), ("--dry-run",)])
def test_repository_without_git_lfs_is_refused_and_left_alone(repo: Repo, args: tuple[str, ...]) -> None:
    repo.commit("start", {"notes.txt": "x\n", ".gitattributes": "*.txt text\n"})
    before = state(repo)
    assert "Git LFS is not used here" in repo.kit("migrate", "lfs", *args, code=10).stderr
    assert state(repo) == before


def test_bare_repository_is_refused(bare: Repo) -> None:
    assert "bare" in bare.kit("migrate", "lfs", code=17).stderr


# -- content -------------------------------------------------------------------------------------------------------


def test_objects_are_linked_and_content_is_checked_out_without_network(lfs_repo: Repo) -> None:
    mine = put(lfs_repo, OTHER)
    lfs_repo.kit("migrate", "lfs")
    assert (lfs_repo.path / ".git" / "kit" / "blobs" / "sha256" / mine.name).samefile(mine)
    lfs_repo.kit("checkout")
    assert lfs_repo.read("models/b.dat") == OTHER
    assert lfs_repo.out("status", "--porcelain").splitlines() == ["M  .gitattributes", "M  models/.gitattributes"]


def test_damaged_object_is_told_of_and_not_taken(lfs_repo: Repo) -> None:
    damaged = put(lfs_repo, OTHER, OTHER[:-1] + b"x")
    done = lfs_repo.kit("migrate", "lfs")
    assert f"damaged object: sha256:{damaged.name}" in done.stderr
    assert not (lfs_repo.path / ".git" / "kit" / "blobs" / "sha256" / damaged.name).exists()


def test_files_with_content_stay_unchanged_for_git_when_they_are_touched(lfs_repo: Repo) -> None:
    # As git-lfs leaves a worktree: content in place, and stat data of it in the index.
    clean = f"case %f in a.bin) cat >/dev/null; printf '%s' '{pointer_to(DATA).decode()}';; *) cat;; esac"
    lfs_repo.git("config", "filter.lfs.clean", clean)
    lfs_repo.write("a.bin", DATA)
    lfs_repo.git("add", "a.bin")
    lfs_repo.kit("migrate", "lfs")
    lfs_repo.git("config", "--unset", "filter.lfs.clean")
    lfs_repo.git("commit", "--quiet", "--message", "switch")
    os.utime(lfs_repo.path / "a.bin", (1, 1))
    assert lfs_repo.out("status", "--porcelain") == ""
    lfs_repo.git("add", "--renormalize", ".")
    assert lfs_repo.blob(":a.bin") == pointer_to(DATA)
    lfs_repo.commit("change", {"a.bin": OTHER})
    assert lfs_repo.blob("HEAD:a.bin").startswith(b"version git-kit/1\n")


def test_filter_and_hooks_are_set_up_in_the_clone(lfs_repo: Repo) -> None:
    hook = lfs_repo.path / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\ngit lfs pre-push "$@"\n')
    hook.chmod(0o755)
    lfs_repo.kit("migrate", "lfs")
    assert lfs_repo.out("config", "filter.kit.process") == "git-kit filter-process"
    assert "git-kit hook pre-push" in hook.read_text() and 'git lfs pre-push "$@"' in hook.read_text()


# -- with the real git-lfs -----------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[LfsServer]:
    with LfsServer() as server:
        yield server


@pytest.fixture
def real(repo: Repo, bare: Repo, server: LfsServer) -> Repo:
    """A repository that git-lfs made and pushed, its objects on ``server``."""
    if shutil.which("git-lfs") is None:
        if os.environ.get("GITKIT_REQUIRE_GIT_LFS") == "1":
            pytest.fail("git-lfs is not on PATH and GITKIT_REQUIRE_GIT_LFS=1")
        pytest.skip("git-lfs is not on PATH")
    repo.git("remote", "add", "origin", str(bare.path))
    repo.git("lfs", "install")
    repo.git("config", "--file", ".lfsconfig", "lfs.url", server.lfs_url)
    repo.git("config", "--file", ".lfsconfig", "lfs.locksverify", "false")
    repo.git("lfs", "track", "*.bin")
    repo.commit("start", {"a.bin": DATA, "b.bin": OTHER})
    repo.git("push", "--quiet", "origin", "main")
    assert set(server.lfs.objects) == {oid_of(DATA), oid_of(OTHER)}
    return repo


def test_real_repository_is_switched_and_both_tools_go_on(
    real: Repo, bare: Repo, server: LfsServer, tmp_path: Path
) -> None:
    real.kit("migrate", "lfs")
    real.git("commit", "--quiet", "--message", "switch")
    assert real.out("status", "--porcelain") == ""
    real.commit("change", {"b.bin": b"new content of b\n"})
    real.git("push", "--quiet", "origin", "main")
    assert set(server.lfs.objects) == {oid_of(DATA), oid_of(OTHER)}, "what is new goes to the remote of git kit"

    clone = Repo(tmp_path / "clone", real.environ)
    real.kit("clone", "--quiet", str(bare.path), str(clone.path), cwd="..")
    assert (clone.read("a.bin"), clone.read("b.bin")) == (DATA, b"new content of b\n")
    assert clone.out("status", "--porcelain") == ""

    clone.git("checkout", "--quiet", "HEAD~2")
    assert (clone.read("a.bin"), clone.read("b.bin")) == (DATA, OTHER), "git-lfs reads what is older"
    clone.git("checkout", "--quiet", "main")
    assert (clone.read("a.bin"), clone.read("b.bin")) == (DATA, b"new content of b\n")
    assert clone.out("status", "--porcelain") == ""


def test_commits_of_git_lfs_that_wait_are_still_pushed_by_its_hook(real: Repo, server: LfsServer) -> None:
    waiting = some_bytes(1000, seed=9)
    real.commit("waiting", {"c.bin": waiting})
    real.kit("migrate", "lfs")
    real.git("commit", "--quiet", "--message", "switch")
    real.git("push", "--quiet", "origin", "main")
    assert server.lfs.objects[oid_of(waiting)] == waiting


def test_real_repository_is_read_without_git_lfs(real: Repo, bare: Repo, tmp_path: Path) -> None:
    real.kit("migrate", "lfs")
    real.git("commit", "--quiet", "--message", "switch")
    real.git("push", "--quiet", "origin", "main")
    alone = {key: value for key, value in real.environ.items() if key != "GIT_CONFIG_GLOBAL"}
    home = tmp_path / "other"
    home.mkdir()
    config = home / ".gitconfig"
    config.write_text("[user]\n\tname = Ada\n\temail = ada@example.com\n")
    clone = Repo(tmp_path / "clone", {**alone, "HOME": str(home), "GIT_CONFIG_GLOBAL": str(config)})
    Repo(tmp_path, clone.environ).kit("clone", "--quiet", str(bare.path), "clone")
    assert (clone.read("a.bin"), clone.read("b.bin")) == (DATA, OTHER)
    assert not (clone.path / ".git" / "lfs").exists()


def test_hooks_of_git_lfs_go_in_the_order_that_the_page_tells(real: Repo) -> None:
    real.kit("migrate", "lfs")
    real.kit("uninstall", "--local")
    real.git("lfs", "uninstall", "--local")
    real.kit("install", "--local")
    hook = (real.path / ".git" / "hooks" / "pre-push").read_text()
    assert "git-kit" in hook and "lfs" not in hook
