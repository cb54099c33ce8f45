"""Kits of every kind for tests, made from the formats' rules by hand: nothing here uses the code that reads them.

``Sample`` is a kit with its blobs; it can be put into a layout folder or a registry as it is, however wrong it is.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitkit.core.remote import Remote
from gitkit.store.layout import ImageLayout
from tests.lib.registries import REPOSITORY, FaultRegistry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
FILEPATH = "org.cncf.model.filepath"
METADATA = "org.cncf.model.file.metadata+json"
KITFILE = "ml.kitops.modelkit.kitfile"

Json = dict[str, Any]


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass
class Layer:
    """A layer as the manifest names it, and the blob's bytes, which may be others."""

    media_type: str
    data: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    size: int | None = None

    def __post_init__(self) -> None:
        self.digest = self.digest or sha256(self.data)
        self.size = len(self.data) if self.size is None else self.size

    def descriptor(self) -> Json:
        out: Json = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        return {**out, "annotations": dict(self.annotations)} if self.annotations else out


@dataclass
class Sample:
    """A kit: the bytes of its manifest, and of every blob under the digest that they are to be found by."""

    manifest: bytes
    blobs: dict[str, bytes]

    @property
    def digest(self) -> str:
        return sha256(self.manifest)

    def layout(self, folder: Path, tag: str = "v1") -> ImageLayout:
        """A layout folder with the kit; what is wrong with the kit is wrong there."""
        layout = ImageLayout(str(folder))
        layout.put_manifest(self.manifest, tag=tag)
        for digest, data in self.blobs.items():
            path = Path(layout.blob_path(digest))
            if path.exists():
                path.unlink()
            path.write_bytes(data)
        return layout

    def serve(self, registry: FaultRegistry, tag: str = "v1") -> None:
        """Have ``registry`` serve the kit, unchecked."""
        contents = registry.repository(REPOSITORY)
        contents.blobs |= self.blobs
        contents.manifests[self.digest] = (MANIFEST, self.manifest)
        contents.tags[tag] = self.digest

    def push(self, remote: Remote, tag: str = "v1") -> None:
        """Upload the kit to a registry that checks it."""
        for digest, data in self.blobs.items():
            remote.put_blob(digest, len(data), lambda data=data: io.BytesIO(data))  # type: ignore[misc]
        remote.put_manifest(self.manifest, tag=tag)


def kit(
    config_type: str,
    config: Any,
    layers: Sequence[Layer],
    *,
    artifact_type: str | None = None,
    annotations: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Sample:
    """A kit with these parts; ``config`` is JSON, or bytes that need be none. ``extra`` keys go into the manifest."""
    data = config if isinstance(config, bytes) else json.dumps(config).encode()
    manifest: Json = {"schemaVersion": 2, "mediaType": MANIFEST}
    if artifact_type is not None:
        manifest["artifactType"] = artifact_type
    manifest["config"] = {"mediaType": config_type, "digest": sha256(data), "size": len(data)}
    manifest["layers"] = [layer.descriptor() for layer in layers]
    if annotations:
        manifest["annotations"] = dict(annotations)
    blobs = {layer.digest: layer.data for layer in layers} | {sha256(data): data}
    return Sample(json.dumps({**manifest, **(extra or {})}).encode(), blobs)


# -- ModelPack -----------------------------------------------------------------------------------------------------


def modelpack(layers: Sequence[Layer], kitfile: Any = None, config: Any = None, **options: Any) -> Sample:
    """A ModelPack kit; ``kitfile`` is KitOps' annotation, None for none."""
    annotations = None if kitfile is None else {KITFILE: kitfile if isinstance(kitfile, str) else json.dumps(kitfile)}
    return kit(
        "application/vnd.cncf.model.config.v1+json",
        {"modelfs": {"type": "layers", "diffIds": [layer.digest for layer in layers]}} if config is None else config,
        layers,
        artifact_type="application/vnd.cncf.model.manifest.v1+json",
        annotations=annotations,
        **options,
    )


def raw(path: str, data: bytes, kind: str = "weight.config", *, mode: int = 0o644, **options: Any) -> Layer:
    """One file as a layer of a ModelPack kit."""
    metadata = json.dumps({"name": path.rpartition("/")[2], "mode": mode, "size": len(data), "typeflag": 0})
    return Layer(f"application/vnd.cncf.model.{kind}.v1.raw", data, {FILEPATH: path, METADATA: metadata}, **options)


def tar_layer(path: str, data: bytes, kind: str = "code", compression: str = "", **options: Any) -> Layer:
    """A tar as a layer of a ModelPack kit; ``compression`` as in ``+gzip``."""
    return Layer(f"application/vnd.cncf.model.{kind}.v1.tar{compression}", data, {FILEPATH: path}, **options)


def files(contents: Mapping[str, bytes]) -> Sample:
    """A ModelPack kit of raw layers: ``.bin`` weights, ``.py`` code, ``.csv`` datasets, ``.md`` docs."""
    kinds = {".bin": "weight", ".py": "code", ".csv": "dataset", ".md": "doc"}
    return modelpack(
        [raw(path, data, kinds.get(path[path.rfind(".") :], "weight.config")) for path, data in contents.items()]
    )


# -- KitOps ----------------------------------------------------------------------------------------------------------


def modelkit(layers: Sequence[Layer], kitfile: Any, **options: Any) -> Sample:
    """A ModelKit of KitOps, as from Kit 1.10 on."""
    options = {"artifact_type": "application/vnd.kitops.modelkit.manifest.v1+json", **options}
    return kit("application/vnd.kitops.modelkit.config.v1+json", kitfile, layers, **options)


def kitops_layer(kind: str, data: bytes, path: str | None = None, encoding: str = "tar", **annotations: str) -> Layer:
    named = {FILEPATH: path} if path is not None else {}
    return Layer(f"application/vnd.kitops.modelkit.{kind}.v1.{encoding}", data, {**named, **annotations})


def go_tar(contents: Mapping[str, bytes | None]) -> bytes:
    """A tar as KitOps writes it: folders (None) and files in the given order, uid 1000, mode 0755 or 0644."""
    return b"".join(_go_entry(name, data) for name, data in contents.items()) + bytes(1024)


def _go_entry(name: str, data: bytes | None) -> bytes:
    header = bytearray(512)
    mode, kind = (b"0000755", b"5") if data is None else (b"0000644", b"0")
    body = data or b""
    fields = {0: name.encode(), 100: mode, 108: b"0001750", 116: b"0000000", 124: b"%011o" % len(body)}
    fields |= {136: b"0" * 11, 148: b" " * 8, 156: kind, 257: b"ustar\x0000", 329: b"0000000", 337: b"0000000"}
    for at, value in fields.items():
        header[at : at + len(value)] = value
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + body + bytes(-len(body) % 512)


# -- any tar -----------------------------------------------------------------------------------------------------------


def tar_of(*members: tuple[tarfile.TarInfo, bytes] | tuple[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar written by Python's ``tarfile``, which checks nothing: a name, or a whole header, with content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for member, data in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            if info.isreg():
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def special(name: str, kind: bytes, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """A member that is no file: a link, a device, a pipe."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, b""


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``, by path; also what a failed run may have left behind."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# -- the sample of KitOps' rules ---------------------------------------------------------------------------------------

GOLDEN_CONFIG = "sha256:aefc94b66f6c8f8f15654eb31a6eb04002fbd36cd91a55d0cdc6ccb6c54f4b5d"
GOLDEN_MANIFEST = "sha256:9e1bfc83f886c44ce0c2eaa19d9234d55c9c67b1efff3ac2433ec43180c3f95e"

GOLDEN_FILES = {
    path: f"testing: {path}".encode()
    for path in (
        "model/weights.bin",
        "adapters/lora.bin",
        "src/train.py",
        "data/train.csv",
        "README.md",
        "system.prompt.md",
    )
}


def golden_layers() -> list[Layer]:
    """The tar layers of the sample, by the rules of KitOps' ``tar.go``: folders before what is in them."""

    def layer(kind: str, entry: str, path: str, **annotations: str) -> Layer:
        folders = {path.rpartition("/")[0]: None} if "/" in path else {}
        return kitops_layer(kind, go_tar({**folders, path: GOLDEN_FILES[path]}), entry, **annotations)

    return [
        layer("model", "model", "model/weights.bin"),
        layer("modelpart", "adapters/lora.bin", "adapters/lora.bin"),
        layer("code", "src", "src/train.py"),
        layer("dataset", "data/train.csv", "data/train.csv"),
        layer("docs", "README.md", "README.md"),
        layer("code", "system.prompt.md", "system.prompt.md", **{"ml.kitops.modelkit.layer-subtype": "prompt"}),
    ]


def golden_kitfile(digests: bool = True) -> Json:
    """The sample's Kitfile as its config has it; without ``digests`` as Kit wrote it before 0.5."""
    names = ("model", "parts", "code", "datasets", "docs", "prompts")
    ids = {
        name: {"digest": layer.digest, "diffId": layer.digest} if digests else {}
        for name, layer in zip(names, golden_layers(), strict=True)
    }
    part = {"name": "lora", "path": "adapters/lora.bin", "type": "lora-adapter", **ids["parts"]}
    model = {"name": "demo", "path": "./model", "framework": "pytorch", "parts": [part]}
    return {
        "manifestVersion": "1.0.0",
        "package": {"name": "demo", "version": "1.0.0", "authors": ["Ada"]},
        "model": {**model, "parameters": {"epochs": 3, "lr": 0.001}, **ids["model"]},
        "code": [{"path": "src/", **ids["code"]}],
        "datasets": [{"name": "train", "path": "data/train.csv", **ids["datasets"]}],
        "docs": [{"path": "README.md", "description": "Readme file", **ids["docs"]}],
        "prompts": [{"path": "system.prompt.md", **ids["prompts"]}],
    }


def golden() -> Sample:
    """The sample as Kit 1.15 writes it, byte for byte."""
    config = compact(golden_kitfile())
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.kitops.modelkit.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.kitops.modelkit.config.v1+json",
            "digest": sha256(config),
            "size": len(config),
        },
        "layers": [
            {**layer.descriptor(), "annotations": dict(sorted(layer.annotations.items()))} for layer in golden_layers()
        ],
        "annotations": {
            "ml.kitops.modelkit.cli-version": "1.15.0",
            "org.opencontainers.image.created": "1980-01-01T00:00:00Z",
        },
    }
    blobs = {layer.digest: layer.data for layer in golden_layers()} | {sha256(config): config}
    return Sample(compact(manifest), blobs)


def golden_of_kit_0_5() -> Sample:
    """The sample as Kit 0.5 to 1.9 wrote it: no types, no annotations of layers; and there were no prompts."""
    layers = [Layer(layer.media_type, layer.data) for layer in golden_layers()[:5]]
    kitfile = {key: value for key, value in golden_kitfile().items() if key != "prompts"}
    return untyped(kitfile, layers)


def golden_of_kit_0_4() -> Sample:
    """The sample as Kit before 0.5 wrote it: no digests in the config, names in a tar start at the entry's folder."""
    contents = (
        ("model", {"model": None, "model/weights.bin": GOLDEN_FILES["model/weights.bin"]}),
        ("modelpart", {"lora.bin": GOLDEN_FILES["adapters/lora.bin"]}),
        ("code", {"src": None, "src/train.py": GOLDEN_FILES["src/train.py"]}),
        ("dataset", {"train.csv": GOLDEN_FILES["data/train.csv"]}),
        ("docs", {"README.md": GOLDEN_FILES["README.md"]}),
    )
    kitfile = {key: value for key, value in golden_kitfile(digests=False).items() if key != "prompts"}
    return untyped(kitfile, [kitops_layer(kind, go_tar(members)) for kind, members in contents])


def untyped(kitfile: Json, layers: Sequence[Layer]) -> Sample:
    """A ModelKit whose manifest says of itself neither what it is nor of what type."""
    config = compact(kitfile)
    manifest = {
        "schemaVersion": 2,
        "config": {
            "mediaType": "application/vnd.kitops.modelkit.config.v1+json",
            "digest": sha256(config),
            "size": len(config),
        },
        "layers": [layer.descriptor() for layer in layers],
        "annotations": {"ml.kitops.modelkit.cli-version": "0.2.5-29dbdc4"},
    }
    return Sample(compact(manifest), {layer.digest: layer.data for layer in layers} | {sha256(config): config})


def compact(value: Any) -> bytes:
    """JSON as Go writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
