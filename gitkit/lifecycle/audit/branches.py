"""Whether each environment's branch is where the journal's events have taken it, commit by commit."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gitkit.core.journal import MOVES, Event
from gitkit.git import objects, refs
from gitkit.git.run import Git
from gitkit.lifecycle.audit import facts
from gitkit.lifecycle.audit.facts import CommitFact
from gitkit.lifecycle.audit.findings import Finding, Gap, about
from gitkit.lifecycle.audit.walk import Read, log, people
from gitkit.lifecycle.environments import DIGEST, ENV, EVENT, JOURNAL, REASON, VERSION
from gitkit.lifecycle.ledger import Entry


class Surroundings(NamedTuple):
    """``journal`` are the oids of all commits of the journal, ``began`` the time of its first event in seconds.

    ``shallow`` are commits whose parents a shallow clone leaves out.
    """

    git: Git
    facts: Mapping[str, CommitFact]
    journal: frozenset[str]
    began: int | None
    shallow: frozenset[str]


class Subject(NamedTuple):
    """One environment: ``events`` are all that name it, oldest first. ``managed``: only git kit writes its branch."""

    around: Surroundings
    name: str
    branch: str
    tip: str | None
    managed: bool
    events: Sequence[Entry]

    @property
    def moves(self) -> list[Entry]:
        return [entry for entry in self.events if entry.event.kind in MOVES]


@dataclass(slots=True)
class Outcome:
    """``astray`` are the commits of events whose ``tip`` was not where the journal had left the branch."""

    findings: list[Finding] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    astray: set[str] = field(default_factory=set)


def check(subject: Subject) -> Outcome:
    """Compare the branch of one environment with its events."""
    outcome = Outcome()
    _Check(subject, outcome).run()
    return outcome


class _Check:
    def __init__(self, subject: Subject, outcome: Outcome) -> None:
        self.around = subject.around
        self.subject = subject
        self.outcome = outcome
        self.moves = subject.moves

    def run(self) -> None:
        tip, moves = self.subject.tip, self.moves
        if tip is None:
            if moves:
                self._found(f"the branch {self.subject.branch} is gone; {_last(moves)} had moved it", moves[-1])
        elif not self.subject.managed:
            self._check_followed(tip)
        elif moves:
            self._note_older()
            self._check_row(self._row(tip))
        else:
            self._check_unrecorded(tip)

    # -- a branch that only git kit writes -----------------------------------------------------------------------------

    def _row(self, tip: str) -> list[Read]:
        """The branch's own commits since the first event, oldest first."""
        first = next((entry.event.tip for entry in self.subject.events if entry.event.tip is not None), None)
        start = self.moves[0].event
        if start.tip is None and start.after is not None:
            first = start.after.commit
        known = [f"^{first}"] if first is not None and first in self.around.facts else []
        return list(log(self.around.git, "--first-parent", "--reverse", tip, *known, "--"))

    def _check_row(self, row: Sequence[Read]) -> None:
        place_of = {entry.oid: number for number, entry in enumerate(self.moves)}
        made: dict[str, str] = {}
        strange: list[Read] = []
        due = 0
        cut = bool(row) and row[0].oid in self.around.shallow
        if cut:
            self.outcome.gaps.append(Gap("this clone is shallow: older commits are not here", None, self.subject.name))
        for commit in row:
            trailers = objects.trailers(commit.message)
            number = place_of.get(trailers.get(JOURNAL, ""))
            if number is None or number < due:
                strange.append(commit)
                continue
            if made or not cut:
                self._strange(strange)
                self._lost(self.moves[due:number])
            made[self.moves[number].oid] = commit.oid
            self._check_commit(commit, self.moves[number], trailers)
            due, strange = number + 1, []
        self._strange(strange, made.get(self.moves[-1].oid))
        self._lost(self.moves[due:])
        self._check_tips(made)

    def _strange(self, commits: Sequence[Read], last: str | None = None) -> None:
        """Commits without an event of their own, in one finding; ``last`` is where the branch belongs instead."""
        if not commits:
            return
        newest = commits[-1]
        named = [objects.trailers(commit.message).get(JOURNAL) for commit in commits]
        forged = all(name is not None and name not in self.around.journal for name in named)
        which = "names an event that the journal does not have" if forged else "has no event of its own"
        more = f" (and {len(commits) - 1} before it)" if len(commits) > 1 else ""
        who = f'{newest.oid[:12]} "{newest.subject}" by {people(newest)}'
        put_back = f"{last}:refs/heads/{self.subject.branch}" if last is not None else None
        self._say(f"{who}{more} {which}", commit=newest.oid, put_back=put_back)

    def _lost(self, moves: Sequence[Entry]) -> None:
        if moves:
            more = f" (and of {len(moves) - 1} before it)" if len(moves) > 1 else ""
            text = f"the commit of {_last(moves)}{more} is not on {self.subject.branch}: it was reset"
            self._found(text, moves[-1])

    def _check_tips(self, made: Mapping[str, str]) -> None:
        """Each event must have found the branch where the one before had left it."""
        expected = self.subject.events[0].event.tip
        for entry in self.subject.events:
            event = entry.event
            if expected is not None and event.tip != expected:
                self.outcome.astray.add(entry.oid)
                self._tell_astray(entry, expected)
            if event.kind in MOVES:
                expected = made.get(entry.oid)
            elif expected is None:
                expected = event.tip

    def _tell_astray(self, entry: Entry, expected: str) -> None:
        where = entry.event.tip[:12] if entry.event.tip else "nowhere"
        text = f"it found {self.subject.branch} at {where}, where no event had left it ({expected[:12]})"
        if entry.event.kind in MOVES:
            self._found(text, entry)
        else:
            self.outcome.notes.append(f"event {entry.event.sequence} ({entry.event.subject()}): {text}")

    def _check_unrecorded(self, tip: str) -> None:
        """No event moved this environment; its branch may be older than the journal."""
        later = []
        for commit in log(self.around.git, "--first-parent", tip, "--"):
            found = objects.trailers(commit.message)
            if found.get(ENV) != self.subject.name:
                break
            if self._is_unrecorded(commit, found):
                later.append(commit)
        self._strange(later[::-1])

    def _is_unrecorded(self, commit: Read, found: Mapping[str, str]) -> bool:
        """Whether a commit that no event is about should have one: it is not older than the journal."""
        return JOURNAL in found or (self.around.began is not None and commit.committed > self.around.began)

    def _note_older(self) -> None:
        first = self.subject.events[0].event
        if first.tip is not None:
            began = f"event {first.sequence} found {self.subject.branch} at {first.tip[:12]}"
            self.outcome.notes.append(f"{self.subject.name}: {began}; what was before is older than the journal")

    # -- a branch that people write ------------------------------------------------------------------------------------

    def _check_followed(self, tip: str) -> None:
        found = {}
        moves = {entry.oid: entry for entry in self.moves}
        for commit in self._ours(tip):
            trailers = objects.trailers(commit.message)
            entry = moves.get(trailers.get(JOURNAL, ""))
            if trailers.get(ENV) != self.subject.name:
                continue
            if entry is not None:
                found[entry.oid] = commit
                self._check_commit(commit, entry, trailers)
            elif self._is_unrecorded(commit, trailers):
                self._strange([commit])
        self._check_reached(tip, found)

    def _ours(self, tip: str) -> Iterator[Read]:
        """Commits since the journal's beginning that claim to be git kit's, among all those that people made."""
        if self.around.began is None:
            return iter(())
        start = next((e.event.tip for e in self.subject.events if e.event.tip in self.around.facts), None)
        since = f"^{start}" if start is not None else f"--since=@{self.around.began}"
        grep = (f"--grep=^{ENV}: ", "--reverse", "--topo-order")
        return log(self.around.git, *grep, since, tip, "--")

    def _check_reached(self, tip: str, found: Mapping[str, Read]) -> None:
        """What the events have found and where they have led must still be in the branch."""
        known = self.around.facts
        recorded = {commit.oid for commit in found.values()}
        wanted = {entry.event.tip for entry in self.subject.events if entry.event.tip is not None}
        wanted |= {entry.event.after.commit for entry in self.moves if entry.event.after is not None}
        there = [oid for oid in wanted if oid in known]
        unknown = wanted - set(there)
        if unknown and self.around.shallow:
            self.outcome.gaps.append(Gap("this clone is shallow: older commits are not here", None, self.subject.name))
            unknown = set()
        lost = facts.missing_from(self.around.git, tip, there) | unknown
        for entry in self.subject.events:
            event = entry.event
            if event.tip in lost:
                self.outcome.astray.add(entry.oid)
            if event.kind in MOVES:
                self._check_move(entry, lost, recorded, made=entry.oid in found)
            elif event.tip in lost:
                text = f"{self.subject.branch} no longer has {str(event.tip)[:12]}, where it was"
                self.outcome.notes.append(f"event {event.sequence} ({event.subject()}): {text}")

    def _check_move(self, entry: Entry, lost: Collection[str], recorded: Collection[str], *, made: bool) -> None:
        event = entry.event
        target = event.after.commit if event.after is not None else ""
        if target in lost or (event.tip is not None and event.tip in lost):
            gone = target if target in lost else str(event.tip)
            self._found(f"{self.subject.branch} does not have {gone[:12]}: it was reset", entry)
        elif not made and (event.kind == "rollback" or not self._is_forward(event, recorded)):
            self._found(f"its commit is not on {self.subject.branch}", entry)

    def _is_forward(self, event: Event, recorded: Collection[str]) -> bool:
        """Whether the branch could move to the version's own commit. Only from a commit of ours is that in doubt."""
        if event.tip is None or event.tip not in recorded or event.after is None:
            return True
        return refs.is_ancestor(self.around.git, event.tip, event.after.commit)

    # -- a commit and its event ----------------------------------------------------------------------------------------

    def _check_commit(self, commit: Read, entry: Entry, trailers: Mapping[str, str]) -> None:
        for text in (*self._differences(commit, entry.event), *_trailer_differences(trailers, entry.event)):
            self._say(
                f"{commit.oid[:12]} does not fit its event: {text}", commit=commit.oid, event=entry.event.sequence
            )

    def _differences(self, commit: Read, event: Event) -> Iterator[str]:
        if event.after is None:
            yield "the event has no version"
            return
        wanted = [event.tip, event.after.commit] if event.tip is not None else [event.after.commit]
        if commit.oid not in self.around.shallow and list(commit.parents) != list(dict.fromkeys(wanted)):
            yield "its parents are others"
        tree = facts.tree_of(self.around.facts, event.after.commit)
        if tree is None:
            gap = f"the commit of {event.after.version} ({event.after.commit[:12]}) is not in this clone"
            self.outcome.gaps.append(Gap(gap, event.sequence, self.subject.name))
        elif tree != commit.tree:
            yield f"its files are not those of {event.after.version}"
        actor = tuple(event.actor)
        if {commit.author, commit.committer} != {actor}:
            yield f"it is by {people(commit)}"
        if {commit.authored, commit.committed} != {event.seconds}:
            yield "it is of another time"

    def _found(self, text: str, entry: Entry) -> None:
        self.outcome.findings.append(about("branch", entry, text))

    def _say(self, text: str, *, commit: str, event: int | None = None, put_back: str | None = None) -> None:
        self.outcome.findings.append(Finding("branch", text, event, commit, self.subject.name, put_back))


def _trailer_differences(found: Mapping[str, str], event: Event) -> Iterator[str]:
    wanted = {
        ENV: event.environment,
        VERSION: event.version,
        DIGEST: event.digest,
        EVENT: event.kind,
        REASON: " ".join((event.reason or "").split()),
    }
    for key, value in wanted.items():
        if found.get(key, "") != (value or ""):
            yield f"its {key} is {found.get(key) or 'absent'}"


def _last(moves: Sequence[Entry]) -> str:
    event = moves[-1].event
    return f"event {event.sequence} ({event.subject()})"
