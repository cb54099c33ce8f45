"""Inspect and info: what is told of a kit without downloading it, and how little travels for that."""

import gzip
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gitkit.core.oci import Descriptor, Manifest
from gitkit.core.remote import BlobReader, ReadOnly
from gitkit.errors import InvalidFile, NotFound, UsageError
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.inspect import Inspected, inspect
from gitkit.modelkit.read import read_artifact
from tests.lib import kit_samples as samples
from tests.lib.kit_samples import FILEPATH, KITFILE, Sample, sha256
from tests.lib.registries import Fault, FaultRegistry, RealRegistry, connect
from tests.lib.repos import Repo

MIB = 1 << 20


def safetensors(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str] | None = None) -> bytes:
    """A file of F32 tensors, all zero."""
    header, at = safetensors_header(shapes, metadata)
    return header + bytes(at)


def safetensors_header(
    shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str] | None = None
) -> tuple[bytes, int]:
    """The head of a file of F32 tensors, and the bytes of data that follow it."""
    document: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, shape in shapes.items():
        size = 4
        for dimension in shape:
            size *= dimension
        document[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(document).encode()
    return struct.pack("<Q", len(text)) + text, at


def gguf(values: Mapping[str, str | int], tensors: int = 1) -> bytes:
    """A GGUF file with these metadata and ``tensors`` F32 tensors of 32 numbers."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    out = b"GGUF" + struct.pack("<IQQ", 3, tensors, len(values))
    for key, value in values.items():
        out += text(key)
        out += struct.pack("<I", 8) + text(value) if isinstance(value, str) else struct.pack("<II", 4, value)
    for number in range(tensors):
        out += text(f"blk.{number}.weight") + struct.pack("<IQIQ", 1, 32, 0, number * 128)
    return out + bytes(-len(out) % 32) + bytes(tensors * 128)


MODEL = safetensors({"embed.weight": (10, 4), "head.weight": (4, 10), "bias": (10,)}, {"format": "pt"})
CONFIG = {"architectures": ["BertModel"], "max_position_embeddings": 512, "vocab_size": 30522}


def bert() -> Sample:
    """A kit with weights, ``config.json``, licence and metrics."""
    layers = [
        samples.raw("model/model.safetensors", MODEL, "weight"),
        samples.raw("model/config.json", json.dumps(CONFIG).encode()),
        samples.raw(
            "eval/metrics.json", b'{"accuracy": 0.91, "f1": {"macro": 0.8}, "ok": true, "runs": [1]}', "dataset"
        ),
    ]

    def entry(number: int) -> dict[str, str]:
        return {"path": layers[number].annotations[FILEPATH], "digest": layers[number].digest}

    kitfile = {
        "package": {"name": "demo", "license": "MIT"},
        "model": {"name": "tiny", **entry(0), "license": "Apache-2.0", "parts": [entry(1)], "parameters": {"lr": 0.1}},
        "datasets": [{"name": "evaluation", **entry(2)}],
    }
    return samples.modelpack(layers, kitfile)


def looked(sample: Sample, folder: Path, **options: Any) -> Inspected:
    layout = sample.layout(folder / "layout")
    return inspect(read_artifact(layout, "v1"), BlobSource(layout), **options)


# -- facts of the model ----------------------------------------------------------------------------------------------


def test_safetensors_facts_come_from_the_header_and_config_json(tmp_path: Path) -> None:
    found = looked(bert(), tmp_path)
    model = found.model
    assert (model.architecture, model.parameters, model.tensors) == ("BertModel", 90, 3)
    assert (model.context_length, model.vocabulary, model.quantisation) == (512, 30522, None)
    assert list(model.dtypes) == ["F32"]
    assert found.licenses == ["MIT", "Apache-2.0"]
    assert found.metrics == {"eval/metrics.json": {"accuracy": 0.91, "f1": {"macro": 0.8}, "ok": True, "runs": [1]}}


def test_gguf_facts_come_from_its_metadata(tmp_path: Path) -> None:
    data = gguf(
        {
            "general.architecture": "llama",
            "general.name": "Tiny",
            "general.file_type": 15,
            "llama.context_length": 8192,
        },
        3,
    )
    model = looked(samples.files({"m.gguf": data}), tmp_path).model
    assert (model.architecture, model.quantisation, model.context_length, model.parameters) == (
        "llama",
        "Q4_K_M",
        8192,
        96,
    )


def test_shards_are_one_model_and_other_weights_are_not(tmp_path: Path) -> None:
    contents = {
        f"model-0000{number}-of-00002.safetensors": safetensors({f"t{number}": (number * 100,)}) for number in (1, 2)
    }
    contents["adapter.safetensors"] = safetensors({"lora": (7,)})
    layers = [samples.raw(path, data, "weight") for path, data in contents.items()]
    model = looked(samples.modelpack(layers), tmp_path).model
    assert (model.parameters, model.tensors) == (300, 2)
    assert [weights.path for weights in model.weights] == list(contents)


@pytest.mark.parametrize("format", ["modelkit", "image"])
def test_weights_in_an_uncompressed_tar_are_looked_into(tmp_path: Path, format: str) -> None:
    members = {"model/config.json": b"{}", "model/model.safetensors": MODEL, "model/notes.md": b"n" * 100_000}
    if format == "modelkit":
        layer = samples.kitops_layer("model", samples.go_tar(members), "model")
        sample = samples.modelkit([layer], {"model": {"path": "model", "digest": layer.digest}})
    else:
        data = samples.go_tar({f"models/{path}": data for path, data in members.items()})
        layer = samples.Layer("application/vnd.oci.image.layer.v1.tar", data)
        kitfile = json.dumps({"model": {"path": "model"}})
        sample = samples.kit("application/vnd.oci.image.config.v1+json", {}, [layer], annotations={KITFILE: kitfile})
    model = looked(sample, tmp_path).model
    assert [(weights.path, weights.size) for weights in model.weights] == [("model/model.safetensors", len(MODEL))]
    assert model.parameters == 90


def test_weights_in_a_compressed_tar_have_a_problem(tmp_path: Path) -> None:
    data = gzip.compress(samples.go_tar({"m.safetensors": MODEL}))
    model = looked(samples.modelpack([samples.tar_layer("m", data, "weight", "+gzip")], config={}), tmp_path).model
    assert model.parameters is None
    assert [weights.problem for weights in model.weights] == ["it is compressed by gzip"]


@pytest.mark.parametrize("data", [b"", b"\xff" * 100, MODEL[:50], b"GGUF"])
@pytest.mark.parametrize("name", ["m.safetensors", "m.gguf"])
def test_weights_that_are_none_have_a_problem_and_the_rest_is_told(tmp_path: Path, name: str, data: bytes) -> None:
    found = looked(samples.files({name: data, "README.md": b"r"}), tmp_path)
    assert found.model.parameters is None
    assert [bool(weights.problem) for weights in found.model.weights] == [True]


def test_content_that_is_elsewhere_is_a_problem_of_its_weights(tmp_path: Path) -> None:
    sample = bert()
    sample.blobs.pop(sha256(MODEL))
    model = looked(sample, tmp_path).model
    assert model.architecture == "BertModel" and model.parameters is None
    assert model.weights[0].problem == "its content is not here"


def test_metrics_that_are_large_damaged_or_no_object_are_left_out(tmp_path: Path) -> None:
    sample = samples.files(
        {
            "a/metrics.json": b'{"x": 1}',
            "b/metrics.json": b"[1]",
            "c/metrics.json": b'{"x": NaN}',
            "d/metrics.json": b'{"x": "' + b"y" * 70_000 + b'"}',
            "e/metrics.json": b'{"a":' * 900 + b"1" + b"}" * 900,
            "f/metrics.json": b'{"x": 2}',
        }
    )
    sample.blobs[sha256(b'{"x": 2}')] = b'{"x": 3}'
    assert looked(sample, tmp_path).metrics == {"a/metrics.json": {"x": 1}}


# -- how little travels ----------------------------------------------------------------------------------------------


class Virtual(ReadOnly):
    """A kit of virtual shards: their headers, and zeros nobody has written. Counts what is read."""

    def __init__(self, shards: int, tensors: int, size: int) -> None:
        self.read = 0
        self._heads: dict[str, bytes] = {}
        layers = []
        for number in range(shards):
            shapes = {f"model.layers.{number}.t{index}.weight": (size // tensors // 4,) for index in range(tensors)}
            head, rest = safetensors_header(shapes)
            digest = sha256(head)
            self._heads[digest] = head
            path = f"model-{number + 1:05}-of-{shards:05}.safetensors"
            layers.append(
                Descriptor(
                    media_type="application/vnd.cncf.model.weight.v1.raw",
                    digest=digest,
                    size=len(head) + rest,
                    annotations={FILEPATH: path},
                )
            )
        self._heads[sha256(b"{}")] = b"{}"
        config = Descriptor(media_type="application/vnd.cncf.model.config.v1+json", digest=sha256(b"{}"), size=2)
        self.manifest = Manifest(config=config, layers=layers).encode()

    @property
    def url(self) -> str:
        return "virtual"

    @property
    def heads(self) -> int:
        """Bytes of all headers."""
        return sum(len(head) for head in self._heads.values()) - len(b"{}")

    def get_manifest(self, reference: str) -> bytes:
        self.read += len(self.manifest)
        return self.manifest

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        return _VirtualReader(self, self._heads[digest], start, size)


class _VirtualReader:
    def __init__(self, kit: Virtual, head: bytes, at: int, size: int) -> None:
        self._kit, self._head, self._at, self._size = kit, head, at, size

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(len(buffer), self._size - self._at)
        head = self._head[self._at : self._at + count]
        buffer[:count] = head + bytes(count - len(head))
        self._at += count
        self._kit.read += count
        return count

    def close(self) -> None:
        pass


def test_inspect_of_ten_gigabytes_reads_less_than_two_mebibytes() -> None:
    remote = Virtual(shards=4, tensors=300, size=10 << 28)
    artifact = read_artifact(remote, "v1")
    assert artifact.size > 10e9
    model = inspect(artifact, BlobSource(remote)).model
    assert (model.tensors, model.parameters) == (1200, (artifact.size - remote.heads) // 4)
    assert remote.read < 2 * MIB


@pytest.mark.parametrize(("shards", "tensors"), [(400, 100), (2, 40_000)])
def test_inspect_stops_at_its_budget_and_says_which_weights_are_unread(shards: int, tensors: int) -> None:
    remote = Virtual(shards=shards, tensors=tensors, size=1 << 30)
    model = inspect(read_artifact(remote, "v1"), BlobSource(remote)).model
    assert remote.read < 2 * MIB
    unread = [weights.problem for weights in model.weights if weights.problem]
    assert unread and all("--tensors" in problem for problem in unread)
    assert model.parameters is None
    everything = inspect(read_artifact(remote, "v1"), BlobSource(remote), budget=1 << 40).model
    assert everything.tensors == shards * tensors


def test_inspect_needs_no_more_of_the_weights_than_their_head(repo: Repo, fault_registry: FaultRegistry) -> None:
    data = safetensors({"w": (1 << 20,)})
    samples.files({"m.safetensors": data}).serve(fault_registry)
    held = fault_registry.add(Fault(method="GET", path=sha256(data), pause_after=64 << 10, times=None))
    shown = repo.kit("inspect", f"oci://{fault_registry.host}/acme/llm:v1", "--json").stdout
    assert json.loads(shown)["model"]["parameters"] == 1 << 20
    assert not held.reached.is_set()  # no answer was longer than 64 KiB


def test_inspect_asks_a_registry_for_heads_alone(fault_registry: FaultRegistry) -> None:
    data = safetensors({"w": (1 << 20,)})
    samples.files({"m.safetensors": data}).serve(fault_registry)
    remote = connect(fault_registry.host)
    inspect(read_artifact(remote, "v1"), BlobSource(remote))
    asked = [call.headers.get("Range") or "" for call in fault_registry.seen("GET", sha256(data))]
    ranges = [[int(number) for number in text.removeprefix("bytes=").split("-")] for text in asked]
    assert ranges and sum(last + 1 - first for first, last in ranges) < 64 << 10


# -- the commands ----------------------------------------------------------------------------------------------------


def test_inspect_shows_the_kit_within_80_columns(repo: Repo, tmp_path: Path) -> None:
    layout = bert().layout(tmp_path / "layout")
    shown = repo.kit("inspect", f"oci-layout:{layout.path}:v1").stdout
    assert "licence  MIT, Apache-2.0\n" in shown
    assert "model    BertModel, 90 parameters in F32, context of 512 tokens\n" in shown
    assert "metrics  accuracy 0.91, f1.macro 0.8 (eval/metrics.json)\n" in shown
    assert " weight.config  model/config.json\n" in shown
    assert "size     " in shown and " in 3 files\n" in shown


def test_inspect_json_has_files_model_and_documents(repo: Repo, tmp_path: Path) -> None:
    sample = bert()
    layout = sample.layout(tmp_path / "layout")
    found = json.loads(repo.kit("inspect", f"oci-layout:{layout.path}:v1", "--json").stdout)
    assert found["digest"] == sample.digest
    assert found["reference"].endswith(f"@{sample.digest}")
    assert (found["format"], found["licenses"]) == ("modelpack", ["MIT", "Apache-2.0"])
    assert found["model"]["dtypes"] == {"F32": {"tensors": 3, "parameters": 90}}
    assert found["model"]["weights"][0]["metadata"] == {"format": "pt"}
    assert [file["section"] for file in found["files"]] == ["model", "parts", "datasets"]
    assert found["manifest"] == json.loads(sample.manifest)
    assert "tensors" not in found["model"]["weights"][0]
    whole = json.loads(repo.kit("inspect", f"oci-layout:{layout.path}:v1", "--json", "--tensors").stdout)
    assert [each["name"] for each in whole["model"]["weights"][0]["tensors"]] == ["embed.weight", "head.weight", "bias"]


def test_inspect_tensors_prints_their_table(repo: Repo, tmp_path: Path) -> None:
    layout = bert().layout(tmp_path / "layout")
    shown = repo.kit("inspect", f"oci-layout:{layout.path}:v1", "--tensors").stdout.splitlines()
    assert shown[0].split() == ["NAME", "DTYPE", "SHAPE", "SIZE"]
    assert shown[1].split() == ["embed.weight", "F32", "10x4", "160", "B"]
    assert len(shown) == 4


@pytest.mark.parametrize("sample", [samples.golden, samples.golden_of_kit_0_5, samples.golden_of_kit_0_4])
def test_inspect_and_info_read_modelkits_of_every_age(repo: Repo, tmp_path: Path, sample: Any) -> None:
    layout = sample().layout(tmp_path / "layout")
    shown = repo.kit("inspect", f"oci-layout:{layout.path}:v1").stdout
    assert " modelpart.tar  adapters/lora.bin\n" in shown
    text = repo.kit("info", f"oci-layout:{layout.path}:v1").stdout
    assert text.startswith("manifestVersion: 1.0.0\npackage:\n  name: demo\n  version: 1.0.0\n")
    assert "sha256" not in text


def test_nothing_in_a_kit_acts_on_the_terminal(repo: Repo, tmp_path: Path) -> None:
    evil = "\x1b]0;evil\x07"
    layers = [
        samples.raw(f"{evil}.safetensors", safetensors({evil: (1,)}, {"modelspec.architecture": evil}), "weight"),
        samples.raw(f"{evil}metrics.json", json.dumps({evil: 1}).encode()),
    ]
    kitfile = {"package": {"license": evil, "name": evil}, "model": {"parameters": {evil: evil}}}
    sample = samples.modelpack(layers, kitfile)
    manifest = json.loads(sample.manifest)
    for key in ("version", "revision", "created", "licenses"):
        manifest["annotations"][f"org.opencontainers.image.{key}"] = evil
    layout = Sample(json.dumps(manifest).encode(), sample.blobs).layout(tmp_path / "layout")
    reference = f"oci-layout:{layout.path}:v1"
    for command in (["inspect"], ["inspect", "--tensors"], ["inspect", "--json"], ["info"], ["info", "--json"]):
        done = repo.kit(command[0], reference, *command[1:])
        assert "\x1b" not in done.stdout + done.stderr and "\x07" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model.name", "tiny\n"),
        ("model.parameters", "lr: 0.1\n"),
        ("model.parameters.lr", "0.1\n"),
        ("model.parts[0].path", "model/config.json\n"),
        ("datasets[0]", "name: evaluation\npath: eval/metrics.json\n"),
    ],
)
def test_info_filter_shows_a_part(repo: Repo, tmp_path: Path, path: str, expected: str) -> None:
    layout = bert().layout(tmp_path / "layout")
    assert repo.kit("info", f"oci-layout:{layout.path}:v1", "--filter", path).stdout == expected


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("model.nix", NotFound.exit_code),
        ("datasets[1]", NotFound.exit_code),
        ("model[0]", NotFound.exit_code),
        ("model.name.x", NotFound.exit_code),
        ("model..name", UsageError.exit_code),
        ("[", UsageError.exit_code),
    ],
)
def test_info_filter_that_leads_nowhere_says_so(repo: Repo, tmp_path: Path, path: str, code: int) -> None:
    layout = bert().layout(tmp_path / "layout")
    repo.kit("info", f"oci-layout:{layout.path}:v1", "--filter", path, code=code)


def test_info_json_keeps_the_digests_of_layers(repo: Repo, tmp_path: Path) -> None:
    layout = samples.golden().layout(tmp_path / "layout")
    shown = repo.kit("info", f"oci-layout:{layout.path}:v1", "--json").stdout
    assert json.loads(shown) == samples.golden_kitfile()


def test_inspect_of_what_is_no_kit_exits_16(repo: Repo, tmp_path: Path) -> None:
    layout = samples.kit("application/vnd.x+json", {}, []).layout(tmp_path / "layout")
    for command in ("inspect", "info", "unpack"):
        repo.kit(command, f"oci-layout:{layout.path}:v1", code=InvalidFile.exit_code)


def test_inspect_of_a_real_registry_tells_the_model(repo: Repo, real_registry: RealRegistry) -> None:
    bert().push(connect(real_registry.host), "v1")
    found = json.loads(repo.kit("inspect", f"oci://{real_registry.host}/acme/llm:v1", "--json").stdout)
    assert (found["model"]["architecture"], found["model"]["parameters"]) == ("BertModel", 90)
