"""Recording: an event reaches the journal together with the branch and the tag that it is about, or not at all.

With a Git remote that is one atomic push. Whoever loses a race against another event looks again, decides again, and
appends behind the winner; whoever loses the environment itself is told who was faster.

Without a Git remote the local branches are the truth and move in one transaction. Where the environment's branch is
checked out, the journal moves first and the worktree follows; killed in between, ``settle`` finishes it.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from gitkit.core.events import Sink, Warned, ignore
from gitkit.core.journal import BRANCH as JOURNAL_BRANCH
from gitkit.core.journal import Event
from gitkit.errors import Conflict
from gitkit.git import objects, refs
from gitkit.git.run import FILTER_OFF, GitError
from gitkit.lifecycle import environments, journal, trust
from gitkit.lifecycle.environments import DIGEST, ENV, EVENT, JOURNAL, REASON, VERSION, Place
from gitkit.lifecycle.ledger import Entry
from gitkit.lifecycle.situation import Situation, look

_PATIENCE_S = 60.0
_LONGEST_PAUSE_S = 1.0


class Change(NamedTuple):
    """What is to happen. ``environment`` is set where its branch moves too; ``forward``: to the version's own commit.

    ``tag`` goes to the Git remote along with it.
    """

    event: Event
    environment: str | None = None
    forward: bool = False
    tag: str | None = None


class Recorded(NamedTuple):
    """``entry`` is in the journal; ``tip`` is where the environment's branch is now, where it moved."""

    entry: Entry
    tip: str | None


Prepare = Callable[[Situation], Change | None]
"""Decides on what is there, anew after each lost race. None: nothing is to be done."""


def record(place: Place, prepare: Prepare, *, tag: str | None = None, emit: Sink = ignore) -> Recorded | None:
    """Do what ``prepare`` decides, once; None where that is nothing. ``tag`` is looked up on the Git remote.

    Raises:
        Conflict: somebody else moved the environment first, or the journal is too busy.
        Denied, NetworkError, Corrupt: see ``look`` and ``refs.push``.
    """
    deadline: float | None = None
    pause = 0.02
    before: Situation | None = None
    while True:
        situation = look(place, tag=tag)
        settle(situation, emit)
        change = prepare(situation)
        if change is None:
            return None
        if before is not None and change.environment is not None:
            _require_same(before, situation, change.environment)
        try:
            return _publish(situation, change, emit)
        except Conflict as error:
            deadline = deadline or time.monotonic() + _PATIENCE_S
            if not _moved(situation):  # then it was no race, and will not get better
                raise
            if time.monotonic() > deadline:
                raise Conflict("the journal is too busy", hint="run the command again") from error
        before = situation
        time.sleep(random.uniform(0, pause))  # noqa: S311
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def event_of(
    situation: Situation,
    kind: str,
    *,
    environment: str | None = None,
    who: journal.Who | None = None,
    emit: Sink = ignore,
    **fields: object,
) -> Event:
    """An event of the person who runs the command, now, or of ``who`` then. ``fields`` are those of ``Event``.

    Raises:
        InvalidFile: Git does not know who it is, or does not sign although only signed events count.
    """
    git = situation.place.repository.git
    trust.require_signing(git, (situation.policy(environment) if environment else situation.place.config).journal)
    actor, moment = who or journal.who(git)
    if environment is not None:
        fields.setdefault("tip", situation.tip(environment))
        fields.setdefault("policy", situation.policy(environment).policy_of(environment))
        fields.setdefault("policy_commit", situation.policy_commit(environment))
    time_us = journal.not_before(moment, situation.entries, emit)
    return Event(kind=kind, time=time_us, actor=actor, environment=environment, **fields)  # type: ignore[arg-type]


def settle(situation: Situation, emit: Sink = ignore) -> None:
    """Without a Git remote: finish moves that the journal holds and that were killed before their branch followed."""
    if situation.place.git_remote is not None:
        return
    for name in situation.ledger.moves:
        try:
            entry = put_back(situation, name)
        except Conflict as error:
            emit(Warned(error.message))
        else:
            if entry is not None:
                emit(Warned(f"{name}: finished the {entry.event.subject()} that was interrupted"))


def put_back(situation: Situation, name: str) -> Entry | None:
    """Bring the branch of an environment to where the journal has it, by the moves that it lacks; the last of them.

    None: it lacks none, or it is nowhere that a move began.

    Raises:
        Conflict: somebody else moved it meanwhile, or its worktree cannot follow.
        Denied, NetworkError
    """
    place = situation.place
    if name not in place.config.environments:
        return None
    old = tip = situation.tip(name)
    moves = situation.ledger.moves.get(name, [])
    last = None
    for entry in moves[_missing(moves, tip) :]:
        if entry.event.tip != tip:
            return None
        tip = _tip(place, entry, _is_forward(place, entry))
        last = entry
    if last is None or tip is None or tip == old:
        return None
    branch = place.config.environment(name).branch
    if place.git_remote is not None:
        refs.push(place.repository.git, place.git_remote, {branch: tip})
    else:
        _move_here(place, branch, tip, old)
    situation.forget(name, tip)
    return last


def _missing(moves: Sequence[Entry], tip: str | None) -> int:
    """The number of the last move that found the branch at ``tip``; how many there are, where none did."""
    found = [number for number, entry in enumerate(moves) if entry.event.tip == tip]
    return found[-1] if found else len(moves)


def _is_forward(place: Place, entry: Entry) -> bool:
    """Whether the event moved the branch to the version's own commit, as a promotion on a branch of people's may."""
    event = entry.event
    if event.kind != "promote" or event.after is None or place.config.environment(str(event.environment)).sources:
        return False
    return event.tip is None or refs.is_ancestor(place.repository.git, event.tip, event.after.commit)


def _publish(situation: Situation, change: Change, emit: Sink) -> Recorded:
    place = situation.place
    git = place.repository.git
    event = change.event
    if not situation.entries:  # what anybody claims to be older than the journal must have been there by now
        tips = {name: tip for name in place.config.environments if (tip := situation.tip(name)) is not None}
        event = replace(event, details={**event.details, "branches": tips})
    entry = journal.write(git, event, situation.entries)
    tip = _tip(place, entry, change.forward) if change.environment is not None else None
    branch = place.config.environment(change.environment).branch if change.environment is not None else None
    if place.git_remote is not None:
        branches = {branch: tip} if branch is not None and tip is not None else {}
        refs.push(git, place.git_remote, {**branches, JOURNAL_BRANCH: entry.oid}, tag=change.tag)
    else:
        _publish_here(situation, entry, branch, tip)
    git.run("update-ref", journal.SEEN, entry.oid)
    return Recorded(entry, tip)


def _publish_here(situation: Situation, entry: Entry, branch: str | None, tip: str | None) -> None:
    place = situation.place
    git = place.repository.git
    log = (entry.oid, situation.tips.get(JOURNAL_BRANCH))
    if branch is None or tip is None:
        refs.move_all(git, {JOURNAL_BRANCH: log})
        return
    folder = refs.checked_out(git).get(branch)
    if folder is None:
        refs.move_all(git, {branch: (tip, entry.event.tip), JOURNAL_BRANCH: log})
        return
    _require_able(place, folder, branch, tip)
    refs.move_all(git, {JOURNAL_BRANCH: log})
    _move_here(place, branch, tip, entry.event.tip)


def _require_able(place: Place, folder: str, branch: str, tip: str) -> None:
    """The worktree can follow to ``tip``: asked before anything is written."""
    there = place.repository.git.elsewhere(folder)
    there.ask("update-index", "-q", "--refresh")  # files that were only touched are no changes
    if there.ask(*FILTER_OFF, "read-tree", "-n", "-u", "-m", "HEAD", tip) is None:
        raise _cannot_follow(branch, folder, "local changes would be overwritten")


def _move_here(place: Place, branch: str, tip: str, old: str | None) -> None:
    git = place.repository.git
    folder = refs.checked_out(git).get(branch)
    if folder is None:
        refs.move_all(git, {branch: (tip, old)})
    elif (reason := fast_forward(place, folder, tip)) is not None:
        raise _cannot_follow(branch, folder, reason)


def _cannot_follow(branch: str, folder: str, reason: str) -> Conflict:
    return Conflict(
        f"{branch} is checked out in {folder}, which cannot follow: {reason}",
        hint="commit or stash the changes there, then run the command again",
    )


def fast_forward(place: Place, folder: str, commit: str) -> str | None:
    """Bring a worktree and its branch to ``commit``; why that is not possible, or None when it is done."""
    try:
        place.repository.git.elsewhere(folder).act("merge", "--ff-only", "-q", commit)
    except GitError as error:
        return error.stderr.splitlines()[0] if error.stderr else "git merge refused"
    return None


def _tip(place: Place, entry: Entry, forward: bool) -> str:
    """Where the environment's branch goes: the version's own commit, or one that is made for the event.

    The commit is a function of the event, so making it again makes the same one.
    """
    event = entry.event
    if event.after is None:
        raise AssertionError("an event that moves an environment has a version")
    if forward:
        return event.after.commit
    git = place.repository.git
    trailers = {
        ENV: event.environment,
        VERSION: event.after.version,
        DIGEST: event.after.digest,
        EVENT: event.kind,
        JOURNAL: entry.oid,
        REASON: event.reason,
    }
    lines = [f"{key}: {' '.join(value.split())}" for key, value in trailers.items() if value]
    parents = [event.tip, event.after.commit] if event.tip is not None else [event.after.commit]
    return objects.write_commit(
        git.acting(event.actor.name, event.actor.email, event.seconds),
        tree=git.text("rev-parse", f"{event.after.commit}^{{tree}}"),
        parents=list(dict.fromkeys(parents)),
        message=f"{event.environment}: {event.kind} {event.after.version}\n\n" + "\n".join(lines) + "\n",
    )


def _require_same(before: Situation, now: Situation, name: str) -> None:
    """The environment is where it was, so only the journal was moved by somebody else.

    Raises:
        Conflict: it is not; the message names who, and to what.
    """
    if before.tip(name) != now.tip(name):
        raise lost_race(now, name)


def lost_race(now: Situation, name: str) -> Conflict:
    """Who was faster."""
    hint = "look at it, then run the command again"
    run = now.state(name).current
    if run is None or not run.by:
        return Conflict(f"somebody else moved {name} first", hint=hint)
    return Conflict(f"{run.by} moved {name} to {run.version} first", hint=hint)


def _moved(situation: Situation) -> bool:
    """Whether any branch is elsewhere by now."""
    branches = [*(one.branch for one in situation.place.config.environments.values()), JOURNAL_BRANCH]
    return environments.ask(situation.place, branches).tips != situation.tips
