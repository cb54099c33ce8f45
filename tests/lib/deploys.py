"""A world with an environment, for tests that deploy it: author, Git remote, and the host that deploys.

``prod`` is moved by events and commits of the form that git kit writes, and nobody asks for rules: what moves it is not
what is tested here.
"""

import io
import json
import os
import shutil
import signal
import stat
import time
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitkit.cli.main import main
from gitkit.core.journal import BRANCH as JOURNAL_BRANCH
from gitkit.core.journal import Actor, Event, Point
from gitkit.git.objects import write_commit
from gitkit.git.refs import move_all
from gitkit.git.run import Git
from gitkit.lifecycle import journal
from gitkit.store.layout import ImageLayout
from tests.lib.repos import Ran, Repo, clean_environ, init, some_bytes

Json = dict[str, Any]

CONFIG = """\
[environments.dev]
branch = "dev"
[environments.prod]
branch = "prod"
from = ["dev"]
"""
KITFILE = "model: {path: model.bin, parts: [{path: deep/same.bin}]}\ncode: [{path: run.sh}, {path: version.txt}]\n"
SAME = some_bytes(40_000, seed=77)
VERSIONS = ("v1", "v2", "v3")


def model(version: str) -> bytes:
    return some_bytes(30_000, seed=int(version[1:]))


def changing(version: str) -> dict[str, bytes | str]:
    """The files that differ from version to version."""
    return {"model.bin": model(version), "version.txt": f"{version}\n"}


def content(version: str) -> dict[str, bytes]:
    """All files of a version's release but its record."""
    return {
        "Kitfile": KITFILE.encode(),
        "model.bin": model(version),
        "deep/same.bin": SAME,
        "run.sh": b"echo $0\n",
        "version.txt": f"{version}\n".encode(),
    }


@dataclass(frozen=True, kw_only=True)
class DeployWorld:
    """``host`` is a clone without content; ``live`` is where it deploys to, below ``folder``."""

    folder: Path
    bare: Repo
    author: Repo
    host: Repo

    @property
    def live(self) -> Path:
        return self.folder / "live"

    @property
    def current(self) -> Path:
        return self.live / "current"

    def digest_of(self, version: str) -> str:
        digest = ImageLayout(str(self.bare.path / "kit")).resolve(version)
        assert digest is not None
        return digest

    def name_of(self, version: str) -> str:
        return self.digest_of(version)[7:19]

    def move(self, version: str) -> None:
        """Have prod run ``version``."""
        move(self.bare, version, self.digest_of(version))

    def deploy(self, *options: str, code: int = 0, environment: str = "prod") -> Ran:
        return in_process(self.host, "deploy", environment, str(self.live), *options, code=code)

    def deployed(self, *options: str, code: int = 0) -> Json:
        """What a deploy says with --json."""
        found: Json = json.loads(self.deploy("--json", *options, code=code).stdout)
        return found

    def state(self) -> Json:
        found: Json = json.loads((self.live / ".kit-deploy.json").read_text())
        return found

    def releases(self) -> list[str]:
        """All names below ``releases``, hidden ones too."""
        return sorted(path.name for path in (self.live / "releases").iterdir())


def in_process(repo: Repo, *argv: str, code: int) -> Ran:
    """Run git kit in this process, which saves a start: as ``Repo.kit`` otherwise."""
    stdout, stderr = io.StringIO(), io.StringIO()
    before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    try:
        os.environ.clear()
        os.environ.update(repo.environ)
        with chdir(repo.path), redirect_stdout(stdout), redirect_stderr(stderr):
            found = main(list(argv))
    finally:
        os.environ.clear()
        os.environ.update(before)
        signal.signal(signal.SIGTERM, handler)
    shown = f"{' '.join(argv)}: exit {found}, not {code}\n{stdout.getvalue()}\n{stderr.getvalue()}"
    assert found == code, shown
    return Ran(list(argv), found, stdout.getvalue(), stderr.getvalue())


def move(bare: Repo, version: str, digest: str) -> None:
    """Let the next commit of ``prod`` say that ``version``, with this digest, runs there."""
    git = Git(str(bare.path), bare.environ)
    tip = git.ask("rev-parse", "-q", "--verify", "refs/heads/prod")
    point = Point(version, digest, git.text("rev-parse", f"{version}^{{commit}}"), git.text("rev-parse", version))
    entries = journal.read(git, git.ask("rev-parse", "-q", "--verify", f"refs/heads/{JOURNAL_BRANCH}"))
    moment = max(time.time_ns() // 1000, *(entry.event.time for entry in entries[-1:]), 0)
    who = Actor("Ada Tester", "ada@example.com")
    event = Event(kind="promote", time=moment, actor=who, environment="prod", after=point, tip=tip)
    entry = journal.write(git, event, entries)
    message = (
        f"prod: promote {version}\n\n"
        f"Kit-Env: prod\nKit-Version: {version}\nKit-Digest: {digest}\nKit-Journal: {entry.oid}\n"
    )
    parents = [tip, point.commit] if tip is not None else [point.commit]
    commit = write_commit(git, tree=git.text("rev-parse", f"{version}^{{tree}}"), parents=parents, message=message)
    move_all(git, {"prod": (commit, tip), JOURNAL_BRANCH: (entry.oid, entries[-1].oid if entries else None)})


def make_world(folder: Path) -> None:
    """``bare.git``, ``author`` and ``host`` in ``folder``, with released versions; paths in it are relative."""
    environ = clean_environ(folder / "home")
    init(folder / "bare.git", environ, "--bare")
    author = init(folder / "author", environ, "--initial-branch=dev")
    author.kit("install")
    author.git("remote", "add", "origin", "../bare.git")
    author.write(".gitattributes", "*.bin filter=kit -text\n")
    author.write(".gitkit.toml", CONFIG)
    author.write("Kitfile", KITFILE)
    author.write("run.sh", content("v1")["run.sh"], mode=0o755)
    author.write("deep/same.bin", SAME)
    for version in VERSIONS:
        author.commit(version, changing(version))
        author.git("tag", version)
    author.git("push", "--quiet", "origin", "dev", *VERSIONS)
    for version in VERSIONS:
        author.kit("release", version)
    author.git("clone", "--quiet", "--no-checkout", "--branch", "dev", "../bare.git", "../host")
    host = Repo(folder / "host", environ)
    host.git("remote", "set-url", "origin", "../bare.git")
    host.git("checkout", "--quiet", "dev", extra={"GIT_KIT_SKIP_SMUDGE": "1"})


def copy_world(template: Path, folder: Path, environ: dict[str, str]) -> DeployWorld:
    shutil.copy(template / "home" / ".gitconfig", environ["GIT_CONFIG_GLOBAL"])
    for name in ("bare.git", "author", "host"):
        shutil.copytree(template / name, folder / name, symlinks=True)
    bare, author, host = (Repo(folder / name, environ) for name in ("bare.git", "author", "host"))
    return DeployWorld(folder=folder, bare=bare, author=author, host=host)


def files_in(release: Path) -> dict[str, bytes]:
    """Content of all files of a release but its record."""
    paths = [path for path in release.rglob("*") if not stat.S_ISDIR(path.lstat().st_mode)]
    return {str(path.relative_to(release)): path.read_bytes() for path in paths if path.name != ".kit-release.json"}
