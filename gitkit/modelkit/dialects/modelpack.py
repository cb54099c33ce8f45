"""CNCF ModelPack kits, also under their first name (``vnd.cnai``): ours, and those of KitOps, modctl and Docker.

Source: model-spec's ``docs/spec.md`` and ``specs-go/v1``; before 0.0.7 the namespace was ``cnai`` and the list of diff
ids ``diff_ids``. The Kitfile is in KitOps' annotation, else it is made from the layers.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gitkit.core.digest import short
from gitkit.core.oci import Descriptor, parse_document
from gitkit.errors import InvalidFile
from gitkit.modelkit.artifact import ArtifactFile
from gitkit.modelkit.dialects.entries import checked_kitfile, entries_of
from gitkit.modelkit.dialects.generate import kitfile_from
from gitkit.modelkit.dialects.layers import (
    Documents,
    Encoding,
    View,
    by_digest,
    diff_ids,
    encoding,
    file_of,
    layer_path,
    object_at,
    title_path,
    unknown_layer,
)
from gitkit.modelkit.formats.modelpack import ARTIFACT, CONFIG, KITFILE, SUBTYPE

CNAI_ARTIFACT = "application/vnd.cnai.model.manifest.v1+json"
CNAI_CONFIG = "application/vnd.cnai.model.config.v1+json"
ARTIFACTS = frozenset({ARTIFACT, CNAI_ARTIFACT})
CONFIGS = frozenset({CONFIG, CNAI_CONFIG})

_LAYER = re.compile(r"application/vnd\.(?:cncf|cnai)\.model\.(\w+(?:\.\w+)?)\.v1\.(\w+)(?:\+(\w+))?")
_SECTIONS = {
    "weight": "model",
    "weight.config": "parts",
    "code": "code",
    "dataset": "datasets",
    "doc": "docs",
}
_FILES = frozenset({"gguf", "safetensors"})
"""What Docker wrote instead of ``raw`` at first."""


def read(documents: Documents) -> View:
    """What a ModelPack kit holds.

    Raises:
        InvalidFile, Corrupt: Kitfile, config and manifest do not fit.
    """
    text = documents.manifest.annotations.get(KITFILE)
    if text is None:
        files = _unnamed(documents)
        return View("modelpack", _generated(documents, files), files, {})
    what = f"the Kitfile of {documents.name}"
    kitfile = checked_kitfile(parse_document(text.encode("utf-8", "surrogatepass"), what), what)
    files = by_digest(documents.manifest.layers, entries_of(kitfile, what), what, _meaning)
    return View("modelpack", kitfile, files, {})


def _unnamed(documents: Documents) -> list[ArtifactFile]:
    filesystem = object_at(documents.config, "modelfs")
    ids = diff_ids(documents, filesystem.get("diffIds", filesystem.get("diff_ids")))
    files = []
    for number, layer in enumerate(documents.manifest.layers):
        section, how = _meaning(layer)
        path = layer_path(layer)
        path = title_path(layer) if path is None else path
        if path is None:
            raise InvalidFile(f"the layer {short(layer.digest)} of {documents.name} does not say where it belongs")
        files.append(file_of(layer, section, how, path=path, diff_id=ids[number] if ids else None))
    return one_model(files)


def one_model(files: Sequence[ArtifactFile]) -> list[ArtifactFile]:
    """``files`` with the first model alone as the model, further ones as parts: a Kitfile has room for one."""
    first = next((number for number, file in enumerate(files) if file.section == "model"), None)
    return [
        replace(file, section="parts") if file.section == "model" and number != first else file
        for number, file in enumerate(files)
    ]


def _meaning(layer: Descriptor) -> tuple[str, Encoding]:
    found = _LAYER.fullmatch(layer.media_type)
    if found is None or found[1] not in _SECTIONS:
        raise unknown_layer(layer)
    section = "prompts" if layer.annotations.get(SUBTYPE) == "prompt" else _SECTIONS[found[1]]
    return section, encoding("raw" if found[2] in _FILES else found[2], found[3], layer)


def _generated(documents: Documents, files: Sequence[ArtifactFile]) -> dict[str, Any]:
    about, config = object_at(documents.config, "descriptor"), object_at(documents.config, "config")
    licenses = about.get("licenses")
    package = {
        "name": about.get("name"),
        "version": about.get("version"),
        "description": about.get("description"),
        "license": " AND ".join(item for item in licenses if isinstance(item, str))
        if isinstance(licenses, list)
        else None,
        "authors": about.get("authors"),
    }
    kitfile = kitfile_from(files, package=package, model={"name": about.get("name"), "format": config.get("format")})
    return checked_kitfile(kitfile, f"the config of {documents.name}")
