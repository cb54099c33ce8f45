"""Verify: is a kit what its commit says? Rebuild and compare, byte for byte, and say where they differ."""

import json
from typing import Any, NamedTuple

from gitkit.core.digest import digest_of
from gitkit.core.oci import Manifest, parse_document, parse_manifest
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, KitError, NotFound
from gitkit.git.run import Git
from gitkit.modelkit.blobs import read_blob
from gitkit.modelkit.build import Kit, build

REVISION = "org.opencontainers.image.revision"
VERSION = "org.opencontainers.image.version"


class Verified(NamedTuple):
    """``differences`` is empty when the kit is equal to what its commit gives and all its content is there."""

    kit: Kit
    digest: str
    differences: list[str]


def verify(git: Git, remote: Remote, name: str) -> Verified:
    """Compare the kit under ``name`` (tag or digest) on ``remote`` with what the commit named in it gives.

    Raises:
        NotFound: there is no such kit, or its commit is not in this clone.
        Corrupt: the kit names no commit.
    """
    manifest_bytes = remote.get_manifest(name)
    manifest = parse_manifest(manifest_bytes, f"{remote.url} {name}")
    commit, version = manifest.annotations.get(REVISION), manifest.annotations.get(VERSION)
    if commit is None or version is None:
        raise Corrupt(f"{name} names no commit and version in its annotations, so it cannot be rebuilt")
    if git.ask("cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise NotFound(f"{name} is of commit {commit[:12]}, which is not in this clone", hint="git fetch --all --tags")
    kit = build(git, commit, version=version)
    digest = digest_of(manifest_bytes)
    differences = [] if manifest_bytes == kit.manifest else _differences(manifest, kit)
    differences += _moved_tag(git, kit)
    differences += _config_differences(remote, manifest, kit)
    differences += [
        f"layer {layer.digest} is not on {remote.url}" for layer in manifest.layers if not remote.has_blob(layer.digest)
    ]
    return Verified(kit, digest, differences)


def _moved_tag(git: Git, kit: Kit) -> list[str]:
    tagged = git.ask("rev-parse", "-q", "--verify", f"refs/tags/{kit.version}^{{commit}}")
    if tagged is None or tagged == kit.commit:
        return []
    return [f"the Git tag {kit.version} is on commit {tagged[:12]} now, the kit is of {kit.commit[:12]}"]


def _differences(there: Manifest, kit: Kit) -> list[str]:
    ours = parse_manifest(kit.manifest)
    found = []
    if there.artifact_type != ours.artifact_type:
        found.append(f"artifactType: {there.artifact_type} there, {ours.artifact_type} rebuilt")
    if there.config.digest != ours.config.digest:
        found.append(f"config: {there.config.digest} there, {ours.config.digest} rebuilt")
    found += _map_differences("annotations", there.annotations, ours.annotations)
    for number in range(max(len(there.layers), len(ours.layers))):
        theirs = there.layers[number].as_json() if number < len(there.layers) else None
        rebuilt = ours.layers[number].as_json() if number < len(ours.layers) else None
        if theirs != rebuilt:
            found.append(f"layers[{number}]: {_layer(theirs)} there, {_layer(rebuilt)} rebuilt")
    return found or ["the same values in other bytes (order of keys, white space)"]


def _layer(layer: dict[str, Any] | None) -> str:
    if layer is None:
        return "nothing"
    path = layer.get("annotations", {}).get("org.cncf.model.filepath", "")
    return f"{path} {layer['digest'][:19]}".strip()


def _config_differences(remote: Remote, manifest: Manifest, kit: Kit) -> list[str]:
    if manifest.config.digest == digest_of(kit.config):
        return []
    try:
        theirs = parse_document(read_blob(remote, manifest.config), "config")
    except KitError as error:
        return [f"config: {error.message}"]
    return _map_differences("config", theirs, json.loads(kit.config))


def _map_differences(name: str, theirs: Any, ours: Any) -> list[str]:
    found = []
    for key in sorted({*theirs, *ours}):
        there, rebuilt = theirs.get(key), ours.get(key)
        if isinstance(there, dict) and isinstance(rebuilt, dict):
            found += _map_differences(f"{name}.{key}", there, rebuilt)
        elif there != rebuilt:
            found.append(f"{name}.{key}: {_brief(there)} there, {_brief(rebuilt)} rebuilt")
    return found


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
