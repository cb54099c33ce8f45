"""Running one command and measuring it: wall time and the peak memory of the largest process in its tree."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Measured(NamedTuple):
    """``rss`` is the largest single process of the tree, in bytes."""

    seconds: float
    rss: int


def run(command: Sequence[str], *, cwd: str, environ: Mapping[str, str], stdin: bytes = b"") -> Measured:
    """Run ``command`` once; it must succeed."""
    start = time.perf_counter()
    child = subprocess.Popen(
        command, cwd=cwd, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert child.stdin is not None and child.stderr is not None
    child.stdin.write(stdin)
    child.stdin.close()
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stderr.close()
    seconds = time.perf_counter() - start
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{said.decode(errors='replace')}")
    return Measured(seconds, usage.ru_maxrss * 1024)


def interleaved(rounds: int, **contenders: Callable[[int], Measured]) -> dict[str, list[Measured]]:
    """Each contender once per round, in turn, so that noise hits all of them alike."""
    results: dict[str, list[Measured]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, contender in contenders.items():
            os.sync()
            results[name].append(contender(number))
    return results


def median(results: Sequence[Measured]) -> float:
    """Median of the seconds."""
    return statistics.median(result.seconds for result in results)


def peak(results: Sequence[Measured]) -> int:
    """Largest memory of all runs, in bytes."""
    return max(result.rss for result in results)
