"""Release: a version's kits on the remote, each under its own tag.

Order: content of all formats, then their manifests with their tags, the one with the version's own tag last. Killed
anywhere, a tag names a whole kit or does not exist; repeating the command finishes it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gitkit.core.digest import digest_of, short
from gitkit.core.events import Finished, Sink, Started, ignore
from gitkit.core.oci import MAX_MANIFEST
from gitkit.core.reference import is_tag
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, Corrupt, Unsupported
from gitkit.modelkit.build import Kit, save, tag_of
from gitkit.modelkit.content import Content
from gitkit.modelkit.formats.encoded import Layer
from gitkit.modelkit.tarlayers import Recipe, TarLayers
from gitkit.store.keepcache import KeepCache
from gitkit.sync import keep, push
from gitkit.sync.fetch import fetch
from gitkit.sync.parallel import each
from gitkit.sync.pointers import Need
from gitkit.sync.sender import Sender


class Released(NamedTuple):
    """A kit under ``tag``. ``new`` is False where the remote (``url``) had it already, whole."""

    kit: Kit
    url: str
    tag: str
    new: bool

    @property
    def reference(self) -> str:
        """The kit by digest."""
        return f"{self.url}@{self.kit.digest}"


def release(
    content: Content, remote: Remote, kits: Sequence[Kit], *, transfers: int = 4, emit: Sink = ignore
) -> list[Released]:
    """Push ``kits``, which are one version in several formats: the first under the version, others with their format.

    Works in a clone without content when the remote has it. Idempotent; nothing is pushed where one kit is refused.

    Raises:
        Conflict: the remote has another kit under one of the tags.
        NotFound: content is neither here nor on the remote.
        Corrupt: content is damaged.
        Unsupported: a manifest is larger than registries take, or a tag longer.
        Denied, NetworkError
    """
    results = [_look(remote, kit, tag_of(kit, kits[0].format)) for kit in kits]
    results = [
        result if result.new or _is_whole(remote, result.kit) else result._replace(new=True) for result in results
    ]
    new = [result for result in results if result.new]
    if not new:
        return results
    for result in new:
        save(content.git, content.store, result.kit, tag=result.tag)
    _upload(content, remote, [result.kit for result in new], transfers, emit)
    for result in reversed(new):
        remote.put_manifest(result.kit.manifest, tag=result.tag)
    return results


def _is_whole(remote: Remote, kit: Kit) -> bool:
    """Whether the remote still holds all that a kit there names; what it lost is uploaded again."""
    digests = list({layer.digest for layer in kit.layers} | {digest_of(kit.config)})
    return all(each(remote.has_blob, digests, limit=8))


def _look(remote: Remote, kit: Kit, tag: str) -> Released:
    if len(kit.manifest) > MAX_MANIFEST:
        raise Unsupported(
            f"the manifest of {len(kit.files)} files has {len(kit.manifest)} bytes; registries take {MAX_MANIFEST}",
            hint="leave files out with .kitignore, or put many small ones into one archive",
        )
    if not is_tag(tag):
        raise Unsupported(f'a registry cannot hold the tag "{tag}"', hint="use a shorter version")
    there = remote.resolve(tag)
    if there is not None and there != kit.digest:
        raise Conflict(
            f"{remote.url} has another kit under {tag}: {short(there)}, not {short(kit.digest)}",
            hint="a version never changes: make a new tag for the new content",
        )
    return Released(kit, remote.url, tag, there is None)


def _upload(content: Content, remote: Remote, kits: Sequence[Kit], transfers: int, emit: Sink) -> None:
    """What of the kits the remote lacks: files and configs first, then the layers that are made on the way."""
    known = keep.known(remote, KeepCache(content.store))
    configs = [Need(digest_of(kit.config), len(kit.config), b"(config)") for kit in kits]
    needs = {need.digest: need for kit in kits for need in kit.needs} | {need.digest: need for need in configs}
    absent = [need for need in needs.values() if need.digest not in known]
    _bring(content, remote, [need for need in absent if need.lfs], transfers, emit)
    if absent:
        push.upload(content.store, remote, absent, transfers=transfers, emit=emit)
    layers = {digest: layer for kit in kits for digest, layer in kit.recipes.items() if digest not in known}
    if layers:
        _upload_tars(TarLayers(content), remote, list(layers.values()), transfers, emit)


def _bring(content: Content, remote: Remote, needs: Sequence[Need], transfers: int, emit: Sink) -> None:
    """Content of Git LFS pointers that only Git LFS has: into the store, from where it goes to the remote."""
    if content.lfs is None:
        return
    store = content.store
    lost = [need for need in needs if not store.holds(need.digest, need.size) and not remote.has_blob(need.digest)]
    result = fetch(store, content.lfs, lost, transfers=transfers, emit=emit)
    if result.failed:
        raise result.failed[0].error


def _upload_tars(tars: TarLayers, remote: Remote, layers: Sequence[Layer], transfers: int, emit: Sink) -> None:
    def one(layer: Layer) -> bool:
        recipe = layer.source
        if not isinstance(recipe, Recipe):
            raise AssertionError("only layers that are made on the way come here")
        sender = Sender(lambda: tars.open(recipe), emit)
        try:
            remote.put_blob(layer.digest, layer.size, sender.open)
        except Corrupt as error:
            hint = "git kit fsck, then run the command again"
            raise Corrupt(f"{layer.path}: {error.message}", hint=error.hint or hint) from error
        return sender.used

    size = sum(layer.size for layer in layers)
    emit(Started("uploading", len(layers), size))
    try:
        sent = each(one, layers, limit=transfers)
    except Corrupt:
        # Content is damaged, or what was remembered of a layer is wrong: of which one, the next run finds out.
        for layer in layers:
            if isinstance(layer.source, Recipe):
                tars.forget(layer.source)
        raise
    done = [layer for layer, was_sent in zip(layers, sent, strict=True) if was_sent]
    emit(Finished("uploaded", len(done), sum(layer.size for layer in done)))
