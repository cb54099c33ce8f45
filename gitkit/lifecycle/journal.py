"""The journal in Git (``docs/journal.md``): reading its branch, and making the commit that continues it.

Making a commit changes nothing that anybody sees: ``gitkit.lifecycle.record`` brings it, together with what it is
about, to where it counts.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

from gitkit.core.events import Sink, Warned
from gitkit.core.journal import BRANCH, EMPTY_ID, Actor, Event, parse_event
from gitkit.errors import Corrupt, InvalidFile
from gitkit.git import objects
from gitkit.git.run import Git, GitError
from gitkit.lifecycle.ledger import Entry

SEEN = "refs/kit/journal-seen"
"""The last journal that this clone has seen; never pushed."""

SEPARATOR = b"\x01\0"
"""Between two records of ``log``."""

_SKEW_S = 600
"""How far a clock may be ahead before it is worth a word."""


class Who(NamedTuple):
    """Who acts and when, as Git says: microseconds since 1970, UTC."""

    actor: Actor
    time: int


def read(git: Git, tip: str | None) -> list[Entry]:
    """All events up to the commit ``tip``, oldest first. One git process.

    Raises:
        Corrupt: a commit is not an event, or has two parents.
    """
    return parse(log(git, tip)) if tip is not None else []


def log(git: Git, tip: str) -> bytes:
    """What ``parse`` takes. Nearly all of the time git works and Python waits."""
    form = "--format=%H%x00%P%x00%B%x01"
    return git.run("log", "-z", "--reverse", "--topo-order", "--no-show-signature", "--encoding=UTF-8", form, tip, "--")


def parse(log: bytes, *, whole: bool = True) -> list[Entry]:
    """The events in what ``log`` gave, oldest first; not ``whole`` where some are left out on purpose.

    Raises:
        Corrupt: as ``read``; or they are not all, or not in their order.
    """
    entries: list[Entry] = []
    for record in log.split(SEPARATOR):
        if not record:
            continue
        oid, parents, message = record.removesuffix(b"\x01").decode("utf-8", "replace").split("\0", 2)
        if " " in parents:
            raise Corrupt(f"the journal's commit {oid[:12]} has two parents", hint="git kit audit verify")
        try:
            entries.append(Entry(oid, parse_event(message)))
        except Corrupt as error:
            raise Corrupt(f"the journal's commit {oid[:12]}: {error.message}", hint="git kit audit verify") from error
        if whole:
            _require_next(entries[-2:-1], entries[-1])
    return entries


def _require_next(before: Sequence[Entry], entry: Entry) -> None:
    event = entry.event
    if not before and event.sequence != 1:
        raise Corrupt(
            f"the journal begins with event {event.sequence} here: it is not whole",
            hint="in a shallow clone: git fetch --unshallow; else: git kit audit verify",
        )
    last = before[0].event if before else None
    expected = (last.sequence + 1, last.id) if last is not None else (1, EMPTY_ID)
    if (event.sequence, event.previous) != expected or (last is not None and event.time < last.time):
        raise Corrupt(
            f"the journal's commit {entry.oid[:12]} does not follow the one before it", hint="git kit audit verify"
        )


def is_seen(git: Git, log: bytes) -> bool:
    """Whether the newest event in what ``log`` gave is the one that this clone has seen last."""
    before = log.rfind(SEPARATOR, 0, -len(SEPARATOR))
    newest = log[before + len(SEPARATOR) :] if before >= 0 else log
    return (git.ask("rev-parse", "-q", "--verify", SEEN) or "") == newest.partition(b"\0")[0].decode()


def require_continued(git: Git, entries: Sequence[Entry]) -> None:
    """The journal must continue the one that this clone has seen last; then it is remembered in its place.

    Raises:
        Corrupt: it was cut off or written anew, or the Git remote that had it is gone.
    """
    seen = git.ask("rev-parse", "-q", "--verify", SEEN)
    tip = entries[-1].oid if entries else None
    if seen == tip:
        return
    if tip is None and not git.text("remote"):
        raise Corrupt(
            f"there is no Git remote here, where the journal was last seen, and no branch {BRANCH}",
            hint=f"git remote add origin URL; if there never was one: git branch {BRANCH} {SEEN}",
        )
    if seen is not None and all(entry.oid != seen for entry in entries):
        raise Corrupt(
            f"the journal does not continue the one that this clone has seen ({seen[:12]}): cut off, or written anew",
            hint=f"git kit audit verify; if you know why: git update-ref -d {SEEN}",
        )
    if tip is not None:
        git.run("update-ref", SEEN, tip)


def who(git: Git) -> Who:
    """The person, and the time; GIT_COMMITTER_DATE counts, as everywhere in Git, unless it is in the future.

    Raises:
        InvalidFile: Git does not know who it is, or takes the future for now: every soak time would be over.
    """
    try:
        ident = git.text("var", "GIT_COMMITTER_IDENT")
    except GitError as error:
        raise InvalidFile(
            "Git does not know who you are", hint="git config --global user.name NAME; and user.email ADDRESS"
        ) from error
    # A name that is not UTF-8 would not be the same in the event and in its commit.
    ident = ident.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    name, _, rest = ident.rpartition(" <")
    email, _, stamp = rest.rpartition("> ")
    seconds = int(stamp.split(" ")[0])
    now = time.time_ns() // 1000
    if seconds > now // 1_000_000 + _SKEW_S:
        raise InvalidFile("GIT_COMMITTER_DATE is in the future: events are of now", hint="unset GIT_COMMITTER_DATE")
    return Who(Actor(name, email), now if abs(now // 1_000_000 - seconds) <= 2 else seconds * 1_000_000)


def not_before(moment: int, entries: Sequence[Entry], emit: Sink) -> int:
    """``moment``, or the time of the last event where this clock is behind it."""
    if not entries or entries[-1].event.time < moment:
        return moment
    ahead = (entries[-1].event.time - moment) // 1_000_000
    if ahead > _SKEW_S:
        emit(Warned(f"the journal's last event is {ahead} s in the future: somebody's clock is wrong"))
    return entries[-1].event.time


def write(git: Git, event: Event, entries: Sequence[Entry]) -> Entry:
    """The commit of ``event`` behind ``entries``. Only the object: no branch moves."""
    last = entries[-1] if entries else None
    chained = event.chained(last.event if last is not None else None)
    dated = git.acting(chained.actor.name, chained.actor.email, chained.seconds)
    empty = git.run("hash-object", "-w", "-t", "tree", "--stdin", stdin=b"").decode().strip()
    parents = [last.oid] if last is not None else []
    return Entry(objects.write_commit(dated, tree=empty, parents=parents, message=chained.text()), chained)
