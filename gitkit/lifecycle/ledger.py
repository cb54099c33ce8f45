"""What the events of a journal come to: what was released, what is held, frozen, rejected and agreed to.

A pure fold: events go in one after the other, in the journal's order. The same code serves a promotion (all events), an
audit (the events up to the one that is looked at) and a Git server (the events that it has).
"""

from collections.abc import Iterable
from typing import NamedTuple

from gitkit.core.journal import MOVES, Event


class Entry(NamedTuple):
    """An event and the commit that holds it."""

    oid: str
    event: Event


class Ledger:
    """``releases``: the first release of each version. ``moves``: what moved each environment, oldest first. ``holds``
    and ``freezes`` (None: of all environments) are those in force, ``rejected`` by digest. ``verdicts`` are the latest
    of a refused promotion, by environment and digest.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.releases: dict[str, Entry] = {}
        self.moves: dict[str, list[Entry]] = {}
        self.holds: dict[str, Entry] = {}
        self.freezes: dict[str | None, Entry] = {}
        self.rejected: dict[str, Entry] = {}
        self.approvals: list[Entry] = []
        self.verdicts: dict[tuple[str, str], Entry] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Take in the next event."""
        event = entry.event
        if event.kind in MOVES and event.environment is not None:
            self._move(entry, event.environment)
        elif event.kind == "release" and event.version is not None:
            self.releases.setdefault(event.version, entry)
        elif event.kind == "approve":
            self.approvals.append(entry)
        elif event.kind == "reject" and event.digest is not None:
            self._reject(entry, event.digest)
        elif event.kind == "gates" and event.environment is not None and event.digest is not None:
            self.verdicts[event.environment, event.digest] = entry
        else:
            self._stop(entry)

    def frozen(self, environment: str, now: int) -> Entry | None:
        """The freeze that keeps versions out of ``environment`` at ``now`` (microseconds), if any."""
        for place in (environment, None):
            entry = self.freezes.get(place)
            if entry is not None and (entry.event.until is None or now < entry.event.until):
                return entry
        return None

    def last_move(self, environment: str) -> Entry | None:
        """What moved the environment last."""
        moves = self.moves.get(environment)
        return moves[-1] if moves else None

    def _move(self, entry: Entry, environment: str) -> None:
        event = entry.event
        self.moves.setdefault(environment, []).append(entry)
        if event.kind == "rollback":
            if event.details.get("hold", True):
                self.holds[environment] = entry
            if event.details.get("reject") and event.before is not None:
                self.rejected[event.before.digest] = entry

    def _reject(self, entry: Entry, digest: str) -> None:
        if entry.event.details.get("undo"):
            self.rejected.pop(digest, None)
        else:
            self.rejected[digest] = entry

    def _stop(self, entry: Entry) -> None:
        event = entry.event
        if event.kind == "hold" and event.environment is not None:
            self.holds[event.environment] = entry
        elif event.kind == "resume" and event.environment is not None:
            self.holds.pop(event.environment, None)
        elif event.kind == "freeze":
            self.freezes[event.environment] = entry
        elif event.kind == "unfreeze" and event.environment is None:
            self.freezes.clear()
        elif event.kind == "unfreeze":
            self.freezes.pop(event.environment, None)
