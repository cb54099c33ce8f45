"""Whether versions are still what their release said: Git's tags, and the registry's."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from gitkit.core.digest import short
from gitkit.core.journal import Point
from gitkit.core.remote import Remote
from gitkit.errors import KitError
from gitkit.lifecycle.audit.findings import Finding, Gap, about
from gitkit.lifecycle.ledger import Entry, Ledger
from gitkit.sync.parallel import each

_AT_ONCE = 8


class Tags(NamedTuple):
    """The oids of all tags, by name: ``there`` on the Git remote ``remote`` (None: not asked), ``here`` in this clone.

    ``leads`` are the commits that tags lead to, by the tag's oid, as far as that is to be looked at.
    """

    here: Mapping[str, str]
    there: Mapping[str, str] | None
    remote: str | None
    leads: Mapping[str, str]


# -- Git's tags --------------------------------------------------------------------------------------------------------


def check_tags(releases: Sequence[Entry], tags: Tags) -> tuple[list[Finding], list[Gap]]:
    """Each released version's tag must be the one of its first release."""
    findings: list[Finding] = []
    gaps: list[Gap] = []
    first: dict[str, Entry] = {}
    for entry in releases:
        version = entry.event.version or ""
        if version in first:
            findings += _released_again(entry, first[version])
            continue
        first[version] = entry
        findings += [about("tag", entry, *wrong) for wrong in _wrong_tag(entry, version, tags)]
    unknown = [version for version in first if tags.there is None and version not in tags.here]
    if tags.remote is not None and unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        gaps.append(Gap(f"the tag {unknown[0]}{more} is not in this clone, and {tags.remote} was not asked"))
    return findings, gaps


def _released_again(entry: Entry, first: Entry) -> Iterator[Finding]:
    now, then = entry.event.after, first.event.after
    if now is not None and then is not None and (now.digest, now.commit) != (then.digest, then.commit):
        yield about("tag", entry, f"{now.version} was released before as {then.digest} (event {first.event.sequence})")


def _wrong_tag(entry: Entry, version: str, tags: Tags) -> Iterator[tuple[str, str | None]]:
    """What is wrong with a version's tag, and the refspec that puts it back."""
    after = entry.event.after
    if after is None:
        return
    here = tags.here.get(version)
    put_back = f"{after.tag}:refs/tags/{version}" if after.tag is not None else None
    if tags.there is not None:
        for text in _wrong(after, tags.there.get(version), f"on {tags.remote}", required=True):
            yield text, put_back
    if tags.there is None or here != tags.there.get(version):
        for text in _wrong(after, here, "in this clone", required=tags.remote is None):
            yield text, put_back if tags.remote is None else None
    leads_to = tags.leads.get(after.tag or "")
    if leads_to is not None and leads_to != after.commit:
        yield f"the tag {version} leads to {leads_to[:12]}, and the release names {after.commit[:12]}", None


def _wrong(after: Point, found: str | None, where: str, *, required: bool) -> Iterator[str]:
    if found is None:
        if required:
            yield f"the tag {after.version} is gone {where}"
    elif after.tag is not None and found != after.tag:
        yield f"the tag {after.version} was moved {where}: it is {found[:12]}, its release had {after.tag[:12]}"


# -- the registry's tags -----------------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """A tag of the registry that must have one of ``digests``. ``loose``: it may also be absent."""

    tag: str
    digests: frozenset[str]
    entry: Entry
    loose: bool = False


def wanted_tags(ledger: Ledger, managed: Mapping[str, bool], releases: Sequence[Entry]) -> list[Wanted]:
    """What the registry must say of the environments in ``managed``, of what they run, and of ``releases``.

    An environment that people write (not managed) may be behind: it must be at some version that was released.
    """
    wanted = {}
    every = {entry.event.digest or "" for entry in ledger.releases.values()}
    running = []
    for name, only_ours in managed.items():
        last = ledger.last_move(name)
        if last is not None and last.event.digest is not None:
            mine = frozenset({last.event.digest} if only_ours else every | {last.event.digest})
            wanted[name] = Wanted(name, mine, last, loose=not only_ours)
            running.append(ledger.releases.get(last.event.version or "", last))
    for entry in (*running, *releases):
        if entry.event.version is not None and entry.event.digest is not None:
            wanted.setdefault(entry.event.version, Wanted(entry.event.version, frozenset({entry.event.digest}), entry))
    return list(wanted.values())


def check_registry(remote: Remote, wanted: Sequence[Wanted]) -> tuple[list[Finding], list[Gap]]:
    """Ask the registry for each of these tags; what it cannot answer is a gap."""
    try:
        found = each(lambda one: remote.resolve(one.tag), wanted, limit=_AT_ONCE)
    except KitError as error:
        return [], [Gap(f"the tags on {remote.url} cannot be checked: {error.message}")]
    findings = []
    for one, digest in zip(wanted, found, strict=True):
        if digest in one.digests or (digest is None and one.loose):
            continue
        text = f"{remote.url} has {_shown(digest)} under {one.tag}, not {short(min(one.digests))}"
        findings.append(about("registry", one.entry, text))
    return findings, []


def _shown(digest: str | None) -> str:
    return short(digest) if digest is not None else "nothing"
