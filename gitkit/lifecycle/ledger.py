"""What the events of a journal come to: what was released, what is held, frozen, rejected and agreed to.

A pure fold: events go in one after the other, in the journal's order. The same code serves a promotion (all events), an
audit (the events up to the one that is looked at) and a Git server (the events that it has).
"""

from collections.abc import Iterable
from typing import NamedTuple

from gitkit.core.journal import MOVES, Event, Point


class Entry(NamedTuple):
    """An event and the commit that holds it."""

    oid: str
    event: Event


class Ledger:
    """``releases``: the first release of each version. ``moves``: what moved each environment, oldest first.
    ``withdrawn``: what rollbacks of each environment left since, by digest. ``holds`` and ``freezes`` (None: of all
    environments) are those in force; ``rejected`` by digest, by commit and by what stands for all files. ``verdicts``
    are the latest of a refused promotion, by environment and digest. ``branches``: where the environments were when
    the journal began; None: there is none.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.releases: dict[str, Entry] = {}
        self.moves: dict[str, list[Entry]] = {}
        self.withdrawn: dict[str, set[str]] = {}
        self.branches: dict[str, str] | None = None
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
        if self.branches is None:
            told = event.details.get("branches")
            self.branches = dict(told) if isinstance(told, dict) else {}
        if event.kind in MOVES and event.environment is not None:
            self._move(entry, event.environment)
        elif event.kind == "release" and event.version is not None:
            self.releases.setdefault(event.version, entry)
        elif event.kind == "approve":
            self.approvals.append(entry)
        elif event.kind == "reject" and event.after is not None:
            self._reject(entry, event.after)
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

    def rejection(self, point: Point, content: str | None = None) -> Entry | None:
        """Why no environment takes a version: itself, its commit under another name, or all of its files."""
        return next((self.rejected[key] for key in (point.digest, point.commit, content) if key in self.rejected), None)

    def last_move(self, environment: str) -> Entry | None:
        """What moved the environment last."""
        moves = self.moves.get(environment)
        return moves[-1] if moves else None

    def _move(self, entry: Entry, environment: str) -> None:
        event = entry.event
        self.moves.setdefault(environment, []).append(entry)
        withdrawn = self.withdrawn.setdefault(environment, set())
        withdrawn.discard(event.digest or "")
        if event.kind == "rollback":
            withdrawn |= {event.before.digest} if event.before is not None else set()
            if event.details.get("hold", True):
                self.holds[environment] = entry
            if event.details.get("reject") and event.before is not None:
                self._refuse(entry, event.before)

    def _reject(self, entry: Entry, point: Point) -> None:
        if entry.event.details.get("undo"):
            gone = self.rejection(point, _content(entry))
            self.rejected = {key: one for key, one in self.rejected.items() if one is not gone}
        else:
            self._refuse(entry, point)

    def _refuse(self, entry: Entry, point: Point) -> None:
        keys = (point.digest, point.commit, _content(entry))
        self.rejected |= {key: entry for key in keys if key is not None}

    def _stop(self, entry: Entry) -> None:
        event = entry.event
        if event.kind == "hold" and event.environment is not None:
            self.holds[event.environment] = entry
        elif event.kind == "resume" and event.environment is not None:
            self.holds.pop(event.environment, None)
        elif event.kind == "freeze":
            self._freeze(entry)
        elif event.kind == "unfreeze" and event.environment is None:
            self.freezes.clear()
        elif event.kind == "unfreeze":
            self.freezes.pop(event.environment, None)

    def _freeze(self, entry: Entry) -> None:
        """The later end wins: only an unfreeze makes a freeze shorter."""
        there, until = self.freezes.get(entry.event.environment), entry.event.until
        if there is not None and there.event.until is None:
            return
        if there is None or until is None or until > (there.event.until or 0):
            self.freezes[entry.event.environment] = entry


def _content(entry: Entry) -> str | None:
    content = entry.event.details.get("content")
    return content if isinstance(content, str) else None
