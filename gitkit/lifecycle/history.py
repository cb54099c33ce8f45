"""What happened to an environment, and what ran in it when: told by the journal, and by the branch where it is older.

An environment that follows its branch runs a version from the moment when it was released, or when a promotion moved
the branch to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gitkit.core.journal import Event
from gitkit.errors import KitError
from gitkit.lifecycle.environments import Place, Run, State
from gitkit.lifecycle.ledger import Entry, Ledger
from gitkit.lifecycle.situation import Situation
from gitkit.lifecycle.table import digest_of

_MICRO = 1_000_000


class Happening(NamedTuple):
    """One thing that happened. ``time`` is in microseconds since 1970; ``entry`` is None for what is older than the
    journal, or was made without it: then it is a commit of the branch, ``at``.
    """

    time: int
    kind: str
    version: str | None
    digest: str | None
    by: str
    reason: str | None
    at: str | None
    entry: Entry | None


class Period(NamedTuple):
    """A version that ran from ``start`` to ``end`` (microseconds since 1970; None: it still runs)."""

    version: str
    digest: str | None
    commit: str
    kind: str
    by: str
    reason: str | None
    start: int
    end: int | None
    entry: Entry | None


class Moment(NamedTuple):
    """What ran at ``time``. ``approvals`` are those that the move counted on; ``held`` and ``frozen`` held then.

    ``rebuilt`` is the digest that its commit gives today, None where it cannot be built: then ``obstacle`` says why.
    """

    time: int
    period: Period | None
    approvals: Sequence[Entry]
    gates: Sequence[Mapping[str, Any]]
    held: Entry | None
    frozen: Entry | None
    rebuilt: str | None
    obstacle: str | None

    @property
    def is_reproducible(self) -> bool | None:
        """None where nobody knows."""
        if self.period is None or self.rebuilt is None or self.period.digest is None:
            return None
        return self.rebuilt == self.period.digest


# -- events ------------------------------------------------------------------------------------------------------------


def history(situation: Situation, name: str) -> list[Happening]:
    """All that happened to the environment ``name``, newest first: moves, attempts, decisions."""
    state = situation.state(name)
    events = [_of_entry(entry) for entry in _about(situation, name)]
    known = {entry.oid for entry in situation.entries}
    forwards = {(one.version, one.entry.event.kind) for one in events if one.entry is not None}
    for run in state.runs:
        is_told = (run.version, "promote") in forwards if run.event == "commit" else run.entry in known
        if not is_told:
            events.append(_of_run(situation.place, situation.ledger, run))
    # Of one moment, the later event of the journal is the newer one.
    return sorted(events, key=lambda one: (one.time, one.entry.event.sequence if one.entry else 0), reverse=True)


def _about(situation: Situation, name: str) -> Iterator[Entry]:
    """Entries about the environment, or about all; and rejections of what ran, or wanted to run, in it."""
    seen = {entry.event.digest for entry in situation.entries if entry.event.environment == name}
    for entry in situation.entries:
        event = entry.event
        is_of_all = event.environment is None and event.kind in ("freeze", "unfreeze")
        if event.environment == name or is_of_all or (event.kind == "reject" and event.digest in seen):
            yield entry


def _of_entry(entry: Entry) -> Happening:
    event = entry.event
    reason = event.said or None if event.kind == "gates" else event.reason
    return Happening(event.time, event.kind, event.version, event.digest, event.actor.name, reason, event.tip, entry)


def _of_run(place: Place, ledger: Ledger, run: Run) -> Happening:
    digest = digest_of(place, ledger, run)
    return Happening(_start(ledger, run), run.event, run.version, digest, run.by, run.reason, run.at, None)


# -- what ran ----------------------------------------------------------------------------------------------------------


def periods(situation: Situation, name: str) -> list[Period]:
    """What ran in the environment ``name`` and when, newest first, without gaps."""
    state = situation.state(name)
    found = _of_moves(situation, state) if state.managed else _of_branch(situation, state)
    ends = [None, *(period.start for period in found)]
    return [period._replace(end=end) for period, end in zip(found, ends, strict=False)]


def _of_moves(situation: Situation, state: State) -> list[Period]:
    moves = situation.ledger.moves.get(state.name, [])
    known = {entry.oid for entry in moves}
    unrecorded = [_of_unrecorded(situation, run) for run in state.runs if run.entry not in known]
    found = sorted([*reversed(unrecorded), *map(_of_move, moves)], key=lambda period: period.start)
    return found[::-1]


def _of_branch(situation: Situation, state: State) -> list[Period]:
    """In the order of the branch. What was overtaken before it was released never ran."""
    moves = {entry.oid: entry for entry in situation.ledger.moves.get(state.name, [])}
    recorded = {run.entry for run in state.runs}
    forwards = {
        (entry.event.after.version, entry.event.after.commit): entry
        for oid, entry in moves.items()
        if oid not in recorded and entry.event.after is not None and entry.event.kind == "promote"
    }
    found: list[Period] = []
    for run in state.runs:
        entry = forwards.get((run.version, run.commit)) if run.event == "commit" else moves.get(run.entry or "")
        period = _of_move(entry) if entry is not None else _of_unrecorded(situation, run)
        if not found or period.start < found[-1].start:
            found.append(period)
    return found


def _of_move(entry: Entry) -> Period:
    event = entry.event
    if event.after is None:
        raise AssertionError("an event that moves an environment has a version")
    version, digest, commit, _ = event.after
    return Period(version, digest, commit, event.kind, event.actor.name, event.reason, event.time, None, entry)


def _of_unrecorded(situation: Situation, run: Run) -> Period:
    digest = digest_of(situation.place, situation.ledger, run)
    start = _start(situation.ledger, run)
    return Period(run.version, digest, run.commit, run.event, run.by, run.reason, start, None, None)


def _start(ledger: Ledger, run: Run) -> int:
    released = ledger.releases.get(run.version) if run.event == "commit" else None
    return max(run.time * _MICRO, released.event.time if released is not None else 0)


def moment(situation: Situation, name: str, time: int) -> Moment:
    """What ran in the environment ``name`` at ``time`` (microseconds since 1970), by which right, and whether its
    commit still gives it.
    """
    before = Ledger(entry for entry in situation.entries if entry.event.time <= time)
    period = next((one for one in periods(situation, name) if one.start <= time), None)
    event = period.entry.event if period is not None and period.entry is not None else None
    rebuilt, obstacle = _rebuilt(situation.place, period) if period is not None else (None, None)
    return Moment(
        time=time,
        period=period,
        approvals=_approvals(situation.entries, event) if event is not None else (),
        gates=event.gates if event is not None else (),
        held=before.holds.get(name),
        frozen=before.frozen(name, time),
        rebuilt=rebuilt,
        obstacle=obstacle,
    )


def _approvals(entries: Sequence[Entry], move: Event) -> list[Entry]:
    """Those that the move's verdict names; where it has none, all that were given for what it brought."""
    verdicts = [gate for gate in move.gates if gate.get("gate") == "approvals"]
    named = {id_ for gate in verdicts for id_ in (gate.get("evidence") or {}).get("approvals", ())}
    given = [entry for entry in entries if entry.event.kind == "approve" and entry.event.time <= move.time]
    if verdicts:
        return [entry for entry in given if entry.event.id in named]
    about = (move.environment, move.digest)
    return [entry for entry in given if (entry.event.environment, entry.event.digest) == about]


def _rebuilt(place: Place, period: Period) -> tuple[str | None, str | None]:
    try:
        return place.build(period.commit, period.version).digest, None
    except KitError as error:
        return None, error.message
