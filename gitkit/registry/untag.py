"""Removing one tag, on registries that can and on those that cannot. Distribution specification 1.1, "Deleting tags".

Many registries (distribution 2.8 among them) delete by digest only, and that takes every tag of the manifest away.
There the tag is moved to a stand-in first, a small manifest that nothing else names, and the stand-in is deleted by
digest: the kit and its other tags are never touched. Killed between the two, the tag names the stand-in, which is no
kit; removing the tag again finishes it.
"""

import io
from collections.abc import Callable
from contextlib import suppress

from gitkit.core.digest import digest_of
from gitkit.core.oci import EMPTY_BLOB, EMPTY_DESCRIPTOR, REF_NAME, Manifest
from gitkit.core.remote import Remote
from gitkit.errors import Denied, KitError, NotFound, Unsupported

STAND_IN = "application/vnd.git-kit.removed.v1+json"
"""The artifactType of a manifest whose tag is being removed."""

Delete = Callable[[str], KitError | None]
"""Deletes a tag or digest; the registry's refusal, or None when it is done."""


def delete_tag(remote: Remote, tag: str, delete: Delete) -> None:
    """Remove ``tag``. Another process that moves the same tag at the same time may lose it.

    Raises:
        NotFound: there is no such tag.
        Unsupported: the registry deletes nothing; the tag is as it was.
        Denied, NetworkError
    """
    digest = remote.resolve(tag)
    if digest is None:
        raise NotFound(f"{remote.url} has no tag {tag}")
    refusal = delete(tag)
    if refusal is None:
        return
    if isinstance(refusal, Denied):
        raise refusal
    _by_stand_in(remote, tag, digest, delete)


def _by_stand_in(remote: Remote, tag: str, digest: str, delete: Delete) -> None:
    stand_in = _stand_in(tag)
    name = digest_of(stand_in)
    # Before the tag moves: are deletions allowed at all? Where it is, the stand-in is not there, or was left behind.
    refusal = delete(name)
    if refusal is not None and not isinstance(refusal, NotFound):
        raise _unsupported(remote, tag, refusal)
    if digest == name:
        return
    kit = remote.get_manifest(digest)
    remote.put_blob(EMPTY_DESCRIPTOR.digest, EMPTY_DESCRIPTOR.size, lambda: io.BytesIO(EMPTY_BLOB))
    remote.put_manifest(stand_in, tag=tag)
    refusal = delete(name)
    if refusal is not None:
        with suppress(KitError):
            remote.put_manifest(kit, tag=tag)
        raise _unsupported(remote, tag, refusal)


def _stand_in(tag: str) -> bytes:
    """Of each tag its own, so that deleting it can take no other tag away."""
    layers = [EMPTY_DESCRIPTOR]  # not all registries take a manifest without layers
    return Manifest(
        artifact_type=STAND_IN, config=EMPTY_DESCRIPTOR, layers=layers, annotations={REF_NAME: tag}
    ).encode()


def _unsupported(remote: Remote, tag: str, refusal: KitError) -> KitError:
    if isinstance(refusal, Denied):
        return refusal
    return Unsupported(
        f"{remote.url} does not let tags be removed: {refusal.message}",
        hint=f"allow deletion in the registry's configuration, or remove {tag} with the registry's own tools",
    )
