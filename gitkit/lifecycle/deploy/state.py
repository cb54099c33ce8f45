"""``.kit-deploy.json``: what a deploy has under way, so that the next one knows how to go on after a kill.

Order of a deploy: the release is finished; ``pending`` is written; ``current`` is swapped; health is checked; then
``pending`` is taken away and the release heads ``history``. When the check fails, that is written (``failed``, and
``pending`` is ``unhealthy``) before ``current`` is swapped back.
"""

import json
from dataclasses import dataclass
from typing import NamedTuple

from gitkit.lifecycle.deploy.releases import Folder

_FILE = ".kit-deploy.json"


class Pending(NamedTuple):
    """``current`` goes to the release ``name`` of ``digest``, from ``previous``. ``unhealthy``: and back again."""

    name: str
    digest: str
    previous: str | None
    unhealthy: bool = False


class Failed(NamedTuple):
    """A kit whose health check failed, ``attempts`` times in a row, at last at ``time`` (seconds since the epoch)."""

    digest: str
    time: float
    attempts: int


@dataclass(frozen=True, slots=True)
class State:
    """``history``: names of releases that were healthy, the last one first."""

    pending: Pending | None = None
    failed: Failed | None = None
    history: tuple[str, ...] = ()


def read_state(folder: Folder) -> State:
    """What is under way; nothing where the file is missing or is not ours."""
    data = folder.read(_FILE)
    if data is None:
        return State()
    try:
        document = json.loads(data)
        pending, failed = document.get("pending"), document.get("failed")
        return State(
            pending=None if pending is None else Pending(**pending),
            failed=None if failed is None else Failed(failed["digest"], float(failed["time"]), int(failed["attempts"])),
            history=tuple(str(name) for name in document.get("history", ())),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return State()


def write_state(folder: Folder, state: State) -> None:
    """Remember ``state``; on the disk when this returns."""
    document = {
        "pending": None if state.pending is None else state.pending._asdict(),
        "failed": None if state.failed is None else state.failed._asdict(),
        "history": list(state.history),
    }
    folder.write(_FILE, json.dumps(document, indent=1).encode() + b"\n")
