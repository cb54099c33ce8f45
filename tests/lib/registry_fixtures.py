"""Fixtures: the registries of ``tests.lib.registries``."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lib.registries import FaultRegistry, RealRegistry


@pytest.fixture
def fault_registry() -> Iterator[FaultRegistry]:
    """A registry in memory that needs no login."""
    with FaultRegistry() as registry:
        yield registry


@pytest.fixture
def real_registry(tmp_path: Path) -> Iterator[RealRegistry]:
    """docker-registry without a login."""
    _need_docker_registry()
    with RealRegistry(tmp_path / "docker-registry") as registry:
        yield registry


@pytest.fixture
def real_registry_with_login(tmp_path: Path) -> Iterator[RealRegistry]:
    """docker-registry that wants ``registries.USER`` and ``PASSWORD``."""
    _need_docker_registry()
    with RealRegistry(tmp_path / "docker-registry-with-login", login=True) as registry:
        yield registry


def _need_docker_registry() -> None:
    if shutil.which("docker-registry"):
        return
    if os.environ.get("GITKIT_REQUIRE_REGISTRY") == "1":
        pytest.fail("docker-registry is not on PATH and GITKIT_REQUIRE_REGISTRY=1")
    pytest.skip("docker-registry is not on PATH")
