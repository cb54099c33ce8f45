"""Fixtures that every test may ask for: an environment, and repositories in it."""

from pathlib import Path

import pytest

from tests.lib.repos import Repo, clean_environ, init


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a new person, with a home of its own below ``tmp_path``."""
    return clean_environ(tmp_path / "home")


@pytest.fixture
def repo(tmp_path: Path, environ: dict[str, str]) -> Repo:
    """An empty repository that knows nothing of git kit."""
    return init(tmp_path / "repo", environ)


@pytest.fixture
def kit_repo(repo: Repo) -> Repo:
    """An empty repository after ``git kit install``: filter in the person's configuration, hooks here."""
    repo.kit("install")
    return repo


@pytest.fixture
def bare(tmp_path: Path, environ: dict[str, str]) -> Repo:
    """An empty bare repository, to push to."""
    return init(tmp_path / "bare.git", environ, "--bare")
