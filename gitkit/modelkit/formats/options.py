"""Which format a kit has, and how its layers are written: chosen by a person, or recognised in a kit."""

import re
from typing import NamedTuple

from gitkit.core.oci import Manifest
from gitkit.errors import InvalidFile, Unsupported
from gitkit.modelkit.formats import docker, image, modelkit, modelpack

FORMATS = ("modelpack", "modelkit", "docker", "image")
LAYER_FORMATS = ("tar", "raw")
COMPRESSIONS = ("none", "gzip", "zstd")

_ENDING = re.compile(r"(?P<packing>raw|tar)(?:\+(?P<compression>gzip|zstd))?")


class Options(NamedTuple):
    """Together with commit and version, all that a kit's bytes depend on."""

    format: str = "modelpack"
    layer_format: str = "raw"
    compression: str = "none"


def options_for(format: str, *, layer_format: str = "tar", compression: str = "none") -> Options:
    """``format``, with what is asked of the layers where the format leaves a choice.

    Raises:
        Unsupported: raw layers are never compressed.
    """
    if format == "modelkit":
        if layer_format == "raw" and compression != "none":
            raise Unsupported("raw layers are not compressed", hint="use the layer format tar, or no compression")
        return Options(format, layer_format, compression)
    return Options(format, "tar", compression) if format == "image" else Options(format)


def recognise(manifest: Manifest, name: str) -> Options:
    """What a kit was written with. Layers of other kinds are left for a comparison to find.

    Raises:
        InvalidFile: it is not in a format that git kit writes; ``name`` is what to call it.
    """
    artifact, config = manifest.artifact_type, manifest.config.media_type
    if artifact == modelpack.ARTIFACT or config == modelpack.CONFIG:
        return Options("modelpack")
    if artifact == modelkit.ARTIFACT or config == modelkit.CONFIG:
        return Options("modelkit", *_layers(manifest))
    if config in (docker.CONFIG_V01, docker.CONFIG_V02):
        return Options("docker")
    if config == image.CONFIG:
        return Options("image", "tar", _layers(manifest)[1])
    raise InvalidFile(f"{name} is not in a format that git kit writes: its config is a {config}")


def _layers(manifest: Manifest) -> tuple[str, str]:
    """Packing and compression of the first layer that could have been written otherwise."""
    for layer in manifest.layers:
        found = _ENDING.fullmatch(layer.media_type.rpartition(".")[2])
        if found is not None and ".mcpb." not in layer.media_type:
            return found["packing"], found["compression"] or "none"
    return "tar", "none"
