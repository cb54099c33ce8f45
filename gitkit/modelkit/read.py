"""Reading a kit's manifest and config, whatever tool wrote them: the one door to ``gitkit.modelkit.dialects``.

Recognised by artifactType or by the config's media type. Everything comes from outside: sizes, types, paths and the
depth of the JSON are checked before anything is used, so what is wrong is ``InvalidFile`` or ``Corrupt``.
"""

from collections.abc import Callable

from gitkit.core.digest import digest_of, is_digest, short
from gitkit.core.oci import EMPTY_CONFIG, MAX_MANIFEST, Manifest, parse_document, parse_manifest
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, InvalidFile
from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.blobs import read_blob
from gitkit.modelkit.dialects import docker, image, kitops, modelpack
from gitkit.modelkit.dialects.entries import check_json
from gitkit.modelkit.dialects.layers import Documents, View
from gitkit.modelkit.names import Names, show_name

_MAX_SIZE = (1 << 63) - 1


def read_artifact(remote: Remote, name: str) -> Artifact:
    """The kit under ``name`` (tag or digest). Moves manifest and config, no layer.

    Raises:
        NotFound: there is none.
        InvalidFile: what is there is not a kit, or one that is not well formed.
        Corrupt: bytes are not what their digest says, or parts of the kit contradict each other.
        Denied, NetworkError
    """
    what = name if not is_digest(name) else short(name)
    data = remote.get_manifest(name)
    if len(data) > MAX_MANIFEST:
        raise InvalidFile(f"the manifest of {what} has {len(data)} bytes; registries take {MAX_MANIFEST}")
    manifest = parse_manifest(data, f"{remote.url} {what}")
    _check_sizes(manifest, what)
    dialect = _dialect(manifest, what)
    config = b"{}" if manifest.config.media_type == EMPTY_CONFIG else read_blob(remote, manifest.config)
    document = parse_document(data, f"the manifest of {what}")
    documents = Documents(name=what, manifest=manifest, config=parse_document(config, f"the config of {what}"))
    check_json(document, f"the manifest of {what}")
    check_json(documents.config, f"the config of {what}")
    view = dialect(documents)
    _check_paths(view)
    return Artifact(
        format=view.format,
        digest=digest_of(data),
        manifest=manifest,
        document=document,
        config=documents.config,
        kitfile=view.kitfile,
        files=tuple(view.files),
        known=view.known,
    )


def _check_sizes(manifest: Manifest, what: str) -> None:
    if max([manifest.config.size, *(layer.size for layer in manifest.layers)]) > _MAX_SIZE:
        raise Corrupt(f"the manifest of {what} has a layer that is larger than any file can be")


def _check_paths(view: View) -> None:
    """What is inside of a tar shows when it is read; files that are layers themselves can be told now."""
    names = Names()
    for file in view.files:
        if file.packing == "raw":
            names.claim(file.path)


def _dialect(manifest: Manifest, what: str) -> Callable[[Documents], View]:
    artifact, config = manifest.artifact_type, manifest.config.media_type
    if artifact in modelpack.ARTIFACTS or config in modelpack.CONFIGS:
        return modelpack.read
    if artifact == kitops.ARTIFACT or config == kitops.CONFIG:
        return kitops.read
    if config in docker.CONFIGS:
        return docker.read
    if config in image.CONFIGS and artifact is None:
        return image.read
    raise InvalidFile(
        f"{what} is not a kit: its type is {show_name(artifact or config)}",
        hint="kits are in the formats of ModelPack, KitOps, Docker Model Runner, or an image with a Kitfile",
    )
