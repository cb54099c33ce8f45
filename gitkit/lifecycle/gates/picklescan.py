"""The scanner picklescan as a second opinion, where it is installed: one process for each file, with fixed options.

It runs in a folder of its own that is removed afterwards, gets no network address and no name of ours, and is stopped
after ``TIMEOUT_S``. Its exit codes: 0 clean, 1 dangerous, anything else did not work.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from gitkit.core.paths import show_path
from gitkit.errors import Corrupt, KitError
from gitkit.modelkit.content import Content
from gitkit.modelkit.files import KitFile
from gitkit.store.ingest import copy_hashed

PROGRAM = "picklescan"
TIMEOUT_S = 300
"""For each file."""

_SUFFIX = re.compile(r"\.[a-z0-9]{1,12}", re.ASCII)
_VERSION_CODE = "import importlib.metadata as m; print(m.version('picklescan'))"


@dataclass(slots=True, kw_only=True)
class Answer:
    """``problems`` say why something was not scanned. ``dangerous`` are paths in the kit."""

    version: str | None = None
    clean: int = 0
    dangerous: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "clean": self.clean,
            "dangerous": [show_path(path) for path in self.dangerous],
            "not_scanned": self.problems,
        }


def ask(content: Content, files: Sequence[KitFile]) -> Answer:
    """What picklescan says about ``files``, each linked or written into a temporary folder for its turn."""
    answer = Answer()
    program = shutil.which(PROGRAM)
    if program is None or not os.path.isabs(program):
        answer.problems.append("it is not installed")
        return answer
    answer.version = _version(program)
    for file in files:
        with tempfile.TemporaryDirectory(prefix="git-kit-") as folder:
            _scan(program, folder, content, file, answer)
    return answer


def _scan(program: str, folder: str, content: Content, file: KitFile, answer: Answer) -> None:
    try:
        target = _written(folder, content, file)
        status = _run([program, "--strict", "--log", "ERROR", "--path", target], folder).returncode
    except (KitError, OSError, subprocess.TimeoutExpired) as error:
        answer.problems.append(f"{show_path(file.path)} was not scanned: {_short(error)}")
        return
    if status == 0:
        answer.clean += 1
    elif status == 1:
        answer.dangerous.append(file.path)
    else:
        answer.problems.append(f"{show_path(file.path)} was not scanned: it ended with {status}")


def _written(folder: str, content: Content, file: KitFile) -> str:
    """The file under a name of ours, with its suffix, by which picklescan tells what to do.

    Raises:
        Corrupt: the content is not what its digest says.
        KitError: it cannot be had.
    """
    suffix = os.path.splitext(file.path.lower())[1]
    target = os.path.join(folder, "file" + (suffix if _SUFFIX.fullmatch(suffix) else ""))
    if file.oid is None and content.store.holds(file.digest, file.size):
        os.symlink(os.path.abspath(content.store.blob_path(file.digest)), target)
        return target
    with open(target, "wb") as out, closing(content.each([file])) as sources:
        digest, _ = copy_hashed(next(sources), out.fileno())
    if digest != file.digest:
        raise Corrupt(f"content that should be {file.digest} is {digest}")
    return target


def _run(argv: list[str], folder: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False
    )


def _version(program: str) -> str | None:
    """The version that the Python beside the program knows; picklescan itself does not say."""
    python = os.path.join(os.path.dirname(os.path.realpath(program)), "python")
    try:
        done = _run([python, "-I", "-c", _VERSION_CODE], os.path.dirname(python))
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("ascii", "replace").strip() or None if done.returncode == 0 else None


def _short(error: Exception) -> str:
    text = f"it took more than {TIMEOUT_S} s" if isinstance(error, subprocess.TimeoutExpired) else str(error)
    return " ".join(text.split())
