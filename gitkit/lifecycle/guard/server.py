"""What a push wants to change, and what the server has: the two sides that the guard compares.

Nothing is written. In a ``pre-receive`` hook new objects are in quarantine (git-receive-pack(1)): git finds them by the
environment that it hands to its hooks.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.journal import BRANCH as JOURNAL_BRANCH
from gitkit.errors import Denied, InvalidFile, KitError
from gitkit.git import objects
from gitkit.git.run import Git
from gitkit.lifecycle import environments, journal
from gitkit.lifecycle.environments import ENV, Place
from gitkit.lifecycle.ledger import Entry

if TYPE_CHECKING:
    from gitkit.core.config import Config

HEADS, TAGS = "refs/heads/", "refs/tags/"
JOURNAL = f"{HEADS}{JOURNAL_BRANCH}"

OVERTAKEN = "(non-fast-forward)"
"""Git's word for a push that builds on what is no longer there: clients look again and retry."""


class Update(NamedTuple):
    """A reference from ``old`` to ``new``; None: it does not exist."""

    ref: str
    old: str | None
    new: str | None


def update_of(ref: str, old: str, new: str) -> Update:
    """What git tells its hooks: an oid of zeros is none."""
    return Update(ref, old if old.strip("0") else None, new if new.strip("0") else None)


def parse_updates(text: bytes) -> list[Update]:
    """Standard input of ``pre-receive``: ``OLD NEW REF`` in each line (githooks(5))."""
    lines = text.decode("utf-8", "surrogateescape").splitlines()
    return [update_of(ref, old, new) for old, new, ref in (line.split(" ", 2) for line in lines)]


class Guarded(NamedTuple):
    """An environment, and the configuration that rules it."""

    name: str
    config: "Config"

    @property
    def managed(self) -> bool:
        """Whether only git kit writes the branch."""
        return bool(self.config.environment(self.name).sources)


@dataclass(kw_only=True)
class Server:
    """``updates`` are all of the push where it is seen ``whole``, else the one that is asked about.

    ``parse`` reads a ``.gitkit.toml``; ``place_of`` makes the place of a configuration and of ``config_at``. ``now`` is
    in microseconds since 1970, UTC.
    """

    git: Git
    updates: dict[str, Update]
    whole: bool
    now: int
    parse: "Callable[[bytes, str], Config]"
    place_of: "Callable[[Config, Callable[[str], Config | None]], Place]"
    _texts: dict[str, bytes | None] = field(default_factory=dict)
    _parsed: "dict[bytes, Config]" = field(default_factory=dict)

    # -- references ----------------------------------------------------------------------------------------------------

    def tip(self, branch: str) -> str | None:
        """Where a branch is at this moment, whatever the push wants."""
        return self.git.ask("rev-parse", "-q", "--verify", "--end-of-options", f"{HEADS}{branch}")

    def wanted(self, branch: str) -> str | None:
        """Where a branch is after the push."""
        update = self.updates.get(f"{HEADS}{branch}")
        return update.new if update is not None else self.tip(branch)

    @cached_property
    def entries(self) -> list[Entry]:
        """The journal at this moment.

        Raises:
            Corrupt: it is damaged.
        """
        return journal.read(self.git, self.tip(JOURNAL_BRANCH))

    # -- configuration -------------------------------------------------------------------------------------------------

    @cached_property
    def place(self) -> Place:
        """The repository, ruled by the ``.gitkit.toml`` of HEAD.

        Raises:
            InvalidFile: that has problems.
        """
        return self.place_of(self._parse(self._text("HEAD") or b"", "HEAD"), self.config_at)

    def config_at(self, rev: str) -> "Config | None":
        """The configuration of a commit that names environments; None where it names none.

        Raises:
            InvalidFile: it has problems.
        """
        text = self._text(rev)
        config = self._parse(text, rev) if text is not None else None
        return config if config is not None and config.environments else None

    def _text(self, rev: str) -> bytes | None:
        if rev not in self._texts:
            self._texts[rev] = objects.read_file(self.git, rev, ".gitkit.toml")
        return self._texts[rev]

    def _parse(self, text: bytes, rev: str) -> "Config":
        if text not in self._parsed:
            self._parsed[text] = self.parse(text, f"{rev[:12]}:.gitkit.toml")
        return self._parsed[text]

    def has_environments(self) -> bool:
        """Whether HEAD names any, or has a file that cannot be read and may."""
        try:
            return self.config_at("HEAD") is not None
        except InvalidFile:
            return True

    def environment_of(self, update: Update) -> Guarded | None:
        """The environment whose branch this is: as the branch itself says, else HEAD, else what comes in.

        Raises:
            InvalidFile: it is one, and the file that rules it has problems.
        """
        branch = update.ref.removeprefix(HEADS)
        try:
            own = self._named(branch, update.old) if update.old is not None else None
            found = own or self._named(branch, "HEAD")
        except InvalidFile:
            if update.old is None or self._is_written_by_us(update.old):
                raise
            found = None
        if found is None and update.old is None and update.new is not None:
            found = self._named_by_newcomer(branch, update.new)
        return found

    def _named(self, branch: str, rev: str) -> Guarded | None:
        text = self._text(rev)
        # TOML says a name as it is, unless it escapes something: most pushes are about branches that are not in there.
        if text is None or (os.fsencode(branch) not in text and b"\\" not in text):
            return None
        config = self.config_at(rev)
        if config is None:
            return None
        names = [name for name, environment in config.environments.items() if environment.branch == branch]
        return Guarded(names[0], config) if names else None

    def _named_by_newcomer(self, branch: str, rev: str) -> Guarded | None:
        try:
            return self._named(branch, rev)
        except InvalidFile:
            return None

    def _is_written_by_us(self, rev: str) -> bool:
        return ENV in objects.trailers(objects.read_commit(self.git, rev).message)

    def policy(self, name: str, tip: str | None) -> "Config":
        """The rules in force in an environment whose branch is at ``tip``.

        Raises:
            InvalidFile: no environment has this name.
        """
        return environments.policy(self.place, name, tip)

    # -- small questions -----------------------------------------------------------------------------------------------

    def tree_of(self, commit: str) -> str | None:
        return self.git.ask("rev-parse", "-q", "--verify", f"{commit}^{{tree}}") if is_oid(commit) else None

    def has_commit(self, oid: str) -> bool:
        return is_oid(oid) and self.git.ask("cat-file", "-e", f"{oid}^{{commit}}") is not None


def refuse_unless(condition: bool, message: str, *, hint: str | None = None) -> None:
    """
    Raises:
        Denied: ``condition`` does not hold.
    """
    if not condition:
        raise Denied(message, hint=hint)


def is_oid(text: object) -> bool:
    """Whether it is an object's full name, and no option of git."""
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text) is not None


class Refusal(NamedTuple):
    """A reference that does not move, and why."""

    ref: str
    error: KitError
