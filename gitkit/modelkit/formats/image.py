"""A kit as a container image: tar layers with the files below ``models/``, for runtimes that mount or pull images.

Config and layer types: OCI image specification 1.1 (config.md, layer.md). containerd wants as many ``diff_ids`` as
there are layers; KServe's ``oci+fetch`` reads uncompressed and gzip layers. A large file is a layer of its own, so that
a version shares with the one before what did not change; the others share a layer by section. Large ones come first,
since a runtime keeps what it has unpacked up to the first layer that differs.
"""

import posixpath
from collections.abc import Sequence
from typing import Any, NamedTuple

from gitkit.core.digest import digest_of
from gitkit.core.oci import Descriptor, Manifest, to_json
from gitkit.core.paths import show_path
from gitkit.errors import InvalidFile, Unsupported
from gitkit.modelkit.files import KitFile, KitSource
from gitkit.modelkit.formats.encoded import Encoded, Layer
from gitkit.modelkit.formats.modelpack import FILEPATH, annotations, created, origin
from gitkit.modelkit.tarlayers import Packed, TarLayers, recipe

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
FOLDER = "models/"

LARGE = 16 << 20
"""Files of at least so many bytes get a layer of their own, ..."""

MAX_LARGE = 96
"""... the largest of them, where there are more: with a layer for each section an image stays below the 127 layers that
overlayfs and docker take."""

_WHITEOUT = ".wh."


class Group(NamedTuple):
    """The files of one layer; ``title`` is a path, or a section."""

    title: str
    files: Sequence[KitFile]
    alone: bool


def encode(source: KitSource, *, version: str, compression: str, tars: TarLayers) -> Encoded:
    """The kit of ``source``. Its content is read, once in a clone.

    Raises:
        InvalidFile: it would hold no file.
        Unsupported: the model is another kit, or a name means a deleted file in an image (``.wh.``).
        NotFound, Corrupt, Denied, NetworkError: as ``TarLayers.pack``.
    """
    _check(source)
    layers_of = groups(source.files)
    packed = tars.pack([recipe(group.files, uid=0, prefix=FOLDER, compression=compression) for group in layers_of])
    config = to_json(_config(source, version, layers_of, packed))
    media_type = LAYER if compression == "none" else f"{LAYER}+{compression}"
    manifest = Manifest(
        config=Descriptor(media_type=CONFIG, digest=digest_of(config), size=len(config)),
        layers=[
            Descriptor(
                media_type=media_type,
                digest=layer.digest,
                size=layer.size,
                annotations={FILEPATH: group.title} if group.alone else {},
            )
            for group, layer in zip(layers_of, packed, strict=True)
        ],
        annotations=annotations(source, version),
    )
    layers = [
        Layer(group.title, layer.digest, layer.size, layer.recipe)
        for group, layer in zip(layers_of, packed, strict=True)
    ]
    return Encoded(manifest.encode(), config, layers, source.files)


def _check(source: KitSource) -> None:
    if source.reference is not None:
        raise Unsupported(
            f"the model is another kit, {source.reference}, and an image has to hold its files",
            hint="use the format modelpack or modelkit for it",
        )
    if not source.files:
        raise InvalidFile("the Kitfile names no files of its own, and an image holds at least one")
    for file in source.files:
        if any(part.startswith(_WHITEOUT) for part in file.path.split("/")):
            raise Unsupported(
                f"{show_path(file.path.encode())} means a deleted file in an image", hint="rename it, or leave it out"
            )


def groups(files: Sequence[KitFile]) -> list[Group]:
    """Large files in the kit's order, then what is left by section. Which files are large depends on sizes alone."""
    by_size = sorted((file for file in files if file.size >= LARGE), key=lambda file: (-file.size, file.path))
    large = set(by_size[:MAX_LARGE])
    found = [Group(file.path, [file], True) for file in files if file in large]
    sections: dict[str, list[KitFile]] = {}
    for file in files:
        if file not in large:
            sections.setdefault(file.section, []).append(file)
    return found + [Group(section, rest, False) for section, rest in sections.items()]


def _config(source: KitSource, version: str, layers: Sequence[Group], packed: Sequence[Packed]) -> dict[str, Any]:
    """Keys in the order of Go's ``v1.Image``."""
    date = created(source)
    return {
        "created": date,
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": dict(sorted(origin(source, version).items()))},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in packed]},
        "history": [{"created": date, "created_by": f"git kit: {_content(group)}"} for group in layers],
    }


def _content(group: Group) -> str:
    return posixpath.join(FOLDER, group.title) if group.alone else f"{len(group.files)} files of {group.title}"
