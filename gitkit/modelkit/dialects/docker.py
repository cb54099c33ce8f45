"""Docker Model Runner's own models: ``v0.1`` with names by position, ``v0.2`` with a path for each layer.

Source: model-runner's ``pkg/distribution/types/config.go`` and ``internal/bundle/unpack.go``, whose names of files
these are.
"""

import posixpath
from collections.abc import Sequence
from typing import Any

from gitkit.core.oci import Descriptor
from gitkit.modelkit.artifact import ArtifactFile
from gitkit.modelkit.dialects.entries import checked_kitfile
from gitkit.modelkit.dialects.generate import kitfile_from
from gitkit.modelkit.dialects.layers import (
    Documents,
    Encoding,
    View,
    diff_ids,
    file_of,
    layer_path,
    object_at,
    unknown_layer,
)
from gitkit.modelkit.dialects.modelpack import one_model

CONFIGS = frozenset({f"application/vnd.docker.ai.model.config.v0.{number}+json" for number in (1, 2)})

_PREFIX = "application/vnd.docker.ai."
_TYPES = {
    "gguf.v3": ("model", "raw", "model.gguf"),
    "safetensors": ("model", "raw", "model.safetensors"),
    "dduf": ("model", "raw", "model.dduf"),
    "mmproj": ("parts", "raw", "model.mmproj"),
    "chat.template.jinja": ("parts", "raw", "template.jinja"),
    "license": ("docs", "raw", "LICENSE"),
    "model.file": ("parts", "raw", "file"),
    "vllm.config.tar": ("parts", "tar", ""),
    "dir.tar": ("parts", "tar", ""),
}
_DOCS = (".md", ".txt", ".pdf", ".html")


def read(documents: Documents) -> View:
    """What a model of Docker's holds.

    Raises:
        InvalidFile, Corrupt: config and manifest do not fit.
    """
    ids = diff_ids(documents, object_at(documents.config, "rootfs").get("diff_ids"))
    descriptors = documents.manifest.layers
    names = _names(descriptors)
    files = []
    for number, (layer, name) in enumerate(zip(descriptors, names, strict=True)):
        section, how, _ = _type(layer)
        path = layer_path(layer)
        path = name if path is None else path
        section = "docs" if section == "parts" and path.lower().endswith(_DOCS) else section
        files.append(file_of(layer, section, how, path=path, diff_id=ids[number] if ids else None))
    files = one_model(files)
    return View("docker", _generated(documents, files), files, {})


def _names(descriptors: Sequence[Descriptor]) -> list[str]:
    """What each layer is called by its type and place among those of that type."""
    types = [layer.media_type for layer in descriptors]
    seen: dict[str, int] = {}
    names = []
    for layer in descriptors:
        section, how, name = _type(layer)
        seen[layer.media_type] = number = seen.get(layer.media_type, 0) + 1
        count = types.count(layer.media_type)
        stem, suffix = posixpath.splitext(name)
        if count > 1 and how.packing == "raw":
            name = f"{stem}-{number:05}-of-{count:05}{suffix}" if section == "model" else f"{stem}-{number}{suffix}"
        names.append(name)
    return names


def _type(layer: Descriptor) -> tuple[str, Encoding, str]:
    found = _TYPES.get(layer.media_type.removeprefix(_PREFIX))
    if found is None or not layer.media_type.startswith(_PREFIX):
        raise unknown_layer(layer)
    section, packing, name = found
    return section, Encoding("tar" if packing == "tar" else "raw", None), name


def _generated(documents: Documents, files: Sequence[ArtifactFile]) -> dict[str, Any]:
    config = object_at(documents.config, "config")
    model = {"format": config.get("format")}
    parameters = {
        key: config[key] for key in ("architecture", "context_size", "parameters", "quantization") if config.get(key)
    }
    kitfile = kitfile_from(files, model=model)
    if parameters and "model" in kitfile:
        digests = {key: kitfile["model"].pop(key) for key in ("digest", "diffId") if key in kitfile["model"]}
        kitfile["model"] |= {"parameters": parameters, **digests}
    return checked_kitfile(kitfile, f"the config of {documents.name}")
