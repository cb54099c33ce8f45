"""OCI documents: descriptors, image manifests and the JSON bytes that Go tools would write.

Follows the OCI image specification 1.1 (manifest.md, descriptor.md, image-layout.md) and the byte rules of Go's
``encoding/json``: compact, struct fields in order, map keys sorted, ``<``, ``>``, ``&``, U+2028 and U+2029 escaped,
floats without needless zeros and with an exponent only below 1e-6 and from 1e21 on, no trailing newline.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any

from gitkit.core.digest import digest_of, is_digest
from gitkit.errors import InvalidFile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"

KEEP_ARTIFACT = "application/vnd.git-kit.objects.v1+json"
KEEP_LAYER = "application/vnd.git-kit.object.v1"

REF_NAME = "org.opencontainers.image.ref.name"
MAX_MANIFEST = 4 * 1024 * 1024
"""Registries take manifests up to 4 MiB (distribution specification, "Pushing Manifests")."""

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def to_json(value: object) -> bytes:
    """``value`` as Go's ``json.Marshal`` writes it. Dict order is kept: callers give struct order or sorted maps.

    Raises:
        TypeError, ValueError: ``value`` holds what JSON has no form for (other types, nan, a lone surrogate).
    """
    text = _text(value)
    # Outside of strings JSON has none of these characters, so replacing them everywhere only touches strings.
    for char, escape in _ESCAPES.items():
        text = text.replace(char, escape)
    return text.encode("utf-8")


def _text(value: object) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{encode_basestring(key)}:{_text(item)}" for key, item in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([_text(item) for item in value]) + "]"
    return _float(value) if isinstance(value, float) else json.dumps(value)


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {value}")
    digits, exponent, power = repr(value).partition("e")
    if value and not 1e-6 <= abs(value) < 1e21:
        return digits + exponent + power.replace("-0", "-")
    from decimal import Decimal  # the only user; most documents hold no float

    return f"{Decimal(repr(value)):f}".removesuffix(".0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What points to a blob: media type, digest, size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Keys in the order of Go's ``v1.Descriptor``."""
        out: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            out["annotations"] = dict(sorted(self.annotations.items()))
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An OCI image manifest."""

    config: Descriptor
    layers: Sequence[Descriptor]
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Keys in the order of Go's ``v1.Manifest``."""
        out: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST}
        if self.artifact_type:
            out["artifactType"] = self.artifact_type
        out["config"] = self.config.as_json()
        out["layers"] = [layer.as_json() for layer in self.layers]
        if self.annotations:
            out["annotations"] = dict(sorted(self.annotations.items()))
        return to_json(out)


EMPTY_BLOB = b"{}"
EMPTY_DESCRIPTOR = Descriptor(media_type=EMPTY_CONFIG, digest=digest_of(EMPTY_BLOB), size=len(EMPTY_BLOB))


def parse_document(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InvalidFile: ``data`` is not one.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"{what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidFile(f"{what} is not a JSON object")
    return value


def parse_manifest(data: bytes, what: str = "the manifest") -> Manifest:
    """An image manifest, without its unknown keys.

    Raises:
        InvalidFile: not an image manifest; an index is named as such.
    """
    value = parse_document(data, what)
    media_type = value.get("mediaType", MANIFEST)
    if media_type in (INDEX, DOCKER_INDEX) or "manifests" in value:
        raise InvalidFile(f"{what} is an image index, not a kit", hint="name one of its manifests by digest")
    try:
        return Manifest(
            config=_descriptor(value["config"]),
            layers=tuple(_descriptor(layer) for layer in value.get("layers") or ()),
            artifact_type=_artifact_type(value.get("artifactType")),
            annotations=_annotations(value.get("annotations")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidFile(f"{what} is not an image manifest: {error}") from error


def _descriptor(value: object) -> Descriptor:
    if not isinstance(value, dict):
        raise TypeError("a descriptor is not an object")
    media_type, digest, size = value["mediaType"], value["digest"], value["size"]
    if not isinstance(media_type, str) or not isinstance(digest, str) or not is_digest(digest):
        raise ValueError(f"bad descriptor {digest!r}")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"bad size {size!r}")
    return Descriptor(
        media_type=media_type, digest=digest, size=size, annotations=_annotations(value.get("annotations"))
    )


def _artifact_type(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("the artifactType is not text")
    return value or None


def _annotations(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise TypeError("annotations are not a map of strings")
    return value
