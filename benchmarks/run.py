"""`make bench`: what design section 9 budgets, against peers in the same run. Writes docs/benchmarks.md.

Peers that are not installed are left out and named. Nothing is deleted between runs: ext4 makes new files slowly right
after many were deleted, so each round works in folders of its own.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import measure
from measure import Measured, interleaved, median, peak

GIB = 1 << 30
BIN = os.path.dirname(sys.executable)
DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs", "benchmarks.md")
ROUNDS = 5


class Bench:
    """A scratch folder with its own HOME and Git configuration."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.environ = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": os.path.join(folder, "home"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
            "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
        }
        os.makedirs(self.environ["HOME"])
        for key, value in (("user.name", "Bench"), ("user.email", "bench@example.com"), ("init.defaultBranch", "main")):
            self.git(folder, "config", "--global", key, value)
        self.git(folder, "kit", "install")
        if shutil.which("git-lfs"):
            self.git(folder, "lfs", "install", "--skip-repo")

    def git(self, cwd: str, *args: str) -> None:
        subprocess.run(["git", *args], cwd=cwd, env=self.environ, check=True, stdout=subprocess.DEVNULL)

    def repository(self, name: str, attribute: str) -> str:
        path = os.path.join(self.folder, name)
        os.makedirs(path)
        self.git(path, "init", "-q")
        with open(os.path.join(path, ".gitattributes"), "w", encoding="ascii") as file:
            file.write(f"*.bin filter={attribute} -text\n")
        self.git(path, "add", ".gitattributes")
        self.git(path, "commit", "-q", "-m", "start")
        return path

    def timed(self, cwd: str, *command: str, stdin: bytes = b"") -> Measured:
        return measure.run(command, cwd=cwd, environ=self.environ, stdin=stdin)


def random_file(path: str, size: int) -> None:
    with open(path, "wb") as file:
        for _ in range(size // (1 << 20)):
            file.write(os.urandom(1 << 20))


def bench_add(bench: Bench) -> list[str]:
    """`git add` of 1 GiB through the filter."""
    source = os.path.join(bench.folder, "big.bin")
    random_file(source, GIB)

    def add(attribute: str, number: int) -> Measured:
        path = bench.repository(f"add-{attribute}-{number}", attribute)
        os.link(source, os.path.join(path, "big.bin"))
        return bench.timed(path, "git", "add", "big.bin")

    contenders = {"kit": lambda number: add("kit", number)}
    if shutil.which("git-lfs"):
        contenders["lfs"] = lambda number: add("lfs", number)
    results = interleaved(ROUNDS, **contenders)
    return [_row("`git add` of 1 GiB", results, 0.35)]


def bench_build(bench: Bench) -> list[str]:
    """Building a kit from pointers alone."""
    rows = []
    for count, budget in ((1_000, 0.5), (10_000, 1.5)):
        path = bench.repository(f"build-{count}", "kit")
        os.makedirs(os.path.join(path, "model"))
        for number in range(count):
            with open(os.path.join(path, "model", f"{number:05}.bin"), "w", encoding="ascii") as file:
                file.write(f"version git-kit/1\noid sha256:{number:064x}\nsize {number + 1}\n")
        with open(os.path.join(path, "Kitfile"), "w", encoding="ascii") as file:
            file.write('manifestVersion: "1.0.0"\npackage: {name: bench}\nmodel: {path: model}\n')
        bench.git(path, "add", ".")
        bench.git(path, "commit", "-q", "-m", "kit")
        bench.git(path, "tag", "v1")
        results = interleaved(ROUNDS, kit=lambda _, path=path: bench.timed(path, "git-kit", "build", "v1"))
        rows.append(_row(f"`git kit build` of {count:,} pointers", results, budget, absolute=True))
    return rows


def bench_start(bench: Bench) -> list[str]:
    """Start-up: help, pre-push without work, the filter's handshake."""
    path = bench.repository("start", "kit")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=path, env=bench.environ, check=True, capture_output=True, text=True
    ).stdout.strip()
    line = f"refs/heads/main {head} refs/heads/main {'0' * 40}\n".encode()
    rounds = 21
    helped = interleaved(rounds, kit=lambda _: bench.timed(path, "git-kit", "-h"))
    pushed = interleaved(
        rounds, kit=lambda _: bench.timed(path, "git-kit", "hook", "pre-push", "origin", "x", stdin=line)
    )
    shaken = interleaved(rounds, kit=lambda _: _handshake(bench, path))
    return [
        _row("`filter-process` to handshake", shaken, 0.030, absolute=True),
        _row("`git kit -h`", helped, 0.060, absolute=True),
        _row("pre-push with nothing to do", pushed, 0.090, absolute=True),
    ]


def _handshake(bench: Bench, path: str) -> Measured:
    start = time.perf_counter()
    child = subprocess.Popen(
        ["git-kit", "filter-process"], cwd=path, env=bench.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(b"0016git-filter-client\n000eversion=2\n0000")
    child.stdin.flush()
    child.stdout.read(4)
    seconds = time.perf_counter() - start
    child.stdin.close()
    child.stdout.close()
    child.wait()
    return Measured(seconds, 0)


def _row(name: str, results: dict[str, list[Measured]], budget: float, *, absolute: bool = False) -> str:
    ours = median(results["kit"])
    memory = f"{peak(results['kit']) / (1 << 20):.0f} MiB" if peak(results["kit"]) else "-"
    if absolute:
        return f"| {name} | {ours * 1000:.0f} ms | {memory} | - | - | <= {budget * 1000:.0f} ms |"
    if "lfs" not in results:
        return f"| {name} | {ours:.2f} s | {memory} | not installed | - | <= {budget:.2f} x |"
    peer = median(results["lfs"])
    return f"| {name} | {ours:.2f} s | {memory} | {peer:.2f} s | {ours / peer:.2f} x | <= {budget:.2f} x |"


def _versions() -> str:
    def first_line(*command: str) -> str:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return f"{command[0]} not installed"
        return done.stdout.splitlines()[0]

    versions = (first_line("git", "--version"), first_line("git-lfs", "--version"))
    return f"{', '.join(versions)}, Python {platform.python_version()}, {platform.system()} {platform.release()}"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="git-kit-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        bench = Bench(folder)
        rows = [*bench_start(bench), *bench_build(bench), *bench_add(bench)]
    text = "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`. Medians; contenders interleaved in one run.",
            f"{ROUNDS} rounds, 21 for start-up. Memory is the largest process of the command's tree, Git included.",
            "",
            f"{os.cpu_count()} cores; {_versions()}.",
            "",
            "| work | git kit | peak memory | Git LFS | ratio | budget |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
    with open(DOCS, "w", encoding="utf-8") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    main()
