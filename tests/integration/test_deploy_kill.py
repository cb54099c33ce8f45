"""A deploy that is killed anywhere, and readers that look all the time: the release is the old one or the new one.

``GITKIT_ALL_STEPS=1`` kills at every system call that changes something, else at a few.
"""

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.faults.test_every_step import ALL
from tests.lib.deploys import DeployWorld, content, copy_world, files_in, make_world
from tests.lib.repos import clean_environ
from tests.lib.stepping import Step, Stepper

SWAPS = 200
READ = ("version.txt", "deep/same.bin", "run.sh", "model.bin")
SCRIPT = Path(__file__).resolve().parents[1] / "lib" / "deploy_swaps.py"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deploys")
    make_world(folder)
    return folder


@pytest.fixture
def world(template: Path, tmp_path: Path, environ: dict[str, str]) -> DeployWorld:
    return copy_world(template, tmp_path, environ)


# -- readers ---------------------------------------------------------------------------------------------------------


class Reader:
    """Opens ``current`` once and reads all files through that descriptor; again and again, in a thread."""

    def __init__(self, live: Path, versions: tuple[str, ...]) -> None:
        self.reads = 0
        self.bad: list[str] = []
        self.seen: set[str] = set()
        self._live = live
        self._expected = {version: content(version) for version in versions}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @contextmanager
    def at_work(self) -> Iterator["Reader"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._look()
            except OSError as error:
                self.bad.append(f"missing: {error}")
            self.reads += 1

    def _look(self) -> None:
        folder = os.open(self._live / "current", os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = {path: _read(path, folder) for path in READ}
        finally:
            os.close(folder)
        version = found["version.txt"].decode().strip()
        if any(data != self._expected[version][path] for path, data in found.items()):
            self.bad.append(f"mixed: {version}")
        self.seen.add(version)


def _read(path: str, folder: int) -> bytes:
    with open(os.open(path, os.O_RDONLY, dir_fd=folder), "rb") as file:
        return file.read()


def test_reader_that_opens_current_once_sees_one_version_through_200_swaps_and_random_kills(world: DeployWorld) -> None:
    world.move("v1")
    world.deploy()
    argv = [sys.executable, str(SCRIPT), str(world.live), str(world.bare.path / "kit")]
    argv += [world.digest_of("v1"), world.digest_of("v2")]
    chance = random.Random(20)
    swaps = kills = 0
    with Reader(world.live, ("v1", "v2")).at_work() as reader:
        while swaps < SWAPS:
            wanted = min(SWAPS - swaps, chance.randint(1, 60))
            swaps += _swap(argv, wanted, chance.random() * 0.02)
            kills += 1
    assert reader.bad == []
    assert reader.seen == {"v1", "v2"}
    assert (reader.reads > SWAPS, kills > 3) == (True, True)
    world.move("v2")
    world.deploy()
    assert {path: files_in(world.current)[path] for path in READ} == {path: content("v2")[path] for path in READ}
    assert world.releases() == sorted(world.name_of(version) for version in ("v1", "v2"))


def _swap(argv: list[str], count: int, then_s: float) -> int:
    """Let the process swap ``count`` times, and kill it a moment later; returns how many swaps it told of."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        if process.stdout is None or process.stderr is None:
            raise AssertionError("pipes were asked for")
        lines = [process.stdout.readline() for _ in range(count)]
        time.sleep(then_s)
        process.kill()
        lines += process.stdout.readlines()
        said = process.stderr.read().decode()
    assert said == ""
    return sum(line == b"deployed\n" for line in lines)


# -- every step ------------------------------------------------------------------------------------------------------


class Bench:
    """Copies of one world, whose deploy is killed at its steps."""

    def __init__(self, template: Path, folder: Path, *, first: str | None, then: str) -> None:
        self._folder = folder
        self._first = first
        self._then = then
        self._stepper = Stepper(folder / "stepper")
        start = self._copy(template, "start")
        start.host.git("config", "kit.transfers", "1")  # the same steps in each run
        if first is not None:
            start.move(first)
            start.deploy()
        start.move(then)
        undisturbed = self._copy(folder / "start", "undisturbed")
        self.steps = self._stepper.steps(
            ["git-kit", *self._argv(undisturbed)], undisturbed.host.path, undisturbed.host.environ
        )
        self._after = (files_in(undisturbed.current), undisturbed.releases())

    def _argv(self, world: DeployWorld) -> list[str]:
        return ["deploy", "prod", str(world.live), "--health", "true"]

    def kill_at(self, step: Step) -> None:
        world = self._copy(self._folder / "start", "killed")
        argv = ["git-kit", *self._argv(world)]
        if not self._stepper.kill_at(step, argv, world.host.path, world.host.environ):
            return
        allowed = [content(self._then)] + ([content(self._first)] if self._first is not None else [])
        if world.current.is_symlink() or self._first is not None:
            assert files_in(world.current) in allowed, f"torn at {step}"
        world.host.kit(*self._argv(world))
        assert (files_in(world.current), world.releases()) == self._after, f"not finished after {step}"
        assert (world.state()["pending"], world.state()["failed"]) == (None, None)
        assert world.deploy("--check").stdout == ""

    def _copy(self, template: Path, name: str) -> DeployWorld:
        target = self._folder / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        world = copy_world(template, target, clean_environ(target / "home"))
        if (template / "live").exists():
            subprocess.run(["cp", "--archive", template / "live", world.live], check=True)
        return world


def tried(steps: list[Step]) -> list[Step]:
    """All steps, or one for each thing that a kill may leave half done."""
    if ALL:
        return steps
    kinds: dict[str, Step] = {}
    for step in steps:
        for mark in ('/current"', '/.kit-deploy.json"', '/.kit-release.json"', "/releases/"):
            if mark in step.what and step.call == "rename":
                kinds.setdefault(mark, step)
    return list(kinds.values())


@pytest.mark.timeout(3600 if ALL else 300)
@pytest.mark.parametrize(("first", "then"), [("v1", "v2"), (None, "v1")], ids=["next", "first"])
def test_deploy_killed_at_a_step_leaves_the_old_release_or_the_new_one_and_is_finished_by_the_next(
    template: Path, tmp_path: Path, first: str | None, then: str
) -> None:
    bench = Bench(template, tmp_path, first=first, then=then)
    for step in tried(bench.steps):
        bench.kill_at(step)
