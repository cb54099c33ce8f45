"""From one clone to another, over every kind of remote: real git with hooks and filter, and git kit as people run it.

``PLACES`` are the kinds of remotes. Tests that hold a transfer in the middle take ``fault_place``.
"""

import base64
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.remote import Remote
from gitkit.registry.credentials import Credential
from gitkit.store.layout import ImageLayout
from tests.lib.registries import PASSWORD, REPOSITORY, USER, Fault, FaultRegistry, RealRegistry, connect, read_all
from tests.lib.repos import Repo, clean_environ, init, some_bytes

MIB = 1 << 20
ATTRIBUTES = "*.bin filter=kit diff=kit merge=kit -text\n"
MODEL, SMALL = some_bytes(3 * MIB + 7, seed=1), some_bytes(3000, seed=2)
FILES: dict[str, bytes | str] = {
    ".gitattributes": ATTRIBUTES,
    "README.md": "hello\n",
    "models/model.bin": MODEL,
    "models/small.bin": SMALL,
    "models/same.bin": SMALL,
    "models/empty.bin": b"",
}
CONTENT = {path: data for path, data in FILES.items() if path.endswith(".bin")}
BLOBS, UPLOADS, MANIFESTS = r"/blobs/sha256:", r"/blobs/uploads/.*digest=", r"/manifests/"
SKIP = {"GIT_KIT_SKIP_SMUDGE": "1"}
NO_OID = "0" * 40


@dataclass(frozen=True, kw_only=True)
class Place:
    """A Git remote and the remote of its large files: ``url`` is what `git kit remote` is told (None: nothing, it is
    the folder in the Git remote), ``remote`` our own eyes on it."""

    bare: Repo
    url: str | None
    remote: Remote

    def author(self, path: Path) -> Repo:
        """A clone that may push, with ``FILES`` in its worktree and nothing committed."""
        repo = self.bare.clone(path)
        for name, data in FILES.items():
            repo.write(name, data)
        if self.url is not None:
            repo.write(".gitkit.toml", f'[remote]\nurl = "{self.url}"\n')
        self.trust(repo)
        return repo

    def trust(self, repo: Repo) -> None:
        """Let a clone write to a folder outside of itself, which a cloned .gitkit.toml alone cannot."""
        if self.url is not None and self.url.startswith("oci-layout:"):
            repo.git("config", "kit.url", self.url)

    def published(self, path: Path) -> Repo:
        """An author's clone after commit and push."""
        repo = self.author(path)
        repo.commit("first")
        repo.git("push", "--quiet", "origin", "main")
        return repo

    def clone(self, path: Path, *options: str) -> Repo:
        """A clone made by `git kit clone`."""
        Repo(path.parent, self.bare.environ).kit("clone", *options, str(self.bare.path), str(path))
        return Repo(path, self.bare.environ)

    def pointers_only(self, path: Path) -> Repo:
        """A clone without content."""
        return self.clone(path, "--no-content")

    def kept(self) -> dict[str, list[str]]:
        """The digests that each keep-manifest names, by its tag."""
        found = {}
        for tag in self.remote.tags():
            if tag.startswith("kit.objects-"):
                layers = json.loads(self.remote.get_manifest(tag))["layers"]
                found[tag] = [layer["digest"] for layer in layers]
        return found


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Where `git kit install` was run once: its configuration and hooks are given to all repositories here."""
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


def _embedded(request: pytest.FixtureRequest, bare: Repo) -> Iterator[Place]:
    yield Place(bare=bare, url=None, remote=ImageLayout(str(bare.path / "kit")))


def _layout(request: pytest.FixtureRequest, bare: Repo) -> Iterator[Place]:
    folder = bare.path.parent / "a layout"
    yield Place(bare=bare, url=f"oci-layout:{folder}", remote=ImageLayout(str(folder)))


def _fault_registry(request: pytest.FixtureRequest, bare: Repo) -> Iterator[Place]:
    registry: FaultRegistry = request.getfixturevalue("fault_registry")
    with connect(registry.host) as remote:
        yield Place(bare=bare, url=f"oci://{registry.host}/{REPOSITORY}", remote=remote)


def _docker_registry(request: pytest.FixtureRequest, bare: Repo) -> Iterator[Place]:
    registry: RealRegistry = request.getfixturevalue("real_registry")
    with connect(registry.host) as remote:
        yield Place(bare=bare, url=f"oci://{registry.host}/{REPOSITORY}", remote=remote)


def _docker_registry_with_login(request: pytest.FixtureRequest, bare: Repo) -> Iterator[Place]:
    registry: RealRegistry = request.getfixturevalue("real_registry_with_login")
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    folder = Path(bare.environ["DOCKER_CONFIG"])
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": secret}}}))
    with connect(registry.host, login=Credential(username=USER, password=PASSWORD)) as remote:
        yield Place(bare=bare, url=f"oci://{registry.host}/{REPOSITORY}", remote=remote)


PLACES = [
    pytest.param(_embedded, id="embedded"),
    pytest.param(_layout, id="layout"),
    pytest.param(_fault_registry, id="fault-registry"),
    pytest.param(_docker_registry, id="docker-registry", marks=pytest.mark.real_registry),
    pytest.param(_docker_registry_with_login, id="docker-registry-login", marks=pytest.mark.real_registry),
]


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, bare: Repo) -> Iterator[Place]:
    yield from request.param(request, bare)


@pytest.fixture
def embedded(request: pytest.FixtureRequest, bare: Repo) -> Iterator[Place]:
    yield from _embedded(request, bare)


@pytest.fixture
def fault_place(request: pytest.FixtureRequest, bare: Repo) -> Iterator[Place]:
    yield from _fault_registry(request, bare)


def store_blob(repo: Repo, data: bytes) -> Path:
    """Where the clone's store has, or would have, ``data``."""
    common = repo.out("rev-parse", "--path-format=absolute", "--git-common-dir")
    return Path(common, "kit", "blobs", "sha256", digest_of(data)[7:])


def is_pointer_to(text: bytes, data: bytes) -> bool:
    return text == f"version git-kit/1\noid {digest_of(data)}\nsize {len(data)}\n".encode()


def assert_content(repo: Repo) -> None:
    assert {path: repo.read(path) for path in CONTENT} == CONTENT
    assert repo.out("status", "--porcelain") == ""


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in 30 s"
        time.sleep(0.005)


def finish(process: "subprocess.Popen[bytes]", code: int = 0) -> str:
    """The end of a started program: its standard error."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, (out + err).decode()
    return err.decode()


# -- the way there and back ------------------------------------------------------------------------------------------


def test_set_up_by_commands_alone_gives_a_repository_that_pushes(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path / "another home")
    bare = init(tmp_path / "bare.git", environ, "--bare")
    repo = bare.clone(tmp_path / "author")
    repo.kit("install")
    repo.kit("init")
    repo.kit("track", "*.bin")
    repo.commit("first", {"models/model.bin": MODEL})
    assert is_pointer_to(repo.blob("HEAD:models/model.bin"), MODEL)
    assert store_blob(repo, MODEL).read_bytes() == MODEL
    assert not (bare.path / "kit").exists()
    repo.git("push", "--quiet", "origin", "main")
    assert (bare.path / "kit" / "blobs" / "sha256" / digest_of(MODEL)[7:]).read_bytes() == MODEL


def test_push_then_clone_gives_the_same_bytes(place: Place, tmp_path: Path) -> None:
    author = place.published(tmp_path / "author")
    assert is_pointer_to(author.blob("HEAD:models/model.bin"), MODEL)
    assert author.blob("HEAD:models/empty.bin") == b""
    assert_content(author)

    clone = place.clone(tmp_path / "clone")
    assert_content(clone)
    status = json.loads(clone.kit("status", "--json").stdout)
    assert (status["files"], status["size"]) == (3, len(MODEL) + 2 * len(SMALL))
    assert (status["staged"], status["changed"], status["missing"], status["unpushed"]) == ([], [], [], [])
    assert clone.kit("fsck").stdout == "2 blobs, 3.0 MiB: 0 damaged\n"

    plain = place.bare.clone(tmp_path / "plain")
    assert_content(plain)
    assert store_blob(plain, MODEL).read_bytes() == MODEL


@pytest.mark.parametrize("place", [PLACES[0], PLACES[2], PLACES[4]], indirect=True)
def test_pull_step_by_step_and_after_a_later_push_brings_content(place: Place, tmp_path: Path) -> None:
    author = place.published(tmp_path / "author")
    clone = place.pointers_only(tmp_path / "clone")
    assert is_pointer_to(clone.read("models/model.bin"), MODEL)
    assert "2 files, 3.0 MiB" in clone.kit("fetch").stderr
    assert is_pointer_to(clone.read("models/model.bin"), MODEL)
    assert store_blob(clone, MODEL).read_bytes() == MODEL
    assert "3 files, 3.0 MiB" in clone.kit("checkout").stderr
    assert_content(clone)

    changed = [some_bytes(2 * MIB, seed=3), some_bytes(2 * MIB, seed=4)]
    author.commit("second", {"models/model.bin": changed[0]})
    author.git("push", "--quiet", "origin", "main")
    clone.git("pull", "--quiet")
    assert clone.read("models/model.bin") == changed[0]
    author.commit("third", {"models/model.bin": changed[1]})
    author.git("push", "--quiet", "origin", "main")
    clone.git("pull", "--quiet", extra=SKIP)
    assert is_pointer_to(clone.read("models/model.bin"), changed[1])
    clone.kit("pull")
    assert clone.read("models/model.bin") == changed[1]
    assert clone.out("status", "--porcelain") == ""
    assert len(place.kept()) == 3


def test_fetch_checkout_pull_and_push_with_everything_done_say_so(embedded: Place, tmp_path: Path) -> None:
    author = embedded.published(tmp_path / "author")
    assert "nothing to download" in author.kit("fetch").stderr
    assert "nothing to check out" in author.kit("checkout").stderr
    assert "nothing to pull" in author.kit("pull").stderr
    assert "has everything already" in author.kit("push").stderr


def test_status_and_ls_files_without_content_name_what_is_missing(embedded: Place, tmp_path: Path) -> None:
    embedded.published(tmp_path / "author")
    clone = embedded.pointers_only(tmp_path / "clone")
    missing = json.loads(clone.kit("status", "--json").stdout)["missing"]
    assert [item["path"] for item in missing] == ["models/model.bin", "models/same.bin", "models/small.bin"]
    clone.kit("fetch", "-I", "models/small.bin")
    listed = json.loads(clone.kit("ls-files", "--json").stdout)
    assert [(item["path"], item["digest"], item["size"], item["in_store"]) for item in listed] == [
        ("models/model.bin", digest_of(MODEL), len(MODEL), False),
        ("models/same.bin", digest_of(SMALL), len(SMALL), True),
        ("models/small.bin", digest_of(SMALL), len(SMALL), True),
    ]
    assert json.loads(clone.kit("ls-files", "--json", "HEAD").stdout) == listed


def test_status_with_local_changes_tells_staged_changed_and_unpushed_apart(embedded: Place, tmp_path: Path) -> None:
    author = embedded.published(tmp_path / "author")
    author.commit("second", {"models/new.bin": some_bytes(5000, seed=3)})
    author.write("models/model.bin", b"changed")
    author.write("models/small.bin", b"staged")
    author.git("add", "models/small.bin")
    status = json.loads(author.kit("status", "--json").stdout)
    assert [item["path"] for item in status["unpushed"]] == ["models/new.bin"]
    assert status["changed"] == [{"path": "models/model.bin", "change": "M"}]
    assert status["staged"] == [{"path": "models/small.bin", "change": "M"}]
    assert status["missing"] == []


@pytest.mark.parametrize("place", PLACES[::3], indirect=True)
def test_push_of_the_same_content_from_two_histories_writes_one_deterministic_keep_manifest(
    place: Place, tmp_path: Path
) -> None:
    place.published(tmp_path / "author")
    empty, wanted = digest_of(b"{}"), sorted([(digest_of(MODEL), len(MODEL)), (digest_of(SMALL), len(SMALL))])
    layers = ",".join(
        f'{{"mediaType":"application/vnd.git-kit.object.v1","digest":"{digest}","size":{size}}}'
        for digest, size in wanted
    )
    expected = (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        '"artifactType":"application/vnd.git-kit.objects.v1+json",'
        f'"config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{empty}","size":2}},'
        f'"layers":[{layers}]}}'
    ).encode()
    tag = f"kit.objects-{digest_of(expected)[7:39]}"
    assert place.remote.tags() == [tag]
    assert place.remote.get_manifest(tag) == expected
    for digest, size in wanted:
        assert digest_of(read_all(place.remote.open_blob(digest, size))) == digest

    other = place.author(tmp_path / "other")
    other.git("checkout", "--quiet", "--orphan", "other")
    other.commit("the same content in another history")
    other.git("push", "--quiet", "origin", "other")
    assert place.remote.tags() == [tag]


# -- what a push does and does not do --------------------------------------------------------------------------------


def test_push_with_nothing_new_for_the_remote_sends_no_request(
    fault_place: Place, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    author = fault_place.published(tmp_path / "author")
    before = len(fault_registry.requests)
    assert before > 0
    author.commit("only text", {"README.md": "changed\n"})
    author.git("push", "--quiet", "origin", "main")
    author.git("tag", "v1")
    author.git("push", "--quiet", "origin", "v1", "main:refs/heads/same")
    author.git("push", "--quiet", "origin", ":refs/heads/same")
    assert len(fault_registry.requests) == before


def test_pre_push_with_nothing_to_do_imports_no_http_and_no_schema_library(
    fault_place: Place, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    author = fault_place.published(tmp_path / "author")
    old = author.out("rev-parse", "HEAD")

    def imported(new: str, known: str) -> set[str]:
        line = f"refs/heads/main {new} refs/heads/main {known}\n".encode()
        argv = [sys.executable, "-X", "importtime", "-m", "gitkit", "hook", "pre-push", "origin", str(author.path)]
        done = subprocess.run(argv, cwd=author.path, env=author.environ, input=line, capture_output=True, check=True)
        return {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}

    heavy = {"urllib3", "ssl", "http.client", "gitkit.registry.client", "pydantic", "rich", "concurrent.futures"}
    new = author.commit("only text", {"README.md": "changed\n"})
    assert heavy & imported(new, old) == set()
    author.git("update-ref", "-d", "refs/remotes/origin/main")
    assert {"urllib3", "gitkit.registry.client"} <= imported(new, NO_OID)


def test_push_of_content_that_a_later_commit_deletes_uploads_it(embedded: Place, tmp_path: Path) -> None:
    author = embedded.author(tmp_path / "author")
    author.commit("first")
    author.git("rm", "--quiet", "models/model.bin")
    author.commit("without the model")
    author.git("push", "--quiet", "origin", "main")
    assert embedded.remote.has_blob(digest_of(MODEL))
    clone = embedded.clone(tmp_path / "clone")
    clone.git("checkout", "--quiet", "HEAD~1")
    assert clone.read("models/model.bin") == MODEL


def test_push_of_several_refs_in_several_commits_uploads_each_content_once(
    fault_place: Place, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    author = fault_place.author(tmp_path / "author")
    author.commit("first")
    author.git("branch", "side")
    author.commit("moved", {"elsewhere/model.bin": MODEL})
    author.git("tag", "--annotate", "--message", "one", "v1")
    author.git("push", "--quiet", "origin", "main", "side", "v1")
    uploaded = sorted(re.search(r"digest=([^&]*)", call.path)[1] for call in fault_registry.seen("PUT", UPLOADS))
    assert [name.replace("%3A", ":") for name in uploaded] == sorted(digest_of(data) for data in (MODEL, SMALL, b"{}"))
    assert len(fault_place.kept()) == 1


def test_push_to_a_url_instead_of_a_remote_uploads(embedded: Place, tmp_path: Path) -> None:
    author = embedded.author(tmp_path / "author")
    author.commit("first")
    author.git("push", "--quiet", str(embedded.bare.path), "main")
    assert embedded.remote.has_blob(digest_of(MODEL))


def test_push_after_the_registry_was_emptied_and_the_branch_deleted_uploads_everything_again(
    fault_place: Place, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    author = fault_place.published(tmp_path / "author")
    fault_place.bare.git("config", "receive.denyDeleteCurrent", "ignore")
    author.git("push", "--quiet", "origin", ":main")
    fault_registry.registry.repositories.clear()
    author.git("push", "--quiet", "origin", "main")
    assert set(fault_registry.repository(REPOSITORY).blobs) == {digest_of(data) for data in (MODEL, SMALL, b"{}")}
    assert len(fault_place.kept()) == 1


def test_push_with_content_missing_here_but_on_the_remote_passes_and_keeps_it(
    fault_place: Place, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    author = fault_place.author(tmp_path / "author")
    author.commit("first")
    fault_registry.add_blob(REPOSITORY, MODEL)
    store_blob(author, MODEL).unlink()
    author.git("push", "--quiet", "origin", "main")
    assert sorted(*fault_place.kept().values()) == sorted([digest_of(MODEL), digest_of(SMALL)])
    assert fault_place.bare.out("rev-parse", "main") == author.out("rev-parse", "HEAD")
    assert not store_blob(author, MODEL).exists()


@pytest.mark.parametrize("place", PLACES[:3:2], indirect=True)
def test_push_with_content_neither_here_nor_there_is_refused_and_no_ref_moves(place: Place, tmp_path: Path) -> None:
    author = place.published(tmp_path / "author")
    before = place.bare.out("rev-parse", "main")
    lost = some_bytes(5000, seed=4)
    author.commit("second", {"models/lost.bin": lost})
    store_blob(author, lost).unlink()
    refused = author.git("push", "origin", "main", "main:refs/heads/other", code=1)
    assert "error: content is neither in this clone nor on " in refused.stderr
    assert f"  models/lost.bin  {digest_of(lost)}\n" in refused.stderr
    assert "hint: " in refused.stderr
    assert place.bare.out("for-each-ref", "--format=%(refname) %(objectname)") == f"refs/heads/main {before}"
    author.write("models/lost.bin", lost)
    author.git("add", "--renormalize", "models/lost.bin")
    author.git("push", "--quiet", "origin", "main")
    assert place.bare.out("rev-parse", "main") == author.out("rev-parse", "HEAD")
    assert place.remote.has_blob(digest_of(lost))


def test_kit_push_without_git_uploads_history_and_moves_no_ref(embedded: Place, tmp_path: Path) -> None:
    author = embedded.author(tmp_path / "author")
    author.commit("first")
    listed = author.kit("push", "--dry-run").stdout.split()
    assert sorted(word for word in listed if word.startswith("sha256:")) == sorted([digest_of(MODEL), digest_of(SMALL)])
    assert embedded.remote.tags() == []
    assert "2 files, 3.0 MiB" in author.kit("push").stderr
    assert embedded.bare.out("for-each-ref") == ""
    author.git("push", "--quiet", "origin", "main")
    assert len(embedded.kept()) == 1


# -- at the same time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES[::3], indirect=True)
def test_push_from_two_clones_at_once_loses_nothing_of_either(place: Place, tmp_path: Path) -> None:
    first = place.published(tmp_path / "first")
    second = place.clone(tmp_path / "second")
    both, own = some_bytes(2 * MIB, seed=5), {first: some_bytes(MIB, seed=6), second: some_bytes(MIB, seed=7)}
    for repo, name in ((first, "one"), (second, "two")):
        repo.git("checkout", "--quiet", "-b", name)
        repo.commit(name, {"models/both.bin": both, "models/own.bin": own[repo]})
    pushes = [repo.start("git", "push", "--quiet", "origin", name) for repo, name in ((first, "one"), (second, "two"))]
    for push in pushes:
        finish(push)
    third = place.clone(tmp_path / "third")
    for repo, name in ((first, "one"), (second, "two")):
        third.git("checkout", "--quiet", name)
        assert third.read("models/both.bin") == both
        assert third.read("models/own.bin") == own[repo]
    named = {digest for digests in place.kept().values() for digest in digests}
    assert {digest_of(data) for data in (both, MODEL, SMALL, *own.values())} == named
    assert "0 damaged" in third.kit("fsck").stdout


def test_push_that_is_overtaken_during_its_upload_ends_with_the_same_keep_manifest(
    fault_place: Place, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    slow, fast = fault_place.author(tmp_path / "slow"), fault_place.author(tmp_path / "fast")
    slow.commit("slow")
    fast.git("checkout", "--quiet", "--orphan", "fast")
    fast.commit("fast")
    held = fault_registry.add(
        Fault(method="PUT", path=UPLOADS + re.escape(digest_of(MODEL)).replace(":", "(:|%3A)"), pause_after=MIB)
    )
    pushing = slow.start("git", "push", "--quiet", "origin", "main")
    assert held.reached.wait(30)
    fast.git("push", "--quiet", "origin", "fast")
    held.resume.set()
    finish(pushing)
    assert [sorted(digests) for digests in fault_place.kept().values()] == [
        sorted([digest_of(MODEL), digest_of(SMALL)])
    ]
    assert fault_place.bare.out("for-each-ref", "--format=%(refname:short)").split() == ["fast", "main"]


def test_pull_by_two_processes_at_once_downloads_once_and_both_succeed(
    fault_place: Place, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    fault_place.published(tmp_path / "author")
    clone = fault_place.pointers_only(tmp_path / "clone")
    held = fault_registry.add(Fault(method="GET", path=BLOBS + digest_of(MODEL)[7:], pause_after=MIB))
    first = clone.start("git-kit", "pull")
    assert held.reached.wait(30)
    second = clone.start("git-kit", "pull")
    part = f"{digest_of(MODEL)[7:]}.part"
    wait_for(lambda: any(part in name for name in _open_files(second.pid)), "the second pull waiting for the first")
    held.resume.set()
    finish(first)
    finish(second)
    assert len(fault_registry.seen("GET", BLOBS + digest_of(MODEL)[7:])) == 1
    assert_content(clone)
    assert "0 damaged" in clone.kit("fsck").stdout


def _open_files(pid: int) -> list[str]:
    folder = f"/proc/{pid}/fd"
    names = []
    for name in os.listdir(folder):
        try:
            names.append(os.readlink(f"{folder}/{name}"))
        except FileNotFoundError:
            continue
    return names


# -- worktrees -------------------------------------------------------------------------------------------------------


def test_worktrees_of_one_clone_share_the_store(
    fault_place: Place, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    author = fault_place.published(tmp_path / "author")
    before = len(fault_registry.requests)
    author.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = Repo(tmp_path / "side", author.environ)
    assert_content(side)
    assert len(fault_registry.requests) == before
    added = some_bytes(MIB, seed=8)
    side.commit("in the side worktree", {"models/added.bin": added})
    assert store_blob(author, added) == store_blob(side, added)
    assert store_blob(author, added).read_bytes() == added
    assert not (author.path / ".git" / "worktrees" / "side" / "kit").exists()
    side.git("push", "--quiet", "origin", "side")
    author.git("merge", "--quiet", "side")
    assert author.read("models/added.bin") == added


# -- what a checkout leaves alone ------------------------------------------------------------------------------------


def test_pull_leaves_a_pointer_file_that_was_changed(embedded: Place, tmp_path: Path) -> None:
    embedded.published(tmp_path / "author")
    clone = embedded.pointers_only(tmp_path / "clone")
    edited = clone.read("models/model.bin") + b"note mine\n"
    replaced = b"my own content"
    clone.write("models/model.bin", edited)
    clone.write("models/small.bin", replaced)
    (clone.path / "models/same.bin").unlink()
    assert "nothing to pull" in clone.kit("pull").stderr
    assert clone.read("models/model.bin") == edited
    assert clone.read("models/small.bin") == replaced
    assert not (clone.path / "models/same.bin").exists()
    clone.git("checkout", "--quiet", "--", "models/same.bin", extra=SKIP)
    assert "1 file" in clone.kit("pull").stderr
    assert clone.read("models/model.bin") == edited
    assert clone.read("models/small.bin") == replaced
    assert clone.read("models/same.bin") == SMALL


@pytest.mark.parametrize("command", ["pull", "checkout"])
def test_materialise_through_a_link_in_the_place_of_a_folder_is_refused(
    embedded: Place, tmp_path: Path, command: str
) -> None:
    embedded.published(tmp_path / "author")
    clone = embedded.pointers_only(tmp_path / "clone")
    clone.kit("fetch")
    (clone.path / "models").rename(tmp_path / "outside")
    (clone.path / "models").symlink_to(tmp_path / "outside")
    clone.kit(command)
    assert is_pointer_to((tmp_path / "outside" / "model.bin").read_bytes(), MODEL)
    (clone.path / "models").unlink()
    (tmp_path / "outside").rename(clone.path / "models")
    clone.kit(command)
    assert_content(clone)


def test_materialise_where_the_file_itself_is_a_link_to_a_pointer_leaves_the_link(
    embedded: Place, tmp_path: Path
) -> None:
    embedded.published(tmp_path / "author")
    clone = embedded.pointers_only(tmp_path / "clone")
    (clone.path / "models/model.bin").rename(tmp_path / "outside.bin")
    (clone.path / "models/model.bin").symlink_to(tmp_path / "outside.bin")
    clone.kit("pull")
    assert (clone.path / "models/model.bin").is_symlink()
    assert is_pointer_to((tmp_path / "outside.bin").read_bytes(), MODEL)
    assert clone.read("models/small.bin") == SMALL


def test_pull_writes_stat_data_into_the_index_so_that_status_starts_no_filter(embedded: Place, tmp_path: Path) -> None:
    author = embedded.author(tmp_path / "author")
    (
        author.path / "models/empty.bin"
    ).unlink()  # no pointer, so it is Git's alone and may be re-read in its first second
    author.commit("first")
    author.git("push", "--quiet", "origin", "main")
    clone = embedded.pointers_only(tmp_path / "clone")
    clone.kit("pull")
    trace = tmp_path / "trace"

    def filter_started() -> bool:
        trace.unlink(missing_ok=True)
        assert clone.git("status", "--porcelain", extra={"GIT_TRACE": str(trace)}).stdout == ""
        assert "built-in: git status" in trace.read_text()
        return "filter-process" in trace.read_text()

    assert not filter_started()
    os.utime(clone.path / "models/model.bin")
    assert filter_started()
    assert clone.read("models/model.bin") == MODEL


def test_pull_after_a_change_in_the_second_of_the_checkout_leaves_the_change_visible(
    embedded: Place, tmp_path: Path
) -> None:
    embedded.published(tmp_path / "author")
    clone = embedded.pointers_only(tmp_path / "clone")
    clone.git("config", "core.trustctime", "false")
    index, readme = clone.path / ".git" / "index", clone.path / "README.md"
    long_ago = readme.stat().st_mtime_ns - 100 * 10**9
    os.utime(readme, ns=(long_ago, long_ago))
    clone.git("update-index", "--refresh")
    clone.write("README.md", "HELLO\n")
    for path in (readme, index):
        os.utime(path, ns=(long_ago, long_ago))
    assert clone.out("--no-optional-locks", "status", "--porcelain") == " M README.md"
    # Patched later, the index is younger than README.md: Git would trust its stat data, which fit, from then on.
    clone.kit("pull")
    assert clone.read("models/model.bin") == MODEL
    assert clone.out("--no-optional-locks", "status", "--porcelain") == " M README.md"
