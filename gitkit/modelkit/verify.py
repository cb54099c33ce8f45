"""Verify: is a kit what its commit says? Rebuild and compare, byte for byte, and say where they differ."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitkit.core.digest import digest_of
from gitkit.core.events import Sink, ignore
from gitkit.core.oci import Descriptor, Manifest, parse_document, parse_manifest
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, KitError, NotFound
from gitkit.git.run import Git
from gitkit.modelkit.blobs import read_blob
from gitkit.modelkit.build import Kit, build
from gitkit.modelkit.content import Content
from gitkit.modelkit.formats import modelpack
from gitkit.modelkit.formats.modelpack import FILEPATH
from gitkit.modelkit.formats.options import recognise

REVISION = modelpack.REVISION
VERSION = modelpack.VERSION


class Verified(NamedTuple):
    """``differences`` is empty when the kit is equal to what its commit gives and all its content is there."""

    kit: Kit
    digest: str
    differences: list[str]


def verify(
    content: Content, remote: Remote, name: str, *, expected: str | None = None, emit: Sink = ignore
) -> Verified:
    """Compare the kit under ``name`` (tag or digest) on ``remote`` with what the commit named in it gives.

    Format, layer format and compression are those of the kit. ``expected`` is the digest that it should have.

    Raises:
        NotFound: there is no such kit, its commit is not in this clone, or its format needs content that is nowhere.
        InvalidFile: it is not in a format that git kit writes.
        Corrupt: the kit names no commit.
        Denied, NetworkError
    """
    manifest_bytes = remote.get_manifest(name)
    digest = digest_of(manifest_bytes)
    manifest = parse_manifest(manifest_bytes, f"{remote.url} {name}")
    options = recognise(manifest, name)
    commit, version = manifest.annotations.get(REVISION), manifest.annotations.get(VERSION)
    if commit is None or version is None:
        raise Corrupt(f"{name} names no commit and version in its annotations, so it cannot be rebuilt")
    git = content.git
    if git.ask("cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise NotFound(f"{name} is of commit {commit[:12]}, which is not in this clone", hint="git fetch --all --tags")
    kit = build(git, commit, version=version, options=options, content=content, emit=emit)
    differences = [] if expected in (None, digest) else [f"digest: {digest} there, {expected} expected"]
    if manifest_bytes != kit.manifest:
        differences += _differences(manifest, kit)
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
    else:
        found += _map_differences("config", there.config.as_json(), ours.config.as_json())
    found += _map_differences("annotations", there.annotations, ours.annotations)
    for number in range(max(len(there.layers), len(ours.layers))):
        theirs = there.layers[number] if number < len(there.layers) else None
        rebuilt = ours.layers[number] if number < len(ours.layers) else None
        if theirs != rebuilt:
            path = kit.layers[number].path if number < len(kit.layers) else ""
            found += _layer_differences(f"layers[{number}]", theirs, rebuilt, path)
    return found or ["the same values in other bytes (order of keys, white space)"]


def _layer_differences(name: str, theirs: Descriptor | None, rebuilt: Descriptor | None, path: str) -> list[str]:
    if theirs is not None and rebuilt is not None and theirs.digest == rebuilt.digest:
        return _map_differences(name, theirs.as_json(), rebuilt.as_json())
    return [f"{name}: {_layer(theirs)} there, {_layer(rebuilt, path)} rebuilt"]


def _layer(layer: Descriptor | None, path: str = "") -> str:
    if layer is None:
        return "nothing"
    return f"{layer.annotations.get(FILEPATH, path)} {layer.digest[:19]}".strip()


def _config_differences(remote: Remote, manifest: Manifest, kit: Kit) -> list[str]:
    if manifest.config.digest == digest_of(kit.config):
        return []
    try:
        theirs = parse_document(read_blob(remote, manifest.config), "config")
    except KitError as error:
        return [f"config: {error.message}"]
    ours = json.loads(kit.config)
    found = _map_differences("config", theirs, ours)
    if kit.options.compression != "none" and _diff_ids(theirs) == _diff_ids(ours):
        found.append("before compression all layers are equal: another library compressed them")
    return found


def _diff_ids(value: Any) -> list[Any]:
    """What a config says of the layers before compression, in its order."""
    if isinstance(value, list):
        return [found for item in value for found in _diff_ids(item)]
    if not isinstance(value, dict):
        return []
    here = [value[key] for key in ("diffId", "diff_ids") if key in value]
    return here + [found for item in value.values() for found in _diff_ids(item)]


def _map_differences(name: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    return [
        line
        for key in sorted({*theirs, *ours})
        for line in _value_differences(f"{name}.{key}", theirs.get(key), ours.get(key))
    ]


def _value_differences(name: str, there: Any, rebuilt: Any) -> list[str]:
    if there == rebuilt:
        return []
    if isinstance(there, dict) and isinstance(rebuilt, dict):
        return _map_differences(name, there, rebuilt)
    if _are_long_lists(there, rebuilt):
        pairs = enumerate(zip(there, rebuilt, strict=True))
        return [line for number, pair in pairs for line in _value_differences(f"{name}[{number}]", *pair)]
    return [f"{name}: {_brief(there)} there, {_brief(rebuilt)} rebuilt"]


def _are_long_lists(there: Any, rebuilt: Any) -> bool:
    """Lists of equal length whose items say more one by one: objects, or more than fit into a line."""
    if not isinstance(there, Sequence) or isinstance(there, str) or not isinstance(rebuilt, list):
        return False
    return len(there) == len(rebuilt) and (len(json.dumps(there)) > 60 or any(isinstance(each, dict) for each in there))


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
