"""Unpack, inspect and info: kits of every dialect from layout folders, the store and registries, whole and in part."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gitkit.core.events import Advanced, Event, Warned
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, Corrupt, InvalidFile, NetworkError, NotFound, Unsupported, UsageError
from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.filters import parse_filter
from gitkit.modelkit.read import read_artifact
from gitkit.modelkit.unpack import Unpacked, unpack
from gitkit.store.layout import ImageLayout
from tests.lib import kit_samples as samples
from tests.lib.kit_samples import FILEPATH, Layer, Sample, sha256, tree
from tests.lib.registries import Fault, FaultRegistry, RealRegistry, connect
from tests.lib.repos import Repo, clean_environ, init, some_bytes

MIB = 1 << 20
FILES: dict[str, bytes] = {
    "models/m.bin": some_bytes(2 * MIB + 7, seed=1),
    "models/config.json": b'{"model_type": "tiny"}',
    "models/empty.txt": b"",
    "src/run.py": b"print(1)\n",
    "src/lib/deep.py": b"pass\n",
    "data/rows.csv": b"a,b\n" * 100,
    "README.md": b"# hello\n",
}
BLOBS = r"/blobs/sha256:"


def unpacked(
    remote: Remote, folder: Path, *filters: str, store: ImageLayout | None = None, keep: bool = False, **options: Any
) -> Unpacked:
    """Unpack the kit ``v1`` of ``remote``."""
    source = BlobSource(remote, store, keep)
    return unpack(
        read_artifact(remote, "v1"), source, str(folder), filters=[parse_filter(text) for text in filters], **options
    )


def states(result: Unpacked) -> dict[str, str]:
    return {file.path: file.state for file in result.files}


def blob_requests(registry: FaultRegistry) -> dict[str, list[str]]:
    """The ranges of blobs that were asked for, by digest; "" for a whole one."""
    found: dict[str, list[str]] = {}
    for call in registry.seen("GET", BLOBS):
        found.setdefault("sha256:" + call.path.rpartition(":")[2], []).append(call.headers.get("Range") or "")
    return found


def starts(registry: FaultRegistry, digest: str) -> list[int]:
    """Where the requests for a blob started."""
    return [int((re.match(r"bytes=(\d+)-", text) or [0, 0])[1]) for text in blob_requests(registry)[digest]]


# -- every dialect ---------------------------------------------------------------------------------------------------


def zstd(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard")
    return bytes(zstandard.ZstdCompressor().compress(data))


PLAIN_TAR = samples.go_tar({"src": None, **{path: data for path, data in FILES.items() if path.startswith("src/")}})


def test_modelpack_of_raw_layers_unpacks_to_its_files(tmp_path: Path) -> None:
    layout = samples.files(FILES).layout(tmp_path / "layout")
    result = unpacked(layout, tmp_path / "out")
    found = tree(tmp_path / "out")
    assert found.pop("Kitfile").startswith(b"manifestVersion: 1.0.0\n")
    assert found == FILES
    assert set(states(result).values()) == {"written"}
    assert result.size == sum(file.size for file in result.files)


@pytest.mark.parametrize("sample", [samples.golden, samples.golden_of_kit_0_5, samples.golden_of_kit_0_4])
def test_modelkits_of_every_age_unpack_to_the_same_files(tmp_path: Path, sample: Any) -> None:
    unpacked(sample().layout(tmp_path / "layout"), tmp_path / "out")
    found = tree(tmp_path / "out")
    found.pop("Kitfile")
    assert found == {path: data for path, data in samples.GOLDEN_FILES.items() if path in found}
    assert len(found) == (6 if sample is samples.golden else 5)


@pytest.mark.parametrize("compression", ["", "+gzip", "+zstd"])
def test_tar_layer_unpacks_however_it_is_compressed(tmp_path: Path, compression: str) -> None:
    pack = {"": bytes, "+gzip": gzip.compress, "+zstd": zstd}[compression]
    layer = samples.tar_layer("src", pack(PLAIN_TAR), compression=compression)
    sample = samples.modelpack([layer], config={"modelfs": {"diffIds": [sha256(PLAIN_TAR)]}})
    unpacked(sample.layout(tmp_path / "layout"), tmp_path / "out", "code")
    assert tree(tmp_path / "out") == {path: data for path, data in FILES.items() if path.startswith("src/")}


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressed_raw_layer_unpacks_to_its_file(tmp_path: Path, compression: str) -> None:
    pack = {"gzip": gzip.compress, "zstd": zstd}[compression]
    layer = samples.kitops_layer("dataset", pack(FILES["data/rows.csv"]), "data/rows.csv", f"raw+{compression}")
    entry = {"path": "data/rows.csv", "digest": layer.digest, "diffId": sha256(FILES["data/rows.csv"])}
    layout = samples.modelkit([layer], {"package": {}, "datasets": [entry]}).layout(tmp_path / "layout")
    unpacked(layout, tmp_path / "out", "datasets")
    assert tree(tmp_path / "out") == {"data/rows.csv": FILES["data/rows.csv"]}


def test_gzip_of_several_members_unpacks_whole(tmp_path: Path) -> None:
    half = len(PLAIN_TAR) // 2
    packed = gzip.compress(PLAIN_TAR[:half]) + gzip.compress(PLAIN_TAR[half:])
    layout = samples.modelpack([samples.tar_layer("src", packed, compression="+gzip")], config={}).layout(
        tmp_path / "l"
    )
    assert len(unpacked(layout, tmp_path / "out", "code").files) == 2


def test_zstd_layer_without_the_package_is_unsupported_and_says_what_to_install(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    layout = samples.modelpack([samples.tar_layer("src", b"x", compression="+zstd")], config={}).layout(tmp_path / "l")
    blocker = "import sys; sys.modules['zstandard'] = None; from gitkit.__main__ import main; main()"
    argv = [sys.executable, "-c", blocker, "unpack", f"oci-layout:{layout.path}:v1", "-d", "out"]
    done = subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == Unsupported.exit_code, done.stderr
    assert "pip install zstandard" in done.stderr
    assert not (tmp_path / "out").exists()


def test_image_unpacks_what_is_below_models(tmp_path: Path) -> None:
    members = samples.tar_of(("etc/other", b"no"), ("models/src/run.py", b"yes"), ("models/m.bin", b"weights"))
    layer = Layer("application/vnd.oci.image.layer.v1.tar", members)
    kitfile = {"package": {}, "model": {"path": "m.bin"}, "code": [{"path": "src"}]}
    sample = samples.kit(
        "application/vnd.oci.image.config.v1+json", {}, [layer], annotations={samples.KITFILE: json.dumps(kitfile)}
    )
    layout = sample.layout(tmp_path / "layout")
    unpacked(layout, tmp_path / "all")
    assert tree(tmp_path / "all").keys() == {"Kitfile", "m.bin", "src/run.py"}
    unpacked(layout, tmp_path / "code", "code")
    assert tree(tmp_path / "code") == {"src/run.py": b"yes"}


def test_names_beyond_ustar_and_large_numbers_are_read(tmp_path: Path) -> None:
    names = ["ü/" + "x" * 200, "d" * 90 + "/" + "e" * 90, "plain"]
    for form in (0, 1, 2):  # ustar refuses some of them
        data = samples.tar_of(*((name, name.encode()) for name in names if form or name == "plain"), form=form)
        layout = samples.modelpack([samples.tar_layer("code", data)]).layout(tmp_path / f"layout{form}")
        unpacked(layout, tmp_path / f"out{form}", "code")
        found = tree(tmp_path / f"out{form}")
        assert found == {name: name.encode() for name in (names if form else ["plain"])}


def test_empty_folders_are_made_unless_a_part_is_asked_for(tmp_path: Path) -> None:
    layout = samples.modelpack(
        [samples.tar_layer("src", samples.go_tar({"src": None, "src/empty": None, "src/a": b"1"}))]
    ).layout(tmp_path / "l")
    unpacked(layout, tmp_path / "out")
    assert (tmp_path / "out/src/empty").is_dir()
    unpacked(layout, tmp_path / "part", "code:a")
    assert not (tmp_path / "part/src/empty").exists()


def test_empty_kit_unpacks_to_its_kitfile(tmp_path: Path) -> None:
    layout = samples.modelkit([], {"package": {"name": "none"}}).layout(tmp_path / "layout")
    unpacked(layout, tmp_path / "out")
    assert tree(tmp_path / "out") == {"Kitfile": b"package:\n  name: none\n"}


# -- modes, Kitfile --------------------------------------------------------------------------------------------------


def test_modes_are_those_of_git_whatever_the_kit_says(tmp_path: Path) -> None:
    import tarfile

    member = tarfile.TarInfo("src/tool")
    member.mode = 0o6777
    layers = [
        samples.raw("run.sh", b"#!/bin/sh\n", "code", mode=0o4755),
        samples.raw("notes", b"n", "doc", mode=0o666),
        samples.tar_layer("src", samples.tar_of((member, b"x"))),
    ]
    unpacked(samples.modelpack(layers).layout(tmp_path / "layout"), tmp_path / "out")
    umask = os.umask(0)
    os.umask(umask)
    modes = {name: (tmp_path / "out" / name).stat().st_mode & 0o7777 for name in ("run.sh", "notes", "src/tool")}
    assert modes == {"run.sh": 0o777 & ~umask, "notes": 0o666 & ~umask, "src/tool": 0o777 & ~umask}


def test_kitfile_is_written_without_digests_and_reads_back(tmp_path: Path) -> None:
    from gitkit.core.kitfile import parse_kitfile

    kitfile = samples.golden_kitfile() | {"manifestVersion": "1.0.0"}
    kitfile["package"] |= {"version": "1.0", "license": "no", "description": "two\nlines: #1", "name": "\x1b[31m"}
    layout = samples.modelkit(samples.golden_layers(), kitfile).layout(tmp_path / "layout")
    unpacked(layout, tmp_path / "out", "kitfile")
    text = (tmp_path / "out/Kitfile").read_bytes()
    assert b"sha256" not in text and b"\x1b" not in text
    read = parse_kitfile(text)
    assert (read.package.version, read.package.license) == ("1.0", "no")
    assert (read.package.description, read.package.name) == ("two\nlines: #1", "\x1b[31m")
    assert read.model is not None and read.model.parameters == {"epochs": 3, "lr": 0.001}
    assert tree(tmp_path / "out").keys() == {"Kitfile"}


def test_kit_with_a_kitfile_of_its_own_keeps_it(tmp_path: Path) -> None:
    layout = samples.files({"Kitfile": b"# mine\n", "a.md": b"a"}).layout(tmp_path / "layout")
    unpacked(layout, tmp_path / "out")
    assert tree(tmp_path / "out") == {"Kitfile": b"# mine\n", "a.md": b"a"}


def test_data_elsewhere_is_told(tmp_path: Path) -> None:
    place = "s3://bucket/rows"
    kitfile = {
        "package": {},
        "datasets": [{"path": "d", "remotePath": place, "remoteHash": "1"}],
        "docs": [{"path": "R"}],
    }
    layer = samples.kitops_layer("docs", samples.go_tar({"R": b"r"}), "R")
    kitfile["docs"] = [{"path": "R", "digest": layer.digest}]  # type: ignore[dict-item]
    events: list[Event] = []
    unpacked(samples.modelkit([layer], kitfile).layout(tmp_path / "l"), tmp_path / "out", emit=events.append)
    assert [event.text for event in events if isinstance(event, Warned)] == [
        f"the kit does not hold the data at {place}"
    ]


# -- what is there already -------------------------------------------------------------------------------------------


def test_unpacking_again_keeps_everything_and_moves_nothing(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    samples.files(FILES).serve(fault_registry)
    remote = connect(fault_registry.host)
    unpacked(remote, tmp_path / "out")
    before = {path: (tmp_path / "out" / path).stat().st_ino for path in FILES}
    fault_registry.requests.clear()
    result = unpacked(remote, tmp_path / "out")
    assert set(states(result).values()) == {"kept"}
    assert len(fault_registry.seen("GET", BLOBS)) == 1  # the config
    assert {path: (tmp_path / "out" / path).stat().st_ino for path in FILES} == before


def test_half_finished_folder_is_finished(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    samples.files(FILES).serve(fault_registry)
    remote = connect(fault_registry.host)
    unpacked(remote, tmp_path / "out")
    (tmp_path / "out/models/m.bin").unlink()
    (tmp_path / "out/src/run.py").unlink()
    fault_registry.requests.clear()
    result = unpacked(remote, tmp_path / "out")
    written = {path for path, state in states(result).items() if state == "written"}
    assert written == {"models/m.bin", "src/run.py"}
    assert blob_requests(fault_registry).keys() >= {sha256(FILES[path]) for path in written}
    assert len(blob_requests(fault_registry)) == 3
    found = tree(tmp_path / "out")
    assert {path: found[path] for path in FILES} == FILES


def test_killed_unpack_leaves_whole_files_and_is_finished_by_the_next(
    tmp_path: Path, fault_registry: FaultRegistry, environ: dict[str, str]
) -> None:
    samples.files(FILES).serve(fault_registry)
    large = sha256(FILES["models/m.bin"])
    held = fault_registry.add(Fault(method="GET", path=large, pause_after=MIB, times=1))
    argv = ["git-kit", "unpack", f"oci://{fault_registry.host}/acme/llm:v1", "-d", "out"]
    process = subprocess.Popen(argv, cwd=tmp_path, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert held.reached.wait(timeout=30)
    process.kill()
    process.wait(timeout=30)
    held.resume.set()
    left = tree(tmp_path / "out")
    assert "models/m.bin" not in left
    assert {
        path: data for path, data in left.items() if not path.startswith(".git-kit-unpack-")
    }.items() <= FILES.items()
    assert any(path.startswith(".git-kit-unpack-") for path in left)
    unpacked(connect(fault_registry.host), tmp_path / "out")
    found = tree(tmp_path / "out")
    found.pop("Kitfile")
    assert found == FILES


def test_running_unpack_is_not_swept_by_another(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    samples.files(FILES).serve(fault_registry)
    large = sha256(FILES["models/m.bin"])
    held = fault_registry.add(Fault(method="GET", path=large, pause_after=MIB, times=1))
    failures: list[BaseException] = []

    def first() -> None:
        try:
            unpacked(connect(fault_registry.host), tmp_path / "out", "model:*.bin")
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    assert held.reached.wait(timeout=30)
    unpacked(connect(fault_registry.host), tmp_path / "out", "code")
    held.resume.set()
    thread.join(timeout=30)
    assert failures == []
    assert (tmp_path / "out/models/m.bin").read_bytes() == FILES["models/m.bin"]


def test_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    samples.files(FILES).serve(fault_registry)
    mine = tmp_path / "out/models/m.bin"

    def write_mine() -> None:
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_text("mine")

    fault_registry.add(Fault(method="GET", path=sha256(FILES["models/m.bin"]), call=write_mine))
    with pytest.raises(Conflict, match="meanwhile"):
        unpacked(connect(fault_registry.host), tmp_path / "out", "model:m.bin", overwrite=True)
    assert mine.read_text() == "mine"


def test_other_files_in_the_way_are_listed_and_nothing_is_touched(
    tmp_path: Path, fault_registry: FaultRegistry
) -> None:
    samples.files(FILES).serve(fault_registry)
    for path, text in (("README.md", "mine"), ("src/run.py", "mine too")):
        (tmp_path / "out" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / path).write_text(text)
    with pytest.raises(Conflict) as caught:
        unpacked(connect(fault_registry.host), tmp_path / "out")
    assert "README.md" in caught.value.message and "src/run.py" in caught.value.message
    assert tree(tmp_path / "out") == {"README.md": b"mine", "src/run.py": b"mine too"}
    assert len(fault_registry.seen("GET", BLOBS)) == 1  # the config
    result = unpacked(connect(fault_registry.host), tmp_path / "out", overwrite=True)
    assert states(result)["README.md"] == "replaced"
    found = tree(tmp_path / "out")
    assert {path: found[path] for path in FILES} == FILES


def test_other_file_in_the_way_of_a_tar_leaves_its_whole_layer_out(tmp_path: Path) -> None:
    layout = samples.modelpack([samples.tar_layer("src", PLAIN_TAR)]).layout(tmp_path / "layout")
    (tmp_path / "out/src").mkdir(parents=True)
    (tmp_path / "out/src/run.py").write_text("mine")
    with pytest.raises(Conflict, match=r"src/run\.py"):
        unpacked(layout, tmp_path / "out")
    assert tree(tmp_path / "out") == {"src/run.py": b"mine"}
    unpacked(layout, tmp_path / "out", overwrite=True)
    assert tree(tmp_path / "out")["src/run.py"] == FILES["src/run.py"]


def test_equal_files_of_a_tar_are_kept(tmp_path: Path) -> None:
    layout = samples.modelpack([samples.tar_layer("src", PLAIN_TAR)]).layout(tmp_path / "layout")
    unpacked(layout, tmp_path / "out")
    inode = (tmp_path / "out/src/run.py").stat().st_ino
    result = unpacked(layout, tmp_path / "out")
    assert set(states(result).values()) == {"kept"}
    assert (tmp_path / "out/src/run.py").stat().st_ino == inode


@pytest.mark.parametrize("overwrite", [False, True])
def test_folder_in_the_place_of_a_file_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    layout = samples.files({"a.md": b"a", "b.md": b"b"}).layout(tmp_path / "layout")
    (tmp_path / "out/a.md").mkdir(parents=True)
    with pytest.raises(Conflict, match="in the way"):
        unpacked(layout, tmp_path / "out", overwrite=overwrite)
    assert tree(tmp_path / "out") == {}


@pytest.mark.parametrize("packing", ["raw", "tar"])
def test_link_in_the_place_of_a_folder_is_not_followed(tmp_path: Path, packing: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/src").symlink_to(tmp_path / "outside")
    layer = samples.raw("src/run.py", b"x", "code") if packing == "raw" else samples.tar_layer("src", PLAIN_TAR)
    with pytest.raises(Conflict):
        unpacked(samples.modelpack([layer]).layout(tmp_path / "layout"), tmp_path / "out", overwrite=True)
    assert list((tmp_path / "outside").iterdir()) == []


def test_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.md").symlink_to(tmp_path / "outside")
    layout = samples.files({"a.md": b"a"}).layout(tmp_path / "layout")
    with pytest.raises(Conflict):
        unpacked(layout, tmp_path / "out")
    unpacked(layout, tmp_path / "out", overwrite=True)
    assert not (tmp_path / "out/a.md").is_symlink()
    assert (tmp_path / "outside").read_text() == "mine"


def test_failed_unpack_leaves_no_new_folder(tmp_path: Path) -> None:
    sample = samples.files({"a.md": b"a"})
    sample.blobs.pop(sha256(b"a"))
    with pytest.raises(NotFound, match=r"a\.md"):
        unpacked(sample.layout(tmp_path / "layout"), tmp_path / "out", "docs")
    assert not (tmp_path / "out").exists()


# -- filters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["kitfile"], {"Kitfile"}),
        (["code"], {"src/run.py", "src/lib/deep.py"}),
        (["code,docs"], {"src/run.py", "src/lib/deep.py", "README.md"}),
        (["model"], {"models/m.bin", "models/config.json", "models/empty.txt"}),
        (["model:tiny"], {"models/m.bin", "models/config.json", "models/empty.txt"}),
        (["model:models/m.bin"], {"models/m.bin"}),
        (["model:./models/m.bin", "docs"], {"models/m.bin", "README.md"}),
        (["code:src"], {"src/run.py", "src/lib/deep.py"}),
        (["code:src/lib/"], {"src/lib/deep.py"}),
        (["code:*.py"], {"src/run.py", "src/lib/deep.py"}),
        (["code:src/*.py"], {"src/run.py"}),
        (["code:src/**/*.py"], {"src/run.py", "src/lib/deep.py"}),
        (["code:r?n.py,deep.py"], {"src/run.py", "src/lib/deep.py"}),
        (["datasets:rows,README.md"], {"data/rows.csv"}),
        (["datasets:rows", "kitfile"], {"data/rows.csv", "Kitfile"}),
        (["model,code:**/[cr]*"], {"models/config.json", "src/run.py"}),
    ],
)
@pytest.mark.parametrize("packing", ["raw", "tar"])
def test_filter_takes_just_what_it_says(tmp_path: Path, filters: list[str], expected: set[str], packing: str) -> None:
    layout = filtered_sample(packing).layout(tmp_path / "layout")
    result = unpacked(layout, tmp_path / "out", *filters)
    assert tree(tmp_path / "out").keys() == expected
    assert {file.path for file in result.files} == expected


def filtered_sample(packing: str) -> Sample:
    """``FILES`` as raw layers, or as the tar layers of a Kitfile that names folders."""
    if packing == "raw":
        layers = [
            samples.raw(path, data, "weight" if path.endswith(".bin") else "code") for path, data in FILES.items()
        ]
    else:
        layers = [
            samples.tar_layer(entry, samples.go_tar(members_of(entry)))
            for entry in ("models", "src", "data/rows.csv", "README.md")
        ]
    by_path = {layer.annotations[FILEPATH]: layer.digest for layer in layers}

    def entries(*paths: str, **values: str) -> list[dict[str, str]]:
        return [{**values, "path": path, "digest": by_path[path]} for path in paths if path in by_path]

    model, *parts = entries("models", "models/m.bin", "models/config.json", "models/empty.txt")
    kitfile = {
        "package": {},
        "model": {"name": "tiny", **model, "parts": parts},
        "code": entries("src", "src/run.py", "src/lib/deep.py"),
        "datasets": entries("data/rows.csv", name="rows"),
        "docs": entries("README.md"),
    }
    return samples.modelpack(layers, kitfile)


def members_of(entry: str) -> Mapping[str, bytes | None]:
    members: dict[str, bytes | None] = {entry: None} if entry not in FILES else {}
    return {**members, **{path: data for path, data in FILES.items() if path == entry or path.startswith(f"{entry}/")}}


@pytest.mark.parametrize("text", ["", "weights", "model:", "model,", "mcp:x"])
def test_filter_that_is_none_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_filter(text)


@pytest.mark.parametrize("packing", ["raw", "tar"])
@pytest.mark.parametrize("text", ["prompts", "docs:nothing.md", "code:README.md", "model:models/*/m.bin"])
def test_filter_that_matches_nothing_is_not_found(tmp_path: Path, packing: str, text: str) -> None:
    with pytest.raises(NotFound):
        unpacked(filtered_sample(packing).layout(tmp_path / "layout"), tmp_path / "out", text)
    assert not (tmp_path / "out").exists()


def test_filter_of_raw_layers_moves_only_those_blobs(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    sample = filtered_sample("raw")
    sample.serve(fault_registry)
    unpacked(connect(fault_registry.host), tmp_path / "out", "model:*.json", "docs")
    config = json.loads(sample.manifest)["config"]["digest"]
    expected = {config, sha256(FILES["models/config.json"]), sha256(FILES["README.md"])}
    assert blob_requests(fault_registry).keys() == expected


def test_filter_of_tar_layers_moves_only_layers_that_may_match(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    sample = filtered_sample("tar")
    sample.serve(fault_registry)
    unpacked(connect(fault_registry.host), tmp_path / "out", "code:src/lib/*.py", "model:data/*")
    layers = {layer["annotations"][FILEPATH]: layer["digest"] for layer in json.loads(sample.manifest)["layers"]}
    asked = blob_requests(fault_registry).keys()
    assert layers["src"] in asked
    assert not asked & {layers["models"], layers["data/rows.csv"], layers["README.md"]}


# -- single files out of a tar ---------------------------------------------------------------------------------------

LARGE = {"w/a.bin": some_bytes(MIB, seed=3), "w/b.bin": some_bytes(300_000, seed=4), "w/c.bin": some_bytes(MIB, seed=5)}
DIGESTS = {path: sha256(data) for path, data in LARGE.items()}
LARGE_TAR = samples.go_tar({"w": None, **LARGE})


def large_kit() -> Sample:
    return samples.modelpack([samples.tar_layer("w", LARGE_TAR, "weight")])


def test_file_of_a_known_digest_is_read_by_its_range_alone(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    large_kit().serve(fault_registry)
    events: list[Event] = []
    unpacked(connect(fault_registry.host), tmp_path / "out", "model:b.bin", known=DIGESTS, emit=events.append)
    assert tree(tmp_path / "out") == {"w/b.bin": LARGE["w/b.bin"]}
    read = sum(event.bytes for event in events if isinstance(event, Advanced))
    assert 300_000 < read < 300_000 + 64 * 1024
    first, *others = starts(fault_registry, sha256(LARGE_TAR))
    assert first == 0 and others and all(start > MIB for start in others)


def test_file_of_an_unknown_digest_costs_its_whole_layer(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    large_kit().serve(fault_registry)
    events: list[Event] = []
    unpacked(connect(fault_registry.host), tmp_path / "out", "model:b.bin", emit=events.append)
    assert tree(tmp_path / "out") == {"w/b.bin": LARGE["w/b.bin"]}
    assert sum(event.bytes for event in events if isinstance(event, Advanced)) == len(LARGE_TAR)
    assert blob_requests(fault_registry)[sha256(LARGE_TAR)] == [""]


def test_file_of_a_known_digest_that_is_something_else_is_corrupt(tmp_path: Path) -> None:
    layout = large_kit().layout(tmp_path / "layout")
    with pytest.raises(Corrupt, match=r"w/b\.bin"):
        unpacked(layout, tmp_path / "out", "model:b.bin", known={**DIGESTS, "w/b.bin": sha256(b"other")})
    with pytest.raises(Corrupt, match=r"w/d\.bin is not in the layer"):
        unpacked(layout, tmp_path / "out", "model:d.bin", known={**DIGESTS, "w/d.bin": sha256(b"other")})
    assert not (tmp_path / "out").exists()


def test_file_of_a_known_digest_is_verified_when_the_registry_lies(
    tmp_path: Path, fault_registry: FaultRegistry
) -> None:
    sample = large_kit()
    at = LARGE_TAR.index(LARGE["w/b.bin"]) + 1000
    sample.blobs[sha256(LARGE_TAR)] = LARGE_TAR[:at] + b"!" + LARGE_TAR[at + 1 :]
    sample.serve(fault_registry)
    with pytest.raises(Corrupt):
        unpacked(connect(fault_registry.host), tmp_path / "out", "model:b.bin", known=DIGESTS)
    assert not (tmp_path / "out").exists()


def test_known_digests_that_match_nothing_read_nothing(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    large_kit().serve(fault_registry)
    with pytest.raises(NotFound):
        unpacked(connect(fault_registry.host), tmp_path / "out", "model:z.bin", known=DIGESTS)
    assert sha256(LARGE_TAR) not in blob_requests(fault_registry)


def test_known_files_that_are_there_are_not_read_again(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    large_kit().serve(fault_registry)
    remote = connect(fault_registry.host)
    unpacked(remote, tmp_path / "out", "model:b.bin", known=DIGESTS)
    fault_registry.requests.clear()
    assert states(unpacked(remote, tmp_path / "out", "model:b.bin", known=DIGESTS)) == {"w/b.bin": "kept"}
    assert sha256(LARGE_TAR) not in blob_requests(fault_registry)
    (tmp_path / "out/w/b.bin").write_bytes(b"mine")
    with pytest.raises(Conflict):
        unpacked(remote, tmp_path / "out", "model:b.bin", known=DIGESTS)


def test_image_whose_kitfile_tells_digests_of_files_is_read_by_range(
    tmp_path: Path, fault_registry: FaultRegistry
) -> None:
    layer = Layer(
        "application/vnd.oci.image.layer.v1.tar",
        samples.go_tar({f"models/{path}": data for path, data in LARGE.items()}),
    )
    parts = [{"path": path, "digest": DIGESTS[path], "diffId": DIGESTS[path]} for path in LARGE]
    kitfile = {"package": {}, "model": {**parts[0], "parts": parts[1:]}}
    sample = samples.kit(
        "application/vnd.oci.image.config.v1+json", {}, [layer], annotations={samples.KITFILE: json.dumps(kitfile)}
    )
    sample.serve(fault_registry)
    events: list[Event] = []
    unpacked(connect(fault_registry.host), tmp_path / "out", "model:w/b.bin", emit=events.append)
    assert tree(tmp_path / "out") == {"w/b.bin": LARGE["w/b.bin"]}
    assert sum(event.bytes for event in events if isinstance(event, Advanced)) < MIB


# -- store and transfers ---------------------------------------------------------------------------------------------


def test_content_of_the_store_is_not_asked_of_the_remote(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    sample = samples.files(FILES)
    sample.serve(fault_registry)
    store = sample.layout(tmp_path / "store")
    unpacked(connect(fault_registry.host), tmp_path / "out", store=store)
    assert len(blob_requests(fault_registry)) == 1  # the config
    assert (tmp_path / "out/models/m.bin").read_bytes() == FILES["models/m.bin"]


def test_damaged_blob_of_the_store_is_corrupt_and_not_visible(tmp_path: Path) -> None:
    sample = samples.files({"m.bin": some_bytes(MIB + 1)})
    digest = sha256(some_bytes(MIB + 1))
    sample.blobs[digest] = bytes([sample.blobs[digest][0] ^ 1]) + sample.blobs[digest][1:]
    store = sample.layout(tmp_path / "store")
    with pytest.raises(Corrupt, match=r"m\.bin"):
        unpacked(store, tmp_path / "out", "model", store=store)
    assert not (tmp_path / "out").exists()


def test_downloads_are_kept_in_the_store_when_asked(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    samples.files(FILES).serve(fault_registry)
    store = ImageLayout(str(tmp_path / "store"))
    unpacked(connect(fault_registry.host), tmp_path / "foreign", store=store)
    assert not store.has_blob(sha256(FILES["models/m.bin"]))
    unpacked(connect(fault_registry.host), tmp_path / "own", store=store, keep=True)
    assert all(store.holds(sha256(data), len(data)) for data in FILES.values())


@pytest.mark.parametrize("packing", ["raw", "tar"])
def test_broken_connections_are_continued_where_they_broke(
    tmp_path: Path, fault_registry: FaultRegistry, packing: str
) -> None:
    sample = filtered_sample(packing)
    sample.serve(fault_registry)
    layers = {layer["annotations"][FILEPATH]: layer["digest"] for layer in json.loads(sample.manifest)["layers"]}
    digest = layers["models/m.bin" if packing == "raw" else "models"]
    fault_registry.add(Fault(method="GET", path=digest, cut_body_after=MIB, times=1))
    unpacked(connect(fault_registry.host), tmp_path / "out", "model")
    assert (tmp_path / "out/models/m.bin").read_bytes() == FILES["models/m.bin"]
    first, second = starts(fault_registry, digest)
    assert first == 0 and second > 0


def test_registry_that_never_sends_a_byte_is_given_up(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    samples.files({"m.bin": some_bytes(MIB)}).serve(fault_registry)
    fault_registry.add(Fault(method="GET", path=sha256(some_bytes(MIB)), cut_body_after=0, times=None))
    with pytest.raises(NetworkError):
        unpacked(connect(fault_registry.host), tmp_path / "out", "model")
    assert not (tmp_path / "out").exists()


def test_one_failure_stops_the_others_and_is_the_one_reported(tmp_path: Path, fault_registry: FaultRegistry) -> None:
    contents = {"a.bin": some_bytes(MIB, seed=8), "b.bin": some_bytes(MIB - 1, seed=9)}
    samples.files(contents).serve(fault_registry)
    held = fault_registry.add(Fault(method="GET", path=sha256(contents["a.bin"]), pause_after=1000))
    fault_registry.add(
        Fault(method="GET", path=sha256(contents["b.bin"]), wrong_bytes=True, times=None, call=held.resume.set)
    )
    with pytest.raises(Corrupt, match=r"b\.bin"):
        unpacked(connect(fault_registry.host), tmp_path / "out", "model")
    assert "b.bin" not in {path.name for path in tmp_path.rglob("*.bin")}


def test_kit_of_a_real_registry_unpacks(tmp_path: Path, real_registry: RealRegistry) -> None:
    remote = connect(real_registry.host)
    for tag, sample in (("v1", filtered_sample("raw")), ("v2", filtered_sample("tar")), ("v3", samples.golden())):
        sample.push(remote, tag)
        artifact = read_artifact(remote, tag)
        result = unpack(artifact, BlobSource(remote), str(tmp_path / tag))
        assert result.files
    assert tree(tmp_path / "v1") == {**FILES, "Kitfile": (tmp_path / "v1/Kitfile").read_bytes()}
    assert tree(tmp_path / "v2").keys() == tree(tmp_path / "v1").keys()
    assert tree(tmp_path / "v3").keys() == {*samples.GOLDEN_FILES, "Kitfile"}


# -- kits that name kits ---------------------------------------------------------------------------------------------


def named(path: str, **files: bytes) -> Sample:
    """A ModelKit whose model is the kit at ``path`` (none for ""), with ``files`` as docs."""
    layers = [samples.kitops_layer("docs", samples.go_tar({name: data}), name) for name, data in files.items()]
    docs = [{"path": name, "digest": layer.digest} for name, layer in zip(files, layers, strict=True)]
    model: dict[str, Any] = {"model": {"path": path}} if path else {}
    return samples.modelkit(layers, {"package": {"name": "x" + path}, **model, "docs": docs})


def resolver(kits: Mapping[str, Sample], folder: Path) -> Any:
    def resolve(text: str) -> tuple[Remote, Artifact]:
        layout = kits[text].layout(folder / text.replace("/", "_"))
        return layout, read_artifact(layout, "v1")

    return resolve


def test_model_of_another_kit_is_unpacked_with_it(tmp_path: Path) -> None:
    parent = filtered_sample("raw")
    kits = {"reg.example/base:1": parent, "reg.example/mid:1": named("reg.example/base:1", mid=b"m")}
    child = named("reg.example/mid:1", notes=b"n").layout(tmp_path / "child")
    unpacked(child, tmp_path / "out", resolve=resolver(kits, tmp_path))
    found = tree(tmp_path / "out")
    assert found.keys() == {"Kitfile", "notes", "models/m.bin", "models/config.json", "models/empty.txt"}
    assert b"reg.example/mid:1" in found["Kitfile"]
    unpacked(child, tmp_path / "docs", "docs", resolve=None)
    assert tree(tmp_path / "docs") == {"notes": b"n"}


def test_model_of_another_kit_without_a_way_there_is_unsupported(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"reg\.example/base:1"):
        unpacked(named("reg.example/base:1").layout(tmp_path / "child"), tmp_path / "out")


def test_circle_of_kits_is_invalid(tmp_path: Path) -> None:
    kits = {"reg.example/a:1": named("reg.example/b:1"), "reg.example/b:1": named("reg.example/a:1")}
    with pytest.raises(InvalidFile, match="circle"):
        unpacked(kits["reg.example/a:1"].layout(tmp_path / "c"), tmp_path / "out", resolve=resolver(kits, tmp_path))


@pytest.mark.parametrize("length", [10, 11])
def test_chain_of_kits_has_an_end(tmp_path: Path, length: int) -> None:
    kits = {f"reg.example/k:{number}": named(f"reg.example/k:{number + 1}") for number in range(length)}
    kits[f"reg.example/k:{length}"] = named("", last=b"l")
    child = kits["reg.example/k:0"].layout(tmp_path / "child")
    if length == 10:
        assert unpacked(child, tmp_path / "out", resolve=resolver(kits, tmp_path)).files
    else:
        with pytest.raises(InvalidFile, match="more than 10"):
            unpacked(child, tmp_path / "out", resolve=resolver(kits, tmp_path))


# -- the commands ----------------------------------------------------------------------------------------------------

KITFILE = """\
# by hand
manifestVersion: 1.0.0
package: {name: demo, license: MIT}
model: {name: tiny, path: models}
code: [{path: src}]
datasets: [{name: rows, path: data}]
docs: [{path: README.md}]
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A repository with ``FILES`` in a kit that is built and not released; its large files are pointers."""
    folder = tmp_path_factory.mktemp("original")
    repo = init(folder / "repo", clean_environ(folder / "home"))
    repo.kit("install")
    repo.commit("kit", {".gitattributes": "*.bin filter=kit -text\n", "Kitfile": KITFILE, **FILES})
    repo.git("tag", "v1.0.0")
    repo.kit("build", "v1.0.0")
    return repo


@pytest.fixture
def built(tmp_path: Path, original: Repo) -> Repo:
    """A copy of ``original``."""
    shutil.copytree(original.path, tmp_path / "repo", symlinks=True)
    return Repo(tmp_path / "repo", original.environ)


def test_unpack_of_a_tag_takes_the_stores_kit_and_the_authors_kitfile(built: Repo) -> None:
    done = built.kit("unpack", "v1.0.0", "--dir", "../out")
    assert done.stdout == ""
    assert "../out holds 8 files of the kit" in done.stderr
    assert tree(built.path / "../out") == {**FILES, "Kitfile": KITFILE.encode()}
    again = json.loads(built.kit("unpack", "v1.0.0", "-d", "../out", "--json").stdout)
    assert {file["state"] for file in again["files"]} == {"kept"}
    assert again["digest"] == built.kit("build", "v1.0.0").stdout.strip()
    assert again["format"] == "modelpack"


def test_unpack_from_a_clone_without_content_downloads_through_its_store(
    built: Repo, tmp_path: Path, fault_registry: FaultRegistry
) -> None:
    built.kit("remote", f"oci://{fault_registry.host}/acme/llm")
    built.commit("remote")
    built.git("tag", "v1.1.0")
    built.kit("release", "v1.1.0")
    clone = Repo(tmp_path / "clone", {**built.environ, "GIT_KIT_SKIP_SMUDGE": "1"})
    built.git("clone", "--quiet", str(built.path), str(clone.path), extra={"GIT_KIT_SKIP_SMUDGE": "1"})
    clone.kit("build", "v1.1.0")
    fault_registry.requests.clear()
    clone.kit("unpack", "v1.1.0", "-d", "../out", "-f", "model:m.bin")
    assert tree(tmp_path / "out") == {"models/m.bin": FILES["models/m.bin"]}
    assert blob_requests(fault_registry).keys() == {sha256(FILES["models/m.bin"])}
    fault_registry.requests.clear()
    clone.kit("unpack", "v1.1.0", "-d", "../again", "-f", "model:m.bin")
    assert blob_requests(fault_registry) == {}


def test_unpack_outside_of_a_repository_takes_references(
    built: Repo, tmp_path: Path, fault_registry: FaultRegistry
) -> None:
    samples.files({"a.md": b"a"}).serve(fault_registry)
    samples.files({"b.md": b"b"}).layout(tmp_path / "layout")
    here = Repo(tmp_path, built.environ)
    here.git("kit", "unpack", f"oci://{fault_registry.host}/acme/llm:v1", "-d", "one", "-f", "docs")
    here.git("kit", "unpack", "oci-layout:layout:v1", "-d", "two", "-f", "docs")
    assert (tree(tmp_path / "one"), tree(tmp_path / "two")) == ({"a.md": b"a"}, {"b.md": b"b"})
    assert "not a Git repository" in here.git("kit", "unpack", "v1", code=NotFound.exit_code).stderr


def test_interrupted_unpack_exits_130_and_shows_nothing(
    tmp_path: Path, environ: dict[str, str], fault_registry: FaultRegistry
) -> None:
    samples.files(FILES).serve(fault_registry)
    held = fault_registry.add(Fault(method="GET", path=sha256(FILES["models/m.bin"]), pause_after=MIB))
    argv = ["git-kit", "unpack", f"oci://{fault_registry.host}/acme/llm:v1", "-d", "out", "-f", "model:m.bin"]
    process = subprocess.Popen(argv, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert held.reached.wait(timeout=30)
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors) == (130, b"interrupted\n")
    assert "m.bin" not in {path.name for path in (tmp_path / "out").rglob("*")}


def test_unpack_conflict_exits_13_and_names_the_files(built: Repo) -> None:
    built.write("README.md", "changed\n")
    done = built.kit("unpack", "v1.0.0", code=Conflict.exit_code)
    assert "  README.md" in done.stderr and "--overwrite" in done.stderr
    built.kit("unpack", "v1.0.0", "--overwrite")
    assert built.read("README.md") == FILES["README.md"]


def test_unpack_finds_the_kit_that_a_kit_names(repo: Repo, fault_registry: FaultRegistry) -> None:
    base = filtered_sample("raw")
    base.serve(fault_registry, "base")
    named(f"{fault_registry.host}/acme/llm:base", notes=b"n").serve(fault_registry, "child")
    repo.kit("unpack", f"oci://{fault_registry.host}/acme/llm:child", "-d", "out")
    assert {"notes", "models/m.bin"} < tree(repo.path / "out").keys()


@pytest.mark.parametrize("reference", ["oci-layout:/etc:v1", "base:latest", "reg.example/UPPER:1"])
def test_kit_that_names_no_registry_for_its_model_is_invalid(repo: Repo, tmp_path: Path, reference: str) -> None:
    layout = named(reference).layout(tmp_path / "layout")
    repo.kit("unpack", f"oci-layout:{layout.path}:v1", "-d", "out", code=InvalidFile.exit_code)


def test_digests_of_the_commit_let_single_files_be_read_from_a_tar(built: Repo, fault_registry: FaultRegistry) -> None:
    built.commit("large", {f"models/{path}": data for path, data in LARGE.items()})
    commit = built.out("rev-parse", "HEAD")
    members = {f"models/{path}": data for path, data in LARGE.items()}
    layer = samples.kitops_layer("model", samples.go_tar(members), "models")
    annotations = {"org.opencontainers.image.revision": commit, "org.opencontainers.image.version": "v2"}
    sample = samples.modelkit([layer], {"model": {"path": "models", "digest": layer.digest}}, annotations=annotations)
    sample.serve(fault_registry)
    built.kit("unpack", f"oci://{fault_registry.host}/acme/llm:v1", "-d", "../out", "-f", "model:b.bin")
    assert tree(built.path / "../out") == {"models/w/b.bin": LARGE["w/b.bin"]}
    first, *others = starts(fault_registry, layer.digest)
    assert first == 0 and others and all(start > MIB for start in others)
