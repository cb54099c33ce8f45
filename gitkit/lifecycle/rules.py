"""The rules of an environment that are not about content: where a version comes from, who agreed, and when.

Decided from values alone, so that a promotion, an audit of it years later and a Git server come to the same verdict.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.journal import Point
from gitkit.lifecycle.gates.subject import Verdict
from gitkit.lifecycle.ledger import Entry, Ledger

if TYPE_CHECKING:
    from gitkit.core.config import Config
    from gitkit.core.policy import Approvals, Environment, Window

STOPS = {
    "reject": "git kit reject {version} --undo",
    "hold": "git kit resume {name}",
    "freeze": "git kit unfreeze {name}",
}
"""Rules that nobody overrides, and the command that ends each."""

BUILT_IN = ("from", "reject", "hold", "freeze", "windows", "soak", "approvals")
"""Every rule that is no gate, in the order in which they are decided."""


class Stay(NamedTuple):
    """A version in an environment, from ``start`` to ``end`` (seconds since 1970; None: it still runs)."""

    version: str
    digest: str | None
    start: int
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A version that wants into ``environment`` at ``now`` (microseconds since 1970, UTC).

    ``authors`` are the addresses of the version's authors, in lower case. ``stays`` gives what ran in another
    environment, None where it does not exist. ``content`` stands for all files of the version, where that is known.
    """

    config: "Config"
    environment: str
    point: Point
    ledger: Ledger
    now: int
    authors: Collection[str]
    stays: Callable[[str], Sequence[Stay] | None]
    content: str | None = None

    @property
    def settings(self) -> "Environment":
        return self.config.environment(self.environment)


def decide(case: Case) -> list[Verdict]:
    """The verdict of every rule that the environment has, in the order of ``BUILT_IN``."""
    return list(_verdicts(case))


def _verdicts(case: Case) -> Iterator[Verdict]:
    settings = case.settings
    if settings.sources:
        yield _source(case)
    rejected = case.ledger.rejection(case.point, case.content)
    if rejected is not None:
        yield Verdict("reject", "failed", f"{_rejected_as(rejected, case.point)} was rejected by {_said(rejected)}")
    held = case.ledger.holds.get(case.environment)
    if held is not None:
        yield Verdict("hold", "failed", f"held by {_said(held)}")
    frozen = case.ledger.frozen(case.environment, case.now)
    if frozen is not None:
        yield Verdict("freeze", "failed", f"frozen{_until(frozen)} by {_said(frozen)}")
    if settings.windows:
        yield _windows(settings.windows, case.now)
    if settings.soak is not None:
        yield _soak(case, settings.soak)
    if settings.approvals is not None:
        yield _approvals(case, settings.approvals)


def _rejected_as(entry: Entry, point: Point) -> str:
    event = entry.event
    named = event.before if event.kind == "rollback" else event.after
    if named is None or named.version == point.version:
        return point.version
    return f"{point.version} is what {named.version} was, which"


def _said(entry: Entry) -> str:
    reason = f": {entry.event.reason}" if entry.event.reason else ""
    return f"{entry.event.actor.name}{reason}"


def _until(entry: Entry) -> str:
    until = entry.event.until
    return f" until {datetime.fromtimestamp(until // 1_000_000, UTC):%Y-%m-%d %H:%M} UTC" if until is not None else ""


# -- where it comes from -----------------------------------------------------------------------------------------------


def _ran(case: Case) -> Iterator[tuple[str, Stay]]:
    """Stays of the same kit in one of ``from``."""
    for name in case.settings.sources:
        for stay in case.stays(name) or ():
            if stay.version == case.point.version and stay.digest in (None, case.point.digest):
                yield name, stay


def _source(case: Case) -> Verdict:
    for name, _ in _ran(case):
        return Verdict("from", "passed", f"ran in {name}")
    wanted = " or ".join(case.settings.sources)
    return Verdict("from", "failed", f"{case.point.version} did not run in {wanted}")


def _soak(case: Case, text: str) -> Verdict:
    from gitkit.core.schedule import parse_duration, show_duration

    now = case.now // 1_000_000
    longest = max(((stay.end or now) - stay.start for _, stay in _ran(case)), default=0)
    wanted = parse_duration(text)
    sources = " or ".join(case.settings.sources)
    if longest >= wanted:
        return Verdict("soak", "passed", f"ran {show_duration(longest)} in {sources}")
    left = show_duration(wanted - longest)
    return Verdict("soak", "failed", f"ran {show_duration(longest)} in {sources}, not {text}: {left} to go")


# -- when --------------------------------------------------------------------------------------------------------------


def _windows(windows: Sequence["Window"], now: int) -> Verdict:
    moment = datetime.fromtimestamp(now / 1_000_000, UTC)
    try:
        denied = [window.deny for window in windows if window.deny is not None and _is_in(window, moment)]
        allows = [window for window in windows if window.allow is not None]
        if denied:
            return Verdict("windows", "failed", f'closed: deny "{denied[0]}"')
        if allows and not any(_is_in(window, moment) for window in allows):
            texts = ", ".join(f'"{window.allow}" for {window.duration} {window.tz}' for window in allows)
            return Verdict("windows", "failed", f"closed: open at {texts}")
    except ValueError as error:  # a zone that this machine does not know
        return Verdict("windows", "unevaluated", str(error))
    return Verdict("windows", "passed", "open")


def _is_in(window: "Window", moment: datetime) -> bool:
    from gitkit.core.schedule import Deny, is_open, parse_cron, parse_deny, parse_duration

    when = parse_deny(window.deny, window.tz) if window.deny is not None else parse_cron(window.allow or "")
    if isinstance(when, Deny):
        return when.start.astimezone(UTC) <= moment < when.end.astimezone(UTC)
    return is_open(when, parse_duration(window.duration or ""), window.tz, moment)


# -- who ---------------------------------------------------------------------------------------------------------------


def valid_approvals(case: Case) -> dict[str, Entry]:
    """The approvals that count, the latest of each person, by address in lower case."""
    policy = case.config.policy_of(case.environment)
    entries = (entry for entry in _permitted_approvals(case) if entry.event.policy == policy)
    return {entry.event.actor.email.lower(): entry for entry in entries}


def _permitted_approvals(case: Case) -> Iterator[Entry]:
    """The approvals that count under one policy: that which their event names."""
    approvals = case.settings.approvals
    if approvals is None:
        return
    from gitkit.core.policy import members
    from gitkit.core.schedule import parse_duration

    lasts = parse_duration(approvals.expire) * 1_000_000 if approvals.expire is not None else None
    allowed = members(approvals.sources, case.config.groups)
    for entry in case.ledger.approvals:
        event = entry.event
        address = event.actor.email.lower()
        about = (event.environment, event.digest) == (case.environment, case.point.digest)
        fresh = lasts is None or case.now < event.time + lasts
        permitted = not approvals.sources or address in allowed
        other = not approvals.distinct_from_author or address not in case.authors
        if about and fresh and permitted and other:
            yield entry


def _approvals(case: Case, approvals: "Approvals") -> Verdict:
    from gitkit.core.policy import members

    valid = valid_approvals(case)
    names = _names(valid.values()) or "nobody"
    missing = [
        group
        for group in (approvals.sources if approvals.each else ())
        if not members([group], case.config.groups) & valid.keys()
    ]
    evidence = {"approvals": [entry.event.id for entry in valid.values()]}
    if len(valid) >= approvals.min and not missing:
        return Verdict("approvals", "passed", f"{len(valid)} of {approvals.min}: {names}", evidence)
    wanted = f" of {' or '.join(approvals.sources)}" if approvals.sources else ""
    earlier = _names(entry for entry in _permitted_approvals(case) if entry.event.actor.email.lower() not in valid)
    names += f"; {earlier} under an earlier policy" if earlier else ""
    lack = f"; nobody of {' and of '.join(missing)}" if missing else ""
    return Verdict("approvals", "failed", f"{len(valid)} of {approvals.min}{wanted} ({names}){lack}", evidence)


def _names(entries: Iterable[Entry]) -> str:
    return ", ".join(sorted({entry.event.actor.name for entry in entries}))


def waive(
    case: Case, verdicts: Sequence[Verdict], names: Collection[str], actor_name: str, email: str
) -> list[Verdict]:
    """``verdicts`` with those of ``names`` that were not passed waived, where the policy lets this person do so.

    Raises:
        Denied: it does not.
        UsageError: there is no such rule, or it is one that nobody overrides.
    """
    from gitkit.core.policy import members
    from gitkit.errors import Denied, UsageError

    if not names:
        return list(verdicts)
    known = {verdict.gate for verdict in verdicts} | set(case.settings.gates) | set(STOPS)
    for name in names:
        if name not in known:
            raise UsageError(f'{case.environment} has no rule "{name}"', hint=f"its rules: {', '.join(sorted(known))}")
        if name in STOPS:
            undo = STOPS[name].format(name=case.environment, version=case.point.version)
            raise UsageError(f"a {name} is not overridden, but ended", hint=undo)
    if email.lower() not in members(case.settings.override, case.config.groups):
        permitted = ", ".join(case.settings.override) or "nobody"
        raise Denied(
            f"{email} may not override a rule of {case.environment}",
            hint=f"[environments.{case.environment}] override says who may: {permitted}",
        )
    return [
        verdict._replace(outcome="waived", reason=f"waived by {actor_name}; {verdict.reason}")
        if verdict.gate in names and verdict.outcome != "passed"
        else verdict
        for verdict in verdicts
    ]
