"""The default format: a CNCF ModelPack manifest with one raw layer per file, so that a pointer is a layer's descriptor.

Media types, annotations and the config's schema: CNCF model-spec (``docs/kit.md`` names the versions); the Kitfile
annotation is KitOps'. Byte rules as in ``gitkit.core.oci``. Nothing but commit, version and the repository's own
``kit.source`` goes in: no clock, host, user, umask or tool version.
"""

import posixpath
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gitkit.core.digest import digest_of
from gitkit.core.oci import Descriptor, Manifest, to_json
from gitkit.modelkit.source import KitLayer, KitSource

if TYPE_CHECKING:
    from gitkit.core.kitfile import Entry, File, Kitfile

ARTIFACT = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = "application/vnd.cncf.model.config.v1+json"
FILEPATH = "org.cncf.model.filepath"
FILE_METADATA = "org.cncf.model.file.metadata+json"
TITLE = "org.opencontainers.image.title"
KITFILE = "ml.kitops.modelkit.kitfile"
SUBTYPE = "ml.kitops.modelkit.layer-subtype"

_KINDS = {"code": "code", "datasets": "dataset", "docs": "doc", "prompts": "code"}


def is_weight(path: str) -> bool:
    """Whether a file under a model entry holds weights, by its suffix."""
    from gitkit.core.kitfile import WEIGHT_SUFFIXES

    return posixpath.splitext(path)[1].lower() in WEIGHT_SUFFIXES


def encode(source: KitSource, *, version: str) -> tuple[bytes, bytes]:
    """Manifest and config of the kit of ``source``. The same input gives the same bytes, everywhere."""
    created = datetime.fromtimestamp(source.commit.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = to_json(_config(source, version, created))
    manifest = Manifest(
        artifact_type=ARTIFACT,
        config=Descriptor(media_type=CONFIG, digest=digest_of(config), size=len(config)),
        layers=[_descriptor(layer) for layer in source.layers],
        annotations=_annotations(source, version, created),
    )
    return manifest.encode(), config


def media_type(layer: KitLayer) -> str:
    """The layer type of a file: by its section, and for a model's files by whether it holds weights."""
    kind = _KINDS.get(layer.section)
    if kind is None:
        whole_model = layer.section == "model" and layer.named
        kind = "weight" if whole_model or is_weight(layer.path) else "weight.config"
    return f"application/vnd.cncf.model.{kind}.v1.raw"


def _descriptor(layer: KitLayer) -> Descriptor:
    metadata = {
        "name": posixpath.basename(layer.path),
        "mode": 0o755 if layer.executable else 0o644,
        "uid": 0,
        "gid": 0,
        "size": layer.size,
        "mtime": "1970-01-01T00:00:00Z",
        "typeflag": 0,
    }
    annotations = {
        FILEPATH: layer.path,
        FILE_METADATA: to_json(metadata).decode(),
        TITLE: f"models/{layer.path}",
    }
    if layer.section == "prompts":
        annotations[SUBTYPE] = "prompt"
    return Descriptor(media_type=media_type(layer), digest=layer.digest, size=layer.size, annotations=annotations)


def _config(source: KitSource, version: str, created: str) -> dict[str, Any]:
    """Keys in the order of model-spec's Go structs; strictly inside of its JSON schema."""
    kitfile = source.kitfile
    package = kitfile.package
    descriptor = {
        "createdAt": created,
        "authors": list(package.authors),
        "name": package.name,
        "sourceURL": source.source_url,
        "version": version,
        "revision": source.commit.oid,
        "licenses": _licenses(kitfile),
        "title": package.name,
        "description": package.description,
    }
    return {
        "descriptor": {key: value for key, value in descriptor.items() if value},
        "modelfs": {"type": "layers", "diffIds": [layer.digest for layer in source.layers]},
        "config": {"format": kitfile.model.format} if kitfile.model is not None and kitfile.model.format else {},
    }


def _annotations(source: KitSource, version: str, created: str) -> dict[str, str]:
    package = source.kitfile.package
    values = {
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.revision": source.commit.oid,
        "org.opencontainers.image.version": version,
        TITLE: package.name,
        "org.opencontainers.image.description": package.description,
        "org.opencontainers.image.licenses": " AND ".join(_licenses(source.kitfile)),
        "org.opencontainers.image.source": source.source_url,
        KITFILE: to_json(_resolved(source)).decode(),
    }
    return {key: value for key, value in values.items() if value}


def _resolved(source: KitSource) -> dict[str, Any]:
    from gitkit.core.kitfile import File, resolved

    files: dict[tuple[str, int], list[File]] = {}
    for layer in source.layers:
        files.setdefault((layer.section, layer.number), []).append(File(layer.path, layer.digest))

    def files_of(entry: "Entry") -> Sequence["File"]:
        return files.get((entry.section, entry.number), ())

    return resolved(source.kitfile, files_of, is_weight)


def _licenses(kitfile: "Kitfile") -> list[str]:
    """Every licence that the Kitfile states, sorted, each once."""
    stated = [kitfile.package.license]
    if kitfile.model is not None:
        stated += [kitfile.model.license, *(part.license for part in kitfile.model.parts)]
    stated += [entry.license for entry in kitfile.code]
    stated += [entry.license for entry in kitfile.datasets]
    return sorted({name for name in stated if name})
