"""git kit killed at one of its steps: strace(1) watches its system calls and delivers SIGKILL when it comes to one.

A step is a call that changes a file, a folder or what Git is told. Only git kit itself is watched, in all its threads;
what it starts (git, mostly) lives on, as it does when a person or the kernel kills a process.
"""

import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

_CALLS = (
    *("symlink", "symlinkat"),
    *("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"),
    *("truncate", "ftruncate", "chmod", "fchmod", "fchmodat", "utimensat", "fsync", "fdatasync", "syncfs"),
    *("copy_file_range", "ioctl", "write", "pwrite64"),
)
_SHARING = ("FICLONE", "FIDEDUPERANGE", "BTRFS_IOC_CLONE", "BTRFS_IOC_FILE_EXTENT_SAME")
"""What makes two files share bytes; strace knows btrfs' names of these requests, which XFS understands, too."""

_LINE = re.compile(r"(?P<thread>\d+) +(?P<call>\w+)\((?P<rest>.*)")
_NO_MATTER = re.compile(r"(?!1<)\d+<(pipe|socket):|\d+<[^>]*-shm>|2<")
"""What is told to git kit's own children and to the person, and SQLite's shared memory."""

_WATCHED = "GITKIT_STEPPED"
"""Set for whatever a watched git kit starts: a filter of its own git is not watched again."""

_PATIENCE_S = 30


class Step(NamedTuple):
    """The ``number``-th time that a thread makes this ``call``; ``what`` is how strace shows it."""

    call: str
    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.call} #{self.number}: {self.what}"


def need_strace() -> None:
    """Skip the test where strace cannot be had, or fail it where GITKIT_REQUIRE_STRACE=1 says that it must."""
    if shutil.which("strace") is None:
        reason = "strace is not on PATH"
    elif subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False).returncode != 0:
        reason = "strace may not watch processes here"
    else:
        return
    if os.environ.get("GITKIT_REQUIRE_STRACE") == "1":
        pytest.fail(f"{reason} and GITKIT_REQUIRE_STRACE=1")
    pytest.skip(reason)


class Stepper:
    """Runs commands whose git kit is watched. ``folder`` is empty, and stays the stepper's own."""

    def __init__(self, folder: Path) -> None:
        need_strace()
        folder.mkdir(parents=True, exist_ok=True)
        self._trace = folder / "trace"
        self._script = folder / "git-kit-watched"

    def steps(self, argv: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> list[Step]:
        """Run the command undisturbed; its steps, each once, in their order."""
        done = self._run(argv, cwd, environ, [f"--trace={','.join(_CALLS)}"])
        assert done.returncode == 0, done.stderr.decode()
        return _steps(self._trace.read_text(errors="replace"))

    def kill_at(
        self, step: Step, argv: Sequence[str], cwd: Path, environ: Mapping[str, str], signal: str = "KILL"
    ) -> bool:
        """Run the command and send its git kit the signal when it comes to ``step``; False where it never does.

        Returns when nothing runs in the folder ``cwd`` any more.
        """
        inject = f"--inject={step.call}:signal={signal}:when={step.number}"
        done = self._run(argv, cwd, environ, [f"--trace={step.call}", inject])
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        _wait_for_the_rest(cwd)
        trace = self._trace.read_text(errors="replace")
        return f"+++ killed by SIG{signal} +++" in trace or f"--- SIG{signal} " in trace

    def _run(
        self, argv: Sequence[str], cwd: Path, environ: Mapping[str, str], options: Sequence[str]
    ) -> "subprocess.CompletedProcess[bytes]":
        """``argv`` starts with git-kit, or with git, whose filter is watched then."""
        watch = ["strace", "--follow-forks", "--detach-on=execve", "-qq", "-y", f"--output={self._trace}", *options]
        lines = [
            "#!/bin/sh",
            f'test -n "${_WATCHED}" && exec git-kit "$@"',
            f'{_WATCHED}=1 exec {" ".join(watch)} -- git-kit "$@"',
        ]
        self._script.write_text("\n".join(lines) + "\n")
        self._script.chmod(0o755)
        program, *rest = argv
        if program == "git":
            command = ["git", "-c", f"filter.kit.process={self._script} filter-process", *rest]
        else:
            command = [str(self._script), *rest]
        return subprocess.run(command, cwd=cwd, env=dict(environ), capture_output=True, check=False)


def _steps(trace: str) -> list[Step]:
    counts: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], Step] = {}
    for line in trace.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        call = match["call"]
        counts[match["thread"], call] += 1
        number = counts[match["thread"], call]
        if _matters(call, match["rest"]):
            found.setdefault((call, number), Step(call, number, match["rest"][:200]))
    return list(found.values())


def _matters(call: str, rest: str) -> bool:
    if re.search(r"= -1 E\w+ ", rest) or _NO_MATTER.match(rest):
        return False
    return call != "ioctl" or any(f" {request}" in rest for request in _SHARING)


def _wait_for_the_rest(folder: Path) -> None:
    """Wait for programs that the killed one had started."""
    deadline = time.monotonic() + _PATIENCE_S
    while _runs_in(folder):
        assert time.monotonic() < deadline, f"a program still runs in {folder} after {_PATIENCE_S} s"
        time.sleep(0.005)


def _runs_in(folder: Path) -> bool:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if Path("/proc", pid, "cwd").resolve().is_relative_to(folder):
                return True
        except OSError:
            continue
    return False
