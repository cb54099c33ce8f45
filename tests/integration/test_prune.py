"""`git kit prune`: every reason for a blob to stay, one test each, and that nothing is lost whatever happens meanwhile.

``repo`` has pushed two versions of a model: OLD, in a commit of 2020 that only history leads to, and NEW at HEAD. With
nothing else in the way a prune moves OLD to the trash (``test_prune_an_old_version...``), so a test that keeps it shows
that its own reason does. ``--grace 0`` lets blobs count as old at once.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitkit.cli.prune import clones_of, document
from gitkit.context import Context
from gitkit.core.digest import digest_of
from gitkit.core.pointer import Pointer
from gitkit.errors import KitError
from gitkit.store.layout import ImageLayout
from gitkit.sync.prune import run
from gitkit.sync.prune.run import Rules
from tests.lib.registries import REPOSITORY, Fault, FaultRegistry, connect
from tests.lib.repos import Repo, clean_environ, init, some_bytes

OLD, NEW, OTHER = some_bytes(70_000, seed=1), some_bytes(70_000, seed=2), some_bytes(50_000, seed=3)
LONG_AGO = {"GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z", "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z"}
SKIP = {"GIT_KIT_SKIP_SMUDGE": "1"}


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``home``, ``bare.git`` and its clone ``repo``; paths in it are relative, so it can be copied."""
    folder = tmp_path_factory.mktemp("sample")
    environ = clean_environ(folder / "home")
    bare = init(folder / "bare.git", environ, "--bare")
    first = init(folder / "first", environ)
    first.kit("install")
    first.git("config", "--global", "init.templateDir", str(folder / "first" / ".git"))
    # A copy has other inodes and change times, and is to look clean all the same.
    first.git("config", "--global", "core.checkStat", "minimal")
    first.git("config", "--global", "core.trustCtime", "false")
    repo = bare.clone(folder / "repo")
    repo.git("remote", "set-url", "origin", "../bare.git")
    repo.write(".gitattributes", "*.bin filter=kit diff=kit merge=kit -text\n")
    commit(repo, {"model.bin": OLD}, LONG_AGO)
    repo.commit("new", {"model.bin": NEW})
    repo.git("push", "--quiet", "origin", "main")
    forget(repo)
    return folder


@pytest.fixture
def environ(tmp_path: Path, sample: Path) -> dict[str, str]:
    environ = clean_environ(tmp_path / "home")
    Path(environ["GIT_CONFIG_GLOBAL"]).write_text((sample / "home" / ".gitconfig").read_text())
    return environ


@pytest.fixture
def bare(tmp_path: Path, environ: dict[str, str], sample: Path) -> Repo:
    shutil.copytree(sample / "bare.git", tmp_path / "bare.git")
    return Repo(tmp_path / "bare.git", environ)


@pytest.fixture
def repo(bare: Repo, tmp_path: Path, sample: Path) -> Repo:
    """A clone with OLD in its history and NEW at HEAD, all pushed; its remote is the folder in ``bare``."""
    shutil.copytree(sample / "repo", tmp_path / "repo")
    return Repo(tmp_path / "repo", bare.environ)


def commit(repo: Repo, files: dict[str, bytes], when: dict[str, str] | None = None) -> str:
    """Commit ``files``, at another time than now where ``when`` says so."""
    for path, data in files.items():
        repo.write(path, data)
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "change", extra=when)
    return repo.out("rev-parse", "HEAD")


def forget(repo: Repo) -> None:
    """Empty all reflogs but the stash's."""
    for path in (repo.path / ".git").rglob("logs/**/*"):
        if path.is_file() and path.name != "stash":
            path.write_text("")


def prune(repo: Repo, code: int = 0, **rules: bool) -> dict[str, Any]:
    """What is done about blobs of any age, as `git kit prune --json` tells it; or the error with this exit code."""
    context = Context(repo.environ, str(repo.path))
    try:
        result = run.prune(
            lambda: clones_of(context), context.store, Rules(context.settings.trash_days, grace_s=0, **rules)
        )
    except KitError as error:
        assert error.exit_code == code, error
        return {"error": error.message, "hint": error.hint}
    assert code == 0
    return document(result, rules.get("dry_run", False))


def prune_by_command(repo: Repo, code: int = 0) -> dict[str, Any]:
    """The same in a process of its own."""
    done = repo.kit("prune", "--grace", "0", "--json", code=code)
    return json.loads(done.stdout) if code == 0 else {"error": done.stderr}


def moved(result: dict[str, Any]) -> set[str]:
    return {blob["digest"] for blob in result["moved"]}


def kept(result: dict[str, Any]) -> dict[str, set[str]]:
    return {reason: {blob["digest"] for blob in blobs} for reason, blobs in result["kept"].items()}


def store(repo: Repo) -> ImageLayout:
    return ImageLayout(str(repo.path / ".git" / "kit"))


def has(repo: Repo, data: bytes) -> bool:
    """Whether the blob is in its place."""
    return store(repo).has(digest_of(data), len(data))


def remote_of(bare: Repo) -> ImageLayout:
    return ImageLayout(str(bare.path / "kit"))


def pointer(data: bytes) -> bytes:
    return Pointer(digest_of(data), len(data)).encode()


def stays_because(repo: Repo, reason: str, data: bytes = OLD, **rules: bool) -> None:
    """A prune leaves ``data`` for ``reason``."""
    result = prune(repo, **rules)
    assert digest_of(data) in kept(result).get(reason, set()), result
    assert digest_of(data) not in moved(result)
    assert has(repo, data)


# -- what goes -------------------------------------------------------------------------------------------------------


def test_prune_an_old_version_that_the_remote_keeps_moves_it_to_the_trash(repo: Repo) -> None:
    result = prune(repo)
    assert moved(result) == {digest_of(OLD)}
    assert kept(result) == {"checked out": {digest_of(NEW)}}
    assert not has(repo, OLD)
    assert result["in_trash"] == [{"digest": digest_of(OLD), "size": len(OLD)}]


def test_checkout_of_a_pruned_version_takes_it_from_the_trash_without_the_remote(repo: Repo, bare: Repo) -> None:
    prune(repo)
    shutil.rmtree(bare.path / "kit")
    repo.git("checkout", "--quiet", "HEAD~")
    assert repo.read("model.bin") == OLD
    assert has(repo, OLD)
    assert prune(repo, dry_run=True)["in_trash"] == []


def test_fetch_and_push_of_a_pruned_version_find_it_in_the_trash(repo: Repo, bare: Repo) -> None:
    prune(repo)
    shutil.rmtree(bare.path / "kit")
    assert "nothing to download" in repo.kit("fetch", "HEAD~").stderr
    prune(repo)
    repo.kit("push", "--all")
    assert remote_of(bare).has_blob(digest_of(OLD))


def test_add_of_pruned_content_stores_it(repo: Repo) -> None:
    prune(repo)
    commit(repo, {"again.bin": OLD})
    assert has(repo, OLD)
    assert repo.kit("fsck").returncode == 0


def test_prune_with_nothing_to_do_says_so(repo: Repo) -> None:
    prune(repo)
    done = repo.kit("prune", "--grace", "0")
    assert done.stdout.splitlines()[0] == "0 blobs, 0 B moved to the trash"


def test_prune_dry_run_tells_the_same_and_moves_nothing(repo: Repo) -> None:
    foreseen = prune(repo, dry_run=True)
    assert has(repo, OLD)
    assert not (repo.path / ".git" / "kit" / "trash").exists()
    done = prune(repo)
    assert {**foreseen, "dry_run": False} == done


def test_prune_verbose_tells_why_blobs_stay(repo: Repo) -> None:
    lines = repo.kit("prune", "--grace", "0", "-v").stdout.splitlines()
    assert lines[0] == "1 blob, 68.4 KiB moved to the trash"
    assert lines[-2].split() == ["BECAUSE", "BLOBS", "SIZE"]
    assert lines[-1].split() == ["checked", "out", "1", "68.4", "KiB"]


def test_prune_in_an_empty_repository_moves_nothing(bare: Repo, tmp_path: Path) -> None:
    repo = init(tmp_path / "empty", bare.environ)
    repo.git("remote", "add", "origin", str(bare.path))
    assert prune(repo) == {"dry_run": False, "moved": [], "restored": [], "deleted": [], "in_trash": [], "kept": {}}


# -- what Git needs --------------------------------------------------------------------------------------------------


def test_prune_keeps_what_is_checked_out_though_head_is_detached(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "--detach", "HEAD~")
    forget(repo)
    stays_because(repo, "checked out")


def test_prune_keeps_what_is_staged_and_in_no_commit(repo: Repo) -> None:
    repo.write("staged.bin", OTHER)
    repo.git("add", "staged.bin")
    stays_because(repo, "index", OTHER)


def test_prune_keeps_an_old_version_that_is_staged_though_the_file_is_gone(repo: Repo) -> None:
    repo.git("update-index", "--cacheinfo", f"100644,{repo.out('rev-parse', 'HEAD~:model.bin')},model.bin")
    (repo.path / "model.bin").unlink()
    stays_because(repo, "index")


def test_prune_keeps_all_sides_of_a_conflict_in_the_index(repo: Repo) -> None:
    oids = [repo.git("hash-object", "-w", "--stdin", stdin=pointer(data)).stdout.strip() for data in (NEW, OLD)]
    entries = [f"0 {'0' * 40}\tmodel.bin", *(f"100644 {oid} {2 + n}\tmodel.bin" for n, oid in enumerate(oids))]
    repo.git("update-index", "--index-info", stdin="\n".join(entries).encode())
    stays_because(repo, "index")


def test_prune_keeps_what_a_changed_file_points_to(repo: Repo) -> None:
    repo.write("model.bin", pointer(OLD))
    stays_because(repo, "worktree")


def test_prune_keeps_what_a_changed_file_holds(repo: Repo) -> None:
    repo.write("model.bin", OLD)
    stays_because(repo, "worktree")


def test_prune_keeps_what_is_checked_out_in_a_linked_worktree(repo: Repo) -> None:
    repo.git("worktree", "add", "--quiet", "--detach", "../linked", "HEAD~")
    forget(repo)
    stays_because(repo, "checked out")


def test_prune_in_a_linked_worktree_keeps_what_is_checked_out_in_the_main_one(repo: Repo) -> None:
    repo.git("worktree", "add", "--quiet", "--detach", "../linked", "HEAD")
    repo.git("checkout", "--quiet", "--detach", "HEAD~")
    forget(repo)
    result = prune(Repo(repo.path.parent / "linked", repo.environ))
    assert kept(result)["checked out"] == {digest_of(OLD), digest_of(NEW)}


def test_prune_keeps_what_is_staged_in_a_linked_worktree(repo: Repo) -> None:
    repo.git("worktree", "add", "--quiet", "../linked")
    linked = Repo(repo.path.parent / "linked", repo.environ)
    linked.write("staged.bin", OTHER)
    linked.git("add", "staged.bin")
    stays_because(repo, "index", OTHER)


def test_prune_keeps_what_a_changed_file_of_a_linked_worktree_points_to(repo: Repo) -> None:
    repo.git("worktree", "add", "--quiet", "../linked")
    Repo(repo.path.parent / "linked", repo.environ).write("model.bin", pointer(OLD))
    stays_because(repo, "worktree")


@pytest.mark.parametrize("locked", [False, True])
def test_prune_keeps_what_a_linked_worktree_out_of_reach_needs(repo: Repo, locked: bool) -> None:
    repo.git("worktree", "add", "--quiet", "--detach", "../linked", "HEAD~")
    linked = Repo(repo.path.parent / "linked", repo.environ)
    linked.write("staged.bin", OTHER)
    linked.git("add", "staged.bin")
    if locked:
        repo.git("worktree", "lock", "../linked")
    forget(repo)
    linked.path.rename(repo.path.parent / "unplugged")
    result = prune(repo)
    assert moved(result) == set()
    assert digest_of(OLD) in kept(result)["checked out"]
    assert kept(result)["index"] == {digest_of(OTHER)}


@pytest.mark.parametrize("ref", ["refs/remotes/origin/topic", "refs/heads/topic", "refs/tags/v1", "refs/notes/x"])
def test_prune_keeps_what_the_tip_of_a_recent_ref_needs(repo: Repo, ref: str) -> None:
    tree, parent = repo.out("rev-parse", "HEAD~^{tree}"), repo.out("rev-parse", "HEAD~")
    repo.git("update-ref", ref, repo.out("commit-tree", tree, "-p", parent, "-m", "recent"))
    forget(repo)
    stays_because(repo, "recent branches and tags")


def test_prune_keeps_what_a_tag_of_today_on_an_old_commit_needs(repo: Repo) -> None:
    repo.git("tag", "--annotate", "--message", "it", "v1", "HEAD~")
    stays_because(repo, "recent branches and tags")


def test_prune_does_not_keep_what_a_ref_before_recent_days_needs(repo: Repo) -> None:
    repo.git("update-ref", "refs/remotes/origin/topic", "HEAD~")
    repo.git("tag", "v1", "HEAD~")
    forget(repo)
    assert moved(prune(repo, dry_run=True)) == {digest_of(OLD)}
    repo.git("config", "kit.recentDays", "36500")
    stays_because(repo, "recent branches and tags")


def test_prune_keeps_all_that_stashes_hold(repo: Repo) -> None:
    contents = [some_bytes(30_000 + n, seed=10 + n) for n in range(4)]
    repo.write("model.bin", contents[0])
    repo.git("add", "model.bin")
    repo.write("model.bin", contents[1])
    repo.write("untracked.bin", contents[2])
    repo.git("stash", "push", "--quiet", "--include-untracked")
    repo.write("model.bin", contents[3])
    repo.git("stash", "push", "--quiet")
    forget(repo)
    result = prune(repo)
    assert kept(result)["stash"] == {digest_of(data) for data in contents}
    assert moved(result) == {digest_of(OLD)}
    repo.git("stash", "drop", "--quiet")
    repo.git("stash", "pop", "--quiet")
    assert repo.read("untracked.bin") == contents[2]
    assert repo.read("model.bin") == contents[1]


def test_prune_keeps_commits_that_only_the_reflog_knows(repo: Repo) -> None:
    repo.commit("mistake", {"model.bin": OTHER})
    repo.git("reset", "--quiet", "--hard", "HEAD~")
    (repo.path / ".git" / "ORIG_HEAD").unlink()
    stays_because(repo, "reflog", OTHER)


def test_prune_keeps_what_an_amended_commit_held(repo: Repo) -> None:
    repo.commit("first try", {"model.bin": OTHER})
    repo.write("model.bin", some_bytes(40_000, seed=4))
    repo.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    stays_because(repo, "reflog", OTHER)


def test_prune_keeps_commits_that_only_the_reflog_of_a_linked_worktree_knows(repo: Repo) -> None:
    repo.git("worktree", "add", "--quiet", "--detach", "../linked", "HEAD")
    linked = Repo(repo.path.parent / "linked", repo.environ)
    linked.commit("mistake", {"model.bin": OTHER})
    linked.git("reset", "--quiet", "--hard", "HEAD~")
    (repo.path / ".git" / "worktrees" / "linked" / "ORIG_HEAD").unlink()
    stays_because(repo, "reflog", OTHER)


def test_prune_keeps_what_commits_that_are_not_pushed_need_though_the_remote_has_it(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "topic")
    commit(repo, {"topic.bin": OTHER}, LONG_AGO)
    repo.kit("push", "topic")
    repo.git("checkout", "--quiet", "main")
    forget(repo)
    stays_because(repo, "not pushed", OTHER)


def test_prune_keeps_what_a_local_tag_that_is_not_pushed_needs(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "--detach")
    commit(repo, {"topic.bin": OTHER}, LONG_AGO)
    repo.git("tag", "kept")
    repo.git("checkout", "--quiet", "main")
    forget(repo)
    stays_because(repo, "not pushed", OTHER)


def test_prune_without_a_git_remote_keeps_all_that_branches_need(repo: Repo, bare: Repo) -> None:
    repo.git("config", "kit.url", f"oci-layout:{bare.path}/kit")
    repo.git("remote", "remove", "origin")
    stays_because(repo, "not pushed")


def test_prune_keeps_an_old_version_that_a_tag_of_a_blob_names(repo: Repo) -> None:
    repo.git("tag", "the-blob", repo.out("rev-parse", "HEAD~:model.bin"))
    result = prune(repo)
    assert moved(result) == set()


def test_prune_in_a_bare_repository_keeps_what_head_needs(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    other = bare.clone(tmp_path / "other.git", "--bare")
    other.kit("fetch", "main", "main~")
    result = prune(other)
    assert kept(result)["checked out"] == {digest_of(NEW)}
    # It has no remote-tracking refs, so that nothing is known to be pushed.
    assert kept(result)["not pushed"] == {digest_of(OLD)}


# -- unfinished work -------------------------------------------------------------------------------------------------


@pytest.fixture
def conflicting(repo: Repo) -> Repo:
    """``main`` and ``side`` (pushed, of 2020) that both changed the model: OTHER is on ``side``."""
    repo.git("checkout", "--quiet", "-b", "side", "HEAD~")
    commit(repo, {"model.bin": OTHER}, LONG_AGO)
    repo.git("push", "--quiet", "origin", "side")
    repo.git("checkout", "--quiet", "main")
    forget(repo)
    assert digest_of(OTHER) in moved(prune(repo, dry_run=True))
    return repo


@pytest.mark.parametrize("command", ["merge", "cherry-pick"])
def test_prune_keeps_what_an_unfinished_merge_or_pick_needs(conflicting: Repo, command: str) -> None:
    conflicting.git(command, "side", code=1)
    conflicting.git("checkout", "--ours", "model.bin")
    conflicting.git("add", "model.bin")
    conflicting.git("update-index", "--clear-resolve-undo")
    forget(conflicting)
    stays_because(conflicting, "unfinished merge or rebase", OTHER)


def test_prune_keeps_what_a_stopped_rebase_goes_back_to(conflicting: Repo) -> None:
    conflicting.git("checkout", "--quiet", "side")
    conflicting.git("rebase", "main", code=1)
    conflicting.git("rm", "--quiet", "--cached", "model.bin")
    conflicting.git("update-index", "--clear-resolve-undo")
    forget(conflicting)
    stays_because(conflicting, "unfinished merge or rebase", OTHER)


def test_prune_keeps_what_a_rebase_in_a_linked_worktree_goes_back_to(conflicting: Repo) -> None:
    conflicting.git("worktree", "add", "--quiet", "../linked", "side")
    linked = Repo(conflicting.path.parent / "linked", conflicting.environ)
    linked.git("rebase", "main", code=1)
    linked.git("rm", "--quiet", "--cached", "model.bin")
    linked.git("update-index", "--clear-resolve-undo")
    forget(conflicting)
    stays_because(conflicting, "unfinished merge or rebase", OTHER)


def test_prune_keeps_what_the_autostash_of_a_rebase_holds(conflicting: Repo) -> None:
    conflicting.git("checkout", "--quiet", "side")
    conflicting.write("model.bin", some_bytes(45_000, seed=9))
    conflicting.git("rebase", "--autostash", "main", code=1)
    forget(conflicting)
    stays_because(conflicting, "unfinished merge or rebase", some_bytes(45_000, seed=9))


def test_prune_keeps_what_an_unfinished_revert_needs(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "topic")
    repo.commit("third", {"model.bin": OTHER})
    repo.git("revert", "--no-edit", "HEAD~", code=1)
    assert moved(prune(repo)) == set()


def test_prune_keeps_what_a_bisect_has_marked(repo: Repo) -> None:
    repo.git("bisect", "start", "HEAD", "HEAD~")
    forget(repo)
    stays_because(repo, "unfinished merge or rebase")


def test_prune_keeps_what_a_patch_that_waits_to_be_applied_points_to(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "topic", "HEAD~")
    commit(repo, {"model.bin": OTHER}, LONG_AGO)
    patch = repo.git("-c", "diff.kit.textconv=", "format-patch", "--stdout", "-1").stdout.encode()
    assert digest_of(OTHER).encode() in patch
    repo.git("checkout", "--quiet", "main")
    repo.git("branch", "--quiet", "-D", "topic")
    repo.git("am", "--quiet", stdin=patch, code=128)
    forget(repo)
    repo.git("reflog", "expire", "--expire=now", "--all")
    stays_because(repo, "unfinished merge or rebase", OTHER)


def test_prune_after_a_reset_keeps_what_orig_head_names(repo: Repo) -> None:
    repo.git("update-ref", "ORIG_HEAD", "HEAD~")
    stays_because(repo, "ORIG_HEAD")


# -- what the remote cannot be shown to keep -------------------------------------------------------------------------


def test_prune_keeps_what_the_remote_has_lost(repo: Repo, bare: Repo) -> None:
    Path(remote_of(bare).blob_path(digest_of(OLD))).unlink()
    stays_because(repo, "not kept by the remote")


def test_prune_keeps_what_no_keep_manifest_names_any_more(repo: Repo, bare: Repo) -> None:
    for tag in remote_of(bare).tags():
        remote_of(bare).delete_tag(tag)
    stays_because(repo, "not kept by the remote")


def test_prune_keeps_a_branch_that_was_deleted_and_collected_on_the_remote(repo: Repo, bare: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "topic")
    commit(repo, {"topic.bin": OTHER}, LONG_AGO)
    repo.git("push", "--quiet", "origin", "topic")
    repo.git("checkout", "--quiet", "main")
    # Somebody else deletes the branch and the registry collects; here the remote-tracking branch is still there.
    bare.git("update-ref", "-d", "refs/heads/topic")
    shutil.rmtree(bare.path / "kit")
    forget(repo)
    result = prune(repo)
    assert kept(result)["not kept by the remote"] == {digest_of(OLD), digest_of(OTHER)}
    assert has(repo, OTHER)


def test_prune_keeps_what_nothing_names_and_the_remote_does_not_have(repo: Repo) -> None:
    repo.write("draft.bin", OTHER)
    repo.git("add", "draft.bin")
    repo.git("rm", "--quiet", "--cached", "draft.bin")
    stays_because(repo, "named by nothing, not kept by the remote", OTHER)


def test_prune_unreachable_moves_what_nothing_names_and_it_can_come_back(repo: Repo) -> None:
    repo.write("draft.bin", OTHER)
    repo.git("add", "draft.bin")
    blob = repo.out("rev-parse", ":draft.bin")
    repo.git("rm", "--quiet", "--cached", "draft.bin")
    assert digest_of(OTHER) in moved(prune(repo, unreachable=True))
    (repo.path / "draft.bin").unlink()
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{blob},draft.bin")
    repo.git("checkout", "--", "draft.bin")
    assert repo.read("draft.bin") == OTHER


def test_prune_unreachable_still_keeps_what_history_names_and_the_remote_has_lost(repo: Repo, bare: Repo) -> None:
    Path(remote_of(bare).blob_path(digest_of(OLD))).unlink()
    stays_because(repo, "not kept by the remote", OLD, unreachable=True)


def test_prune_without_a_remote_moves_nothing(repo: Repo) -> None:
    repo.git("remote", "remove", "origin")
    done = repo.kit("prune", "--grace", "0", "--unreachable", code=10)
    assert "hint: git kit remote oci://HOST/REPOSITORY" in done.stderr
    assert has(repo, OLD)


def test_prune_with_a_remote_that_cannot_be_reached_moves_and_deletes_nothing(repo: Repo) -> None:
    prune(repo)
    age_trash(repo)
    repo.write("draft.bin", OTHER)
    repo.git("add", "draft.bin")
    repo.git("rm", "--quiet", "--cached", "draft.bin")
    repo.git("config", "kit.url", "oci://127.0.0.1:9/acme/llm")
    prune(repo, code=14)
    assert has(repo, OTHER)
    assert len(days(repo)) == 1


def test_prune_with_a_remote_that_fails_on_one_question_moves_nothing(
    repo: Repo, fault_registry: FaultRegistry
) -> None:
    extra = [some_bytes(20_000 + n, seed=20 + n) for n in range(3)]
    for data in extra:
        commit(repo, {"more.bin": data}, LONG_AGO)
    repo.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    repo.git("push", "--quiet", "origin", "main")
    repo.kit("push", "--all")
    forget(repo)
    fault_registry.add(Fault(method="HEAD", path=digest_of(extra[1])[7:], status=403, times=None))
    prune_by_command(repo, code=12)
    assert all(has(repo, data) for data in (OLD, *extra))


def test_prune_whose_remote_denies_access_moves_nothing(repo: Repo, fault_registry: FaultRegistry) -> None:
    repo.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    fault_registry.add(Fault(method="GET", path="/tags/", status=403, times=None))
    prune_by_command(repo, code=12)
    assert has(repo, OLD)


def test_prune_whose_remote_is_the_store_itself_moves_nothing(repo: Repo) -> None:
    (repo.path.parent / "alias").symlink_to(repo.path / ".git" / "kit")
    repo.kit("push", "--all")
    shutil.copytree(repo.path.parent / "bare.git" / "kit", repo.path / ".git" / "kit", dirs_exist_ok=True)
    repo.git("config", "kit.url", f"oci-layout:{repo.path.parent}/alias")
    assert moved(prune(repo)) == set()


# -- kits and keep-manifests -----------------------------------------------------------------------------------------


def test_prune_keeps_manifests_and_what_only_they_name(repo: Repo) -> None:
    repo.write("Kitfile", "model: {path: model.bin}\ndocs: [{path: README.md}]\n")
    repo.write("README.md", "hello\n")
    repo.commit("kit")
    repo.git("tag", "v1")
    digest = repo.kit("build", "v1").stdout.strip()
    before = {found for found, _ in store(repo).blobs()}
    repo.git("push", "--quiet", "origin", "main", "v1")
    forget(repo)
    result = prune(repo, unreachable=True)
    assert digest in kept(result)["kits in the store"]
    assert moved(result) == {digest_of(OLD)}
    assert {found for found, _ in store(repo).blobs()} == before - {digest_of(OLD)}


def test_prune_in_a_store_that_others_push_to_keeps_their_content(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    # ``repo`` is the remote of ``other``, and has itself a remote that keeps everything.
    repo.git("config", "receive.denyCurrentBranch", "ignore")
    other = repo.clone(tmp_path / "other")
    other.git("checkout", "--quiet", "-b", "topic")
    commit(other, {"topic.bin": OTHER}, LONG_AGO)
    other.git("push", "--quiet", "origin", "topic")
    assert has(repo, OTHER)
    repo.git("push", "--quiet", "origin", "topic")
    forget(repo)
    stays_because(repo, "kits in the store", OTHER)


def test_prune_with_a_damaged_manifest_moves_nothing(repo: Repo) -> None:
    repo.write("Kitfile", "model: {path: model.bin}\n")
    repo.commit("kit")
    repo.git("tag", "v1")
    path = Path(store(repo).blob_path(repo.kit("build", "v1").stdout.strip()))
    path.chmod(0o644)
    path.write_bytes(b"{}")
    prune(repo, code=11)
    assert has(repo, OLD)


# -- what Git cannot say ---------------------------------------------------------------------------------------------


def test_prune_with_missing_git_objects_moves_nothing(repo: Repo) -> None:
    oid = repo.out("rev-parse", "HEAD:model.bin")
    (repo.path / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    prune(repo, code=11)
    assert has(repo, OLD)


def test_prune_with_a_broken_ref_moves_nothing(repo: Repo) -> None:
    (repo.path / ".git" / "refs" / "heads" / "broken").write_text("1" * 40 + "\n")
    prune(repo, code=1)
    assert has(repo, OLD)


def test_prune_with_a_broken_index_of_a_linked_worktree_moves_nothing(repo: Repo) -> None:
    repo.git("worktree", "add", "--quiet", "../linked")
    (repo.path / ".git" / "worktrees" / "linked" / "index").write_bytes(b"DIRC\0\0\0\2")
    prune(repo, code=1)
    assert has(repo, OLD)


def test_prune_in_a_partial_clone_keeps_what_it_does_not_know(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    bare.git("config", "uploadpack.allowFilter", "true")
    clone = Repo(tmp_path / "partial", repo.environ)
    repo.git("clone", "--quiet", "--filter=blob:none", f"file://{bare.path}", str(clone.path))
    store(clone).add_bytes(OLD)
    result = prune(clone, unreachable=True)
    assert moved(result) == set()
    assert kept(result) == {"checked out": {digest_of(NEW)}, "Git does not know all names": {digest_of(OLD)}}
    assert "missing" not in clone.git("rev-list", "--objects", "--missing=print", "HEAD", code=0).stderr


def test_prune_in_a_partial_clone_downloads_nothing_from_git(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    bare.git("config", "uploadpack.allowFilter", "true")
    clone = Repo(tmp_path / "partial", repo.environ)
    repo.git("clone", "--quiet", "--filter=blob:none", f"file://{bare.path}", str(clone.path))
    before = clone.out("rev-list", "--objects", "--missing=print", "--all")
    prune(clone)
    assert before.count("\n?") == 1
    assert clone.out("rev-list", "--objects", "--missing=print", "--all") == before


def test_prune_in_a_clone_without_trees_moves_nothing(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    bare.git("config", "uploadpack.allowFilter", "true")
    repo.git("tag", "--annotate", "--message", "recent", "v1", "HEAD~")
    repo.git("push", "--quiet", "origin", "v1")
    clone = Repo(tmp_path / "treeless", repo.environ)
    repo.git("clone", "--quiet", "--filter=tree:0", f"file://{bare.path}", str(clone.path))
    store(clone).add_bytes(OLD)
    assert moved(prune(clone, unreachable=True)) == set()


def test_prune_in_a_shallow_clone_keeps_what_it_does_not_know(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    clone = Repo(tmp_path / "shallow", repo.environ)
    repo.git("clone", "--quiet", "--depth=1", f"file://{bare.path}", str(clone.path))
    store(clone).add_bytes(OLD)
    result = prune(clone, unreachable=True)
    assert moved(result) == set()
    assert kept(result)["Git does not know all names"] == {digest_of(OLD)}


def test_prune_in_a_sparse_checkout_keeps_what_is_outside_of_it(repo: Repo) -> None:
    commit(repo, {"far/away.bin": OTHER}, LONG_AGO)
    repo.git("push", "--quiet", "origin", "main")
    repo.git("sparse-checkout", "set", "--sparse-index", "near")
    assert not (repo.path / "far").exists()
    forget(repo)
    result = prune(repo)
    assert digest_of(OTHER) in kept(result)["checked out"]


def test_prune_in_a_sha256_repository_works(environ: dict[str, str], tmp_path: Path) -> None:
    bare = init(tmp_path / "wide.git", environ, "--bare", "--object-format=sha256")
    repo = init(tmp_path / "wide", environ, "--object-format=sha256")
    repo.git("remote", "add", "origin", str(bare.path))
    repo.write(".gitattributes", "*.bin filter=kit -text\n")
    commit(repo, {"model.bin": OLD}, LONG_AGO)
    repo.commit("new", {"model.bin": NEW})
    repo.git("push", "--quiet", "origin", "main")
    forget(repo)
    assert moved(prune(repo)) == {digest_of(OLD)}


# -- age, and the trash's end ----------------------------------------------------------------------------------------


def test_prune_keeps_blobs_of_the_last_hour(repo: Repo) -> None:
    result = json.loads(repo.kit("prune", "--json").stdout)
    assert kept(result)["stored lately"] == {digest_of(OLD)}
    assert moved(result) == set()


def days(repo: Repo) -> list[Path]:
    return list((repo.path / ".git" / "kit" / "trash").iterdir())


def age_trash(repo: Repo, day: str = "2020-02-02") -> None:
    (folder,) = days(repo)
    folder.rename(folder.parent / day)


def test_prune_deletes_what_was_in_the_trash_for_long(repo: Repo) -> None:
    prune(repo)
    age_trash(repo)
    result = prune(repo)
    assert result["deleted"] == [{"digest": digest_of(OLD), "size": len(OLD)}]
    assert days(repo) == []


def test_prune_leaves_the_trash_alone_for_trash_days(repo: Repo) -> None:
    prune(repo)
    age_trash(repo, time.strftime("%Y-%m-%d", time.gmtime(time.time() - 20 * 86400)))
    repo.git("config", "kit.trashDays", "30")
    assert prune(repo)["deleted"] == []
    repo.git("config", "kit.trashDays", "20")
    assert len(prune(repo)["deleted"]) == 1


def test_prune_of_an_expired_blob_that_is_needed_again_brings_it_back(repo: Repo) -> None:
    prune(repo)
    age_trash(repo)
    repo.git("reset", "--quiet", "--hard", "HEAD~", extra=SKIP)
    result = prune(repo)
    assert result["restored"] == [{"digest": digest_of(OLD), "size": len(OLD)}]
    assert result["deleted"] == []
    assert has(repo, OLD)


def test_prune_of_an_expired_blob_that_the_remote_has_lost_brings_it_back(repo: Repo, bare: Repo) -> None:
    prune(repo)
    age_trash(repo)
    Path(remote_of(bare).blob_path(digest_of(OLD))).unlink()
    result = prune(repo)
    assert result["restored"] == [{"digest": digest_of(OLD), "size": len(OLD)}]
    assert result["deleted"] == []
    assert has(repo, OLD)


def test_prune_expire_now_frees_the_space_at_once(repo: Repo) -> None:
    result = prune(repo, expire_now=True)
    assert [blob["digest"] for blob in result["deleted"]] == [digest_of(OLD)]
    assert result["in_trash"] == []
    assert not has(repo, OLD)
    repo.git("checkout", "--quiet", "HEAD~")
    assert repo.read("model.bin") == OLD


def test_prune_expire_now_leaves_a_blob_with_two_names_in_the_trash(repo: Repo, tmp_path: Path) -> None:
    # A `git add` that found it while it went may not have named it yet; see ``Trash.delete``.
    os.link(store(repo).blob_path(digest_of(OLD)), tmp_path / "another name")
    result = prune(repo, expire_now=True)
    assert (result["deleted"], result["in_trash"]) == ([], [{"digest": digest_of(OLD), "size": len(OLD)}])
    assert len(prune(repo, expire_now=True)["deleted"]) == 1


@pytest.mark.parametrize("setting", ["kit.trashDays", "kit.recentDays"])
def test_prune_with_a_setting_that_is_no_number_is_refused(repo: Repo, setting: str) -> None:
    repo.git("config", setting, "soon")
    assert "which is not a number of days" in prune(repo, code=16)["error"]


# -- at the same time ------------------------------------------------------------------------------------------------


@pytest.fixture
def watched(repo: Repo, fault_registry: FaultRegistry) -> Callable[[Callable[[], object]], None]:
    """Has something happen while a prune waits for the remote's answer about OLD: all needs are known by then."""
    repo.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    repo.kit("push", "--all")

    def meanwhile(action: Callable[[], object]) -> None:
        fault_registry.add(Fault(method="HEAD", path=digest_of(OLD)[7:], call=lambda: action() and None))

    return meanwhile


def test_prune_while_the_same_content_is_staged_keeps_it(
    repo: Repo, watched: Callable[[Callable[[], object]], None]
) -> None:
    repo.write("again.bin", OLD)
    watched(lambda: repo.git("add", "again.bin"))
    result = prune_by_command(repo)
    assert moved(result) == set()
    assert has(repo, OLD)


def test_prune_while_an_old_commit_is_checked_out_keeps_its_content(
    repo: Repo, watched: Callable[[Callable[[], object]], None]
) -> None:
    watched(lambda: repo.git("reset", "--quiet", "--hard", "HEAD~", extra=SKIP))
    result = prune_by_command(repo)
    assert moved(result) == set()
    assert has(repo, OLD)


def test_prune_that_finds_git_broken_after_moving_brings_everything_back(
    repo: Repo, watched: Callable[[Callable[[], object]], None]
) -> None:
    watched(lambda: (repo.path / ".git" / "refs" / "heads" / "broken").write_text("1" * 40 + "\n"))
    prune_by_command(repo, code=1)
    assert has(repo, OLD)


def test_prune_while_another_one_runs_waits_for_it(repo: Repo, fault_registry: FaultRegistry) -> None:
    repo.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    repo.kit("push", "--all")
    held = fault_registry.add(Fault(method="HEAD", path=digest_of(OLD)[7:], pause_after=0))
    first = repo.start("git", "kit", "prune", "--grace", "0", "--json")
    assert held.reached.wait(30)
    second = repo.start("git", "kit", "prune", "--grace", "0", "--json")
    held.resume.set()
    results = []
    for process in (first, second):
        with process:
            results.append(json.loads(process.communicate(timeout=60)[0]))
    assert [moved(result) for result in results] == [{digest_of(OLD)}, set()]


def killed_at(repo: Repo, calls: str, number: int) -> bool:
    """Run a prune that is killed at its ``number``-th system call of ``calls``; whether it got that far."""
    inject = f"inject={calls}:signal=SIGKILL:when={number}"
    argv = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}", "-e", inject]
    program = shutil.which("git-kit", path=repo.environ["PATH"]) or "git-kit"
    done = subprocess.run(
        [*argv, program, "prune", "--grace", "0", "--unreachable"],
        cwd=repo.path,
        env=repo.environ,
        capture_output=True,
        check=False,
    )
    return done.returncode != 0


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_prune_killed_at_any_rename_or_unlink_loses_nothing(repo: Repo) -> None:
    more = [some_bytes(9_000 + n, seed=30 + n) for n in range(3)]
    for data in more:
        commit(repo, {"more.bin": data}, LONG_AGO)
    repo.git("push", "--quiet", "origin", "main")
    forget(repo)
    everything = {digest_of(data): len(data) for data in (OLD, NEW, *more)}
    number = 1
    while killed_at(repo, "rename,renameat,renameat2,mkdir", number):
        assert all(store(repo).holds(digest, size) for digest, size in everything.items())
        assert repo.kit("fsck").returncode == 0
        number += 1
    assert number > 3


def test_prune_of_a_store_that_a_registry_backs_works(repo: Repo, fault_registry: FaultRegistry) -> None:
    repo.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    repo.kit("push", "--all")
    assert moved(prune_by_command(repo)) == {digest_of(OLD)}
    assert connect(fault_registry.host).has_blob(digest_of(OLD))
    # One question for the blob in doubt, none for what is needed anyway.
    assert [call.path[-64:] for call in fault_registry.seen("HEAD", "/blobs/")][-1:] == [digest_of(OLD)[7:]]
