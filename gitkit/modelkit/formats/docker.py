"""Docker Model Runner's format: a raw layer for each file of the model, and a config with facts from the weights.

Follows model-runner's code, not docker/model-spec, which differs: ``pkg/distribution/types/config.go``,
``builder/from_directory.go``, ``files/classify.go``, ``internal/partial``. A model that is one GGUF (or its shards, or
one DDUF), with at most a projector, a chat template and licences, gets config ``v0.1``, whose files have no folders;
any other ``v0.2``, whose files keep their path below the model's folder. Code, datasets and documents stay out,
licences apart.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from gitkit.core.digest import digest_of
from gitkit.core.oci import Descriptor, Manifest, to_json
from gitkit.core.paths import show_path
from gitkit.errors import InvalidFile, Unsupported
from gitkit.modelkit.content import Content
from gitkit.modelkit.files import KitFile, KitSource
from gitkit.modelkit.formats import weights
from gitkit.modelkit.formats.encoded import Encoded, Layer
from gitkit.modelkit.formats.modelpack import FILE_METADATA, FILEPATH, created, file_metadata, origin

CONFIG_V01 = "application/vnd.docker.ai.model.config.v0.1+json"
CONFIG_V02 = "application/vnd.docker.ai.model.config.v0.2+json"
UNTESTED = "org.cncf.model.file.mediatype.untested"

_PREFIX = "application/vnd.docker.ai."
_WEIGHTS = {"gguf.v3": "gguf", "safetensors": "safetensors", "dduf": "diffusers"}
_LICENSES = ("license", "licence", "copying", "notice")
_ORDER = ("gguf.v3", "dduf", "license", "mmproj", "chat.template.jinja")
_SHARD = re.compile(r"(?P<name>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf", re.IGNORECASE)


class _Item(NamedTuple):
    """A file, what it is (the end of its media type), and its path in the model."""

    file: KitFile
    kind: str
    path: str


def encode(source: KitSource, *, version: str, content: Content) -> Encoded:
    """The kit of ``source``. The headers of its weights are read.

    Raises:
        Unsupported: no weights that Docker Model Runner knows, or the model is another kit.
        InvalidFile: two files would have one name.
        NotFound: weights are neither here nor on the remote.
        Corrupt, Denied, NetworkError
    """
    if source.reference is not None:
        raise Unsupported(
            f"the model is another kit, {source.reference}, and a model of Docker's has to hold its files",
            hint="use the format modelpack or modelkit for it",
        )
    items = _items(source)
    kind = next((item.kind for item in items if item.kind in _WEIGHTS), None)
    if kind is None:
        raise Unsupported(
            "Docker Model Runner runs weights of GGUF, safetensors and DDUF; the model has none of them",
            hint="leave docker out of the formats, or convert the weights",
        )
    flat = _is_flat(items)
    items = _flattened(items) if flat else items
    _check_paths(items)
    config = to_json(_config(source, items, kind, content))
    manifest = Manifest(
        config=Descriptor(media_type=CONFIG_V01 if flat else CONFIG_V02, digest=digest_of(config), size=len(config)),
        layers=[_descriptor(item) for item in items],
        annotations=origin(source, version),
    )
    files = [item.file for item in items]
    layers = [Layer(file.path, file.digest, file.size, file) for file in files]
    return Encoded(manifest.encode(), config, layers, files)


def kind_of(path: str) -> str:
    """What a file is to Docker Model Runner, by its name: the end of its media type."""
    name = posixpath.basename(path).lower()
    if name.endswith(".gguf"):
        return "mmproj" if "mmproj" in name else "gguf.v3"
    for suffix in (".safetensors", ".dduf"):
        if name.endswith(suffix):
            return suffix[1:]
    if name.endswith(".jinja") or "chat_template" in name:
        return "chat.template.jinja"
    return "license" if any(word in name for word in _LICENSES) else "model.file"


def _items(source: KitSource) -> list[_Item]:
    """The model's files in the order of a walk through its folder; hidden ones are left out, as Docker does.

    A licence that is a document is left out where the model has a file of that name.
    """
    root = _root(source)
    every = [_Item(file, kind_of(file.path), file.path.removeprefix(root)) for file in source.files]
    items = [item for item in every if item.file.section in ("model", "parts") and not _is_hidden(item.path)]
    names = {item.path for item in items}
    items += [
        item for item in every if item.file.section == "docs" and item.kind == "license" and item.path not in names
    ]
    return sorted(items, key=lambda item: item.path.encode().split(b"/"))


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _root(source: KitSource) -> str:
    """The model's own folder, with a slash at its end; empty for the root."""
    path = source.kitfile.model.path if source.kitfile.model is not None else None
    folder = posixpath.normpath(path) if path else "."
    if any(file.section == "model" and file.path == folder for file in source.files):
        folder = posixpath.dirname(folder) or "."
    return "" if folder == "." else f"{folder}/"


def _is_flat(items: Sequence[_Item]) -> bool:
    kinds = Counter(item.kind for item in items)
    if not kinds.keys() <= set(_ORDER) or kinds["mmproj"] > 1 or kinds["chat.template.jinja"] > 1:
        return False
    if len({posixpath.basename(item.path) for item in items}) < len(items):
        return False
    if kinds["dduf"]:
        return kinds["dduf"] == 1 and not kinds["gguf.v3"]
    return kinds["gguf.v3"] == 1 or _are_shards([item.path for item in items if item.kind == "gguf.v3"])


def _are_shards(paths: Sequence[str]) -> bool:
    """Whether ``paths``, in order, are all shards of one model."""
    found = [_SHARD.fullmatch(path) for path in paths]
    expected = [(found[0] and found[0]["name"], number, len(paths)) for number in range(1, len(paths) + 1)]
    return [each and (each["name"], int(each["number"]), int(each["count"])) for each in found] == expected


def _flattened(items: Sequence[_Item]) -> list[_Item]:
    """In the order in which `docker model package` adds them, without folders."""
    ordered = sorted(items, key=lambda item: _ORDER.index(item.kind))
    return [item._replace(path=posixpath.basename(item.path)) for item in ordered]


def _check_paths(items: Sequence[_Item]) -> None:
    seen: dict[str, KitFile] = {}
    for item in items:
        first = seen.setdefault(item.path, item.file)
        if first is not item.file:
            one, other = (show_path(file.path.encode()) for file in (first, item.file))
            raise InvalidFile(f"{one} and {other} would both be {item.path} in a model of Docker's")


def _descriptor(item: _Item) -> Descriptor:
    return Descriptor(
        media_type=f"{_PREFIX}{item.kind}",
        digest=item.file.digest,
        size=item.file.size,
        annotations={FILEPATH: item.path, FILE_METADATA: file_metadata(item.file), UNTESTED: "false"},
    )


def _config(source: KitSource, items: Sequence[_Item], kind: str, content: Content) -> dict[str, Any]:
    """Keys in the order of Docker's Go structs."""
    files = [item.file for item in items if item.kind == kind]
    folder = posixpath.dirname(next(item.path for item in items if item.kind == kind))
    settings = posixpath.join(folder, "config.json")
    facts = weights.describe(
        _WEIGHTS[kind], files, next((item.file for item in items if item.path == settings), None), content
    )
    return {
        "config": facts,
        "descriptor": {"created": created(source)},
        "rootfs": {"type": "rootfs", "diff_ids": [item.file.digest for item in items]},
    }
