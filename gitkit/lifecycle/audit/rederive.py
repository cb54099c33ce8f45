"""Whether each move met the policy that it names: decided again, from what the journal held before it.

What was decided by facts that are gone (a gate's evidence, a branch that people have moved on) is taken as it was
recorded; that it was recorded is checked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.journal import MOVES, Event, Point
from gitkit.errors import KitError
from gitkit.lifecycle import environments
from gitkit.lifecycle.audit.facts import CommitFact
from gitkit.lifecycle.audit.findings import Finding, Gap, about
from gitkit.lifecycle.audit.policies import Policies
from gitkit.lifecycle.environments import Place
from gitkit.lifecycle.ledger import Entry, Ledger
from gitkit.lifecycle.rules import STOPS, Case, Stay, decide

if TYPE_CHECKING:
    from gitkit.core.config import Config
    from gitkit.lifecycle.gates.subject import Verdict

_DECIDED = (*MOVES, "approve", "gates")
"""Kinds for which it matters by which policy they were made."""

_SLACK_US = 600 * 1_000_000
"""Gates take their time: a move is recorded after it was decided. Within this time either moment will do."""


class Known(NamedTuple):
    """``facts`` about the commits that events name; ``taggers`` gives who made each tag of this clone."""

    place: Place
    policies: Policies
    facts: Mapping[str, CommitFact]
    taggers: Callable[[], Mapping[str, str]]


class Rederivation:
    """Takes events in the journal's order. Those that an earlier audit has checked are only taken in."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.ledger = Ledger()
        self.findings: list[Finding] = []
        self.gaps: list[Gap] = []
        self.notes: list[str] = []
        self._older: dict[str, list[Stay]] = {}
        self._first: dict[str, Event] = {}

    def add(self, entry: Entry, *, checked: bool) -> None:
        """The next event; ``checked`` where it was found sound before."""
        event = entry.event
        if event.environment is not None:
            self._first.setdefault(event.environment, event)
        if not checked:
            self._check(entry)
        self.ledger.add(entry)

    def _check(self, entry: Entry) -> None:
        event = entry.event
        if event.environment is None or event.kind not in _DECIDED:
            return
        try:
            config = self._policy(entry)
        except KitError as error:
            self._found(entry, f"the policy that it names cannot be read: {error.message}")
            return
        if event.kind in MOVES:
            self._check_move(entry, config)

    # -- the policy ----------------------------------------------------------------------------------------------------

    def _policy(self, entry: Entry) -> "Config | None":
        """The policy that counts, None where nobody has it any more; says where the event names a wrong one."""
        event = entry.event
        policies, name = self.known.policies, event.environment or ""
        if event.policy_commit is None:
            self._check_absent(entry)
        elif event.policy_commit not in self.known.facts:
            self._gap(entry, f"the commit of its policy ({event.policy_commit[:12]}) is not in this clone")
            return None
        elif event.policy_commit != self._policy_rev(event):
            self._found(entry, f"its policy is from {event.policy_commit[:12]}, not from where {name} was")
        config = policies.of(event)
        if config is None:
            if event.policy is not None:
                self.notes.append(
                    f"event {event.sequence} ({event.subject()}) was decided by a policy of somebody's worktree that "
                    "is not in Git"
                )
        elif policies.digest(config, name) != event.policy:
            self._found(entry, f"{str(event.policy_commit)[:12]} has another policy of {name} than it names")
        return config

    def _policy_rev(self, event: Event) -> str | None:
        """Where the policy in force was when the event found the environment at its ``tip``."""
        if event.tip is None or event.tip not in self.known.facts or event.environment is None:
            return event.tip
        return environments.policy_rev(self.known.place, event.environment, event.tip)

    def _check_absent(self, entry: Entry) -> None:
        """A worktree's policy counts only where the environment's branch has none."""
        event = entry.event
        if event.tip is None or event.tip not in self.known.facts:
            return
        there = self.known.policies.at(self._policy_rev(event) or event.tip)
        if there is not None and (event.environment or "") in there.environments:
            self._found(entry, f"it names no policy, and {event.tip[:12]} has one of {event.environment}")

    # -- a move --------------------------------------------------------------------------------------------------------

    def _check_move(self, entry: Entry, config: "Config | None") -> None:
        event = entry.event
        if event.after is None:
            self._found(entry, "it moves an environment to no version")
            return
        self._check_release(entry, event.after)
        if event.kind == "rollback":
            self._check_rollback(entry, event.after, config)
        elif config is not None:
            self._check_promotion(entry, event.after, config)
        else:
            self._check_recorded(entry)
        if config is None or config.environment(event.environment or "").sources:
            self._check_before(entry)

    def _check_release(self, entry: Entry, after: Point) -> None:
        released = self.ledger.releases.get(after.version)
        point = released.event.after if released is not None else None
        if point is not None and (point.digest, point.commit) != (after.digest, after.commit):
            self._found(entry, f"{after.version} is {after.digest} of {after.commit[:12]} here, and was released as "
                        f"{point.digest} of {point.commit[:12]}")  # fmt: skip

    def _check_before(self, entry: Entry) -> None:
        last = self.ledger.last_move(entry.event.environment or "")
        ran = last.event.after if last is not None else None
        before = entry.event.before
        if ran is not None and (before is None or (before.version, before.digest) != (ran.version, ran.digest)):
            self._found(entry, f"it says that {before.version if before else 'nothing'} ran before, not {ran.version}")

    def _check_rollback(self, entry: Entry, after: Point, config: "Config | None") -> None:
        name = entry.event.environment or ""
        rejected = self.ledger.rejection(after)
        if rejected is not None:
            self._found(entry, f"{after.version} had been rejected by {rejected.event.actor.name}")
        rules = config or self.known.place.config
        managed = name in rules.environments and bool(rules.environments[name].sources)
        ran = {(stay.version, stay.digest) for stay in self._stays(name)}
        if not {(after.version, after.digest), (after.version, None)} & ran and managed:
            self._found(entry, f"{after.version} never ran in {name}")

    def _check_promotion(self, entry: Entry, after: Point, config: "Config") -> None:
        event = entry.event
        recorded = {str(gate["gate"]): str(gate["outcome"]) for gate in event.gates}
        waiver = _Waiver(config, event)
        for verdict in self._decided(event, after, config):
            self._check_rule(entry, verdict, recorded.get(verdict.gate), waiver)
        for gate in config.environment(event.environment or "").gates:
            self._check_gate(entry, gate, recorded.get(gate), waiver)

    def _check_recorded(self, entry: Entry) -> None:
        """All that is left of a policy that is gone: what its rules said."""
        for gate in entry.event.gates:
            if gate["outcome"] not in ("passed", "waived"):
                self._found(entry, f"{gate['gate']} is {gate['outcome']}")

    def _check_rule(self, entry: Entry, verdict: "Verdict", outcome: str | None, waiver: "_Waiver") -> None:
        if verdict.outcome == "passed":
            return
        if verdict.outcome == "unevaluated":
            self._gap(entry, f"{verdict.gate}: {verdict.reason}")
        elif outcome == "waived" and verdict.gate not in STOPS:
            if not waiver.is_valid:
                self._found(entry, f"{verdict.gate} was waived by {waiver.problem}")
        elif outcome == "passed" and self._depends_on_people(entry.event, verdict.gate, waiver.config):
            self.notes.append(f"event {entry.event.sequence}: {verdict.gate} as it was recorded; {verdict.reason}")
        else:
            self._found(entry, f"{verdict.gate}: {verdict.reason}")

    def _check_gate(self, entry: Entry, gate: str, outcome: str | None, waiver: "_Waiver") -> None:
        if outcome == "waived" and not waiver.is_valid:
            self._found(entry, f"{gate} was waived by {waiver.problem}")
        elif outcome not in ("passed", "waived"):
            self._found(entry, f"{gate} is {outcome or 'not recorded'}")
        elif outcome == "passed" and waiver.config.gate(gate).kind == "eval":
            from gitkit.lifecycle.audit.metrics import contradiction

            reason = contradiction(self.known.place, self.known.facts, waiver.config.gate(gate), entry.event)
            if reason is not None:
                self._found(entry, f"{gate} was recorded as passed, and the commits give: {reason}")

    # -- what a rule looks at ------------------------------------------------------------------------------------------

    def _decided(self, event: Event, after: Point, config: "Config") -> list["Verdict"]:
        """Every rule's verdict, at the event's time or a little before, whichever is the better one."""

        asks = config.environment(event.environment or "").approvals is not None
        authors = self._authors(after) if asks else set()

        def at(now: int) -> list["Verdict"]:
            return decide(
                Case(
                    config=config,
                    environment=event.environment or "",
                    point=after,
                    ledger=self.ledger,
                    now=now,
                    authors=authors,
                    stays=lambda name: self._stays_for(name, config, after),
                )
            )

        verdicts = at(event.time)
        if all(verdict.lets_through for verdict in verdicts):
            return verdicts
        earlier = {verdict.gate: verdict for verdict in at(event.time - _SLACK_US)}
        timed = ("windows", "approvals")
        return [earlier[one.gate] if one.gate in timed and earlier[one.gate].lets_through else one for one in verdicts]

    def _authors(self, after: Point) -> set[str]:
        fact = self.known.facts.get(after.commit)
        tagger = self.known.taggers().get(after.version)
        return {*(fact.people if fact is not None else ()), *([tagger] if tagger else ())}

    def _stays_for(self, name: str, config: "Config", after: Point) -> Sequence[Stay] | None:
        if name not in config.environments:
            return None
        if config.environments[name].sources:
            return self._stays(name)
        released = self.ledger.releases.get(after.version)
        fact = self.known.facts.get(after.commit)
        times = [released.event.seconds] if released is not None else []
        times += [fact.time] if fact is not None else []
        followed = [Stay(after.version, None, max(times), None)] if times else []
        return [*followed, *self._stays(name)]

    def _depends_on_people(self, event: Event, rule: str, config: "Config") -> bool:
        """Whether a source follows a branch that people write: what it had then is not recorded."""
        sources = config.environment(event.environment or "").sources
        return rule in ("from", "soak") and any(not config.environment(source).sources for source in sources)

    def _stays(self, name: str) -> list[Stay]:
        """What the moves so far say, newest first; then what the branch had before the journal."""
        stays = []
        end = None
        for entry in reversed(self.ledger.moves.get(name, [])):
            event = entry.event
            if event.after is not None:
                stays.append(Stay(event.after.version, event.after.digest, event.seconds, end))
            end = event.seconds
        older = self._before_journal(name)
        if older and end is not None:
            older = [older[0]._replace(end=end), *older[1:]]
        return stays + older

    def _before_journal(self, name: str) -> list[Stay]:
        if name not in self._older:
            self._older[name] = list(self._read_older(name))
        return self._older[name]

    def _read_older(self, name: str) -> Iterator[Stay]:
        """Moves that the branch of ``name`` had when the journal's first event about it found it."""
        place, first = self.known.place, self._first.get(name)
        tip = first.tip if first is not None else None
        if name not in place.config.environments:
            return
        settings = place.config.environment(name)
        if first is None:  # no event has been about it: then all that it has is older
            tip = environments.known_tip(place, settings.branch)
        if tip is None or (first is not None and tip not in self.known.facts):
            return
        end = None
        for run in environments.read(place, name, settings, tip).runs:
            if run.entry is None and run.event != "commit" and environments.genuine(place, [run]):
                yield Stay(run.version, run.digest, run.time, end)
                end = run.time

    def _found(self, entry: Entry, text: str) -> None:
        self.findings.append(about("policy", entry, text))

    def _gap(self, entry: Entry, text: str) -> None:
        self.gaps.append(Gap(text, entry.event.sequence, entry.event.environment))


class _Waiver(NamedTuple):
    """Whether the actor of ``event`` may waive rules of ``config``, and has said why."""

    config: "Config"
    event: Event

    @property
    def problem(self) -> str | None:
        from gitkit.core.policy import members

        override = self.config.environment(self.event.environment or "").override
        if self.event.actor.email.lower() not in members(override, self.config.groups):
            return f"{self.event.actor}, who may not"
        return None if self.event.reason else f"{self.event.actor} without a reason"

    @property
    def is_valid(self) -> bool:
        return self.problem is None
