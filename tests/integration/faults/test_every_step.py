"""git kit killed at every step of what it does: no file is torn, nothing is lost, `git status` tells the truth, and the
same command again ends where an undisturbed one does.

One test for each command. It is run once to see its steps, and then killed at some of them, each time in a fresh copy
of the same clone; at all of them with GITKIT_ALL_STEPS=1 (`make soak`).
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lib import soundness
from tests.lib.large_files import SKIP, blob_in
from tests.lib.repos import Repo, clean_environ, init, run, some_bytes
from tests.lib.soundness import State
from tests.lib.stepping import Step, Stepper

ALL = os.environ.get("GITKIT_ALL_STEPS") == "1"
FEW = 2
"""How many steps are tried otherwise."""

LONG_AGO = {"GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z"}
BIG, OTHER_BIG, NEW_BIG = (some_bytes((3 << 20) + 7, seed) for seed in (1, 2, 3))
TOOL, SMALL, OTHER_SMALL, NEW_SMALL = some_bytes(1_200_000, 4), *(some_bytes(10_000, seed) for seed in (5, 6, 7))


class Scenario(NamedTuple):
    """``prepare`` makes the state that ``command`` finds. ``again`` are the commands that finish a killed one's work:
    those that a person would be told, or come upon.
    """

    prepare: Callable[[Repo], object]
    command: tuple[str, ...]
    again: tuple[tuple[str, ...], ...]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``home``, ``bare.git`` and ``clone``, which knows two branches; paths in it are relative."""
    folder = tmp_path_factory.mktemp("sample")
    environ = clean_environ(folder / "home")
    init(folder / "bare.git", environ, "--bare")
    repo = init(folder / "clone", environ)
    repo.kit("install")
    repo.git("config", "kit.transfers", "1")  # the same steps in each run
    repo.git("remote", "add", "origin", "../bare.git")
    repo.write(".gitattributes", "*.bin filter=kit diff=kit merge=kit -text\n")
    repo.write("deep/tool.bin", TOOL, mode=0o755)
    _commit(repo, {"big.bin": OTHER_BIG, "small.bin": OTHER_SMALL, "new.bin": TOOL, "plain.txt": b"other\n"})
    repo.git("branch", "other")
    repo.git("rm", "--quiet", "--cached", "new.bin")
    (repo.path / "new.bin").unlink()
    _commit(repo, {"big.bin": BIG, "small.bin": SMALL, "plain.txt": b"main\n"})
    repo.git("push", "--quiet", "origin", "main", "other")
    return folder


def _commit(repo: Repo, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        repo.write(path, data)
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "change", extra=LONG_AGO)


def nothing(repo: Repo) -> None:
    """The clone as it is."""


def with_changes(repo: Repo) -> None:
    """Files are new and changed, large and small."""
    repo.write("big.bin", NEW_BIG)
    repo.write("small.bin", NEW_SMALL)
    repo.write("deep/new.bin", TOOL + b"more")
    repo.write("empty.bin", b"")


def without_content(repo: Repo) -> None:
    """The store is empty."""
    shutil.rmtree(repo.path / ".git" / "kit")


def with_pointers(repo: Repo) -> None:
    """The worktree holds pointers, the store their content."""
    repo.git("checkout", "--quiet", "other", extra=SKIP)


def with_pointers_alone(repo: Repo) -> None:
    """The worktree holds pointers, and only the remote their content."""
    with_pointers(repo)
    without_content(repo)


def with_old_content(repo: Repo) -> None:
    """The store holds what only the history needs, and the remote keeps."""
    repo.git("branch", "--quiet", "-D", "other")
    repo.git("config", "kit.recentDays", "0")
    for log in (repo.path / ".git" / "logs").rglob("*"):
        if log.is_file():
            log.write_text("")


def with_hard_links(repo: Repo) -> None:
    """Files are to be hard links to the store, and are not yet. An executable one cannot be one."""
    repo.git("update-index", "--chmod=-x", "deep/tool.bin")
    (repo.path / "deep" / "tool.bin").chmod(0o644)
    repo.git("config", "kit.link", "hardlink")


def with_damage(repo: Repo) -> None:
    """A blob is damaged, one is gone that a file still holds, one is gone that only the remote has."""
    kit = repo.path / ".git" / "kit"
    damaged = blob_in(kit, BIG)
    damaged.chmod(0o644)
    damaged.write_bytes(NEW_BIG)
    blob_in(kit, TOOL).unlink()
    blob_in(kit, SMALL).unlink()
    (repo.path / "small.bin").unlink()
    repo.git("checkout", "--quiet", "--", "small.bin", extra=SKIP)


CHECKOUT_AGAIN = (("git", "checkout", "--force", "other"), ("git-kit", "pull"))
"""Where git was killed or gave up it left files that it takes for changed, and a finished one is not begun again."""

SCENARIOS = {
    "git add": Scenario(with_changes, ("git", "add", "."), (("git", "add", "."),)),
    "git checkout": Scenario(nothing, ("git", "checkout", "other"), CHECKOUT_AGAIN),
    "git checkout with downloads": Scenario(without_content, ("git", "checkout", "other"), CHECKOUT_AGAIN),
    "git kit add": Scenario(with_changes, ("git-kit", "add", "."), (("git-kit", "add", "."),)),
    "git kit checkout": Scenario(with_pointers, ("git-kit", "checkout"), (("git-kit", "checkout"),)),
    "git kit checkout of hard links": Scenario(
        lambda repo: (with_pointers(repo), with_hard_links(repo)), ("git-kit", "checkout"), (("git-kit", "checkout"),)
    ),
    "git kit pull": Scenario(with_pointers_alone, ("git-kit", "pull"), (("git-kit", "pull"),)),
    "git kit prune": Scenario(
        with_old_content, ("git-kit", "prune", "--grace", "0"), (("git-kit", "prune", "--grace", "0"),)
    ),
    "git kit prune that deletes": Scenario(
        with_old_content,
        ("git-kit", "prune", "--grace", "0", "--expire-now"),
        (("git-kit", "prune", "--grace", "0", "--expire-now"),),
    ),
    "git kit dedup with hard links": Scenario(with_hard_links, ("git-kit", "dedup"), (("git-kit", "dedup"),)),
    "git kit fsck": Scenario(with_damage, ("git-kit", "fsck", "--repair"), (("git-kit", "fsck", "--repair"),)),
}


class Bench:
    """Copies of one clone in the state before a command, and what the command makes of it undisturbed."""

    def __init__(self, sample: Path, folder: Path, scenario: Scenario) -> None:
        self._folder = folder
        self._scenario = scenario
        self._template = sample
        self._stepper = Stepper(folder / "stepper")
        repo = self._copy("start")
        scenario.prepare(repo)
        self._template = folder / "start"
        self._before = soundness.contents(repo)
        self._damaged = soundness.damaged(repo)
        undisturbed = self._copy("undisturbed")
        self.steps = self._stepper.steps(scenario.command, undisturbed.path, undisturbed.environ)
        self._after = self._end(undisturbed)

    def kill_at(self, step: Step) -> None:
        """Kill the command there, and see to it that all is well."""
        repo = self._copy("killed")
        if not self._stepper.kill_at(step, self._scenario.command, repo.path, repo.environ):
            return
        soundness.assert_nothing_lost(repo, [self._folder / "killed" / "bare.git" / "kit"])
        assert soundness.damaged(repo) <= self._damaged
        soundness.assert_not_torn(repo, self._before, self._after.files)
        soundness.assert_status_is_true(repo)
        if (repo.path / ".git" / "index.lock").exists():
            # No file can be made and renamed in one system call. Git would not go on; whatever is next of ours does.
            assert step.call == "rename", f"index.lock was left at {step}"
            repo.kit("fsck")
        for command in self._scenario.again:
            run(command, cwd=repo.path, environ=repo.environ)
        found = self._end(repo)
        assert found == self._after, soundness.differences(found, self._after)

    def _end(self, repo: Repo) -> State:
        """The state after a sweep, in which nothing must be found damaged."""
        repo.kit("fsck")
        found = soundness.state_of(repo)
        assert found.leftovers == []
        soundness.assert_status_is_true(repo)
        return found

    def _copy(self, name: str) -> Repo:
        target = self._folder / name
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "--archive", str(self._template), str(target)], check=True)
        repo = Repo(target / "clone", clean_environ(target / "home"))
        config = (self._template / "home" / ".gitconfig").read_text()
        Path(repo.environ["GIT_CONFIG_GLOBAL"]).write_text(config)
        repo.git("update-index", "-q", "--refresh", code=None)  # a copy has inodes of its own
        return repo


def tried(steps: list[Step]) -> list[Step]:
    """The steps at which the command is killed now: all, or one that changes a name and some others."""
    if ALL or len(steps) <= FEW:
        return steps
    naming = [step for step in steps if step.call.startswith(("rename", "link", "unlink", "ioctl"))]
    others = [step for step in steps if step not in naming]
    return [naming[len(naming) // 2], *(others[number * len(others) // FEW] for number in range(1, FEW))]


def each(scenarios: dict[str, Scenario], *only_with_all: str) -> pytest.MarkDecorator:
    """One test for each scenario; those of ``only_with_all`` take steps that others take, too."""
    named = {name: it for name, it in scenarios.items() if ALL or name not in only_with_all}
    return pytest.mark.parametrize("scenario", named.values(), ids=named.keys())


@pytest.mark.timeout(3600 if ALL else 300)
@each(SCENARIOS, "git kit prune", "git kit checkout")
def test_command_killed_at_a_step_leaves_a_sound_clone_and_can_be_repeated(
    sample: Path, tmp_path: Path, scenario: Scenario
) -> None:
    kill_at_steps(Bench(sample, tmp_path, scenario))


SHARING = {
    "git add": SCENARIOS["git add"],
    "git checkout": SCENARIOS["git checkout"],
    "git kit dedup": Scenario(nothing, ("git-kit", "dedup"), (("git-kit", "dedup"),)),
}


@pytest.mark.timeout(3600 if ALL else 300)
@each(SHARING, "git add", "git checkout")
def test_command_killed_where_files_share_their_bytes_leaves_a_sound_clone_and_can_be_repeated(
    sample: Path, reflink_folder: Path, scenario: Scenario
) -> None:
    bench = Bench(sample, reflink_folder, scenario)
    assert "ioctl" in [step.call for step in bench.steps]
    kill_at_steps(bench)


def kill_at_steps(bench: Bench) -> None:
    """Kill the command at each of the steps that are tried, and tell about all of those where it was not safe."""
    assert bench.steps
    problems = []
    for step in tried(bench.steps):
        try:
            bench.kill_at(step)
        except AssertionError as error:
            problems.append(f"killed at {step}\n{error}")
    assert not problems, "\n\n".join(problems)
