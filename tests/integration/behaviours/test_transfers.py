"""Transfers that a registry refuses, breaks, or is asked to make one at a time.

Retries, ranges, resumed and damaged downloads, tokens, redirects: tests/integration/test_registry_transfers.py,
test_registry_access.py, test_registry_client.py and test_bad_input.py.
"""

import pytest

from gitkit.core.digest import digest_of
from tests.lib.large_files import LARGE, TOP, A, B, drafts, in_worktree, pointer_to
from tests.lib.registries import REPOSITORY, Fault, FaultRegistry
from tests.lib.repos import Repo, run, some_bytes

BLOB, UPLOADS, MANIFESTS = "/blobs/sha256:", "/blobs/uploads/", "/manifests/"
AT_ONCE = {"Retry-After": "0"}
NEW = some_bytes(5000, seed=31)


@pytest.fixture
def lazy(lazy: Repo, fault_registry: FaultRegistry) -> Repo:
    """A clone of pointers whose content a registry has."""
    lazy.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    for data in (A, B, TOP):
        fault_registry.add_blob(REPOSITORY, data)
    return lazy


def test_push_that_the_registry_refuses_anywhere_moves_no_ref_and_the_next_one_goes_through(
    lazy: Repo, origin: Repo, fault_registry: FaultRegistry
) -> None:
    before = origin.out("rev-parse", "main")
    lazy.commit("new", {"new.bin": NEW})
    steps = [("POST", UPLOADS, 403), ("POST", UPLOADS, 404), ("POST", UPLOADS, 410)]
    steps += [("PUT", UPLOADS, 422), ("PUT", UPLOADS, 503), ("PUT", MANIFESTS, 500)]
    for method, path, status in steps:
        fault = fault_registry.add(Fault(method=method, path=path, times=None, status=status, headers=AT_ONCE))
        said = lazy.git("push", "origin", "main", code=1).stderr
        assert "error: " in said and "Traceback" not in said, (method, path, status)
        assert str(status) in said, (method, path, status)
        assert origin.out("rev-parse", "main") == before
        assert fault_registry.repository(REPOSITORY).tags == {}
        fault.times = 0
    lazy.git("push", "--quiet", "origin", "main")
    assert origin.out("rev-parse", "main") == lazy.out("rev-parse", "HEAD")
    assert len(fault_registry.repository(REPOSITORY).tags) == 1


@pytest.mark.parametrize(("status", "code"), [(403, 12), (404, 19), (500, 14)])
def test_pull_that_the_registry_refuses_leaves_pointers_and_the_next_one_brings_content(
    lazy: Repo, fault_registry: FaultRegistry, status: int, code: int
) -> None:
    fault = fault_registry.add(Fault(method="GET", path=BLOB, times=None, status=status, headers=AT_ONCE))
    assert "error: " in lazy.kit("pull", code=code).stderr
    assert in_worktree(lazy) == {path: pointer_to(data) for path, data in LARGE.items()}
    (lazy.path / "top.bin").unlink()
    lazy.git("checkout", "--quiet", "--", "top.bin")
    assert lazy.read("top.bin") == pointer_to(TOP)
    fault.times = 0
    lazy.kit("pull")
    assert drafts(lazy) == []
    assert in_worktree(lazy) == LARGE
    assert lazy.out("status", "--porcelain") == ""


@pytest.mark.parametrize("transfers", ["1", "1000"])
def test_any_number_of_transfers_at_once_brings_everything(
    lazy: Repo, fault_registry: FaultRegistry, transfers: str
) -> None:
    lazy.git("config", "kit.transfers", transfers)
    lazy.kit("pull")
    assert in_worktree(lazy) == LARGE
    files = {f"{number}.bin": some_bytes(2000 + number, seed=number) for number in range(20)}
    lazy.commit("many", files)
    assert "uploaded 20 files" in lazy.git("push", "origin", "main").stderr
    assert set(files.values()) <= set(fault_registry.repository(REPOSITORY).blobs.values())


def test_checkout_asks_a_registry_that_refuses_no_more_often_than_it_must(
    lazy: Repo, fault_registry: FaultRegistry
) -> None:
    fault_registry.add(Fault(method="GET", path=BLOB, times=None, status=403))
    lazy.git("config", "kit.transfers", "1")
    for path in LARGE:
        (lazy.path / path).unlink()
    said = lazy.git("checkout", "--", ".").stderr
    assert "4 files are still pointers, without content" in said
    assert "hint: git kit pull" in said
    assert len(fault_registry.seen("GET", BLOB)) == 1


@pytest.mark.parametrize("transfers", ["1", "4"])
@pytest.mark.parametrize("command", [("git", "checkout", "--", "."), ("git", "kit", "pull")])
def test_registry_that_is_not_there_is_told_of_in_words_that_are_true_of_every_file(
    lazy: Repo, transfers: str, command: tuple[str, ...]
) -> None:
    lazy.git("config", "kit.url", f"oci://127.0.0.1:1/{REPOSITORY}")
    lazy.git("config", "kit.transfers", transfers)
    for path in LARGE:
        (lazy.path / path).unlink()
    if command[1] == "kit":
        lazy.git("checkout", "--", ".", extra={"GIT_KIT_SKIP_SMUDGE": "1"})
    said = run(command, cwd=lazy.path, environ=lazy.environ, code=None).stderr
    assert f"cannot read a blob: http://127.0.0.1:1/v2/{REPOSITORY}/blobs/... takes no connection" in said
    assert not any(digest_of(data)[7:19] in said for data in LARGE.values())
