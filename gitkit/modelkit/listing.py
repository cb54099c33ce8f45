"""The versions of a repository, and what is known of their kits here and on the remote."""

import fnmatch
from typing import NamedTuple

from gitkit.core.oci import Manifest
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, InvalidFile, NotFound
from gitkit.git.run import Git
from gitkit.git.tags import release_tags
from gitkit.modelkit.copying import size_of
from gitkit.modelkit.tags import kit_manifest
from gitkit.store.layout import ImageLayout
from gitkit.sync.parallel import each


class Version(NamedTuple):
    """``commit`` and ``time`` are None where the Git tag is not here, ``built`` and ``released`` where no kit is.

    ``size`` (bytes of all layers) and ``new`` (bytes in layers that the version before does not have) are only known
    for what is released.
    """

    version: str
    commit: str | None
    time: int | None
    built: str | None
    released: str | None
    size: int | None = None
    new: int | None = None


def versions(git: Git, store: ImageLayout, remote: Remote | None, pattern: str, *, transfers: int = 4) -> list[Version]:
    """Git's release tags, oldest first, then those that only ``remote`` has, by name. Moves manifests, no layer.

    Raises:
        Denied, NetworkError: the remote does not answer.
    """
    tags = release_tags(git, pattern)
    lines = [Version(tag.name, tag.commit, tag.time, store.resolve(tag.name), None) for tag in tags]
    if remote is None:
        return lines
    there = set(remote.tags())
    known = {tag.name for tag in tags}
    elsewhere = sorted(name for name in there - known if fnmatch.fnmatchcase(name, pattern))
    lines += [Version(name, None, None, store.resolve(name), None) for name in elsewhere]
    names = [line.version for line in lines if line.version in there]
    found = dict(zip(names, each(lambda name: _released(store, remote, name), names, limit=transfers), strict=True))
    return _with_sizes([(line, found.get(line.version)) for line in lines])


class _Released(NamedTuple):
    """``manifest`` is None where what the tag names is no kit."""

    digest: str
    manifest: Manifest | None


def _released(store: ImageLayout, remote: Remote, name: str) -> _Released | None:
    digest = remote.resolve(name)
    if digest is None:
        return None
    try:
        data = store.get_manifest(digest) if store.has_blob(digest) else remote.get_manifest(digest)
        return _Released(digest, kit_manifest(data, name))
    except (InvalidFile, NotFound, Corrupt):
        return _Released(digest, None)


def _with_sizes(lines: list[tuple[Version, _Released | None]]) -> list[Version]:
    out, before = [], set[str]()
    for line, released in lines:
        if released is None or released.manifest is None:
            out.append(line._replace(released=released.digest if released else None))
            continue
        layers = {layer.digest: layer.size for layer in released.manifest.layers}
        new = sum(size for digest, size in layers.items() if digest not in before)
        out.append(line._replace(released=released.digest, size=size_of(released.manifest), new=new))
        before = set(layers)
    return out
