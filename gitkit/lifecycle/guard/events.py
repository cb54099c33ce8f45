"""Whether the events that a push adds to the journal may be: signatures, versions, and the rules of environments.

What a server can decide is decided again, from the journal and the branches that it has. What gates said is taken from
the event, since they may need content, network and time that a server does not have.
"""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitkit.core.journal import MOVES, Event, Point
from gitkit.errors import Denied
from gitkit.git import objects, refs, signatures
from gitkit.lifecycle import environments, trust
from gitkit.lifecycle.environments import JOURNAL, State
from gitkit.lifecycle.guard.server import OVERTAKEN, Server, refuse_unless
from gitkit.lifecycle.ledger import Entry, Ledger
from gitkit.lifecycle.rules import STOPS, Case, Stay, decide
from gitkit.lifecycle.situation import authors_of, stays_of

if TYPE_CHECKING:
    from gitkit.core.config import Config
    from gitkit.lifecycle.gates.subject import Verdict


def check_events(server: Server, known: Sequence[Entry], fresh: Sequence[Entry]) -> None:
    """Whether ``fresh`` may follow ``known``.

    Raises:
        Denied: an event may not be.
        InvalidFile: a ``.gitkit.toml`` that rules an event has problems, or does not name its environment.
    """
    judge = _Judge(server=server, known=known, fresh={entry.oid: entry for entry in fresh}, ledger=Ledger(known))
    for entry in fresh:
        judge.take(entry)


@dataclass(kw_only=True)
class _Judge:
    """``ledger`` holds what comes before the event that is looked at; ``moved`` the moves of this push before it."""

    server: Server
    known: Sequence[Entry]
    fresh: dict[str, Entry]
    ledger: Ledger
    moved: dict[str, list[Entry]] = field(default_factory=dict)
    taken: list[Entry] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        event = entry.event
        self._require_signature(entry)
        if event.after is not None:
            self._require_point(event.after, event)
        if event.environment is not None and event.kind in MOVES:
            self._require_move(event, event.environment)
            self.moved.setdefault(event.environment, []).append(entry)
        elif event.environment is not None:
            self.server.place.config.environment(event.environment)
        self.ledger.add(entry)
        self.taken.append(entry)

    # -- who -----------------------------------------------------------------------------------------------------------

    def _policy(self, name: str, tip: str | None) -> "tuple[Config, str]":
        """The rules in force where the environment is at ``tip``, and the revision that they are from."""
        config = self.server.policy(name, tip)
        rev = environments.policy_rev(self.server.place, name, tip)
        return config, rev if rev is not None and config is not self.server.place.config else "HEAD"

    def _require_signature(self, entry: Entry) -> None:
        event, git = entry.event, self.server.git
        config, rev = self.server.place.config, "HEAD"
        if event.environment is not None:
            config, rev = self._policy(event.environment, self._branch_tip(event.environment))
        if not config.journal.signed:
            return
        signers = objects.read_file(git, rev, config.journal.signers)
        [(_, signature)] = signatures.commits(git, [entry.oid], signers)
        refuse_unless(
            signatures.is_by(signature, event.actor.email, signers),
            f"{event.subject()} is not signed by {event.actor}: {signature.status}"
            + (f", by {signature.signer}" if signature.signer else ""),
            hint=f"[journal] signed = true asks for a signature that {config.journal.signers} allows",
        )

    # -- versions ------------------------------------------------------------------------------------------------------

    def _require_point(self, point: Point, event: Event) -> None:
        """The version is what it was when it was released, and its tag leads to its commit."""
        released = self.ledger.releases.get(point.version)
        there = released.event.after if released is not None else None
        if there is not None:
            same = (there.digest, there.commit) == (point.digest, point.commit)
            refuse_unless(
                same and (point.tag in (None, there.tag) or there.tag is None),
                f"{event.subject()}: {point.version} was released as {there.digest} from {there.commit[:12]}",
            )
        if event.kind not in (*MOVES, "release"):
            return
        refuse_unless(
            self.server.has_commit(point.commit), f"{event.subject()}: its commit {point.commit[:12]} is not here"
        )
        name = self.server.git.ask("rev-parse", "-q", "--verify", "--end-of-options", f"refs/tags/{point.version}")
        tag = point.tag or name
        refuse_unless(
            name is None or tag == name,
            f"{event.subject()}: the tag {point.version} is another one here",
        )
        if event.kind != "rollback":
            leads_to = self.server.git.ask("rev-parse", "-q", "--verify", f"{tag}^{{commit}}") if tag else None
            refuse_unless(
                leads_to == point.commit, f"{event.subject()}: no tag {point.version} leads to {point.commit[:12]}"
            )

    # -- moves ---------------------------------------------------------------------------------------------------------

    def _require_move(self, event: Event, name: str) -> None:
        if event.after is None:
            raise Denied(f"{event.subject()} does not say where to")
        tip = self._branch_tip(name)
        if self.server.policy(name, tip).environment(name).sources:
            self._require_tip(event, name, tip)
            tip = event.tip
        # From here on the commit is not the event's word alone: a lax policy elsewhere does not count.
        config, rev = self._policy(name, tip)
        refuse_unless(
            event.policy == config.policy_of(name),
            f"{event.subject()} was decided by another policy than the one that rules {name} here",
            hint="bring the .gitkit.toml of the main branch into your worktree",
        )
        state = environments.read(self.server.place, name, config.environment(name), tip, self.ledger)
        self._require_before(event, state)
        if event.kind == "rollback":
            self._require_way_back(event, state, event.after)
        else:
            counted = Ledger(trust.counted(self.server.git, [*self.known, *self.taken], config.journal, rev))
            self._require_rules(event, config, event.after, counted)

    def _branch_tip(self, name: str) -> str | None:
        """Where the environment's branch was before the events of this push: some of it may have landed already."""
        tip = self.server.tip(self.server.place.config.environment(name).branch)
        while tip is not None:
            entry = self.fresh.get(objects.trailers(objects.read_commit(self.server.git, tip).message).get(JOURNAL, ""))
            if entry is None or entry.event.environment != name:
                break
            tip = entry.event.tip
        return tip

    def _require_tip(self, event: Event, name: str, tip: str | None) -> None:
        moved = self.moved.get(name)
        if moved:
            from gitkit.lifecycle.guard.branches import check_commit

            refuse_unless(event.tip is not None, f"{event.subject()} does not continue what comes before it")
            check_commit(self.server, name, moved[-1], str(event.tip))
            return
        refuse_unless(
            event.tip == tip,
            f"{event.subject()} found {name} at {(event.tip or 'nothing')[:12]}, and it is at {(tip or 'nothing')[:12]}"
            f" {OVERTAKEN}",
        )
        if tip is None:
            return
        named = objects.trailers(objects.read_commit(self.server.git, tip).message).get(JOURNAL)
        refuse_unless(
            named is None or any(entry.oid == named for entry in self.known),
            f"{name} is at {tip[:12]}, whose event {str(named)[:12]} the journal does not hold",
            hint="somebody pushed the branch without the journal; the administrator puts the branch back",
        )

    def _require_before(self, event: Event, state: State) -> None:
        before = event.before
        if not state.managed:
            released = self.ledger.releases.get(before.version) if before is not None else None
            there = released.event.digest if released is not None else None
            refuse_unless(
                before is None or there in (None, before.digest), f"{event.subject()}: what it found never ran"
            )
            return
        run = state.current
        same = (before is None) == (run is None)
        if before is not None and run is not None:
            same = before.version == run.version and run.digest in (None, before.digest)
        refuse_unless(same, f"{event.subject()} says that {before.version if before else 'nothing'} ran before")

    def _require_way_back(self, event: Event, state: State, after: Point) -> None:
        rejected = self.ledger.rejection(after)
        refuse_unless(rejected is None, f"{event.subject()}: {after.version} was rejected")
        refuse_unless(
            any(
                (run.version, run.commit) == (after.version, after.commit) and run.digest in (None, after.digest)
                for run in state.runs
            ),
            f"{event.subject()}: {after.version} never ran in {state.name}",
        )

    def _require_rules(self, event: Event, config: "Config", after: Point, ledger: Ledger) -> None:
        name = str(event.environment)
        refuse_unless(
            fnmatch.fnmatchcase(after.version, config.kit.tags),
            f'{event.subject()}: versions match "{config.kit.tags}"',
        )
        case = Case(
            config=config,
            environment=name,
            point=after,
            ledger=ledger,
            now=event.time,
            authors=self._authors(after),
            stays=lambda source: self._stays(source, after),
        )
        problems = [*_unmet(case, decide(case), event), *_unproven(case, event)]
        lines = "\n".join(f"  {problem}" for problem in problems)
        refuse_unless(not problems, f"{name} does not take {after.version}:\n{lines}")

    def _authors(self, point: Point) -> set[str]:
        git = self.server.git
        authors = authors_of(self.server.place, point.commit, point.version)
        if point.tag is not None and git.ask("cat-file", "-t", point.tag) == "tag":
            head = git.run("cat-file", "tag", point.tag).decode("utf-8", "replace").partition("\n\n")[0]
            tagger = next((line for line in head.split("\n") if line.startswith("tagger ")), "")
            authors.add(tagger.rpartition("> ")[0].rpartition("<")[2].lower())
        return authors

    def _stays(self, name: str, point: Point) -> Sequence[Stay] | None:
        if name not in self.server.place.config.environments:
            return None
        tip = self._branch_tip(name)
        settings = self.server.policy(name, tip).environment(name)
        state = environments.read(self.server.place, name, settings, tip, self.ledger)
        stays = stays_of(self.server.place, state, self.ledger)
        if not state.managed:
            return [*stays, *self._contained(tip, point)]
        # One event of a push may build on another only where it is sure that both land.
        for entry in self.moved.get(name, ()) if self.server.whole or not self.known else ():
            event = entry.event
            stays = [stay._replace(end=event.seconds) if stay.end is None else stay for stay in stays]
            if event.after is not None:
                stays.insert(0, Stay(event.after.version, event.after.digest, event.seconds, None))
        return stays

    def _contained(self, tip: str | None, point: Point) -> list[Stay]:
        """A version that a followed branch contains, and whose tag may come only with this push."""
        if tip is None or not refs.is_ancestor(self.server.git, point.commit, tip):
            return []
        time = objects.read_commit(self.server.git, point.commit).time
        released = self.ledger.releases.get(point.version)
        since = max(time, released.event.seconds) if released is not None else time
        return [Stay(point.version, None, since, None)]


def _unmet(case: Case, verdicts: "Sequence[Verdict]", event: Event) -> list[str]:
    return [
        f"{verdict.gate}: {verdict.reason}"
        for verdict in verdicts
        if not verdict.lets_through and (verdict.gate in STOPS or not _is_waived(case, event, verdict.gate))
    ]


def _unproven(case: Case, event: Event) -> list[str]:
    """Gates of the policy that the event does not record as passed."""
    outcomes = {str(gate["gate"]): str(gate["outcome"]) for gate in event.gates}
    return [
        f"{name}: the event records it as {outcomes.get(name, 'not evaluated')}"
        for name in case.settings.gates
        if outcomes.get(name) != "passed" and not _is_waived(case, event, name)
    ]


def _is_waived(case: Case, event: Event, name: str) -> bool:
    """Whether the event says so, with a reason, and its actor may."""
    from gitkit.core.policy import members

    recorded = any(gate["gate"] == name and gate["outcome"] == "waived" for gate in event.gates)
    permitted = event.actor.email.lower() in members(case.settings.override, case.config.groups)
    return recorded and permitted and event.reason is not None
