"""Killed anywhere: nothing is lost, nothing half done is visible, and the same command again finishes the work.

A process is killed while a registry holds its request (``Fault.pause_after``), or it is stopped when the file that it
writes is seen to grow, and killed while it is known to be in the middle. No test waits by the clock.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from tests.lib.registries import REPOSITORY, Fault, FaultRegistry
from tests.lib.repos import Repo, clean_environ, init, some_bytes

MIB = 1 << 20
ATTRIBUTES = "*.bin filter=kit diff=kit merge=kit -text\n"
MODEL, SMALL = some_bytes(4 * MIB + 7, seed=1), some_bytes(3000, seed=2)
LARGE = 256 * MIB
BLOBS, UPLOADS = r"/blobs/sha256:", r"/blobs/uploads/.*digest="
SKIP = {"GIT_KIT_SKIP_SMUDGE": "1"}


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


@pytest.fixture
def author(bare: Repo, tmp_path: Path, fault_registry: FaultRegistry) -> Repo:
    """A clone with one commit that is not pushed; its remote is ``fault_registry``."""
    repo = bare.clone(tmp_path / "author")
    repo.write(".gitkit.toml", f'[remote]\nurl = "oci://{fault_registry.host}/{REPOSITORY}"\n')
    repo.write(".gitattributes", ATTRIBUTES)
    repo.write("Kitfile", "model: {path: model.bin}\ndocs: [{path: small.bin}]\n")
    repo.commit("first", {"model.bin": MODEL, "small.bin": SMALL})
    repo.git("tag", "v1")
    return repo


@pytest.fixture
def clone(author: Repo, bare: Repo, tmp_path: Path) -> Repo:
    """A clone without content of what ``author`` has pushed."""
    author.git("push", "--quiet", "origin", "main", "v1")
    Repo(tmp_path, author.environ).kit("clone", "--no-content", str(bare.path), "clone")
    return Repo(tmp_path / "clone", author.environ)


def start(repo: Repo, *argv: str) -> "subprocess.Popen[bytes]":
    """Start a program that leads a process group of its own."""
    return subprocess.Popen(
        argv,
        cwd=repo.path,
        env=repo.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> tuple[int, str]:
    """Send a signal to a program and all that it started, as a terminal does; its exit status and standard error."""
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=20)
    assert "Traceback" not in said.decode()
    return process.returncode, said.decode()


def kill(process: "subprocess.Popen[bytes]") -> None:
    assert signal_group(process, signal.SIGKILL)[0] == -signal.SIGKILL


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in 30 s"
        time.sleep(0.001)


def store(repo: Repo) -> Path:
    return repo.path / ".git" / "kit"


def store_blob(repo: Repo, digest: str) -> Path:
    return store(repo) / "blobs" / "sha256" / digest[7:]


def drafts(folder: Path) -> list[Path]:
    """What is being written, or was left, in a store's ``tmp``."""
    return list((folder / "tmp").iterdir()) if (folder / "tmp").exists() else []


def assert_store_is_sound(repo: Repo) -> None:
    """Every blob has the bytes of its name, and no draft is left after fsck."""
    checked = repo.kit("fsck")
    assert ": 0 damaged" in checked.stdout
    assert drafts(store(repo)) == []


def assert_registry_is_sound(registry: FaultRegistry) -> None:
    """Every blob has the bytes of its name, and every manifest names only blobs that are there."""
    contents = registry.repository(REPOSITORY)
    assert all(digest_of(data) == digest for digest, data in contents.blobs.items())
    for _, data in contents.manifests.values():
        document = json.loads(data)
        assert {layer["digest"] for layer in [document["config"], *document["layers"]]} <= contents.blobs.keys()


# -- uploads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "after"),
    [
        pytest.param(UPLOADS + f"sha256(:|%3A){digest_of(MODEL)[7:]}", 2 * MIB, id="in-a-blob"),
        pytest.param("/manifests/kit.objects-", 100, id="in-the-keep-manifest"),
    ],
)
def test_push_killed_during_its_upload_moves_no_ref_and_the_next_push_finishes(
    author: Repo, bare: Repo, fault_registry: FaultRegistry, path: str, after: int
) -> None:
    held = fault_registry.add(Fault(method="PUT", path=path, pause_after=after, cut_upload_after=after + 1))
    pushing = start(author, "git", "push", "origin", "main")
    assert held.reached.wait(30)
    kill(pushing)
    held.resume.set()
    assert bare.out("for-each-ref") == ""
    assert fault_registry.repository(REPOSITORY).tags == {}
    assert_registry_is_sound(fault_registry)
    author.git("push", "--quiet", "origin", "main")
    contents = fault_registry.repository(REPOSITORY)
    assert set(contents.blobs) == {digest_of(data) for data in (MODEL, SMALL, b"{}")}
    assert len(contents.tags) == 1
    assert_registry_is_sound(fault_registry)
    assert bare.out("rev-parse", "main") == author.out("rev-parse", "HEAD")
    assert_store_is_sound(author)


def test_push_killed_while_it_writes_into_a_layout_folder_leaves_no_blob_under_its_name(
    author: Repo, bare: Repo, tmp_path: Path
) -> None:
    author.git("config", "kit.url", f"oci-layout:{tmp_path / 'layout'}")
    layout = tmp_path / "layout"
    digest = _add_large(author)
    author.git("commit", "--quiet", "--message", "large")
    pushing = start(author, "git", "push", "origin", "main")
    _stop_at_draft(layout, pushing.pid)
    kill(pushing)
    assert bare.out("for-each-ref") == ""
    assert not (layout / "blobs" / "sha256" / digest[7:]).exists()
    assert json.loads((layout / "index.json").read_bytes())["manifests"] == []
    author.git("push", "--quiet", "origin", "main")
    assert (layout / "blobs" / "sha256" / digest[7:]).stat().st_size == LARGE
    assert bare.out("rev-parse", "main") == author.out("rev-parse", "HEAD")


def test_release_killed_in_its_manifest_leaves_no_version_and_the_next_release_finishes(
    clone: Repo, fault_registry: FaultRegistry
) -> None:
    held = fault_registry.add(Fault(method="PUT", path="/manifests/v1", pause_after=100, cut_upload_after=101))
    releasing = start(clone, "git-kit", "release", "v1")
    assert held.reached.wait(30)
    kill(releasing)
    held.resume.set()
    assert "v1" not in fault_registry.repository(REPOSITORY).tags
    assert_registry_is_sound(fault_registry)
    digest = clone.kit("release", "v1").stdout.strip()
    assert fault_registry.repository(REPOSITORY).tags["v1"] == digest
    assert clone.kit("verify", "v1").stdout == f"{digest}\n"
    assert_store_is_sound(clone)


def test_promote_killed_between_git_and_the_registry_is_repaired_by_the_next(
    clone: Repo, bare: Repo, fault_registry: FaultRegistry
) -> None:
    environments = '[environments.dev]\nbranch = "main"\n[environments.prod]\nbranch = "prod"\nfrom = ["dev"]\n'
    clone.write(".gitkit.toml", clone.read(".gitkit.toml") + environments.encode())
    clone.kit("release", "v1")
    held = fault_registry.add(Fault(method="PUT", path="/manifests/prod", pause_after=100, cut_upload_after=101))
    promoting = start(clone, "git-kit", "promote", "v1", "prod")
    assert held.reached.wait(30)
    kill(promoting)
    held.resume.set()
    tip = bare.out("rev-parse", "prod")
    tags = fault_registry.repository(REPOSITORY).tags
    assert "prod" not in tags
    assert json.loads(clone.kit("env", "show", "prod", "--json").stdout)["drift"] is True
    clone.kit("promote", "v1", "prod")
    assert tags["prod"] == tags["v1"]
    assert bare.out("rev-parse", "prod") == tip


# -- downloads -------------------------------------------------------------------------------------------------------


def _pause_download(clone: Repo, registry: FaultRegistry, *argv: str) -> tuple["subprocess.Popen[bytes]", Fault]:
    """A program in the middle of the download of ``MODEL``, of which the first MiB is on disk."""
    held = registry.add(Fault(method="GET", path=BLOBS + digest_of(MODEL)[7:], pause_after=2 * MIB + 5))
    process = start(clone, *argv)
    assert held.reached.wait(30)
    part = store(clone) / "tmp" / f"{digest_of(MODEL)[7:]}.part"
    wait_for(lambda: part.exists() and part.stat().st_size >= MIB, "a MiB on disk")
    return process, held


def test_pull_killed_during_its_download_shows_nothing_and_the_next_pull_continues_it(
    clone: Repo, fault_registry: FaultRegistry
) -> None:
    pulling, held = _pause_download(clone, fault_registry, "git-kit", "pull")
    kill(pulling)
    held.resume.set()
    assert not store_blob(clone, digest_of(MODEL)).exists()
    assert clone.read("model.bin").startswith(b"version git-kit/1\n")
    assert ": 0 damaged" in clone.kit("fsck").stdout
    clone.kit("pull")
    assert (clone.read("model.bin"), clone.read("small.bin")) == (MODEL, SMALL)
    _, second = fault_registry.seen("GET", BLOBS + digest_of(MODEL)[7:])
    wanted = re.fullmatch(r"bytes=(\d+)-", second.headers.get("Range") or "")
    assert wanted is not None and int(wanted[1]) >= MIB
    assert clone.out("status", "--porcelain") == ""
    assert_store_is_sound(clone)


def test_partial_download_that_was_damaged_is_thrown_away_and_downloaded_anew(
    clone: Repo, fault_registry: FaultRegistry
) -> None:
    pulling, held = _pause_download(clone, fault_registry, "git-kit", "fetch")
    kill(pulling)
    held.resume.set()
    part = store(clone) / "tmp" / f"{digest_of(MODEL)[7:]}.part"
    with open(part, "r+b") as file:
        file.write(b"damage")
    clone.kit("fetch")
    assert store_blob(clone, digest_of(MODEL)).read_bytes() == MODEL
    starts = [call.headers.get("Range") for call in fault_registry.seen("GET", BLOBS + digest_of(MODEL)[7:])]
    assert starts[0] is None and str(starts[1]).startswith("bytes=") and starts[2:] == [None]
    assert_store_is_sound(clone)


def test_filter_killed_during_a_download_leaves_a_pointer_that_the_next_pull_fills_in(
    clone: Repo, fault_registry: FaultRegistry
) -> None:
    (clone.path / "model.bin").unlink()
    checking_out, held = _pause_download(clone, fault_registry, "git", "checkout", "--", "model.bin")
    os.kill(_filter_of(clone), signal.SIGKILL)
    _, said = checking_out.communicate(timeout=20)
    held.resume.set()
    assert checking_out.returncode == 0  # Git's own work was done
    assert "Traceback" not in said.decode()
    assert clone.read("model.bin").startswith(b"version git-kit/1\n")
    assert clone.out("status", "--porcelain") == ""
    clone.kit("pull")
    assert clone.read("model.bin") == MODEL
    assert clone.out("status", "--porcelain") == ""
    assert_store_is_sound(clone)


def _filter_of(repo: Repo) -> int:
    """The process id of the filter that runs in this worktree."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
            if b"filter-process" in words and b"python" in words[0] and Path("/proc", pid, "cwd").samefile(repo.path):
                found.append(int(pid))
        except OSError:
            continue
    (pid,) = found
    return pid


# -- store and worktree ----------------------------------------------------------------------------------------------


def _write_large(repo: Repo, name: str = "large.bin") -> None:
    with open(repo.path / name, "wb") as file:
        file.write(name.encode())
        file.truncate(LARGE)


def _add_large(repo: Repo) -> str:
    """Put a large file into the index; its digest."""
    _write_large(repo)
    repo.git("add", "large.bin")
    found = re.search(rb"sha256:[0-9a-f]{64}", repo.blob(":large.bin"))
    assert found is not None
    return found[0].decode()


def _stop_at_draft(folder: Path, group: int | None = None) -> int:
    """Stop whoever writes a large draft into a store (and his process group) in the middle of it; his process id."""

    def growing() -> Path | None:
        return next((path for path in drafts(folder) if _size(path) > MIB), None)

    wait_for(growing, "a draft in the store")
    draft = growing()
    assert draft is not None, "the draft was finished before the process could be stopped"
    pid = int(draft.name.partition("-")[0])
    if group is None:
        os.kill(pid, signal.SIGSTOP)
    else:
        os.killpg(group, signal.SIGSTOP)
    assert draft.exists() and _size(draft) < LARGE, "the draft was finished before the process could be stopped"
    return pid


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_filter_killed_while_it_stores_a_file_fails_that_add_and_the_next_one_succeeds(repo: Repo) -> None:
    repo.write(".gitattributes", ATTRIBUTES)
    repo.commit("first", {"small.bin": SMALL})
    _write_large(repo)
    adding = start(repo, "git", "add", "large.bin")
    os.kill(_stop_at_draft(store(repo)), signal.SIGKILL)
    _, said = adding.communicate(timeout=20)
    assert adding.returncode != 0
    assert "Traceback" not in said.decode()
    assert len(drafts(store(repo))) == 1
    assert repo.out("status", "--porcelain") == "?? large.bin"
    assert len(list((store(repo) / "blobs" / "sha256").iterdir())) == 1
    digest = _add_large(repo)
    assert store_blob(repo, digest).stat().st_size == LARGE
    repo.git("commit", "--quiet", "--message", "large")
    swept = repo.kit("fsck")
    assert "2 blobs, 256.0 MiB: 0 damaged" in swept.stdout
    assert "removed 1 leftover of interrupted commands" in swept.stderr
    assert drafts(store(repo)) == []


def test_fsck_leaves_the_draft_of_a_running_process_alone(repo: Repo) -> None:
    repo.write(".gitattributes", ATTRIBUTES)
    _write_large(repo)
    adding = start(repo, "git", "add", "large.bin")
    pid = _stop_at_draft(store(repo))
    (draft,) = drafts(store(repo))
    repo.kit("fsck")
    assert draft.exists()
    os.kill(pid, signal.SIGCONT)
    _, said = adding.communicate(timeout=60)
    assert (adding.returncode, said) == (0, b"")
    assert repo.blob(":large.bin").endswith(f"size {LARGE}\n".encode())
    assert_store_is_sound(repo)


def _writes_below(pid: int, folder: Path) -> bool:
    """Whether a process has a large file open in a worktree, under whatever name, or none."""
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            fd = f"/proc/{pid}/fd/{number}"
            name = os.readlink(fd)
            if name.startswith(f"{folder}/") and "/.git/" not in name and os.stat(fd).st_size > MIB:
                return True
        except OSError:
            continue
    return False


def test_checkout_killed_while_it_writes_a_file_leaves_the_pointer_and_nothing_beside(repo: Repo) -> None:
    repo.write(".gitattributes", ATTRIBUTES)
    repo.git("add", ".gitattributes")
    _add_large(repo)
    repo.git("commit", "--quiet", "--message", "large")
    (repo.path / "large.bin").unlink()
    repo.git("checkout", "--quiet", "--", "large.bin", extra=SKIP)
    pointer = repo.read("large.bin")
    checking_out = start(repo, "git-kit", "checkout")

    wait_for(lambda: _writes_below(checking_out.pid, repo.path), "a file that is written in the worktree")
    os.killpg(checking_out.pid, signal.SIGSTOP)
    assert repo.read("large.bin") == pointer, "the checkout was finished before the process could be stopped"
    kill(checking_out)
    assert repo.read("large.bin") == pointer
    assert not (repo.path / ".git" / "index.lock").exists()
    repo.kit("checkout")
    assert (repo.path / "large.bin").stat().st_size == LARGE
    assert repo.out("status", "--porcelain") == ""
    assert_store_is_sound(repo)


# -- ^C --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_during_a_download_ends_at_once_with_130_and_the_next_pull_continues(
    clone: Repo, fault_registry: FaultRegistry, number: signal.Signals
) -> None:
    pulling, held = _pause_download(clone, fault_registry, "git-kit", "pull")
    code, said = signal_group(pulling, number)
    held.resume.set()
    assert (code, said.splitlines()[-1]) == (130, "interrupted")
    assert not store_blob(clone, digest_of(MODEL)).exists()
    clone.kit("pull")
    assert (clone.read("model.bin"), clone.read("small.bin")) == (MODEL, SMALL)
    assert_store_is_sound(clone)


def test_interrupt_during_an_upload_ends_at_once_with_130_and_the_next_push_finishes(
    author: Repo, bare: Repo, fault_registry: FaultRegistry
) -> None:
    upload = UPLOADS + f"sha256(:|%3A){digest_of(MODEL)[7:]}"
    held = fault_registry.add(Fault(method="PUT", path=upload, pause_after=MIB))
    pushing = start(author, "git-kit", "push")
    assert held.reached.wait(30)
    code, said = signal_group(pushing, signal.SIGINT)
    held.resume.set()
    assert (code, said.splitlines()[-1]) == (130, "interrupted")
    assert_registry_is_sound(fault_registry)
    author.git("push", "--quiet", "origin", "main")
    assert bare.out("rev-parse", "main") == author.out("rev-parse", "HEAD")
    assert_registry_is_sound(fault_registry)


def test_interrupt_of_git_push_in_the_hook_moves_no_ref(
    author: Repo, bare: Repo, fault_registry: FaultRegistry
) -> None:
    upload = UPLOADS + f"sha256(:|%3A){digest_of(MODEL)[7:]}"
    held = fault_registry.add(Fault(method="PUT", path=upload, pause_after=MIB))
    pushing = start(author, "git", "push", "origin", "main")
    assert held.reached.wait(30)
    code, said = signal_group(pushing, signal.SIGINT)
    held.resume.set()
    assert code != 0
    assert "interrupted" in said
    assert bare.out("for-each-ref") == ""


def test_interrupt_of_git_add_leaves_no_draft_and_no_lock(repo: Repo) -> None:
    repo.write(".gitattributes", ATTRIBUTES)
    _write_large(repo)
    adding = start(repo, "git", "add", "large.bin")
    pid = _stop_at_draft(store(repo), adding.pid)
    os.killpg(adding.pid, signal.SIGINT)
    os.killpg(adding.pid, signal.SIGCONT)
    _, said = adding.communicate(timeout=20)
    assert adding.returncode != 0
    assert "Traceback" not in said.decode()
    wait_for(lambda: not Path("/proc", str(pid)).exists(), "the end of the filter")
    assert drafts(store(repo)) == []
    digest = _add_large(repo)
    assert store_blob(repo, digest).stat().st_size == LARGE
