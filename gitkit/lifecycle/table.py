"""The table of environments: what each one runs, since when, what let it in, what holds it, and where it has drifted.

Drift is what does not fit together: the branch, the journal and the registry's tag are to say the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from gitkit.core.digest import short
from gitkit.lifecycle.environments import Place, Run, State
from gitkit.lifecycle.ledger import Entry, Ledger
from gitkit.lifecycle.situation import Situation
from gitkit.lifecycle.survey import Survey

DriftKind = Literal["moved_by_hand", "no_event", "interrupted", "registry", "registry_missing", "not_checked"]


class Drift(NamedTuple):
    """``text`` for people; ``mend`` is the command that mends it, or tells more, where there is one."""

    kind: DriftKind
    text: str
    mend: str | None = None


class Arrival(NamedTuple):
    """How the current version came: seconds since 1970, who brought it, and by which event (or ``commit``)."""

    since: int
    by: str
    event: str
    reason: str | None
    entry: Entry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One environment. ``gates`` are the verdicts of the promotion that let the current version in. ``digest`` is None
    where nobody knows: the version was never released. ``tagged`` is the digest that the registry has.
    """

    state: State
    digest: str | None
    arrival: Arrival | None
    gates: Sequence[Mapping[str, Any]]
    held: Entry | None
    frozen: Entry | None
    tagged: str | None
    drifts: Sequence[Drift]

    @property
    def has_drifted(self) -> bool | None:
        """None where the registry was not asked, and nothing else is wrong."""
        kinds = {drift.kind for drift in self.drifts}
        return None if kinds == {"not_checked"} else bool(kinds)


def rows(survey: Survey, now: int) -> list[Row]:
    """A row for each environment that ``survey`` saw, at ``now`` (microseconds since 1970)."""
    return [row(survey, state, now) for state in survey.states.values()]


def row(survey: Survey, state: State, now: int) -> Row:
    """The row of an environment; of ``state`` the current run alone counts."""
    situation = survey.situation
    ledger = situation.ledger_of(state.name)
    came = arrival(situation, state)
    digest = _digest(situation, state, came)
    return Row(
        state=state,
        digest=digest,
        arrival=came,
        gates=_gates(situation.ledger, state),
        held=ledger.holds.get(state.name),
        frozen=ledger.frozen(state.name, now),
        tagged=survey.tags.get(state.name) if survey.tags is not None else None,
        drifts=list(_drifts(survey, state, digest)),
    )


def _digest(situation: Situation, state: State, came: Arrival | None) -> str | None:
    if came is not None and came.entry is not None:
        return came.entry.event.digest
    return digest_of(situation.place, situation.ledger, state.current) if state.current is not None else None


def digest_of(place: Place, ledger: Ledger, run: Run) -> str | None:
    """The digest that runs: recorded with it or with its release, else as this clone built it."""
    released = ledger.releases.get(run.version)
    if run.digest is None and released is not None and released.event.after is not None:
        return released.event.digest if released.event.after.commit == run.commit else None
    return run.digest or place.store.resolve(run.version)


def event_of(situation: Situation, state: State) -> Entry | None:
    """The event that brought the current version, where the journal has it."""
    run, last = state.current, situation.ledger.last_move(state.name)
    if run is None or last is None:
        return None
    if run.event == "commit":  # a promotion that moved the branch forward, to the version's own commit
        after = last.event.after
        return last if after is not None and (after.version, after.commit) == (run.version, run.commit) else None
    return next((entry for entry in reversed(situation.ledger.moves[state.name]) if entry.oid == run.entry), None)


def arrival(situation: Situation, state: State) -> Arrival | None:
    """How the current version came there; None where nothing runs."""
    run, entry = state.current, event_of(situation, state)
    if run is None:
        return None
    if entry is None:
        return Arrival(run.time, run.by, run.event, run.reason, None)
    event = entry.event
    return Arrival(event.seconds, event.actor.name, event.kind, event.reason, entry)


def _gates(ledger: Ledger, state: State) -> Sequence[Mapping[str, Any]]:
    """After a rollback they are those of the promotion that had let the version in."""
    run = state.current
    for entry in reversed(ledger.moves.get(state.name, [])):
        if run is not None and entry.event.kind == "promote" and entry.event.version == run.version:
            return entry.event.gates
    return ()


# -- drift -------------------------------------------------------------------------------------------------------------


def _drifts(survey: Survey, state: State, digest: str | None) -> Iterator[Drift]:
    found = _of_branch(survey, state)
    if found is not None:
        yield found
    if survey.tags is None:
        yield Drift("not_checked", "not checked")
        return
    tagged = survey.tags.get(state.name)
    mend = f"git kit env sync {state.name}"
    if tagged is None and digest is not None:
        yield Drift("registry_missing", "registry: missing", mend)
    elif tagged is not None and tagged != digest and (digest is not None or state.current is None):
        named = survey.version_of(tagged) or short(tagged)
        yield Drift("registry", f"registry: {named}", mend if state.current is not None else None)


def _of_branch(survey: Survey, state: State) -> Drift | None:
    situation, run = survey.situation, state.current
    if state.moved_by_hand:
        lease = f"--force-with-lease {situation.place.git_remote or '.'} {state.runs[0].at[:12]}:{state.branch}"
        return Drift("moved_by_hand", "branch moved by hand", f"git push {lease}")
    last = situation.ledger.last_move(state.name)
    if not survey.has_journal or not _is_recorded(state) or event_of(situation, state) is last:
        return None
    if last is not None and situation.place.git_remote is None and state.tip == last.event.tip:
        return Drift("interrupted", f"interrupted: {last.event.subject()}", f"git kit env sync {state.name}")
    if run is not None and run.entry is None and last is None:
        return None  # from before the journal
    if run is None or any(entry.oid == run.entry for entry in situation.entries):
        return Drift("moved_by_hand", "branch moved by hand", "git kit audit verify")  # set back, or deleted
    return Drift("no_event", "no event", "git kit audit verify")


def _is_recorded(state: State) -> bool:
    """Whether it is git kit that brought the branch where it is, or ought to be."""
    return state.managed or (state.current is not None and state.current.event != "commit")
