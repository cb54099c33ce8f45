"""What a push may not do: the journal, the branches of environments and the tags of released versions, nothing else."""

from collections.abc import Sequence

from gitkit.core.journal import BRANCH as JOURNAL_BRANCH
from gitkit.core.journal import Event
from gitkit.errors import Corrupt, Denied, KitError
from gitkit.git import objects, refs
from gitkit.lifecycle import journal
from gitkit.lifecycle.environments import JOURNAL as NAMED
from gitkit.lifecycle.guard import chain
from gitkit.lifecycle.guard.branches import check_branch
from gitkit.lifecycle.guard.events import check_events
from gitkit.lifecycle.guard.server import HEADS, JOURNAL, OVERTAKEN, TAGS, Refusal, Server, Update, refuse_unless
from gitkit.lifecycle.ledger import Entry, Ledger


def check(server: Server) -> list[Refusal]:
    """The references that this push must not move; empty where there is nothing against it."""
    refused = []
    for update in server.updates.values():
        try:
            _check(server, update)
        except KitError as error:
            refused.append(Refusal(update.ref, error))
    return refused


def _check(server: Server, update: Update) -> None:
    if update.ref == JOURNAL:
        if server.has_environments() or _is_journal(server, update.old):
            _check_journal(server, update)
    elif update.ref.startswith(HEADS):
        guarded = server.environment_of(update)
        if guarded is not None:
            check_branch(server, update, guarded)
    elif update.ref.startswith(TAGS):
        _check_tag(server, update)


# -- the journal -------------------------------------------------------------------------------------------------------


def _is_journal(server: Server, tip: str | None) -> bool:
    """Whether the branch holds events, also where no environment is named any more."""
    if tip is None:
        return False
    from gitkit.core.journal import parse_event

    try:
        parse_event(objects.read_commit(server.git, tip).message)
    except (Corrupt, TypeError):
        return False
    return True


def _check_journal(server: Server, update: Update) -> None:
    if update.new is None:
        raise Denied("the journal is not deleted")
    known = journal.read(server.git, update.old)
    fresh = chain.read(server.git, known, update.new, server.now)
    check_events(server, known, fresh)
    if server.whole:
        _require_landed(server, fresh)


def _require_landed(server: Server, fresh: Sequence[Entry]) -> None:
    """Where an event moves an environment, the same push moves its branch."""
    for name, moves in Ledger(fresh).moves.items():
        entry = moves[-1]
        settings = server.policy(name, entry.event.tip).environment(name)
        tip = server.wanted(settings.branch)
        landed = tip is not None and _is_at(server, tip, entry, followed=not settings.sources)
        refuse_unless(
            landed,
            f"{entry.event.subject()} moves {name}, and this push does not move {settings.branch} {OVERTAKEN}",
            hint="git kit pushes both; by hand: git push --atomic, with the branch",
        )


def _is_at(server: Server, tip: str, entry: Entry, *, followed: bool) -> bool:
    event: Event = entry.event
    if objects.trailers(objects.read_commit(server.git, tip).message).get(NAMED) == entry.oid:
        return True
    return followed and event.after is not None and refs.is_ancestor(server.git, event.after.commit, tip)


# -- tags --------------------------------------------------------------------------------------------------------------


def _check_tag(server: Server, update: Update) -> None:
    if server.tip(JOURNAL_BRANCH) is None:
        return
    try:
        entries = server.entries
    except Corrupt:
        return  # a branch of that name which is no journal, or a damaged one: the journal itself says so
    version = update.ref.removeprefix(TAGS)
    released = Ledger(entries).releases.get(version)
    tag = released.event.after.tag if released is not None and released.event.after is not None else None
    if released is None or (tag is None and update.old is None):
        return
    refuse_unless(
        update.new is not None and update.new == (tag or update.old),
        f"{version} was released by {released.event.actor.name}: its tag neither moves nor goes away",
        hint="a version never changes: make a new tag for the new content",
    )
