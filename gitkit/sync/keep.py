"""Keep-manifests: what stops a registry from deleting the blobs that only Git names (format: ``docs/remote.md``).

A keep-manifest is a pure function of the blobs in it, so two people who push the same content write the same manifest
under the same tag. What a remote's keep-manifests name is known to be there, without asking for each blob.
"""

import io
import re
from collections.abc import Iterable, Iterator, Sequence

from gitkit.core.digest import digest_of
from gitkit.core.oci import (
    EMPTY_BLOB,
    EMPTY_DESCRIPTOR,
    KEEP_ARTIFACT,
    KEEP_LAYER,
    Descriptor,
    Manifest,
    parse_manifest,
)
from gitkit.core.remote import Remote
from gitkit.errors import KitError
from gitkit.store.keepcache import KeepCache
from gitkit.sync.pointers import Need

TAG_PREFIX = "kit.objects-"
_KEEP_TAG = re.compile(TAG_PREFIX + r"[0-9a-f]{32}")
MAX_LAYERS = 2000


def manifests(needs: Iterable[Need]) -> Iterator[bytes]:
    """The keep-manifests for ``needs``: layers sorted by digest, at most ``MAX_LAYERS`` in each."""
    ordered = sorted({(need.digest, need.size) for need in needs})
    for start in range(0, len(ordered), MAX_LAYERS):
        layers = [
            Descriptor(media_type=KEEP_LAYER, digest=digest, size=size)
            for digest, size in ordered[start : start + MAX_LAYERS]
        ]
        yield Manifest(artifact_type=KEEP_ARTIFACT, config=EMPTY_DESCRIPTOR, layers=layers).encode()


def tag_of(manifest: bytes) -> str:
    """The tag that a keep-manifest is stored under."""
    return TAG_PREFIX + digest_of(manifest)[7:39]


def known(remote: Remote, cache: KeepCache) -> dict[str, int]:
    """Digest and size of every blob that a keep-manifest of ``remote`` names. One request when nothing is new.

    A tag whose manifest is not what the tag says names nothing.
    """
    found: dict[str, int] = {}
    for tag in remote.tags():
        if _KEEP_TAG.fullmatch(tag):
            found.update(_layers(remote, cache, tag))
    return found


def keep(remote: Remote, cache: KeepCache, needs: Sequence[Need]) -> list[str]:
    """Write the keep-manifests for ``needs``, which are on the remote; returns their tags. Idempotent."""
    tags = []
    remote.put_blob(EMPTY_DESCRIPTOR.digest, EMPTY_DESCRIPTOR.size, lambda: io.BytesIO(EMPTY_BLOB))
    for manifest in manifests(needs):
        tag = tag_of(manifest)
        remote.put_manifest(manifest, tag=tag)
        cache.save(tag, manifest)
        tags.append(tag)
    return tags


def _layers(remote: Remote, cache: KeepCache, tag: str) -> dict[str, int]:
    manifest = cache.load(tag)
    if manifest is None or tag_of(manifest) != tag:
        try:
            manifest = remote.get_manifest(tag)
        except KitError:
            return {}
        if tag_of(manifest) != tag:
            return {}
        cache.save(tag, manifest)
    try:
        return {layer.digest: layer.size for layer in parse_manifest(manifest).layers}
    except KitError:
        return {}
