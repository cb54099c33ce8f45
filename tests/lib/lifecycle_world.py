"""A world with environments, for tests of the lifecycle.

Each test gets a copy of it: a bare repository ``bare.git`` that also holds the large files (the embedded remote), and
the clone ``author`` on branch ``dev`` with the released versions v1, v2 and v3.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitkit.store.layout import ImageLayout
from tests.lib.configs import ENVIRONMENTS as CONFIG
from tests.lib.repos import Repo, clean_environ, init, some_bytes

KIT_JOURNAL = "refs/remotes/origin/kit/journal"
VERSIONS = ("v1", "v2", "v3")


def model(version: str) -> bytes:
    return some_bytes(5000, seed=int(version[1:]))


@dataclass(frozen=True, kw_only=True)
class World:
    """``registry`` looks into the remote."""

    folder: Path
    bare: Repo
    author: Repo
    registry: ImageLayout

    def clone(self, name: str, user: str) -> Repo:
        """Another clone, on branch dev, of a person called ``user``."""
        clone = self.bare.clone(self.folder / name, "--branch", "dev")
        clone.git("config", "user.name", user)
        return clone

    def commit_of(self, version: str) -> str:
        return self.author.out("rev-parse", f"{version}^{{commit}}")

    def digest_of(self, version: str) -> str:
        digest = self.registry.resolve(version)
        assert digest is not None
        return digest

    def tip(self, branch: str) -> str | None:
        """Where the branch is in the bare repository."""
        return self.bare.out("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}") or None


@pytest.fixture(scope="session")
def lifecycle_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world that is copied. Its clone names the bare repository by a relative path."""
    folder = tmp_path_factory.mktemp("world")
    environ = clean_environ(folder / "home")
    init(folder / "hooks", environ).kit("install")
    bare = init(folder / "bare.git", environ, "--bare")
    Repo(folder, environ).git("clone", "--quiet", "bare.git", "author")
    author = Repo(folder / "author", environ)
    author.git("remote", "set-url", "origin", "../bare.git")
    author.kit("install")
    author.git("checkout", "--quiet", "-b", "dev")
    author.write(".gitattributes", "*.bin filter=kit -text\n")
    author.write(".gitkit.toml", CONFIG)
    author.write("Kitfile", "model: {path: model.bin}\n")
    for number, version in enumerate(VERSIONS):
        author.environ["GIT_COMMITTER_DATE"] = f"{1767225600 + number} +0000"
        author.commit(version, {"model.bin": model(version)})
        author.git("tag", version)
    del author.environ["GIT_COMMITTER_DATE"]
    author.git("push", "--quiet", "--set-upstream", "origin", "dev", *VERSIONS)
    for version in VERSIONS:
        author.kit("release", version, extra={"GIT_COMMITTER_DATE": "2026-01-01T01:00:00Z"})
    bare.git("symbolic-ref", "HEAD", "refs/heads/dev")
    author.git("config", "--global", "init.templateDir", str(folder / "hooks" / ".git"))
    return folder


@pytest.fixture
def world(lifecycle_template: Path, tmp_path: Path, environ: dict[str, str]) -> World:
    shutil.copy(lifecycle_template / "home" / ".gitconfig", environ["GIT_CONFIG_GLOBAL"])
    for name in ("bare.git", "author"):
        shutil.copytree(lifecycle_template / name, tmp_path / name, symlinks=True)
    bare, author = Repo(tmp_path / "bare.git", environ), Repo(tmp_path / "author", environ)
    return World(folder=tmp_path, bare=bare, author=author, registry=ImageLayout(str(bare.path / "kit")))
