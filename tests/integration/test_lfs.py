"""Repositories that hold Git LFS pointers: their content comes by every way that content comes, without git-lfs.

The repositories here are made of pointers, attributes and a server; ``test_migrate_lfs`` has some of the real git-lfs.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lib.lfs_server import LfsServer, pointer_to
from tests.lib.registries import Fault
from tests.lib.repos import Repo, clean_environ, init, some_bytes

KIT = "filter=kit diff=kit merge=kit -text"
SMALL = b"small content\n"
LARGE = some_bytes(3 << 20, seed=4)
URL = "http://lfs.example.com/llm"
"""The server's, in the repository; Git is told where that is (``url.*.insteadOf``)."""


@pytest.fixture
def server() -> Iterator[LfsServer]:
    with LfsServer() as server:
        server.add_object(SMALL)
        server.add_object(LARGE)
        yield server


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bare.git``, whose main branch holds two Git LFS pointers under git kit, a clone without content, and a home."""
    folder = tmp_path_factory.mktemp("made")
    environ = {**clean_environ(folder / "home"), "GIT_KIT_SKIP_SMUDGE": "1"}
    first = init(folder / "first", environ)
    first.kit("install")
    pointers = {"small.bin": pointer_to(SMALL), "large.bin": pointer_to(LARGE)}
    config = f"[lfs]\n\turl = {URL}\n"
    first.commit("start", {".gitattributes": f"*.bin {KIT}\n", ".lfsconfig": config, **pointers})
    bare = init(folder / "bare.git", environ, "--bare")
    first.git("push", "--quiet", str(bare.path), "main")
    bare.clone(folder / "clone")
    return folder


@pytest.fixture
def origin(made: Path, tmp_path: Path, server: LfsServer) -> Repo:
    """``made``'s bare repository, for a person whose Git knows where ``server`` is."""
    shutil.copytree(made / "bare.git", tmp_path / "bare.git")
    environ = clean_environ(tmp_path / "home")
    shutil.copy(made / "home" / ".gitconfig", tmp_path / "home")
    with open(tmp_path / "home" / ".gitconfig", "a") as config:
        config.write(f'[url "{server.lfs_url}"]\n\tinsteadOf = {URL}\n')
    return Repo(tmp_path / "bare.git", environ)


def _lfs_object(repo: Repo, data: bytes) -> Path:
    """Where Git LFS keeps ``data`` in a clone."""
    oid = pointer_to(data).split(b"sha256:")[1][:64].decode()
    return repo.path / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4] / oid


def _put(repo: Repo, data: bytes, content: bytes | None = None) -> Path:
    path = _lfs_object(repo, data)
    path.parent.mkdir(parents=True)
    path.write_bytes(data if content is None else content)
    return path


def _is_complete(repo: Repo) -> bool:
    return (repo.read("small.bin"), repo.read("large.bin")) == (SMALL, LARGE)


# -- through the filter --------------------------------------------------------------------------------------------


def test_clone_gets_content_from_the_server_and_status_is_clean(origin: Repo, tmp_path: Path) -> None:
    clone = origin.clone(tmp_path / "clone")
    assert _is_complete(clone)
    assert clone.out("status", "--porcelain") == ""


def test_clone_of_large_files_asks_the_server_for_all_at_once(origin: Repo, server: LfsServer, tmp_path: Path) -> None:
    many = {f"{number}.bin": some_bytes((1 << 20) + 1, seed=number) for number in range(8)}
    for data in many.values():
        server.add_object(data)
    writer = Repo(origin.path, {**origin.environ, "GIT_KIT_SKIP_SMUDGE": "1"}).clone(tmp_path / "writer")
    writer.commit("many", {name: pointer_to(data) for name, data in many.items()})
    writer.git("push", "--quiet", "origin", "main")
    clone = origin.clone(tmp_path / "clone")
    assert {name: clone.read(name) for name in many} == many
    assert sorted(len(batch["objects"]) for batch in server.lfs.batches) == [1, 9], "small.bin, then the large ones"


def test_touched_file_is_still_the_pointer_of_git_lfs(origin: Repo, tmp_path: Path) -> None:
    clone = origin.clone(tmp_path / "clone")
    for name in ("small.bin", "large.bin"):
        os.utime(clone.path / name, (1, 1))
    assert clone.out("status", "--porcelain") == ""
    clone.git("add", "--renormalize", ".")
    assert clone.blob(":large.bin") == pointer_to(LARGE)


def test_changed_file_becomes_a_pointer_of_git_kit(origin: Repo, tmp_path: Path) -> None:
    clone = origin.clone(tmp_path / "clone")
    clone.commit("change", {"small.bin": b"other content\n"})
    assert clone.blob("HEAD:small.bin").startswith(b"version git-kit/1\n")
    assert clone.blob("HEAD:large.bin") == pointer_to(LARGE)


def test_checkout_without_the_server_leaves_pointers_and_pull_gets_them_later(
    origin: Repo, server: LfsServer, tmp_path: Path
) -> None:
    fault = server.add(Fault(method="POST", path="batch", status=403, times=None))
    clone = origin.clone(tmp_path / "clone")
    assert clone.read("large.bin") == pointer_to(LARGE)
    fault.times = 0
    clone.kit("pull")
    assert _is_complete(clone)
    assert clone.out("status", "--porcelain") == ""


def test_dead_lfs_server_leaves_content_of_git_kit_alone(origin: Repo, server: LfsServer, tmp_path: Path) -> None:
    writer = origin.clone(tmp_path / "writer")
    writer.commit("own", {"own.bin": b"of git kit\n"})
    writer.git("push", "--quiet", "origin", "main")
    server.add(Fault(method="POST", path="batch", status=403, times=None))
    clone = origin.clone(tmp_path / "clone")
    assert clone.read("own.bin") == b"of git kit\n"
    assert clone.read("small.bin") == pointer_to(SMALL)


def test_login_comes_from_git_and_is_only_given_to_the_server(origin: Repo, server: LfsServer, tmp_path: Path) -> None:
    server.lfs.login = ("ada", "s3cret")
    stored = tmp_path / "stored"
    stored.write_text(f"http://ada:s3cret@{server.host}\nhttps://eve:other@git.example.com\n")
    origin.git("config", "--global", "credential.helper", f"store --file={stored}")
    clone = origin.clone(tmp_path / "clone")
    assert _is_complete(clone)


# -- pull and fetch ------------------------------------------------------------------------------------------------


@pytest.fixture
def pointers(made: Path, origin: Repo, tmp_path: Path) -> Repo:
    """A clone of ``origin`` without content."""
    shutil.copytree(made / "clone", tmp_path / "clone")
    config = tmp_path / "clone" / ".git" / "config"
    config.write_text(config.read_text().replace(str(made / "bare.git"), str(origin.path)))
    return Repo(tmp_path / "clone", origin.environ)


def test_touched_file_that_pull_brought_is_still_the_pointer_of_git_lfs(pointers: Repo) -> None:
    shutil.rmtree(pointers.path / ".git" / "kit", ignore_errors=True)
    pointers.kit("pull")
    for name in ("small.bin", "large.bin"):
        os.utime(pointers.path / name, (1, 1))
    assert pointers.out("status", "--porcelain") == ""


def test_pull_asks_for_all_at_once(pointers: Repo, server: LfsServer) -> None:
    pointers.kit("pull")
    assert _is_complete(pointers)
    assert [len(batch["objects"]) for batch in server.lfs.batches] == [2]


def test_pull_goes_on_where_a_download_broke(pointers: Repo, server: LfsServer) -> None:
    oid = pointer_to(LARGE).split(b"sha256:")[1][:64].decode()
    server.add(Fault(method="GET", path=oid, cut_body_after=2 << 20))
    pointers.kit("pull")
    assert _is_complete(pointers)
    first, second = server.seen("GET", oid)
    assert first.headers.get("range") is None
    assert int(second.headers["range"].removeprefix("bytes=").rstrip("-")) > 0


def test_pull_with_wrong_bytes_from_the_server_leaves_the_pointer(pointers: Repo, server: LfsServer) -> None:
    server.add(Fault(method="GET", path="/store/", wrong_bytes=True, times=None))
    done = pointers.kit("pull", "small.bin", code=None)
    assert done.returncode != 0
    assert pointers.read("small.bin") == pointer_to(SMALL)


def test_pull_of_an_object_that_the_server_lost_brings_the_others(pointers: Repo, server: LfsServer) -> None:
    server.lfs.objects.pop(pointer_to(SMALL).split(b"sha256:")[1][:64].decode())
    done = pointers.kit("pull", code=19)
    assert "small.bin" in done.stderr and "does not" in done.stderr
    assert pointers.read("large.bin") == LARGE


def test_pull_without_a_login_says_whose(pointers: Repo, server: LfsServer) -> None:
    server.lfs.login = ("ada", "s3cret")
    done = pointers.kit("pull", code=12)
    assert f"the Git LFS server {server.host} wants a login" in done.stderr


def test_pull_takes_the_login_of_an_extra_header_where_this_clone_names_the_server(
    pointers: Repo, server: LfsServer
) -> None:
    server.lfs.login = ("ada", "s3cret")
    pointers.git("config", "http.extraHeader", "AUTHORIZATION: basic YWRhOnMzY3JldA==")
    pointers.kit("pull", code=12)
    assert all("authorization" not in call.headers for call in server.requests)
    pointers.git("config", "lfs.url", server.lfs_url)
    server.lfs.login = None
    pointers.kit("pull")
    assert server.seen("POST")[-1].headers["authorization"] == "basic YWRhOnMzY3JldA=="


def test_pull_takes_objects_that_git_lfs_left_here_without_network(pointers: Repo, server: LfsServer) -> None:
    mine = _put(pointers, LARGE)
    _put(pointers, SMALL)
    pointers.kit("pull")
    assert _is_complete(pointers)
    assert server.requests == []
    blob = pointers.path / ".git" / "kit" / "blobs" / "sha256" / mine.name
    assert blob.samefile(mine)


def test_pull_passes_over_a_damaged_object_of_git_lfs(pointers: Repo, server: LfsServer) -> None:
    _put(pointers, SMALL, SMALL[:-1] + b"x")
    damaged = _put(pointers, LARGE, LARGE[:-1] + b"x")
    pointers.kit("pull")
    assert _is_complete(pointers)
    assert len(server.seen("GET")) == 2
    assert damaged.read_bytes() == LARGE[:-1] + b"x"


def test_pull_copies_what_a_reference_clone_has(pointers: Repo, server: LfsServer, tmp_path: Path) -> None:
    theirs = _put(pointers, LARGE)
    _put(pointers, SMALL)
    mode = theirs.stat().st_mode
    borrower = pointers.clone(tmp_path / "borrower", "--shared")
    assert _is_complete(borrower)
    assert theirs.stat().st_nlink == 1 and theirs.stat().st_mode == mode
    assert server.requests == []


def test_pull_from_a_git_remote_on_this_machine_reads_its_objects(origin: Repo, pointers: Repo) -> None:
    for data in (SMALL, LARGE):
        path = Path(str(_lfs_object(pointers, data)).replace(str(pointers.path / ".git"), str(origin.path)))
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    pointers.commit("no server", {".lfsconfig": ""})
    pointers.kit("pull")
    assert _is_complete(pointers)


def test_fetch_of_the_whole_history_includes_git_lfs_pointers(pointers: Repo, server: LfsServer) -> None:
    pointers.git("rm", "--quiet", "large.bin")
    pointers.git("commit", "--quiet", "--message", "away")
    pointers.kit("fetch", "--all")
    blobs = pointers.path / ".git" / "kit" / "blobs" / "sha256"
    assert len(list(blobs.iterdir())) == 2


def test_content_of_git_kit_is_never_asked_of_the_lfs_server(kit_repo: Repo, bare: Repo, server: LfsServer) -> None:
    kit_repo.git("remote", "add", "origin", str(bare.path))
    kit_repo.git("config", "lfs.url", server.lfs_url)
    kit_repo.commit("own", {".gitattributes": f"*.bin {KIT}\n", "own.bin": b"of git kit\n"})
    (kit_repo.path / "own.bin").unlink()
    shutil.rmtree(kit_repo.path / ".git" / "kit" / "blobs")
    kit_repo.git("checkout", "own.bin")
    done = kit_repo.kit("pull", code=19)
    assert "own.bin" in done.stderr
    assert server.requests == []


def test_content_that_the_lfs_server_lost_comes_from_the_remote_of_git_kit(
    pointers: Repo, server: LfsServer, tmp_path: Path
) -> None:
    pointers.kit("pull")
    shutil.copytree(pointers.path / ".git" / "kit", tmp_path / "registry")
    server.lfs.objects.clear()
    late = Repo(pointers.path, pointers.environ).clone(tmp_path / "late")
    late.git("config", "kit.url", f"oci-layout:{tmp_path / 'registry'}")
    late.kit("pull")
    assert _is_complete(late)


def test_repositorys_setting_cannot_read_files_of_this_machine(pointers: Repo, tmp_path: Path) -> None:
    elsewhere = init(tmp_path / "elsewhere", pointers.environ)
    _put(elsewhere, SMALL)
    pointers.commit("evil", {".lfsconfig": f"[lfs]\n\turl = {elsewhere.path}\n"})
    done = pointers.kit("pull", "small.bin", code=12)
    assert ".lfsconfig is not a URL of an HTTP server" in done.stderr


# -- what goes out -------------------------------------------------------------------------------------------------


def test_push_leaves_git_lfs_pointers_to_git_lfs(pointers: Repo, origin: Repo) -> None:
    pointers.commit("own", {"own.bin": b"of git kit\n"})
    pointers.git("push", "--quiet", "origin", "main")
    layers = [path.read_bytes() for path in (origin.path / "kit" / "blobs" / "sha256").iterdir()]
    assert b"of git kit\n" in layers
    assert SMALL not in layers and LARGE not in layers
    assert "but" not in pointers.kit("doctor", code=None).stdout, "the remote lacks nothing"


def test_release_in_a_clone_of_pointers_takes_content_from_the_lfs_server(
    pointers: Repo, tmp_path: Path, server: LfsServer
) -> None:
    pointers.kit("remote", f"oci-layout:{tmp_path / 'registry'}")
    pointers.commit("kit", {"Kitfile": 'manifestVersion: 1.0.0\nmodel:\n  path: "large.bin"\n'})
    pointers.git("tag", "v1.0.0")
    built = pointers.kit("build", "v1.0.0").stdout
    assert server.requests == [], "a kit is made of pointers"
    assert pointers.kit("release", "v1.0.0").stdout == built
    oid = pointer_to(LARGE).split(b"sha256:")[1][:64].decode()
    assert (tmp_path / "registry" / "blobs" / "sha256" / oid).read_bytes() == LARGE
    assert pointers.kit("verify", "v1.0.0").stdout == built


def test_build_of_a_tar_format_reads_content_from_the_lfs_server(pointers: Repo) -> None:
    pointers.commit("kit", {"Kitfile": 'manifestVersion: 1.0.0\nmodel:\n  path: "large.bin"\n'})
    pointers.git("tag", "v1.0.0")
    digest = json.loads(pointers.kit("build", "v1.0.0", "--format", "modelkit", "--json").stdout)["digest"]
    pointers.kit("pull")
    assert pointers.kit("build", "v1.0.0", "--format", "modelkit").stdout.strip() == digest
