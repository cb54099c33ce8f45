"""A clone to hurt: made once, copied for each test."""

import subprocess
from pathlib import Path

import pytest

from tests.lib.large_files import ATTRIBUTES
from tests.lib.repos import Repo, clean_environ, init, some_bytes

BIG, NEW_BIG = some_bytes(1_500_000, 1), some_bytes(1_500_000, 2)
SMALL, NEW_SMALL = some_bytes(10_000, 3), some_bytes(10_000, 4)
OLD, NEW = {"big.bin": BIG, "small.bin": SMALL}, {"big.bin": NEW_BIG, "small.bin": NEW_SMALL}


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``bare.git`` and its ``clone``, which has git kit set up; paths in it are relative."""
    folder = tmp_path_factory.mktemp("published")
    environ = clean_environ(folder / "home")
    init(folder / "bare.git", environ, "--bare")
    repo = init(folder / "clone", environ)
    repo.kit("install", "--local")
    repo.git("remote", "add", "origin", "../bare.git")
    repo.write(".gitattributes", ATTRIBUTES)
    repo.commit("old", OLD)
    repo.git("branch", "old")
    repo.commit("new", NEW)
    repo.git("push", "--quiet", "origin", "main", "old")
    return folder


@pytest.fixture
def two(published: Path, tmp_path: Path, environ: dict[str, str]) -> Repo:
    """A clone on the branch ``main`` with NEW; ``old`` has OLD. The remote has all of it."""
    return copied(published, tmp_path, environ)


def copied(published: Path, folder: Path, environ: dict[str, str]) -> Repo:
    """The clone ``two``, and its remote, in ``folder``."""
    subprocess.run(["cp", "--archive", published / "clone", published / "bare.git", folder], check=True)
    repo = Repo(folder / "clone", environ)
    repo.git("update-index", "-q", "--refresh")  # a copy has inodes of its own
    return repo
