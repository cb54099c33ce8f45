"""The health check: a command that the person gave, run in the new release.

No shell is started. The command has a session of its own, so that all it started ends with it when time is over.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple

_KEPT = 1 << 14
_LINES = 20
_PATIENCE_S = 1.0
"""How long output may still come after the command itself has ended."""


class Health(NamedTuple):
    """``argv`` as it is started; ``environ`` is what it finds in its environment besides ``KIT_*``."""

    argv: Sequence[str]
    timeout_s: float
    environ: Mapping[str, str]


class Unhealthy(NamedTuple):
    """Why a check was not passed, and the last lines that it printed."""

    reason: str
    output: str


def check(health: Health, folder: str, variables: Mapping[str, str]) -> Unhealthy | None:
    """Run the command in ``folder``; None where it ends with status 0 in time."""
    try:
        child = subprocess.Popen(
            health.argv,
            cwd=folder,
            env={**health.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return Unhealthy(f"{health.argv[0]} cannot be run: {error.strerror}", "")
    if child.stdout is None:
        raise AssertionError("a pipe was asked for")
    tail = _Tail(child.stdout)
    reason = None
    try:
        status = child.wait(timeout=health.timeout_s)
        if status != 0:
            reason = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
    except subprocess.TimeoutExpired:
        reason = f"no answer after {health.timeout_s:g} s"
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        output = tail.end()
    return None if reason is None else Unhealthy(reason, output)


class _Tail:
    """Reads a pipe to its end, so that nobody waits for us, and keeps the last of it."""

    def __init__(self, pipe: "IO[bytes]") -> None:
        self._pipe = pipe
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            while data := os.read(self._pipe.fileno(), _KEPT):
                self._kept = (self._kept + data)[-_KEPT:]

    def end(self) -> str:
        """The last lines."""
        self._thread.join(_PATIENCE_S)
        lines = self._kept.decode("utf-8", "replace").splitlines()
        return "\n".join(_printable(line) for line in lines[-_LINES:])


def _printable(line: str) -> str:
    """Nothing in the output of a program acts on the person's terminal."""
    return "".join(char if char.isprintable() or char == "\t" else "�" for char in line)
