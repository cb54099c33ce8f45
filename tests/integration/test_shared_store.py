"""Stores that several clones use: worktrees, ``kit.storage``, and the stores of repositories that Git borrows from.

The rule that other tools break: pruning in one clone never takes what another one needs.
"""

import os
import shutil
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.store.clones import Clones
from gitkit.store.layout import ImageLayout
from tests.lib.repos import Repo, clean_environ, init, some_bytes

ATTRIBUTES = "*.bin filter=kit diff=kit merge=kit -text\n"
OLD, NEW, MINE = some_bytes(70_000, seed=1), some_bytes(70_001, seed=2), some_bytes(50_000, seed=3)
LONG_AGO = {"GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z", "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z"}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Where `git kit install` was run once."""
    folder = tmp_path_factory.mktemp("installed")
    repo = init(folder / "repo", clean_environ(folder / "home"))
    repo.kit("install")
    repo.git("config", "--global", "init.templateDir", str(folder / "repo" / ".git"))
    return repo


@pytest.fixture
def environ(environ: dict[str, str], installed: Repo) -> dict[str, str]:
    config = Path(installed.environ["GIT_CONFIG_GLOBAL"]).read_text()
    Path(environ["GIT_CONFIG_GLOBAL"]).write_text(config)
    return environ


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    return tmp_path / "pool"


@pytest.fixture
def sharing(environ: dict[str, str], pool: Path) -> dict[str, str]:
    """The environment of a person whose clones all use ``pool``."""
    config = Path(environ["GIT_CONFIG_GLOBAL"])
    config.write_text(config.read_text() + f'[kit]\n\tstorage = "{pool}"\n')
    return environ


def project(folder: Path, name: str, environ: dict[str, str]) -> Repo:
    """A clone, and a layout folder beside it as its remote: OLD in a pushed commit of 2020, NEW at HEAD."""
    bare = init(folder / f"{name}.git", environ, "--bare")
    repo = bare.clone(folder / name)
    repo.git("config", "kit.url", f"oci-layout:{folder / name}-remote")
    repo.write(".gitattributes", ATTRIBUTES)
    repo.write("model.bin", OLD)
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "old", extra=LONG_AGO)
    repo.commit("new", {"model.bin": NEW})
    repo.git("push", "--quiet", "origin", "main")
    forget(repo)
    return repo


def forget(repo: Repo) -> None:
    """Empty all reflogs."""
    repo.git("reflog", "expire", "--expire=now", "--all")


def prune(repo: Repo, *options: str, code: int = 0) -> str:
    """What `git kit prune` prints first, of blobs of any age; or its errors."""
    done = repo.kit("prune", "--grace", "0", *options, code=code)
    return done.stdout.splitlines()[0] if code == 0 else done.stderr


def own_blobs(repo: Repo) -> list[str]:
    """Digests in the clone's own store."""
    return sorted(digest for digest, _ in ImageLayout(str(repo.path / ".git" / "kit")).blobs())


def has(pool: Path, data: bytes) -> bool:
    return ImageLayout(str(pool)).has(digest_of(data), len(data))


# -- kit.storage -----------------------------------------------------------------------------------------------------


def test_add_with_a_shared_store_puts_blobs_there_and_the_rest_into_the_clone(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    repo = project(tmp_path, "a", sharing)
    assert has(pool, NEW)
    assert own_blobs(repo) == []
    assert (repo.path / ".git" / "kit" / "index.json").exists()
    assert not (pool / "state.db").exists()
    assert Clones(str(pool)).all() == [str(repo.path / ".git")]


def test_two_clones_with_a_shared_store_hold_content_once_and_need_no_remote(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    first = project(tmp_path, "a", sharing)
    shutil.rmtree(tmp_path / "a-remote")
    second = Repo(tmp_path / "a.git", sharing).clone(tmp_path / "b")
    assert second.read("model.bin") == NEW
    second.git("checkout", "--quiet", "HEAD~")
    assert second.read("model.bin") == OLD
    assert sorted(Clones(str(pool)).all()) == [str(repo.path / ".git") for repo in (first, second)]


@pytest.mark.parametrize("storage", ["~/pool", "../../home/pool"])
def test_storage_may_be_relative_to_the_home_or_to_the_common_folder(
    environ: dict[str, str], tmp_path: Path, storage: str
) -> None:
    repo = init(tmp_path / "a", environ)
    repo.git("config", "kit.storage", storage)
    repo.commit("one", {".gitattributes": ATTRIBUTES, "model.bin": NEW})
    assert has(tmp_path / "home" / "pool", NEW)


def test_kits_of_two_repositories_with_a_shared_store_do_not_meet(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    digests = []
    for name in ("a", "b"):
        repo = project(tmp_path, name, sharing)
        repo.commit("kit", {"Kitfile": f"package: {{name: {name}}}\nmodel: {{path: model.bin}}\n"})
        repo.git("tag", "v1")
        digests.append(repo.kit("build", "v1").stdout.strip())
    assert digests[0] != digests[1]
    for name, digest in zip(("a", "b"), digests, strict=True):
        assert ImageLayout(str(tmp_path / name / ".git" / "kit")).resolve("v1") == digest


def test_prune_with_a_shared_store_keeps_what_another_clone_has_staged(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    first, second = project(tmp_path, "a", sharing), project(tmp_path, "b", sharing)
    second.write("staged.bin", MINE)
    second.git("add", "staged.bin")
    assert prune(first, "--unreachable") == "1 blob, 68.4 KiB moved to the trash"
    assert has(pool, MINE)
    assert not has(pool, OLD)


def test_prune_with_a_shared_store_keeps_what_another_clone_has_committed(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    first, second = project(tmp_path, "a", sharing), project(tmp_path, "b", sharing)
    second.commit("local", {"local.bin": MINE})
    second.git("reset", "--quiet", "--hard", "HEAD~")
    prune(first, "--unreachable", "--expire-now")
    second.git("reset", "--quiet", "--hard", "HEAD@{1}")
    assert second.read("local.bin") == MINE


def test_prune_with_a_shared_store_wants_proof_from_each_clones_own_remote(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    first = project(tmp_path, "a", sharing)
    project(tmp_path, "b", sharing)
    Path(ImageLayout(str(tmp_path / "b-remote")).blob_path(digest_of(OLD))).unlink()
    assert prune(first) == "0 blobs, 0 B moved to the trash"
    assert has(pool, OLD)


def test_prune_with_a_shared_store_keeps_all_of_a_clone_without_a_remote(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    first, second = project(tmp_path, "a", sharing), project(tmp_path, "b", sharing)
    second.git("remote", "remove", "origin")
    second.git("config", "--unset", "kit.url")
    assert prune(first) == "0 blobs, 0 B moved to the trash"


def test_prune_with_a_shared_store_and_a_clone_that_is_gone_refuses_until_it_is_forgotten(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    first, second = project(tmp_path, "a", sharing), project(tmp_path, "b", sharing)
    second.commit("local", {"local.bin": MINE})
    second.path.rename(tmp_path / "moved")
    said = prune(first, "--unreachable", code=10)
    assert f"hint: if it is gone for good: git kit prune --forget {second.path}/.git" in said
    assert has(pool, OLD)
    assert has(pool, MINE)
    assert prune(first, "--forget", str(second.path)) == "1 blob, 68.4 KiB moved to the trash"
    assert Clones(str(pool)).all() == [str(first.path / ".git")]


def test_prune_with_a_clone_that_moved_counts_it_at_its_new_place(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    first, second = project(tmp_path, "a", sharing), project(tmp_path, "b", sharing)
    second.write("staged.bin", MINE)
    second.git("add", "staged.bin")
    second.path.rename(tmp_path / "moved")
    Repo(tmp_path / "moved", sharing).kit("status")
    prune(first, "--forget", str(second.path), "--unreachable")
    assert has(pool, MINE)


def test_prune_forget_of_a_clone_that_is_there_is_refused(sharing: dict[str, str], tmp_path: Path) -> None:
    first, second = project(tmp_path, "a", sharing), project(tmp_path, "b", sharing)
    assert "is still there" in prune(first, "--forget", str(second.path), code=2)
    assert "is not a clone that uses this store" in prune(first, "--forget", str(tmp_path / "c"), code=10)


def test_prune_with_a_damaged_clone_moves_nothing_and_names_it(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    first, second = project(tmp_path, "a", sharing), project(tmp_path, "b", sharing)
    (second.path / ".git" / "refs" / "heads" / "broken").write_text("1" * 40 + "\n")
    said = prune(first, code=11)
    assert f"cannot tell what {second.path}/.git needs" in said
    assert has(pool, OLD)


def test_prune_in_a_clone_whose_store_others_were_told_to_use_counts_them(
    environ: dict[str, str], tmp_path: Path
) -> None:
    owner, guest = project(tmp_path, "a", environ), project(tmp_path, "b", environ)
    guest.git("config", "kit.storage", str(owner.path / ".git" / "kit"))
    guest.write("staged.bin", MINE)
    guest.git("add", "staged.bin")
    prune(owner, "--unreachable")
    owner.write("draft.bin", some_bytes(4000, seed=7))
    owner.git("add", "draft.bin")
    prune(guest, "--unreachable")
    assert has(owner.path / ".git" / "kit", MINE)
    assert has(owner.path / ".git" / "kit", some_bytes(4000, seed=7))


def test_prune_with_a_git_remote_that_uses_the_same_store_moves_nothing_that_it_has(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    # The remote is the folder in a bare repository, and that one itself says that its blobs are in ``pool``, too.
    repo = project(tmp_path, "a", sharing)
    repo.git("-C", repo.out("remote", "get-url", "origin"), "config", "kit.storage", str(pool))
    repo.git("config", "--unset", "kit.url")
    repo.kit("push", "--all")
    assert prune(repo, "--unreachable") == "0 blobs, 0 B moved to the trash"
    assert has(pool, OLD)


def test_push_to_a_git_remote_of_a_person_with_a_shared_store_leaves_the_content_in_the_remote(
    sharing: dict[str, str], tmp_path: Path
) -> None:
    repo = project(tmp_path, "a", sharing)
    repo.git("config", "--unset", "kit.url")
    repo.kit("push", "--all")
    remote = Path(repo.out("remote", "get-url", "origin"))
    assert (remote / "kit/blobs/sha256" / digest_of(NEW)[7:]).exists()


def test_clone_of_a_repository_whose_content_is_in_a_shared_store_gets_it(
    environ: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    repo = init(tmp_path / "a", environ)
    repo.git("config", "kit.storage", str(pool))
    repo.commit("one", {".gitattributes": ATTRIBUTES, "model.bin": NEW})
    other = repo.clone(tmp_path / "b")
    assert other.read("model.bin") == NEW
    assert own_blobs(other) == [digest_of(NEW)]


# -- changing kit.storage --------------------------------------------------------------------------------------------


def test_setting_storage_later_takes_earlier_content_over(environ: dict[str, str], pool: Path, tmp_path: Path) -> None:
    repo = project(tmp_path, "a", environ)
    shutil.rmtree(tmp_path / "a-remote")
    inode = os.stat(ImageLayout(str(repo.path / ".git" / "kit")).blob_path(digest_of(OLD))).st_ino
    repo.git("config", "kit.storage", str(pool))
    repo.git("checkout", "--quiet", "HEAD~")
    assert repo.read("model.bin") == OLD
    assert os.stat(ImageLayout(str(pool)).blob_path(digest_of(OLD))).st_ino == inode


def test_prune_after_setting_storage_moves_earlier_content_there(
    environ: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    repo = project(tmp_path, "a", environ)
    repo.git("config", "kit.storage", str(pool))
    repo.kit("prune")
    assert own_blobs(repo) == []
    assert has(pool, OLD)
    assert has(pool, NEW)


def test_unsetting_storage_loses_nothing(environ: dict[str, str], pool: Path, tmp_path: Path) -> None:
    repo = init(tmp_path / "a", environ)
    repo.git("config", "kit.storage", str(pool))
    repo.commit("one", {".gitattributes": ATTRIBUTES, "model.bin": OLD})
    repo.commit("two", {"model.bin": NEW})
    repo.git("config", "kit.storage", str(tmp_path / "another"))
    repo.git("checkout", "--quiet", "HEAD~")
    assert repo.read("model.bin") == OLD
    repo.git("config", "--unset", "kit.storage")
    repo.git("checkout", "--quiet", "main")
    assert repo.read("model.bin") == NEW
    assert own_blobs(repo) == [digest_of(NEW)]


def test_prune_of_a_store_that_a_clone_no_longer_uses_keeps_what_it_needs(
    sharing: dict[str, str], pool: Path, tmp_path: Path
) -> None:
    first, second = project(tmp_path, "a", sharing), project(tmp_path, "b", sharing)
    second.commit("local", {"local.bin": MINE})
    second.git("config", "kit.storage", "")
    prune(first, "--unreachable", "--expire-now")
    (second.path / "local.bin").unlink()
    second.git("checkout", "--", "local.bin")
    assert second.read("local.bin") == MINE


# -- what Git itself shares ------------------------------------------------------------------------------------------


@pytest.fixture
def origin(environ: dict[str, str], tmp_path: Path) -> Repo:
    """A repository whose content is nowhere but in its own store."""
    repo = init(tmp_path / "origin", environ)
    repo.commit("old", {".gitattributes": ATTRIBUTES, "model.bin": OLD})
    repo.commit("new", {"model.bin": NEW})
    return repo


def unreachable(repo: Repo) -> None:
    """Let the clone's remote be one that nobody answers for."""
    repo.git("config", "kit.url", "oci://127.0.0.1:9/acme/llm")


def test_worktrees_share_one_store(origin: Repo) -> None:
    unreachable(origin)
    origin.git("worktree", "add", "--quiet", "--detach", "../linked", "HEAD~")
    linked = Repo(origin.path.parent / "linked", origin.environ)
    assert linked.read("model.bin") == OLD
    linked.commit("here", {"model.bin": MINE})
    assert digest_of(MINE) in own_blobs(origin)
    origin.git("checkout", "--quiet", linked.out("rev-parse", "HEAD"))
    assert origin.read("model.bin") == MINE


@pytest.mark.parametrize("options", [("--shared",), ("--reference",)])
def test_clone_that_borrows_objects_takes_content_by_hard_link_without_a_remote(
    origin: Repo, tmp_path: Path, options: tuple[str, ...]
) -> None:
    options = (*options, str(origin.path)) if options == ("--reference",) else options
    clone = origin.clone(tmp_path / "clone", *options, "--no-checkout")
    unreachable(clone)
    clone.git("checkout", "--quiet", "main")
    assert clone.read("model.bin") == NEW
    blobs = [ImageLayout(str(repo.path / ".git" / "kit")).blob_path(digest_of(NEW)) for repo in (origin, clone)]
    assert os.path.samefile(*blobs)


def test_borrowed_content_outlives_the_repository_that_it_came_from(origin: Repo, tmp_path: Path) -> None:
    clone = origin.clone(tmp_path / "clone", "--shared", "--no-checkout")
    unreachable(clone)
    clone.git("checkout", "--quiet", "main")
    shutil.rmtree(origin.path / ".git" / "kit")
    (clone.path / "model.bin").unlink()
    clone.git("checkout", "--quiet", "--", "model.bin")
    assert clone.read("model.bin") == NEW


def test_fetch_finds_content_of_alternates_of_alternates(origin: Repo, tmp_path: Path) -> None:
    middle = origin.clone(tmp_path / "middle", "--shared", "--no-checkout")
    last = middle.clone(tmp_path / "last", "--shared", "--no-checkout")
    unreachable(last)
    last.git("reset", "--quiet", "origin/HEAD")
    assert "nothing to download" in last.kit("fetch").stderr
    assert own_blobs(last) == [digest_of(NEW)]


def test_fetch_finds_content_by_the_environments_alternates(origin: Repo, tmp_path: Path) -> None:
    clone = origin.clone(tmp_path / "clone", "--no-checkout")
    unreachable(clone)
    listed = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(origin.path / ".git" / "objects")}
    assert "nothing to download" in clone.kit("fetch", "HEAD", extra=listed).stderr
    assert own_blobs(clone) == [digest_of(NEW)]


def test_fetch_finds_content_that_an_alternate_keeps_in_a_shared_store(
    origin: Repo, pool: Path, tmp_path: Path
) -> None:
    origin.git("config", "kit.storage", str(pool))
    origin.commit("third", {"model.bin": MINE})
    clone = origin.clone(tmp_path / "clone", "--shared", "--no-checkout")
    unreachable(clone)
    assert "nothing to download" in clone.kit("fetch", "HEAD").stderr
    assert own_blobs(clone) == [digest_of(MINE)]


def test_damaged_content_of_an_alternate_is_not_taken_over(origin: Repo, tmp_path: Path) -> None:
    path = Path(ImageLayout(str(origin.path / ".git" / "kit")).blob_path(digest_of(NEW)))
    path.chmod(0o644)
    path.write_bytes(NEW[:-1] + bytes([NEW[-1] ^ 1]))
    clone = origin.clone(tmp_path / "clone", "--shared", "--no-checkout")
    unreachable(clone)
    clone.kit("fetch", "HEAD", code=14)
    assert own_blobs(clone) == []
