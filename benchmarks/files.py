"""The file side against Git LFS and, where it is installed, DVC: add, checkout, status after a touch, pull.

Nothing that is made of many files is deleted between runs: ext4 makes new files slowly right after many were deleted,
so old trees are only moved away.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from measure import Measured, interleaved, median, peak
from scratch import Bench

ROUNDS = 5
MIB = 1 << 20


class Set(NamedTuple):
    """``count`` files of ``size`` bytes; ``budgets`` are ratios to Git LFS, by row."""

    name: str
    count: int
    size: int
    budgets: dict[str, float]


SETS = (
    Set("big", 1, 2048 * MIB, {"add": 0.25, "kit add": 0.20, "checkout": 0.25, "status": 0.10, "pull": 0.25}),
    Set("mid", 200, 10 * MIB, {"add": 0.25, "kit add": 0.20, "checkout": 0.25, "status": 0.10, "pull": 0.25}),
    Set("small", 20_000, 10 << 10, {"add": 0.6, "kit add": 0.6, "checkout": 0.6, "status": 1.0, "pull": 1.0}),
)
TITLES = {
    "add": "`git add`",
    "kit add": "`git kit add`",
    "checkout": "`git checkout`",
    "status": "`git status` after `touch`",
    "pull": "`git kit pull`",
}
HEAD = ("| work | git kit | peak memory | Git LFS | its memory | ratio | budget | DVC | ratio |", "|---" * 9 + "|")


class Files:
    """One set of files, and what each tool does with it."""

    def __init__(self, bench: Bench, of: Set, dvc: str | None) -> None:
        self._bench = bench
        self._of = of
        self._dvc = dvc
        self._folder = os.path.join(bench.folder, of.name)
        self._source = os.path.join(self._folder, "source")
        self._moved = 0
        self.tools = [tool for tool in ("kit", "lfs", "dvc") if self._has(tool)]
        os.makedirs(self._folder)
        for number in range(of.count):
            path = os.path.join(self._source, f"{number // 200:03}", f"{number:05}.bin")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _write_random(path, of.size)

    def rows(self) -> list[str]:
        added = self._contest(self._add, kit_add=self._kit_add)
        ours = added.pop("kit_add")
        found = {"add": added, "kit add": {**added, "kit": ours}}
        for tool in self.tools:
            self._commit(tool)
        found["checkout"] = self._contest(self._checkout)
        found["status"] = self._contest(self._status, without="dvc")
        found["pull"] = self._contest(self._pull)
        shutil.rmtree(self._folder)
        rows = [_row(f"{TITLES[name]}, {self._of.name}", found[name], self._of.budgets[name]) for name in TITLES]
        print(*rows, sep="\n", flush=True)
        return rows

    def _has(self, tool: str) -> bool:
        return tool == "kit" or bool(shutil.which("git-lfs") if tool == "lfs" else self._dvc)

    def _contest(
        self, work: Callable[[str, int], Measured], *, without: str = "", **more: Callable[[int], Measured]
    ) -> dict[str, list[Measured]]:
        tools = [tool for tool in self.tools if tool != without]
        return interleaved(ROUNDS, **{tool: partial(work, tool) for tool in tools}, **more)

    # -- work ------------------------------------------------------------------------------------------------------

    def _add(self, tool: str, number: int) -> Measured:
        path = self._repository(f"{tool}-{number}", tool)
        self._put(path)
        command = (self._dvc or "dvc", "add", "-q", "data") if tool == "dvc" else ("git", "add", "data")
        return self._timed_once(path, command, keep=number == 0)

    def _kit_add(self, number: int) -> Measured:
        path = self._repository(f"kit-add-{number}", "kit")
        self._put(path)
        return self._timed_once(path, ("git-kit", "add", "data"), keep=False)

    def _timed_once(self, path: str, command: tuple[str, ...], *, keep: bool) -> Measured:
        result = self._bench.timed(path, *command)
        if not keep:
            self._throw(path)
        return result

    def _commit(self, tool: str) -> None:
        """Make the repository of the first round the one that the other rows use, with a remote beside it."""
        path = self._path(tool)
        os.rename(os.path.join(self._folder, f"{tool}-0"), path)
        git = self._bench.git
        git(path, "add", ".")
        git(path, "commit", "-q", "-m", "data")
        remote = f"{path}.git"
        git(self._folder, "init", "-q", "--bare", remote)
        git(path, "remote", "add", "origin", remote)
        if tool == "dvc":
            self._run_dvc(path, "remote", "add", "-q", "-d", "local", f"{path}.dvc")
            git(path, "add", ".")
            git(path, "commit", "-q", "-m", "remote")
            self._run_dvc(path, "push", "-q")
        git(path, "push", "-q", "origin", "main")

    def _checkout(self, tool: str, number: int) -> Measured:
        path = self._path(tool)
        self._throw(os.path.join(path, "data"))
        if tool == "dvc":
            return self._bench.timed(path, self._dvc or "dvc", "checkout", "-q")
        return self._bench.timed(path, "git", "checkout", "-q", "--", "data")

    def _status(self, tool: str, number: int) -> Measured:
        path = self._path(tool)
        for folder, _, names in os.walk(os.path.join(path, "data")):
            for name in names:
                os.utime(os.path.join(folder, name))
        return self._bench.timed(path, "git", "status", "--porcelain")

    def _pull(self, tool: str, number: int) -> Measured:
        clone = os.path.join(self._folder, f"{tool}-clone-{number}")
        environ = {**self._bench.environ, "GIT_KIT_SKIP_SMUDGE": "1", "GIT_LFS_SKIP_SMUDGE": "1"}
        subprocess.run(["git", "clone", "-q", f"{self._path(tool)}.git", clone], env=environ, check=True)
        commands = {
            "kit": ("git-kit", "pull"),
            "lfs": ("git", "lfs", "pull"),
            "dvc": (self._dvc or "dvc", "pull", "-q"),
        }
        return self._timed_once(clone, commands[tool], keep=False)

    # -- files -----------------------------------------------------------------------------------------------------

    def _path(self, tool: str) -> str:
        return os.path.join(self._folder, tool)

    def _repository(self, name: str, tool: str) -> str:
        path = self._bench.repository(os.path.join(self._of.name, name), tool)
        if tool == "dvc":
            self._run_dvc(path, "init", "-q")
            self._run_dvc(path, "config", "core.analytics", "false")
            self._bench.git(path, "commit", "-q", "-m", "dvc")
        return path

    def _run_dvc(self, path: str, *args: str) -> None:
        subprocess.run([self._dvc or "dvc", *args], cwd=path, env=self._bench.environ, check=True)

    def _put(self, path: str) -> None:
        """The set as hard links, whose time lies back as that of files which were not made just now."""
        shutil.copytree(self._source, os.path.join(path, "data"), copy_function=os.link)

    def _throw(self, path: str) -> None:
        """Out of the way; only a few big files are really deleted."""
        if not os.path.exists(path):
            return
        if self._of.count <= 200:
            shutil.rmtree(path)
            return
        self._moved += 1
        trash = os.path.join(self._folder, "trash")
        os.makedirs(trash, exist_ok=True)
        os.rename(path, os.path.join(trash, str(self._moved)))


def bench_files(bench: Bench, dvc: str | None) -> list[str]:
    """The rows of all sets, with their head."""
    chosen = os.environ.get("BENCH_SETS", "big mid small").split()
    return [*HEAD, *(row for of in SETS if of.name in chosen for row in Files(bench, of, dvc).rows())]


def _write_random(path: str, size: int) -> None:
    with open(path, "wb") as file:
        while size:
            block = os.urandom(min(size, MIB))
            file.write(block)
            size -= len(block)
    os.utime(path, (10**9, 10**9))


def _row(name: str, results: dict[str, list[Measured]], budget: float) -> str:
    ours = median(results["kit"])
    cells = [name, f"{ours:.2f} s", _memory(results["kit"])]
    if "lfs" in results:
        theirs = median(results["lfs"])
        cells += [f"{theirs:.2f} s", _memory(results["lfs"]), f"**{ours / theirs:.2f} x**", f"<= {budget:.2f} x"]
    else:
        cells += ["not installed", "-", "-", f"<= {budget:.2f} x"]
    if "dvc" in results:
        cells += [f"{median(results['dvc']):.2f} s", f"{ours / median(results['dvc']):.2f} x"]
    else:
        cells += ["-", "-"]
    return f"| {' | '.join(cells)} |"


def _memory(results: list[Measured]) -> str:
    return f"{peak(results) / MIB:.0f} MiB"
