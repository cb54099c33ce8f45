"""A kit from one remote to another, by digest: the same bytes, so the same kit.

Order: layers and config, then the manifest with its tag. Killed anywhere, the tag names the whole kit or does not
exist; repeating it finishes it. What refers to a kit (signatures, attestations) is not part of it and stays behind.
"""

from typing import NamedTuple

from gitkit.core.events import Sink, ignore
from gitkit.core.oci import Manifest
from gitkit.core.remote import Remote
from gitkit.modelkit.tags import Guard, kit_manifest
from gitkit.modelkit.transfer import Transferred, transfer
from gitkit.sync.pointers import Need


class Copied(NamedTuple):
    """``size`` is that of all layers in bytes; ``reference`` names the kit at its new place by digest."""

    digest: str
    reference: str
    size: int
    layers: int
    blobs: Transferred


def copy(
    source: Remote,
    target: Remote,
    name: str,
    *,
    tag: str | None,
    guard: Guard | None = None,
    transfers: int = 4,
    emit: Sink = ignore,
) -> Copied:
    """Have ``target`` hold the kit ``name`` (tag or digest) of ``source``, under ``tag`` if that is given. Idempotent.

    Raises:
        NotFound: there is no such kit, or not all of it.
        InvalidFile: it is an index, or no manifest at all.
        Conflict, Unsupported: ``guard`` forbids to move ``tag``.
        Corrupt: bytes are not what their digest says.
        Denied, NetworkError
    """
    data = source.get_manifest(name)
    manifest = kit_manifest(data, f"{source.url} {name}")
    if tag is not None and guard is not None:
        guard.check(target, tag, data)
    blobs = transfer(source, target, needs_of(manifest), transfers=transfers, emit=emit)
    digest = target.put_manifest(data, tag=tag)
    return Copied(digest, f"{target.url}@{digest}", size_of(manifest), len(manifest.layers), blobs)


def needs_of(manifest: Manifest) -> list[Need]:
    """Config and layers, each digest once, the config first."""
    found = {manifest.config.digest: Need(manifest.config.digest, manifest.config.size, b"(config)")}
    for layer in manifest.layers:
        found.setdefault(layer.digest, Need(layer.digest, layer.size, layer.digest.encode()))
    return list(found.values())


def size_of(manifest: Manifest) -> int:
    """The size in bytes of all layers."""
    return sum(layer.size for layer in manifest.layers)
