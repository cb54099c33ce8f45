"""What a kit holds, read from its manifest and config alone."""

from typing import Any, NamedTuple

from gitkit.core.digest import digest_of
from gitkit.core.oci import Descriptor, parse_document, parse_manifest
from gitkit.core.remote import Remote
from gitkit.modelkit.blobs import read_blob
from gitkit.modelkit.formats.modelpack import FILEPATH, KITFILE
from gitkit.modelkit.verify import REVISION, VERSION


class Inspected(NamedTuple):
    """``version``, ``commit`` and ``kitfile`` are None where the kit does not say."""

    digest: str
    artifact_type: str | None
    version: str | None
    commit: str | None
    created: str | None
    size: int
    layers: list[tuple[str, Descriptor]]
    manifest: dict[str, Any]
    config: dict[str, Any]
    kitfile: dict[str, Any] | None


def inspect(remote: Remote, name: str) -> Inspected:
    """Read the kit under ``name`` (tag or digest). Moves manifest and config, no layer.

    Raises:
        NotFound: there is none.
        InvalidFile: what is there is not a kit.
        Corrupt: the config's bytes are not what the manifest says.
    """
    data = remote.get_manifest(name)
    manifest = parse_manifest(data, f"{remote.url} {name}")
    kitfile = manifest.annotations.get(KITFILE)
    return Inspected(
        digest=digest_of(data),
        artifact_type=manifest.artifact_type,
        version=manifest.annotations.get(VERSION),
        commit=manifest.annotations.get(REVISION),
        created=manifest.annotations.get("org.opencontainers.image.created"),
        size=sum(layer.size for layer in manifest.layers),
        layers=[(layer.annotations.get(FILEPATH, ""), layer) for layer in manifest.layers],
        manifest=parse_document(data, "the manifest"),
        config=parse_document(read_blob(remote, manifest.config), "the config"),
        kitfile=parse_document(kitfile.encode(), "the Kitfile annotation") if kitfile else None,
    )
