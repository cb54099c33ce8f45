"""`make bench`: what design section 9 budgets, against peers in the same run. Writes docs/benchmarks.md.

Peers that are not installed are left out and named. Nothing is deleted between runs: ext4 makes new files slowly right
after many were deleted, so each round works in folders of its own.
"""

import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from files import bench_files
from measure import Measured, interleaved, median, peak
from scratch import Bench

from tests.lib import many_tags

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCS = os.path.join(ROOT, "docs", "benchmarks.md")
ROUNDS = 5


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
        rows.append(_row(f"`git kit build` of {count:,} pointers", results, budget))
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
        _row("`filter-process` to handshake", shaken, 0.030),
        _row("`git kit -h`", helped, 0.060),
        _row("pre-push with nothing to do", pushed, 0.090),
    ]


def bench_lifecycle(bench: Bench) -> list[str]:
    """A long life: what runs where, and an audit that follows another one."""
    folder = os.path.join(bench.folder, "lifecycle")
    os.makedirs(folder)
    path = str(many_tags.make(Path(folder), bench.environ, tags=10_000, events=5_000).path)
    bench.git(path, "kit", "audit", "verify")
    results = interleaved(
        ROUNDS,
        env=lambda _: bench.timed(path, "git-kit", "env"),
        audit=lambda _: bench.timed(path, "git-kit", "audit", "verify"),
    )
    return [
        _row("`git kit env`, 10,000 tags and 5,000 events", {"kit": results["env"]}, 0.4),
        _row("`git kit audit verify` after another, the same", {"kit": results["audit"]}, 0.5),
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


def _row(name: str, results: dict[str, list[Measured]], budget: float) -> str:
    ours, used = median(results["kit"]), peak(results["kit"])
    memory = f"{used / (1 << 20):.0f} MiB" if used else "-"
    return f"| {name} | {ours * 1000:.0f} ms | {memory} | <= {budget * 1000:.0f} ms |"


def _versions(dvc: str | None) -> str:
    def first_line(*command: str) -> str:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return f"{command[0]} not installed"
        return done.stdout.splitlines()[0]

    versions = [first_line("git", "--version"), first_line("git-lfs", "--version")]
    versions.append(f"DVC {first_line(dvc, '--version')}" if dvc else "DVC not installed")
    return f"{', '.join(versions)}, Python {platform.python_version()}, {platform.system()} {platform.release()}"


def main() -> None:
    dvc = os.environ.get("BENCH_DVC") or shutil.which("dvc")
    with tempfile.TemporaryDirectory(prefix="git-kit-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        bench = Bench(folder)
        start = [*bench_start(bench), *bench_build(bench), *bench_lifecycle(bench)]
        files = bench_files(bench, dvc)
    text = "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`. Medians; contenders interleaved in one run, so that noise hits all alike.",
            f"{ROUNDS} rounds, 21 for start-up. Memory is the largest process of the command's tree, Git included.",
            "",
            f"{os.cpu_count()} cores; {_versions(dvc)}.",
            "",
            "## Large files",
            "",
            "Random bytes: `big` is 1 x 2 GiB, `mid` 200 x 10 MiB, `small` 20,000 x 10 KiB in 100 folders. A checkout",
            "brings deleted files back from the local store; a pull takes them from a remote on the same disk into a",
            "new clone. The first ratio is git kit's median to Git LFS's for the same work, and the budget is for it;",
            "the second is to DVC's own command.",
            "",
            *files,
            "",
            "## Start-up and kits",
            "",
            "| work | git kit | peak memory | budget |",
            "|---|---|---|---|",
            *start,
            "",
        ]
    )
    with open(DOCS, "w", encoding="utf-8") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    main()
