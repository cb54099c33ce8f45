"""The commits that a push adds to the journal: whether they continue it, each one a well-formed event."""

from collections.abc import Sequence
from typing import NamedTuple

from gitkit.core.journal import ID, PREVIOUS, SEQUENCE, Event, parse_event, show_time
from gitkit.errors import Corrupt, Denied
from gitkit.git.run import Git
from gitkit.lifecycle.guard.server import OVERTAKEN, is_oid, refuse_unless
from gitkit.lifecycle.ledger import Entry

SKEW_US = 600 * 1_000_000
"""How far an event's time may be from the server's clock."""

_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B%x01"
_LOG = ("log", "-z", "--reverse", "--first-parent", "--no-show-signature", "--encoding=UTF-8", f"--format={_FORMAT}")


class _Commit(NamedTuple):
    oid: str
    tree: str
    parents: list[str]
    author: tuple[str, str, str]
    committer: tuple[str, str, str]
    message: str


def read(git: Git, known: Sequence[Entry], new: str, now: int) -> list[Entry]:
    """The events from the end of ``known`` to the commit ``new``, oldest first.

    A journal that begins may tell the past. In one that there is, an event's time is that of the server's clock
    (``now``) within ten minutes, both ways: nobody can say later that a window was still open.

    Raises:
        Denied: ``new`` does not continue the journal, or an event is not as ``docs/journal.md`` wants it.
    """
    tip = known[-1].oid if known else None
    commits = _commits(git, tip, new)
    refuse_unless(bool(commits) or new == tip, f"the journal goes back {OVERTAKEN}")
    empty = git.run("hash-object", "-t", "tree", "--stdin", stdin=b"").decode().strip()
    entries: list[Entry] = []
    for commit in commits:
        last = entries[-1] if entries else (known[-1] if known else None)
        event = _event(commit, last, empty)
        earliest = now - SKEW_US if known else 0
        _require_time(commit, event, last, earliest, now + SKEW_US)
        entries.append(Entry(commit.oid, event))
    return entries


def _commits(git: Git, tip: str | None, new: str) -> list[_Commit]:
    if not is_oid(new):
        raise Denied(f'"{new[:64]}" is not a commit')
    out = git.run(*_LOG, new, *([f"^{tip}"] if tip is not None else []), "--")
    commits = []
    for record in out.split(b"\x01\0"):
        if record:
            text = record.removesuffix(b"\x01").decode("utf-8", "replace")
            oid, tree, parents, *who, message = text.split("\0", 9)
            commits.append(_Commit(oid, tree, parents.split(), _ident(who[:3]), _ident(who[3:]), message))
    return commits


def _ident(words: Sequence[str]) -> tuple[str, str, str]:
    name, email, time = words
    return name, email, time


def _event(commit: _Commit, last: Entry | None, empty: str) -> Event:
    short = commit.oid[:12]
    refuse_unless(len(commit.parents) < 2, f"the journal's commit {short} has two parents")
    parents = [last.oid] if last is not None else []
    refuse_unless(
        commit.parents == parents,
        f"the journal's commit {short} does not continue {parents[0][:12] if parents else 'nothing'} {OVERTAKEN}",
        hint="git fetch, then run the git kit command again",
    )
    refuse_unless(commit.tree == empty, f"the journal's commit {short} has files")
    try:
        event = parse_event(commit.message)
    except Corrupt as error:
        raise Denied(f"the journal's commit {short}: {error.message}") from error
    place = event.chained(last.event if last is not None else None)
    chain = f"\n\n{SEQUENCE}{place.sequence}\n{PREVIOUS}{place.previous}\n{ID}{event.id}"
    refuse_unless(
        commit.message.rstrip("\n").endswith(chain), f"the journal's commit {short} does not follow the event before"
    )
    wanted = (event.actor.name, event.actor.email, str(event.seconds))
    refuse_unless(
        commit.author == commit.committer == wanted,
        f"the journal's commit {short} is by {commit.committer[0]} <{commit.committer[1]}>, its event by {event.actor},"
        " or at another time",
    )
    return event


def _require_time(commit: _Commit, event: Event, last: Entry | None, earliest: int, latest: int) -> None:
    what = f"{event.subject()} ({commit.oid[:12]}) is of {show_time(event.time)}"
    refuse_unless(last is None or event.time >= last.event.time, f"{what}, before the event that it follows")
    refuse_unless(event.time <= latest, f"{what}, which this server's clock has not reached", hint="set the clock")
    refuse_unless(event.time >= earliest, f"{what}, which is back-dated: more than ten minutes ago")
