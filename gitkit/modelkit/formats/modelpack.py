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
from gitkit.errors import InvalidFile, Unsupported
from gitkit.modelkit.files import KitFile, KitSource
from gitkit.modelkit.formats.encoded import Encoded, Layer

if TYPE_CHECKING:
    from gitkit.core.kitfile import Entry, File, Kitfile

ARTIFACT = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = "application/vnd.cncf.model.config.v1+json"
FILEPATH = "org.cncf.model.filepath"
FILE_METADATA = "org.cncf.model.file.metadata+json"
TITLE = "org.opencontainers.image.title"
KITFILE = "ml.kitops.modelkit.kitfile"
SUBTYPE = "ml.kitops.modelkit.layer-subtype"
CREATED = "org.opencontainers.image.created"
REVISION = "org.opencontainers.image.revision"
VERSION = "org.opencontainers.image.version"
SOURCE = "org.opencontainers.image.source"

_KINDS = {"code": "code", "datasets": "dataset", "docs": "doc", "prompts": "code"}


def is_weight(path: str) -> bool:
    """Whether a file under a model entry holds weights, by its suffix."""
    from gitkit.core.kitfile import WEIGHT_SUFFIXES

    return posixpath.splitext(path)[1].lower() in WEIGHT_SUFFIXES


def encode(source: KitSource, *, version: str) -> Encoded:
    """The kit of ``source``. The same input gives the same bytes, everywhere.

    Raises:
        InvalidFile: it would hold no file.
        Unsupported: the Kitfile names MCP servers, for which there is no media type.
    """
    if source.kitfile.mcp_servers:
        raise Unsupported(
            "mcpServers cannot be part of a kit in the format modelpack", hint="use the format modelkit for it"
        )
    if not source.files:
        raise InvalidFile("the Kitfile names no files of its own, and a ModelPack holds at least one")
    config = to_json(_config(source, version))
    manifest = Manifest(
        artifact_type=ARTIFACT,
        config=Descriptor(media_type=CONFIG, digest=digest_of(config), size=len(config)),
        layers=[_descriptor(file) for file in source.files],
        annotations=annotations(source, version),
    )
    layers = [Layer(file.path, file.digest, file.size, file) for file in source.files]
    return Encoded(manifest.encode(), config, layers, source.files)


def created(source: KitSource) -> str:
    """The commit's date (RFC 3339, UTC): that of everything in its kit."""
    return datetime.fromtimestamp(source.commit.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def file_metadata(file: KitFile) -> str:
    """The value of the annotation ``FILE_METADATA``."""
    metadata = {
        "name": posixpath.basename(file.path),
        "mode": file.mode,
        "uid": 0,
        "gid": 0,
        "size": file.size,
        "mtime": "1970-01-01T00:00:00Z",
        "typeflag": 0,
    }
    return to_json(metadata).decode()


def origin(source: KitSource, version: str) -> dict[str, str]:
    """The annotations by which `git kit verify` finds the commit again."""
    values = {
        CREATED: created(source),
        REVISION: source.commit.oid,
        VERSION: version,
        SOURCE: source.source_url,
    }
    return {key: value for key, value in values.items() if value}


def annotations(source: KitSource, version: str) -> dict[str, str]:
    """What a manifest says of its kit: where it is from, what it is, and the resolved Kitfile."""
    package = source.kitfile.package
    values = {
        **origin(source, version),
        TITLE: package.name,
        "org.opencontainers.image.description": package.description,
        "org.opencontainers.image.licenses": " AND ".join(licenses(source.kitfile)),
        KITFILE: to_json(resolved_kitfile(source)).decode(),
    }
    return {key: value for key, value in values.items() if value}


def resolved_kitfile(source: KitSource) -> dict[str, Any]:
    """The Kitfile with an entry for each file."""
    from gitkit.core.kitfile import File, resolved

    files: dict[tuple[str, int], list[File]] = {}
    for file in source.files:
        files.setdefault((file.section, file.number), []).append(File(file.path, file.digest))

    def files_of(entry: "Entry") -> Sequence["File"]:
        return files.get((entry.section, entry.number), ())

    return resolved(source.kitfile, files_of, is_weight)


def media_type(file: KitFile) -> str:
    """The layer type of a file: by its section, and for a model's files by whether it holds weights."""
    kind = _KINDS.get(file.section)
    if kind is None:
        whole_model = file.section == "model" and file.named
        kind = "weight" if whole_model or is_weight(file.path) else "weight.config"
    return f"application/vnd.cncf.model.{kind}.v1.raw"


def _descriptor(file: KitFile) -> Descriptor:
    values = {FILEPATH: file.path, FILE_METADATA: file_metadata(file), TITLE: f"models/{file.path}"}
    if file.section == "prompts":
        values[SUBTYPE] = "prompt"
    return Descriptor(media_type=media_type(file), digest=file.digest, size=file.size, annotations=values)


def _config(source: KitSource, version: str) -> dict[str, Any]:
    """Keys in the order of model-spec's Go structs; strictly inside of its JSON schema."""
    kitfile = source.kitfile
    package = kitfile.package
    descriptor = {
        "createdAt": created(source),
        "authors": list(package.authors),
        "name": package.name,
        "sourceURL": source.source_url,
        "version": version,
        "revision": source.commit.oid,
        "licenses": licenses(kitfile),
        "title": package.name,
        "description": package.description,
    }
    return {
        "descriptor": {key: value for key, value in descriptor.items() if value},
        "modelfs": {"type": "layers", "diffIds": [file.digest for file in source.files]},
        "config": {"format": kitfile.model.format} if kitfile.model is not None and kitfile.model.format else {},
    }


def licenses(kitfile: "Kitfile") -> list[str]:
    """Every licence that the Kitfile states, sorted, each once."""
    stated = [kitfile.package.license]
    if kitfile.model is not None:
        stated += [kitfile.model.license, *(part.license for part in kitfile.model.parts)]
    stated += [entry.license for entry in kitfile.code]
    stated += [entry.license for entry in kitfile.datasets]
    return sorted({name for name in stated if name})
