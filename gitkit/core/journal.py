"""Events of the journal as values: what they hold, their text in a commit, their id (``docs/journal.md``).

Pure: no clock, no Git.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from gitkit.core.digest import is_digest
from gitkit.errors import Corrupt

BRANCH = "kit/journal"
FORMAT = 1
EMPTY_ID = "0" * 32
SEQUENCE, PREVIOUS, ID = "Kit-Sequence: ", "Kit-Previous: ", "Kit-Id: "

_GATE = ("gate", "outcome", "reason")
_OID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

KINDS = (
    *("release", "promote", "rollback", "approve", "reject", "hold", "resume"),
    *("freeze", "unfreeze", "gates", "deploy"),
)
MOVES = ("promote", "rollback")
"""Kinds that move an environment."""


class Actor(NamedTuple):
    """Who did it, as Git knows them."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


class Point(NamedTuple):
    """A version at one place. ``commit`` is the version's; ``tag`` the oid of its Git tag, where that is recorded."""

    version: str
    digest: str
    commit: str
    tag: str | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event. ``time`` is in microseconds since 1970, UTC; never before that of the event that precedes it.

    ``sequence`` counts from 1 and ``previous`` is the id of the event before (``EMPTY_ID`` for the first): the two are
    not part of the id, so that an event that lost a race keeps its id where it is appended in the end.
    ``tip`` is the commit of the environment's branch that the event found, None where there was no branch. ``policy``
    is the digest of the environment's policy, ``policy_commit`` the commit that it was read from (None: the files of
    the actor's worktree). ``gates`` are verdicts as JSON objects: gate, outcome, reason, evidence. ``until`` is in
    microseconds, too.
    """

    kind: str
    time: int
    actor: Actor
    environment: str | None = None
    before: Point | None = None
    after: Point | None = None
    tip: str | None = None
    policy: str | None = None
    policy_commit: str | None = None
    gates: tuple[Mapping[str, Any], ...] = ()
    reason: str | None = None
    until: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    sequence: int = 0
    previous: str = EMPTY_ID

    @cached_property
    def id(self) -> str:
        """32 hex digits that stand for everything but the place in the chain."""
        return _id_of(self.body())

    @property
    def seconds(self) -> int:
        return self.time // 1_000_000

    @property
    def version(self) -> str | None:
        """The version that it is about."""
        return self.after.version if self.after else None

    @property
    def digest(self) -> str | None:
        return self.after.digest if self.after else None

    @property
    def where(self) -> str | None:
        """The environment; ``all`` where a freeze, or its end, is for all of them."""
        return self.environment or ("all" if self.kind in ("freeze", "unfreeze") else None)

    @property
    def act(self) -> str:
        """The kind for people, with what else it did: ``reject undone``, ``rollback, reject``."""
        if self.kind == "reject" and self.details.get("undo"):
            return "reject undone"
        return "rollback, reject" if self.kind == "rollback" and self.details.get("reject") else self.kind

    @property
    def said(self) -> str:
        """Why, for people: the rules that refused it, or the reason that was given; of a freeze also its end."""
        if self.kind == "gates":
            refused = [gate for gate in self.gates if gate["outcome"] not in ("passed", "waived")]
            return "; ".join(f"{gate['gate']}: {gate['reason']}" for gate in refused) or self.reason or ""
        until = f"until {show_time(self.until)[:16].replace('T', ' ')}" if self.until is not None else ""
        return ": ".join(text for text in (until, self.reason) if text)

    def chained(self, previous: "Event | None") -> "Event":
        """The same event, to be appended after ``previous``."""
        if previous is None:
            return replace(self, sequence=1, previous=EMPTY_ID)
        return replace(self, sequence=previous.sequence + 1, previous=previous.id)

    def as_json(self) -> dict[str, Any]:
        """The event as one JSON object, with its place in the chain; keys that say nothing are left out."""
        chain = {"id": self.id, "sequence": self.sequence, "previous": self.previous}
        return {**chain, **json.loads(self.body())}

    def text(self) -> str:
        """The commit's message: one line for people, the event as one line of JSON, and its place in the chain."""
        chain = f"{SEQUENCE}{self.sequence}\n{PREVIOUS}{self.previous}\n{ID}{self.id}\n"
        return f"{self.subject()}\n\n{self.body()}\n\n{chain}"

    def subject(self) -> str:
        """``promote v1.2.0 prod``."""
        return " ".join(word for word in (self.kind, self.version, self.where) if word)

    def body(self) -> str:
        """What the id stands for: compact JSON in ASCII, keys sorted."""
        body: dict[str, Any] = {
            "v": FORMAT,
            "kind": self.kind,
            "time": show_time(self.time),
            "actor": self.actor._asdict(),
            "environment": self.environment,
            "before": _point_json(self.before),
            "after": _point_json(self.after),
            "tip": self.tip,
            "policy": self.policy,
            "policy_commit": self.policy_commit,
            "gates": [dict(gate) for gate in self.gates],
            "reason": self.reason,
            "until": show_time(self.until) if self.until is not None else None,
            "details": dict(self.details),
        }
        told = {key: value for key, value in body.items() if value not in (None, [], {})}
        return json.dumps(told, sort_keys=True, separators=(",", ":"))


def parse_event(message: str) -> Event:
    """The event in a commit's message.

    Raises:
        Corrupt: it is none, or it was edited: its id is not that of its content.
    """
    lines = message.rstrip("\n").split("\n")
    try:
        subject, _, body, _, sequence, previous, id_ = lines
        event = _from_json(json.loads(body), int(sequence.removeprefix(SEQUENCE)), previous.removeprefix(PREVIOUS))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Corrupt(f"not an event of format {FORMAT}: {lines[0][:80]}") from error
    if not _is_sane(event):
        raise Corrupt(f"not an event of format {FORMAT}: values of a wrong type: {lines[0][:80]}")
    if event.kind not in KINDS:
        raise Corrupt(f'an event of the unknown kind "{event.kind[:40]}"')
    if id_ != f"{ID}{_id_of(body)}" or subject != event.subject():
        raise Corrupt(f"event {id_.removeprefix(ID)[:32]} was edited: its content gives {_id_of(body)}")
    event.__dict__["id"] = id_.removeprefix(ID)
    return event


def _is_sane(event: Event) -> bool:
    """Whether all that readers rely on is what it should be: JSON can hold anything."""
    for gate in event.gates:
        if not isinstance(gate, dict) or not all(isinstance(gate.get(key), str) for key in _GATE):
            return False
    name, email = event.actor
    return (
        isinstance(event.kind, str)
        and isinstance(name, str)
        and isinstance(email, str)
        and (event.environment is None or isinstance(event.environment, str))
        and (event.policy is None or isinstance(event.policy, str))
        and (event.reason is None or isinstance(event.reason, str))
        and (event.tip is None or _is_oid(event.tip))
        and (event.policy_commit is None or _is_oid(event.policy_commit))
        and (event.before is None or _is_sane_point(event.before))
        and (event.after is None or _is_sane_point(event.after))
        and isinstance(event.details, dict)
    )


def _is_sane_point(point: Point) -> bool:
    return (
        isinstance(point.version, str)
        and _is_oid(point.commit)
        and isinstance(point.digest, str)
        and is_digest(point.digest)
        and (point.tag is None or _is_oid(point.tag))
    )


def _is_oid(text: object) -> bool:
    return isinstance(text, str) and _OID.fullmatch(text) is not None


def _id_of(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def show_time(time: int) -> str:
    """RFC 3339 in UTC with microseconds."""
    moment = datetime.fromtimestamp(time // 1_000_000, UTC).replace(microsecond=time % 1_000_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> int:
    """Microseconds since 1970 of what ``show_time`` wrote.

    Raises:
        ValueError: it is something else.
    """
    if len(text) != 27 or text[-1] != "Z" or text[19] != ".":
        raise ValueError(f'"{text}" is not a time in UTC with microseconds')
    moment = datetime.fromisoformat(f"{text[:-1]}+00:00")
    return (moment - _EPOCH) // _MICROSECOND


def _from_json(data: Any, sequence: int, previous: str) -> Event:
    if data["v"] != FORMAT:
        raise ValueError(data["v"])
    until = data.get("until")
    return Event(
        kind=data["kind"],
        time=parse_time(data["time"]),
        actor=Actor(**data["actor"]),
        environment=data.get("environment"),
        before=_point(data.get("before")),
        after=_point(data.get("after")),
        tip=data.get("tip"),
        policy=data.get("policy"),
        policy_commit=data.get("policy_commit"),
        gates=tuple(data.get("gates", ())),
        reason=data.get("reason"),
        until=parse_time(until) if until is not None else None,
        details=data.get("details", {}),
        sequence=sequence,
        previous=previous,
    )


def _point(data: Any) -> Point | None:
    return None if data is None else Point(**data)


def _point_json(point: Point | None) -> dict[str, str] | None:
    if point is None:
        return None
    return {key: value for key, value in point._asdict().items() if value is not None}
