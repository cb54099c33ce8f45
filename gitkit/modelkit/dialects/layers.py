"""What all dialects read from a layer in the same way: path, mode, size, and the digest before compression."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gitkit.core.digest import is_digest, short
from gitkit.core.oci import Descriptor, Manifest, parse_document
from gitkit.errors import Corrupt, InvalidFile
from gitkit.modelkit.artifact import ArtifactFile, Compression, Format, Packing
from gitkit.modelkit.dialects.entries import KitEntry, assign
from gitkit.modelkit.formats.modelpack import FILE_METADATA, FILEPATH, SUBTYPE, TITLE
from gitkit.modelkit.names import safe_path

CNAI_FILEPATH = "org.cnai.model.filepath"
CNAI_FILE_METADATA = "org.cnai.model.file.metadata+json"

_COMPRESSIONS: Mapping[str | None, Compression | None] = {None: None, "gzip": "gzip", "zstd": "zstd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """A manifest and its config. ``name`` is how messages call the kit."""

    name: str
    manifest: Manifest
    config: Mapping[str, Any]


class View(NamedTuple):
    """What a dialect makes of the documents; see ``gitkit.modelkit.artifact.Artifact``."""

    format: Format
    kitfile: dict[str, Any]
    files: list[ArtifactFile]
    known: dict[str, str]


class Encoding(NamedTuple):
    packing: Packing
    compression: Compression | None


Meaning = Callable[[Descriptor], tuple[str, Encoding]]
"""Which section a layer's media type stands for, and how its bytes are to be read."""


def by_digest(
    descriptors: Sequence[Descriptor], entries: Sequence[KitEntry], what: str, meaning: Meaning
) -> list[ArtifactFile]:
    """The files of a kit whose Kitfile entries name layers; a layer that no entry names is what its type says.

    Raises:
        InvalidFile, Corrupt: entries and layers do not fit.
    """
    paths = [layer_path(layer) for layer in descriptors]
    owners = assign(entries, [(layer.digest, path) for layer, path in zip(descriptors, paths, strict=True)], what)
    files = []
    for layer, path, entry in zip(descriptors, paths, owners, strict=True):
        section, how = meaning(layer)
        files.append(file_of(layer, section, how, entry=entry, path=path))
    return files


def file_of(
    layer: Descriptor,
    section: str,
    how: Encoding,
    *,
    entry: KitEntry | None = None,
    path: str | None = None,
    diff_id: str | None = None,
    inside: str = "",
) -> ArtifactFile:
    """The layer as part of a kit; what its ``entry`` in the Kitfile says comes first.

    Raises:
        InvalidFile: a file without a name, or metadata that are none.
        Corrupt: its parts contradict each other.
    """
    if entry is not None:
        section, diff_id = entry.section, entry.diff_id or diff_id
        path = entry.path if path is None else path
    if how.packing == "raw" and not path:
        raise InvalidFile(f"the layer {short(layer.digest)} is a file without a name")
    return ArtifactFile(
        section=section,
        name=entry.name if entry is not None else None,
        path=path or "",
        layer=layer,
        packing=how.packing,
        compression=how.compression,
        mode=file_mode(layer),
        subtype=layer.annotations.get(SUBTYPE),
        diff_id=_checked_diff_id(layer, how.compression, diff_id),
        inside=inside,
    )


def encoding(packing: str, compression: str | None, layer: Descriptor) -> Encoding:
    """How a layer's bytes are to be read, from the end of its media type.

    Raises:
        InvalidFile: no kit has such a layer.
    """
    if packing not in ("raw", "tar") or compression not in _COMPRESSIONS:
        raise unknown_layer(layer)
    return Encoding("tar" if packing == "tar" else "raw", _COMPRESSIONS[compression])


def unknown_layer(layer: Descriptor) -> InvalidFile:
    return InvalidFile(f"the layer {short(layer.digest)} has the media type {layer.media_type!r}, which no kit has")


def layer_path(layer: Descriptor) -> str | None:
    """Where the layer says it belongs, "" for the root; None where it does not say.

    Raises:
        InvalidFile: not a safe path.
    """
    for key in (FILEPATH, CNAI_FILEPATH):
        if key in layer.annotations:
            return safe_path(layer.annotations[key], f"the layer {short(layer.digest)}")
    return None


def title_path(layer: Descriptor) -> str | None:
    """The name that ORAS gives to the layer's file."""
    title = layer.annotations.get(TITLE)
    return safe_path(title, f"the layer {short(layer.digest)}") if title else None


def file_mode(layer: Descriptor) -> int:
    """0o755 where the layer's metadata say that its owner may execute it, else 0o644.

    Raises:
        InvalidFile: the metadata are not such, or tell another size than the layer's.
    """
    for key in (FILE_METADATA, CNAI_FILE_METADATA):
        text = layer.annotations.get(key)
        if text:
            break
    else:
        return 0o644
    metadata = parse_document(text.encode("utf-8", "replace"), f"the metadata of layer {short(layer.digest)}")
    mode, size = metadata.get("mode", 0o644), metadata.get("size")
    if not isinstance(mode, int):
        raise InvalidFile(f"the layer {short(layer.digest)} has a mode that is not a number")
    if size is not None and size != layer.size and not layer.media_type.endswith(("+gzip", "+zstd")):
        raise Corrupt(f"the layer {short(layer.digest)} has {layer.size} bytes, its file should have {size!r}")
    return 0o755 if mode & 0o100 else 0o644


def diff_ids(documents: Documents, value: object) -> list[str] | None:
    """The digests before compression that a config lists, one for each layer; None where it has no such list.

    Raises:
        InvalidFile: they are not digests, or not as many as there are layers.
    """
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) and is_digest(item) for item in value):
        raise InvalidFile(f"the config of {documents.name} has diff ids that are not digests")
    if len(value) != len(documents.manifest.layers):
        raise InvalidFile(
            f"the config of {documents.name} has {len(value)} diff ids for {len(documents.manifest.layers)} layers"
        )
    return value


def _checked_diff_id(layer: Descriptor, compression: Compression | None, diff_id: str | None) -> str | None:
    """``diff_id``, if it can be right.

    Raises:
        Corrupt: the layer is not compressed, and yet its bytes should have another digest than its own.
    """
    if compression is None and diff_id is not None and diff_id != layer.digest:
        raise Corrupt(f"the layer {short(layer.digest)} should hold {short(diff_id)}, and is not compressed")
    return diff_id


def object_at(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under ``key``; an empty one where there is something else."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}
