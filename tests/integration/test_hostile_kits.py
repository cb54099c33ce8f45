"""Kits that want to harm whoever unpacks them: each is refused with exit code 11 or 16, and leaves nothing behind.

Every case is run against the same folder structure: a target, and things beside it that must stay as they are.
"""

import gzip
import io
import json
import os
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gitkit.core.events import Event, Warned
from gitkit.errors import Corrupt, InvalidFile, KitError, Unsupported
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.filters import parse_filter
from gitkit.modelkit.names import Names
from gitkit.modelkit.read import read_artifact
from gitkit.modelkit.unpack import Unpacked, unpack
from tests.lib import kit_samples as samples
from tests.lib.kit_samples import FILEPATH, Layer, Sample, sha256, special, tree
from tests.lib.registries import Fault, FaultRegistry, connect

MIB = 1 << 20
HONEST = {"src/run.py": b"print(1)\n"}


def attempt(sample: Sample, tmp_path: Path, *filters: str, **options: Any) -> Unpacked:
    """Unpack ``sample`` into ``tmp_path/out``."""
    layout = sample.layout(tmp_path / "layout")
    artifact = read_artifact(layout, "v1")
    chosen = [parse_filter(text) for text in filters]
    return unpack(artifact, BlobSource(layout), str(tmp_path / "out"), filters=chosen, **options)


def refused(sample: Sample, tmp_path: Path, error: type[KitError], *filters: str) -> KitError:
    """Unpack ``sample``; it must fail, and nothing may be left: in the target, or beside it."""
    with pytest.raises(error) as caught:
        attempt(sample, tmp_path, *filters)
    assert not (tmp_path / "out").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"layout"}
    return caught.value


def tar_kit(*members: Any, form: int = tarfile.GNU_FORMAT) -> Sample:
    """A kit of one tar layer, an honest file first."""
    return packed_kit(samples.tar_of(*HONEST.items(), *members, form=form))


def packed_kit(data: bytes, compression: str = "") -> Sample:
    return samples.modelpack([samples.tar_layer("src", data, compression=compression)], config={})


# -- names and kinds in a tar ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "/etc/cron.d/evil",
        "../evil",
        "src/../../evil",
        "src/..",
        "..",
        "a/" * 200 + "deep",
        "x" * 300,
        "/",
        "é" * 200,
    ],
)
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_member_with_an_unsafe_name_is_refused(tmp_path: Path, name: str, form: int) -> None:
    refused(tar_kit((name, b"evil"), form=form), tmp_path, InvalidFile)


def test_member_whose_name_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    refused(tar_kit(("caf\udce9", b"evil")), tmp_path, InvalidFile)


def test_member_with_a_nul_in_its_pax_name_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("plain")
    info.pax_headers = {"path": "src/nul\0hidden"}
    refused(tar_kit((info, b"evil"), form=tarfile.PAX_FORMAT), tmp_path, Corrupt)


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "run.py"),
        (tarfile.LNKTYPE, "src/run.py"),
        (tarfile.LNKTYPE, "../../outside"),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""),
        (b"V", ""),
    ],
)
def test_member_that_is_no_file_is_refused(tmp_path: Path, kind: bytes, link: str) -> None:
    refused(tar_kit(special("src/evil", kind, link)), tmp_path, InvalidFile)


def test_file_below_a_link_of_the_same_tar_is_refused(tmp_path: Path) -> None:
    refused(tar_kit(special("out", tarfile.SYMTYPE, ".."), ("out/evil", b"x")), tmp_path, InvalidFile)


@pytest.mark.parametrize(
    "names",
    [
        ("src/a", "src/a"),
        ("src/a", "./src//a"),
        ("src/A", "src/a"),
        ("src/x", "SRC/y"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("stra\u00dfe", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_members_that_many_disks_take_for_one_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    refused(tar_kit(*((name, name.encode()) for name in names)), tmp_path, InvalidFile)


def test_files_of_two_layers_at_one_place_are_refused(tmp_path: Path) -> None:
    layers = [
        samples.raw("src/run.py", b"one", "code"),
        samples.tar_layer("src", samples.tar_of(("src/RUN.py", b"two"))),
    ]
    refused(samples.modelpack(layers), tmp_path, InvalidFile)


def test_more_files_than_any_kit_has_are_refused() -> None:
    names = Names(limit=100)
    for number in range(99):
        names.claim(f"src/{number}")
    names.claim_folder("src")
    with pytest.raises(InvalidFile, match="more than 100"):
        names.claim("src/99")


@pytest.mark.parametrize(
    "name", [".git/hooks/pre-commit", "sub/.GIT/config", ".git\u200c/config", "git~1/config", ".git./x"]
)
@pytest.mark.parametrize("packing", ["raw", "tar"])
def test_files_of_git_are_left_out_and_told(tmp_path: Path, name: str, packing: str) -> None:
    layers = [samples.raw("a.md", b"a", "doc")]
    layers.append(
        samples.raw(name, b"evil") if packing == "raw" else samples.tar_layer(".", samples.tar_of((name, b"e")))
    )
    events: list[Event] = []
    result = attempt(samples.modelpack(layers), tmp_path, emit=events.append)
    assert result.left_out == [name]
    assert tree(tmp_path / "out").keys() == {"a.md", "Kitfile"}
    assert any(isinstance(event, Warned) and "Git's own" in event.text for event in events)


# -- tars that are none ----------------------------------------------------------------------------------------------


def honest_tar() -> bytes:
    return samples.go_tar(dict(HONEST))


def huge_size() -> bytes:
    data = bytearray(honest_tar())
    data[124:136] = b"77777777777\0"
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 512,
        honest_tar()[:-1024],
        honest_tar()[:700],
        honest_tar()[:-512] + b"x" * 512,
        b"y" + honest_tar()[1:],
        huge_size(),
        os.urandom(4096),
    ],
    ids=["empty", "noise", "no-end", "cut", "half-an-end", "checksum", "huge-size", "random"],
)
@pytest.mark.parametrize("compression", ["", "+gzip"])
def test_layer_that_is_no_tar_is_corrupt(tmp_path: Path, data: bytes, compression: str) -> None:
    refused(packed_kit(gzip.compress(data) if compression else data, compression), tmp_path, Corrupt)


def test_sparse_member_is_unsupported(tmp_path: Path) -> None:
    refused(tar_kit(special("src/sparse", tarfile.GNUTYPE_SPARSE)), tmp_path, Unsupported)


def test_pax_header_of_gigabytes_is_corrupt(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 1 << 32
    refused(packed_kit(info.tobuf() + bytes(1024)), tmp_path, Corrupt)


def test_endless_chain_of_pax_headers_is_read_in_constant_depth(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 12
    header = info.tobuf() + b"12 path=abc\n".ljust(512, b"\0")
    refused(packed_kit(header * 5000 + bytes(1024)), tmp_path, Corrupt)


# -- compressed data that grows --------------------------------------------------------------------------------------


@cache
def bomb(size: int) -> bytes:
    """``size`` zero bytes in gzip, made without holding them."""
    packer = zlib.compressobj(9, wbits=31)
    head = tarfile.TarInfo("src/zeros")
    head.size = size
    out = [packer.compress(head.tobuf())]
    out += [packer.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join([*out, packer.compress(bytes(1024)), packer.flush()])


def test_gzip_bomb_is_stopped_early(tmp_path: Path) -> None:
    data = bomb(128 * MIB)
    assert len(data) < 150_000
    error = refused(packed_kit(data, "+gzip"), tmp_path, Corrupt)
    assert "times its size" in error.message


def test_gzip_bomb_is_stopped_while_it_is_skipped(tmp_path: Path) -> None:
    refused(packed_kit(bomb(128 * MIB), "+gzip"), tmp_path, Corrupt, "code:src/other.py")


def test_gzip_bomb_after_the_end_of_the_tar_is_stopped(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    data = packer.compress(honest_tar()) + b"".join(packer.compress(bytes(MIB)) for _ in range(128)) + packer.flush()
    refused(packed_kit(data, "+gzip"), tmp_path, Corrupt)


def test_zstd_bomb_is_stopped_early(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    head = tarfile.TarInfo("src/zeros")
    head.size = 128 * MIB
    out = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(out, closefd=False) as writer:
        writer.write(head.tobuf())
        for _ in range(128):
            writer.write(bytes(MIB))
    assert len(out.getvalue()) < 100_000
    refused(packed_kit(out.getvalue(), "+zstd"), tmp_path, Corrupt)


def test_compressed_raw_bomb_is_stopped_early(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    data = b"".join(packer.compress(bytes(MIB)) for _ in range(128)) + packer.flush()
    layer = samples.kitops_layer("dataset", data, "zeros", "raw+gzip")
    kitfile = {"package": {}, "datasets": [{"path": "zeros", "digest": layer.digest}]}
    refused(samples.modelkit([layer], kitfile), tmp_path, Corrupt)


def test_small_content_that_compresses_well_is_honest(tmp_path: Path) -> None:
    attempt(packed_kit(bomb(32 * MIB), "+gzip"), tmp_path, "code")
    assert (tmp_path / "out/src/zeros").stat().st_size == 32 * MIB


@pytest.mark.parametrize(
    "data",
    [gzip.compress(honest_tar())[:-9], gzip.compress(honest_tar()) + b"rest", b"\x1f\x8b", b"plain", honest_tar()],
    ids=["cut", "followed", "head", "text", "tar"],
)
def test_layer_that_is_no_gzip_is_corrupt(tmp_path: Path, data: bytes) -> None:
    refused(packed_kit(data, "+gzip"), tmp_path, Corrupt)


@pytest.mark.parametrize("packing", ["tar", "raw"])
def test_layer_that_unpacks_to_another_diff_id_is_corrupt(tmp_path: Path, packing: str) -> None:
    layer = samples.kitops_layer("dataset", gzip.compress(honest_tar()), "d", f"{packing}+gzip")
    entry = {"path": "d", "digest": layer.digest, "diffId": sha256(b"something else")}
    refused(samples.modelkit([layer], {"package": {}, "datasets": [entry]}), tmp_path, Corrupt)


# -- wrong bytes -----------------------------------------------------------------------------------------------------


def damaged(sample: Sample, digest: str, change: Callable[[bytes], bytes]) -> Sample:
    return Sample(sample.manifest, {**sample.blobs, digest: change(sample.blobs[digest])})


KINDS: dict[str, Layer] = {
    "raw": samples.raw("data.bin", b"weights" * 1000, "weight"),
    "tar": samples.tar_layer("src", samples.go_tar({"src/a": b"1" * 3000, "src/b": b"2" * 3000})),
    "gzip": samples.tar_layer("src", gzip.compress(samples.go_tar({"src/a": os.urandom(3000)})), compression="+gzip"),
}


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data[:600] + bytes([data[600] ^ 1]) + data[601:],
        lambda data: data[:-1],
        lambda data: data + b"\0",
    ],
    ids=["last-byte", "a-byte", "shorter", "longer"],
)
def test_layer_of_other_bytes_leaves_none_of_its_files(
    tmp_path: Path, kind: str, change: Callable[[bytes], bytes]
) -> None:
    layer = KINDS[kind]
    refused(damaged(samples.modelpack([layer], config={}), layer.digest, change), tmp_path, Corrupt)


@pytest.mark.parametrize("kind", list(KINDS))
def test_layer_replaced_by_another_valid_one_leaves_none_of_its_files(tmp_path: Path, kind: str) -> None:
    def pack(content: bytes) -> bytes:
        tar = samples.go_tar({"src/a": content})
        return {"raw": content, "tar": tar, "gzip": gzip.compress(tar, compresslevel=0, mtime=0)}[kind]

    layer = samples.raw("src/a", pack(b"honest"), "code")
    if kind != "raw":
        layer = samples.tar_layer("src", pack(b"honest"), compression="+gzip" if kind == "gzip" else "")
    sample = samples.modelpack([layer], config={})
    refused(damaged(sample, layer.digest, lambda _: pack(b"forged")), tmp_path, Corrupt)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("wrong", ["bytes", "shorter", "longer"])
def test_registry_that_sends_other_bytes_leaves_none_of_them(
    tmp_path: Path, fault_registry: FaultRegistry, kind: str, wrong: str
) -> None:
    layer = KINDS[kind]
    sample = samples.modelpack([layer], config={})
    sample.serve(fault_registry)
    if wrong == "bytes":
        fault_registry.add(Fault(method="GET", path=layer.digest, wrong_bytes=True, times=None))
    else:
        body = layer.data[:-10] if wrong == "shorter" else layer.data + b"0123456789"
        fault_registry.add(
            Fault(method="GET", path=layer.digest, status=200, body=body, without=("Content-Length",), times=None)
        )
    remote = connect(fault_registry.host)
    with pytest.raises(KitError) as caught:
        unpack(read_artifact(remote, "v1"), BlobSource(remote), str(tmp_path / "out"))
    assert caught.value.exit_code in (11, 14)
    assert not (tmp_path / "out").exists()


def test_damaged_layer_does_not_spoil_the_others(tmp_path: Path) -> None:
    good, bad = samples.raw("good.bin", b"good", "weight"), samples.raw("bad.bin", b"bad!", "weight")
    sample = damaged(samples.modelpack([good, bad]), bad.digest, lambda _: b"evil")
    with pytest.raises(Corrupt, match=r"bad\.bin"):
        attempt(sample, tmp_path)
    assert {path.name for path in tmp_path.rglob("*.bin")} <= {"good.bin"}
    attempt(samples.modelpack([good, bad]), tmp_path)
    assert {path: data for path, data in tree(tmp_path / "out").items() if path != "Kitfile"} == {
        "good.bin": b"good",
        "bad.bin": b"bad!",
    }


def test_manifest_that_claims_another_size_is_corrupt(tmp_path: Path) -> None:
    layer = samples.raw("a.bin", b"1234", "weight")
    sample = samples.modelpack([layer])
    manifest = json.loads(sample.manifest)
    for size in (3, 5, 1 << 40):
        manifest["layers"][0]["size"] = size
        manifest["layers"][0]["annotations"] = {FILEPATH: "a.bin"}
        wrong = Sample(json.dumps(manifest).encode(), sample.blobs)
        with pytest.raises(Corrupt):
            attempt(wrong, tmp_path / str(size))
        assert not (tmp_path / str(size) / "out").exists()


# -- at the command line ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "code"),
    [
        (tar_kit(("../evil\x1b[31m", b"x")), 16),
        (tar_kit(special("src/l", tarfile.SYMTYPE, "/")), 16),
        (packed_kit(bomb(128 * MIB), "+gzip"), 11),
        (samples.modelpack([samples.raw("../up", b"x")]), 16),
        (samples.modelpack([], '{"package":' * 3000), 16),
    ],
)
def test_refusal_is_an_error_with_its_exit_code_and_no_control_characters(
    tmp_path: Path, environ: dict[str, str], sample: Sample, code: int
) -> None:
    layout = sample.layout(tmp_path / "layout")
    argv = ["git-kit", "unpack", f"oci-layout:{layout.path}:v1", "--dir", "out"]
    done = subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, check=False)
    assert done.returncode == code, done.stderr.decode()
    assert done.stderr.startswith(b"error: ") and b"\x1b" not in done.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path.parent / "evil").exists()
