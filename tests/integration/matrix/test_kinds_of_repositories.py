"""The journey in every kind of repository and worktree that Git knows."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.matrix.journey import (
    MAIN,
    NEW,
    SIDE,
    Upstream,
    assert_clean,
    assert_files,
    assert_sound,
    publish,
    travel,
)
from tests.lib.large_files import SKIP, blob_in, drafts, pointer_to, store_blob, store_of
from tests.lib.repos import Repo, init

Make = Callable[[Upstream, Path], Repo]


def plain(upstream: Upstream, folder: Path) -> Repo:
    return upstream.clone(folder / "plain", upstream.bare.environ)


def linked_worktree(upstream: Upstream, folder: Path) -> Repo:
    first = upstream.clone(folder / "first", upstream.bare.environ, "--no-checkout")
    first.git("worktree", "add", "--quiet", "--detach", str(folder / "linked"), "main")
    return Repo(folder / "linked", upstream.bare.environ)


def partial(upstream: Upstream, folder: Path) -> Repo:
    return upstream.clone(folder / "partial", upstream.bare.environ, "--filter=blob:none")


def shallow(upstream: Upstream, folder: Path) -> Repo:
    options = ("--depth=1", "--no-single-branch", "--config", "feature.manyFiles=true")  # index 4, untracked cache
    return upstream.clone(folder / "shallow", upstream.bare.environ, *options)


def autocrlf(value: str) -> Make:
    def make(upstream: Upstream, folder: Path) -> Repo:
        repo = upstream.clone(folder / "autocrlf", upstream.bare.environ, "--config", f"core.autocrlf={value}")
        assert repo.read("README.md") == (b"line one\r\nline two\r\n" if value == "true" else b"line one\nline two\n")
        return repo

    return make


def split_index(upstream: Upstream, folder: Path) -> Repo:
    return upstream.clone(folder / "split", upstream.bare.environ, "--config", "core.splitIndex=true")


def submodule(upstream: Upstream, folder: Path) -> Repo:
    outer = init(folder / "outer", upstream.bare.environ)
    outer.git("submodule", "--quiet", "add", "--branch", "main", f"file://{upstream.bare.path}", "lib")
    outer.commit("with a submodule")
    recursive = outer.clone(folder / "recursive", "--recurse-submodules")
    assert_files(recursive, {f"lib/{path}": data for path, data in MAIN.items()})
    assert_clean(recursive)
    return Repo(recursive.path / "lib", upstream.bare.environ)


KINDS = [
    linked_worktree,
    submodule,
    partial,
    shallow,
    pytest.param(autocrlf("true"), id="autocrlf"),
    pytest.param(autocrlf("input"), id="autocrlf-input"),
]


@pytest.mark.parametrize("make", KINDS)
def test_journey_ends_with_content_and_a_clean_status(make: Make, upstream: Upstream, tmp_path: Path) -> None:
    upstream.trust(upstream.bare.environ)
    travel(make(upstream, tmp_path), upstream)


def test_submodule_update_brings_the_content_of_the_commit_that_it_moves_to(upstream: Upstream, tmp_path: Path) -> None:
    upstream.trust(upstream.bare.environ)
    inner = submodule(upstream, tmp_path)
    outer = Repo(tmp_path / "outer", inner.environ)
    outer.git("switch", "--quiet", "--detach", "origin/side", cwd="lib")
    outer.commit("moved")
    recursive = Repo(inner.path.parent, inner.environ)
    recursive.git("pull", "--quiet")
    assert_files(inner, MAIN)
    recursive.git("submodule", "--quiet", "update")
    assert_files(inner, SIDE)
    assert_clean(recursive)
    recursive.git("submodule", "--quiet", "foreach", "git kit pull && git kit fsck")


def test_journey_in_a_repository_of_sha256(tmp_path: Path, environ: dict[str, str]) -> None:
    upstream = publish(tmp_path, environ, "sha256")
    upstream.trust(environ)
    travel(plain(upstream, tmp_path), upstream)


def test_journey_with_a_split_index_is_truthful(upstream: Upstream, tmp_path: Path) -> None:
    upstream.trust(upstream.bare.environ)
    repo = split_index(upstream, tmp_path)
    assert_files(repo, MAIN)
    repo.git("switch", "--quiet", "--detach", "origin/side")
    assert_files(repo, SIDE)
    assert repo.out("status", "--porcelain") == ""
    assert_sound(repo)


# -- sparse checkouts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [["--cone", "models"], ["--no-cone", "/*", "!/empty.bin", "!/other/"]])
def test_journey_in_a_sparse_checkout_never_brings_what_is_outside(
    upstream: Upstream, tmp_path: Path, options: list[str]
) -> None:
    upstream.trust(upstream.bare.environ)
    repo = upstream.clone(tmp_path / "sparse", upstream.bare.environ, "--no-checkout")
    repo.git("sparse-checkout", "set", *options)
    repo.git("checkout", "--quiet", "main")
    assert not (repo.path / "other").exists()
    # A cone takes the files of all folders above it, too: empty.bin among them.
    travel(repo, upstream, inside="" if "--cone" in options else "models/")


def test_sparse_checkout_that_widens_and_narrows_brings_content_and_leaves_none(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.trust(upstream.bare.environ)
    repo = upstream.clone(tmp_path / "sparse", upstream.bare.environ, "--sparse", "--filter=blob:none")
    assert_files(repo, {"empty.bin": b""})
    assert not store_of(repo).exists() or not store_blob(repo, MAIN["models/1m.bin"]).exists()
    repo.git("sparse-checkout", "set", "models/deep")
    assert_files(repo, MAIN)  # in a cone the files of the folders above belong to it
    assert_clean(repo)
    repo.git("sparse-checkout", "set", "other")
    assert_files(repo, {"empty.bin": b""})
    assert "nothing to pull" in repo.kit("pull").stderr
    repo.git("sparse-checkout", "disable")
    assert_files(repo, MAIN)
    assert_clean(repo)
    assert_sound(repo)


# -- without content -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [["--filter=blob:none"], ["--filter=tree:0", "--sparse"]])
def test_pull_in_a_clone_that_lacks_objects_asks_git_for_no_more_than_it_needs(
    upstream: Upstream, tmp_path: Path, options: list[str]
) -> None:
    upstream.trust(upstream.bare.environ)
    environ = {**upstream.bare.environ, **SKIP}
    repo = upstream.clone(tmp_path / "lazy", environ, *options)
    repo.environ.pop("GIT_KIT_SKIP_SMUDGE")
    before = repo.out("rev-list", "--objects", "--missing=print", "--all").count("\n?")
    repo.kit("pull")
    repo.kit("status")
    repo.kit("ls-files")
    repo.kit("fsck")
    assert repo.out("rev-list", "--objects", "--missing=print", "--all").count("\n?") == before
    assert_files(repo, {"empty.bin": b""} if "--sparse" in options else MAIN)
    assert_clean(repo)


def test_bare_repository_fetches_checks_lists_and_reads_releases(upstream: Upstream, tmp_path: Path) -> None:
    upstream.trust(upstream.bare.environ)
    author = plain(upstream, tmp_path)
    digest = author.kit("build", "v1.0.0").stdout
    mirror = upstream.clone(tmp_path / "mirror.git", upstream.bare.environ, "--mirror")
    assert mirror.kit("build", "v1.0.0").stdout == digest
    assert not (mirror.path / "kit" / "blobs" / "sha256" / pointer_to(NEW["models/10k.bin"]).decode()[36:]).exists()
    mirror.kit("fetch")
    mirror.kit("fetch", "side")
    for data in (*filter(None, MAIN.values()), *filter(None, SIDE.values())):
        assert store_blob(mirror, data).read_bytes() == data
    large = sorted(path for path, data in MAIN.items() if data)
    assert [item["path"] for item in json.loads(mirror.kit("ls-files", "--json").stdout)] == large
    assert mirror.kit("release", "v1.0.0").stdout == digest
    assert mirror.kit("verify", "v1.0.0").stdout == digest
    assert json.loads(mirror.kit("inspect", "v1.0.0", "--json").stdout)["digest"] == digest.strip()
    assert ": 0 damaged" in mirror.kit("fsck").stdout
    assert drafts(mirror) == []
    assert sorted(os.listdir(mirror.path)) == sorted({*os.listdir(upstream.bare.path), "kit", "packed-refs"})


# -- names and permissions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ignore_case", ["false", "true"])
def test_names_that_change_in_case_alone_move_with_their_content(
    upstream: Upstream, tmp_path: Path, ignore_case: str
) -> None:
    upstream.trust(upstream.bare.environ)
    repo = upstream.clone(tmp_path / "cases", upstream.bare.environ, "--config", f"core.ignoreCase={ignore_case}")
    repo.git("mv", "--force", "models/deep/3m.bin", "models/deep/3M.bin")
    repo.git("mv", "--force", "models/10k.bin", "models/10K.bin")
    repo.git("commit", "--quiet", "--message", "cases")
    moved = {path.replace("3m.", "3M.").replace("10k", "10K"): data for path, data in MAIN.items()}
    assert_files(repo, moved)
    assert_clean(repo)
    repo.git("switch", "--quiet", "--detach", "origin/main")
    assert_files(repo, MAIN)
    repo.git("switch", "--quiet", "main")
    assert_files(repo, moved)
    assert_clean(repo)
    assert ": 0 damaged" in repo.kit("fsck").stdout


@pytest.fixture
def tight_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("tight_umask")
def test_journey_under_a_tight_umask_over_read_only_files_leaves_files_to_their_owner(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.trust(upstream.bare.environ)
    repo = plain(upstream, tmp_path)
    for path in MAIN:
        (repo.path / path).chmod(0o400)
    repo.git("status")
    travel(repo, upstream)
    for path in (*repo.path.rglob("*.bin"), *store_of(repo).rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
    new = [blob_in(upstream.layout, data) for data in NEW.values()]
    assert [path.stat().st_mode & 0o777 for path in new] == [0o400] * len(new)
