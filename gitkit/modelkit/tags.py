"""Tags of kits on a remote: giving another one, taking one away, and which ones are not for people to move."""

import fnmatch
from collections.abc import Collection, Mapping
from typing import NamedTuple

from gitkit.core.digest import digest_of, short
from gitkit.core.oci import MAX_MANIFEST, Manifest, parse_manifest
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, InvalidFile, NotFound, Unsupported
from gitkit.sync.keep import TAG_PREFIX


class Guard(NamedTuple):
    """``versions`` is the pattern of release tags (``kit.tags``); ``environments`` are the names of those of this
    remote."""

    versions: str
    environments: Collection[str]

    def check(self, remote: Remote, tag: str, manifest: bytes) -> str | None:
        """What ``tag`` names now, if it may name ``manifest`` next.

        Raises:
            Conflict: it is a version and names something else; or it is an environment.
            Unsupported: it is one of git kit's own.
        """
        if tag.startswith(TAG_PREFIX):
            raise Unsupported(f"{tag} is a tag of git kit's own", hint="choose another name")
        there, digest = remote.resolve(tag), digest_of(manifest)
        if there == digest:
            return there
        if tag in self.environments:
            raise Conflict(f"{tag} is an environment, which Git decides on", hint=f"git kit promote VERSION {tag}")
        if there is not None and self.is_version(tag):
            raise Conflict(
                f"{remote.url} has another kit under {tag}: {short(there)}, not {short(digest)}",
                hint="a version never changes: choose a new name for the new content",
            )
        return there

    def is_version(self, tag: str) -> bool:
        """Whether ``tag`` has the form of a version's name."""
        return fnmatch.fnmatchcase(tag, self.versions)


class Tagged(NamedTuple):
    """``before`` is the digest that the tag named before, if any."""

    digest: str
    before: str | None


def retag(remote: Remote, name: str, tag: str, guard: Guard) -> Tagged:
    """Let ``tag`` name the kit ``name`` (tag or digest) too. Moves a manifest, no layer. Idempotent.

    Raises:
        NotFound: there is no such kit.
        InvalidFile: it is an index.
        Conflict, Unsupported: ``guard`` forbids it.
        Denied, NetworkError
    """
    data = remote.get_manifest(name)
    kit_manifest(data, f"{remote.url} {name}")
    before = guard.check(remote, tag, data)
    digest = digest_of(data)
    if before != digest:
        remote.put_manifest(data, tag=tag)
    return Tagged(digest, before)


def check_removal(remote: Remote, tag: str, guard: Guard, running: Mapping[str, str]) -> str:
    """The digest under ``tag``, if ``tag`` may go. ``running`` gives the environment that runs a version.

    Raises:
        NotFound: there is no such tag.
        Conflict: an environment needs it.
        Unsupported: it keeps content that Git names.
    """
    if tag.startswith(TAG_PREFIX):
        raise Unsupported(f"{tag} keeps the registry from deleting content that Git names")
    digest = remote.resolve(tag)
    if digest is None:
        raise NotFound(f"{remote.url} has no tag {tag}", hint="list the versions: git kit kits --remote")
    if tag in guard.environments:
        raise Conflict(f"{tag} is the tag of an environment")
    environment = running.get(tag)
    if environment is None and guard.is_version(tag):
        environment = next((name for name in guard.environments if remote.resolve(name) == digest), None)
    if environment is not None:
        raise Conflict(
            f"{tag} runs in {environment}", hint=f"bring another version there first: git kit env show {environment}"
        )
    return digest


def kit_manifest(data: bytes, what: str) -> Manifest:
    """A kit's manifest.

    Raises:
        InvalidFile: it is an index, something else, or too large for any registry.
    """
    if len(data) > MAX_MANIFEST:
        raise InvalidFile(f"{what} has a manifest of {len(data)} bytes; registries take {MAX_MANIFEST}")
    return parse_manifest(data, what)
