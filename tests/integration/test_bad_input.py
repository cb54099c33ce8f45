"""Bad input, broken remotes and broken disks: a clear error with a hint, the right exit code, and nothing lost."""

import base64
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.store.layout import ImageLayout
from tests.lib.registries import REPOSITORY, Access, Fault, FaultRegistry
from tests.lib.repos import Ran, Repo, clean_environ, init, run, some_bytes

MIB = 1 << 20
ATTRIBUTES = "*.bin filter=kit diff=kit merge=kit -text\n"
MODEL, SMALL = some_bytes(2 * MIB + 7, seed=1), some_bytes(3000, seed=2)
BLOB, UPLOADS = r"/blobs/sha256:", r"/blobs/uploads/"
SKIP = {"GIT_KIT_SKIP_SMUDGE": "1"}
AT_ONCE = {"Retry-After": "0"}


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


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, installed: Repo) -> Path:
    """What is copied: ``repo``, its large files pushed to the folder ``layout``, and ``clone`` without content."""
    folder = tmp_path_factory.mktemp("template")
    repo = init(folder / "repo", installed.environ)
    repo.commit("first", {".gitattributes": ATTRIBUTES, "model.bin": MODEL, "small.bin": SMALL})
    repo.git("config", "kit.url", f"oci-layout:{folder / 'layout'}")
    repo.kit("push")
    repo.git("config", "--unset", "kit.url")
    run(["git", "clone", "--quiet", "repo", "clone"], cwd=folder, environ={**repo.environ, **SKIP})
    return folder


@pytest.fixture
def repo(template: Path, tmp_path: Path, environ: dict[str, str]) -> Repo:
    """A repository with one commit that holds two large files."""
    shutil.copytree(template / "repo", tmp_path / "repo", symlinks=True)
    return Repo(tmp_path / "repo", environ)


def at(repo: Repo, registry: FaultRegistry) -> str:
    """Make ``registry`` the remote; its URL."""
    url = f"oci://{registry.host}/{REPOSITORY}"
    repo.git("config", "kit.url", url)
    return url


@pytest.fixture
def clone(template: Path, tmp_path: Path, environ: dict[str, str], fault_registry: FaultRegistry) -> Repo:
    """A clone of ``repo`` without content, which ``fault_registry`` holds."""
    pushed, contents = ImageLayout(str(template / "layout")), fault_registry.repository(REPOSITORY)
    for data in (MODEL, SMALL, b"{}"):
        fault_registry.add_blob(REPOSITORY, data)
    for tag in pushed.tags():
        manifest = pushed.get_manifest(tag)
        contents.manifests[digest_of(manifest)] = ("application/vnd.oci.image.manifest.v1+json", manifest)
        contents.tags[tag] = digest_of(manifest)
    shutil.copytree(template / "clone", tmp_path / "clone", symlinks=True)
    clone = Repo(tmp_path / "clone", environ)
    at(clone, fault_registry)
    return clone


def blob(repo: Repo, data: bytes) -> Path:
    return repo.path / ".git" / "kit" / "blobs" / "sha256" / digest_of(data)[7:]


def drafts(repo: Repo) -> list[str]:
    folder = repo.path / ".git" / "kit" / "tmp"
    return os.listdir(folder) if folder.exists() else []


def is_pointer(data: bytes) -> bool:
    return data.startswith(b"version git-kit/1\n")


def refused(done: Ran, *texts: str, hint: str) -> None:
    """An error and a hint that hold these texts, on standard error alone."""
    assert done.stdout == ""
    assert "Traceback" not in done.stderr and "bug" not in done.stderr
    said, marker, advice = done.stderr.partition("\nhint: ")
    assert "error: " in said
    assert marker, done.stderr
    for text in texts:
        assert text in said
    assert hint in advice


# -- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "status", "ls-files", "fetch", "checkout", "pull", "push", "fsck", "kits", "env", "build v1", "release v1",
        "verify v1", "inspect v1", "promote v1 prod", "rollback prod", "track *.bin", "init", "remote", "kitfile check",
        "install --local",
    ],
)  # fmt: skip
def test_command_outside_of_a_repository_is_not_found(tmp_path: Path, environ: dict[str, str], command: str) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    argv = ["git-kit", *command.split()]
    refused(run(argv, cwd=folder, environ=environ, code=10), "this is not a Git repository", hint="git init")
    assert list(folder.iterdir()) == []


def test_command_inside_of_the_git_folder_is_not_found(repo: Repo) -> None:
    refused(repo.kit("status", code=10, cwd=".git"), "this is inside .git", hint="one folder up")


def test_clean_outside_of_a_repository_is_not_found_and_prints_no_pointer(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    done = run(["git-kit", "clean"], cwd=tmp_path, environ=environ, stdin=MODEL, code=10)
    refused(done, "this is not a Git repository", hint="git init")


@pytest.mark.parametrize("command", [["push"], ["fetch"], ["pull"], ["release", "v1"], ["verify", "v1"], ["remote"]])
def test_command_that_needs_a_remote_without_one_is_not_found(repo: Repo, command: list[str]) -> None:
    repo.commit("kit", {"Kitfile": "model: {path: model.bin}\n"})
    repo.git("tag", "v1")
    blob(repo, SMALL).unlink()
    repo.write("small.bin", repo.blob("HEAD:small.bin"))
    refused(repo.kit(*command, code=10), "no remote is configured", hint="git kit remote oci://")


def test_git_push_without_a_remote_for_large_files_moves_no_ref(repo: Repo, bare: Repo) -> None:
    # To Git this is a program that it talks to, as over ssh, and not a folder that could hold large files.
    repo.git("config", "protocol.ext.allow", "always")
    repo.git("remote", "add", "origin", f"ext::git %s {bare.path}")
    done = repo.git("push", "origin", "main", code=1)
    assert "error: no remote is configured for large files" in done.stderr
    assert "hint: git kit remote oci://" in done.stderr
    assert bare.out("for-each-ref") == ""
    repo.git("push", "--quiet", "--no-verify", "origin", "main")
    assert bare.out("rev-parse", "main") == repo.out("rev-parse", "HEAD")


def test_git_push_to_a_folder_that_cannot_be_made_moves_no_ref(repo: Repo, bare: Repo) -> None:
    repo.git("remote", "add", "origin", str(bare.path))
    repo.git("config", "kit.url", "oci-layout:/dev/null/nowhere")
    assert "error: cannot " in repo.git("push", "origin", "main", code=1).stderr
    assert bare.out("for-each-ref") == ""


# -- files that people write -----------------------------------------------------------------------------------------


def test_gitkit_toml_with_unknown_keys_is_refused_with_all_problems_and_nothing_is_pushed(
    repo: Repo, bare: Repo
) -> None:
    repo.git("remote", "add", "origin", str(bare.path))
    text = """\
[remote]
ulr = "oci://registry.example.com/acme/llm"
[kit]
formats = ["modelpak"]
[environments.prod]
branch = "prod"
approvls = 2
from = ["stagign"]
[enviroments.dev]
branch = "dev"
"""
    repo.commit("second", {".gitkit.toml": text})
    done = repo.kit("push", code=16)
    assert done.stderr.startswith("error: .gitkit.toml has 4 problems:\n")
    for line in (
        'remote.ulr: unknown key, did you mean "url"?',
        'kit.formats: "modelpak" is not a format; known: modelpack, modelkit, docker, image',
        'environments.prod.approvls: unknown key, did you mean "approvals"?',
        'enviroments: unknown key, did you mean "environments"?',
    ):
        assert f"  {line}\n" in done.stderr
    assert "error: .gitkit.toml has 4 problems" in repo.git("push", "origin", "main", code=1).stderr
    assert bare.out("for-each-ref") == ""


@pytest.mark.parametrize(
    "text", [b"[remote\n", b"\xff\xfe", b'[remote]\nurl = "oci://user:s3cret@registry.example.com/a"\n', b"a = 1e"]
)
def test_gitkit_toml_that_is_none_is_invalid_and_shows_no_secret(repo: Repo, text: bytes) -> None:
    repo.write(".gitkit.toml", text)
    done = repo.kit("push", code=16)
    assert done.stderr.startswith("error: .gitkit.toml ")
    assert "s3cret" not in done.stderr


def test_broken_gitkit_toml_breaks_no_checkout_and_no_add(repo: Repo) -> None:
    repo.commit("second", {".gitkit.toml": "[remote\n", "other.bin": MODEL[:5000]})
    blob(repo, SMALL).unlink()
    for name in ("small.bin", "model.bin"):
        (repo.path / name).unlink()
    done = repo.git("checkout", "--", ".")
    assert repo.read("model.bin") == MODEL
    assert is_pointer(repo.read("small.bin"))
    assert "small.bin" in done.stderr and ".gitkit.toml is not TOML" in done.stderr
    assert "Traceback" not in done.stderr


def test_gitkit_toml_that_names_a_folder_outside_is_denied_to_writers(repo: Repo, tmp_path: Path) -> None:
    repo.write(".gitkit.toml", f'[remote]\nurl = "oci-layout:{tmp_path}/elsewhere"\n')
    done = repo.kit("push", code=12)
    refused(done, "names a folder outside of this repository", hint="if you trust it: git config kit.url oci-layout:")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("key", "value"), [("kit.strict", "maybe"), ("kit.transfers", "many"), ("kit.maxPlainSize", "50 apples")]
)
def test_setting_that_is_not_of_its_kind_is_invalid_and_named(repo: Repo, key: str, value: str) -> None:
    repo.git("config", key, value)
    done = repo.kit("fetch", code=None)
    if done.returncode == 0:  # it is read only where something has to be moved
        done = repo.kit("push", code=16)
    assert done.returncode == 16
    assert f'git config {key.lower()} is "{value}"' in done.stderr.lower()


def test_unknown_command_and_option_are_usage_errors_with_the_nearest(repo: Repo) -> None:
    refused(repo.kit("pul", code=2), '"pul" is not a git kit command', hint="did you mean: git kit pull")
    refused(repo.kit("pull", "--al", code=2), "No such option", hint="git kit pull -h")
    refused(repo.kit("env", "prod", code=2), '"prod" is not a git kit env command', hint="git kit env show ENVIRONMENT")
    refused(
        repo.kit("audit", "verfy", code=2), "not a git kit audit command", hint="did you mean: git kit audit verify"
    )
    refused(repo.kit("promote", "v1", code=2), "Missing argument", hint="git kit promote -h")
    refused(repo.kit("fetch", "nowhere", code=10), "nowhere", hint="git")


# -- registries ------------------------------------------------------------------------------------------------------


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A loopback port where nobody listens, kept from others."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_registry_that_cannot_be_reached_is_a_network_error_and_no_ref_moves(
    repo: Repo, bare: Repo, closed_port: int
) -> None:
    repo.git("config", "kit.url", f"oci://127.0.0.1:{closed_port}/acme/llm")
    repo.git("remote", "add", "origin", str(bare.path))
    done = repo.kit("push", code=14)
    refused(done, f"http://127.0.0.1:{closed_port}/", "takes no connection", hint="check the address and port")
    assert bare.out("for-each-ref") == ""


def test_checkout_while_the_registry_cannot_be_reached_leaves_pointers_and_tries_once(
    clone: Repo, fault_registry: FaultRegistry, closed_port: int
) -> None:
    clone.git("config", "kit.url", f"oci://127.0.0.1:{closed_port}/acme/llm")
    for name in ("model.bin", "small.bin"):
        (clone.path / name).unlink()
    done = clone.git("checkout", "--", ".")
    assert is_pointer(clone.read("model.bin")) and is_pointer(clone.read("small.bin"))
    assert "2 files are still pointers, without content" in done.stderr
    assert f"http://127.0.0.1:{closed_port}/v2/acme/llm/blobs/" in done.stderr and "takes no connection" in done.stderr
    assert "hint: git kit pull" in done.stderr


def test_registry_that_wants_a_login_is_denied_with_the_command_to_type(repo: Repo, bare: Repo) -> None:
    repo.git("remote", "add", "origin", str(bare.path))
    with FaultRegistry(access=Access(mode="basic")) as registry:
        at(repo, registry)
        refused(repo.kit("push", code=12), "wants a login", hint=f"git kit login {registry.host}")
        assert "hint: git kit login" in repo.git("push", "origin", "main", code=1).stderr
        wrong = base64.b64encode(b"alice:wr0ng").decode()
        config = Path(repo.environ["DOCKER_CONFIG"])
        config.mkdir(parents=True)
        (config / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": wrong}}}))
        done = repo.kit("push", code=12)
        refused(done, "does not accept the stored credentials", hint=f"git kit login {registry.host}")
        assert "wr0ng" not in done.stderr and wrong not in done.stderr
        (config / "config.json").write_text("{")
        assert "config.json is not JSON" in repo.kit("push", code=16).stderr
        assert registry.repository(REPOSITORY).blobs == {}
    assert bare.out("for-each-ref") == ""


def test_registry_that_forbids_writing_is_denied_and_reading_still_works(
    clone: Repo, fault_registry: FaultRegistry
) -> None:
    clone.kit("pull")
    clone.commit("second", {"new.bin": MODEL[1:]})
    fault_registry.add(Fault(method="POST", path=UPLOADS, times=None, status=403))
    refused(clone.kit("push", code=12), "answered 403", hint=f"git kit login {fault_registry.host}")
    assert clone.read("model.bin") == MODEL
    assert len(fault_registry.repository(REPOSITORY).tags) == 1


def test_content_that_the_registry_does_not_hold_is_told_and_the_rest_is_brought(
    clone: Repo, fault_registry: FaultRegistry
) -> None:
    del fault_registry.repository(REPOSITORY).blobs[digest_of(SMALL)]
    done = clone.kit("pull", code=19)
    refused(done, "1 file could not be downloaded", "small.bin: ", hint="")
    assert clone.read("model.bin") == MODEL
    assert is_pointer(clone.read("small.bin"))
    again = clone.kit("pull", code=None)
    assert again.returncode in (10, 19)
    refused(again, "small.bin: ", hint="")


@pytest.mark.parametrize(
    ("status", "headers"), [(429, AT_ONCE), (502, AT_ONCE), (503, AT_ONCE), (504, AT_ONCE), (500, AT_ONCE), (599, {})]
)
def test_registry_that_fails_for_ever_is_a_network_error_in_both_directions(
    clone: Repo, fault_registry: FaultRegistry, status: int, headers: dict[str, str]
) -> None:
    fault = fault_registry.add(Fault(method="GET", path=BLOB, times=None, status=status, headers=headers))
    down = clone.kit("fetch", code=14)
    assert f"answered {status}" in down.stderr and "error: cannot read a blob: " in down.stderr
    tried = len(fault_registry.seen("GET", BLOB + digest_of(MODEL)[7:]))
    assert tried > 1 or status == 599
    assert not blob(clone, MODEL).exists()
    assert is_pointer(clone.read("model.bin"))
    fault.times = 0
    clone.kit("pull")
    fault_registry.add(Fault(method="POST", path=UPLOADS, times=None, status=status, headers=headers))
    clone.commit("second", {"new.bin": MODEL[1:]})
    up = clone.kit("push", code=14)
    assert f"answered {status}" in up.stderr and "error: cannot upload blob " in up.stderr
    assert len(fault_registry.repository(REPOSITORY).tags) == 1
    assert clone.read("new.bin") == MODEL[1:]


def test_registry_that_fails_a_few_times_is_no_error(clone: Repo, fault_registry: FaultRegistry) -> None:
    for status in (429, 503):
        fault_registry.add(Fault(method="GET", path=BLOB, status=status, headers=AT_ONCE))
        fault_registry.add(Fault(method="PUT", path=UPLOADS, status=status, headers=AT_ONCE))
    clone.kit("pull")
    assert clone.read("model.bin") == MODEL
    clone.commit("second", {"new.bin": MODEL[1:]})
    clone.kit("push")
    assert digest_of(MODEL[1:]) in fault_registry.repository(REPOSITORY).blobs


def test_registry_that_answers_wrong_bytes_is_corrupt_and_nothing_is_stored(
    clone: Repo, fault_registry: FaultRegistry
) -> None:
    fault = fault_registry.add(Fault(method="GET", path=BLOB, times=None, wrong_bytes=True))
    done = clone.kit("pull", code=11)
    assert "content that should be sha256:" in done.stderr
    assert not blob(clone, MODEL).exists() and not blob(clone, SMALL).exists()
    assert is_pointer(clone.read("model.bin"))
    fault.times = 0
    clone.kit("pull")
    assert clone.read("model.bin") == MODEL
    assert drafts(clone) == []


def test_registry_that_cuts_every_answer_short_is_a_network_error(clone: Repo, fault_registry: FaultRegistry) -> None:
    path = BLOB + digest_of(MODEL)[7:]
    fault = fault_registry.add(Fault(method="GET", path=path, times=None, cut_body_after=1000, ignore_range=True))
    done = clone.kit("fetch", "-I", "model.bin", code=14)
    assert "error: cannot read a blob: " in done.stderr
    assert len(fault_registry.seen("GET", path)) < 10
    assert not blob(clone, MODEL).exists()
    fault.times = 0
    clone.kit("pull")
    assert clone.read("model.bin") == MODEL


def test_registry_that_cuts_some_answers_short_is_no_error_and_no_byte_comes_twice(
    clone: Repo, fault_registry: FaultRegistry
) -> None:
    path = BLOB + digest_of(MODEL)[7:]
    fault_registry.add(Fault(method="GET", path=path, times=4, cut_body_after=MIB // 2))
    clone.kit("pull")
    assert clone.read("model.bin") == MODEL
    ranges = [call.headers.get("Range") for call in fault_registry.seen("GET", path)]
    assert ranges == [None, *(f"bytes={count * MIB // 2}-" for count in range(1, 5))]


def test_registry_that_is_none_is_a_network_error(repo: Repo, fault_registry: FaultRegistry) -> None:
    at(repo, fault_registry)
    page = b"<html>welcome</html>"
    fault_registry.add(Fault(method="GET", path="/tags/list", times=None, status=200, body=page))
    done = repo.kit("push", code=14)
    assert "error: cannot list the tags of oci://" in done.stderr


def test_keep_manifest_that_names_what_it_should_not_is_ignored(clone: Repo, fault_registry: FaultRegistry) -> None:
    contents = fault_registry.repository(REPOSITORY)
    lost = MODEL[1:]
    forged = json.dumps({"schemaVersion": 2, "config": {}, "layers": [{"digest": digest_of(lost), "size": len(lost)}]})
    contents.manifests[digest_of(forged.encode())] = ("application/vnd.oci.image.manifest.v1+json", forged.encode())
    contents.tags["kit.objects-" + "0" * 32] = digest_of(forged.encode())
    clone.kit("pull")
    clone.commit("second", {"new.bin": lost})
    clone.kit("push")
    assert digest_of(lost) in contents.blobs


# -- disks -----------------------------------------------------------------------------------------------------------


def _mount(*argv: str) -> None:
    done = subprocess.run(["mount", *argv], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this user may not mount: {done.stderr.strip()}")


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def cramped(tmp_path: Path, environ: dict[str, str]) -> Iterator[Repo]:
    """A repository whose store is a disk of 1 MiB."""
    repo = init(tmp_path / "cramped", environ)
    repo.commit("first", {".gitattributes": ATTRIBUTES})
    store = repo.path / ".git" / "kit"
    store.mkdir()
    _mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(store))
    yield repo
    _unmount(store)


@pytest.fixture
def read_only_store(clone: Repo) -> Iterator[Path]:
    """The store of ``clone``, with ``SMALL`` in it, where nothing can be written."""
    clone.kit("fetch", "-I", "small.bin")
    store = clone.path / ".git" / "kit"
    if os.geteuid() != 0:
        folders = [store, *(path for path in store.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        yield store
        for folder in folders:
            folder.chmod(0o755)
        return
    _mount("--bind", str(store), str(store))
    try:
        _mount("-o", "remount,bind,ro", str(store))
        yield store
    finally:
        _unmount(store)


def test_full_disk_fails_git_add_with_a_hint_and_loses_nothing(cramped: Repo) -> None:
    cramped.write("new.bin", MODEL)
    done = cramped.git("add", "new.bin", code=128)
    assert f"git kit: new.bin: the disk that holds {cramped.path}/.git/kit is full" in done.stderr
    assert "hint: free some space and run the command again: nothing was lost" in done.stderr
    assert "Traceback" not in done.stderr
    assert cramped.read("new.bin") == MODEL
    assert cramped.out("status", "--porcelain") == "?? new.bin"
    assert drafts(cramped) == [] and not blob(cramped, MODEL).exists()
    cramped.write("fits.bin", SMALL)
    cramped.git("add", "fits.bin")
    assert blob(cramped, SMALL).read_bytes() == SMALL


def test_full_disk_fails_a_download_and_what_fits_comes_after_some_space_is_freed(
    cramped: Repo, fault_registry: FaultRegistry
) -> None:
    at(cramped, fault_registry)
    for name, data in (("model.bin", MODEL), ("small.bin", SMALL)):
        fault_registry.add_blob(REPOSITORY, data)
        cramped.write(name, f"version git-kit/1\noid {digest_of(data)}\nsize {len(data)}\n")
    cramped.commit("pointers")
    done = cramped.kit("fetch", "-I", "model.bin", code=1)
    refused(done, f"the disk that holds {cramped.path}/.git/kit is full", hint="free some space")
    assert not blob(cramped, MODEL).exists()
    assert is_pointer(cramped.read("model.bin"))
    for part in drafts(cramped):
        (cramped.path / ".git/kit/tmp" / part).unlink()
    cramped.kit("pull", "-I", "small.bin")
    assert cramped.read("small.bin") == SMALL


def test_read_only_store_denies_writers_and_serves_readers(clone: Repo, read_only_store: Path) -> None:
    done = clone.kit("fetch", code=12)
    refused(done, f"cannot write {read_only_store}", hint=f"check who owns {read_only_store}")
    clone.write("new.bin", MODEL[1:])
    added = clone.git("add", "new.bin", code=128)
    assert "git kit: new.bin: cannot write " in added.stderr
    assert f"hint: check who owns {read_only_store}" in added.stderr
    assert "Traceback" not in added.stderr
    assert clone.out("status", "--porcelain") == "?? new.bin"
    assert "small.bin" in clone.kit("ls-files").stdout
    clone.kit("status")
    assert "0 damaged" in clone.kit("fsck", "--dry-run").stdout
    clone.kit("checkout", "small.bin")
    assert clone.read("small.bin") == SMALL


def _damage(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_damaged_blob_is_found_moved_aside_and_mended_by_pull(clone: Repo) -> None:
    clone.kit("fetch")
    _damage(blob(clone, MODEL))
    done = clone.kit("checkout", code=19)
    refused(done, "model.bin: the blob sha256:", "in the store is damaged", hint="git kit fsck")
    assert is_pointer(clone.read("model.bin"))
    assert clone.read("small.bin") == SMALL
    looked = clone.kit("fsck", "--dry-run", code=11)
    assert f"  damaged: {digest_of(MODEL)}\n" in looked.stdout
    assert blob(clone, MODEL).exists()
    found = clone.kit("fsck", code=11)
    assert "2 blobs, 2.0 MiB: 1 damaged\n" in found.stdout
    assert f"  damaged: {digest_of(MODEL)} (moved to corrupt/)\n" in found.stdout
    assert "hint: git kit fsck --repair" in found.stderr
    assert not blob(clone, MODEL).exists()
    assert (clone.path / ".git/kit/corrupt" / digest_of(MODEL)[7:]).exists()
    clone.kit("pull")
    assert clone.read("model.bin") == MODEL
    assert ": 0 damaged" in clone.kit("fsck").stdout


def test_damaged_blob_is_mended_by_git_add_of_the_same_content(repo: Repo) -> None:
    _damage(blob(repo, MODEL))
    repo.kit("fsck", code=11)
    os.utime(repo.path / "model.bin")
    repo.git("add", "--renormalize", "model.bin")
    assert blob(repo, MODEL).read_bytes() == MODEL
    assert repo.out("status", "--porcelain") == ""


def test_damaged_blob_is_never_uploaded(repo: Repo, bare: Repo, fault_registry: FaultRegistry) -> None:
    at(repo, fault_registry)
    repo.git("remote", "add", "origin", str(bare.path))
    _damage(blob(repo, MODEL))
    done = repo.kit("push", code=11)
    refused(done, f"model.bin: its blob {digest_of(MODEL)} in the store is damaged", hint="git kit fsck")
    repo.git("push", "origin", "main", code=1)
    assert bare.out("for-each-ref") == ""
    contents = fault_registry.repository(REPOSITORY)
    assert contents.tags == {}
    assert all(digest_of(data) == digest for digest, data in contents.blobs.items())


def test_blob_that_was_cut_short_counts_as_missing_and_is_mended_by_pull(clone: Repo) -> None:
    clone.kit("fetch")
    blob(clone, MODEL).chmod(0o644)
    os.truncate(blob(clone, MODEL), 1000)
    assert json.loads(clone.kit("status", "--json").stdout)["missing"][0]["path"] == "model.bin"
    clone.kit("pull")
    assert (clone.read("model.bin"), blob(clone, MODEL).read_bytes()) == (MODEL, MODEL)


def test_damaged_layout_index_is_invalid_and_is_not_overwritten(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "kit.url", f"oci-layout:{tmp_path / 'layout'}")
    repo.kit("push")
    index = tmp_path / "layout" / "index.json"
    index.write_text('{"manifests": [')
    repo.commit("second", {"new.bin": MODEL[1:]})
    assert "index.json is not JSON" in repo.kit("push", code=16).stderr
    assert index.read_text() == '{"manifests": ['


def test_pointer_to_more_than_any_disk_holds_is_told_and_breaks_nothing(
    clone: Repo, fault_registry: FaultRegistry
) -> None:
    huge = f"version git-kit/1\noid {digest_of(MODEL[1:])}\nsize {(1 << 63) - 1}\n"
    clone.commit("huge", {"huge.bin": huge})
    assert clone.blob("HEAD:huge.bin") == huge.encode()
    done = clone.kit("pull", code=19)
    assert "huge.bin: " in done.stderr
    assert clone.read("model.bin") == MODEL
    assert clone.read("huge.bin") == huge.encode()
    fault_registry.add_blob(REPOSITORY, MODEL[1:])
    assert "it should have 9223372036854775807 bytes" in clone.kit("pull", code=11).stderr
    assert clone.read("huge.bin") == huge.encode()
    assert sum(path.stat().st_size for path in (clone.path / ".git/kit").rglob("*") if path.is_file()) < 3 * MIB
