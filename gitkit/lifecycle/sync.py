"""Bringing environments to where they should be: what was interrupted is finished, the registry follows Git, and what
is to move by itself moves. Made for CI and timers: doing it again changes nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

from gitkit.core.events import Sink, Warned, ignore
from gitkit.core.remote import Remote
from gitkit.errors import GateRefused, KitError
from gitkit.lifecycle import move
from gitkit.lifecycle.environments import Place, Run
from gitkit.lifecycle.promote import promote
from gitkit.lifecycle.record import put_back, settle
from gitkit.lifecycle.situation import Situation, look

Outcome = Literal["current", "repaired", "promoted", "waiting", "failed"]


class Synced(NamedTuple):
    """What was done about one environment. ``version`` runs there afterwards; ``detail`` says why, for people."""

    environment: str
    outcome: Outcome
    version: str | None
    digest: str | None
    detail: str | None = None


def sync(place: Place, remote: Remote, names: Sequence[str] = (), *, emit: Sink = ignore) -> list[Synced]:
    """Synchronise the environments ``names`` (all without any), sources first; one after the other.

    An environment that a rule keeps where it is waits; what fails is told and does not stop the others.

    Raises:
        InvalidFile: no such environment.
        NetworkError, Corrupt: see ``situation.look``.
    """
    for name in names:
        place.config.environment(name)
    finished = _finish(place, emit)
    chosen = [name for name in _sources_first(place) if not names or name in names]
    return [_with_finished(_one(place, remote, name, emit), finished) for name in chosen]


def _finish(place: Place, emit: Sink) -> set[str]:
    """The environments whose interrupted move is finished by now."""
    situation = look(place)
    before = {name: situation.tip(name) for name in place.config.environments}
    settle(situation, emit)
    for name in place.config.environments:
        try:
            entry = put_back(situation, name)
        except KitError as error:
            emit(Warned(error.message))
        else:
            if entry is not None:
                emit(Warned(f"{name}: put back to where the journal has it: {entry.event.subject()}"))
    return {name for name, tip in before.items() if situation.tip(name) != tip}


def _with_finished(result: Synced, finished: Collection[str]) -> Synced:
    if result.environment not in finished or result.outcome != "current":
        return result
    return result._replace(outcome="repaired", detail="the branch is where the journal has it again")


def _sources_first(place: Place) -> list[str]:
    ordered: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in ordered or name in above:
            return
        for source in place.config.environment(name).sources:
            visit(source, (*above, name))
        ordered.append(name)

    for name in place.config.environments:
        visit(name, ())
    return ordered


def _one(place: Place, remote: Remote, name: str, emit: Sink) -> Synced:
    try:
        situation = look(place)
        waiting = None
        for version in _candidates(situation, name):
            if remote.resolve(version) is None:
                waiting = waiting or f"{version} is not released yet"
                continue
            try:
                moved = promote(place, remote, version, name, reason="git kit env sync", emit=emit)
            except GateRefused as error:
                waiting = waiting or " ".join(error.message.split())
                continue
            return Synced(name, "promoted", version, moved.kit.digest, f"{moved.before or 'nothing'} -> {version}")
        return _repair(place, remote, look(place), name, waiting)
    except KitError as error:
        return Synced(name, "failed", None, None, error.message)


def _repair(place: Place, remote: Remote, situation: Situation, name: str, waiting: str | None) -> Synced:
    """The registry's tag, where it does not say what Git says."""
    state = situation.state(name)
    run = state.current
    if run is None:
        return Synced(name, "waiting" if waiting else "current", None, None, waiting or "nothing runs there yet")
    move.require_in_step(situation, name)
    if not state.managed and remote.resolve(run.version) is None:
        return Synced(name, "waiting", run.version, None, f"{run.version} is not released yet")
    kit = place.build(run.commit, run.version)
    if remote.resolve(name) == kit.digest:
        return Synced(name, "waiting" if waiting else "current", run.version, kit.digest, waiting)
    move.require_released(remote, kit)
    move.retag(place, remote, state, kit, state.tip)
    told = [f"the registry's tag {name} follows Git again", *([waiting] if waiting else [])]
    return Synced(name, "repaired", run.version, kit.digest, "; ".join(told))


def _candidates(situation: Situation, name: str) -> Iterator[str]:
    """Versions that the environment would take by itself, the best first; none while it is held or frozen."""
    settings = situation.policy(name).environment(name)
    current = situation.state(name).current
    if settings.auto is None:
        return
    if settings.auto == "match":
        source = situation.state(settings.sources[0]).current
        if source is not None and _differs(source, current) and not _is_withdrawn(situation, source, [name]):
            yield source.version
        return
    for run in _newest_first(situation, settings.sources):
        if not _differs(run, current):
            return
        if not _is_withdrawn(situation, run, [name, *settings.sources]):
            yield run.version


def _is_withdrawn(situation: Situation, run: Run, names: Sequence[str]) -> bool:
    """Whether people went back from the version in one of these environments, and nobody has brought it in again."""
    released = situation.ledger.releases.get(run.version)
    digest = run.digest or (released.event.digest if released is not None else None)
    return any(digest in situation.ledger.withdrawn.get(name, ()) for name in names)


def _newest_first(situation: Situation, sources: Sequence[str]) -> list[Run]:
    """What ran in the sources, each version once, the newest version first: by its commit, then by its name."""
    from gitkit.git.tags import release_tags

    tags = release_tags(situation.place.repository.git, situation.place.config.kit.tags)
    order = {tag.name: number for number, tag in enumerate(tags)}
    runs = {run.version: run for name in sources for run in situation.state(name).runs if run.version in order}
    return sorted(runs.values(), key=lambda run: -order[run.version])


def _differs(run: Run, current: Run | None) -> bool:
    if current is None or run.version != current.version:
        return True
    return None not in (run.digest, current.digest) and run.digest != current.digest
