"""What people decide about versions and environments without moving any: each is one event in the journal.

All are idempotent: what is so already is not recorded again.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from gitkit.core.events import Sink, ignore
from gitkit.core.journal import Event
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, GateRefused, InvalidFile, UsageError
from gitkit.git.tags import release_commit
from gitkit.lifecycle import move
from gitkit.lifecycle.environments import Place
from gitkit.lifecycle.ledger import Entry, Ledger
from gitkit.lifecycle.record import Change, event_of, record
from gitkit.lifecycle.rules import Case, valid_approvals
from gitkit.lifecycle.situation import Situation, authors_of
from gitkit.modelkit.build import Kit


class Decision(NamedTuple):
    """``entry`` was ``recorded`` now, or made it so already; None where there is nothing to end."""

    entry: Entry | None
    recorded: bool


def approve(
    place: Place, remote: Remote, version: str, name: str, *, reason: str | None = None, emit: Sink = ignore
) -> Decision:
    """Agree that ``version`` comes into the environment ``name``. Holds for its digest and for the policy of now.

    Raises:
        InvalidFile: no such environment.
        NotFound, Conflict: the version was never released, or is not what was.
        GateRefused: it was rejected, or the policy does not count this person's word.
    """
    place.config.environment(name)
    kit = _released(place, remote, version)
    point = move.point_of(place, kit)

    def prepare(situation: Situation) -> Change | Entry | None:
        rejected = situation.ledger_of(name).rejection(point)
        if rejected is not None:
            raise GateRefused(f"{version} was rejected by {rejected.event.actor.name}", hint="git kit audit log")
        event = event_of(situation, "approve", environment=name, emit=emit, after=point, reason=reason)
        case = _case(situation, event, authors_of(place, kit.commit, version))
        before = valid_approvals(case).get(event.actor.email.lower())
        if before is not None:
            return before
        alone = replace(case, ledger=Ledger([Entry("", event)]))
        if not valid_approvals(alone):
            raise _does_not_count(case, event)
        return Change(event)

    return _decide(place, prepare, emit)


def reject(
    place: Place, remote: Remote, version: str, *, undo: bool = False, reason: str | None = None, emit: Sink = ignore
) -> Decision:
    """No environment takes ``version`` any more, under any name; ``undo`` takes that back, by any of them. What runs
    already goes on running.

    Raises:
        NotFound, Conflict: the version was never released, or is not what was.
    """
    kit = _built(place, version)
    point, content = move.point_of(place, kit), move.content_of(kit)

    def prepare(situation: Situation) -> Change | Entry | None:
        rejection = situation.ledger_of(None).rejection(point, content)
        if (rejection is not None) is not undo:
            return rejection
        details = {"content": content, **({"undo": True} if undo else {})}
        return Change(event_of(situation, "reject", emit=emit, after=point, reason=reason, details=details))

    return _decide(place, prepare, emit)


def hold(place: Place, name: str, *, reason: str | None = None, emit: Sink = ignore) -> Decision:
    """Nothing but a rollback moves the environment until it is resumed."""
    place.config.environment(name)

    def prepare(situation: Situation) -> Change | Entry | None:
        held = situation.ledger_of(name).holds.get(name)
        if held is not None:
            return held
        return Change(event_of(situation, "hold", environment=name, emit=emit, reason=reason))

    return _decide(place, prepare, emit)


def resume(place: Place, name: str, *, reason: str | None = None, emit: Sink = ignore) -> Decision:
    """End the hold of an environment, whether a person or a rollback set it."""
    place.config.environment(name)

    def prepare(situation: Situation) -> Change | Entry | None:
        if name not in situation.ledger_of(name).holds:
            return None
        return Change(event_of(situation, "resume", environment=name, emit=emit, reason=reason))

    return _decide(place, prepare, emit)


def freeze(
    place: Place, name: str | None, *, until: int | None = None, reason: str | None = None, emit: Sink = ignore
) -> Decision:
    """No version comes into the environment (None: into any) before ``until`` (microseconds since 1970), or ever.

    A freeze that lasts as long is one already; only ``unfreeze`` makes one shorter.

    Raises:
        InvalidFile: no such environment.
        UsageError: ``until`` is over already.
    """
    _require_known(place, name)

    def prepare(situation: Situation) -> Change | Entry | None:
        event = event_of(situation, "freeze", environment=name, emit=emit, reason=reason, until=until)
        if until is not None and until <= event.time:
            raise UsageError("the freeze would end before it starts", hint="--until names a time to come")
        there = situation.ledger_of(name).freezes.get(name)
        ends = there.event.until if there is not None else 0
        return there if ends is None or (until is not None and until <= ends) else Change(event)

    return _decide(place, prepare, emit)


def unfreeze(place: Place, name: str | None, *, reason: str | None = None, emit: Sink = ignore) -> Decision:
    """End the freeze of an environment; None ends all of them.

    Raises:
        InvalidFile: no such environment.
        Conflict: it is frozen together with all others.
    """
    _require_known(place, name)

    def prepare(situation: Situation) -> Change | Entry | None:
        freezes = situation.ledger_of(name).freezes
        if name is not None and name not in freezes and None in freezes:
            raise Conflict(f"{name} is frozen together with all environments", hint="git kit unfreeze --all")
        if not freezes or (name is not None and name not in freezes):
            return None
        return Change(event_of(situation, "unfreeze", environment=name, emit=emit, reason=reason))

    return _decide(place, prepare, emit)


def _decide(place: Place, prepare: Callable[[Situation], Change | Entry | None], emit: Sink) -> Decision:
    """Record what ``prepare`` gives, unless it is what stands already."""
    standing: list[Entry | None] = []

    def change(situation: Situation) -> Change | None:
        found = prepare(situation)
        if isinstance(found, Change):
            return found
        standing.append(found)
        return None

    recorded = record(place, change, emit=emit)
    return Decision(recorded.entry, True) if recorded is not None else Decision(standing[-1], False)


def _require_known(place: Place, name: str | None) -> None:
    if name is not None:
        place.config.environment(name)
    elif not place.config.environments:
        raise InvalidFile("there are no environments", hint="add [environments.NAME] to .gitkit.toml")


def _built(place: Place, version: str) -> Kit:
    if version in place.config.environments:
        raise InvalidFile(f'"{version}" is an environment, not a version', hint="git kit env lists what runs")
    return place.build(release_commit(place.repository.git, version, place.config.kit.tags), version)


def _released(place: Place, remote: Remote, version: str) -> Kit:
    kit = _built(place, version)
    move.require_named(remote, kit)
    return kit


def _case(situation: Situation, event: Event, authors: set[str]) -> Case:
    name = event.environment
    if name is None or event.after is None:
        raise AssertionError("an approval is about a version and an environment")
    return Case(
        config=situation.policy(name),
        environment=name,
        point=event.after,
        ledger=situation.ledger_of(name),
        now=event.time,
        authors=authors,
        stays=situation.stays,
    )


def _does_not_count(case: Case, event: Event) -> GateRefused:
    approvals = case.settings.approvals
    if approvals is None:
        return GateRefused(
            f"{case.environment} asks for no approvals",
            hint=f"git kit promote {case.point.version} {case.environment}",
        )
    if event.actor.email.lower() in case.authors and approvals.distinct_from_author:
        return GateRefused(f"{event.actor} is an author of {case.point.version}, whose approval does not count")
    who = " or ".join(approvals.sources)
    return GateRefused(f"{event.actor} may not approve for {case.environment}", hint=f"approvals come from {who}")
