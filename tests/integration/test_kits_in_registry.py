"""Kits on a remote: listing with sizes, tagging, removing one tag, and copying between registries and folders."""

import io
import json
import os
import pty
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.oci import EMPTY_BLOB, EMPTY_DESCRIPTOR, INDEX, MANIFEST, Descriptor, Manifest
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, Corrupt, InvalidFile, NotFound, Unsupported
from gitkit.modelkit.copying import copy
from gitkit.modelkit.tags import Guard, retag
from gitkit.registry.client import Registry
from gitkit.store.layout import ImageLayout
from tests.lib.registries import REPOSITORY, Fault, FaultRegistry, RealRegistry, connect, read_all
from tests.lib.registry_samples import ALICE
from tests.lib.registry_server import Access
from tests.lib.repos import Repo, clean_environ, init, some_bytes

OTHER = "acme/other"
BIG = some_bytes(2_500_000, 7)
KITFILE = "package:\n  name: tiny\nmodel:\n  path: model.bin\ndocs:\n  - path: README.md\n"
TOML = '[environments.dev]\nbranch = "main"\n[environments.prod]\nbranch = "prod"\nfrom = ["dev"]\n'
GUARD = Guard("v*", ())


def put_kit(remote: Remote, *layers: bytes, tag: str | None = None) -> bytes:
    """A kit with ``layers``; its manifest."""
    for blob in (EMPTY_BLOB, *layers):
        remote.put_blob(digest_of(blob), len(blob), lambda blob=blob: io.BytesIO(blob))  # type: ignore[misc]
    described = [Descriptor(media_type="application/x.test", digest=digest_of(blob), size=len(blob)) for blob in layers]
    manifest = Manifest(config=EMPTY_DESCRIPTOR, layers=described, artifact_type="application/x.test").encode()
    remote.put_manifest(manifest, tag=tag)
    return manifest


def put_index(remote: Remote, tag: str) -> None:
    remote.put_manifest(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode(), tag=tag)


def uploads(registry: FaultRegistry, repository: str = "") -> int:
    return len(registry.seen("PUT", f"{repository}/blobs/uploads/"))


@pytest.fixture
def remote(fault_registry: FaultRegistry) -> Iterator[Registry]:
    with connect(fault_registry.host) as remote:
        yield remote


@pytest.fixture
def other(fault_registry: FaultRegistry) -> Iterator[Registry]:
    """Another repository of the same registry."""
    with Registry(fault_registry.host, OTHER, scheme="http") as remote:
        yield remote


@pytest.fixture
def elsewhere() -> Iterator[FaultRegistry]:
    """Another registry."""
    with FaultRegistry() as registry:
        yield registry


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """v1 and v2 released to the folder ``../registry``; they share the README. v2 runs in dev, which follows main."""
    folder = tmp_path_factory.mktemp("template")
    repo = init(folder / "repo", clean_environ(folder / "home"))
    repo.kit("install")
    repo.git("config", "kit.url", "oci-layout:../registry")
    repo.kit("track", "*.bin")
    for version in ("v1", "v2"):
        model = version * 50
        repo.commit(version, {".gitkit.toml": TOML, "Kitfile": KITFILE, "README.md": "# Tiny\n", "model.bin": model})
        repo.git("tag", version)
        repo.kit("release", version)
    return repo


@pytest.fixture
def released(template: Repo, fault_registry: FaultRegistry, tmp_path: Path) -> Repo:
    """A copy of ``template``, whose remote is ``fault_registry`` and holds the same."""
    folder, contents = ImageLayout(str(template.path.parent / "registry")), fault_registry.repository(REPOSITORY)
    contents.blobs |= {digest: Path(folder.blob_path(digest)).read_bytes() for digest, _ in folder.blobs()}
    for tag in folder.tags():
        manifest = folder.get_manifest(tag)
        contents.tags[tag] = digest_of(manifest)
        contents.manifests[digest_of(manifest)] = (MANIFEST, manifest)
    repo = Repo(Path(shutil.copytree(template.path, tmp_path / "repo")), template.environ)
    repo.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    return repo


# -- a session: one repository, its commands -------------------------------------------------------------------------


def test_kits_of_the_remote_are_listed_with_their_size_and_what_is_new(released: Repo, remote: Registry) -> None:
    put_index(remote, "v9")
    lines = {line["version"]: line for line in json.loads(released.kit("kits", "--remote", "--json").stdout)}
    readme, model = len("# Tiny\n"), 100
    assert (lines["v1"]["size"], lines["v1"]["new"]) == (readme + model, readme + model)
    assert (lines["v2"]["size"], lines["v2"]["new"]) == (readme + model, model)
    assert (lines["v9"]["size"], lines["v9"]["new"], lines["v9"]["commit"]) == (None, None, None)
    assert lines["v9"]["released"] == remote.resolve("v9")
    table = [line.split() for line in released.kit("kits", "-r").stdout.splitlines()]
    assert table[0] == ["VERSION", "COMMIT", "DATE", "BUILT", "RELEASED", "SIZE", "NEW"]
    assert table[2][-4:] == ["107", "B", "100", "B"]
    assert released.kit("kits").stdout.splitlines()[0].split() == ["VERSION", "COMMIT", "DATE", "BUILT"]


def test_listing_moves_no_layer(released: Repo, fault_registry: FaultRegistry) -> None:
    before = len(fault_registry.seen("GET", "/blobs/"))
    released.kit("kits", "--remote")
    assert len(fault_registry.seen("GET", "/blobs/")) == before


def test_tag_names_the_same_kit_and_moves_no_content(
    released: Repo, fault_registry: FaultRegistry, remote: Registry
) -> None:
    before = uploads(fault_registry)
    digest = remote.resolve("v1")
    assert released.kit("kits", "tag", "v1", "latest").stdout.strip() == digest
    assert remote.resolve("latest") == digest
    assert remote.get_manifest("latest") == remote.get_manifest("v1")
    assert "named" in released.kit("kits", "tag", "v1", "latest").stderr
    released.kit("kits", "tag", "v2", "latest")
    assert remote.resolve("latest") == remote.resolve("v2") != digest
    assert uploads(fault_registry) == before


@pytest.mark.parametrize(
    ("reference", "newtag", "code"),
    [
        ("v2", "v1", 13),
        ("v2", "prod", 13),
        ("v2", "kit.objects-0", 17),
        ("v7", "latest", 10),
        ("v2", "not a tag", 2),
        ("https://x/y", "latest", 2),
    ],
    ids=["version", "environment", "own-tag", "unknown", "no-tag", "no-reference"],
)
def test_tag_that_must_not_move_is_refused(
    released: Repo, remote: Registry, reference: str, newtag: str, code: int
) -> None:
    before = {tag: remote.resolve(tag) for tag in remote.tags()}
    released.kit("kits", "tag", reference, newtag, code=code)
    assert {tag: remote.resolve(tag) for tag in remote.tags()} == before


def test_version_tagged_with_the_kit_that_it_names_is_no_move(released: Repo, remote: Registry) -> None:
    digest = remote.resolve("v1")
    assert digest is not None
    assert released.kit("kits", "tag", digest, "v1").stdout.strip() == digest


def test_removed_version_is_gone_and_everything_else_stays(
    released: Repo, fault_registry: FaultRegistry, remote: Registry
) -> None:
    released.kit("kits", "tag", "v1", "stable")
    digest, blobs = remote.resolve("v1"), set(fault_registry.repository(REPOSITORY).blobs)
    kept = {tag: remote.resolve(tag) for tag in remote.tags() if tag != "v1"}
    done = released.kit("kits", "remove", "v1", "--yes")
    assert f"{digest}" in done.stderr
    assert {tag: remote.resolve(tag) for tag in remote.tags()} == kept
    assert "stable" in kept
    assert blobs <= set(fault_registry.repository(REPOSITORY).blobs)
    assert released.out("tag", "--list") == "v1\nv2"
    assert json.loads(released.kit("kits", "-r", "--json").stdout)[0]["released"] is None


@pytest.mark.parametrize(
    ("tag", "code", "said"),
    [
        ("v2", 13, "runs in dev"),
        ("prod", 13, "environment"),
        ("KEEP", 17, "Git names"),
        ("v7", 10, "no tag"),
        ("sha256:" + "0" * 64, 2, "digest"),
    ],
)
def test_tag_that_is_needed_is_not_removed(released: Repo, remote: Registry, tag: str, code: int, said: str) -> None:
    keep = "kit.objects-00000000000000000000000000000000"
    put_kit(remote, b"x", tag="prod")
    put_kit(remote, b"y", tag=keep)
    before = {name: remote.resolve(name) for name in remote.tags()}
    refused = released.kit("kits", "remove", tag.replace("KEEP", keep), "--yes", code=code)
    assert said in refused.stderr
    assert {name: remote.resolve(name) for name in remote.tags()} == before


def test_version_that_the_tag_of_an_environment_names_too_is_not_removed(released: Repo, remote: Registry) -> None:
    remote.put_manifest(remote.get_manifest("v1"), tag="prod")
    assert "prod" in released.kit("kits", "remove", "v1", "--yes", code=13).stderr
    assert remote.resolve("v1") is not None


def test_version_on_another_remote_is_removed_whatever_runs_here(released: Repo, tmp_path: Path) -> None:
    there = f"oci-layout:{tmp_path / 'there'}"
    released.kit("kits", "copy", "v2", there)
    released.kit("kits", "remove", f"{there}:v2", "--yes")
    assert ImageLayout(str(tmp_path / "there")).tags() == []


def test_remove_without_a_terminal_wants_yes(released: Repo, remote: Registry) -> None:
    assert "--yes" in released.kit("kits", "remove", "v1", code=2).stderr
    assert remote.resolve("v1") is not None


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
def test_remove_on_a_terminal_asks(released: Repo, remote: Registry, answer: bytes, code: int) -> None:
    ours, theirs = pty.openpty()
    with open(ours, "r+b", buffering=0) as terminal:
        process = subprocess.Popen(
            ["git-kit", "kits", "remove", "v1"],
            cwd=released.path,
            env=released.environ,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.close(theirs)
        terminal.write(answer)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code, said.decode()
    assert b"remove v1" in said
    assert (remote.resolve("v1") is None) == (code == 0)


@pytest.mark.parametrize(("target", "tag"), [("", "v1"), (":mirror", "mirror")], ids=["own-tag", "new-tag"])
def test_copy_to_another_repository_of_the_registry_moves_no_content(
    released: Repo, fault_registry: FaultRegistry, remote: Registry, other: Registry, target: str, tag: str
) -> None:
    before = uploads(fault_registry)
    done = json.loads(released.kit("kits", "copy", "v1", f"{other.url}{target}", "--json").stdout)
    assert done["reference"] == f"{other.url}@{remote.resolve('v1')}"
    assert (done["tag"], done["sent"], done["mounted"]) == (tag, 0, 3)
    assert other.get_manifest(tag) == remote.get_manifest("v1")
    assert uploads(fault_registry) == before


@pytest.mark.parametrize("target", ["v3", "oci://127.0.0.1/a@sha256:" + "0" * 64, "/some/folder", "oci://127.0.0.1"])
def test_copy_to_what_is_no_place_is_a_usage_error(released: Repo, target: str) -> None:
    released.kit("kits", "copy", "v1", target, code=2)


# -- copying -----------------------------------------------------------------------------------------------------------


def test_copy_to_another_registry_is_the_same_kit_and_doing_it_again_sends_nothing(
    remote: Registry, elsewhere: FaultRegistry
) -> None:
    manifest = put_kit(remote, BIG, b"x", b"", BIG, tag="v1")
    with connect(elsewhere.host) as target:
        done = copy(remote, target, "v1", tag="v1", guard=GUARD)
        assert done.digest == digest_of(manifest)
        assert done.reference == f"{target.url}@{digest_of(manifest)}"
        assert sorted(need.size for need in done.blobs.sent) == [0, 1, 2, len(BIG)]
        assert target.get_manifest("v1") == manifest
        assert read_all(target.open_blob(digest_of(BIG), len(BIG))) == BIG
        again = copy(remote, target, "v1", tag="v1", guard=GUARD)
        assert (again.blobs.sent, again.blobs.mounted) == ([], [])
        assert uploads(elsewhere) == 4


def test_copy_by_way_of_a_folder_is_the_same_kit(remote: Registry, elsewhere: FaultRegistry, tmp_path: Path) -> None:
    manifest = put_kit(remote, BIG, tag="v1")
    folder = ImageLayout(str(tmp_path / "folder"))
    copy(remote, folder, "v1", tag="v1", guard=GUARD)
    with connect(elsewhere.host) as target:
        copy(folder, target, digest_of(manifest), tag="back", guard=GUARD)
        assert target.get_manifest("back") == manifest
        assert read_all(target.open_blob(digest_of(BIG), len(BIG))) == BIG


def test_copy_whose_source_breaks_goes_on_where_it_broke(
    fault_registry: FaultRegistry, remote: Registry, tmp_path: Path
) -> None:
    put_kit(remote, BIG, tag="v1")
    fault_registry.add(Fault(method="GET", path=digest_of(BIG), cut_body_after=1_200_000))
    target = ImageLayout(str(tmp_path / "target"))
    copy(remote, target, "v1", tag="v1", guard=GUARD)
    assert read_all(target.open_blob(digest_of(BIG), len(BIG))) == BIG
    asked = [call.headers.get("Range") for call in fault_registry.seen("GET", digest_of(BIG))]
    assert asked[0] is None
    assert len(asked) == 2
    assert asked[1].startswith("bytes=")


@pytest.mark.parametrize("damage", ["missing", "changed", "shorter"])
def test_copy_of_a_kit_that_is_not_whole_fails_and_gives_no_tag(
    fault_registry: FaultRegistry, remote: Registry, elsewhere: FaultRegistry, damage: str
) -> None:
    put_kit(remote, BIG, b"x", tag="v1")
    blobs = fault_registry.repository(REPOSITORY).blobs
    if damage == "missing":
        del blobs[digest_of(BIG)]
    else:
        blobs[digest_of(BIG)] = BIG[:-1] + (b"\0" if damage == "changed" else b"")
    with connect(elsewhere.host) as target:
        with pytest.raises(NotFound if damage == "missing" else Corrupt):
            copy(remote, target, "v1", tag="v1", guard=GUARD)
        assert target.tags() == []
        assert target.has_blob(digest_of(BIG)) is False


def test_copy_onto_another_kit_of_the_same_version_is_refused_before_anything_moves(
    remote: Registry, elsewhere: FaultRegistry
) -> None:
    put_kit(remote, BIG, tag="v1")
    with connect(elsewhere.host) as target:
        theirs = digest_of(put_kit(target, b"theirs", tag="v1"))
        with pytest.raises(Conflict):
            copy(remote, target, "v1", tag="v1", guard=GUARD)
        assert target.resolve("v1") == theirs
        assert target.has_blob(digest_of(BIG)) is False


def test_index_is_neither_copied_nor_tagged(remote: Registry, tmp_path: Path) -> None:
    put_index(remote, "v1")
    target = ImageLayout(str(tmp_path / "target"))
    with pytest.raises(InvalidFile, match="index"):
        copy(remote, target, "v1", tag="v1", guard=GUARD)
    with pytest.raises(InvalidFile, match="index"):
        retag(remote, "v1", "latest", GUARD)
    assert target.tags() == []


# -- mounting ----------------------------------------------------------------------------------------------------------


def test_blob_mounted_from_another_repository_is_there_without_an_upload(
    fault_registry: FaultRegistry, remote: Registry, other: Registry
) -> None:
    put_kit(remote, BIG)
    before = uploads(fault_registry)
    assert other.mount_blob(digest_of(BIG), remote.url) is True
    assert read_all(other.open_blob(digest_of(BIG), len(BIG))) == BIG
    assert uploads(fault_registry) == before


def test_blob_that_the_other_repository_lacks_is_not_mounted_and_leaves_no_session(
    fault_registry: FaultRegistry, remote: Registry, other: Registry
) -> None:
    assert other.mount_blob(digest_of(BIG), remote.url) is False
    assert fault_registry.repository(OTHER).uploads == {}
    assert len(fault_registry.seen("DELETE", "/blobs/uploads/")) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_blob_whose_mount_is_refused_is_copied(
    fault_registry: FaultRegistry, remote: Registry, other: Registry, status: int
) -> None:
    manifest = put_kit(remote, BIG, tag="v1")
    fault_registry.add(Fault(method="POST", path="mount=", status=status, times=None))
    done = copy(remote, other, "v1", tag="v1", guard=GUARD)
    assert {need.digest for need in done.blobs.sent} == {digest_of(BIG), EMPTY_DESCRIPTOR.digest}
    assert other.get_manifest("v1") == manifest


def test_mount_asks_for_a_token_for_both_repositories() -> None:
    with FaultRegistry(access=Access(mode="bearer")) as registry:
        registry.add_blob(REPOSITORY, BIG)
        with closing(Registry(registry.host, OTHER, scheme="http", credentials=_Alice())) as target:
            assert target.mount_blob(digest_of(BIG), f"oci://{registry.host}/{REPOSITORY}") is True


class _Alice:
    def find(self, host: str) -> object:
        return ALICE


@pytest.mark.real_registry
def test_copy_within_docker_registry_mounts(real_registry: RealRegistry) -> None:
    with (
        Registry(real_registry.host, REPOSITORY, scheme="http") as source,
        Registry(real_registry.host, OTHER, scheme="http") as target,
    ):
        manifest = put_kit(source, BIG, b"x", tag="v1")
        done = copy(source, target, "v1", tag="v1", guard=GUARD)
        assert (len(done.blobs.mounted), done.blobs.sent) == (3, [])
        assert target.get_manifest("v1") == manifest
        assert read_all(target.open_blob(digest_of(BIG), len(BIG))) == BIG


# -- removing a tag where the registry deletes by digest only --------------------------------------------------------


def test_registry_that_deletes_nothing_keeps_the_tag(fault_registry: FaultRegistry, remote: Registry) -> None:
    digest = digest_of(put_kit(remote, BIG, tag="v1"))
    fault_registry.add(Fault(method="DELETE", path="/manifests/", status=405, times=None))
    writes = len(fault_registry.seen("PUT", "/manifests/"))
    with pytest.raises(Unsupported):
        remote.delete_tag("v1")
    assert remote.resolve("v1") == digest
    assert len(fault_registry.seen("PUT", "/manifests/")) == writes, "the tag moved although nothing can be deleted"


def test_registry_that_stops_deleting_half_way_gets_its_tag_back(
    fault_registry: FaultRegistry, remote: Registry
) -> None:
    digest = digest_of(put_kit(remote, BIG, tag="v1"))
    fault_registry.add(Fault(method="DELETE", path="/manifests/sha256:"))  # the first one is answered as it should be
    fault_registry.add(Fault(method="DELETE", path="/manifests/sha256:", status=405, times=None))
    with pytest.raises(Unsupported):
        remote.delete_tag("v1")
    assert remote.resolve("v1") == digest


def test_removal_that_was_killed_half_way_is_finished_by_the_next(
    fault_registry: FaultRegistry, remote: Registry
) -> None:
    kit = put_kit(remote, BIG, tag="v1")
    put_kit(remote, BIG, tag="prod")
    fault_registry.add(Fault(method="DELETE", path="/manifests/sha256:"))
    fault_registry.add(Fault(method="DELETE", path="/manifests/sha256:", status=401, times=1))
    fault_registry.add(Fault(method="PUT", path="/manifests/v1", times=1))
    fault_registry.add(Fault(method="PUT", path="/manifests/v1", status=401, times=1))
    with pytest.raises(Exception, match="delete"):
        remote.delete_tag("v1")
    assert remote.resolve("v1") not in (None, digest_of(kit)), "the test did not leave the stand-in behind"
    remote.delete_tag("v1")
    assert remote.tags() == ["prod"]
    assert remote.get_manifest("prod") == kit


def test_registry_that_deletes_by_tag_is_asked_for_that_alone(fault_registry: FaultRegistry, remote: Registry) -> None:
    put_kit(remote, BIG, tag="v1")
    writes = len(fault_registry.seen("PUT"))
    tags = fault_registry.repository(REPOSITORY).tags
    fault_registry.add(Fault(method="DELETE", path="/manifests/v1", status=202, call=lambda: tags.pop("v1") and None))
    remote.delete_tag("v1")
    assert remote.resolve("v1") is None
    assert (len(fault_registry.seen("DELETE")), len(fault_registry.seen("PUT"))) == (1, writes)
