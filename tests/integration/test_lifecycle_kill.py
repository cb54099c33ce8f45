"""git kit killed between every two steps of a promotion and of a rollback: the state is the old one or the new one.

A ``git`` that stands before the real one on PATH counts what git kit asks it to write, and kills git kit after the
chosen one: that is before the next.
"""

import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from gitkit.store.layout import ImageLayout
from tests.lib.lifecycle_world import World
from tests.lib.repos import Repo

_GIT = """\
#!/bin/sh
if [ -z "$INSIDE" ]; then
    case " $* " in
    *" push "* | *" update-ref "* | *" commit-tree "* | *" merge "* | *" hash-object "*)
        number=$(wc -c < "$COUNTER")
        printf x >> "$COUNTER"
        if [ "$number" -eq "$KILL_AT" ]; then
            INSIDE=1 REAL "$@"
            kill -9 $PPID
            exit 0
        fi
        INSIDE=1 exec REAL "$@"
        ;;
    esac
fi
exec REAL "$@"
"""

Command = Sequence[str]


class Killer:
    """Runs git kit commands and kills them at a step."""

    def __init__(self, folder: Path) -> None:
        self._bin = folder / "bin"
        self._counter = folder / "counter"
        self._bin.mkdir()
        program = self._bin / "git"
        program.write_text(_GIT.replace("REAL", str(shutil.which("git"))))
        program.chmod(0o755)

    def run(self, repo: Repo, command: Command, at: int = -1) -> int:
        """The exit status; ``at`` counts from 0."""
        self._counter.write_text("")
        environ = repo.environ | {"COUNTER": str(self._counter), "KILL_AT": str(at)}
        environ["PATH"] = f"{self._bin}:{environ['PATH']}"
        done = subprocess.run(["git-kit", *command], cwd=repo.path, env=environ, capture_output=True, check=False)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done.returncode

    @property
    def steps(self) -> int:
        """How many there were in the last run."""
        return len(self._counter.read_text())


class Stand(NamedTuple):
    """Where everything is: versions by trailers, and whether branch, journal and registry agree."""

    branch: str
    journal: str
    registry: str


def stand(folder: Path, repo: Repo) -> Stand:
    """What is true for everybody: in the bare repository, or in the clone that has no Git remote."""
    truth = Repo(folder / "bare.git", repo.environ) if repo.out("remote") else repo
    form = "%(trailers:key=Kit-Version,valueonly,separator=) %(trailers:key=Kit-Journal,valueonly,separator=)"
    version, named = truth.out("log", "-1", f"--format={form}", "staging").split(" ")
    moves = truth.out("log", "--format=%H %s", "--grep=staging$", "kit/journal").splitlines()
    newest = next(line.split(" ") for line in moves if " promote " in line or " rollback " in line)
    assert named in [line.split(" ")[0] for line in moves], "the branch names an event that is not there"
    digests = {
        digest: tag for tag in ("v1", "v2", "v3") if (digest := ImageLayout(str(folder / "bare.git/kit")).resolve(tag))
    }
    tagged = ImageLayout(str(folder / "bare.git/kit")).resolve("staging")
    return Stand(version, newest[2], digests[tagged] if tagged else "-")


@pytest.fixture
def killer(tmp_path: Path) -> Killer:
    return Killer(tmp_path)


def copies(world: World, name: str) -> tuple[Path, Repo]:
    """Everything of the world once more, in a folder of its own."""
    folder = world.folder / name
    folder.mkdir()
    for part in ("bare.git", "author"):
        shutil.copytree(world.folder / part, folder / part, symlinks=True)
    return folder, Repo(folder / "author", world.author.environ)


@pytest.mark.parametrize(
    ("command", "new"), [(("promote", "v3", "staging"), "v3"), (("rollback", "staging", "--reject"), "v1")]
)
def test_move_that_is_killed_at_any_step_has_happened_or_not_and_the_next_sync_makes_it_whole(
    world: World, killer: Killer, command: Command, new: str
) -> None:
    world.author.kit("promote", "v1", "staging")
    world.author.kit("promote", "v2", "staging")
    folder, repo = copies(world, "undisturbed")
    assert killer.run(repo, command) == 0
    assert stand(folder, repo) == (new, new, new)
    seen = set()
    for step in range(killer.steps):
        folder, repo = copies(world, f"step-{step}")
        assert killer.run(repo, command, step) == -signal.SIGKILL
        found = stand(folder, repo)
        assert found.branch == found.journal
        seen.add(found.branch)
        told = repo.kit("env", "sync", "staging")
        after = stand(folder, repo)
        assert after == (found.branch, found.branch, found.branch)
        assert found.registry == found.branch or "staging" in told.stdout + told.stderr
        if found.branch == "v2":
            assert killer.run(repo, command) == 0
            assert stand(folder, repo) == (new, new, new)
        shutil.rmtree(folder)
    assert seen == {"v2", new}


def test_move_without_a_git_remote_that_is_killed_at_any_step_is_finished_by_the_next_command(
    world: World, killer: Killer
) -> None:
    author = world.author
    for version in ("v1", "v2"):
        author.kit("promote", version, "staging")
    for branch in ("kit/journal", "staging"):
        author.git("branch", "--quiet", "--no-track", branch, f"origin/{branch}")
    author.git("remote", "remove", "origin")
    author.git("checkout", "--quiet", "staging")
    names = set()
    step = 0
    while True:
        folder, repo = copies(world, f"step-{step}")
        repo.git("config", "kit.url", f"oci-layout:{folder / 'bare.git/kit'}")
        status = killer.run(repo, ("promote", "v3", "staging"), step)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        told = repo.kit("env", "sync", "staging").stderr
        found = stand(folder, repo)
        assert found.branch == found.journal == found.registry
        assert repo.out("status", "--porcelain") == ""
        names.add((found.branch, "finished the promote v3 staging that was interrupted" in told))
        shutil.rmtree(folder)
        step += 1
    assert stand(folder, repo) == ("v3", "v3", "v3")
    assert names >= {("v2", False), ("v3", True), ("v3", False)}
