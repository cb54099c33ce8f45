"""Names that look like something else, and files that others of a group may read.

Names with every odd character, the executable bit, a repository of a group that is pushed to: tests/integration/
test_filter_process.py and test_push_proof.py. Drafts of killed processes: tests/unit/store/test_layout.py.
"""

import os
import stat

import pytest

from tests.lib.large_files import ATTRIBUTES, SKIP, A, B, in_worktree, pointer_to, store_blob, store_of
from tests.lib.repos import Repo, init, run


def test_names_that_look_like_options_or_patterns_can_be_given_as_paths(repo: Repo) -> None:
    names = ["-rf.bin", "--all.bin", "[ab].bin", ":x.bin", "*.bin", "HEAD"]
    repo.write(".gitattributes", ATTRIBUTES + "HEAD filter=kit -text\n")
    repo.commit("odd", {name: bytes([number]) * 2000 for number, name in enumerate(names)})
    repo.git("checkout-index", "--index", "--all", "--force", extra=SKIP)
    repo.kit("checkout", "--", *names[:3])
    repo.kit("pull", "--", *names[3:])
    assert [repo.read(name)[:1] for name in names] == [bytes([number]) for number in range(len(names))]
    run(["git", "kit", "track", "--filename", "--", "-rf.dat"], cwd=repo.path, environ=repo.environ)
    repo.commit("one more", {"-rf.dat": A, "other.dat": B})
    assert (repo.blob(":-rf.dat"), repo.blob(":other.dat")) == (pointer_to(A), B)


def test_branches_named_like_options_or_files_are_taken_for_branches(author: Repo) -> None:
    author.git("branch", "top.bin")
    author.git("update-ref", "refs/heads/--all", "HEAD")
    for revision in ("top.bin", "refs/heads/--all"):
        assert "models/a.bin" in author.kit("ls-files", revision).stdout
        assert "nothing to download" in author.kit("fetch", revision).stderr


@pytest.mark.parametrize("shared", [True, False])
def test_store_of_a_repository_of_a_group_can_be_read_by_it_whatever_the_umask(repo: Repo, shared: bool) -> None:
    ours = init(repo.path.parent / "ours", repo.environ, *(["--shared=group"] if shared else []))
    ours.write(".gitattributes", ATTRIBUTES)
    ours.write("a.bin", A)
    run(["sh", "-c", "umask 077; git add --all"], cwd=ours.path, environ=ours.environ)
    blob = store_blob(ours, A)
    assert blob.read_bytes() == A
    for path, expected in ((blob, 0o040), (store_of(ours) / "index.json", 0o040), (blob.parent, 0o070)):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & expected == (expected if shared else 0), (path, oct(mode))
        assert mode & 0o007 == 0, (path, oct(mode))


def test_file_of_a_person_with_a_tight_umask_is_theirs_alone_after_checkout(author: Repo) -> None:
    author.git("rm", "--quiet", "--cached", "-r", "models")
    run(["sh", "-c", "umask 077; git reset --quiet --hard && rm top.bin && git checkout --quiet -- top.bin"],
        cwd=author.path, environ=author.environ)  # fmt: skip
    assert stat.S_IMODE((author.path / "top.bin").stat().st_mode) == 0o600
    os.unlink(author.path / "top.bin")
    author.git("checkout", "--quiet", "--", "top.bin", extra=SKIP)
    run(["sh", "-c", "umask 027; git kit checkout"], cwd=author.path, environ=author.environ)
    assert stat.S_IMODE((author.path / "top.bin").stat().st_mode) & 0o007 == 0
    assert in_worktree(author, "models/a.bin") == {"models/a.bin": A}
