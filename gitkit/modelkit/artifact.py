"""A kit as it lies in a registry, in one form for every format and age: what ``gitkit.modelkit.read`` makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gitkit.core.oci import Descriptor, Manifest

Format = Literal["modelpack", "modelkit", "docker", "image"]
Packing = Literal["raw", "tar"]
Compression = Literal["gzip", "zstd"]

VERSION = "org.opencontainers.image.version"
REVISION = "org.opencontainers.image.revision"
CREATED = "org.opencontainers.image.created"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFile:
    """One layer: a file where ``packing`` is raw, any number of files where it is tar.

    ``path`` is the file's, or that of the Kitfile entry which the tar holds; "" stands for the kit's root. ``section``
    is one of ``model parts code datasets docs prompts mcpServers``, or "" where the layer holds files of several.
    Names in the tar start at the folder ``inside``, after ``strip`` was taken off; those without it are not of the kit.
    ``mode`` is 0o644 or 0o755. ``diff_id`` is the digest before compression, where the kit says it.
    """

    section: str
    name: str | None
    path: str
    layer: Descriptor
    packing: Packing
    compression: Compression | None = None
    mode: int = 0o644
    subtype: str | None = None
    diff_id: str | None = None
    inside: str = ""
    strip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A kit. ``document`` is its manifest and ``config`` its config, as JSON. ``kitfile`` is in KitOps' JSON form: the
    kit's own, or one that its layers and config give.

    ``known`` are digests of files inside of tar layers, by path, for formats that tell them.
    """

    format: Format
    digest: str
    manifest: Manifest
    document: Mapping[str, Any]
    config: Mapping[str, Any]
    kitfile: Mapping[str, Any]
    files: Sequence[ArtifactFile]
    known: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all layers."""
        return sum(file.layer.size for file in self.files)

    @property
    def version(self) -> str | None:
        """What the kit says it is; None where it does not."""
        return self.manifest.annotations.get(VERSION)

    @property
    def commit(self) -> str | None:
        """The commit that the kit says it was built from."""
        return self.manifest.annotations.get(REVISION)

    @property
    def created(self) -> str | None:
        return self.manifest.annotations.get(CREATED)
