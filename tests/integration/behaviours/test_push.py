"""What a push uploads, and that no ref moves before its content is there.

Content that is gone, deleted branches, several refs at once, two push URLs, pushes by URL: tests/integration/
test_push_pull.py and test_push_proof.py. Damaged blobs and remotes that refuse: test_bad_input.py, test_transfers.py.
"""

import os
from pathlib import Path

from tests.lib.large_files import ATTRIBUTES, LARGE, TOP, A, B, blob_in, drafts, in_worktree, pointer_to, store_blob
from tests.lib.repos import Repo, init, some_bytes

NEW, NEWER = some_bytes(5000, seed=21), some_bytes(5001, seed=22)


def kept(bare: Repo, *data: bytes) -> list[bool]:
    """Which of ``data`` the folder in the Git remote holds."""
    return [blob_in(bare.path / "kit", it).exists() for it in data]


def test_round_trip_through_a_remote_and_a_branch_of_other_names_leaves_no_draft(
    repo: Repo, bare: Repo, tmp_path: Path
) -> None:
    repo.commit("first", {"a.bin": A, "b.bin": B, "empty.bin": b""})
    repo.git("remote", "add", "hub", str(bare.path))
    repo.git("push", "--quiet", "--set-upstream", "hub", "main:refs/heads/shared/model")
    bare.git("symbolic-ref", "HEAD", "refs/heads/shared/model")
    clone = bare.clone(tmp_path / "clone", "--origin", "there")
    assert in_worktree(clone, "a.bin", "b.bin", "empty.bin") == {"a.bin": A, "b.bin": B, "empty.bin": b""}
    clone.commit("second", {"a.bin": NEW})
    clone.git("push", "--quiet")
    repo.git("pull", "--quiet")
    assert repo.read("a.bin") == NEW
    assert drafts(repo) == drafts(clone) == os.listdir(bare.path / "kit" / "tmp") == []


def test_forced_push_of_a_rewritten_commit_uploads_its_content_and_keeps_the_old(author: Repo, origin: Repo) -> None:
    author.commit("draft", {"top.bin": NEW})
    author.git("push", "--quiet", "origin", "main")
    author.write("top.bin", NEWER)
    author.git("commit", "--quiet", "--all", "--amend", "--message", "final")
    author.git("push", "origin", "main", code=1)
    author.git("push", "--quiet", "--force-with-lease", "origin", "main")
    assert kept(origin, NEW, NEWER) == [True, True]
    assert origin.blob("main:top.bin") == pointer_to(NEWER)


def test_push_that_deletes_one_branch_and_makes_another_uploads_what_is_new(author: Repo, origin: Repo) -> None:
    author.git("push", "--quiet", "origin", "main:refs/heads/old")
    author.commit("new", {"new.bin": NEW})
    author.git("push", "--quiet", "origin", ":refs/heads/old", "HEAD:refs/heads/new")
    assert kept(origin, NEW) == [True]
    assert origin.out("for-each-ref", "--format=%(refname:short)").split() == ["main", "new"]


def test_push_of_a_commit_that_no_branch_names_uploads(author: Repo, origin: Repo) -> None:
    author.git("switch", "--quiet", "--detach")
    oid = author.commit("new", {"new.bin": NEW})
    author.git("push", "--quiet", "origin", f"{oid}:refs/heads/by-oid")
    assert kept(origin, NEW) == [True]


def test_push_of_everything_uploads_what_branches_and_tags_need(author: Repo, origin: Repo, bare: Repo) -> None:
    author.git("switch", "--quiet", "--detach")
    author.commit("tagged", {"new.bin": NEW})
    author.git("tag", "--annotate", "--message", "one", "v1")
    author.git("switch", "--quiet", "main")
    author.git("push", "--quiet", "origin", "--tags")
    assert kept(origin, NEW) == [True]
    author.git("remote", "add", "mirror", str(bare.path))
    author.git("push", "--quiet", "--mirror", "mirror")
    assert kept(bare, NEW, A, B, TOP) == [True] * 4


def test_push_goes_to_the_fork_that_the_branch_is_pushed_to(author: Repo, origin: Repo, bare: Repo) -> None:
    author.git("remote", "add", "fork", str(bare.path))
    author.git("config", "branch.main.pushRemote", "fork")
    author.git("config", "push.default", "current")
    author.commit("new", {"new.bin": NEW})
    author.git("push", "--quiet")
    assert kept(bare, NEW, A, B, TOP) == [True] * 4
    assert kept(origin, NEW) == [False]
    assert origin.out("rev-parse", "main") == author.out("rev-parse", "origin/main")


def test_push_over_a_hole_in_the_past_warns_and_brings_the_rest(author: Repo, origin: Repo) -> None:
    author.commit("lost", {"lost.bin": NEW})
    author.git("push", "--quiet", "--no-verify", "origin", "main")
    (author.path / "lost.bin").unlink()
    store_blob(author, NEW).unlink()
    author.commit("without it", {"new.bin": NEWER})
    assert "lost.bin" in author.git("push", "--quiet", "origin", "main").stderr
    assert kept(origin, NEW, NEWER) == [False, True]
    assert origin.out("rev-parse", "main") == author.out("rev-parse", "HEAD")


def test_push_by_a_hook_that_is_told_nonsense_uploads_nothing(author: Repo) -> None:
    for text in (b"", b"\n", b"nonsense\n", b"refs/heads/main zz refs/heads/main\n"):
        done = author.kit("hook", "pre-push", "origin", "nowhere", stdin=text)
        assert (done.stdout, done.stderr) == ("", "")


# -- git kit push ----------------------------------------------------------------------------------------------------


def test_kit_push_of_revisions_uploads_what_they_need_and_no_more(author: Repo, bare: Repo) -> None:
    author.git("config", "kit.url", f"oci-layout:{bare.path / 'kit'}")
    author.git("switch", "--quiet", "--orphan", "side")
    author.commit("side", {".gitattributes": ATTRIBUTES, "new.bin": NEW})
    author.git("tag", "--annotate", "--message", "one", "v1")
    author.git("switch", "--quiet", "--orphan", "other")
    author.commit("other", {".gitattributes": ATTRIBUTES, "newer.bin": NEWER})
    author.kit("push", "v1")
    assert kept(bare, NEW, NEWER, A) == [True, False, False]
    author.kit("push", "side", "other")
    assert kept(bare, NEW, NEWER, A) == [True, True, False]
    assert bare.out("for-each-ref") == ""


def test_kit_push_of_a_name_that_is_branch_and_tag_takes_each_by_its_whole_name(author: Repo, bare: Repo) -> None:
    author.git("config", "kit.url", f"oci-layout:{bare.path / 'kit'}")
    author.git("switch", "--quiet", "--orphan", "same")
    author.commit("branch", {".gitattributes": ATTRIBUTES, "new.bin": NEW})
    author.git("tag", "same", "main")
    author.kit("push", "refs/heads/same")
    assert kept(bare, NEW, A) == [True, False]
    author.kit("push", "refs/tags/same")
    assert kept(bare, NEW, A) == [True, True]


def test_kit_push_all_uploads_what_any_ref_has_in_its_history(author: Repo, bare: Repo) -> None:
    author.git("config", "kit.url", f"oci-layout:{bare.path / 'kit'}")
    author.commit("new", {"top.bin": NEW})
    author.git("tag", "v1")
    author.git("reset", "--quiet", "--hard", "HEAD~1")
    author.kit("push", "--all")
    assert kept(bare, NEW, *LARGE.values()) == [True] * 5


def test_kit_push_of_what_is_no_revision_or_a_remote_tells_so(author: Repo) -> None:
    assert '"nonsense" is not a commit, branch or tag here' in author.kit("push", "nonsense", code=10).stderr
    said = author.kit("push", "origin", "main", code=2).stderr
    assert "origin is a Git remote; git kit push takes revisions" in said
    assert "hint: git kit push main" in said


def test_kit_push_in_a_bare_repository_passes_content_on(origin: Repo, tmp_path: Path) -> None:
    there = init(tmp_path / "there.git", origin.environ, "--bare")
    origin.git("config", "kit.url", f"oci-layout:{there.path / 'kit'}")
    origin.kit("push", "main")
    assert kept(there, A, B, TOP) == [True] * 3
