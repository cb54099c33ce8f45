"""What a command of the lifecycle finds: branches, tag and journal at one moment, and what they come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache as once
from typing import TYPE_CHECKING

from gitkit.core.events import Sink, Warned, ignore
from gitkit.core.journal import BRANCH as JOURNAL_BRANCH
from gitkit.errors import Corrupt
from gitkit.git import refs
from gitkit.lifecycle import environments, journal, trust
from gitkit.lifecycle.environments import Place, State
from gitkit.lifecycle.ledger import Entry, Ledger
from gitkit.lifecycle.rules import Stay

if TYPE_CHECKING:
    from gitkit.core.config import Config


@dataclass(frozen=True, kw_only=True)
class Situation:
    """``tips``: the commits of the branches that exist, the journal's among them. ``tag``: the oid of the asked tag on
    the Git remote. ``entries``: the journal, oldest first. ``main`` gives the commit of the Git remote's main branch,
    which is asked for where an environment has no branch of its own so far.
    """

    place: Place
    tips: dict[str, str]
    tag: str | None
    entries: list[Entry]
    ledger: Ledger
    main: Callable[[], str | None] = lambda: None
    _states: dict[str, State] = field(default_factory=dict)
    _policies: dict[str, "Config"] = field(default_factory=dict)
    _ledgers: dict[str, Ledger] = field(default_factory=dict)

    def tip(self, name: str) -> str | None:
        """The commit of an environment's branch."""
        return self.tips.get(self.place.config.environment(name).branch)

    def policy(self, name: str) -> "Config":
        """The rules in force in the environment ``name``."""
        if name not in self._policies:
            tip = self.tip(name)
            main = self.main() if tip is None else None
            self._policies[name] = environments.policy(self.place, name, tip, main)
        return self._policies[name]

    def policy_commit(self, name: str) -> str | None:
        """The commit of the environment's own branch that ``policy`` is from; None where it is from elsewhere."""
        tip = self.tip(name)
        if tip is None or self.policy(name) is self.place.config:
            return None
        return environments.policy_rev(self.place, name, tip)

    def files_rev(self, name: str) -> str:
        """The revision whose files the policy counts on, such as that of allowed signers; empty: the index."""
        if self.policy(name) is self.place.config:
            return ""
        return self.policy_commit(name) or self.main() or ""

    def state(self, name: str) -> State:
        """What the environment ``name`` runs and ran."""
        if name not in self._states:
            settings = self.policy(name).environment(name)
            tip = self.tips.get(settings.branch)
            if tip is None and settings.branch != self.place.config.environment(name).branch:
                tip = environments.ask(self.place, [settings.branch]).tips.get(settings.branch)
            self._states[name] = environments.read(self.place, name, settings, tip, self.ledger)
        return self._states[name]

    def ledger_of(self, name: str | None) -> Ledger:
        """What counts in the environment ``name`` (None: in all): where signed events are asked for, unsigned ones do
        not.
        """
        rules = (self.policy(name) if name is not None else self.place.config).journal
        if not rules.signed:
            return self.ledger
        policy_rev = self.files_rev(name) if name is not None else ""
        if policy_rev not in self._ledgers:
            git = self.place.repository.git
            self._ledgers[policy_rev] = Ledger(trust.counted(git, self.entries, rules, policy_rev))
        return self._ledgers[policy_rev]

    def forget(self, name: str, tip: str) -> None:
        """The environment's branch is at ``tip`` by now."""
        self.tips[self.place.config.environment(name).branch] = tip
        self._states.pop(name, None)
        self._policies.pop(name, None)

    def stays(self, name: str) -> Sequence[Stay] | None:
        """What ran in the environment ``name``, newest first; None where there is no such environment."""
        if name not in self.place.config.environments:
            return None
        return stays_of(self.place, self.state(name), self.ledger)


def stays_of(place: Place, state: State, ledger: Ledger) -> list[Stay]:
    """How long each version ran, newest first. On a branch that people write it runs from its release to the next one
    there, or to a rollback.
    """
    stays = []
    end = None
    genuine = environments.genuine(place, state.runs)
    for run in state.runs:
        if run.event == "commit":
            released = ledger.releases.get(run.version)
            since = max(run.time, released.event.seconds) if released is not None else run.time
            stays.append(Stay(run.version, None, since, max(since, end) if end is not None else None))
            end = since
        else:
            if run.at in genuine:
                stays.append(Stay(run.version, run.digest, run.time, end))
            end = run.time
    return stays


def look(place: Place, *, tag: str | None = None) -> Situation:
    """Ask where everything is now, and read the journal.

    Raises:
        NetworkError: the Git remote cannot be reached.
        Corrupt: the journal is damaged, was cut off or written anew.
    """
    branches = [*(one.branch for one in place.config.environments.values()), JOURNAL_BRANCH]
    fresh = environments.ask(place, branches)
    git = place.repository.git
    entries = journal.read(git, fresh.tips.get(JOURNAL_BRANCH))
    journal.require_continued(git, entries)
    return Situation(
        place=place,
        tips=fresh.tips,
        tag=fresh.tag(tag),
        entries=entries,
        ledger=Ledger(entries),
        main=once(lambda: refs.fetch_head(git, place.git_remote) if place.git_remote is not None else None),
    )


def known(place: Place, emit: Sink = ignore) -> Situation:
    """What this clone knows, without the network. A damaged journal is told and left out."""
    git = place.repository.git
    branches = [*(one.branch for one in place.config.environments.values()), JOURNAL_BRANCH]
    tips = {branch: tip for branch in branches if (tip := environments.known_tip(place, branch)) is not None}
    try:
        entries = journal.read(git, tips.get(JOURNAL_BRANCH))
    except Corrupt as error:
        emit(Warned(f"{error.message}; see: git kit audit verify"))
        entries = []
    main = once(lambda: environments.known_main(place))
    return Situation(place=place, tips=tips, tag=None, entries=entries, ledger=Ledger(entries), main=main)


def authors_of(place: Place, commit: str, version: str) -> set[str]:
    """The addresses, in lower case, of who wrote the version: author and committer of its commit, and the tagger."""
    git = place.repository.git
    lines = git.text("log", "-1", "--no-show-signature", "--format=%ae%n%ce", commit, "--").split("\n")
    tagger = git.ask("for-each-ref", "--format=%(taggeremail:trim)", f"refs/tags/{version}")
    return {line.lower() for line in [*lines, tagger or ""] if line}
