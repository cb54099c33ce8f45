"""Gate ``command``: a program of the person's choice, which passes a version by ending with 0.

It runs only where this clone's own configuration allows commands: who allows them trusts the repository, as its
policy names the program, and a relative path is taken from the worktree.
"""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.paths import show_path
from gitkit.lifecycle.gates.subject import Subject, Verdict

if TYPE_CHECKING:
    from gitkit.core.policy import CommandGate

_TAIL = 2000
"""Characters of output that are kept."""
_TAIL_BYTES = 4 * _TAIL
_LAST_WORDS_S = 1.0
"""How long output is waited for when the program has ended: what it left running may hold the pipe open."""


class _Ended(NamedTuple):
    """``status`` is None where the time was up; negative for the signal that ended it."""

    status: int | None
    output: str


def evaluate(name: str, gate: "CommandGate", subject: Subject) -> Verdict:
    """Passed where the program ends with 0, failed where it ends otherwise; else, or not in time, unevaluated.

    It runs in the worktree's root (in a bare repository, in an empty folder), with the person's environment and
    ``KIT_VERSION``, ``KIT_DIGEST``, ``KIT_COMMIT`` and ``KIT_ENVIRONMENT``. No shell reads ``run``.
    """
    from gitkit.core.schedule import parse_duration

    program = show_path(gate.run[0])
    if not subject.allow_commands:
        return Verdict(name, "unevaluated", f"{program} may not run in this clone: git config kit.allowCommands true")
    try:
        with _folder(subject) as folder:
            ended = _run(gate.run, folder, _environ(subject), parse_duration(gate.timeout))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return Verdict(name, "unevaluated", f"{program} cannot be started: {why}", {"command": gate.run})
    evidence = {"command": gate.run, "exit": ended.status, "output": ended.output}
    if ended.status is None:
        return Verdict(name, "unevaluated", f"{program} did not end within {gate.timeout}", evidence)
    if ended.status == 0:
        return Verdict(name, "passed", f"{program} ended with 0", evidence)
    return Verdict(name, "failed", f"{program} {_ending(ended.status)}", evidence)


def _ending(status: int) -> str:
    return f"ended with {status}" if status > 0 else f"was ended by signal {-status}"


@contextmanager
def _folder(subject: Subject) -> Iterator[str]:
    if subject.repository.worktree is not None:
        yield subject.repository.worktree
        return
    with tempfile.TemporaryDirectory(prefix="git-kit-gate-") as folder:
        yield folder


def _environ(subject: Subject) -> dict[str, str]:
    about = {
        "KIT_VERSION": subject.kit.version,
        "KIT_DIGEST": subject.kit.digest,
        "KIT_COMMIT": subject.kit.commit,
        "KIT_ENVIRONMENT": subject.environment,
    }
    return subject.repository.git.environ_for(about)


def _run(argv: Sequence[str], folder: str, environ: Mapping[str, str], limit_s: int) -> _Ended:
    """
    Raises:
        OSError, ValueError: it cannot be started.
    """
    reader, writer = os.pipe()
    output = _Output(reader)
    try:
        # A session of its own, so that the time limit ends what it has started as well.
        child = subprocess.Popen(
            argv,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            start_new_session=True,
        )
    finally:
        os.close(writer)
    try:
        status = child.wait(limit_s)
    except subprocess.TimeoutExpired:
        _end(child)
        return _Ended(None, output.text())
    except BaseException:
        _end(child)
        raise
    return _Ended(status, output.text())


def _end(child: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


class _Output:
    """The end of what comes out of a pipe, read by a thread that ends with it."""

    def __init__(self, reader: int) -> None:
        self._reader = reader
        self._tail = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What there is when the pipe has ended, or soon after the program has; control characters made visible."""
        self._thread.join(_LAST_WORDS_S)
        return _visible(self._tail.decode("utf-8", "backslashreplace"))[-_TAIL:]

    def _read(self) -> None:
        with open(self._reader, "rb", buffering=0) as pipe:
            while chunk := pipe.read(1 << 16):
                self._tail = (self._tail + chunk)[-_TAIL_BYTES:]


def _visible(text: str) -> str:
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text
    )
