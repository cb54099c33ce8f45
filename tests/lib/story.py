"""A month in the life of a model, for tests that read: promotions, a refusal, an approval, a rollback, two people.

Made once for all tests, which must not change it; ``told`` gives a copy. Each step happened at noon (UTC) of a day in
March 2025:

- 1: v1 is released, and promoted to staging and prod by Ada (``--reason first``)
- 3: v2: prod asks for an approval and for accuracy from then on; staging and prod take it
- 5: v3: its accuracy is too low, so prod refuses it; staging has it
- 7: v4: Ben approves it, Ada promotes it to prod (``--reason better``)
- 9: Ada rolls prod back to v2 (``--reason slow``), which holds it
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitkit.store.layout import ImageLayout
from tests.lib.configs import ENVIRONMENTS as PLAIN
from tests.lib.repos import Repo, clean_environ, init, some_bytes

STRICT = (
    PLAIN
    + """\
approvals = 1
gates = ["eval"]
[gates.eval]
metrics = "metrics.json"
rules = { accuracy = { min = 0.8 } }
"""
)
KITFILE = """\
package: {name: demo, license: %s}
model: {path: model.bin}
datasets: [{name: train, path: data}]
"""
ACCURACY = {"v2": 0.9, "v3": 0.4, "v4": 0.95}
DATA = some_bytes(3000, seed=77)


def model(version: str) -> bytes:
    return some_bytes(5000, seed=int(version[1:]))


def noon(day: int) -> str:
    """A time in the story, as git kit prints it."""
    return f"2025-03-{day:02}T12:00:00Z"


@dataclass(frozen=True, kw_only=True)
class Story:
    """``registry`` looks into the remote; ``ada`` is on branch dev."""

    folder: Path
    bare: Repo
    ada: Repo
    ben: Repo
    registry: ImageLayout

    def digest(self, version: str) -> str:
        found = self.registry.resolve(version)
        assert found is not None
        return found

    def commit(self, version: str) -> str:
        return self.ada.out("rev-parse", f"{version}^{{commit}}")


def _open(folder: Path, environ: dict[str, str]) -> Story:
    bare, ada, ben = (Repo(folder / name, environ) for name in ("bare.git", "ada", "ben"))
    return Story(folder=folder, bare=bare, ada=ada, ben=ben, registry=ImageLayout(str(bare.path / "kit")))


def _clone(folder: Path, environ: dict[str, str], name: str) -> None:
    Repo(folder, environ).git("clone", "--quiet", "bare.git", name)
    clone = Repo(folder / name, environ)
    clone.git("remote", "set-url", "origin", "../bare.git")
    clone.git("config", "user.name", name.capitalize())
    clone.git("config", "user.email", f"{name}@example.com")


def _on(day: int, *repos: Repo) -> None:
    for repo in repos:
        repo.environ |= {"GIT_COMMITTER_DATE": noon(day), "GIT_AUTHOR_DATE": noon(day)}


def _version(ada: Repo, version: str, licence: str = "MIT") -> None:
    files: dict[str, bytes | str] = {"model.bin": model(version), "data/train.bin": DATA, "data/notes.txt": "notes\n"}
    if version in ACCURACY:
        files["metrics.json"] = f'{{"accuracy": {ACCURACY[version]}}}\n'
    config = PLAIN if version == "v1" else STRICT
    ada.commit(f"model {version}", {**files, ".gitkit.toml": config, "Kitfile": KITFILE % licence})
    ada.git("tag", "--annotate", version, "--message", version)
    ada.git("push", "--quiet", "origin", "dev", version)
    ada.kit("release", version)


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The story, to be read only."""
    folder = tmp_path_factory.mktemp("story")
    environ = clean_environ(folder / "home")
    init(folder / "bare.git", environ, "--bare")
    init(folder / "empty", environ).kit("install")
    _clone(folder, environ, "ada")
    story = _open(folder, environ)
    ada = story.ada
    ada.kit("install")
    _on(1, ada)
    ada.git("checkout", "--quiet", "-b", "dev")
    ada.write(".gitattributes", "*.bin filter=kit -text\n")
    _version(ada, "v1")
    story.bare.git("symbolic-ref", "HEAD", "refs/heads/dev")
    _clone(folder, environ, "ben")
    ada.kit("promote", "v1", "staging", "--reason", "first")
    ada.kit("promote", "v1", "prod", "--reason", "first")
    _on(3, ada)
    _version(ada, "v2")
    ada.kit("promote", "v2", "staging")
    ada.kit("promote", "v2", "prod")
    _on(5, ada)
    _version(ada, "v3")
    ada.kit("promote", "v3", "staging")
    ada.kit("promote", "v3", "prod", code=18)
    _on(7, ada, story.ben)
    _version(ada, "v4", "Apache-2.0")
    ada.kit("promote", "v4", "staging")
    story.ben.git("fetch", "--quiet", "--tags")
    story.ben.kit("approve", "v4", "prod", "--reason", "looks good")
    ada.kit("promote", "v4", "prod", "--reason", "better")
    _on(9, ada)
    ada.kit("rollback", "prod", "--reason", "slow")
    story.ben.git("fetch", "--quiet", "--tags")
    return _open(folder, environ)


@pytest.fixture
def told(story: Story, tmp_path: Path, environ: dict[str, str]) -> Story:
    """A copy of the story, which goes on from here."""
    shutil.copy(story.folder / "home" / ".gitconfig", environ["GIT_CONFIG_GLOBAL"])
    for name in ("bare.git", "ada", "ben"):
        shutil.copytree(story.folder / name, tmp_path / name, symlinks=True)
    return _open(tmp_path, environ)
