"""What the manifests in a store's ``index.json`` name."""

from typing import Any

from gitkit.core.digest import is_digest
from gitkit.core.oci import KEEP_ARTIFACT, parse_document
from gitkit.errors import NotFound
from gitkit.store.layout import ImageLayout


def kept_for_others(store: ImageLayout) -> set[str]:
    """What stays whatever Git says: the manifests themselves, and what keep-manifests name.

    A keep-manifest in a store says that other clones push to it: to them it is the remote.

    Raises:
        Corrupt, InvalidFile: the index or a manifest is damaged.
    """
    kept: set[str] = set()
    for digest in store.digests():
        kept.add(digest)
        document = _read(store, digest)
        if document.get("artifactType") == KEEP_ARTIFACT:
            kept |= _digests(document)
    return kept


def named_by_kits(store: ImageLayout) -> set[str]:
    """All that a manifest of ``store`` names, whatever it may be.

    Raises:
        Corrupt, InvalidFile: the index or a manifest is damaged.
    """
    seen: set[str] = set()
    found: set[str] = set()
    pending = store.digests()
    while pending:
        digest = pending.pop()
        if digest not in seen:
            seen.add(digest)
            document = _read(store, digest)
            found |= _digests(document)
            nested = document.get("manifests")
            pending += sorted(_digests(nested)) if isinstance(nested, list) else []
    return seen | found


def _read(store: ImageLayout, digest: str) -> dict[str, Any]:
    try:
        return parse_document(store.get_manifest(digest), f"the manifest {digest} in {store.url}")
    except NotFound:
        return {}  # it names nothing any more; its parts can still only go where the remote has them


def _digests(value: object) -> set[str]:
    """Every digest in a JSON value that stands where a descriptor has it."""
    if isinstance(value, list):
        return set().union(*map(_digests, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = value.get("digest")
    found = {own} if isinstance(own, str) and is_digest(own) else set()
    return found.union(*map(_digests, value.values()))
