"""Several worktrees, clones that borrow from another, submodules, and more Git remotes than one, or none.

What linked worktrees share, submodules' stores, borrowed objects: tests/integration/test_push_pull.py,
test_filter_process.py and test_shared_store.py.
Journeys in every kind of repository: tests/integration/matrix.
"""

from pathlib import Path

import pytest

from tests.lib.large_files import (
    ATTRIBUTES,
    LARGE,
    SKIP,
    TOP,
    A,
    B,
    Template,
    blob_in,
    copy_of,
    in_worktree,
    pointer_to,
    store_blob,
    store_of,
)
from tests.lib.repos import Repo, init, some_bytes

NEW = some_bytes(5000, seed=41)


# -- worktrees and clones --------------------------------------------------------------------------------------------


def test_commands_in_a_linked_worktree_are_about_that_worktree(author: Repo, tmp_path: Path) -> None:
    author.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "side"), extra=SKIP)
    side = Repo(tmp_path / "side", author.environ)
    assert in_worktree(side) == {path: pointer_to(data) for path, data in LARGE.items()}
    side.kit("pull", "top.bin")
    assert (side.read("top.bin"), side.read("models/a.bin")) == (TOP, pointer_to(A))
    side.write("top.bin", NEW)
    assert "  M  top.bin" in side.kit("status").stdout
    assert "top.bin" not in author.kit("status").stdout
    side.git("add", "top.bin")
    author.git("worktree", "remove", "--force", "../side")
    assert store_blob(author, NEW).read_bytes() == NEW


def test_clone_by_file_url_pushes_and_pulls_by_the_folder_in_that_repository(origin: Repo, tmp_path: Path) -> None:
    for name in ("first", "second"):
        origin.git("clone", "--quiet", f"file://{origin.path}", str(tmp_path / name))
    first, second = (Repo(tmp_path / name, origin.environ) for name in ("first", "second"))
    assert in_worktree(first) == LARGE
    first.commit("new", {"new.bin": NEW})
    first.git("push", "--quiet", "origin", "main")
    assert blob_in(origin.path / "kit", NEW).read_bytes() == NEW
    second.git("pull", "--quiet")
    assert second.read("new.bin") == NEW


# -- submodules ------------------------------------------------------------------------------------------------------


def test_push_that_takes_submodules_along_uploads_the_content_of_both(author: Repo, origin: Repo, bare: Repo) -> None:
    outer = init(author.path.parent / "outer", author.environ)
    outer.git("submodule", "--quiet", "add", str(origin.path), "lib")
    outer.git("remote", "add", "origin", str(bare.path))
    outer.commit("with a submodule")  # Git takes no submodule along with a first commit
    outer.git("push", "--quiet", "origin", "main")
    inner = Repo(outer.path / "lib", author.environ)
    inner.commit("inside", {"inside.bin": NEW})
    outer.commit("outside", {".gitattributes": ATTRIBUTES, "outside.bin": A[1:]})
    outer.git("push", "--quiet", "--recurse-submodules=on-demand", "origin", "main")
    assert blob_in(origin.path / "kit", NEW).exists() and not blob_in(bare.path / "kit", NEW).exists()
    assert blob_in(bare.path / "kit", A[1:]).exists() and not blob_in(origin.path / "kit", A[1:]).exists()
    assert origin.out("rev-parse", "main") == inner.out("rev-parse", "HEAD")


def test_submodule_follows_its_own_configuration(author: Repo, origin: Repo, tmp_path: Path) -> None:
    author.git("config", "kit.url", f"oci-layout:{tmp_path / 'registry'}")
    author.commit("a remote", {".gitkit.toml": f'[remote]\nurl = "oci-layout:{tmp_path / "registry"}"\n'})
    author.kit("push")
    author.git("push", "--quiet", "origin", "main")
    (origin.path / "kit").rename(tmp_path / "out of reach")
    outer = init(tmp_path / "outer", author.environ)
    outer.write(".gitkit.toml", f'[remote]\nurl = "oci-layout:{tmp_path / "nowhere"}"\n')
    outer.git("submodule", "--quiet", "add", str(origin.path), "lib")
    assert in_worktree(Repo(outer.path / "lib", author.environ)) == LARGE
    assert not store_of(outer).exists()


# -- Git remotes -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def forked(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A clone without content that knows the branch ``side`` of another Git remote, which has its content."""
    folder, environ = tmp_path_factory.mktemp("forked"), template.author.environ
    bare = init(folder / "other.git", environ, "--bare")
    author, lazy = (copy_of(repo, folder / repo.path.name, environ) for repo in (template.author, template.lazy))
    author.git("switch", "--quiet", "--create", "side")
    author.commit("side", {"side.bin": NEW, "top.bin": B})
    author.git("push", "--quiet", str(bare.path), "side")
    lazy.git("remote", "set-url", "origin", str(template.origin.path))
    lazy.git("remote", "add", "other", str(bare.path))
    lazy.git("fetch", "--quiet", "other")
    return lazy


def test_branch_of_another_git_remote_comes_as_pointers_until_that_remote_is_chosen(
    forked: Repo, tmp_path: Path, environ: dict[str, str]
) -> None:
    lazy = copy_of(forked, tmp_path / "lazy", environ)
    lazy.kit("pull")
    assert "hint: git kit pull" in lazy.git("checkout", "other/side").stderr
    assert lazy.read("side.bin") == pointer_to(NEW)
    lazy.kit("pull", code=19)
    refused = lazy.git("-c", "kit.remote=nowhere", "kit", "pull", code=10).stderr
    assert "names nowhere, which is not a Git remote" in refused
    lazy.git("-c", "kit.remote=other", "kit", "pull")
    assert lazy.read("side.bin") == NEW


@pytest.mark.parametrize("command", ["reset", "rebase", "pull"])
def test_moves_across_git_remotes_end_with_content(
    forked: Repo, tmp_path: Path, environ: dict[str, str], command: str
) -> None:
    lazy = copy_of(forked, tmp_path / "lazy", environ)
    lazy.git("config", "kit.remote", "other")
    lazy.commit("mine", {"mine.txt": "mine\n"})
    commands = {
        "reset": ["reset", "--quiet", "--hard", "other/side"],
        "rebase": ["rebase", "--quiet", "other/side"],
        "pull": ["pull", "--quiet", "--no-rebase", "--no-edit", "other", "side"],
    }
    lazy.git(*commands[command])
    assert in_worktree(lazy, "side.bin", "top.bin") == {"side.bin": NEW, "top.bin": B}
    assert lazy.out("status", "--porcelain") == ""


def test_everything_but_transfers_works_without_any_remote(repo: Repo) -> None:
    repo.commit("first", {"a.bin": A, "b.bin": B})
    repo.git("switch", "--quiet", "--create", "side")
    repo.commit("side", {"a.bin": NEW})
    repo.git("switch", "--quiet", "main")
    repo.commit("main", {"b.bin": TOP})
    repo.git("rebase", "--quiet", "side")
    assert in_worktree(repo, "a.bin", "b.bin") == {"a.bin": NEW, "b.bin": TOP}
    repo.git("revert", "--no-edit", "HEAD~1")
    assert in_worktree(repo, "a.bin", "b.bin") == {"a.bin": A, "b.bin": TOP}
    assert "nothing to download" in repo.kit("fetch", "--all").stderr
    assert repo.out("status", "--porcelain") == ""
    assert ": 0 damaged" in repo.kit("fsck").stdout
