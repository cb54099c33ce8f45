"""`git kit migrate dvc`: on worktrees and caches as DVC writes them, made by hand here."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lib.large_files import copy_of, machine, move_in, pointer_to, store_blob
from tests.lib.repos import Repo, init, some_bytes

MODEL, PART, OTHER = some_bytes(50_000, seed=1), some_bytes(3000, seed=2), b"b\n"
SET = {"a/part.bin": PART, "b.txt": OTHER, "empty": b"", "odd [x]\n.bin": MODEL[:100]}
TEXT = b"one\r\ntwo\r\n"


def md5_of(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Dvc(NamedTuple):
    """A repository in which DVC tracks files."""

    repo: Repo

    @property
    def cache(self) -> Path:
        return self.repo.path / ".dvc" / "cache"

    def store(self, data: bytes, *, suffix: str = "", old: bool = False, md5: str = "") -> str:
        """Put content into the cache; returns its MD5."""
        md5 = md5 or md5_of(data)
        folder = self.cache if old else self.cache / "files" / "md5"
        path = folder / md5[:2] / f"{md5[2:]}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o444)
        return md5

    def cached(self, data: bytes) -> Path:
        md5 = md5_of(data)
        return self.cache / "files" / "md5" / md5[:2] / md5[2:]

    def add(
        self, path: str, data: bytes, *, here: bool = True, extra: str = "  hash: md5\n", old: bool = False
    ) -> None:
        """What `dvc add FILE` leaves."""
        if here:
            self.repo.write(path, data)
        md5 = self.store(data, old=old)
        self.describe(path, f"- md5: {md5}\n  size: {len(data)}\n{extra}  path: {json.dumps(os.path.basename(path))}\n")

    def add_folder(self, path: str, files: dict[str, bytes], *, here: bool = True) -> None:
        """What `dvc add FOLDER` leaves."""
        for name, data in files.items() if here else ():
            self.repo.write(f"{path}/{name}", data)
        entries = [{"md5": self.store(data), "relpath": name} for name, data in files.items()]
        md5 = self.store(json.dumps(entries).encode(), suffix=".dir")
        size = sum(map(len, files.values()))
        out = (
            f"- md5: {md5}.dir\n  size: {size}\n  nfiles: {len(files)}\n  hash: md5\n  path: {os.path.basename(path)}\n"
        )
        self.describe(path, out)

    def describe(self, path: str, outs: str) -> None:
        self.repo.write(f"{path}.dvc", f"outs:\n{outs}")
        folder, name = os.path.split(path)
        ignore = self.repo.path / folder / ".gitignore"
        ignore.parent.mkdir(parents=True, exist_ok=True)
        with ignore.open("a") as file:
            file.write(f"/{name}\n")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Where `git kit install` was run once: its configuration and hooks are given to all repositories here."""
    return machine(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def environ(environ: dict[str, str], installed: Repo) -> dict[str, str]:
    move_in(environ, installed)
    return environ


@pytest.fixture
def empty(repo: Repo) -> Dvc:
    """A repository after `dvc init`."""
    repo.write(".dvc/config", "")
    repo.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    return Dvc(repo)


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory, installed: Repo) -> Dvc:
    """What ``dvc`` is a copy of."""
    made = Dvc(init(tmp_path_factory.mktemp("dvc") / "repo", installed.environ))
    made.repo.write(".dvc/.gitignore", "/cache\n")
    made.repo.write("data/.gitignore", "*.tmp\n")
    made.add("data/model.bin", MODEL)
    made.add_folder("data/set", SET)
    made.repo.commit("with DVC")
    return made


@pytest.fixture
def dvc(committed: Dvc, tmp_path: Path, environ: dict[str, str]) -> Dvc:
    """A committed repository in which DVC tracks a file and a folder."""
    return Dvc(copy_of(committed.repo, tmp_path / "repo", environ))


def assert_migrated(dvc: Dvc) -> None:
    """All of ``dvc`` is in Git as pointers, and in the worktree and the store as content."""
    files = {"data/model.bin": MODEL, **{f"data/set/{name}": data for name, data in SET.items()}}
    for path, data in files.items():
        assert dvc.repo.read(path) == data
        assert dvc.repo.blob(f":{path}") == pointer_to(data)
        assert not data or store_blob(dvc.repo, data).read_bytes() == data
    assert not list((dvc.repo.path / "data").glob("*.dvc"))
    assert dvc.repo.read("data/.gitignore") == b"*.tmp\n"
    dvc.repo.git("commit", "--quiet", "--message", "without DVC")
    for path in files:
        os.utime(dvc.repo.path / path)
    assert dvc.repo.out("status", "--porcelain") == ""
    assert ": 0 damaged" in dvc.repo.kit("fsck").stdout


# -- what is taken over --------------------------------------------------------------------------------------------


def test_files_and_folders_that_are_here_are_staged_as_pointers(dvc: Dvc) -> None:
    before = os.stat(dvc.repo.path / "data/model.bin")
    done = dvc.repo.kit("migrate", "dvc")
    assert "staged 5 files; 2 .dvc files removed" in done.stderr
    assert "data/model.bin  48.8 KiB" in done.stdout
    assert os.stat(dvc.repo.path / "data/model.bin").st_ino == before.st_ino
    status = dvc.repo.out("status", "--porcelain", "-z").split("\0")[:-1]
    assert [line for line in status if not line.startswith("A  data/set/")] == [
        "A  .gitattributes",
        "M  data/.gitignore",
        "A  data/model.bin",
        "D  data/model.bin.dvc",
        "D  data/set.dvc",
    ]
    lines = dvc.repo.read(".gitattributes").decode().splitlines()
    assert [line.split(" filter=kit")[0] for line in lines] == ["data/model.bin", "data/set/**"]
    assert_migrated(dvc)


def test_files_that_are_missing_come_from_the_cache_which_stays(dvc: Dvc) -> None:
    (dvc.repo.path / "data/model.bin").unlink()
    shutil.rmtree(dvc.repo.path / "data/set")
    before = {path: path.stat().st_mtime_ns for path in dvc.cache.rglob("*") if path.is_file()}
    dvc.repo.kit("migrate", "dvc")
    assert {path: path.stat().st_mtime_ns for path in dvc.cache.rglob("*") if path.is_file()} == before
    assert_migrated(dvc)


@pytest.mark.parametrize("kind", ["hard link", "symbolic link"])
def test_links_into_the_cache_become_files_of_their_own(dvc: Dvc, kind: str) -> None:
    for path, data in (("data/model.bin", MODEL), ("data/set/a/part.bin", PART)):
        here, cached = dvc.repo.path / path, dvc.cached(data)
        here.unlink()
        if kind == "hard link":
            here.hardlink_to(cached)
        else:
            here.symlink_to(cached)
    dvc.repo.kit("migrate", "dvc")
    for path, data in (("data/model.bin", MODEL), ("data/set/a/part.bin", PART)):
        found = os.lstat(dvc.repo.path / path)
        assert (found.st_nlink, found.st_mode & 0o777) == (1, 0o644)
        assert dvc.cached(data).read_bytes() == data
    assert_migrated(dvc)


def test_second_run_has_nothing_to_do(dvc: Dvc) -> None:
    dvc.repo.kit("migrate", "dvc")
    before = (dvc.repo.out("status", "--porcelain"), dvc.repo.read(".gitattributes"))
    assert "nothing to do: no *.dvc file is left" in dvc.repo.kit("migrate", "dvc").stderr
    assert (dvc.repo.out("status", "--porcelain"), dvc.repo.read(".gitattributes")) == before


def test_dry_run_tells_the_same_and_changes_nothing(dvc: Dvc) -> None:
    (dvc.repo.path / "data/model.bin").unlink()
    before = dvc.repo.out("status", "--porcelain", "--ignored")
    done = dvc.repo.kit("migrate", "dvc", "--dry-run")
    assert "would stage 5 files; 2 .dvc files would go" in done.stderr
    assert "data/model.bin  48.8 KiB" in done.stdout
    assert dvc.repo.out("status", "--porcelain", "--ignored") == before
    assert not (dvc.repo.path / ".git/kit/blobs").exists()


def test_json_names_everything(dvc: Dvc) -> None:
    done = json.loads(dvc.repo.kit("migrate", "dvc", "--json").stdout)
    assert {file["path"]: file["size"] for file in done["files"]}["data/model.bin"] == len(MODEL)
    assert done["removed"] == ["data/model.bin.dvc", "data/set.dvc"]
    assert done["patterns"] == ["data/model.bin", "data/set/**"]
    assert (done["held"], done["missing"], done["refused"], done["pipelines"]) == ([], [], [], [])


def test_cache_of_dvc_2_with_texts_hashed_in_unix_form_is_read(empty: Dvc) -> None:
    empty.add("model.bin", MODEL, here=False, extra="", old=True)
    md5 = empty.store(TEXT, md5=md5_of(TEXT.replace(b"\r\n", b"\n")), old=True)
    empty.describe("table.csv", f"- md5: {md5}\n  size: {len(TEXT)}\n  path: table.csv\n")
    empty.repo.kit("migrate", "dvc")
    assert (empty.repo.read("model.bin"), empty.repo.read("table.csv")) == (MODEL, TEXT)
    assert empty.repo.blob(":table.csv") == pointer_to(TEXT)
    assert not (empty.repo.path / ".gitignore").exists()


def test_cache_elsewhere_is_named(empty: Dvc, tmp_path: Path) -> None:
    empty.add("model.bin", MODEL, here=False)
    shutil.move(empty.cache, tmp_path / "cache")
    refused = empty.repo.kit("migrate", "dvc", code=19)
    assert "--cache DIR" in refused.stderr
    (empty.repo.path / "sub").mkdir()
    empty.repo.kit("migrate", "dvc", "--cache", "../../cache", cwd="sub")
    assert empty.repo.read("model.bin") == MODEL


def test_executable_files_stay_executable(empty: Dvc) -> None:
    empty.add("run.sh", b"#!/bin/sh\n", here=False, extra="  hash: md5\n  isexec: true\n")
    empty.add("here.sh", b"#!/bin/sh\n:\n")
    (empty.repo.path / "here.sh").chmod(0o755)
    empty.repo.kit("migrate", "dvc")
    modes = empty.repo.out("ls-files", "--stage", "run.sh", "here.sh").splitlines()
    assert [line.split()[0] for line in modes] == ["100755", "100755"]
    assert os.access(empty.repo.path / "run.sh", os.X_OK)
    assert empty.repo.out("diff", "--name-only") == ""


def test_names_with_special_characters_get_a_pattern_of_their_own(empty: Dvc) -> None:
    for name in ("odd [x]*.bin", "-dash.bin", "#hash.bin", "caf\u00e9.bin"):
        empty.add(f"d/{name}", MODEL)
    empty.repo.kit("migrate", "dvc")
    empty.repo.write("d/odd xx.bin", b"x")
    names = ["odd [x]*.bin", "-dash.bin", "#hash.bin", "caf\u00e9.bin", "odd xx.bin"]
    found = empty.repo.out("check-attr", "-z", "filter", *(f"d/{name}" for name in names)).split("\0")[2::3]
    assert found == ["kit"] * 4 + ["unspecified"]
    assert not (empty.repo.path / "d/.gitignore").exists()


def test_pattern_that_is_tracked_already_is_not_added_again(empty: Dvc) -> None:
    empty.repo.kit("track", "*.bin")
    before = empty.repo.read(".gitattributes")
    empty.add("model.bin", MODEL)
    empty.repo.kit("migrate", "dvc")
    assert empty.repo.read(".gitattributes") == before
    assert empty.repo.blob(":model.bin") == pointer_to(MODEL)


def test_pipelines_and_sources_are_reported(empty: Dvc) -> None:
    md5 = empty.store(MODEL)
    empty.repo.write("got.bin.dvc", f"deps:\n- path: https://example.com/m\nouts:\n- {{md5: {md5}, path: got.bin}}\n")
    empty.repo.write("dvc.yaml", "stages: {train: {cmd: make, outs: [model.pt]}}\n")
    empty.repo.write("dvc.lock", f"stages: {{train: {{cmd: make, outs: [{{path: model.pt, md5: {md5}}}]}}}}\n")
    done = empty.repo.kit("migrate", "dvc")
    assert "got.bin.dvc came from https://example.com/m" in done.stderr
    assert "pipelines stay with DVC (1 output): dvc.yaml" in done.stderr
    assert (empty.repo.path / "dvc.lock").exists()


# -- what is not ---------------------------------------------------------------------------------------------------


def test_missing_content_is_listed_and_the_rest_is_done(dvc: Dvc) -> None:
    for data, path in ((MODEL, "data/model.bin"), (PART, "data/set/a/part.bin")):
        dvc.cached(data).unlink()
        (dvc.repo.path / path).unlink()
    refused = dvc.repo.kit("migrate", "dvc", code=19)
    assert "not taken over: 2 files or folders" in refused.stderr
    assert "data/set/a/part.bin: in neither worktree nor cache" in refused.stderr
    assert "dvc fetch" in refused.stderr
    assert dvc.repo.blob(":data/set/b.txt") == pointer_to(OTHER)
    assert (dvc.repo.path / "data/set.dvc").exists()
    assert dvc.repo.read("data/.gitignore") == b"*.tmp\n/model.bin\n/set\n"
    dvc.store(MODEL)
    dvc.store(PART)
    done = dvc.repo.kit("migrate", "dvc")
    assert "staged 2 files; 2 .dvc files removed" in done.stderr
    assert_migrated(dvc)


def test_list_of_a_folder_that_is_missing_leaves_the_folder(dvc: Dvc) -> None:
    for path in dvc.cache.rglob("*.dir"):
        path.unlink()
    refused = dvc.repo.kit("migrate", "dvc", code=19)
    assert "data/set: in neither worktree nor cache" in refused.stderr
    assert dvc.repo.blob(":data/model.bin") == pointer_to(MODEL)
    assert (dvc.repo.path / "data/set.dvc").exists()


def test_file_that_was_changed_since_is_left_alone(dvc: Dvc) -> None:
    dvc.repo.write("data/model.bin", b"mine\n")
    refused = dvc.repo.kit("migrate", "dvc", code=19)
    assert "data/model.bin: was changed since DVC looked at it" in refused.stderr
    assert dvc.repo.read("data/model.bin") == b"mine\n"
    assert dvc.repo.out("ls-files", "data/model.bin", "data/model.bin.dvc") == "data/model.bin.dvc"


def test_damaged_cache_is_noticed(dvc: Dvc) -> None:
    (dvc.repo.path / "data/model.bin").unlink()
    dvc.cached(MODEL).chmod(0o644)
    dvc.cached(MODEL).write_bytes(b"x" * len(MODEL))
    refused = dvc.repo.kit("migrate", "dvc", code=19)
    assert "data/model.bin: is damaged in DVC's cache" in refused.stderr
    assert not (dvc.repo.path / "data/model.bin").exists()


def test_damaged_list_of_a_folder_is_noticed(dvc: Dvc) -> None:
    listing = next(dvc.cache.rglob("*.dir"))
    listing.chmod(0o644)
    listing.write_bytes(b"[]")
    assert "is not what its name says" in dvc.repo.kit("migrate", "dvc", code=19).stderr
    assert (dvc.repo.path / "data/set.dvc").exists()


@pytest.mark.parametrize("path", ["../../outside.bin", "/outside.bin", "../.git/hooks/post-checkout"])
def test_path_that_leaves_the_worktree_is_refused(empty: Dvc, path: str) -> None:
    md5 = empty.store(MODEL)
    empty.repo.write("data/x.dvc", f"outs:\n- {{md5: {md5}, path: {path}}}\n")
    assert "is outside of the worktree" in empty.repo.kit("migrate", "dvc", code=19).stderr
    assert not (empty.repo.path.parent / "outside.bin").exists()


def test_folder_that_is_a_link_is_not_followed(dvc: Dvc, tmp_path: Path) -> None:
    shutil.rmtree(dvc.repo.path / "data/set")
    (tmp_path / "outside").mkdir()
    (dvc.repo.path / "data/set").symlink_to(tmp_path / "outside")
    refused = dvc.repo.kit("migrate", "dvc", code=19)
    assert "something else is in its place" in refused.stderr
    assert list((tmp_path / "outside").iterdir()) == []
    assert (dvc.repo.path / "data/set").is_symlink()
    assert dvc.repo.blob(":data/model.bin") == pointer_to(MODEL)


def test_what_must_stay_readable_for_git_is_refused(empty: Dvc) -> None:
    empty.add_folder("set", {".gitattributes": b"* -filter\n", "a.bin": MODEL})
    refused = empty.repo.kit("migrate", "dvc", code=19)
    assert "set/.gitattributes: has a name that must stay readable" in refused.stderr
    assert empty.repo.blob(":set/a.bin") == pointer_to(MODEL)
    assert empty.repo.out("ls-files", "set/.gitattributes") == ""


def test_content_in_git_and_pointers_as_content_are_refused(empty: Dvc) -> None:
    empty.repo.commit("one", {"in-git.bin": MODEL})
    empty.add("in-git.bin", MODEL)
    empty.add("pointer.bin", pointer_to(MODEL))
    refused = empty.repo.kit("migrate", "dvc", code=19)
    assert "in-git.bin: is in Git as content" in refused.stderr
    assert "pointer.bin: is a pointer itself, not content" in refused.stderr


def test_file_of_dvc_that_is_broken_is_named_and_the_rest_is_done(dvc: Dvc) -> None:
    dvc.repo.write("broken.dvc", "outs: [\n")
    refused = dvc.repo.kit("migrate", "dvc", code=19)
    assert "broken.dvc" in refused.stderr and "is not YAML" in refused.stderr
    assert_migrated_but(dvc, "broken.dvc")


def assert_migrated_but(dvc: Dvc, path: str) -> None:
    (dvc.repo.path / path).unlink()
    assert_migrated(dvc)


def test_repository_without_dvc_is_not_found(repo: Repo, bare: Repo) -> None:
    assert "DVC is not used here" in repo.kit("migrate", "dvc", code=10).stderr
    assert "bare repository" in bare.kit("migrate", "dvc", code=17).stderr


# -- killed --------------------------------------------------------------------------------------------------------


def test_what_a_killed_run_staged_is_finished_by_the_next(dvc: Dvc) -> None:
    files = {name: dvc.repo.read(name) for name in ("data/model.bin.dvc", "data/set.dvc", "data/.gitignore")}
    dvc.repo.kit("migrate", "dvc")
    # As if it had ended right after the index was written: nothing is forgotten yet, and a file is not filled in.
    for name, data in files.items():
        dvc.repo.write(name, data)
    dvc.repo.write("data/model.bin", pointer_to(MODEL))
    (dvc.repo.path / "data/set/b.txt").unlink()
    done = dvc.repo.kit("migrate", "dvc")
    assert "staged 0 files; 2 .dvc files removed" in done.stderr
    assert_migrated(dvc)
