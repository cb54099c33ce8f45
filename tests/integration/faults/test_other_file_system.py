"""The store on another file system than the worktree: all is copied, nothing can be a hard link, and all works."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lib import soundness
from tests.lib.large_files import ATTRIBUTES, SKIP, blob_in, digests_in
from tests.lib.repos import Repo, some_bytes

MEMORY = Path("/dev/shm")
BIG, NEW_BIG = some_bytes(1_500_000, 1), some_bytes(2_000_000, 2)
SMALL, TOOL = some_bytes(10_000, 3), some_bytes(1_200_000, 4)
FIRST, SECOND = {"big.bin": BIG, "small.bin": SMALL}, {"big.bin": NEW_BIG, "deep/tool.bin": TOOL, "small.bin": SMALL}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """An empty folder on another file system than ``tmp_path``."""
    if not MEMORY.is_dir() or MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system to write to")
    folder = Path(tempfile.mkdtemp(dir=MEMORY))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def far(elsewhere: Path, kit_repo: Repo) -> Repo:
    """A clone with two branches, ``first`` and ``main``, whose store is ``elsewhere``."""
    kit_repo.git("config", "kit.storage", str(elsewhere / "store"))
    kit_repo.write(".gitattributes", ATTRIBUTES)
    kit_repo.commit("first", {"big.bin": BIG, "small.bin": SMALL})
    kit_repo.git("branch", "first")
    kit_repo.write("big.bin", NEW_BIG)
    kit_repo.write("deep/tool.bin", TOOL, mode=0o755)
    kit_repo.kit("add", ".")
    kit_repo.git("commit", "--quiet", "--message", "second")
    return kit_repo


def assert_holds(repo: Repo, content: dict[str, bytes]) -> None:
    """The files of the worktree are the clone's own, and sound."""
    found = soundness.contents(repo)
    assert {path: data for path, (data, _) in found.items() if path.endswith(".bin")} == content
    assert all((repo.path / path).stat().st_nlink == 1 for path in found)
    assert all((repo.path / path).stat().st_mode & 0o200 for path in found)
    assert soundness.status(repo) == []
    soundness.assert_status_is_true(repo)
    assert soundness.leftovers(repo) == []
    assert ": 0 damaged" in repo.kit("fsck").stdout


@pytest.mark.parametrize("link", ["copy", "hardlink"])
def test_checkout_from_a_store_elsewhere_copies(far: Repo, elsewhere: Path, link: str) -> None:
    far.git("config", "kit.link", link)
    assert len(digests_in(elsewhere / "store")) == 4
    assert digests_in(far.path / ".git" / "kit") == set()
    far.git("checkout", "--quiet", "first")
    assert_holds(far, FIRST)
    far.git("checkout", "--quiet", "main")
    assert_holds(far, SECOND)
    assert (far.path / "deep/tool.bin").stat().st_mode & 0o100
    far.git("checkout", "--quiet", "first", extra=SKIP)
    far.kit("checkout")
    assert_holds(far, FIRST)


def test_worktree_elsewhere_with_hard_links_asked_for_copies(kit_repo: Repo, elsewhere: Path) -> None:
    kit_repo.git("config", "kit.link", "hardlink")
    kit_repo.write(".gitattributes", ATTRIBUTES)
    kit_repo.commit("first", FIRST)
    kit_repo.git("worktree", "add", "--quiet", "--detach", str(elsewhere / "linked"))
    assert_holds(Repo(elsewhere / "linked", kit_repo.environ), FIRST)


def test_dedup_with_a_store_elsewhere_says_why_not(far: Repo) -> None:
    far.git("checkout", "--quiet", "first")
    far.git("config", "kit.link", "hardlink")
    done = far.kit("dedup", code=17)
    assert "the store is on another file system than the worktree" in done.stderr
    assert_holds(far, FIRST)


def test_content_comes_along_when_the_store_is_moved_elsewhere_and_back(far: Repo, elsewhere: Path) -> None:
    far.git("config", "--unset", "kit.storage")
    far.git("checkout", "--quiet", "first")
    assert_holds(far, FIRST)
    assert blob_in(far.path / ".git" / "kit", BIG).read_bytes() == BIG
    blob_in(elsewhere / "store", BIG).unlink()
    (far.path / "big.bin").unlink()
    far.git("config", "kit.storage", str(elsewhere / "store"))
    far.git("restore", "big.bin")
    assert_holds(far, FIRST)
    assert blob_in(elsewhere / "store", BIG).read_bytes() == BIG


def test_prune_and_its_way_back_stay_in_a_store_elsewhere(far: Repo, elsewhere: Path, bare: Repo) -> None:
    far.git("remote", "add", "origin", str(bare.path))
    far.git("push", "--quiet", "origin", "main", "first")
    far.git("branch", "--quiet", "-D", "first")
    far.git("reflog", "expire", "--expire=now", "--all")
    far.git("config", "kit.recentDays", "0")
    assert "1 blob, 1.4 MiB moved to the trash" in far.kit("prune", "--grace", "0").stdout
    assert not blob_in(elsewhere / "store", BIG).exists()
    far.git("checkout", "--quiet", "--detach", "origin/first")
    assert_holds(far, FIRST)
    assert blob_in(elsewhere / "store", BIG).read_bytes() == BIG


def test_pull_into_a_store_elsewhere_brings_all(far: Repo, elsewhere: Path, bare: Repo, tmp_path: Path) -> None:
    far.git("remote", "add", "origin", str(bare.path))
    far.git("push", "--quiet", "origin", "main", "first")
    clone = bare.clone(tmp_path / "clone", "--branch", "main", "--no-checkout")
    clone.git("config", "kit.storage", str(elsewhere / "another"))
    clone.git("checkout", "--quiet", "main")
    assert_holds(clone, SECOND)
    clone.git("checkout", "--quiet", "first", extra=SKIP)
    clone.kit("pull")
    assert_holds(clone, FIRST)
    assert digests_in(elsewhere / "another") == digests_in(elsewhere / "store")
