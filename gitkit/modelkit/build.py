"""A kit from a commit: a pure function of commit, version and options.

Formats with raw layers need no content of a pointer. Tar layers have digests of their own, so their content is read
once in a clone, from wherever it is; Docker's config tells facts from the weights' headers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gitkit.core.digest import digest_of
from gitkit.core.events import Sink, ignore
from gitkit.errors import Unsupported
from gitkit.git import objects
from gitkit.git.run import Git
from gitkit.modelkit.content import Content
from gitkit.modelkit.files import KitFile, KitSource, read_source
from gitkit.modelkit.formats import docker, image, modelkit, modelpack
from gitkit.modelkit.formats.encoded import Encoded, Layer
from gitkit.modelkit.formats.options import Options
from gitkit.modelkit.tarlayers import Recipe, TarLayers
from gitkit.store.layout import ImageLayout
from gitkit.sync.pointers import Need

MODELPACK = Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """``layers`` in the manifest's order; ``files`` are all that they hold; ``skipped`` are links, which no kit holds.

    ``size`` is the size in bytes of all layers.
    """

    version: str
    commit: str
    options: Options
    digest: str
    manifest: bytes
    config: bytes
    layers: Sequence[Layer]
    files: Sequence[KitFile]
    skipped: Sequence[str]

    @property
    def format(self) -> str:
        return self.options.format

    @property
    def size(self) -> int:
        return sum(layer.size for layer in self.layers)

    @property
    def needs(self) -> list[Need]:
        """The layers that are files as they are, each digest once."""
        plain = [(layer, layer.source) for layer in self.layers if isinstance(layer.source, KitFile)]
        needs = (Need(layer.digest, layer.size, layer.path.encode(), file.lfs) for layer, file in plain)
        return list({need.digest: need for need in needs}.values())

    @property
    def recipes(self) -> dict[str, Layer]:
        """The layers that are made while they are sent, by digest."""
        return {layer.digest: layer for layer in self.layers if isinstance(layer.source, Recipe)}


def build(
    git: Git,
    commit: str,
    *,
    version: str,
    options: Options = MODELPACK,
    content: Content | None = None,
    emit: Sink = ignore,
) -> Kit:
    """Build the kit of ``commit`` (an oid). Only the format modelpack can do without ``content``.

    Raises:
        InvalidFile: the commit has no Kitfile, or one with problems.
        Unsupported: the Kitfile asks for what the format cannot hold.
        NotFound: the format needs content that is neither here nor on a remote.
        Corrupt, Denied, NetworkError: such content cannot be read.
    """
    source = read_source(git, commit)
    encoded = _encode(source, version, options, content, emit)
    return Kit(
        version=version,
        commit=source.commit.oid,
        options=options,
        digest=digest_of(encoded.manifest),
        manifest=encoded.manifest,
        config=encoded.config,
        layers=encoded.layers,
        files=encoded.files,
        skipped=source.skipped,
    )


def _encode(source: KitSource, version: str, options: Options, content: Content | None, emit: Sink) -> Encoded:
    if options.format == "modelpack":
        return modelpack.encode(source, version=version)
    if content is None:
        raise Unsupported(f"a kit in the format {options.format} is made from content, which is not given here")
    if options.format == "docker":
        return docker.encode(source, version=version, content=content)
    tars = TarLayers(content, emit=emit)
    if options.format == "image":
        return image.encode(source, version=version, compression=options.compression, tars=tars)
    return modelkit.encode(
        source,
        version=version,
        layer_format=options.layer_format,
        compression=options.compression,
        content=content,
        tars=tars,
    )


def tag_of(kit: Kit, first: str) -> str:
    """The registry tag of a kit, where ``first`` is the format that has the version's own."""
    return kit.version if kit.format == first else f"{kit.version}-{kit.format}"


def save(git: Git, store: ImageLayout, kit: Kit, *, tag: str | None = None) -> None:
    """Put manifest, config and the layers that Git holds itself into the store, under ``tag`` (else the version).

    Idempotent. With the pointers' content in the store, the store folder holds the whole kit for any OCI tool, where
    its layers are files as they are; tar layers are never stored.
    """
    plain = [layer.source for layer in kit.layers if isinstance(layer.source, KitFile)]
    absent = {file.oid for file in plain if file.oid is not None and not store.holds(file.digest, file.size)}
    for _, source in objects.each_blob(git, sorted(absent)):
        store.add(source)
    store.add_bytes(kit.config)
    store.put_manifest(kit.manifest, tag=tag or kit.version)
