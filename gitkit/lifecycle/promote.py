"""Promotion: a released version into an environment, the same digest that was tested before."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from gitkit.core.events import Sink, Warned, ignore
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, GateRefused, InvalidFile, KitError
from gitkit.git import refs
from gitkit.git.tags import release_commit
from gitkit.lifecycle import environments, journal, move
from gitkit.lifecycle.environments import Place, State
from gitkit.lifecycle.gates.subject import Subject, Verdict
from gitkit.lifecycle.move import Moved
from gitkit.lifecycle.plan import PolicyChanges, policy_changes
from gitkit.lifecycle.record import Change, event_of, record
from gitkit.lifecycle.rules import STOPS, Case, decide, waive
from gitkit.lifecycle.situation import Situation, authors_of, look
from gitkit.modelkit.build import Kit

if TYPE_CHECKING:
    from gitkit.core.config import Config
    from gitkit.core.policy import Environment

_Step = Literal["stay", "forward", "commit"]
"""What the branch does: nothing, move to the version's own commit, or get a commit of ours."""


class Plan(NamedTuple):
    """A promotion that is thought through and not done. ``step`` is what the environment's branch would do, ``who`` the
    person and the moment that the rules were decided for. ``policy`` is how the version's own policy differs from the
    one in force, which it follows; None where it does not.
    """

    environment: str
    kit: Kit
    state: State
    step: _Step
    who: journal.Who
    verdicts: Sequence[Verdict]
    policy: PolicyChanges | None = None

    @property
    def refused(self) -> list[Verdict]:
        """Rules that are not met. What runs there already is held to none."""
        return [] if self.step == "stay" else [one for one in self.verdicts if not one.lets_through]


@dataclass(kw_only=True)
class Promotion:
    """One promotion, from the first look to the registry's tag."""

    place: Place
    remote: Remote
    version: str
    name: str
    reason: str | None = None
    override: Collection[str] = ()
    emit: Sink = ignore
    _said: tuple[object, list[Verdict]] | None = None

    def plan(self, situation: Situation, *, every: bool = True) -> Plan:
        """What would be done now, and which rules stand against it; not ``every`` one where it is stopped anyway.

        Raises:
            InvalidFile: no such environment.
            NotFound: no such version, or it was never released, or its kit is incomplete on the remote.
            Conflict: the tag or the branch is not what it should be.
            Denied, UsageError: see ``rules.waive``.
        """
        if self.version in self.place.config.environments:
            raise InvalidFile(f'"{self.version}" is an environment, not a version', hint="git kit promote VERSION ENV")
        self.place.config.environment(self.name)
        rules = situation.policy(self.name)
        state = situation.state(self.name)
        move.require_in_step(situation, self.name)
        kit = self._kit(situation)
        step = _step(self.place, state, rules.environment(self.name), kit)
        who = journal.who(self.place.repository.git)
        verdicts = [] if step == "stay" else self._verdicts(situation, kit, who, every)
        return Plan(self.name, kit, state, step, who, verdicts, self._policy_changes(rules, kit, step))

    def run(self) -> Moved:
        """Do it. Promoting what runs there already only repairs the registry.

        Raises:
            As ``plan``, and:
            GateRefused: a rule is not met; the verdicts go into the journal.
            Conflict: somebody else moved the environment.
            PartlyDone: Git moved and the registry's tag did not.
        """
        plans: list[Plan] = []

        def prepare(situation: Situation) -> Change | None:
            plan = self.plan(situation, every=False)
            plans.append(plan)
            if plan.refused:
                self._refuse(situation, plan)
            return self._change(situation, plan)

        recorded = record(self.place, prepare, tag=self.version, emit=self.emit)
        plan = plans[-1]
        if plan.policy is not None:
            self.emit(Warned(f"{self.version} brought {self.name} another policy: {plan.policy}"))
        tip = recorded.tip if recorded is not None else None
        if recorded is None:
            self._bring_tag()
        try:
            tagged = move.retag(self.place, self.remote, plan.state, plan.kit, tip or plan.state.tip)
        finally:
            move.follow(self.place, plan.state.branch, tip or plan.state.tip or plan.kit.commit, self.emit)
        before = plan.state.current.version if plan.state.current else None
        entry = recorded.entry if recorded is not None else None
        return Moved(self.name, plan.kit, before, tip, tagged, entry, plan.verdicts)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _kit(self, situation: Situation) -> Kit:
        git = self.place.repository.git
        commit = release_commit(git, self.version, situation.policy(self.name).kit.tags)
        kit = self.place.build(commit, self.version)
        self._refuse_other_tag(situation)
        move.require_released(self.remote, kit)
        return kit

    def _policy_changes(self, rules: "Config", kit: Kit, step: _Step) -> PolicyChanges | None:
        """What comes into force with the version; where people write the branch, that is no matter of versions."""
        if step != "commit" or not rules.environment(self.name).sources:
            return None
        return policy_changes(rules, self.place.config_of(kit.commit), self.name)

    def _refuse_other_tag(self, situation: Situation) -> None:
        here = move.tag_oid(self.place, self.version)
        released = situation.ledger.releases.get(self.version)
        if situation.tag is not None and situation.tag != here:
            raise Conflict(
                f"the tag {self.version} is not the same here and on {self.place.git_remote}",
                hint=f"take theirs: git fetch {self.place.git_remote} tag {self.version} --force",
            )
        if released is not None and released.event.after is not None and released.event.after.tag not in (None, here):
            raise Conflict(
                f"the tag {self.version} was moved after its release ({str(released.event.after.tag)[:12]})",
                hint="a version never changes: make a new tag for the new content; see git kit audit verify",
            )

    def _verdicts(self, situation: Situation, kit: Kit, who: journal.Who, every: bool) -> list[Verdict]:
        """Gates may take long: where a hold or a freeze stands in the way, they are evaluated only for ``every``."""
        rules = situation.policy(self.name)
        case = Case(
            config=rules,
            environment=self.name,
            point=move.point_of(self.place, kit),
            ledger=situation.ledger_of(self.name),
            now=who.time,
            authors=authors_of(self.place, kit.commit, kit.version),
            stays=situation.stays,
            content=move.content_of(kit),
        )
        verdicts = decide(case)
        if rules.environment(self.name).gates and (every or not any(verdict.gate in STOPS for verdict in verdicts)):
            verdicts += self._gates(rules, self._subject(situation, kit))
        return waive(case, verdicts, self.override, who.actor.name, who.actor.email)

    def _gates(self, rules: "Config", subject: Subject) -> list[Verdict]:
        """What the gates say; asked once for the same rules and the same baseline, however often a race is lost."""
        from gitkit.lifecycle.gates.evaluate import evaluate

        about = (rules.policy_of(self.name), subject.kit.digest, subject.baseline, subject.released)
        if self._said is None or self._said[0] != about:
            self._said = (about, evaluate(rules, self.name, subject))
        return self._said[1]

    def _subject(self, situation: Situation, kit: Kit) -> Subject:
        current = situation.state(self.name).current
        return Subject(
            repository=self.place.repository,
            environment=self.name,
            kit=kit,
            content=self.place.content(),
            released=self.remote.resolve(kit.version),
            baseline=current.commit if current else None,
            policy_rev=situation.files_rev(self.name),
            allow_commands=self.place.allow_commands,
            emit=self.emit,
        )

    def _change(self, situation: Situation, plan: Plan) -> Change | None:
        if plan.step == "stay":
            return None
        event = event_of(
            situation,
            "promote",
            environment=self.name,
            who=plan.who,
            emit=self.emit,
            before=move.point_of_run(self.place, plan.state.current),
            after=move.point_of(self.place, plan.kit),
            gates=tuple(verdict_json(verdict) for verdict in plan.verdicts),
            reason=self.reason,
        )
        tag = self.version if situation.tag is None and self.place.git_remote is not None else None
        return Change(event, self.name, plan.step == "forward", tag)

    def _bring_tag(self) -> None:
        """What runs there already may lack its tag on the Git remote."""
        remote = self.place.git_remote
        if remote is not None and environments.ask(self.place, []).tag(self.version) is None:
            refs.push(self.place.repository.git, remote, {}, tag=self.version)

    def _refuse(self, situation: Situation, plan: Plan) -> None:
        self._remember(situation, plan)
        lines = "\n".join(f"  {verdict.gate}: {verdict.reason}" for verdict in plan.refused)
        raise GateRefused(f"{self.name} does not take {self.version}:\n{lines}", hint=self._hint(plan))

    def _hint(self, plan: Plan) -> str:
        refused = {verdict.gate for verdict in plan.refused}
        sources = self.place.config.environment(self.name).sources
        if "hold" in refused:
            return f"to end the hold: git kit resume {self.name}"
        if "reject" in refused:
            return f"to take the rejection back: git kit reject {self.version} --undo"
        if "freeze" in refused:
            return f"to end the freeze: git kit unfreeze {self.name}"
        if "from" in refused and sources:
            return f"git kit promote {self.version} {sources[0]}"
        if refused == {"approvals"}:
            return f"somebody else: git kit approve {self.version} {self.name}"
        return f"all of it: git kit promote {self.version} {self.name} --dry-run"

    def _remember(self, situation: Situation, plan: Plan) -> None:
        """Verdicts about a digest are facts: they go into the journal, unless it has the same ones already."""
        gates = tuple(verdict_json(verdict) for verdict in plan.verdicts if verdict.gate not in STOPS)
        point = move.point_of(self.place, plan.kit)

        def prepare(now: Situation) -> Change | None:
            last = now.ledger.verdicts.get((self.name, point.digest))
            if last is not None and _outcomes(last.event.gates) == _outcomes(gates):
                return None
            return Change(event_of(now, "gates", environment=self.name, after=point, gates=gates))

        if not {verdict.gate for verdict in plan.refused} & set(
            situation.policy(self.name).environment(self.name).gates
        ):
            return
        try:
            record(self.place, prepare)
        except KitError as error:
            self.emit(Warned(f"the verdicts could not be recorded: {error.message}"))


def promote(
    place: Place,
    remote: Remote,
    version: str,
    name: str,
    *,
    reason: str | None = None,
    override: Collection[str] = (),
    emit: Sink = ignore,
) -> Moved:
    """Bring ``version`` into the environment ``name``; see ``Promotion.run``."""
    return Promotion(
        place=place, remote=remote, version=version, name=name, reason=reason, override=override, emit=emit
    ).run()


def plan(
    place: Place, remote: Remote, version: str, name: str, *, override: Collection[str] = (), emit: Sink = ignore
) -> Plan:
    """What ``promote`` would do; see ``Promotion.plan``."""
    promotion = Promotion(place=place, remote=remote, version=version, name=name, override=override, emit=emit)
    return promotion.plan(look(place, tag=version))


def verdict_json(verdict: Verdict) -> dict[str, object]:
    """A verdict as the journal holds it."""
    told: dict[str, object] = {"gate": verdict.gate, "outcome": verdict.outcome, "reason": verdict.reason}
    return {**told, "evidence": dict(verdict.evidence)} if verdict.evidence else told


def _outcomes(gates: Sequence[object]) -> set[tuple[object, object]]:
    return {(gate["gate"], gate["outcome"]) for gate in gates if isinstance(gate, dict)}


def _step(place: Place, state: State, environment: "Environment", kit: Kit) -> _Step:
    if not environment.sources:
        return _step_of_followed(place, state, kit)
    current = state.current
    if current is not None and current.version == kit.version and current.digest == kit.digest:
        return "stay"
    if state.tip is not None and place.repository.git.ask("cat-file", "-e", state.tip) is None:
        raise KitError(f"the tip of {state.branch} is not in this clone", hint="git fetch")
    return "commit"


def _step_of_followed(place: Place, state: State, kit: Kit) -> _Step:
    git = place.repository.git
    current = state.current
    if state.tip is None or (state.tip != kit.commit and refs.is_ancestor(git, state.tip, kit.commit)):
        return "forward"
    if current is not None and current.at == state.tip and current.event != "commit":
        # The tip is a rollback (or what came after one): only a commit of ours leads from there to another version.
        return "stay" if current.version == kit.version else "commit"
    if refs.is_ancestor(git, kit.commit, state.tip):
        if current is None or current.version == kit.version:
            return "stay"
        raise Conflict(
            f"{state.name} follows {state.branch}, which is at {current.version} already",
            hint=f"to go back: git kit rollback {state.name} --to {kit.version}",
        )
    raise Conflict(
        f"{state.branch} and {kit.version} have diverged: {state.name} follows its branch",
        hint=f"merge {kit.version} into {state.branch} and push it",
    )
