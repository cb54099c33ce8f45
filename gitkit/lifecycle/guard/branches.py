"""Whether commits that a push adds to the branch of an environment are what their events say."""

from collections.abc import Sequence

from gitkit.core.journal import BRANCH as JOURNAL_BRANCH
from gitkit.core.journal import MOVES, Event
from gitkit.errors import Denied
from gitkit.git import objects, refs
from gitkit.git.objects import Commit
from gitkit.lifecycle.environments import DIGEST, ENV, EVENT, JOURNAL, VERSION
from gitkit.lifecycle.guard import chain
from gitkit.lifecycle.guard.events import check_events
from gitkit.lifecycle.guard.server import JOURNAL as JOURNAL_REF
from gitkit.lifecycle.guard.server import OVERTAKEN, Guarded, Server, Update, refuse_unless
from gitkit.lifecycle.ledger import Entry, Ledger

_TOGETHER = "git kit pushes both; by hand: git push --atomic, with the journal"


def check_branch(server: Server, update: Update, guarded: Guarded) -> None:
    """
    Raises:
        Denied: the branch may not move so.
        Corrupt: the journal is damaged.
        InvalidFile: a ``.gitkit.toml`` that rules it has problems.
    """
    name = guarded.name
    if update.new is None:
        raise Denied(f"the branch of the environment {name} is not deleted")
    if update.old is not None:
        refuse_unless(
            refs.is_ancestor(server.git, update.old, update.new), f"{name}: its history only grows {OVERTAKEN}"
        )
    if not guarded.managed:
        return
    added = _added(server, update.old, update.new)
    entries = _entries(server, name, added[0])
    by_oid = {entry.oid: entry for entry in entries}
    commits = _made_by(name, added, by_oid, begins=update.old is None)
    for commit, entry in commits:
        check_commit(server, name, entry, commit.oid)
    _require_latest(server, name, commits[0][1], entries)


def check_commit(server: Server, name: str, entry: Entry, oid: str) -> None:
    """The commit ``oid`` is what git kit writes for the event ``entry`` that moves the environment ``name``.

    Raises:
        Denied: it is not.
    """
    refuse_unless(server.has_commit(oid), f"{name}: the commit {oid[:12]} is not here")
    event, commit = entry.event, objects.read_commit(server.git, oid)
    after = event.after
    if event.kind not in MOVES or event.environment != name or after is None:
        raise Denied(f"{name}: {oid[:12]} names an event that does not move {name}: {event.subject()}")
    told = objects.trailers(commit.message)
    wanted = {ENV: name, VERSION: after.version, DIGEST: after.digest, EVENT: event.kind, JOURNAL: entry.oid}
    for key, value in wanted.items():
        refuse_unless(told.get(key) == value, f"{name}: {oid[:12]} says {key}: {told.get(key)}, its event {value}")
    parents = tuple(dict.fromkeys(oid for oid in (event.tip, after.commit) if oid is not None))
    refuse_unless(
        commit.parents == parents,
        f"{name}: the parents of {oid[:12]} are not the commit that its event found, and that of {after.version}",
    )
    refuse_unless(
        commit.tree == server.tree_of(after.commit), f"{name}: the files of {oid[:12]} are not those of {after.version}"
    )
    refuse_unless(
        (commit.author, commit.time) == (event.actor.name, event.seconds),
        f"{name}: {oid[:12]} has another author or time than its event",
    )


def _added(server: Server, old: str | None, new: str) -> list[Commit]:
    """First-parent commits that are new, newest first; all of them where the branch begins."""
    commits = list(objects.history(server.git, new if old is None else f"{old}..{new}"))
    continues = old is None or (bool(commits) and commits[-1].parents[:1] == (old,)) or new == old
    refuse_unless(continues and bool(commits), f"the new commits do not continue {(old or '')[:12]} {OVERTAKEN}")
    return commits


def _made_by(
    name: str, added: Sequence[Commit], entries: dict[str, Entry], *, begins: bool
) -> list[tuple[Commit, Entry]]:
    """Each commit with its event; where the branch begins, what lies before its first event is the version's own."""
    found = []
    for commit in added:
        oid = objects.trailers(commit.message).get(JOURNAL)
        if oid is None or oid not in entries:
            subject = (commit.message.splitlines() or [""])[0][:60]
            raise Denied(
                f'{name}: only git kit writes this branch, and {commit.oid[:12]} "{subject}" names no event of the'
                " journal",
                hint="git kit promote VERSION ENV",
            )
        found.append((commit, entries[oid]))
        if begins and entries[oid].event.tip is None:
            break
    return found


def _entries(server: Server, name: str, newest: Commit) -> list[Entry]:
    """The journal as it is to be after the push: what it adds is checked as if it were pushed alone.

    Where not the whole push is seen, the journal is followed back from the event that the newest commit names.
    """
    known = server.entries
    oid = objects.trailers(newest.message).get(JOURNAL)
    if oid is None or any(entry.oid == oid for entry in known):
        return known
    if server.whole:
        new = server.wanted(JOURNAL_BRANCH)
        refuse_unless(
            JOURNAL_REF in server.updates and new is not None, f"{name}: its event is missing", hint=_TOGETHER
        )
        return [*known, *chain.read(server.git, known, str(new), server.now)]
    refuse_unless(server.has_commit(oid), f"{name}: its event {oid[:12]} is not here", hint=_TOGETHER)
    fresh = chain.read(server.git, known, oid, server.now)
    check_events(server, known, fresh)
    return [*known, *fresh]


def _require_latest(server: Server, name: str, entry: Entry, entries: Sequence[Entry]) -> None:
    """The environment's last move; and where the journal had it before, nothing stopped it since."""
    ledger = Ledger(entries)
    refuse_unless(ledger.last_move(name) == entry, f"{name}: its event is not the last one that moves it {OVERTAKEN}")
    if entry.event.kind == "promote" and any(known.oid == entry.oid for known in server.entries):
        why = _stopped(ledger, entry.event, name, server.now)
        refuse_unless(why is None, f"{name}: {entry.event.subject()} is {why} since it was recorded")


def _stopped(ledger: Ledger, event: Event, name: str, now: int) -> str | None:
    if name in ledger.holds:
        return "held"
    if ledger.frozen(name, now) is not None:
        return "frozen"
    return "rejected" if event.after is not None and ledger.rejection(event.after) is not None else None
