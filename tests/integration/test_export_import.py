"""`git kit export` and `git kit import`: kits as folders and files, back into a registry, and into commits."""

import fcntl
import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitkit.context import Context
from gitkit.core.digest import digest_of
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, Corrupt, InvalidFile, KitError, NotFound, Unsupported
from gitkit.modelkit.archive import Archive
from gitkit.modelkit.copying import copy
from gitkit.modelkit.destination import Destination
from gitkit.modelkit.export import export_archive
from gitkit.modelkit.import_kit import Imported, import_kit, rebuild
from gitkit.registry.client import Registry
from gitkit.store.layout import ImageLayout
from tests.lib import kit_samples as samples
from tests.lib.kit_samples import Sample
from tests.lib.registries import REPOSITORY, Fault, FaultRegistry, connect
from tests.lib.repos import Repo, clean_environ, init, some_bytes

BIG = some_bytes(2_500_000, 3)
FILES = {
    "models/m.bin": BIG,
    "models/config.json": b'{"model_type": "tiny"}',
    "models/empty.txt": b"",
    "src/run.py": b"print(1)\n",
    "README.md": b"# hello\n",
}
KIT = samples.files(FILES)
POINTER = f"version git-kit/1\noid {digest_of(BIG)}\nsize {len(BIG)}\n".encode()
KITFILE = "package:\n  name: tiny  # by hand\nmodel:\n  path: model.bin\ndocs:\n  - path: README.md\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """An empty repository after `git kit install`."""
    folder = tmp_path_factory.mktemp("installed")
    repo = init(folder / "repo", clean_environ(folder / "home"))
    repo.kit("install")
    return repo


@pytest.fixture
def repo(installed: Repo, tmp_path: Path) -> Repo:
    """An empty repository with filter and hooks, without a remote."""
    return Repo(Path(shutil.copytree(installed.path, tmp_path / "repo")), installed.environ)


@pytest.fixture(scope="module")
def made(installed: Repo, tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A repository with the version v1, released to the folder ``../registry``."""
    folder = tmp_path_factory.mktemp("made")
    repo = Repo(Path(shutil.copytree(installed.path, folder / "repo")), installed.environ)
    repo.git("config", "kit.url", "oci-layout:../registry")
    repo.kit("track", "*.bin")
    repo.commit("v1", {"Kitfile": KITFILE, "README.md": "# Tiny\n", "model.bin": BIG})
    repo.git("tag", "v1")
    repo.kit("release", "v1")
    return repo


@pytest.fixture
def remote(fault_registry: FaultRegistry) -> Iterator[Registry]:
    with connect(fault_registry.host) as remote:
        yield remote


def registry_of(made: Repo) -> ImageLayout:
    return ImageLayout(str(made.path.parent / "registry"))


def bring(repo: Repo, source: Remote, remote: Remote | None = None, **options: Any) -> Imported:
    """Import the kit ``v1`` of ``source`` as a commit."""
    context = Context(repo.environ, str(repo.path))
    options = {"max_plain_size": 50 << 20, **options}
    place = Destination(repository=context.repository, store=context.store, remote=remote, **options)
    return import_kit(place, source, "v1")


def state(repo: Repo) -> tuple[str, str, str]:
    """HEAD, what is staged or changed, and the branch's history: what a refused import must not change."""
    head = repo.git("rev-parse", "-q", "--verify", "HEAD", code=None).stdout
    return head, repo.out("status", "--porcelain", "--ignored"), repo.git("log", "--oneline", code=None).stdout


def store_of(repo: Repo) -> ImageLayout:
    return ImageLayout(str(repo.path / ".git" / "kit"))


# -- export ------------------------------------------------------------------------------------------------------------


def test_exported_archive_is_an_image_layout_and_the_same_bytes_each_time(made: Repo, tmp_path: Path) -> None:
    done = json.loads(made.kit("export", "v1", str(tmp_path / "a.tar"), "--json").stdout)
    os.umask(os.umask(0o077))
    export_archive(registry_of(made), "v1", str(tmp_path / "b.tar"), tag="v1")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as archive:
        contents = {member.name: _content(archive, member) for member in archive if member.isfile()}
        assert {(member.uid, member.gid, member.mtime) for member in archive} == {(0, 0, 0)}
    assert json.loads(contents["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads(contents["index.json"])["manifests"]
    assert entry["digest"] == done["digest"] == registry_of(made).resolve("v1")
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "v1"}
    for name, data in contents.items():
        assert not name.startswith("blobs/") or name == f"blobs/sha256/{digest_of(data)[7:]}"
    assert BIG in contents.values()


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not on PATH")
def test_skopeo_reads_our_archive_and_we_read_the_one_of_skopeo(made: Repo, repo: Repo, tmp_path: Path) -> None:
    made.kit("export", "v1", str(tmp_path / "ours.tar"))

    def skopeo(*args: str) -> bytes:
        return subprocess.run(["skopeo", *args], cwd=tmp_path, capture_output=True, check=True).stdout

    assert skopeo("inspect", "--raw", "oci-archive:ours.tar:v1") == registry_of(made).get_manifest("v1")
    skopeo("copy", "--quiet", f"oci:{made.path.parent / 'registry'}:v1", "oci-archive:theirs.tar:v1")
    repo.kit("import", str(tmp_path / "theirs.tar"))
    assert store_of(repo).get_manifest("v1") == registry_of(made).get_manifest("v1")


def test_export_takes_from_the_remote_what_the_store_lacks(made: Repo, tmp_path: Path) -> None:
    clone = made.clone(tmp_path / "clone", "--config", "kit.url=oci-layout:" + str(made.path.parent / "registry"))
    clone.kit("build", "v1", extra={"GIT_KIT_SKIP_SMUDGE": "1"})
    shutil.rmtree(clone.path / ".git" / "kit" / "blobs")
    shutil.copytree(made.path / ".git" / "kit" / "blobs", clone.path / ".git" / "kit" / "blobs")
    os.unlink(store_of(clone).blob_path(digest_of(BIG)))
    clone.kit("export", "v1", "kit.tar")
    with Archive(str(clone.path / "kit.tar")) as archive:
        assert archive.has_blob(digest_of(BIG))


def test_folder_takes_several_kits_and_holds_what_they_share_once(remote: Registry, made: Repo, tmp_path: Path) -> None:
    samples.files(FILES | {"README.md": b"# other\n"}).push(remote, tag="v2")
    KIT.push(remote, tag="v1")
    for tag in ("v1", "v2"):
        made.kit("export", f"{remote.url}:{tag}", "../several")
    folder = ImageLayout(str(made.path.parent / "several"))
    assert folder.tags() == ["v1", "v2"]
    assert [folder.get_manifest(tag) for tag in ("v1", "v2")] == [remote.get_manifest(tag) for tag in ("v1", "v2")]
    assert len(list(folder.blobs())) == len(KIT.blobs) + 1 + 3  # both manifests, and v2's README and config
    shutil.rmtree(folder.path)


@pytest.mark.parametrize(
    ("path", "code"),
    [("there.tar", 13), ("full", 13), ("folder.tar", 13), ("kit.tar.gz", 2), ("missing/kit.tar", 1)],
)
def test_export_onto_something_is_refused_and_leaves_it(made: Repo, tmp_path: Path, path: str, code: int) -> None:
    (tmp_path / "there.tar").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "folder.tar").mkdir()
    before = sorted(str(file) for file in tmp_path.rglob("*"))
    made.kit("export", "v1", str(tmp_path / path), code=code)
    assert sorted(str(file) for file in tmp_path.rglob("*")) == before
    assert (tmp_path / "there.tar").read_text() == "mine"


def test_export_with_force_replaces_the_file(made: Repo, tmp_path: Path) -> None:
    (tmp_path / "kit.tar").write_text("old")
    made.kit("export", "v1", str(tmp_path / "kit.tar"), "--force")
    with Archive(str(tmp_path / "kit.tar")) as archive:
        assert archive.tags() == ["v1"]


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_export_of_a_damaged_kit_leaves_no_file(tmp_path: Path, damage: str) -> None:
    source = KIT.layout(tmp_path / "source")
    os.chmod(source.blob_path(digest_of(BIG)), 0o644)
    if damage == "changed":
        Path(source.blob_path(digest_of(BIG))).write_bytes(BIG[:-1] + b"\0")
    else:
        os.unlink(source.blob_path(digest_of(BIG)))
    (tmp_path / "out").mkdir()
    with pytest.raises(Corrupt if damage == "changed" else NotFound):
        export_archive(source, "v1", str(tmp_path / "out" / "kit.tar"), tag="v1")
    assert list((tmp_path / "out").iterdir()) == []


def test_export_that_another_process_writes_is_locked_and_a_dead_one_is_not(tmp_path: Path) -> None:
    source, part = KIT.layout(tmp_path / "source"), tmp_path / ".kit.tar.part"
    part.write_bytes(b"x" * 10_000_000)
    with open(part, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(KitError) as refused:
            export_archive(source, "v1", str(tmp_path / "kit.tar"), tag="v1")
        assert refused.value.exit_code == 15
    export_archive(source, "v1", str(tmp_path / "kit.tar"), tag="v1")
    assert not part.exists()
    with Archive(str(tmp_path / "kit.tar")) as archive:
        assert archive.get_manifest("v1") == KIT.manifest


# -- a kit comes back --------------------------------------------------------------------------------------------------


def test_exported_kit_comes_back_as_the_same_kit(made: Repo, fault_registry: FaultRegistry, tmp_path: Path) -> None:
    made.kit("export", "v1", str(tmp_path / "kit.tar"))
    url = f"oci://{fault_registry.host}/{REPOSITORY}"
    clone = made.clone(tmp_path / "clone", "--config", f"kit.url={url}", "--no-checkout")
    reference = clone.kit("import", "../kit.tar").stdout.strip()
    digest = registry_of(made).resolve("v1")
    assert reference == f"{url}@{digest}"
    assert clone.kit("verify", "v1").stdout.strip() == digest
    uploads = len(fault_registry.seen("PUT", "/blobs/"))
    assert clone.kit("import", "../kit.tar").stdout.strip() == reference
    assert len(fault_registry.seen("PUT", "/blobs/")) == uploads
    assert not (store_of(clone).has_blob(digest_of(BIG)))


@pytest.mark.parametrize("form", ["archive", "folder"])
def test_import_without_a_remote_puts_the_kit_into_the_store(made: Repo, repo: Repo, tmp_path: Path, form: str) -> None:
    path = str(tmp_path / ("kit.tar" if form == "archive" else "kit"))
    made.kit("export", "v1", path)
    repo.kit("import", path)
    assert store_of(repo).get_manifest("v1") == registry_of(made).get_manifest("v1")
    assert repo.git("rev-parse", "-q", "--verify", "HEAD", code=1).stdout == ""


def test_archive_imported_with_a_commit_becomes_files(made: Repo, repo: Repo, tmp_path: Path) -> None:
    made.kit("export", "v1", str(tmp_path / "kit.tar"))
    commit = repo.kit("import", "../kit.tar", "--commit").stdout.strip()
    digest = registry_of(made).resolve("v1")
    assert repo.out("log", "-1", "--format=%H %(trailers:key=Kit-Import,valueonly)").strip() == (
        f"{commit} oci-archive:kit.tar:v1@{digest}"
    )
    assert repo.blob("HEAD:model.bin") == POINTER
    assert repo.read("model.bin") == BIG


def test_reference_imported_without_a_commit_is_copied(made: Repo, repo: Repo) -> None:
    repo.kit("import", f"oci-layout:{registry_of(made).path}", "--no-commit")
    assert store_of(repo).get_manifest("v1") == registry_of(made).get_manifest("v1")


def test_import_of_another_kit_under_the_same_version_is_refused(made: Repo, repo: Repo, tmp_path: Path) -> None:
    made.kit("export", "v1", str(tmp_path / "kit.tar"))
    KIT.push(store_of(repo))
    repo.kit("import", "../kit.tar", code=13)
    assert store_of(repo).resolve("v1") == KIT.digest


def test_archive_with_several_kits_wants_a_tag(made: Repo, repo: Repo, tmp_path: Path) -> None:
    KIT.layout(tmp_path / "several", tag="v1")
    samples.files({"a.md": b"a"}).layout(tmp_path / "several", tag="v2")
    with tarfile.open(tmp_path / "several.tar", "w") as archive:
        archive.add(tmp_path / "several", ".")
    assert "v1, v2" in repo.kit("import", "../several.tar", code=2).stderr
    assert "v1, v2" in repo.kit("import", "../several", code=2).stderr
    repo.kit("import", "../several.tar:v3", code=10)
    repo.kit("import", "../several.tar:v2")
    assert store_of(repo).tags() == ["v2"]


def _flipped(data: bytes) -> bytes:
    at = data.index(BIG[:64]) + 1000
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _with_member(change: Callable[[tarfile.TarFile], None]) -> Callable[[bytes], bytes]:
    def apply(data: bytes) -> bytes:
        out = io.BytesIO(data)
        with tarfile.open(fileobj=out, mode="a") as archive:
            change(archive)
        return out.getvalue()

    return apply


def _add_link(archive: tarfile.TarFile) -> None:
    link = tarfile.TarInfo("blobs/sha256/" + "0" * 64)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    archive.addfile(link)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_flipped, Corrupt),
        (lambda data: data[: len(data) // 2], Corrupt),
        (lambda _: b"", Corrupt),
        (lambda _: b"PK" + bytes(2000), Corrupt),
        (gzip.compress, Unsupported),
        (_with_member(_add_link), InvalidFile),
        (_with_member(lambda archive: archive.addfile(tarfile.TarInfo("index.json"))), Corrupt),
        (lambda data: data.replace(b"index.json", b"other.json"), Corrupt),
        (lambda _: samples.tar_of(("x", b"y")), InvalidFile),
        (lambda _: samples.tar_of(("index.json", b"[]")), InvalidFile),
        (lambda _: samples.tar_of(("index.json", b'{"manifests": [{"digest": "../x"}]}')), InvalidFile),
    ],
    ids=["bit", "cut", "empty", "no-tar", "gzip", "link", "twice", "checksum", "no-index", "list", "digest"],
)
def test_damaged_archive_is_refused_and_its_kit_is_nowhere(
    tmp_path: Path, change: Callable[[bytes], bytes], error: type[KitError]
) -> None:
    export_archive(KIT.layout(tmp_path / "source"), "v1", str(tmp_path / "kit.tar"), tag="v1")
    (tmp_path / "kit.tar").write_bytes(change((tmp_path / "kit.tar").read_bytes()))
    target = ImageLayout(str(tmp_path / "target"))
    with pytest.raises(error), Archive(str(tmp_path / "kit.tar")) as archive:
        copy(archive, target, "v1", tag="v1")
    assert target.tags() == []
    assert not target.has_blob(digest_of(BIG))


# -- a kit becomes a commit --------------------------------------------------------------------------------------------


def test_kit_of_another_registry_becomes_pointers_whose_content_goes_to_ours(
    repo: Repo, remote: Registry, fault_registry: FaultRegistry
) -> None:
    with FaultRegistry() as theirs, connect(theirs.host) as source:
        KIT.serve(theirs)
        done = bring(repo, source, remote)
    assert repo.blob("HEAD:models/m.bin") == POINTER == repo.read("models/m.bin")
    assert {path: repo.blob(f"HEAD:{path}") for path in FILES if path != "models/m.bin"} == {
        path: data for path, data in FILES.items() if path != "models/m.bin"
    }
    assert not store_of(repo).has_blob(digest_of(BIG)), "it went through this disk"
    assert fault_registry.repository(REPOSITORY).blobs[digest_of(BIG)] == BIG
    assert any(tag.startswith("kit.objects-") for tag in remote.tags()), "nothing keeps it there"
    assert (
        repo.out("log", "-1", "--format=%s%n%b").strip().splitlines()[-1] == f"Kit-Import: {source.url}:v1@{KIT.digest}"
    )
    assert done.brought.commit == repo.out("rev-parse", "HEAD")
    assert state(repo)[1] == ""
    repo.git("config", "kit.url", remote.url)
    repo.kit("pull")
    assert repo.read("models/m.bin") == BIG


def test_kit_of_another_repository_of_our_registry_is_mounted(
    repo: Repo, remote: Registry, fault_registry: FaultRegistry
) -> None:
    KIT.serve(fault_registry)
    with Registry(fault_registry.host, "acme/ours", scheme="http") as ours:
        done = bring(repo, remote, ours)
        assert [need.digest for need in done.brought.moved.mounted] == [digest_of(BIG)]
        assert ours.has_blob(digest_of(BIG))
    assert not fault_registry.seen("GET", digest_of(BIG))


def test_kit_of_our_own_remote_moves_nothing(repo: Repo, remote: Registry, fault_registry: FaultRegistry) -> None:
    KIT.serve(fault_registry)
    repo.git("config", "kit.url", remote.url)
    repo.kit("import", "v1")
    assert repo.blob("HEAD:models/m.bin") == POINTER
    assert not fault_registry.seen("GET", digest_of(BIG))
    assert not fault_registry.seen("PUT")


def test_kit_imported_without_copying_moves_no_large_file(repo: Repo, remote: Registry, tmp_path: Path) -> None:
    bring(repo, KIT.layout(tmp_path / "kit"), remote, move=False)
    assert repo.blob("HEAD:models/m.bin") == POINTER
    assert not remote.has_blob(digest_of(BIG))
    assert not store_of(repo).has_blob(digest_of(BIG))


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(samples.golden(), id="kitops-1.15"),
        pytest.param(samples.golden_of_kit_0_5(), id="kitops-0.5"),
        pytest.param(samples.golden_of_kit_0_4(), id="kitops-0.4"),
    ],
)
def test_kit_of_tars_becomes_its_files_and_their_content_is_here(repo: Repo, tmp_path: Path, sample: Sample) -> None:
    done = bring(repo, sample.layout(tmp_path / "kit"))
    assert done.left_out == []
    for path, data in samples.GOLDEN_FILES.items():
        if path != "system.prompt.md" or sample.digest == samples.GOLDEN_MANIFEST:
            assert repo.blob(f"HEAD:{path}") in (data, _pointer(data)), path
    assert repo.blob("HEAD:model/weights.bin") == _pointer(samples.GOLDEN_FILES["model/weights.bin"])
    assert store_of(repo).has_blob(digest_of(samples.GOLDEN_FILES["adapters/lora.bin"]))
    git = Context(repo.environ, str(repo.path)).repository
    place = Destination(repository=git, store=store_of(repo), remote=None, max_plain_size=1)
    rebuilt = rebuild(place, done, done.brought.commit or "")
    assert (rebuilt.problem, rebuilt.missing) == (None, [])
    assert len(rebuilt.equal) == len(done.brought.pointers) + len(done.brought.plain)
    layers = [layer.digest for layer in done.artifact.manifest.layers]
    # Before Kit 0.5 names in a tar started at the entry's folder: there the tars of entries at the root are the same.
    at_the_root = [layers[0], layers[2], layers[4]]
    assert rebuilt.layers == (at_the_root if sample.digest == samples.golden_of_kit_0_4().digest else layers)


def _pointer(data: bytes) -> bytes:
    return f"version git-kit/1\noid {digest_of(data)}\nsize {len(data)}\n".encode()


def test_compressed_layers_are_unpacked_and_modes_stay(repo: Repo, tmp_path: Path) -> None:
    run = tarfile.TarInfo("src/run.sh")
    run.mode = 0o755
    tar = gzip.compress(samples.tar_of(("src/big.bin", BIG), (run, b"#!/bin/sh\n")), mtime=0)
    layers = [samples.tar_layer("src", tar, compression="+gzip"), samples.raw("go.sh", b"go\n", "code", mode=0o755)]
    bring(repo, samples.modelpack(layers, config={}).layout(tmp_path / "kit"))
    modes = dict(line.split("\t")[::-1] for line in repo.out("ls-tree", "-r", "HEAD").splitlines())
    assert {path: modes[path][:6] for path in ("src/run.sh", "go.sh", "src/big.bin")} == {
        "src/run.sh": "100755",
        "go.sh": "100755",
        "src/big.bin": "100644",
    }
    assert repo.blob("HEAD:src/big.bin") == POINTER


def test_kitfile_of_our_own_kit_is_the_one_that_its_author_wrote(made: Repo, tmp_path: Path) -> None:
    clone = made.clone(tmp_path / "clone")
    clone.git("rm", "--quiet", "--cached", "Kitfile")
    clone.git("commit", "--quiet", "--message", "lost")
    os.unlink(clone.path / "Kitfile")
    bring(clone, registry_of(made))
    assert clone.blob("HEAD:Kitfile") == KITFILE.encode()


def test_command_says_what_it_did_and_what_the_rebuilt_kit_has(repo: Repo, tmp_path: Path) -> None:
    KIT.layout(tmp_path / "kit")
    done = repo.kit("import", "oci-layout:../kit:v1")
    assert done.stdout.strip() == repo.out("rev-parse", "HEAD")
    assert "same bytes in 5 of 5 files, and as modelpack the same 5 of 5 layers" in done.stderr
    again = json.loads(repo.kit("import", "oci-layout:../kit:v1", "--json").stdout)
    assert (again["commit"], again["digest"], again["format"]) == (None, KIT.digest, "modelpack")
    assert repo.out("rev-list", "--count", "HEAD") == "1"


def test_newer_kit_imported_over_the_older_is_the_next_commit(repo: Repo, tmp_path: Path) -> None:
    first = bring(repo, KIT.layout(tmp_path / "v1")).brought.commit
    newer = samples.files(FILES | {"models/m.bin": BIG[::-1], "NEW.md": b"new\n"})
    second = bring(repo, newer.layout(tmp_path / "v2")).brought.commit
    assert repo.out("rev-parse", f"{second}^") == first
    changed = repo.out("diff", "--name-only", f"{first}", f"{second}").splitlines()
    assert changed == ["Kitfile", "NEW.md", "models/m.bin"]
    assert state(repo)[1] == ""


# -- which files are pointers ------------------------------------------------------------------------------------------


def test_large_files_are_tracked_by_name_and_weights_by_suffix(repo: Repo, tmp_path: Path) -> None:
    kit = samples.files({"m.bin": b"small weights", "data [1]*.csv": b"a" * 2000, "b.csv": b"b"})
    done = bring(repo, kit.layout(tmp_path / "kit"), max_plain_size=1000)
    assert sorted(file.path for file in done.brought.pointers) == ["data [1]*.csv", "m.bin"]
    assert repo.blob("HEAD:b.csv") == b"b"
    repo.kit("fsck")
    repo.write("data 1x.csv", b"c" * 2000)
    repo.git("add", ".")
    assert repo.blob(":data 1x.csv") == b"c" * 2000, "the pattern took in another file"
    assert state(repo)[1] == 'A  "data 1x.csv"'


def test_suffix_that_a_plain_file_here_has_is_not_tracked(repo: Repo, tmp_path: Path) -> None:
    repo.commit("ours", {"old.bin": "plain"})
    bring(repo, KIT.layout(tmp_path / "kit"))
    assert repo.blob("HEAD:.gitattributes") == b"/models/m.bin filter=kit diff=kit merge=kit -text\n"
    os.utime(repo.path / "old.bin")
    assert state(repo)[1] == ""


def test_gitattributes_here_that_forbid_a_pointer_are_a_conflict(repo: Repo, tmp_path: Path) -> None:
    repo.commit("ours", {"models/.gitattributes": "*.bin -filter\n"})
    before = state(repo)
    with pytest.raises(Conflict, match="gitattributes"):
        bring(repo, KIT.layout(tmp_path / "kit"))
    assert state(repo) == before


# -- what must not be lost ---------------------------------------------------------------------------------------------


def _changed(repo: Repo) -> None:
    repo.commit("ours", {"README.md": "ours"})
    repo.write("README.md", "work")


def _staged(repo: Repo) -> None:
    _changed(repo)
    repo.git("add", "README.md")


def _untracked(repo: Repo) -> None:
    repo.write("README.md", "work")


def _ignored(repo: Repo) -> None:
    repo.commit("ours", {".gitignore": "*.md\n"})
    repo.write("README.md", "work")


def _kitfile(repo: Repo) -> None:
    repo.write("Kitfile", "work")


def _other_case(repo: Repo) -> None:
    repo.commit("ours", {"readme.MD": "work"})


def _kitfile_of_other_case(repo: Repo) -> None:
    repo.commit("ours", {"KITFILE": "work"})


def _file_for_folder(repo: Repo) -> None:
    repo.commit("ours", {"models": "work"})


def _folder_for_file(repo: Repo) -> None:
    repo.commit("ours", {"README.md/x": "work"})


def _link(repo: Repo) -> None:
    (repo.path / "models").symlink_to("/tmp")
    repo.commit("ours")


def _untracked_link(repo: Repo) -> None:
    (repo.path / "models").symlink_to(repo.path.parent)


@pytest.mark.parametrize(
    "prepare",
    [
        *(_changed, _staged, _untracked, _ignored, _kitfile, _other_case, _kitfile_of_other_case),
        *(_file_for_folder, _folder_for_file, _link, _untracked_link),
    ],
)
def test_import_that_would_lose_work_is_refused_before_anything_moves(
    repo: Repo, remote: Registry, tmp_path: Path, prepare: Callable[[Repo], None]
) -> None:
    prepare(repo)
    before = state(repo)
    with pytest.raises(Conflict):
        bring(repo, KIT.layout(tmp_path / "kit"), remote)
    assert state(repo) == before
    assert not remote.has_blob(digest_of(BIG))


def test_other_work_stays_as_it_is(repo: Repo, tmp_path: Path) -> None:
    repo.commit("ours", {"a.txt": "a", "b.txt": "b"})
    repo.write("a.txt", "changed")
    repo.write("b.txt", "staged")
    repo.git("add", "b.txt")
    repo.write("c.txt", "untracked")
    bring(repo, KIT.layout(tmp_path / "kit"))
    assert repo.out("status", "--porcelain") == " M a.txt\nM  b.txt\n?? c.txt"
    assert repo.out("diff", "--name-only", "HEAD^", "HEAD").splitlines() == [
        ".gitattributes",
        "Kitfile",
        *sorted(FILES),
    ]


def test_settings_for_merges_do_not_change_what_an_import_does(repo: Repo, tmp_path: Path) -> None:
    repo.commit("ours", {"a.txt": "a"})
    for key, value in (("merge.verifySignatures", "true"), ("branch.main.mergeOptions", "--no-ff --squash")):
        repo.git("config", key, value)
    done = bring(repo, KIT.layout(tmp_path / "kit"))
    assert repo.out("rev-parse", "main") == done.brought.commit
    assert repo.out("rev-list", "--count", "main") == "2"
    assert state(repo)[1] == ""


def test_branch_that_moves_meanwhile_keeps_what_it_got(
    repo: Repo, remote: Registry, fault_registry: FaultRegistry
) -> None:
    repo.commit("ours", {"ours.txt": "1"})
    KIT.serve(fault_registry)
    theirs: list[str] = []
    fault_registry.add(
        Fault(
            method="GET",
            path=digest_of(FILES["README.md"]),
            call=lambda: theirs.append(repo.commit("meanwhile", {"ours.txt": "2"})),
        )
    )
    with pytest.raises(Conflict):
        bring(repo, remote, remote)
    assert repo.out("rev-parse", "HEAD") == theirs[0]
    assert state(repo)[1] == ""


def test_import_that_is_killed_leaves_no_trace_and_can_be_repeated(
    repo: Repo, fault_registry: FaultRegistry, remote: Registry
) -> None:
    KIT.serve(fault_registry)
    before = state(repo)
    fault = fault_registry.add(Fault(method="GET", path=digest_of(BIG), pause_after=1_000_000))
    process = repo.start("git-kit", "import", f"{remote.url}:v1")
    assert fault.reached.wait(timeout=60)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    fault.resume.set()
    assert state(repo) == before
    repo.kit("import", f"{remote.url}:v1")
    assert repo.blob("HEAD:models/m.bin") == POINTER
    assert state(repo)[1] == ""


# -- kits that are not well meant --------------------------------------------------------------------------------------


def test_kit_configures_nothing(repo: Repo, tmp_path: Path) -> None:
    repo.commit("ours", {".gitkit.toml": '[kit]\ntags = "r*"\n'})
    evil = {
        *(".gitattributes", "src/.gitattributes", ".gitkit.toml", ".gitmodules", ".gitignore", "src/.gitignore"),
        *(".git/hooks/pre-push", "src/.git/config", ".github/workflows/x.yml", ".lfsconfig", ".kitignore"),
    }
    kit = samples.modelpack([samples.raw(path, b"evil\n", "code") for path in [*sorted(evil), "src/.env", "a.py"]])
    done = bring(repo, kit.layout(tmp_path / "kit"))
    assert set(done.left_out) == evil
    assert repo.blob("HEAD:.gitkit.toml") == b'[kit]\ntags = "r*"\n'
    assert set(repo.out("ls-files").splitlines()) == {".gitkit.toml", "Kitfile", "a.py", "src/.env"}
    assert b"evil" not in (repo.path / ".git" / "hooks" / "pre-push").read_bytes()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a\0b", "x/" * 200 + "x"])
def test_kit_whose_names_lead_elsewhere_is_refused(repo: Repo, tmp_path: Path, path: str) -> None:
    layers = [samples.raw("README.md", b"x", "doc"), samples.tar_layer("src", samples.tar_of((path, b"x")))]
    layers[0] = samples.raw(path, b"x", "doc") if "\0" in path else layers[0]
    with pytest.raises(InvalidFile):
        bring(repo, samples.modelpack(layers).layout(tmp_path / "kit"))
    assert state(repo) == ("", "", "")


@pytest.mark.parametrize("text", [POINTER, b"version https://git-lfs.github.com/spec/v1\noid " + POINTER[22:]])
@pytest.mark.parametrize("path", ["m.bin", "m.txt"])
def test_kit_with_a_pointer_for_content_is_refused(repo: Repo, tmp_path: Path, text: bytes, path: str) -> None:
    with pytest.raises(InvalidFile, match="is a pointer"):
        bring(repo, samples.files({path: text}).layout(tmp_path / "kit"))
    assert state(repo) == ("", "", "")


@pytest.mark.parametrize("path", ["models/m.bin", "README.md"])
def test_kit_with_other_bytes_than_it_says_is_corrupt_and_nothing_is_committed(
    repo: Repo, remote: Registry, tmp_path: Path, path: str
) -> None:
    source = KIT.layout(tmp_path / "kit")
    blob = Path(source.blob_path(digest_of(FILES[path])))
    blob.chmod(0o644)
    blob.write_bytes(FILES[path][:-1] + b"\0")
    with pytest.raises(Corrupt):
        bring(repo, source, remote)
    assert state(repo) == ("", "", "")


def test_tar_with_other_bytes_than_it_says_is_corrupt_and_nothing_is_committed(repo: Repo, tmp_path: Path) -> None:
    sample = samples.golden()
    layer = samples.golden_layers()[0]
    sample.blobs[layer.digest] = layer.data.replace(b"testing", b"TESTING")
    with pytest.raises(Corrupt):
        bring(repo, sample.layout(tmp_path / "kit"))
    assert state(repo) == ("", "", "")


# -- where an import cannot go -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["../out", ".git/x", "/etc"])
def test_folder_outside_of_the_repository_is_a_usage_error(repo: Repo, tmp_path: Path, folder: str) -> None:
    KIT.layout(tmp_path / "kit")
    repo.kit("import", "oci-layout:../kit:v1", folder, code=2)
    assert state(repo) == ("", "", "")


def test_folder_is_relative_to_where_the_command_runs(repo: Repo, tmp_path: Path) -> None:
    KIT.layout(tmp_path / "kit")
    (repo.path / "third").mkdir()
    repo.kit("import", "oci-layout:../kit:v1", "tiny", cwd="third")
    assert repo.blob("HEAD:third/tiny/models/m.bin") == POINTER
    assert repo.blob("HEAD:third/tiny/.gitattributes") == b"*.bin filter=kit diff=kit merge=kit -text\n"


def test_bare_repository_takes_no_import(bare: Repo, tmp_path: Path) -> None:
    KIT.layout(tmp_path / "kit")
    bare.kit("import", f"oci-layout:{tmp_path / 'kit'}:v1", code=17)


def test_without_a_name_for_the_commit_nothing_moves(repo: Repo, remote: Registry, tmp_path: Path) -> None:
    repo.git("config", "user.useConfigOnly", "true")
    nobody = Repo(repo.path, {**repo.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    with pytest.raises(InvalidFile, match="who you are"):
        bring(nobody, KIT.layout(tmp_path / "kit"), remote)
    assert not remote.has_blob(digest_of(BIG))


@pytest.mark.parametrize(
    ("args", "code"),
    [(("nope.tar",), 10), (("no/such/folder",), 10), (("oci://x",), 2), (("k.tar", "folder", "--no-commit"), 10)],
)
def test_source_that_is_none_is_said(repo: Repo, args: tuple[str, ...], code: int) -> None:
    repo.kit("import", *args, code=code)
