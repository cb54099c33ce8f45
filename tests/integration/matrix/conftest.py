"""The published repositories that journeys begin with: one in each object format, made once."""

from pathlib import Path

import pytest

from tests.integration.matrix.journey import Upstream, publish
from tests.lib.large_files import machine, move_in
from tests.lib.repos import Repo


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Where `git kit install` was run once: its configuration and hooks are given to all repositories here."""
    return machine(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def environ(environ: dict[str, str], installed: Repo) -> dict[str, str]:
    move_in(environ, installed)
    return environ


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, installed: Repo) -> Upstream:
    """A bare repository and the layout folder with its content. Nothing is ever pushed to it: see ``upstream``."""
    return publish(tmp_path_factory.mktemp("published"), installed.environ, "sha1")


@pytest.fixture
def upstream(published: Upstream, tmp_path: Path, environ: dict[str, str]) -> Upstream:
    """A copy of ``published``, to push to."""
    return published.copy(tmp_path / "upstream", environ)
