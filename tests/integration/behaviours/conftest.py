"""Fixtures of this folder: a person who installed git kit, and copies of one repository that was published once."""

from pathlib import Path

import pytest

from tests.lib.large_files import ATTRIBUTES, OURS, PUBLISHED, SKIP, THEIRS, Template, copy_of, machine, move_in
from tests.lib.repos import Repo, init, run


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Where `git kit install` was run once: its configuration and hooks are given to all repositories here."""
    return machine(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def environ(environ: dict[str, str], installed: Repo) -> dict[str, str]:
    move_in(environ, installed)
    return environ


@pytest.fixture
def repo(repo: Repo) -> Repo:
    """An empty repository with filter, hooks and the attributes for ``*.bin``."""
    repo.write(".gitattributes", ATTRIBUTES)
    return repo


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, installed: Repo) -> Template:
    """What the fixtures below copy."""
    folder, environ = tmp_path_factory.mktemp("template"), installed.environ
    origin = init(folder / "origin.git", environ, "--bare")
    author = origin.clone(folder / "author")
    author.commit("first", PUBLISHED)
    author.git("push", "--quiet", "origin", "main")
    run(["git", "clone", "--quiet", "origin.git", "lazy"], cwd=folder, environ={**environ, **SKIP})
    return Template(origin, author, Repo(folder / "lazy", environ))


@pytest.fixture(scope="session")
def fetched_template(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """What ``fetched`` copies."""
    repo = copy_of(template.lazy, tmp_path_factory.mktemp("fetched") / "lazy", template.lazy.environ)
    repo.git("remote", "set-url", "origin", str(template.origin.path))
    repo.kit("fetch")
    return repo


@pytest.fixture
def fetched(fetched_template: Repo, tmp_path: Path, environ: dict[str, str]) -> Repo:
    """A clone whose worktree has pointers and whose store has all content."""
    return copy_of(fetched_template, tmp_path / "fetched", environ)


@pytest.fixture(scope="session")
def conflict_template(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """What ``conflicted`` copies."""
    repo = copy_of(template.author, tmp_path_factory.mktemp("conflict") / "author", template.author.environ)
    repo.git("switch", "--quiet", "--create", "side")
    repo.commit("theirs", {"top.bin": THEIRS})
    repo.git("switch", "--quiet", "main")
    repo.commit("ours", {"top.bin": OURS})
    repo.git("merge", "side", code=1)
    return repo


@pytest.fixture
def conflicted(conflict_template: Repo, tmp_path: Path, environ: dict[str, str]) -> Repo:
    """A clone in the middle of a merge that changed ``top.bin`` on both sides."""
    return copy_of(conflict_template, tmp_path / "conflicted", environ)


@pytest.fixture
def origin(template: Template, tmp_path: Path, environ: dict[str, str]) -> Repo:
    """The bare repository that ``PUBLISHED`` was pushed to, with its content in the folder ``kit``."""
    return copy_of(template.origin, tmp_path / "origin.git", environ)


@pytest.fixture
def author(template: Template, tmp_path: Path, origin: Repo) -> Repo:
    """The clone that ``PUBLISHED`` was pushed from."""
    repo = copy_of(template.author, tmp_path / "author", origin.environ)
    repo.git("remote", "set-url", "origin", str(origin.path))
    return repo


@pytest.fixture
def lazy(template: Template, tmp_path: Path, origin: Repo) -> Repo:
    """A clone of ``origin`` that holds pointers and no content."""
    repo = copy_of(template.lazy, tmp_path / "lazy", origin.environ)
    repo.git("remote", "set-url", "origin", str(origin.path))
    return repo
