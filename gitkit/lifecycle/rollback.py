"""Rollback: an environment goes back to what ran there, by a new commit with the old tree, and is held there."""

from gitkit.core.events import Sink, ignore
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, Corrupt, GateRefused, InvalidFile
from gitkit.lifecycle import move
from gitkit.lifecycle.environments import Place, Run, State
from gitkit.lifecycle.move import Moved
from gitkit.lifecycle.record import Change, event_of, record
from gitkit.lifecycle.situation import Situation
from gitkit.modelkit.build import Kit


def rollback(
    place: Place,
    remote: Remote,
    name: str,
    *,
    to: str | None = None,
    steps: int = 1,
    reject: bool = False,
    reason: str | None = None,
    emit: Sink = ignore,
) -> Moved:
    """Bring the environment ``name`` back to ``to``, or to what ran ``steps`` versions before the current one.

    The version is taken from the commit that ran, not from where its tag is now; it is proven complete on the remote
    before anything moves. History only grows. One event moves the environment, holds it, and with ``reject`` rejects
    the version that it leaves. Freezes and windows do not stand against it: going back is the way out.

    Raises:
        InvalidFile: no such environment.
        NotFound: the version never ran there, or the remote does not hold it (any more).
        Corrupt: what the recorded commit gives is not what ran.
        GateRefused: the version was rejected.
        Conflict: the version runs already, or somebody else moved the environment.
        PartlyDone: Git moved and the registry's tag did not.
    """
    place.config.environment(name)
    found: list[tuple[State, Kit]] = []

    def prepare(situation: Situation) -> Change:
        state = situation.state(name)
        move.require_in_step(situation, name)
        kit = _proven(place, _target(situation, state, to, steps))
        move.require_released(remote, kit)
        found.append((state, kit))
        event = event_of(
            situation,
            "rollback",
            environment=name,
            emit=emit,
            before=move.point_of_run(place, state.current),
            after=move.point_of(place, kit),
            reason=reason,
            details={"hold": True, **(_rejection(place, state) if reject else {})},
        )
        return Change(event, name)

    recorded = record(place, prepare, emit=emit)
    if recorded is None:
        raise AssertionError("a rollback always moves the environment")
    state, kit = found[-1]
    tip = recorded.tip or kit.commit
    try:
        tagged = move.retag(place, remote, state, kit, tip)
    finally:
        move.follow(place, state.branch, tip, emit)
    return Moved(name, kit, state.current.version if state.current else None, tip, tagged, recorded.entry)


def _rejection(place: Place, state: State) -> dict[str, object]:
    current = state.current
    if current is None:
        return {}
    return {"reject": True, "content": move.content_of(place.build(current.commit, current.version))}


def _target(situation: Situation, state: State, to: str | None, steps: int) -> Run:
    rejected = situation.ledger_of(state.name).rejected
    if to is None:
        return state.earlier(steps, rejected.keys())
    if to in situation.place.config.environments:
        raise InvalidFile(f'"{to}" is an environment, not a version', hint="git kit rollback ENV --to VERSION")
    target = state.run_of(to)
    current = state.current
    if current is not None and current.version == target.version:
        raise Conflict(f"{state.name} runs {target.version} already", hint=f"git kit env show {state.name}")
    entry = rejected.get(target.digest or "") or rejected.get(target.commit)
    if entry is not None:
        why = entry.event
        said = f": {why.reason}" if why.reason else ""
        raise GateRefused(
            f"{to} was rejected by {why.actor.name}{said}", hint=f"to take that back: git kit reject {to} --undo"
        )
    return target


def _proven(place: Place, target: Run) -> Kit:
    kit = place.build(target.commit, target.version)
    if target.digest is not None and kit.digest != target.digest:
        raise Corrupt(f"commit {target.commit[:12]} gives {kit.digest}, but {target.digest} is what ran")
    return kit
