"""The policies that events name: read from the commits that they name, many at once."""

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from gitkit.core.journal import Event
from gitkit.errors import InvalidFile, KitError
from gitkit.git import objects
from gitkit.lifecycle.audit import facts
from gitkit.lifecycle.environments import Place

if TYPE_CHECKING:
    from gitkit.core.config import Config

_FILE = ".gitkit.toml"
_MAX_SIZE = 1 << 20


class Policies:
    """What ``.gitkit.toml`` was at commits. ``load`` reads many at once; asking for others works, and is slower."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._git = place.repository.git
        self._blob_of: dict[str, str | None] = {}
        self._config_of: dict[str, Config | KitError] = {}
        self._digests: dict[tuple[int, str], str] = {}

    def load(self, commits: Iterable[str]) -> None:
        """Read what these commits hold. Three git processes."""
        wanted = [commit for commit in dict.fromkeys(commits) if commit not in self._blob_of]
        oids = facts.blobs(self._git, [f"{commit}:{_FILE}" for commit in wanted])
        self._blob_of.update(zip(wanted, oids, strict=True))
        self._parse({oid for oid in oids if oid is not None} - self._config_of.keys())

    def at(self, commit: str) -> "Config | None":
        """The configuration of a commit; None where it has none.

        Raises:
            InvalidFile: it is damaged.
        """
        self.load([commit])
        oid = self._blob_of[commit]
        found = self._config_of.get(oid) if oid is not None else None
        if isinstance(found, KitError):
            raise found
        return found

    def of(self, event: Event) -> "Config | None":
        """The policy that decided about an event of an environment; None where it is nowhere in Git (any more).

        Where the event names no commit, it was a worktree's: then it is found by its digest, here or in history.

        Raises:
            InvalidFile: what the event names is damaged, or knows no such environment.
        """
        name = event.environment or ""
        if event.policy_commit is None:
            candidates = (self._place.config, *self._ever)
            return next((one for one in candidates if self.digest(one, name) == event.policy), None)
        found = self.at(event.policy_commit)
        if found is None or name not in found.environments:
            raise InvalidFile(f"{event.policy_commit[:12]} has no policy of {name}")
        return found

    def digest(self, config: "Config", name: str) -> str | None:
        """The digest of the environment's policy; None where there is no such environment."""
        if name not in config.environments:
            return None
        key = (id(config), name)
        if key not in self._digests:
            self._digests[key] = config.policy_of(name)
        return self._digests[key]

    @cached_property
    def _ever(self) -> "list[Config]":
        """Every configuration that a branch, a tag or their history has."""
        out = self._git.text(
            "log", "--all", "--full-history", "--no-show-signature", "--format=", "--raw", "--no-abbrev", "--", _FILE
        )
        oids = {line.split(" ")[3] for line in out.split("\n") if line.startswith(":")}
        self._parse(oids - self._config_of.keys())
        return [found for oid in oids if not isinstance(found := self._config_of.get(oid), KitError | None)]

    def _parse(self, oids: Iterable[str]) -> None:
        from gitkit.core.config import parse_config

        for oid, text in objects.read_small(self._git, oids, _MAX_SIZE).items():
            try:
                self._config_of[oid] = parse_config(text)
            except KitError as error:
                self._config_of[oid] = error
