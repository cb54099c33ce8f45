"""Release: a version's kit on the remote, under its own tag.

Order: content, config, then manifest with its tag. Killed anywhere, the tag names the whole kit or does not exist;
repeating the command finishes it.
"""

from typing import NamedTuple

from gitkit.core.digest import digest_of, short
from gitkit.core.events import Sink, ignore
from gitkit.core.oci import MAX_MANIFEST
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, Unsupported
from gitkit.git.run import Git
from gitkit.modelkit.build import Kit, save
from gitkit.store.keepcache import KeepCache
from gitkit.store.layout import ImageLayout
from gitkit.sync import keep, push
from gitkit.sync.pointers import Need


class Released(NamedTuple):
    """``new`` is False where the remote (``url``) had the kit already."""

    kit: Kit
    url: str
    uploaded: list[Need]
    new: bool

    @property
    def reference(self) -> str:
        """The kit by digest."""
        return f"{self.url}@{self.kit.digest}"


def release(
    git: Git, store: ImageLayout, remote: Remote, kit: Kit, *, transfers: int = 4, emit: Sink = ignore
) -> Released:
    """Push ``kit`` under its version. Works in a clone without content when the remote has it. Idempotent.

    Raises:
        Conflict: the remote has another kit under this version.
        NotFound: content is neither here nor on the remote.
        Unsupported: the manifest is larger than registries take.
        Denied, NetworkError
    """
    if len(kit.manifest) > MAX_MANIFEST:
        raise Unsupported(
            f"the manifest of {len(kit.layers)} files has {len(kit.manifest)} bytes; registries take {MAX_MANIFEST}",
            hint="leave files out with .kitignore, or put many small ones into one archive",
        )
    there = remote.resolve(kit.version)
    if there == kit.digest:
        return Released(kit, remote.url, [], False)
    if there is not None:
        raise Conflict(
            f"{remote.url} has another kit under {kit.version}: {short(there)}, not {short(kit.digest)}",
            hint="a version never changes: make a new tag for the new content",
        )
    save(git, store, kit)
    known = keep.known(remote, KeepCache(store))
    config = Need(digest_of(kit.config), len(kit.config), b"(config)")
    absent = [need for need in [*kit.needs, config] if need.digest not in known]
    uploaded = push.upload(store, remote, absent, transfers=transfers, emit=emit) if absent else []
    remote.put_manifest(kit.manifest, tag=kit.version)
    return Released(kit, remote.url, uploaded, True)
