"""KitOps' own format: the config is the Kitfile, and each of its entries is a layer that names start from the root in.

Tar layers (the default, which every Kit from 0.5 on reads) are byte for byte what `kit pack` writes in a checkout of
the commit; raw layers, one for each file, are read by Kit 1.15 and newer. Media types, order and annotations: KitOps'
``pkg/lib/constants/mediatype`` and ``pkg/lib/filesystem``. An MCP bundle is always a raw layer.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gitkit.core.digest import digest_of
from gitkit.core.oci import Descriptor, Manifest, to_json
from gitkit.core.paths import show_path
from gitkit.errors import InvalidFile, Unsupported
from gitkit.modelkit.content import Content
from gitkit.modelkit.files import KitFile, KitSource
from gitkit.modelkit.formats.encoded import Encoded, Layer
from gitkit.modelkit.formats.modelpack import (
    FILE_METADATA,
    FILEPATH,
    SUBTYPE,
    file_metadata,
    is_weight,
    origin,
    resolved_kitfile,
)
from gitkit.modelkit.tarlayers import TarLayers, recipe

if TYPE_CHECKING:
    from gitkit.core.kitfile import Entry, File

ARTIFACT = "application/vnd.kitops.modelkit.manifest.v1+json"
CONFIG = "application/vnd.kitops.modelkit.config.v1+json"
CLI_VERSION = "ml.kitops.modelkit.cli-version"

KITOPS = "1.15.0"
"""The version of KitOps that kits say they were packed by: the first to write all that is written here.

It never changes with git kit's own version, since a kit depends on its commit alone.
"""

UID = 1000
"""Who owns the files of a KitOps tar."""

_KINDS = {
    "model": "model",
    "parts": "modelpart",
    "code": "code",
    "datasets": "dataset",
    "docs": "docs",
    "prompts": "code",
    "mcpServers": "mcpb",
}


class _Part(NamedTuple):
    """A layer and its descriptor."""

    descriptor: Descriptor
    layer: Layer
    diff_id: str


def encode(
    source: KitSource, *, version: str, layer_format: str, compression: str, content: Content, tars: TarLayers
) -> Encoded:
    """The kit of ``source``, with ``layer_format`` tar or raw. Content is read for tar layers only.

    Raises:
        Unsupported: a name holds "..", which KitOps leaves out of tars and refuses to unpack.
        InvalidFile: an MCP bundle is none.
        NotFound, Corrupt, Denied, NetworkError: as ``TarLayers.pack``.
    """
    for file in source.files:
        _check(file, content)
    if layer_format == "raw":
        kitfile = resolved_kitfile(source)
        parts = _raw(source, kitfile)
    else:
        parts = _tar(source, compression, tars)
        kitfile = _kitfile(source, parts)
    config = to_json({"manifestVersion": source.kitfile.manifest_version or "", **kitfile})
    manifest = Manifest(
        artifact_type=ARTIFACT,
        config=Descriptor(media_type=CONFIG, digest=digest_of(config), size=len(config)),
        layers=[part.descriptor for part in parts],
        annotations={CLI_VERSION: KITOPS, **origin(source, version)},
    )
    return Encoded(manifest.encode(), config, [part.layer for part in parts], source.files)


def _check(file: KitFile, content: Content) -> None:
    if ".." in file.path:
        raise Unsupported(
            f'{show_path(file.path.encode())} has ".." in its name, which KitOps leaves out of a kit without a word',
            hint="rename it, or use the format modelpack",
        )
    if file.section == "mcpServers":
        _check_bundle(file, content)


def _check_bundle(file: KitFile, content: Content) -> None:
    """A bundle that is not here is taken at its word: its pointer's digest is what the kit promises."""
    import zipfile

    bundle = content.open_here(file)
    if bundle is None:
        return
    try:
        with bundle, zipfile.ZipFile(bundle) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise InvalidFile(f"{show_path(file.path.encode())} is not an MCP bundle: {error}") from error
    if "manifest.json" not in names:
        raise InvalidFile(f"{show_path(file.path.encode())} is not an MCP bundle: it has no manifest.json")


# -- layers ----------------------------------------------------------------------------------------------------------


def _raw(source: KitSource, kitfile: Mapping[str, Any]) -> list[_Part]:
    """A layer for each entry of the resolved Kitfile, in its order: the first weight of a folder is the model."""
    files = [file for files in source.by_entry.values() for file in files]
    model = kitfile.get("model", {}).get("digest")
    main = next((file for file in files if file.section == "model" and file.digest == model), None)
    parts = [_file_part(file, "parts" if file.section == "model" else file.section) for file in files if file != main]
    return parts if main is None else [_file_part(main, "model"), *parts]


def _file_part(file: KitFile, section: str) -> _Part:
    values = {FILEPATH: file.path, FILE_METADATA: file_metadata(file)}
    descriptor = _descriptor(section, "raw", file.digest, file.size, values)
    return _Part(descriptor, Layer(file.path, file.digest, file.size, file), file.digest)


def _tar(source: KitSource, compression: str, tars: TarLayers) -> list[_Part]:
    """A layer for each entry, in the Kitfile's order."""
    from gitkit.core.kitfile import entries

    paths = {(entry.section, entry.number): entry.path for entry in entries(source.kitfile)}
    files = source.by_entry
    bundles = [place for place in files if place[0] == "mcpServers"]
    places = [place for place in files if place not in bundles]
    recipes = [
        recipe(files[place], source.folders.get(place, ()), uid=UID, compression=compression) for place in places
    ]
    suffix = "tar" if compression == "none" else f"tar+{compression}"
    parts = []
    for place, packed in zip(places, tars.pack(recipes), strict=True):
        descriptor = _descriptor(place[0], suffix, packed.digest, packed.size, {FILEPATH: paths[place]})
        parts.append(_Part(descriptor, Layer(paths[place], packed.digest, packed.size, packed.recipe), packed.diff_id))
    return parts + [_file_part(file, "mcpServers") for place in bundles for file in files[place]]


def _descriptor(section: str, suffix: str, digest: str, size: int, annotations: dict[str, str]) -> Descriptor:
    if section == "prompts":
        annotations = {**annotations, SUBTYPE: "prompt"}
    media_type = f"application/vnd.kitops.modelkit.{_KINDS[section]}.v1.{suffix}"
    return Descriptor(media_type=media_type, digest=digest, size=size, annotations=annotations)


def _kitfile(source: KitSource, parts: Sequence[_Part]) -> dict[str, Any]:
    """The author's entries, each with the digest of its layer."""
    from gitkit.core.kitfile import File, resolved

    files = dict(zip(source.by_entry, parts, strict=True))

    def files_of(entry: "Entry") -> Sequence["File"]:
        part = files.get((entry.section, entry.number))
        return [] if part is None else [File(entry.path, part.layer.digest, part.diff_id)]

    return resolved(source.kitfile, files_of, is_weight)
