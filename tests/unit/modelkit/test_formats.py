"""The formats modelkit, docker and image without a registry: tar layers, what is chosen and recognised, facts."""

import gzip
import io
import json
import os
import struct
import sys
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitkit.core import config
from gitkit.core.digest import digest_of
from gitkit.core.oci import Descriptor, Manifest
from gitkit.errors import Corrupt, InvalidFile, NotFound, Unsupported
from gitkit.git.run import Git
from gitkit.modelkit.content import Content
from gitkit.modelkit.files import KitFile
from gitkit.modelkit.formats import image, weights
from gitkit.modelkit.formats.docker import kind_of
from gitkit.modelkit.formats.options import COMPRESSIONS, FORMATS, LAYER_FORMATS, Options, options_for, recognise
from gitkit.modelkit.tarlayers import Recipe, TarLayers, recipe
from gitkit.store.layout import ImageLayout
from tests.lib.repos import Repo, some_bytes

BLOCK = 1 << 20
NEEDS_ZSTD = pytest.mark.skipif(find_spec("zstandard") is None, reason="zstandard is not installed")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ImageLayout:
    return ImageLayout(str(tmp_path_factory.mktemp("store")))


def content_in(store: ImageLayout) -> Content:
    """Content that is in ``store`` alone."""
    return Content(Git("/", os.environ), store)


def put(store: ImageLayout, path: str, data: bytes, *, executable: bool = False, section: str = "model") -> KitFile:
    """A file whose content is in ``store``, as a pointer's is."""
    return KitFile(section, 0, path, store.add_bytes(data), len(data), executable, False, None)


def made(tars: TarLayers, layer: Recipe) -> bytes:
    with closing(tars.open(layer)) as stream:
        return stream.read()


def members(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getmembers()


def files_in(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {item.name: archive.extractfile(item).read() for item in archive if item.isfile()}  # type: ignore[union-attr]


# -- tar layers ------------------------------------------------------------------------------------------------------

NAME = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60
).filter(lambda name: name not in (".", ".."))
TREE = st.dictionaries(
    st.lists(NAME, min_size=1, max_size=4).map("/".join), st.binary(max_size=1500), min_size=1, max_size=6
).filter(lambda tree: not any(one != other and other.startswith(f"{one}/") for one in tree for other in tree))


@settings(max_examples=40, deadline=None)
@given(tree=TREE, bits=st.integers(0, 63))
def test_tar_layer_of_any_files_read_back_by_tarfile_holds_them_and_their_folders(
    store: ImageLayout, tree: Mapping[str, bytes], bits: int
) -> None:
    files = [put(store, path, data, executable=bool(bits >> n & 1)) for n, (path, data) in enumerate(tree.items())]
    layer = recipe(files, uid=1000)
    tars = TarLayers(content_in(store))
    (packed,) = tars.pack([layer])
    data = made(tars, layer)
    assert (packed.digest, packed.size, packed.diff_id) == (digest_of(data), len(data), digest_of(data))
    assert files_in(data) == tree
    found = {item.name: item for item in members(data)}
    parents = {"/".join(path.split("/")[:depth]) for path in tree for depth in range(1, path.count("/") + 1)}
    assert found.keys() == tree.keys() | parents
    assert all(found[file.path].mode == (0o755 if file.executable else 0o644) for file in files)
    assert all(found[name].isdir() and found[name].mode == 0o755 for name in parents)
    assert {(item.uid, item.gid, item.mtime, item.uname) for item in found.values()} == {(1000, 0, 0, "")}


def test_tar_layer_has_its_own_folders_in_the_order_of_a_walk(store: ImageLayout) -> None:
    files = [put(store, path, b"x") for path in ("b/a.txt", "b/a/x", "a")]
    layer = recipe(files, ["b", "b/empty"], uid=0, prefix="models/")
    names = [item.name for item in members(made(TarLayers(content_in(store)), layer))]
    assert names == ["models", "models/a", "models/b", "models/b/a", "models/b/a/x", "models/b/a.txt", "models/b/empty"]


def unpacked(data: bytes, compression: str) -> bytes:
    if compression == "zstd":
        import zstandard

        return bytes(zstandard.ZstdDecompressor().decompressobj().decompress(data))
    return gzip.decompress(data) if compression == "gzip" else data


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 700])
@pytest.mark.parametrize("compression", ["none", "gzip", pytest.param("zstd", marks=NEEDS_ZSTD)])
def test_tar_layer_of_any_size_and_compression_unpacks_to_the_uncompressed_one(
    store: ImageLayout, size: int, compression: str
) -> None:
    tars = TarLayers(content_in(store))
    files = [put(store, "first", some_bytes(size, seed=size)), put(store, "second", b"small")]
    plain = made(tars, recipe(files, uid=0))
    layer = recipe(files, uid=0, compression=compression)
    data = made(tars, layer)
    assert unpacked(data, compression) == plain
    (packed,) = tars.pack([layer])
    assert (packed.digest, packed.size, packed.diff_id) == (digest_of(data), len(data), digest_of(plain))
    assert layer.unpacked_size == len(plain)


def test_gzip_layer_names_no_file_time_or_system_and_is_at_level_6(store: ImageLayout) -> None:
    tars = TarLayers(content_in(store))
    layer = recipe([put(store, "rows.csv", b"text,label\n" * 5000)], uid=0, compression="gzip")
    data = made(tars, layer)
    assert data[:10] == bytes.fromhex("1f8b08000000000000ff")
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    plain = gzip.decompress(data)
    assert data[10:-8] == packer.compress(plain) + packer.flush()


@pytest.mark.parametrize("compression", ["gzip", pytest.param("zstd", marks=NEEDS_ZSTD)])
def test_compressed_layer_does_not_depend_on_how_its_content_arrives(
    store: ImageLayout, compression: str, tmp_path: Path
) -> None:
    data = some_bytes(3 * BLOCK // 2) + b"again and again " * 90000
    file = put(store, "weights", data)

    class Dripping(ImageLayout):
        """A remote whose blobs come in small pieces of changing size."""

        def open_blob(self, digest: str, size: int, **where: Any) -> Any:
            return Drip(super().open_blob(digest, size, **where))

    class Drip:
        def __init__(self, inner: Any) -> None:
            self.inner, self.count = inner, 0

        def readinto(self, buffer: memoryview) -> int:
            self.count += 1
            return int(self.inner.readinto(buffer[: 1 + self.count * 7919 % 65536]))

        def close(self) -> None:
            self.inner.close()

    remote = Dripping(store.path)
    elsewhere = Content(Git("/", os.environ), ImageLayout(str(tmp_path / "empty")), [lambda: remote])
    layer = recipe([file], uid=0, compression=compression)
    assert made(TarLayers(elsewhere), layer) == made(TarLayers(content_in(store)), layer)


def test_zstd_without_its_package_is_refused_with_what_to_install(
    store: ImageLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)  # as if it were not installed
    layer = recipe([put(store, "a", b"a")], uid=0, compression="zstd")
    with pytest.raises(Unsupported, match="compression by zstd needs a package") as caught:
        TarLayers(content_in(store)).pack([layer])
    assert caught.value.hint == "pip install zstandard"


def test_file_of_more_than_8_gib_is_announced_with_its_size() -> None:
    file = KitFile("model", 0, "w.bin", digest_of(b""), 9 << 30, False, False, None)
    layer = recipe([file], uid=1000)
    assert layer.unpacked_size == (9 << 30) + 3 * 512 + 1024  # extended header, its record, header, end


def changed(layer: Recipe) -> Iterator[Recipe]:
    """Layers of other bytes."""
    (member,), (file,) = layer.members, layer.files
    yield layer._replace(uid=layer.uid + 1)
    yield layer._replace(compression="gzip")
    yield layer._replace(members=(member._replace(name=f"{member.name}x"),))
    yield layer._replace(members=(member._replace(name=f"{member.name}\n644 1"),))
    yield layer._replace(members=(member._replace(mode=0o755),))
    yield layer._replace(members=(member._replace(size=member.size + 1),))
    yield layer._replace(files=(file._replace(digest=digest_of(b"other")),))
    yield layer._replace(members=(member._replace(is_dir=True),), files=())
    yield layer._replace(members=(member, member._replace(name="z")), files=(file, file))


def test_key_of_a_layer_is_of_its_bytes_alone(store: ImageLayout) -> None:
    layer = recipe([put(store, "a", b"a")], uid=0)
    others = list(changed(layer))
    assert len({layer.key, *(other.key for other in others)}) == 1 + len(others)
    same = layer._replace(files=(layer.files[0]._replace(section="docs", number=3, named=True, oid="0" * 40),))
    assert same.key == layer.key


def test_layer_is_hashed_once_and_again_when_its_memory_is_damaged_or_gone(tmp_path: Path) -> None:
    store = ImageLayout(str(tmp_path))
    layer = recipe([put(store, "a", b"content")], uid=0)
    (packed,) = TarLayers(content_in(store)).pack([layer])
    blob = Path(store.blob_path(layer.files[0].digest))
    blob.rename(tmp_path / "aside")
    assert TarLayers(content_in(store)).pack([layer]) == [packed]
    remembered = tmp_path / "tars" / layer.key
    text = remembered.read_text()
    for damaged in ("", text[:-5], text.replace("sha256:", "sha257:"), text.replace(f" {packed.size} ", " 1 "), "é"):
        remembered.write_text(damaged)
        with pytest.raises(NotFound, match="the content of a is not in this clone"):
            TarLayers(content_in(store)).pack([layer])
    (tmp_path / "aside").rename(blob)
    assert TarLayers(content_in(store)).pack([layer]) == [packed]
    assert remembered.read_text() == text


def test_layer_of_damaged_content_is_refused_naming_the_file(tmp_path: Path) -> None:
    store = ImageLayout(str(tmp_path))
    files = [put(store, "good", b"good"), put(store, "deep/bad", b"content")]
    path = Path(store.blob_path(files[1].digest))
    path.chmod(0o600)
    path.write_bytes(b"CONTENT")
    with pytest.raises(Corrupt, match=r"^the content of deep/bad is not what sha256:"):
        TarLayers(content_in(store)).pack([recipe(files, uid=0)])
    assert not (tmp_path / "tars").exists()


def test_layer_of_many_files_that_git_holds_ended_early_ends_git(repo: Repo) -> None:
    repo.commit("one", {"file": "content\n"})
    oid = repo.out("rev-parse", "HEAD:file")
    paths = [f"f{number:04}" for number in range(5000)]  # their names are more than what fits into two pipes
    files = [KitFile("code", 0, path, digest_of(b"content\n"), 8, False, False, oid) for path in paths]
    tars = TarLayers(Content(Git(str(repo.path), repo.environ), ImageLayout(str(repo.path / "store"))))
    layer = recipe(files, uid=0)
    with closing(tars.open(layer)) as stream:
        assert len(stream.read(1000)) == 1000
    assert files_in(made(tars, layer)) == dict.fromkeys(paths, b"content\n")


# -- options ---------------------------------------------------------------------------------------------------------


def test_formats_of_the_command_line_are_those_of_the_configuration() -> None:
    assert FORMATS == config.FORMATS
    for layer_format in LAYER_FORMATS:
        for compression in COMPRESSIONS:
            text = f'[kit]\nlayer_format = "{layer_format}"\ncompression = "{compression}"'
            found = config.parse_config(text.encode()).kit
            assert (found.layer_format, found.compression) == (layer_format, compression)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("modelpack", "tar", "gzip"), Options("modelpack", "raw", "none")),
        (("docker", "tar", "zstd"), Options("docker", "raw", "none")),
        (("image", "raw", "gzip"), Options("image", "tar", "gzip")),
        (("modelkit", "tar", "zstd"), Options("modelkit", "tar", "zstd")),
        (("modelkit", "raw", "none"), Options("modelkit", "raw", "none")),
    ],
)
def test_options_hold_only_what_the_format_leaves_open(options: tuple[str, str, str], expected: Options) -> None:
    assert options_for(options[0], layer_format=options[1], compression=options[2]) == expected


def test_raw_layers_with_a_compression_are_refused() -> None:
    with pytest.raises(Unsupported, match="raw layers are not compressed"):
        options_for("modelkit", layer_format="raw", compression="gzip")


def manifest(config_type: str, *layers: str, artifact: str | None = None) -> Manifest:
    def descriptor(media_type: str) -> Descriptor:
        return Descriptor(media_type=media_type, digest=digest_of(b""), size=0)

    layers_ = [descriptor(media_type) for media_type in layers]
    return Manifest(config=descriptor(config_type), layers=layers_, artifact_type=artifact)


KITOPS = "application/vnd.kitops.modelkit"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (manifest("application/vnd.cncf.model.config.v1+json"), Options()),
        (manifest("x/y", artifact="application/vnd.cncf.model.manifest.v1+json"), Options()),
        (manifest(f"{KITOPS}.config.v1+json", f"{KITOPS}.model.v1.tar"), Options("modelkit", "tar", "none")),
        (manifest(f"{KITOPS}.config.v1+json", f"{KITOPS}.model.v1.tar+gzip"), Options("modelkit", "tar", "gzip")),
        (manifest(f"{KITOPS}.config.v1+json", f"{KITOPS}.code.v1.tar+zstd"), Options("modelkit", "tar", "zstd")),
        (manifest(f"{KITOPS}.config.v1+json", f"{KITOPS}.docs.v1.raw"), Options("modelkit", "raw", "none")),
        (
            manifest(f"{KITOPS}.config.v1+json", f"{KITOPS}.mcpb.v1.raw", f"{KITOPS}.docs.v1.tar"),
            Options("modelkit", "tar", "none"),
        ),
        (manifest(f"{KITOPS}.config.v1+json"), Options("modelkit", "tar", "none")),
        (manifest("application/vnd.docker.ai.model.config.v0.1+json"), Options("docker")),
        (manifest("application/vnd.docker.ai.model.config.v0.2+json"), Options("docker")),
        (
            manifest(image.CONFIG, "application/vnd.oci.image.layer.v1.tar+gzip"),
            Options("image", "tar", "gzip"),
        ),
    ],
)
def test_kit_is_recognised_by_its_types(found: Manifest, expected: Options) -> None:
    assert recognise(found, "v1") == expected


def test_artifact_of_another_kind_is_refused_with_its_type() -> None:
    with pytest.raises(InvalidFile, match=r"^v1 is not in a format .* application/vnd.acme\+json"):
        recognise(manifest("application/vnd.acme+json"), "v1")


# -- image -----------------------------------------------------------------------------------------------------------


def sized(path: str, size: int, section: str = "model") -> KitFile:
    return KitFile(section, 0, path, digest_of(path.encode()), size, False, False, None)


def test_layers_of_an_image_are_large_files_alone_then_what_is_left_by_section() -> None:
    files = [
        sized("m/a.bin", image.LARGE),
        sized("m/config.json", image.LARGE - 1),
        sized("lora.bin", image.LARGE + 5, "parts"),
        sized("src/a.py", 3, "code"),
        sized("rows.csv", image.LARGE, "datasets"),
        sized("README.md", 1, "docs"),
        sized("LICENSE", 0, "docs"),
    ]
    assert [(group.title, [file.path for file in group.files]) for group in image.groups(files)] == [
        ("m/a.bin", ["m/a.bin"]),
        ("lora.bin", ["lora.bin"]),
        ("rows.csv", ["rows.csv"]),
        ("model", ["m/config.json"]),
        ("code", ["src/a.py"]),
        ("docs", ["README.md", "LICENSE"]),
    ]


def test_layers_of_an_image_of_a_thousand_large_files_stay_below_what_runtimes_take() -> None:
    sections = ("model", "parts", "code", "datasets", "docs", "prompts", "mcpServers")
    files = [
        sized(f"{section}/{number}", image.LARGE + number, section) for section in sections for number in range(200)
    ]
    groups = image.groups(files)
    assert len(groups) <= 127
    alone = [group.files[0].size for group in groups if group.alone]
    assert len(alone) == image.MAX_LARGE
    assert min(alone) >= max(file.size for group in groups if not group.alone for file in group.files)
    assert sorted(file.path for group in groups for file in group.files) == sorted(file.path for file in files)
    smaller = image.groups([*files, sized("docs/new", 1, "docs")])
    assert [group for group in smaller if group.alone] == [group for group in groups if group.alone]


# -- docker ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("m/Model.Q4_K_M.GGUF", "gguf.v3"),
        ("mmproj-model-f16.gguf", "mmproj"),
        ("model-00001-of-00002.safetensors", "safetensors"),
        ("flux.dduf", "dduf"),
        ("template.jinja", "chat.template.jinja"),
        ("chat_template.json", "chat.template.jinja"),
        ("LICENSE", "license"),
        ("licence.txt", "license"),
        ("COPYING", "license"),
        ("Third-Party-NOTICE.md", "license"),
        ("config.json", "model.file"),
        ("license/readme", "model.file"),
        ("model.bin", "model.file"),
    ],
)
def test_file_is_what_docker_model_runner_takes_it_for(path: str, kind: str) -> None:
    assert kind_of(path) == kind


def gguf(metadata: Mapping[str, str | int | Sequence[str]], shapes: Mapping[str, Sequence[int]]) -> bytes:
    """A GGUF file with float32 tensors; numbers are u32, lists arrays of texts."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    out = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(metadata))
    for key, value in metadata.items():
        out += text(key)
        if isinstance(value, int):
            out += struct.pack("<II", 4, value)
        elif isinstance(value, str):
            out += struct.pack("<I", 8) + text(value)
        else:
            out += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(text(item) for item in value)
    offset = 0
    for name, shape in shapes.items():
        out += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        offset += -(-4 * product_of(shape) // 32) * 32
    return out + bytes(-len(out) % 32) + bytes(offset)


def product_of(shape: Sequence[int]) -> int:
    product = 1
    for dimension in shape:
        product *= dimension
    return product


def safetensors(tensors: Mapping[str, tuple[str, int]], metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file; each tensor has a dtype of 16 or 32 bits and a number of elements."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for name, (dtype, count) in tensors.items():
        size = count * int(dtype[-2:]) // 8
        header[name] = {"dtype": dtype, "shape": [count], "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(offset)


def test_facts_of_gguf_shards_are_those_of_the_first_and_the_sum_of_all(store: ImageLayout) -> None:
    metadata = {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "general.file_type": 15,
        "llama.context_length": 8192,
        "tokenizer.chat_template": "{{ x }}" * 100,
        "tokenizer.ggml.tokens": ["a", "b"],
    }
    shards = [gguf(metadata, {"a": [1000, 2000]}), gguf({"split.no": 1}, {"b": [512]})]
    files = [put(store, f"m-{number}.gguf", data) for number, data in enumerate(shards)]
    assert weights.describe("gguf", files, None, content_in(store)) == {
        "format": "gguf",
        "quantization": "Q4_K_M",
        "parameters": "2M",
        "architecture": "llama",
        "size": f"{sum(map(len, shards)) / (1 << 20):.2f}MiB",
        "gguf": {
            "general.architecture": "llama",
            "general.file_type": "15",
            "general.name": "Tiny",
            "llama.context_length": "8192",
        },
        "context_size": 8192,
    }


def test_facts_of_safetensors_have_the_context_of_the_settings_beside_them(store: ImageLayout) -> None:
    data = safetensors({"a": ("F16", 1_250_000), "b": ("F16", 10)}, {"format": "pt", "architecture": "bert"})
    settings_ = put(store, "config.json", b'{"max_position_embeddings": 0, "n_ctx": 4096, "model_max_length": 9}')
    found = weights.describe("safetensors", [put(store, "m.safetensors", data)], settings_, content_in(store))
    assert found == {
        "format": "safetensors",
        "quantization": "F16",
        "parameters": "1.25M",
        "architecture": "bert",
        "size": "2.38MiB",
        "safetensors": {"architecture": "bert", "format": "pt", "tensor_count": "2"},
        "context_size": 4096,
    }
    assert list(found) == [
        *("format", "quantization", "parameters", "architecture", "size", "safetensors", "context_size"),
    ]


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"n_ctx": "many"}', '{"n_ctx": true}', '{"n_ctx": 3000000000}', '{"n_ctx": 4096.0}', "\xff"]
)
def test_facts_with_settings_that_tell_no_context_have_none(store: ImageLayout, text: str) -> None:
    files = [put(store, "m.safetensors", safetensors({"a": ("F32", 4), "b": ("BF16", 4)}))]
    settings_ = put(store, "config.json", text.encode("latin-1"))
    found = weights.describe("safetensors", files, settings_, content_in(store))
    assert "context_size" not in found
    assert found["quantization"] == "mixed"


@pytest.mark.parametrize("format", ["gguf", "safetensors"])
@pytest.mark.parametrize("data", [b"", b"no header", b"GGUF" + bytes(100), struct.pack("<Q", 10) + b"not json!!"])
def test_facts_of_weights_that_nobody_understands_are_format_and_size(
    store: ImageLayout, format: str, data: bytes
) -> None:
    found = weights.describe(format, [put(store, "m", data)], None, content_in(store))
    assert found == {"format": format, "size": f"{len(data)}B"}


def test_facts_of_weights_that_are_nowhere_are_refused(store: ImageLayout) -> None:
    absent = KitFile("model", 0, "m.gguf", digest_of(b"absent"), 6, False, False, None)
    with pytest.raises(NotFound, match=r"the content of m\.gguf is not in this clone"):
        weights.describe("gguf", [absent], None, content_in(store))
