"""Kits of every dialect in one form; and manifests, configs and Kitfiles that no honest tool would write."""

import json
from pathlib import Path
from typing import Any

import pytest

from gitkit.errors import Corrupt, InvalidFile, KitError, NotFound
from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.read import read_artifact
from tests.lib import kit_samples as samples
from tests.lib.kit_samples import FILEPATH, METADATA, Layer, Sample, sha256

EMPTY = Layer("application/vnd.cncf.model.weight.config.v1.raw", b"", {FILEPATH: "empty.txt"})


def read(sample: Sample, folder: Path) -> Artifact:
    return read_artifact(sample.layout(folder / "layout"), "v1")


def places(artifact: Artifact) -> list[tuple[str, str | None, str]]:
    return [(file.section, file.name, file.path) for file in artifact.files]


# -- dialects ------------------------------------------------------------------------------------------------------


def test_golden_sample_has_the_digests_of_kitops() -> None:
    sample = samples.golden()
    config = json.loads(sample.manifest)["config"]["digest"]
    assert (config, sample.digest) == (samples.GOLDEN_CONFIG, samples.GOLDEN_MANIFEST)


def test_modelkit_of_kit_1_15_is_read_by_digest(tmp_path: Path) -> None:
    artifact = read(samples.golden(), tmp_path)
    assert artifact.format == "modelkit"
    assert artifact.digest == samples.GOLDEN_MANIFEST
    assert artifact.created == "1980-01-01T00:00:00Z"
    assert places(artifact) == [
        ("model", "demo", "model"),
        ("parts", "lora", "adapters/lora.bin"),
        ("code", None, "src"),
        ("datasets", "train", "data/train.csv"),
        ("docs", None, "README.md"),
        ("prompts", None, "system.prompt.md"),
    ]
    assert {(file.packing, file.compression, file.inside) for file in artifact.files} == {("tar", None, "")}
    assert artifact.files[5].subtype == "prompt"
    assert artifact.kitfile == samples.golden_kitfile()


def test_modelkit_of_kit_0_5_without_types_is_read_by_digest(tmp_path: Path) -> None:
    artifact = read(samples.golden_of_kit_0_5(), tmp_path)
    assert places(artifact) == [
        ("model", "demo", "model"),
        ("parts", "lora", "adapters/lora.bin"),
        ("code", None, "src"),
        ("datasets", "train", "data/train.csv"),
        ("docs", None, "README.md"),
    ]
    assert {file.inside for file in artifact.files} == {""}


def test_modelkit_of_kit_0_4_without_digests_is_read_by_order(tmp_path: Path) -> None:
    artifact = read(samples.golden_of_kit_0_4(), tmp_path)
    assert [(file.section, file.path, file.inside) for file in artifact.files] == [
        ("model", "model", ""),
        ("parts", "adapters/lora.bin", "adapters"),
        ("code", "src", ""),
        ("datasets", "data/train.csv", "data"),
        ("docs", "README.md", ""),
    ]


@pytest.mark.parametrize("kept", [slice(0, 4), slice(0, 1)])
def test_modelkit_without_digests_and_with_too_few_layers_is_invalid(tmp_path: Path, kept: slice) -> None:
    sample = samples.golden_of_kit_0_4()
    manifest = json.loads(sample.manifest)
    manifest["layers"] = manifest["layers"][kept]
    with pytest.raises(InvalidFile, match="fewer layers"):
        read(Sample(json.dumps(manifest).encode(), sample.blobs), tmp_path)


def test_modelkit_without_digests_and_with_too_many_layers_is_invalid(tmp_path: Path) -> None:
    sample = samples.golden_of_kit_0_4()
    manifest = json.loads(sample.manifest)
    manifest["layers"].append(manifest["layers"][0])
    with pytest.raises(InvalidFile, match="more layers of model"):
        read(Sample(json.dumps(manifest).encode(), sample.blobs), tmp_path)


def test_modelkit_whose_entry_names_no_layer_is_invalid(tmp_path: Path) -> None:
    kitfile = {**samples.golden_kitfile(), "docs": [{"path": "README.md", "digest": sha256(b"another")}]}
    with pytest.raises(InvalidFile, match="which its manifest does not have"):
        read(samples.modelkit(samples.golden_layers(), kitfile), tmp_path)


def test_modelkit_layer_that_no_entry_names_is_what_its_type_says(tmp_path: Path) -> None:
    kitfile = {key: value for key, value in samples.golden_kitfile().items() if key != "prompts"}
    assert places(read(samples.modelkit(samples.golden_layers(), kitfile), tmp_path))[5] == (
        "prompts",
        None,
        "system.prompt.md",
    )


def test_modelkit_with_raw_and_compressed_layers_says_how_they_are_packed(tmp_path: Path) -> None:
    layers = [
        samples.kitops_layer("model", b"weights", "model.bin", "raw"),
        samples.kitops_layer("code", b"packed", "src", "tar+gzip"),
        samples.kitops_layer("dataset", b"packed too", "data.csv", "raw+zstd"),
        samples.kitops_layer("mcpb", b"PK", "tools.mcpb", "raw"),
    ]
    names = ("model.bin", "src", "data.csv", "tools.mcpb")
    entries = [
        {
            "path": name,
            "digest": layer.digest,
            "diffId": sha256(name.encode()) if "+" in layer.media_type else layer.digest,
        }
        for name, layer in zip(names, layers, strict=True)
    ]
    kitfile = {
        "package": {},
        "model": entries[0],
        "code": [entries[1]],
        "datasets": [entries[2]],
        "mcpServers": [{"name": "tools", **entries[3]}],
    }
    artifact = read(samples.modelkit(layers, kitfile), tmp_path)
    assert [(file.section, file.packing, file.compression) for file in artifact.files] == [
        ("model", "raw", None),
        ("code", "tar", "gzip"),
        ("datasets", "raw", "zstd"),
        ("mcpServers", "raw", None),
    ]
    assert artifact.files[1].diff_id == sha256(b"src")


def test_modelpack_with_a_kitfile_maps_equal_files_by_path(tmp_path: Path) -> None:
    layers = [
        samples.raw("b/empty.txt", b""),
        samples.raw("a/empty.txt", b"", "code"),
        samples.raw("m.bin", b"w", "weight"),
    ]
    digest = {"digest": sha256(b"")}
    kitfile = {
        "package": {"name": "demo"},
        "model": {"path": "m.bin", "name": "tiny", "digest": sha256(b"w")},
        "code": [{"path": "./a/empty.txt", **digest}],
        "datasets": [{"name": "rows", "path": "b/empty.txt", **digest}],
    }
    artifact = read(samples.modelpack(layers, kitfile), tmp_path)
    assert artifact.format == "modelpack"
    assert places(artifact) == [
        ("datasets", "rows", "b/empty.txt"),
        ("code", None, "a/empty.txt"),
        ("model", "tiny", "m.bin"),
    ]


def test_modelpack_without_a_kitfile_gives_one_by_the_rules_of_kitops(tmp_path: Path) -> None:
    layers = [
        samples.raw("m-1.safetensors", b"1", "weight"),
        samples.tar_layer("config.json", b"2", "weight.config"),
        samples.raw("m-2.safetensors", b"3", "weight"),
        samples.raw("README.md", b"4", "doc"),
        samples.raw("data/rows.csv", b"5", "dataset"),
        samples.raw("src/run.py", b"6", "code"),
    ]
    config = {
        "descriptor": {"name": "demo", "version": "2", "licenses": ["MIT", "Apache-2.0"], "authors": ["Ada"]},
        "modelfs": {"type": "layers", "diffIds": [layer.digest for layer in layers]},
        "config": {"format": "safetensors"},
    }
    artifact = read(samples.modelpack(layers, config=config), tmp_path)

    def entry(number: int, path: str) -> dict[str, str]:
        return {"path": path, "digest": layers[number].digest, "diffId": layers[number].digest}

    assert artifact.kitfile == {
        "manifestVersion": "1.0.0",
        "package": {"name": "demo", "version": "2", "license": "MIT AND Apache-2.0", "authors": ["Ada"]},
        "model": {
            "name": "demo",
            "format": "safetensors",
            **entry(0, "m-1.safetensors"),
            "parts": [entry(1, "config.json"), entry(2, "m-2.safetensors")],
        },
        "code": [entry(5, "src/run.py")],
        "datasets": [entry(4, "data/rows.csv")],
        "docs": [entry(3, "README.md")],
    }
    assert list(artifact.kitfile["model"])[-2:] == ["digest", "diffId"]


def test_modelpack_layer_without_a_path_or_title_is_invalid(tmp_path: Path) -> None:
    layer = Layer("application/vnd.cncf.model.weight.v1.raw", b"w")
    with pytest.raises(InvalidFile, match="does not say where it belongs"):
        read(samples.modelpack([layer]), tmp_path)


def test_modelpack_mode_of_a_file_is_one_of_two(tmp_path: Path) -> None:
    modes = (0o4755, 0o100, 0o644, 0o2666, 0o611)
    layers = [samples.raw(f"f{number}", bytes([number]), mode=mode) for number, mode in enumerate(modes)]
    assert [file.mode for file in read(samples.modelpack(layers), tmp_path).files] == [
        0o755,
        0o755,
        0o644,
        0o644,
        0o644,
    ]


def test_cnai_kit_is_read_as_modelpack(tmp_path: Path) -> None:
    layers = [
        Layer("application/vnd.cnai.model.doc.v1.tar", b"1", {"org.cnai.model.filepath": "README.md"}),
        Layer("application/vnd.cnai.model.weight.v1.tar", b"2", {"org.cnai.model.filepath": "model"}),
        Layer(
            "application/vnd.cnai.model.weight.config.v1.raw", b"3", {"org.opencontainers.image.title": "config.json"}
        ),
    ]
    sample = samples.kit(
        "application/vnd.cnai.model.config.v1+json",
        {"modelfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]}},
        layers,
        artifact_type="application/vnd.cnai.model.manifest.v1+json",
    )
    artifact = read(sample, tmp_path)
    assert artifact.format == "modelpack"
    assert places(artifact) == [("docs", None, "README.md"), ("model", None, "model"), ("parts", None, "config.json")]
    assert artifact.files[1].diff_id == layers[1].digest


def docker(version: str, layers: list[Layer]) -> Sample:
    config = {
        "config": {"format": "gguf", "quantization": "Q4_K_M"},
        "rootfs": {"diff_ids": [each.digest for each in layers]},
    }
    return samples.kit(f"application/vnd.docker.ai.model.config.{version}+json", config, layers)


def docker_layer(kind: str, data: bytes, path: str | None = None) -> Layer:
    return Layer(f"application/vnd.docker.ai.{kind}", data, {FILEPATH: path} if path else {})


def test_docker_v0_1_gives_names_by_position(tmp_path: Path) -> None:
    layers = [
        docker_layer("gguf.v3", b"1"),
        docker_layer("gguf.v3", b"2"),
        docker_layer("mmproj", b"3"),
        docker_layer("chat.template.jinja", b"4"),
        docker_layer("license", b"5"),
        docker_layer("license", b"6"),
    ]
    artifact = read(docker("v0.1", layers), tmp_path)
    assert artifact.format == "docker"
    assert places(artifact) == [
        ("model", None, "model-00001-of-00002.gguf"),
        ("parts", None, "model-00002-of-00002.gguf"),
        ("parts", None, "model.mmproj"),
        ("parts", None, "template.jinja"),
        ("docs", None, "LICENSE-1"),
        ("docs", None, "LICENSE-2"),
    ]
    assert artifact.kitfile["model"]["parameters"] == {"quantization": "Q4_K_M"}


def test_docker_v0_1_of_one_file_calls_it_model(tmp_path: Path) -> None:
    assert places(read(docker("v0.1", [docker_layer("gguf.v3", b"1")]), tmp_path)) == [("model", None, "model.gguf")]


def test_docker_v0_2_takes_the_paths_of_its_layers(tmp_path: Path) -> None:
    layers = [
        docker_layer("safetensors", b"1", "unet/model.safetensors"),
        docker_layer("model.file", b"2", "tokenizer/vocab.json"),
        docker_layer("model.file", b"3", "README.md"),
        docker_layer("dir.tar", b"4"),
    ]
    artifact = read(docker("v0.2", layers), tmp_path)
    assert [(file.section, file.path, file.packing) for file in artifact.files] == [
        ("model", "unet/model.safetensors", "raw"),
        ("parts", "tokenizer/vocab.json", "raw"),
        ("docs", "README.md", "raw"),
        ("parts", "", "tar"),
    ]


def image(layers: list[Layer], kitfile: Any = None) -> Sample:
    return samples.kit(
        "application/vnd.oci.image.config.v1+json",
        {"rootfs": {"type": "layers", "diff_ids": [sha256(layer.data) for layer in layers]}},
        layers,
        annotations=None if kitfile is None else {samples.KITFILE: json.dumps(kitfile)},
    )


def image_layer(data: bytes, path: str | None = None) -> Layer:
    return Layer("application/vnd.oci.image.layer.v1.tar", data, {FILEPATH: path} if path else {})


def test_image_with_a_kitfile_is_a_kit_below_models(tmp_path: Path) -> None:
    layers = [image_layer(b"one"), image_layer(b"two", "data/rows.csv")]
    kitfile = {
        "package": {},
        "model": {"path": "model/m.bin", "digest": sha256(b"weights")},
        "datasets": [{"name": "rows", "path": "data", "digest": layers[1].digest}],
    }
    artifact = read(image(layers, kitfile), tmp_path)
    assert artifact.format == "image"
    assert [(file.section, file.name, file.path, file.strip) for file in artifact.files] == [
        ("", None, "", "models/"),
        ("datasets", "rows", "data/rows.csv", "models/"),
    ]
    assert artifact.known == {"model/m.bin": sha256(b"weights")}


def test_image_without_a_kitfile_is_not_a_kit(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="container image, not a kit"):
        read(image([image_layer(b"one")]), tmp_path)


# -- what is no kit ------------------------------------------------------------------------------------------------


def test_absent_kit_is_not_found(tmp_path: Path) -> None:
    layout = samples.golden().layout(tmp_path)
    with pytest.raises(NotFound):
        read_artifact(layout, "v2")
    with pytest.raises(NotFound):
        read_artifact(layout, sha256(b"nothing"))


@pytest.mark.parametrize(
    "manifest",
    [
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []},
        {"schemaVersion": 2, "artifactType": "application/vnd.kitops.modelkit.index.v1+json", "manifests": []},
    ],
)
def test_index_is_not_a_kit_and_says_so(tmp_path: Path, manifest: Any) -> None:
    with pytest.raises(InvalidFile, match="image index") as caught:
        read(Sample(json.dumps(manifest).encode(), {}), tmp_path)
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("config_type", "artifact_type"),
    [
        ("application/vnd.oci.empty.v1+json", "application/vnd.git-kit.objects.v1+json"),
        ("application/vnd.cncf.helm.config.v1+json", None),
        ("application/vnd.docker.ai.model.config.v0.3+json", None),
    ],
)
def test_other_artifacts_are_not_kits(tmp_path: Path, config_type: str, artifact_type: str | None) -> None:
    with pytest.raises(InvalidFile, match="is not a kit"):
        read(samples.kit(config_type, {}, [EMPTY], artifact_type=artifact_type), tmp_path)


# -- hostile documents ---------------------------------------------------------------------------------------------


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": [value]}
    return value


def with_layer(**changes: Any) -> Sample:
    """A kit of one layer whose descriptor has ``changes``."""
    sample = samples.modelpack([EMPTY])
    manifest = json.loads(sample.manifest)
    manifest["layers"][0] |= changes
    return Sample(json.dumps(manifest).encode(), sample.blobs)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": -1},
        {"size": True},
        {"size": "0"},
        {"size": 1.0},
        {"digest": "sha256:0"},
        {"digest": 7},
        {"mediaType": None},
        {"mediaType": "application/vnd.cncf.model.weight.v2.raw"},
        {"mediaType": "application/vnd.cncf.model.weight.v1.zip"},
        {"mediaType": "application/vnd.cncf.model.weight.v1.tar+lz4"},
        {"mediaType": "application/vnd.cncf.model.poem.v1.raw"},
        {"annotations": []},
        {"annotations": {FILEPATH: 7}},
        {"annotations": {FILEPATH: "f", METADATA: "{"}},
        {"annotations": {FILEPATH: "f", METADATA: '{"mode": "0644"}'}},
        {"annotations": {FILEPATH: "."}},
        {"annotations": {FILEPATH: "f", "note": "\ud800"}},
    ],
)
def test_malformed_layer_is_invalid(tmp_path: Path, changes: Any) -> None:
    with pytest.raises(InvalidFile):
        read(with_layer(**changes), tmp_path)


@pytest.mark.parametrize(
    "changes", [{"size": 1 << 63}, {"annotations": {FILEPATH: "f", METADATA: '{"mode": 420, "size": 7}'}}]
)
def test_layer_of_an_impossible_size_is_corrupt(tmp_path: Path, changes: Any) -> None:
    with pytest.raises(Corrupt):
        read(with_layer(**changes), tmp_path)


UNSAFE = ["/etc/passwd", "../up", "a/../../up", "a/..", "nul\0", "\ud800", "x" * 256, "d/" * 200 + "f", "é" * 130]


@pytest.mark.parametrize("path", ["", *UNSAFE])
def test_layer_with_an_unsafe_path_is_invalid(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidFile):
        read(samples.modelpack([samples.raw(path, b"")]), tmp_path)


@pytest.mark.parametrize("path", UNSAFE)
def test_kitfile_entry_with_an_unsafe_path_is_invalid(tmp_path: Path, path: str) -> None:
    kitfile = {**samples.golden_kitfile(), "docs": [{"path": path}]}
    with pytest.raises(InvalidFile):
        read(samples.modelkit(samples.golden_layers(), kitfile), tmp_path)


@pytest.mark.parametrize(
    "paths",
    [
        ("a/f", "a/f"),
        ("a/f", "./a//f"),
        ("Model.bin", "model.bin"),
        ("src/a", "SRC/b"),
        ("stra\u00dfe", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("a", "a/b"),
        ("a/b", "a"),
    ],
)
def test_paths_that_collide_are_invalid(tmp_path: Path, paths: tuple[str, str]) -> None:
    layers = [samples.raw(path, bytes([number])) for number, path in enumerate(paths)]
    with pytest.raises(InvalidFile):
        read(samples.modelpack(layers), tmp_path)


def test_paths_that_only_look_alike_are_fine(tmp_path: Path) -> None:
    paths = ["a..b", "...", "a/b.c", "a/bc", ".gitignore"]
    artifact = read(samples.modelpack([samples.raw(path, path.encode()) for path in paths]), tmp_path)
    assert [file.path for file in artifact.files] == paths


@pytest.mark.parametrize("part", ["manifest", "config", "kitfile"])
@pytest.mark.parametrize("levels", [60, 5000])
def test_deep_json_is_invalid(tmp_path: Path, part: str, levels: int) -> None:
    text = '{"a":[' * levels + "]}" * levels
    if part == "manifest":
        sample = samples.modelpack([EMPTY])
        sample = Sample(sample.manifest[:-1] + b', "extra": ' + text.encode() + b"}", sample.blobs)
    elif part == "config":
        sample = samples.kit(
            "application/vnd.cncf.model.config.v1+json", b'{"descriptor": ' + text.encode() + b"}", [EMPTY]
        )
    else:
        sample = samples.modelpack([EMPTY], '{"package": {}, "model": {"parameters": ' + text + "}}")
    with pytest.raises(InvalidFile, match=r"too deep|not JSON"):
        read(sample, tmp_path)


def test_manifest_beyond_4_mib_is_invalid(tmp_path: Path) -> None:
    sample = samples.modelpack([EMPTY], extra={"padding": "x" * (4 << 20)})
    with pytest.raises(InvalidFile, match="registries take"):
        read(sample, tmp_path)


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b"\xff", b'{"config": {}}', b'{"layers": 7}', b"7" * 5000])
def test_manifest_that_is_none_is_invalid(tmp_path: Path, manifest: bytes) -> None:
    layout = samples.golden().layout(tmp_path)
    Path(layout.blob_path(sha256(manifest))).write_bytes(manifest)
    with pytest.raises(InvalidFile):
        read_artifact(layout, sha256(manifest))


def test_config_of_other_bytes_is_corrupt(tmp_path: Path) -> None:
    sample = samples.golden()
    config = json.loads(sample.manifest)["config"]["digest"]
    sample.blobs[config] = sample.blobs[config][:-1] + b"!"
    with pytest.raises(Corrupt):
        read(sample, tmp_path)


def test_config_beyond_4_mib_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(Corrupt, match="too much for a config"):
        read(samples.modelkit([], {"package": {}, "padding": "x" * (4 << 20)}), tmp_path)


@pytest.mark.parametrize(
    "kitfile",
    [
        [],
        "no",
        {"package": ["x"]},
        {"model": ["x"]},
        {"model": {"path": 7}},
        {"model": {"path": "m", "digest": "sha1:0"}},
        {"model": {"parts": {"path": "m"}}},
        {"model": {"parts": ["m"]}},
        {"code": {"path": "src"}},
        {"code": ["src"]},
        {"datasets": [{"path": "d", "name": {}}]},
        {"docs": [{"path": ["README.md"]}]},
        {"model": {"parameters": {"nan": float("nan")}}},
        {"model": {"description": "\ud800"}},
    ],
)
def test_kitfile_of_wrong_types_is_invalid(tmp_path: Path, kitfile: Any) -> None:
    with pytest.raises(InvalidFile):
        read(samples.modelpack([EMPTY], json.dumps(kitfile)), tmp_path)
    if isinstance(kitfile, dict):
        with pytest.raises(InvalidFile):
            read(samples.modelkit([], kitfile), tmp_path / "as-config")


def test_kitfile_with_unknown_keys_keeps_them(tmp_path: Path) -> None:
    kitfile = {"package": {}, "model": {"path": "m", "newer": {"key": 1}}, "future": [1], "datasets": None}
    sample = samples.modelkit([samples.kitops_layer("model", b"m", "m")], kitfile)
    assert read(sample, tmp_path).kitfile == kitfile


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        (["sha256:0"], InvalidFile),
        ("sha256:0", InvalidFile),
        ([], InvalidFile),
        ([sha256(b""), sha256(b"")], InvalidFile),
        ([sha256(b"other")], Corrupt),
    ],
)
def test_diff_ids_that_do_not_fit_are_refused(tmp_path: Path, ids: Any, error: type[KitError]) -> None:
    with pytest.raises(error):
        read(samples.modelpack([EMPTY], config={"modelfs": {"diffIds": ids}}), tmp_path)
