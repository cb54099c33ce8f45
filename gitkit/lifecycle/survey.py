"""What can be known about all environments right now: who cannot be reached, or is damaged, is a warning here.

Made for commands that read. Whoever moves an environment needs ``situation.look``, which knows or refuses.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache as once
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.events import Sink, Warned, ignore
from gitkit.core.journal import BRANCH as JOURNAL_BRANCH
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, InvalidFile, KitError
from gitkit.git import refs
from gitkit.git.run import Git
from gitkit.lifecycle import environments, journal
from gitkit.lifecycle.environments import Place, State
from gitkit.lifecycle.ledger import Entry, Ledger
from gitkit.lifecycle.outline import outline
from gitkit.lifecycle.situation import Situation
from gitkit.sync.parallel import Threads, wait_for

if TYPE_CHECKING:
    from concurrent.futures import Future

    from gitkit.core.config import Config

_AT_ONCE = 8

OpenRemote = Callable[[], Remote]


class Survey(NamedTuple):
    """``states`` of the environments; see ``environments.glance``. ``tags``: the digest that the registry has under the
    name of each; None where it was not asked, or does not answer. ``has_journal`` is False where the journal is
    damaged, or nobody knows whether there is one.

    ``situation`` has all events, or those that the table depends on (``outline``); ``log`` is all of the journal.
    """

    situation: Situation
    states: Mapping[str, State]
    tags: Mapping[str, str | None] | None
    has_journal: bool
    log: bytes

    def version_of(self, digest: str) -> str | None:
        """The version that was released, or ran, with this digest."""
        try:
            events = [entry.event for entry in journal.parse(self.log)] if self.has_journal else []
        except Corrupt:
            return None
        return next((event.version for event in events if event.digest == digest), None)


class Early(NamedTuple):
    """The journal up to ``tip``, which git is reading."""

    tip: str
    log: "Future[bytes]"


def begin(git: Git, git_remote: str | None) -> Early | None:
    """Begin to read the journal that this clone knows: most often it is the one of now, and git reads it while Python
    has other things to load.
    """
    tip = refs.known(git, git_remote, [JOURNAL_BRANCH]).get(JOURNAL_BRANCH)
    if tip is None:
        return None
    threads = Threads(1)
    try:
        return Early(tip, threads.submit(partial(journal.log, git, tip)))
    finally:
        threads.end()


def survey(
    place: Place,
    open_remote: OpenRemote | None,
    *,
    early: Early | None = None,
    whole: bool = False,
    emit: Sink = ignore,
) -> Survey:
    """Ask the Git remote where branches and journal are, and at the same time the registry for the environments' tags.

    Without ``open_remote`` nobody is asked: what this clone knows counts. ``early`` is what ``begin`` gave; with
    ``whole`` all events are read.
    """
    names = list(place.config.environments)
    threads = Threads(_AT_ONCE)
    try:
        tags = _ask_registry(threads, open_remote, names) if open_remote is not None and names else None
        tips, is_fresh = _tips(place, tags is not None, emit)
        main = once(lambda: environments.known_main(place))
        looks = {name: threads.submit(partial(_glance, place, name, tips, main)) for name in names}
        log = _log(place, tips.get(JOURNAL_BRANCH), early)
        glances = {name: _seen(place, name, tips, future, emit) for name, future in looks.items()}
        states = {name: glance.state for name, glance in glances.items()}
        entries = _entries(place, log, None if whole else list(states.values()), is_fresh, emit)
        return Survey(
            situation=Situation(
                place=place,
                tips=tips,
                tag=None,
                entries=entries or [],
                ledger=Ledger(entries or []),
                main=main,
                _policies={name: glance.policy for name, glance in glances.items()},
            ),
            states=states,
            tags=_answers(tags, emit) if tags is not None else None,
            has_journal=entries is not None and (JOURNAL_BRANCH in tips or is_fresh),
            log=log,
        )
    finally:
        threads.end()


class _Glance(NamedTuple):
    policy: "Config"
    state: State


def _glance(place: Place, name: str, tips: Mapping[str, str], main: Callable[[], str | None]) -> _Glance:
    tip = tips.get(place.config.environment(name).branch)
    policy = environments.policy(place, name, tip, main() if tip is None else None)
    settings = policy.environment(name)
    return _Glance(policy, environments.glance(place, name, settings, tips.get(settings.branch, tip)))


def _seen(place: Place, name: str, tips: Mapping[str, str], found: "Future[_Glance]", emit: Sink) -> _Glance:
    """A branch whose own ``.gitkit.toml`` cannot be read is a warning."""
    try:
        return wait_for(found)
    except InvalidFile as error:
        emit(Warned(f"{name}: {error.message}"))
        settings = place.config.environment(name)
        state = State(name, settings.branch, tips.get(settings.branch), [], bool(settings.sources))
        return _Glance(place.config, state)


def _tips(place: Place, ask: bool, emit: Sink) -> tuple[dict[str, str], bool]:
    """The commits of the branches, and whether they are those of now."""
    branches = [*(one.branch for one in place.config.environments.values()), JOURNAL_BRANCH]
    if ask or place.git_remote is None:
        try:
            return environments.ask(place, branches).tips, True
        except KitError as error:
            emit(Warned(f"{error.message}; this is what the clone knows"))
    return refs.known(place.repository.git, place.git_remote, branches), False


def _log(place: Place, tip: str | None, early: Early | None) -> bytes:
    if tip is None:
        return b""
    return wait_for(early.log) if early is not None and early.tip == tip else journal.log(place.repository.git, tip)


def _entries(
    place: Place, log: bytes, states: Sequence[State] | None, is_fresh: bool, emit: Sink
) -> list[Entry] | None:
    """The journal, or what matters of it for ``states``; None where it is damaged. All of it is read where it is not
    the one that this clone has seen last: whether it goes on from there is asked of all events.
    """
    git = place.repository.git
    try:
        if states is not None and (not is_fresh or journal.is_seen(git, log)):
            return outline(log, states)
        entries = journal.parse(log)
    except Corrupt as error:
        emit(Warned(f"{error.message}; see: git kit audit verify"))
        return None
    if is_fresh:
        try:
            journal.require_continued(git, entries)
        except Corrupt as error:
            emit(Warned(f"{error.message}; {error.hint}"))
    return entries


def _ask_registry(
    threads: Threads, open_remote: OpenRemote, names: Sequence[str]
) -> "dict[str, Future[str | None]] | KitError":
    try:
        remote = open_remote()
    except KitError as error:
        return error
    return {name: threads.submit(partial(remote.resolve, name)) for name in names}


def _answers(asked: "dict[str, Future[str | None]] | KitError", emit: Sink) -> dict[str, str | None] | None:
    try:
        if isinstance(asked, KitError):
            raise asked
        return {name: wait_for(future) for name, future in asked.items()}
    except KitError as error:
        emit(Warned(f"{error.message}; what the registry runs is not checked"))
        return None
