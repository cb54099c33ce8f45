"""Kits as container images: a config of an image, and tar layers that hold the kit below ``models/``.

Any image has that shape, so what makes one a kit is KitOps' Kitfile annotation. Its entries may name layers, or files
inside of them: then their digests are what a single file can be verified by.
"""

import re
from dataclasses import replace

from gitkit.core.oci import Descriptor, parse_document
from gitkit.errors import InvalidFile
from gitkit.modelkit.artifact import ArtifactFile
from gitkit.modelkit.dialects.entries import KitEntry, checked_kitfile, entries_of, owner
from gitkit.modelkit.dialects.layers import (
    Documents,
    View,
    diff_ids,
    encoding,
    file_of,
    layer_path,
    object_at,
    unknown_layer,
)
from gitkit.modelkit.formats.modelpack import KITFILE

CONFIGS = frozenset({"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"})
FOLDER = "models/"

_LAYER = re.compile(
    r"application/vnd\.(?:oci\.image\.layer\.v1\.(?P<packing>\w+)(?:\+(?P<compression>\w+))?"
    r"|docker\.image\.rootfs\.diff\.tar\.(?P<docker>gzip|zstd))"
)


def read(documents: Documents) -> View:
    """What an image with a Kitfile holds.

    Raises:
        InvalidFile: it has no Kitfile, so it is no kit; or Kitfile, config and manifest do not fit.
        Corrupt
    """
    text = documents.manifest.annotations.get(KITFILE)
    if text is None:
        raise InvalidFile(f"{documents.name} is a container image, not a kit")
    what = f"the Kitfile of {documents.name}"
    kitfile = checked_kitfile(parse_document(text.encode("utf-8", "surrogatepass"), what), what)
    entries = entries_of(kitfile, what)
    ids = diff_ids(documents, object_at(documents.config, "rootfs").get("diff_ids"))
    files = [
        _file(layer, entries, ids[number] if ids else None) for number, layer in enumerate(documents.manifest.layers)
    ]
    layers = {digest for file in files for digest in (file.layer.digest, file.diff_id)}
    known = {entry.path: entry.digest for entry in entries if entry.digest and entry.digest not in layers}
    return View("image", kitfile, files, known)


def _file(layer: Descriptor, entries: list[KitEntry], diff_id: str | None) -> ArtifactFile:
    found = _LAYER.fullmatch(layer.media_type)
    if found is None:
        raise unknown_layer(layer)
    how = encoding(found["packing"] or "tar", found["compression"] or found["docker"], layer)
    if how.packing != "tar":
        raise unknown_layer(layer)
    path = layer_path(layer)
    entry = owner(entries, path) if path else None
    file = file_of(layer, entry.section if entry else "", how, path=path, diff_id=diff_id)
    return replace(file, strip=FOLDER, name=entry.name if entry else None)
