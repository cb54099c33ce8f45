"""Where a version comes from and where it went: data and models -> commit -> kit -> environments over time.

Told from a clone alone: release tags, their trees, and the journal. Everything is asked for all versions at once, so
five hundred of them take no more git processes than five.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from gitkit.core.digest import PREFIX
from gitkit.errors import KitError, NotFound, UsageError
from gitkit.git import objects
from gitkit.git.tags import release_tags
from gitkit.lifecycle.history import Period, periods
from gitkit.lifecycle.situation import Situation
from gitkit.modelkit.held import Elsewhere, Held, HeldFile, Holdings

Kind = Literal["everywhere", "environment", "version", "kit", "file", "path"]

_SECTIONS = ("model", "parts", "datasets")
"""What a lineage is about; code, documents and prompts are shown where they were asked for."""

_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})")
_FEW = 5
"""So many versions at most are built where nobody recorded their digest."""


class Origin(NamedTuple):
    """A commit. ``time`` is the committer date in seconds since 1970."""

    oid: str
    time: int
    author: str
    subject: str


class Ran(NamedTuple):
    """A version in an environment."""

    environment: str
    period: Period


class Made(NamedTuple):
    """A version, what it was made of, and where it ran (newest first). ``digest`` is None where nobody knows it."""

    version: str
    digest: str | None
    origin: Origin
    files: Sequence[HeldFile]
    elsewhere: Sequence[Elsewhere]
    runs: Sequence[Ran]


class Lineage(NamedTuple):
    """``versions`` are newest first. ``what`` is as it was asked for; ``kind`` is what it turned out to be."""

    what: str | None
    kind: Kind
    versions: Sequence[Made]


class _Key(NamedTuple):
    """A version as it was once: a tag that was moved makes two of them."""

    version: str
    commit: str


def lineage(situation: Situation, what: str | None = None) -> Lineage:
    """The lineage of an environment, a version, a digest (8 hex digits at least) or a path; else of all that runs now.

    Raises:
        NotFound: nothing of that name is in any version.
        UsageError: the digest is short, and several start with it.
    """
    return _Search(situation).find(what)


@dataclass(frozen=True)
class _Search:
    situation: Situation

    def find(self, what: str | None) -> Lineage:
        if what is None:
            running = [_key(many[0]) for many in self._periods.values() if many]
            return Lineage(None, "everywhere", self._whole(running, current=True))
        if what in self._periods:
            return Lineage(what, "environment", self._whole(map(_key, self._periods[what])))
        named = [key for key in self._versions if key.version == what]
        if named:
            return Lineage(what, "version", self._whole(named))
        match = _HEX.fullmatch(what)
        found = self._by_digest(what, match[1]) if match is not None else None
        return found or self._by_path(what)

    # -- what is known -------------------------------------------------------------------------------------------------

    @cached_property
    def _periods(self) -> dict[str, list[Period]]:
        return {name: periods(self.situation, name) for name in self.situation.place.config.environments}

    @cached_property
    def _versions(self) -> dict[_Key, str | None]:
        """Every version whose commit is here, and its digest where it is recorded; newest first: release tags, then
        what was released or ran though its tag is elsewhere by now.
        """
        place = self.situation.place
        tags = release_tags(place.repository.git, place.config.kit.tags)
        found: dict[_Key, str | None] = {_Key(tag.name, tag.commit): None for tag in reversed(tags)}
        for entry in self.situation.ledger.releases.values():
            if entry.event.after is not None:
                found[_Key(entry.event.after.version, entry.event.after.commit)] = entry.event.after.digest
        for period in (one for many in self._periods.values() for one in many):
            found[_key(period)] = found.get(_key(period)) or period.digest
        here = objects.sizes(place.repository.git, dict.fromkeys(key.commit for key in found))
        return {key: digest for key, digest in found.items() if key.commit in here}

    @cached_property
    def _ran(self) -> dict[_Key, list[Ran]]:
        found: dict[_Key, list[Ran]] = {}
        for name, many in self._periods.items():
            for period in many:
                found.setdefault(_key(period), []).append(Ran(name, period))
        return found

    @cached_property
    def _holdings(self) -> Holdings:
        return Holdings(self.situation.place.repository.git, (key.commit for key in self._versions))

    # -- searching -----------------------------------------------------------------------------------------------------

    def _by_digest(self, what: str, digits: str) -> Lineage | None:
        start = PREFIX + digits
        kits = {key: digest for key, digest in self._versions.items() if digest and digest.startswith(start)}
        if kits:
            _require_one(kits.values(), what)
            return Lineage(what, "kit", self._whole(kits))
        digests = {oid: one.digest for oid, one in self._holdings.pointers.items() if one.digest.startswith(start)}
        if not digests:
            plain = self._holdings.plain()
            digests = {oid: digest for oid, (digest, _) in plain.items() if digest.startswith(start)}
        if not digests:
            return None
        _require_one(digests.values(), what)
        return Lineage(what, "file", self._limited(self._holdings.with_blobs(digests)))

    def _by_path(self, what: str) -> Lineage:
        path = what.removeprefix("./").rstrip("/")
        found = self._holdings.with_path(path) if path else {}
        if not found:
            raise NotFound(
                f'"{what}" is no environment, no version, and no digest or path that is in one',
                hint="list the versions: git kit kits; the environments: git kit env",
            )
        return Lineage(what, "path", self._limited(found))

    # -- the answer ----------------------------------------------------------------------------------------------------

    def _whole(self, wanted: Iterable[_Key], *, current: bool = False) -> list[Made]:
        """Versions with all data and models in them."""
        keys = self._ordered(wanted)
        holdings = Holdings(self.situation.place.repository.git, (key.commit for key in keys))
        held = holdings.held([key.commit for key in keys])
        about = {
            commit: one._replace(files=[file for file in one.files if file.section in _SECTIONS])
            for commit, one in held.items()
        }
        return self._made(keys, about, current)

    def _limited(self, found: Mapping[str, Sequence[HeldFile]]) -> list[Made]:
        """Versions with the files that were looked for."""
        keys = self._ordered(key for key in self._versions if key.commit in found)
        return self._made(keys, {commit: Held(files, ()) for commit, files in found.items()})

    def _ordered(self, wanted: Iterable[_Key]) -> list[_Key]:
        chosen = set(wanted)
        return [key for key in self._versions if key in chosen]

    def _made(self, keys: Sequence[_Key], held: Mapping[str, Held], current: bool = False) -> list[Made]:
        origins = self._origins([key.commit for key in keys])
        return [
            Made(
                version=key.version,
                digest=self._versions[key] or (self._built(key) if len(keys) <= _FEW else None),
                origin=origins[key.commit],
                files=held[key.commit].files,
                elsewhere=held[key.commit].elsewhere,
                runs=[ran for ran in self._ran.get(key, ()) if ran.period.end is None or not current],
            )
            for key in keys
        ]

    def _built(self, key: _Key) -> str | None:
        try:
            return self.situation.place.build(key.commit, key.version).digest
        except KitError:
            return None

    def _origins(self, commits: Sequence[str]) -> dict[str, Origin]:
        if not commits:
            return {}
        form = "--format=%H%x00%ct%x00%an%x00%s"
        names = "".join(f"{commit}\n" for commit in commits).encode()
        args = ("log", "--no-walk=unsorted", "--no-show-signature", "--encoding=UTF-8", form, "--stdin")
        found = {}
        for line in self.situation.place.repository.git.run(*args, stdin=names).split(b"\n")[:-1]:
            oid, time, author, subject = line.decode("utf-8", "surrogateescape").split("\0", 3)
            found[oid] = Origin(oid, int(time), author, subject)
        return found


def _key(period: Period) -> _Key:
    return _Key(period.version, period.commit)


def _require_one(digests: Iterable[str], what: str) -> None:
    different = sorted(set(digests))
    if len(different) > 1:
        several = ", ".join(different[:5])
        raise UsageError(f'several digests start with "{what}": {several}', hint="give more of its digits")
