"""Kits in the formats modelkit, docker and image: bytes, release, verify, and what other tools read of them."""

import gzip
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gitkit.core.digest import digest_of
from gitkit.errors import InvalidFile, Unsupported
from gitkit.git.run import Git
from gitkit.modelkit.build import Kit, build
from gitkit.modelkit.content import Content
from gitkit.modelkit.formats.options import options_for
from gitkit.modelkit.tarlayers import Recipe
from gitkit.store.layout import ImageLayout
from tests.golden import make_kit
from tests.lib.registries import REPOSITORY, Fault, FaultRegistry, RealRegistry
from tests.lib.repos import Repo, clean_environ, init, run, some_bytes

Json = dict[str, Any]

SCHEMAS = Path(make_kit.__file__).parent / "schemas"
FILEPATH = "org.cncf.model.filepath"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
KITOPS = "application/vnd.kitops.modelkit"
REVISION, VERSION = "org.opencontainers.image.revision", "org.opencontainers.image.version"
FORMATS = ("modelpack", "modelkit", "docker", "image")
BUILDS = (
    ("modelpack",),
    ("modelkit",),
    ("modelkit", "tar", "gzip"),
    ("modelkit", "raw"),
    ("docker",),
    ("image",),
    ("image", "tar", "gzip"),
)
"""Format, layer format and compression."""

NEEDS_ZSTD = pytest.mark.skipif(find_spec("zstandard") is None, reason="zstandard is not installed")

# -- repositories ----------------------------------------------------------------------------------------------------


def safetensors(size: int, **metadata: str) -> bytes:
    """A safetensors file with one tensor of ``size`` bytes."""
    header: Json = {"__metadata__": metadata} if metadata else {}
    header["weight"] = {"dtype": "F16", "shape": [size // 2], "data_offsets": [0, size]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(range(256)) * (size // 256)


KITFILE = """\
manifestVersion: "1.0.0"
package: {name: tiny, license: MIT, authors: [Ada]}
model:
  path: ./model/
  framework: pytorch
  parts:
    - {name: adapter, path: adapters/lora.safetensors, type: lora}
code: [{path: .}]
datasets: [{path: data/rows.csv}]
docs: [{path: LICENSE}, {path: README.md}]
prompts: [{path: prompts}]
"""
FILES: Mapping[str, bytes | str] = {
    ".gitattributes": "*.safetensors filter=kit -text\n*.csv filter=kit -text\n",
    ".kitignore": "**/*.log\n.gitattributes\n.gitkit.toml\n",
    "Kitfile": KITFILE,
    "LICENSE": "MIT\n",
    "README.md": "# tiny\n",
    "adapters/lora.safetensors": safetensors(512),
    "data/rows.csv": b"text,label\n" * 500,
    "model/.cache/x": "hidden\n",
    "model/config.json": '{"max_position_embeddings": 512}\n',
    "model/deep/er/vokabel-ü.txt": "a\nb\n",
    "model/train.log": "ignored\n",
    "model/weights.safetensors": safetensors(16 << 20, format="pt", architecture="tiny"),
    "prompts/system.txt": "Be brief.\n",
    "src/run.sh": "#!/bin/sh\n",
    f"src/{'long' * 30}.py": "pass\n",
}
IN_KIT = [name for name in FILES if name not in (".gitattributes", ".kitignore", "Kitfile", "model/train.log")]


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an empty repository (``empty``) and one with ``FILES`` as v1.0.0 (``tiny``) are; git kit is installed."""
    folder = tmp_path_factory.mktemp("templates")
    environ = clean_environ(folder / "home")
    init(folder / "empty", environ).kit("install")
    shutil.copytree(folder / "empty", folder / "tiny")
    repo = Repo(folder / "tiny", environ)
    for name, data in FILES.items():
        repo.write(name, data, mode=0o755 if name.endswith(".sh") else 0o644)
    repo.commit("tiny")
    repo.git("tag", "v1.0.0")
    return folder


@pytest.fixture
def environ(tmp_path: Path, templates: Path) -> dict[str, str]:
    environ = clean_environ(tmp_path / "home")
    shutil.copy(templates / "home" / ".gitconfig", environ["GIT_CONFIG_GLOBAL"])
    return environ


@pytest.fixture
def kit_repo(tmp_path: Path, environ: dict[str, str], templates: Path) -> Repo:
    return Repo(Path(shutil.copytree(templates / "empty", tmp_path / "kit")), environ)


@pytest.fixture
def tiny(tmp_path: Path, environ: dict[str, str], templates: Path) -> Repo:
    """A repository with every section, nested entries, ignored files and odd names; its commit is v1.0.0."""
    return Repo(Path(shutil.copytree(templates / "tiny", tmp_path / "tiny")), environ)


def of(registry: FaultRegistry | RealRegistry) -> str:
    return f"oci://{registry.host}/{REPOSITORY}"


def configured(repo: Repo, **kit: str | list[str]) -> None:
    """Commit ``kit`` as the settings of kits, and move the tag v1.0.0 there."""
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in kit.items())
    repo.commit("settings", {".gitkit.toml": f"[kit]\n{lines}"})
    repo.git("tag", "--force", "v1.0.0")


def built(repo: Repo, format: str = "modelpack", layer_format: str = "tar", compression: str = "none") -> Kit:
    """The kit of v1.0.0, of content in the clone alone."""
    git = Git(str(repo.path), repo.environ)
    options = options_for(format, layer_format=layer_format, compression=compression)
    content = Content(git, ImageLayout(str(repo.path / ".git" / "kit")))
    return build(git, repo.out("rev-parse", "v1.0.0"), version="v1.0.0", options=options, content=content)


def documents(repo: Repo, *options: str) -> tuple[Json, Json]:
    """Manifest and config of ``built``."""
    kit = built(repo, *options)
    return json.loads(kit.manifest), json.loads(kit.config)


def paths(manifest: Json) -> list[str]:
    return [layer["annotations"][FILEPATH] for layer in manifest["layers"]]


def flags(options: tuple[str, ...]) -> list[str]:
    """``options`` as a command line gives them."""
    names = ("--format", "--layer-format", "--compression")
    return [word for pair in zip(names, options, strict=False) for word in pair]


def sample(repo: Repo, kitfile: str, files: Mapping[str, bytes | str]) -> None:
    """Commit a kit and tag it v1.0.0."""
    repo.commit("sample", {"Kitfile": kitfile, **files})
    repo.git("tag", "--force", "v1.0.0")


def content(name: str) -> bytes:
    data = FILES[name]
    return data.encode() if isinstance(data, str) else data


def manifest_of(registry: FaultRegistry, tag: str) -> Json:
    contents = registry.repository(REPOSITORY)
    document: Json = json.loads(contents.manifests[contents.tags[tag]][1])
    return document


def unpacked(data: bytes, media_type: str) -> bytes:
    return gzip.decompress(data) if media_type.endswith("+gzip") else data


def read_tar(data: bytes) -> dict[str, tuple[int, bytes | None]]:
    """Mode and content of each member; a folder has none."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {
            item.name: (item.mode, archive.extractfile(item).read() if item.isfile() else None)  # type: ignore[union-attr]
            for item in archive
        }


# -- modelkit --------------------------------------------------------------------------------------------------------

SAMPLE = """\
manifestVersion: 1.0.0
package:
  name: demo
  version: 1.0.0
  authors: [Ada]
model:
  name: demo
  path: ./model
  framework: pytorch
  parts:
    - name: lora
      path: adapters/lora.bin
      type: lora-adapter
  parameters:
    lr: 0.001
    epochs: 3
code:
  - path: src/
datasets:
  - name: train
    path: data/train.csv
docs:
  - path: README.md
    description: Readme file
prompts:
  - path: system.prompt.md
"""
SAMPLE_FILES = (
    *("model/weights.bin", "adapters/lora.bin", "src/train.py", "data/train.csv", "README.md", "system.prompt.md"),
)


def test_golden_modelkit_is_what_kit_pack_writes_and_two_annotations(kit_repo: Repo) -> None:
    kit_repo.environ["GIT_COMMITTER_DATE"] = "315532800 +0000"
    kit_repo.write(".gitattributes", "*.bin filter=kit -text\n")
    sample(kit_repo, SAMPLE, {path: f"testing: {path}" for path in SAMPLE_FILES})
    kit = built(kit_repo, "modelkit")
    manifest = json.loads(kit.manifest)
    layers = [
        ("3103799c0d6ad35bfef6bec893b9447f66a57889040f27d1120d837f6812b0f2", 2560),
        ("0490ff361b186dc9b8e524083722b75a0baefcd8d1dfb8d646c220cab0e30cd4", 2560),
        ("498ec6573ffd869da5a10568d06b409cec0c3551e461d07ae1aa5b401b0e8ad6", 2560),
        ("537ec9d4348addc6270b3aff9a7cd10852054688cae96592c8a065c9309cc6d9", 2560),
        ("6a5bd8cd6ca014dfaa398d1107ffe41048521853685f9c6063c7ebbe30f517d8", 2048),
        ("61dbec9076526a132666d8492209e8eb0e05b813fbe394210a77f6a17c7608cb", 2048),
    ]
    assert [(layer["digest"], layer["size"]) for layer in manifest["layers"]] == [
        (f"sha256:{digest}", size) for digest, size in layers
    ]
    assert digest_of(kit.config) == "sha256:aefc94b66f6c8f8f15654eb31a6eb04002fbd36cd91a55d0cdc6ccb6c54f4b5d"
    assert manifest["annotations"].pop(REVISION) == kit_repo.out("rev-parse", "HEAD")
    assert manifest["annotations"].pop(VERSION) == "v1.0.0"
    kitops = json.dumps(manifest, separators=(",", ":")).encode()
    assert digest_of(kitops) == "sha256:9e1bfc83f886c44ce0c2eaa19d9234d55c9c67b1efff3ac2433ec43180c3f95e"


def test_tar_layers_divide_the_tree_by_the_longest_path_with_the_folders_that_are_theirs(
    tiny: Repo, fault_registry: FaultRegistry
) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    tiny.kit("release", "v1.0.0", "--format", "modelkit")
    manifest = manifest_of(fault_registry, "v1.0.0")
    blobs = fault_registry.repository(REPOSITORY).blobs
    found = [
        (
            layer["mediaType"].removeprefix(f"{KITOPS}."),
            layer["annotations"][FILEPATH],
            read_tar(blobs[layer["digest"]]),
        )
        for layer in manifest["layers"]
    ]

    def members(*folders: str, files: tuple[str, ...] = (), executable: tuple[str, ...] = ()) -> dict[str, Any]:
        return {
            **dict.fromkeys(folders, (0o755, None)),
            **{name: (0o644, content(name)) for name in files},
            **{name: (0o755, content(name)) for name in executable},
        }

    long = f"src/{'long' * 30}.py"
    model = ("model/.cache/x", "model/config.json", "model/deep/er/vokabel-ü.txt", "model/weights.safetensors")
    assert found == [
        ("model.v1.tar", "model", members("model", "model/.cache", "model/deep", "model/deep/er", files=model)),
        ("modelpart.v1.tar", "adapters/lora.safetensors", members("adapters", files=("adapters/lora.safetensors",))),
        ("code.v1.tar", ".", members("adapters", "data", "src", files=(long,), executable=("src/run.sh",))),
        ("dataset.v1.tar", "data/rows.csv", members("data", files=("data/rows.csv",))),
        ("docs.v1.tar", "LICENSE", members(files=("LICENSE",))),
        ("docs.v1.tar", "README.md", members(files=("README.md",))),
        ("code.v1.tar", "prompts", members("prompts", files=("prompts/system.txt",))),
    ]
    config = json.loads(blobs[manifest["config"]["digest"]])
    assert [config["model"]["path"], config["code"][0]["path"]] == ["./model/", "."]
    assert config["model"]["digest"] == config["model"]["diffId"] == manifest["layers"][0]["digest"]


def test_tar_layer_holds_folders_as_a_walk_finds_them_without_those_that_are_ignored(repo: Repo) -> None:
    ignore = "**/cache\nm/logs/*\nm/out\n!m/out/deep/kept\n"
    files = ["m/w.bin", "m/cache/x", "m/logs/a.log", "m/out/deep/kept", "m/out/deep/lost", "m/only/cache/y", "other/z"]
    sample(repo, "code: [{path: m}]", {".kitignore": ignore, **dict.fromkeys(files, "x")})
    (layer,) = built(repo, "modelkit").layers
    assert isinstance(layer.source, Recipe)
    # KitOps has neither m/out nor m/out/deep here, and cannot unpack m/out/deep/kept.
    assert [(member.name, member.is_dir) for member in layer.source.members] == [
        ("m", True),
        ("m/logs", True),
        ("m/only", True),
        ("m/out", True),
        ("m/out/deep", True),
        ("m/out/deep/kept", False),
        ("m/w.bin", False),
    ]


def test_raw_modelkit_has_a_layer_and_an_entry_for_each_file_and_the_first_weight_is_the_model(tiny: Repo) -> None:
    manifest, document = documents(tiny, "modelkit", "raw")
    layers = [
        (layer["mediaType"].removeprefix(f"{KITOPS}."), layer["annotations"][FILEPATH]) for layer in manifest["layers"]
    ]
    assert layers == [
        ("model.v1.raw", "model/weights.safetensors"),
        ("modelpart.v1.raw", "model/.cache/x"),
        ("modelpart.v1.raw", "model/config.json"),
        ("modelpart.v1.raw", "model/deep/er/vokabel-ü.txt"),
        ("modelpart.v1.raw", "adapters/lora.safetensors"),
        ("code.v1.raw", f"src/{'long' * 30}.py"),
        ("code.v1.raw", "src/run.sh"),
        ("dataset.v1.raw", "data/rows.csv"),
        ("docs.v1.raw", "LICENSE"),
        ("docs.v1.raw", "README.md"),
        ("code.v1.raw", "prompts/system.txt"),
    ]
    for layer in manifest["layers"]:
        path = layer["annotations"][FILEPATH]
        assert (layer["digest"], layer["size"]) == (digest_of(content(path)), len(content(path)))
        metadata = json.loads(layer["annotations"]["org.cncf.model.file.metadata+json"])
        assert (metadata["mode"], metadata["size"]) == (0o755 if path.endswith(".sh") else 0o644, len(content(path)))
    model = document["model"]
    entries = [model, *model["parts"], *(entry for name in list(document)[3:] for entry in document[name])]
    assert [(entry["path"], entry["digest"], entry["diffId"]) for entry in entries] == [
        (layer["annotations"][FILEPATH], layer["digest"], layer["digest"]) for layer in manifest["layers"]
    ]


@pytest.mark.parametrize("compression", ["gzip", pytest.param("zstd", marks=NEEDS_ZSTD)])
def test_compressed_modelkit_names_both_digests_in_its_config(tiny: Repo, compression: str) -> None:
    plain, _ = documents(tiny, "modelkit")
    manifest, document = documents(tiny, "modelkit", "tar", compression)
    assert all(layer["mediaType"].endswith(f".tar+{compression}") for layer in manifest["layers"])
    entries = [document["model"], *document["model"]["parts"], *document["code"], *document["datasets"]]
    assert [entry["digest"] for entry in entries] == [layer["digest"] for layer in manifest["layers"][:4]]
    assert [entry["diffId"] for entry in entries] == [layer["digest"] for layer in plain["layers"][:4]]


def test_name_with_two_dots_is_refused_by_modelkit_and_kept_by_modelpack(repo: Repo) -> None:
    sample(repo, "model: {path: m}", {"m/w.bin": "w", "m/a..b.txt": "x"})
    for layer_format in ("tar", "raw"):
        with pytest.raises(
            Unsupported, match=r'^m/a\.\.b\.txt has "\.\." in its name, which KitOps leaves out'
        ) as caught:
            built(repo, "modelkit", layer_format)
        assert caught.value.hint
    assert paths(documents(repo)[0]) == ["m/a..b.txt", "m/w.bin"]


def bundle(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, "{}")
    return data.getvalue()


SERVERS = "code: [{path: src}]\nmcpServers: [{name: z, path: tools/b.mcpb}, {name: a, path: a.mcpb}]\n"


def test_mcp_bundles_are_raw_layers_after_all_others_in_the_order_of_the_kitfile(kit_repo: Repo) -> None:
    kit_repo.write(".gitattributes", "tools/*.mcpb filter=kit -text\n")
    bundles = {"a.mcpb": bundle("manifest.json"), "tools/b.mcpb": bundle("manifest.json", "server.py")}
    sample(kit_repo, SERVERS, {"src/x.py": "", **bundles})
    manifest, config = documents(kit_repo, "modelkit", "tar", "gzip")
    assert [(layer["mediaType"], layer["annotations"][FILEPATH]) for layer in manifest["layers"]] == [
        (f"{KITOPS}.code.v1.tar+gzip", "src"),
        (f"{KITOPS}.mcpb.v1.raw", "tools/b.mcpb"),
        (f"{KITOPS}.mcpb.v1.raw", "a.mcpb"),
    ]
    servers = config["mcpServers"]
    assert [(server["name"], server["digest"]) for server in servers] == [
        ("z", digest_of(bundles["tools/b.mcpb"])),
        ("a", digest_of(bundles["a.mcpb"])),
    ]
    with pytest.raises(Unsupported, match="mcpServers cannot be part of a kit in the format modelpack"):
        built(kit_repo)
    (kit_repo.path / ".git/kit/blobs/sha256" / servers[0]["digest"][7:]).unlink()
    assert documents(kit_repo, "modelkit", "tar", "gzip")[0] == manifest


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"no archive", "tools/b.mcpb is not an MCP bundle: File is not a zip file"),
        (bundle("deep/manifest.json"), "tools/b.mcpb is not an MCP bundle: it has no manifest.json"),
    ],
)
def test_mcp_bundle_that_is_none_is_refused(kit_repo: Repo, data: bytes, problem: str) -> None:
    kit_repo.write(".gitattributes", "tools/*.mcpb filter=kit -text\n")
    sample(kit_repo, SERVERS, {"src/x.py": "", "a.mcpb": bundle("manifest.json"), "tools/b.mcpb": data})
    with pytest.raises(InvalidFile, match=problem):
        built(kit_repo, "modelkit")


def test_mcp_bundle_that_is_a_folder_is_refused(repo: Repo) -> None:
    sample(repo, "mcpServers: [{name: a, path: a.mcpb}]", {"a.mcpb/manifest.json": "{}"})
    with pytest.raises(InvalidFile, match=r'"a\.mcpb" is a folder, not an MCP bundle'):
        built(repo, "modelkit")


# -- what lies elsewhere ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["registry.example.com/acme/base:v1", f"acme/base@{digest_of(b'')}", ":v0.9.0"])
def test_model_that_is_another_kit_is_kept_as_its_reference_and_packs_nothing(repo: Repo, reference: str) -> None:
    kitfile = f"model: {{name: m, path: '{reference}', parts: [{{path: lora.bin}}]}}\ncode: [{{path: .}}]\n"
    sample(repo, kitfile, {"lora.bin": "lora", "run.py": ""})
    manifest, config = documents(repo, "modelkit")
    assert paths(manifest) == ["lora.bin", "."]
    assert (config["model"]["path"], "digest" in config["model"]) == (reference, False)
    raw, _ = documents(repo)
    assert paths(raw) == ["lora.bin", "run.py"]
    assert json.loads(raw["annotations"]["ml.kitops.modelkit.kitfile"])["model"]["path"] == reference
    for format in ("docker", "image"):
        with pytest.raises(Unsupported, match=f"^the model is another kit, {reference}, and "):
            built(repo, format)


def test_kit_of_nothing_but_a_reference_is_a_modelkit_without_layers(repo: Repo) -> None:
    sample(repo, "model: {path: 'acme/base:v1'}", {})
    assert documents(repo, "modelkit")[0]["layers"] == []
    with pytest.raises(InvalidFile, match="the Kitfile names no files of its own"):
        built(repo)


def test_dataset_that_lies_elsewhere_is_kept_in_the_config_and_its_folder_belongs_to_nobody(repo: Repo) -> None:
    kitfile = """\
code: [{path: .}]
datasets:
  - {path: data/far, remotePath: s3://bucket/rows.csv, remoteHash: etag}
  - {path: data/kit, remotePath: "acme/rows:v1"}
"""
    sample(repo, kitfile, {"data/far/README": "x", "data/kit/y": "y", "data/near/z": "z"})
    manifest, config = documents(repo, "modelkit")
    assert paths(manifest) == ["."]
    assert config["datasets"] == [
        {"path": "data/far", "remotePath": "s3://bucket/rows.csv", "remoteHash": "etag"},
        {"path": "data/kit", "remotePath": "acme/rows:v1"},
    ]
    assert paths(documents(repo)[0]) == ["data/near/z"]
    assert [file.path for kit in (built(repo, "modelkit"), built(repo, "image")) for file in kit.files] == [
        *("data/near/z", "data/near/z"),
    ]


# -- docker ----------------------------------------------------------------------------------------------------------

DOCKER = "application/vnd.docker.ai."
UNTESTED = "org.cncf.model.file.mediatype.untested"


def gguf(architecture: str) -> bytes:
    """A GGUF header with a name of its architecture and no tensors."""
    key, value = b"general.architecture", architecture.encode()
    entry = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(value)) + value
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + entry


def test_docker_kit_of_one_gguf_has_config_v01_and_names_without_folders(repo: Repo) -> None:
    files = {
        "m/tiny-q4.gguf": gguf("llama"),
        "m/mmproj-f16.gguf": gguf("clip"),
        "template.jinja": "{{ x }}",
        "LICENSE": "MIT",
        "README.md": "# not in it",
        "src/x.py": "",
    }
    kitfile = """\
model: {path: m, parts: [{path: template.jinja}]}
code: [{path: src}]
docs: [{path: README.md}, {path: LICENSE}]
"""
    sample(repo, kitfile, files)
    manifest, config = documents(repo, "docker")
    assert manifest["config"]["mediaType"] == f"{DOCKER}model.config.v0.1+json"
    assert "artifactType" not in manifest
    layers = [(layer["mediaType"].removeprefix(DOCKER), layer["annotations"][FILEPATH]) for layer in manifest["layers"]]
    assert layers == [
        ("gguf.v3", "tiny-q4.gguf"),
        ("license", "LICENSE"),
        ("mmproj", "mmproj-f16.gguf"),
        ("chat.template.jinja", "template.jinja"),
    ]
    assert all(layer["annotations"][UNTESTED] == "false" for layer in manifest["layers"])
    assert config == {
        "config": {
            "format": "gguf",
            "parameters": "0",
            "architecture": "llama",
            "size": f"{len(gguf('llama'))}B",
            "gguf": {"general.architecture": "llama"},
        },
        "descriptor": {"created": manifest["annotations"]["org.opencontainers.image.created"]},
        "rootfs": {"type": "rootfs", "diff_ids": [layer["digest"] for layer in manifest["layers"]]},
    }


def test_docker_kit_of_a_folder_has_config_v02_and_paths_below_the_model(tiny: Repo) -> None:
    manifest, document = documents(tiny, "docker")
    assert manifest["config"]["mediaType"] == f"{DOCKER}model.config.v0.2+json"
    layers = [(layer["mediaType"].removeprefix(DOCKER), layer["annotations"][FILEPATH]) for layer in manifest["layers"]]
    assert layers == [
        ("license", "LICENSE"),
        ("safetensors", "adapters/lora.safetensors"),
        ("model.file", "config.json"),
        ("model.file", "deep/er/vokabel-ü.txt"),
        ("safetensors", "weights.safetensors"),
    ]
    assert document["config"] | {"parameters": "", "size": ""} == {
        "format": "safetensors",
        "quantization": "F16",
        "parameters": "",
        "size": "",
        "safetensors": {"tensor_count": "2"},
    }
    assert document["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]


@pytest.mark.parametrize(
    ("files", "config"),
    [
        (["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"], "v0.1"),
        (["m-00001-of-00003.gguf", "m-00002-of-00003.gguf"], "v0.2"),
        (["a.gguf", "b.gguf"], "v0.2"),
        (["a.gguf", "tokenizer.json"], "v0.2"),
        (["a.gguf", "one.jinja", "two.jinja"], "v0.2"),
        (["a.dduf"], "v0.1"),
        (["a.dduf", "a.gguf"], "v0.2"),
        (["a.safetensors"], "v0.2"),
    ],
)
def test_docker_config_is_v01_only_where_names_can_go_by_position(repo: Repo, files: list[str], config: str) -> None:
    sample(repo, "model: {path: m}", {f"m/{name}": name for name in files})
    manifest, _ = documents(repo, "docker")
    assert f".config.{config}+json" in manifest["config"]["mediaType"]


def test_docker_kit_without_weights_that_docker_runs_is_refused(repo: Repo) -> None:
    sample(repo, "model: {path: m}", {"m/w.bin": "w"})
    with pytest.raises(Unsupported, match="Docker Model Runner runs weights of GGUF, safetensors and DDUF"):
        built(repo, "docker")


def test_docker_kit_leaves_out_a_licence_that_the_model_has_and_refuses_two_parts_of_one_name(repo: Repo) -> None:
    files = {"m/a.gguf": "w", "m/LICENSE": "of the model", "LICENSE": "of all", "m/sub/LICENSE": "x"}
    sample(repo, "model: {path: m}\ndocs: [{path: LICENSE}]", files)
    assert paths(documents(repo, "docker")[0]) == ["LICENSE", "a.gguf", "sub/LICENSE"]
    assert digest_of(b"of the model") in {layer.digest for layer in built(repo, "docker").layers}
    sample(repo, "model: {path: m, parts: [{path: config.json}]}", {"m/config.json": "{}", "config.json": "[]"})
    with pytest.raises(InvalidFile, match=r"^m/config\.json and config\.json would both be config\.json"):
        built(repo, "docker")


# -- image -----------------------------------------------------------------------------------------------------------


def test_image_has_a_layer_for_the_large_file_and_one_for_each_section_below_models(
    tiny: Repo, fault_registry: FaultRegistry
) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    tiny.kit("release", "v1.0.0", "--format", "image")
    manifest = manifest_of(fault_registry, "v1.0.0")
    blobs = fault_registry.repository(REPOSITORY).blobs
    assert "artifactType" not in manifest
    assert {layer["mediaType"] for layer in manifest["layers"]} == {"application/vnd.oci.image.layer.v1.tar"}
    tars = [blobs[layer["digest"]] for layer in manifest["layers"]]
    config = json.loads(blobs[manifest["config"]["digest"]])
    assert config["rootfs"] == {"type": "layers", "diff_ids": [digest_of(data) for data in tars]}
    assert len(config["history"]) == len(tars)
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["config"]["Labels"][REVISION] == tiny.out("rev-parse", "HEAD")
    assert manifest["layers"][0]["annotations"] == {FILEPATH: "model/weights.safetensors"}
    assert list(read_tar(tars[0])) == ["models", "models/model", "models/model/weights.safetensors"]
    found = {name: item for data in tars for name, item in read_tar(data).items()}
    assert {name: data for name, (_, data) in found.items() if data is not None} == {
        f"models/{name}": content(name) for name in IN_KIT
    }
    assert all(mode == 0o755 for mode, data in found.values() if data is None)
    assert found["models/src/run.sh"][0] == 0o755
    for data in tars:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            assert {(item.uid, item.gid, item.mtime) for item in archive} == {(0, 0, 0)}


def test_image_of_the_next_version_keeps_the_layers_of_large_files_and_of_sections_that_did_not_change(
    tiny: Repo,
) -> None:
    before, _ = documents(tiny, "image")
    tiny.commit("docs", {"README.md": "# better\n"})
    tiny.git("tag", "--force", "v1.0.0")
    after, config = documents(tiny, "image")
    pairs = enumerate(zip(before["layers"], after["layers"], strict=True))
    changed = [number for number, (old, new) in pairs if old["digest"] != new["digest"]]
    assert [config["history"][number]["created_by"] for number in changed] == ["git kit: 2 files of docs"]


def test_name_that_means_a_deleted_file_in_an_image_is_refused(repo: Repo) -> None:
    sample(repo, "model: {path: m}", {"m/w.bin": "w", "m/.wh.old/x": "x"})
    with pytest.raises(Unsupported, match=r"^m/\.wh\.old/x means a deleted file in an image"):
        built(repo, "image")


# -- schemas ---------------------------------------------------------------------------------------------------------

DOCKER_CONFIG: Json = {
    "type": "object",
    "additionalProperties": False,
    "required": ["config", "descriptor", "rootfs"],
    "properties": {
        "config": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                **{key: {"type": "string"} for key in ("quantization", "parameters", "architecture", "size")},
                **{key: {"additionalProperties": {"type": "string"}} for key in ("gguf", "safetensors", "diffusers")},
                "format": {"enum": ["gguf", "safetensors", "diffusers"]},
                "context_size": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
            },
        },
        "descriptor": {"additionalProperties": False, "properties": {"created": {"type": "string"}}},
        "rootfs": {
            "additionalProperties": False,
            "properties": {"type": {"const": "rootfs"}, "diff_ids": {"type": "array", "minItems": 1}},
        },
    },
}
"""Docker's Go structs (``pkg/distribution/types/config.go``), closed."""


@pytest.mark.parametrize("options", BUILDS, ids="-".join)
def test_documents_are_strictly_inside_of_the_published_schemas(tiny: Repo, options: tuple[str, ...]) -> None:
    manifest, config = documents(tiny, *options)
    schemas = [(json.loads((SCHEMAS / "oci-manifest.json").read_text()), manifest, "layers")]
    if options[0] == "image":
        schemas.append((json.loads((SCHEMAS / "oci-image-config.json").read_text()), config, "rootfs"))
    if options[0] == "docker":
        schemas.append((DOCKER_CONFIG, config, "rootfs"))
    for schema, document, key in schemas:
        validator = jsonschema.Draft202012Validator(schema)
        assert list(validator.iter_errors(document)) == []
        assert list(validator.iter_errors({**document, "extra": 1}))
        assert list(validator.iter_errors({name: value for name, value in document.items() if name != key}))
    kit = built(tiny, *options)
    for data in (kit.manifest, kit.config):
        assert data == json.dumps(json.loads(data), separators=(",", ":"), ensure_ascii=False).encode()


# -- the same everywhere ---------------------------------------------------------------------------------------------


def test_every_format_from_a_clone_of_pointers_of_another_person_has_the_same_digest(
    tiny: Repo, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    tiny.kit("push")
    expected = {options: built(tiny, *options).digest for options in BUILDS}
    assert len(set(expected.values())) == len(BUILDS)
    environ = {**clean_environ(tmp_path / "other"), "TZ": "Asia/Tokyo", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"}
    Path(environ["GIT_CONFIG_GLOBAL"]).write_text(Path(tiny.environ["GIT_CONFIG_GLOBAL"]).read_text())
    script = 'umask 077 && git clone --quiet --no-checkout "$1" "$2"'
    run(["sh", "-c", script, "sh", str(tiny.path), str(tmp_path / "c")], cwd=tmp_path, environ=environ)
    clone = Repo(tmp_path / "c", environ)
    clone.git("config", "kit.url", of(fault_registry))
    for options in (("modelkit",), ("modelkit", "raw"), ("docker",), ("image", "tar", "gzip")):
        assert clone.kit("build", "v1.0.0", *flags(options)).stdout == f"{expected[options]}\n"
    held = os.listdir(clone.path / ".git/kit/blobs/sha256")
    assert digest_of(content("model/weights.safetensors"))[7:] not in held
    assert os.listdir(clone.path / ".git/kit/tmp") == []


def test_second_build_of_tar_layers_reads_no_content(tiny: Repo) -> None:
    first = tiny.kit("build", "v1.0.0", "--format", "image")
    assert "hashed 7 files" in first.stderr
    for blob in (tiny.path / ".git/kit/blobs/sha256").iterdir():
        if blob.stat().st_size > 1 << 20:
            blob.unlink()
    again = tiny.kit("build", "v1.0.0", "--format", "image")
    assert (again.stdout, "hashed" in again.stderr) == (first.stdout, False)
    shutil.rmtree(tiny.path / ".git/kit/tars")
    said = tiny.kit("build", "v1.0.0", "--format", "image", code=10).stderr
    assert "error: the content of model/weights.safetensors is not in this clone: sha256:" in said
    assert "hint: " in said


# -- release ---------------------------------------------------------------------------------------------------------


def test_release_of_all_formats_tags_the_first_with_the_version_and_again_does_nothing(
    tiny: Repo, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    configured(tiny, formats=[*FORMATS], compression="gzip")
    tiny.git("config", "kit.url", of(fault_registry))
    output = tmp_path / "output"
    told = json.loads(tiny.kit("release", "v1.0.0", "--json", extra={"GITHUB_OUTPUT": str(output)}).stdout)
    tags = ["v1.0.0", "v1.0.0-modelkit", "v1.0.0-docker", "v1.0.0-image"]
    assert fault_registry.repository(REPOSITORY).tags == {
        tag: each["digest"] for tag, each in zip(tags, told["formats"], strict=True)
    }
    assert [each["format"] for each in told["formats"]] == [*FORMATS]
    assert [each["tag"] for each in told["formats"]] == tags
    assert {key: told[key] for key in told["formats"][0]} == told["formats"][0]
    assert told["new"] is True
    assert told["reference"] == f"{of(fault_registry)}@{told['digest']}"
    assert output.read_text().startswith(f"digest={told['digest']}\nreference={told['reference']}\n")
    puts = [call.path.rpartition("/")[2] for call in fault_registry.seen("PUT", "/manifests/")]
    assert puts == tags[::-1]
    before = len(fault_registry.requests)
    again = tiny.kit("release", "v1.0.0")
    assert again.stdout == f"{told['digest']}\n"
    assert {call.method for call in fault_registry.requests[before:]} == {"HEAD"}
    assert "v1.0.0-image was released before to" in again.stderr
    listed = {path.name for path in (tiny.path / ".git/kit/tmp").iterdir()}
    assert listed == set()


def test_release_after_a_format_was_added_pushes_that_alone(tiny: Repo, fault_registry: FaultRegistry) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    first = json.loads(tiny.kit("release", "v1.0.0", "--json").stdout)
    told = json.loads(tiny.kit("release", "v1.0.0", "--format", "modelpack", "--format", "image", "--json").stdout)
    assert [each["new"] for each in told["formats"]] == [False, True]
    assert told["digest"] == first["digest"]
    assert set(fault_registry.repository(REPOSITORY).tags) == {"v1.0.0", "v1.0.0-image"}


def test_release_where_one_tag_has_another_kit_pushes_nothing(tiny: Repo, fault_registry: FaultRegistry) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    contents = fault_registry.repository(REPOSITORY)
    other = b'{"schemaVersion":2}'
    contents.manifests[digest_of(other)] = (MANIFEST, other)
    contents.tags["v1.0.0-image"] = digest_of(other)
    refusal = tiny.kit("release", "v1.0.0", "--format", "docker", "--format", "image", code=13).stderr
    assert "has another kit under v1.0.0-image" in refusal
    assert (contents.blobs, list(contents.tags)) == ({}, ["v1.0.0-image"])


def test_release_of_tar_layers_from_a_clone_of_pointers_streams_content_and_keeps_none(
    tiny: Repo, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    tiny.kit("push")
    clone = tiny.clone(tmp_path / "ci", "--no-checkout")
    clone.git("config", "kit.url", of(fault_registry))
    weights = digest_of(content("model/weights.safetensors"))
    cut = fault_registry.add(Fault(method="GET", path=weights[7:], cut_body_after=1 << 20, times=2))
    clone.kit("release", "v1.0.0", "--format", "modelkit")
    assert cut.times == 0
    assert clone.kit("verify", "v1.0.0").stdout == tiny.kit("build", "v1.0.0", "--format", "modelkit").stdout
    held = os.listdir(clone.path / ".git/kit/blobs/sha256")
    manifest = manifest_of(fault_registry, "v1.0.0")
    absent = [weights, *(layer["digest"] for layer in manifest["layers"])]
    assert [digest for digest in absent if digest[7:] in held] == []
    assert os.listdir(clone.path / ".git/kit/tmp") == []


def test_release_with_a_wrong_memory_of_a_layer_stores_nothing_and_again_mends_it(
    tiny: Repo, fault_registry: FaultRegistry
) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    tiny.kit("build", "v1.0.0", "--format", "modelkit")
    for file in (tiny.path / ".git/kit/tars").iterdir():
        words = [digest_of(file.name.encode()), *file.read_text().split()[1:3]]
        file.write_text(" ".join([*words, digest_of(" ".join(words).encode())]))
    said = tiny.kit("release", "v1.0.0", "--format", "modelkit", code=11).stderr
    assert "its source has other content" in said and "hint: " in said
    assert fault_registry.repository(REPOSITORY).tags == {}
    assert list((tiny.path / ".git/kit/tars").iterdir()) == []
    assert tiny.kit("release", "v1.0.0", "--format", "modelkit").stdout == f"{built(tiny, 'modelkit').digest}\n"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--format", "zip"], 2, "'zip' is not one of 'modelpack', 'modelkit', 'docker', 'image'"),
        (
            ["--format", "modelkit", "--layer-format", "raw", "--compression", "gzip"],
            17,
            "raw layers are not compressed",
        ),
        (["--layer-format", "zip"], 2, "'zip' is not one of 'tar', 'raw'"),
        (["--compression", "xz"], 2, "'xz' is not one of 'none', 'gzip', 'zstd'"),
    ],
)
def test_options_that_make_no_kit_are_refused(tiny: Repo, options: list[str], code: int, said: str) -> None:
    assert said in tiny.kit("release", "v1.0.0", *options, code=code).stderr


def test_configured_layer_format_and_compression_are_taken_and_overruled(tiny: Repo) -> None:
    configured(tiny, formats=["modelkit"], layer_format="raw", compression="gzip")
    for words, options in (
        ([], ("modelkit", "raw")),
        (["--layer-format", "tar"], ("modelkit", "tar", "gzip")),
        (["--layer-format", "tar", "--compression", "none"], ("modelkit",)),
        (["--format", "image"], ("image", "tar", "gzip")),
    ):
        assert tiny.kit("build", "v1.0.0", *words).stdout == f"{built(tiny, *options).digest}\n"


def test_built_formats_have_tags_of_their_own_in_the_store(tiny: Repo) -> None:
    formats = ("image", "modelpack", "docker")
    digests = {format: tiny.kit("build", "v1.0.0", "--format", format).stdout.strip() for format in formats}
    index = json.loads((tiny.path / ".git/kit/index.json").read_text())
    tags = {item["annotations"]["org.opencontainers.image.ref.name"]: item["digest"] for item in index["manifests"]}
    assert tags == {
        "v1.0.0" if format == "modelpack" else f"v1.0.0-{format}": digest for format, digest in digests.items()
    }


# -- verify ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [*BUILDS[1:], pytest.param(("modelkit", "tar", "zstd"), marks=NEEDS_ZSTD)], ids="-".join
)
def test_verify_of_a_release_in_any_format_prints_its_digest(
    tiny: Repo, fault_registry: FaultRegistry, options: tuple[str, ...]
) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    digest = tiny.kit("release", "v1.0.0", *flags(options)).stdout.strip()
    told = json.loads(tiny.kit("verify", "v1.0.0", "--expect-digest", digest, "--json").stdout)
    assert (told["verified"], told["format"], told["digest"], told["rebuilt"]) == (True, options[0], digest, digest)


def forge(registry: FaultRegistry, change: Callable[[Json, Json], None]) -> None:
    """Change manifest and config of the kit, as somebody with access to the registry could."""
    contents = registry.repository(REPOSITORY)
    manifest = manifest_of(registry, "v1.0.0")
    config = json.loads(contents.blobs[manifest["config"]["digest"]])
    change(manifest, config)
    config_bytes = json.dumps(config, separators=(",", ":"), ensure_ascii=False).encode()
    contents.blobs[digest_of(config_bytes)] = config_bytes
    manifest["config"] |= {"digest": digest_of(config_bytes), "size": len(config_bytes)}
    data = json.dumps(manifest, separators=(",", ":"), ensure_ascii=False).encode()
    contents.manifests[digest_of(data)] = (MANIFEST, data)
    contents.tags["v1.0.0"] = digest_of(data)


def differences(repo: Repo) -> list[str]:
    return list(json.loads(repo.kit("verify", "v1.0.0", "--json", code=11).stdout)["differences"])


def test_verify_of_a_changed_layer_field_names_the_layer_and_the_field(
    tiny: Repo, fault_registry: FaultRegistry
) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    tiny.kit("release", "v1.0.0", "--format", "modelkit")

    def change(manifest: Json, config: Json) -> None:
        manifest["layers"][3]["mediaType"] = f"{KITOPS}.code.v1.tar"
        manifest["layers"][4]["annotations"][FILEPATH] = "LICENCE"

    forge(fault_registry, change)
    assert differences(tiny) == [
        f'layers[3].mediaType: "{KITOPS}.code.v1.tar" there, "{KITOPS}.dataset.v1.tar" rebuilt',
        f'layers[4].annotations.{FILEPATH}: "LICENCE" there, "LICENSE" rebuilt',
    ]


def test_verify_of_a_changed_tar_and_config_names_both(tiny: Repo, fault_registry: FaultRegistry) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    tiny.kit("release", "v1.0.0", "--format", "image")
    evil = some_bytes(1024)
    fault_registry.add_blob(REPOSITORY, evil)
    ours = manifest_of(fault_registry, "v1.0.0")["layers"][0]["digest"]

    def change(manifest: Json, config: Json) -> None:
        manifest["layers"][0]["digest"] = digest_of(evil)
        config["rootfs"]["diff_ids"][0] = digest_of(evil)

    forge(fault_registry, change)
    config, layer, ids = differences(tiny)
    assert config.startswith("config: sha256:")
    name = "model/weights.safetensors"
    assert layer == f"layers[0]: {name} {digest_of(evil)[:19]} there, {name} {ours[:19]} rebuilt"
    assert ids == f'config.rootfs.diff_ids[0]: "{digest_of(evil)[:56]}... there, "{ours[:56]}... rebuilt'


def test_verify_of_a_kit_that_another_library_compressed_says_that_the_content_is_equal(
    tiny: Repo, fault_registry: FaultRegistry
) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    tiny.kit("release", "v1.0.0", "--format", "modelkit", "--compression", "gzip")
    layer = manifest_of(fault_registry, "v1.0.0")["layers"][4]
    blobs = fault_registry.repository(REPOSITORY).blobs
    packed = gzip.compress(gzip.decompress(blobs[layer["digest"]]), 1, mtime=0)
    fault_registry.add_blob(REPOSITORY, packed)

    def change(manifest: Json, config: Json) -> None:
        manifest["layers"][4] |= {"digest": digest_of(packed), "size": len(packed)}
        config["docs"][0]["digest"] = digest_of(packed)

    forge(fault_registry, change)
    found = differences(tiny)
    assert [line.partition(":")[0] for line in found[:2]] == ["config", "layers[4]"]
    assert found[2].startswith("config.docs[0].digest: ")
    assert found[3:] == ["before compression all layers are equal: another library compressed them"]


def test_verify_with_another_expected_digest_fails_and_says_both(tiny: Repo, fault_registry: FaultRegistry) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    digest = tiny.kit("release", "v1.0.0", "--format", "docker").stdout.strip()
    other = digest_of(b"other")
    failed = tiny.kit("verify", "v1.0.0", "--expect-digest", other, code=11)
    assert (failed.stdout, f"  digest: {digest} there, {other} expected\n" in failed.stderr) == ("", True)
    assert "write sha256: and 64 hex digits" in tiny.kit("verify", "v1.0.0", "--expect-digest", "abc", code=2).stderr


def test_verify_of_what_names_no_commit_or_is_no_kit_says_so(tiny: Repo, fault_registry: FaultRegistry) -> None:
    tiny.git("config", "kit.url", of(fault_registry))
    tiny.kit("release", "v1.0.0", "--format", "image")
    forge(fault_registry, lambda manifest, _: manifest["annotations"].pop(REVISION) and None)
    assert "names no commit and version in its annotations" in tiny.kit("verify", "v1.0.0", code=11).stderr
    forge(fault_registry, lambda manifest, _: manifest["config"].update(mediaType="application/vnd.acme+json"))
    assert "is not in a format that git kit writes" in tiny.kit("verify", "v1.0.0", code=16).stderr


# -- other people's tools --------------------------------------------------------------------------------------------


@pytest.mark.real_registry
def test_oras_client_and_tarfile_read_every_format_from_a_real_registry(
    tiny: Repo, real_registry: RealRegistry, tmp_path: Path
) -> None:
    import oras.client

    configured(tiny, formats=[*FORMATS])
    tiny.git("config", "kit.url", of(real_registry))
    tiny.kit("push")
    told = json.loads(tiny.kit("release", "v1.0.0", "--json").stdout)
    client = oras.client.OrasClient(insecure=True)
    found: dict[str, dict[str, bytes]] = {}
    try:
        for each in told["formats"]:
            target = f"{real_registry.host}/{REPOSITORY}:{each['tag']}"
            manifest = client.get_manifest(target)
            files = found[each["format"]] = {}
            for layer in manifest["layers"]:
                data = client.get_blob(target, layer["digest"]).content
                assert (digest_of(data), len(data)) == (layer["digest"], layer["size"])
                if layer["mediaType"].endswith(".tar"):
                    files |= {name: inner for name, (_, inner) in read_tar(data).items() if inner is not None}
                else:
                    files[layer["annotations"][FILEPATH]] = data
    finally:
        client.session.close()
    everything = {name: content(name) for name in IN_KIT}
    assert found["modelpack"] == everything
    assert found["modelkit"] == everything
    assert found["image"] == {f"models/{name}": data for name, data in everything.items()}
    assert found["docker"]["weights.safetensors"] == content("model/weights.safetensors")
    for each in told["formats"]:
        assert tiny.kit("verify", each["tag"]).stdout == f"{each['digest']}\n"


def skopeo(environ: Mapping[str, str], *args: str) -> str:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not on PATH")
    done = subprocess.run(["skopeo", *args], env=dict(environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.real_registry
@pytest.mark.parametrize("compression", ["none", "gzip", pytest.param("zstd", marks=NEEDS_ZSTD)])
def test_skopeo_takes_the_image_for_an_image_and_copies_it(
    tiny: Repo, real_registry: RealRegistry, tmp_path: Path, compression: str
) -> None:
    tiny.git("config", "kit.url", of(real_registry))
    digest = tiny.kit("release", "v1.0.0", "--format", "image", "--compression", compression).stdout.strip()
    name = f"docker://{real_registry.host}/{REPOSITORY}:v1.0.0"
    shown = json.loads(skopeo(tiny.environ, "inspect", "--tls-verify=false", name))
    assert (shown["Digest"], shown["Os"], shown["Architecture"]) == (digest, "linux", "amd64")
    assert shown["Labels"][VERSION] == "v1.0.0"
    config = json.loads(skopeo(tiny.environ, "inspect", "--config", "--tls-verify=false", name))
    assert len(config["rootfs"]["diff_ids"]) == len(shown["Layers"])
    if compression != "zstd":  # which docker's own kind of image does not have
        # Written as such, every layer is decompressed and compared with its diff id.
        copy = f"docker-archive:{tmp_path / 'image.tar'}:tiny:v1"
        skopeo(tiny.environ, "copy", "--quiet", "--src-tls-verify=false", name, copy)
        with tarfile.open(tmp_path / "image.tar") as archive:
            names = json.load(archive.extractfile("manifest.json"))[0]["Layers"]  # type: ignore[arg-type]
            layers = [archive.extractfile(layer).read() for layer in names]  # type: ignore[union-attr]
        assert [digest_of(data) for data in layers] == config["rootfs"]["diff_ids"]
    oci = f"oci:{tmp_path / 'layout'}:v1"
    skopeo(tiny.environ, "copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", name, oci)
    assert digest[7:] in os.listdir(tmp_path / "layout/blobs/sha256")


# -- resources -------------------------------------------------------------------------------------------------------

MEASURE = """\
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, done.returncode)
"""


def sparse(repo: Repo, size: int) -> None:
    """A kit with one file of ``size`` bytes, in a repository that tracks it."""
    repo.write(".gitattributes", "*.bin filter=kit -text\n")
    path = repo.write("model/weights.bin", b"start")
    with open(path, "r+b") as file:
        file.truncate(size)
    sample(repo, "model: {path: model}", {"model/config.json": "{}"})


@pytest.mark.soak
@pytest.mark.real_registry
def test_release_of_a_layer_of_300_mib_takes_less_than_100_mb_of_memory(
    kit_repo: Repo, real_registry: RealRegistry
) -> None:
    sparse(kit_repo, 300 << 20)
    kit_repo.git("config", "kit.url", of(real_registry))
    argv = [sys.executable, "-c", MEASURE, "git-kit", "release", "v1.0.0", "--format", "modelkit"]
    peak_kib, status = run(argv, cwd=kit_repo.path, environ=kit_repo.environ).stdout.split()
    assert status == "0"
    assert int(peak_kib) * 1024 < 100_000_000
    assert os.listdir(kit_repo.path / ".git/kit/tmp") == []
    size = sum(blob.stat().st_size for blob in (kit_repo.path / ".git/kit/blobs/sha256").iterdir())
    assert size < 301 << 20


def test_release_killed_while_a_layer_is_sent_leaves_no_tag_and_again_finishes(
    kit_repo: Repo, fault_registry: FaultRegistry
) -> None:
    sparse(kit_repo, 20 << 20)
    kit_repo.git("config", "kit.url", of(fault_registry))
    fault = fault_registry.add(Fault(method="PUT", path="/blobs/uploads/", times=None, pause_after=8 << 20))
    process = kit_repo.start("git-kit", "release", "v1.0.0", "--format", "image")
    assert fault.reached.wait(timeout=60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    fault.resume.set()
    assert fault_registry.repository(REPOSITORY).tags == {}
    assert os.listdir(kit_repo.path / ".git/kit/tmp") == []
    digest = kit_repo.kit("release", "v1.0.0", "--format", "image").stdout
    assert kit_repo.kit("verify", "v1.0.0").stdout == digest
    assert os.listdir(kit_repo.path / ".git/kit/tmp") == []
    held = {f"sha256:{name}" for name in os.listdir(kit_repo.path / ".git/kit/blobs/sha256")}
    assert held & {layer["digest"] for layer in manifest_of(fault_registry, "v1.0.0")["layers"]} == set()
