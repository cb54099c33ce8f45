"""Whether the journal's commits are one chain that nobody has edited (``docs/journal.md``). Pure: values only."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from gitkit.core.journal import EMPTY_ID, Event
from gitkit.lifecycle.audit.findings import Finding
from gitkit.lifecycle.audit.walk import Journal, Link, Read, people

SKEW_S = 600
"""How far ahead a clock may be, in seconds."""

EMPTY_TREES = frozenset(
    {
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
    }
)
"""The oid of a tree without entries, with SHA-1 and with SHA-256."""


def check(journal: Journal, now: int) -> list[Finding]:
    """Everything that is wrong with the chain itself. ``now`` is in microseconds since 1970, UTC."""
    findings: list[Finding] = []
    for link in journal.links:
        if not _fits(link):
            findings += _check_commit(link)
    findings += _order(journal)
    findings += _times(journal.links, now)
    return sorted(findings, key=lambda finding: finding.event or 0)


# -- one commit --------------------------------------------------------------------------------------------------------


def _fits(link: Link) -> bool:
    """Whether there is nothing to say about the commit, as it is for nearly all."""
    commit, event = link.commit, link.event
    return (
        event is not None
        and len(commit.parents) <= 1
        and commit.tree in EMPTY_TREES
        and commit.author == commit.committer == event.actor
        and commit.authored == commit.committed == event.seconds
    )


def _check_commit(link: Link) -> Iterator[Finding]:
    commit, place = link.commit, (link.sequence, link.commit.oid)
    if len(commit.parents) > 1:
        yield Finding("forked", f"it has {len(commit.parents)} parents: two journals were merged", *place)
    if commit.tree not in EMPTY_TREES:
        yield Finding("edited", "its tree is not empty", *place)
    if link.event is None:
        yield Finding("edited", _problem(link), *place)
        return
    for text in _differences(commit, link.event):
        yield Finding("edited", text, *place, link.event.environment)


def _problem(link: Link) -> str:
    """Why the commit is no event: what is wrong with it, or that it never was one."""
    if link.id is None and link.sequence is None:
        return f'a commit that is no event of git kit: "{link.commit.subject}" by {people(link.commit)}'
    return link.problem or "it is no event"


def _differences(commit: Read, event: Event) -> Iterator[str]:
    actor = tuple(event.actor)
    for role, person in (("author", commit.author), ("committer", commit.committer)):
        if person != actor:
            yield f"its {role} is {person[0]} <{person[1]}>, its actor {event.actor}"
    if {commit.authored, commit.committed} != {event.seconds}:
        other = commit.committed if commit.committed != event.seconds else commit.authored
        yield f"the commit is of {_moment(other)}, the event of {_moment(event.seconds)}"


# -- their order -------------------------------------------------------------------------------------------------------


def _order(journal: Journal) -> Iterator[Finding]:
    ids = Counter(link.id for link in journal.links if link.id is not None)
    before: Link | None = None
    seen: set[str] = set()
    for number, link in enumerate(journal.links):
        event = link.event
        if event is not None and not (number == 0 and journal.cut):
            yield from _after(before, link, event, ids)
        if event is not None and event.id in seen:
            text = f"the journal has this event ({event.id}) before"
            yield Finding("repeated", text, event.sequence, link.commit.oid, event.environment)
        if link.id is not None:
            seen.add(link.id)
        before = link


def _after(before: Link | None, link: Link, event: Event, ids: "Counter[str]") -> Iterator[Finding]:
    """Whether ``event`` says that it follows ``before``; a damaged commit may have no place to follow."""
    place = (event.sequence, link.commit.oid, event.environment)
    if before is not None and before.id is None:
        return
    previous = before.id if before is not None else EMPTY_ID
    expected = before.sequence + 1 if before is not None and before.sequence is not None else 1
    if event.previous != previous:
        if event.previous in ids or event.previous == EMPTY_ID:
            yield Finding("reordered", f"it follows event {event.previous}, which stands elsewhere", *place)
        else:
            yield Finding("removed", f"the event before it ({event.previous}) is nowhere", *place)
    elif event.sequence > expected:
        yield Finding("removed", f"it is number {event.sequence}, after number {expected - 1}", *place)
    elif event.sequence < expected:
        yield Finding("reordered", f"it is number {event.sequence}, after number {expected - 1}", *place)


# -- their times -------------------------------------------------------------------------------------------------------


def _times(links: Sequence[Link], now: int) -> Iterator[Finding]:
    latest: int | None = None
    for link in links:
        event = link.event
        if event is None:
            continue
        place = (event.sequence, link.commit.oid, event.environment)
        if latest is not None and event.time < latest:
            text = f"it is of {_moment(event.seconds)}, {_ago(latest - event.time)} before the event that it follows"
            yield Finding("back-dated", text, *place)
        if event.time > now + SKEW_S * 1_000_000:
            yield Finding("back-dated", f"it is of {_moment(event.seconds)}, which is yet to come", *place)
        latest = max(latest or event.time, event.time)


def _moment(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):  # what a hostile commit may say
        return f"second {seconds}"


def _ago(microseconds: int) -> str:
    from gitkit.core.schedule import show_duration

    return show_duration(max(1, microseconds // 1_000_000))
