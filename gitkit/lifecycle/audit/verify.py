"""`git kit audit verify`: everything that the journal says is compared with everything else, and nothing is mended.

An audit does not stop at what it finds. After one without findings the next skips the signatures and policies of the
events that it has checked; all the rest is checked every time.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache as once
from functools import cached_property

from gitkit.core.journal import BRANCH as JOURNAL_BRANCH
from gitkit.core.journal import MOVES
from gitkit.core.remote import Remote
from gitkit.errors import KitError
from gitkit.lifecycle import environments, journal
from gitkit.lifecycle.audit import branches, chain, facts, names, pin, signed
from gitkit.lifecycle.audit.facts import CommitFact
from gitkit.lifecycle.audit.findings import Audit, Finding, Gap
from gitkit.lifecycle.audit.pin import Pins
from gitkit.lifecycle.audit.policies import Policies
from gitkit.lifecycle.audit.rederive import Known, Rederivation
from gitkit.lifecycle.audit.walk import Journal, read_journal
from gitkit.lifecycle.environments import Fresh, Place
from gitkit.lifecycle.ledger import Entry, Ledger
from gitkit.sync.parallel import Threads, each, wait_for

_AT_ONCE = 4
_ROUNDS = 3
"""A push may arrive while branches are being asked for: what looks wrong then is looked at again."""


def verify(
    place: Place, open_remote: Callable[[], Remote] | None, *, offline: bool = False, full: bool = False
) -> Audit:
    """Audit the journal. ``open_remote`` gives the registry; None leaves it out. ``offline``: nobody is asked anything.

    Raises:
        NetworkError: the Git remote cannot be reached.
    """
    early = _Early(place)
    fresh = _ask(place, offline)
    for _ in range(_ROUNDS):
        auditing = _Auditing(place=place, early=early, fresh=fresh, offline=offline, full=full)
        auditing.run_structure()
        if offline or not auditing.looks_raced:
            break
        again = _ask(place, offline)
        if again.tips == fresh.tips:
            break
        fresh = again
    early.end()
    return auditing.finish(open_remote)


class _Early:
    """What is begun before anybody answers where the branches are: the journal is mostly where it was seen last."""

    def __init__(self, place: Place) -> None:
        repository = place.repository
        git = repository.git
        self._threads = Threads(_AT_ONCE)
        self._repository = repository
        self.pins = pin.read_pins(git)
        self._journal = self._threads.submit(lambda: read_journal(repository, self.pins.seen))
        self._tags = self._threads.submit(lambda: facts.local_tags(git))

    def journal(self, tip: str | None) -> Journal:
        """The journal up to ``tip``."""
        return wait_for(self._journal) if tip == self.pins.seen else read_journal(self._repository, tip)

    def tags(self) -> Mapping[str, str]:
        """The tags of this clone, before the Git remote was asked."""
        return wait_for(self._tags)

    def end(self) -> None:
        self._threads.end()


def _ask(place: Place, offline: bool, more: Iterable[str] = ()) -> Fresh:
    """Where the journal and the environments' branches are, and the tags of the Git remote where that is asked."""
    configured = (one.branch for one in place.config.environments.values())
    wanted = list(dict.fromkeys((JOURNAL_BRANCH, *configured, *more)))
    if not offline:
        return environments.ask(place, wanted)
    known = ((branch, environments.known_tip(place, branch)) for branch in wanted)
    return Fresh({branch: tip for branch, tip in known if tip is not None}, None)


@dataclass(kw_only=True)
class _Auditing:
    """One audit of what ``fresh`` tips lead to."""

    place: Place
    early: _Early
    fresh: Fresh
    offline: bool
    full: bool
    findings: list[Finding] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    astray: set[str] = field(default_factory=set)
    _managed: dict[str, bool] = field(default_factory=dict)
    # -- what there is -------------------------------------------------------------------------------------------------

    @property
    def pins(self) -> Pins:
        return self.early.pins

    @property
    def tips(self) -> dict[str, str]:
        return self.fresh.tips

    @cached_property
    def tip(self) -> str | None:
        return self.tips.get(JOURNAL_BRANCH)

    @cached_property
    def journal(self) -> Journal:
        return self.early.journal(self.tip)

    @cached_property
    def entries(self) -> list[Entry]:
        return self.journal.entries

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.entries)

    @cached_property
    def releases(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.event.kind == "release"]

    @cached_property
    def policies(self) -> Policies:
        return Policies(self.place)

    @cached_property
    def events_of(self) -> Mapping[str, Sequence[Entry]]:
        """The events of each environment; those that have none so far are in it, too."""
        found: dict[str, list[Entry]] = {name: [] for name in self.place.config.environments}
        for entry in self.entries:
            if entry.event.environment is not None:
                found.setdefault(entry.event.environment, []).append(entry)
        return found

    @cached_property
    def facts(self) -> Mapping[str, CommitFact]:
        """About the commits that events name: of old events only those that are looked at every time."""
        oids: list[str | None] = []
        for number, entry in enumerate(self.entries):
            event = entry.event
            if event.kind in MOVES and event.after is not None:
                oids.append(event.after.commit)
            if number >= self.since or not self.is_managed(event.environment or ""):
                oids += [event.tip, event.policy_commit]
                oids += [point.commit for point in (event.before, event.after) if point is not None]
        oids += [entry.event.tip for events in self.events_of.values() for entry in events[:1]]
        return facts.commits(self.place.repository.git, [oid for oid in oids if oid is not None])

    @cached_property
    def tags(self) -> names.Tags:
        points = [entry.event.after for entry in self.new if entry.event.kind == "release"]
        oids = [point.tag for point in points if point is not None and point.tag is not None]
        leads = facts.peeled(self.place.repository.git, oids)
        return names.Tags(self.early.tags(), self.fresh.tags, self.place.git_remote, leads)

    @cached_property
    def new(self) -> list[Entry]:
        """The events that no earlier audit has checked in full."""
        return self.entries[self.since :]

    @cached_property
    def signers(self) -> bytes | None:
        return signed.signers_here(self.place)

    @cached_property
    def trusted(self) -> str:
        """What an audit of old events depends on, beside the journal."""
        return pin.trusted_digest([self.place.config.journal.model_dump_json().encode(), self.signers])

    @cached_property
    def since(self) -> int:
        """How many events were checked in full before."""
        if self.full:
            return 0
        oids = [link.commit.oid for link in self.journal.links]
        count = pin.checkpoint(self.place.repository, self.pins, oids, self.trusted)
        return sum(1 for link in self.journal.links[:count] if link.event is not None)

    # -- what is checked every time ------------------------------------------------------------------------------------

    @property
    def looks_raced(self) -> bool:
        return any(finding.kind == "branch" for finding in self.findings)

    def run_structure(self) -> None:
        """The chain, what this clone remembers of it, and the branches."""
        git = self.place.repository.git
        self.findings += pin.check_seen(git, self.pins.seen, self.tip)
        self.findings += chain.check(self.journal, time.time_ns() // 1000)
        if self.journal.cut:
            self.gaps.append(Gap("this clone is shallow: the beginning of the journal is not here"))
        if self.journal.aside:
            self.notes.append(f"{self.journal.aside} commits were merged into the journal and are not counted")
        for outcome in each(branches.check, list(self._subjects()), limit=_AT_ONCE):
            self.findings += outcome.findings
            self.gaps += outcome.gaps
            self.notes += outcome.notes
            self.astray |= outcome.astray

    def _subjects(self) -> Iterator[branches.Subject]:
        began = self.entries[0].event.seconds if self.entries else None
        oids = frozenset(link.commit.oid for link in self.journal.links)
        around = branches.Surroundings(self.place.repository.git, self.facts, oids, began, self.journal.shallow)
        for name, events in self.events_of.items():
            branch = self._branch_of(name, events)
            if branch is None:
                text = "it is not in .gitkit.toml, and no policy of it is left: nobody knows its branch"
                self.gaps.append(Gap(text, environment=name))
            else:
                tip = self.tips.get(branch)
                yield branches.Subject(around, name, branch, tip, self.is_managed(name), events)

    def _branch_of(self, name: str, events: Sequence[Entry]) -> str | None:
        """The environment's branch; that of its last policy where ``.gitkit.toml`` has dropped it."""
        if name in self.place.config.environments:
            return self.place.config.environments[name].branch
        for entry in reversed(events):
            try:
                config = self.policies.of(entry.event)
            except KitError:
                continue
            if config is not None:
                branch = config.environment(name).branch
                self.notes.append(f"{name} is no longer in .gitkit.toml; its branch was {branch}")
                if branch not in self.tips:
                    self.tips.update(_ask(self.place, self.offline, [branch]).tips)
                return branch
        return None

    def is_managed(self, name: str) -> bool:
        """Whether only git kit writes the branch: as ``.gitkit.toml`` says here, or as its last policy has it."""
        if name not in self._managed:
            self._managed[name] = self._is_managed(name)
        return self._managed[name]

    def _is_managed(self, name: str) -> bool:
        configs = [self.place.config]
        for entry in reversed(self.events_of.get(name, ())):
            try:
                last = self.policies.of(entry.event)
            except KitError:
                continue
            configs += [last] if last is not None else []
            break
        return any(name in one.environments and bool(one.environments[name].sources) for one in configs)

    # -- the rest ------------------------------------------------------------------------------------------------------

    def finish(self, open_remote: Callable[[], Remote] | None) -> Audit:
        """Check what is left, and remember what was seen."""
        self._check_names(open_remote)
        self._check_policies()
        outcome = signed.check(self.place, self.policies, self.entries, self.astray, here=self.signers, skip=self.since)
        self.findings += outcome.findings
        self.gaps += outcome.gaps
        audit = Audit(
            tip=self.tip,
            events=len(self.journal.links),
            since=self.since,
            environments=[name for name, events in self.events_of.items() if events],
            findings=sorted(self.findings, key=lambda finding: (finding.event or 0, finding.kind)),
            gaps=self.gaps,
            notes=self.notes,
        )
        self._remember(audit)
        return audit

    def _check_names(self, open_remote: Callable[[], Remote] | None) -> None:
        findings, gaps = names.check_tags(self.releases, self.tags)
        if open_remote is not None and not self.offline and self.entries:
            managed = {name: self.is_managed(name) for name in self.events_of}
            new = {entry.oid for entry in self.new}
            releases = [entry for entry in self.ledger.releases.values() if entry.oid in new]
            wanted = names.wanted_tags(self.ledger, managed, releases)
            try:
                wrong, unknown = names.check_registry(open_remote(), wanted)
            except KitError as error:
                wrong, unknown = [], [Gap(f"the registry cannot be asked: {error.message}")]
            findings, gaps = findings + wrong, gaps + unknown
        self.findings += findings
        self.gaps += gaps

    def _check_policies(self) -> None:
        if not self.new:
            return
        events = [entry.event for entry in self.new]
        tips = [event.tip for event in events if event.environment is not None and event.policy_commit is None]
        commits = [oid for oid in (*(event.policy_commit for event in events), *tips) if oid in self.facts]
        self.policies.load([oid for oid in commits if oid is not None])
        rederivation = Rederivation(
            Known(self.place, self.policies, self.facts, once(lambda: facts.taggers(self.place.repository.git)))
        )
        for number, entry in enumerate(self.entries):
            rederivation.add(entry, checked=number < self.since)
        self.findings += rederivation.findings
        self.gaps += rederivation.gaps
        self.notes += rederivation.notes

    def _remember(self, audit: Audit) -> None:
        """The pin goes forward where the journal continues it, the checkpoint where it is sound."""
        if self.tip is None:
            return
        repository = self.place.repository
        if not any(finding.kind in ("truncated", "forked") for finding in self.findings):
            pin.remember(repository.git, journal.SEEN, self.tip, self.pins.seen)
        if audit.clean:
            pin.save_checkpoint(repository, self.pins, self.tip, self.trusted)
