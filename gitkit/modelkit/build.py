"""A kit from a commit: a pure function of commit, version and format. No content of a pointer is needed or read."""

from collections.abc import Sequence
from dataclasses import dataclass

from gitkit.core.digest import digest_of
from gitkit.git import objects
from gitkit.git.run import Git
from gitkit.modelkit.formats import modelpack
from gitkit.modelkit.source import KitLayer, read_source
from gitkit.store.layout import ImageLayout
from gitkit.sync.pointers import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """``size`` is the size in bytes of all layers; ``skipped`` are paths that a kit cannot hold (links)."""

    version: str
    commit: str
    format: str
    digest: str
    manifest: bytes
    config: bytes
    layers: Sequence[KitLayer]
    skipped: Sequence[str]

    @property
    def size(self) -> int:
        return sum(layer.size for layer in self.layers)

    @property
    def needs(self) -> list[Need]:
        """The layers' content, each digest once."""
        return list(
            {layer.digest: Need(layer.digest, layer.size, layer.path.encode()) for layer in self.layers}.values()
        )


def build(git: Git, commit: str, *, version: str) -> Kit:
    """Build the kit of ``commit`` (an oid) in the format modelpack.

    Raises:
        InvalidFile: the commit has no Kitfile, or one with problems.
        Unsupported: the Kitfile asks for what this version cannot do.
    """
    source = read_source(git, commit)
    manifest, config = modelpack.encode(source, version=version)
    return Kit(
        version=version,
        commit=source.commit.oid,
        format="modelpack",
        digest=digest_of(manifest),
        manifest=manifest,
        config=config,
        layers=source.layers,
        skipped=source.skipped,
    )


def save(git: Git, store: ImageLayout, kit: Kit) -> None:
    """Put manifest, config and the files that Git holds itself into the store, under the version's tag. Idempotent.

    With the pointers' content in the store, the store folder holds the whole kit for any OCI tool.
    """
    absent = {layer.oid for layer in kit.layers if layer.oid is not None and not store.holds(layer.digest, layer.size)}
    for _, source in objects.each_blob(git, sorted(absent)):
        store.add(source)
    store.add_bytes(kit.config)
    store.put_manifest(kit.manifest, tag=kit.version)
