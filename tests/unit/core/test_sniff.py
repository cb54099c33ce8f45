"""What model files are by their content, and every place of a file where a pickle can be."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.core.harmless import is_harmless
from gitkit.core.pickle_search import Place, search
from gitkit.core.sniff import FORMATS, Sniffed, sniff
from gitkit.errors import Corrupt, KitError
from tests.lib.header_samples import field, graph_proto, node, onnx_file
from tests.lib.pickle_samples import (
    called,
    joblib_array,
    joblib_file,
    npy,
    reader,
    state_dict,
    tar_of,
    torch_legacy,
    torch_zip,
    zip_of,
)

HOSTILE = called("os", "system", "id")
GOOD = pickle.dumps({"a": [1, 2]})
ARRAYS = joblib_file(joblib_array(b"\0" + bytes(16)))
TENSOR = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
SAFETENSORS = struct.pack("<Q", len(TENSOR)) + TENSOR + bytes(8)
GGUF = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)
ONNX = onnx_file(graph_proto(nodes=[node("Add")]))
FLOATS = npy(bytes(8), "'<f8'")
PIECES = b"".join(
    field(1, field(1, piece) + b"\x15" + struct.pack("<f", -1.0)) for piece in ("<s>", "\N{LOWER ONE EIGHTH BLOCK}a")
)
SAVED_MODEL = field(1, 1) + field(2, b"\x00\x01graph")
COREML = field(1, 5) + field(2, b"\x00\x01what") + field(500, b"\x00\x01net")

SAMPLES = {
    "safetensors": SAFETENSORS,
    "gguf": GGUF,
    "onnx": ONNX,
    "pickle": GOOD,
    "pytorch": torch_zip(state_dict()),
    "joblib": ARRAYS,
    "npy": FLOATS,
    "npz": zip_of({"a.npy": FLOATS}),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "keras": zip_of({"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": b"x"}),
    "saved_model": SAVED_MODEL,
    "tflite": b"\x1c\0\0\0TFL3" + bytes(20),
    "coreml": COREML,
    "sentencepiece": PIECES,
    "zip": zip_of({"a.txt": b"a"}),
    "tar": tar_of({"a.txt": b"a"}),
    "compressed": gzip.compress(b"a text"),
    "json": b'\n{"a": 1}\n',
    "text": "é text\n".encode(),
    "script": b"#!/bin/sh\necho\n",
}


def sniffed(data: bytes, name: str = "file") -> Sniffed:
    return sniff(reader(data), len(data), name)


@pytest.mark.parametrize("format", SAMPLES)
def test_sniff_of_a_sample_tells_its_format_whatever_its_name(format: str) -> None:
    for name in ("file", "model.safetensors", "model.bin"):
        assert (sniffed(SAMPLES[format], name).format, sniffed(SAMPLES[format], name).also) == (format, ())
    assert format in FORMATS


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (HOSTILE, "pickle"),
        (called("os", "system", "id", protocol=0), "pickle"),
        (torch_legacy(state_dict()), "pytorch (legacy)"),
        (zlib.compress(ARRAYS), "joblib (zlib)"),
        (lzma.compress(ARRAYS), "joblib (xz)"),
        (b"", "text (empty)"),
        (b"x^2 is text", "text"),
        (b"\x7fELF\x02\x01", "executable (ELF)"),
        (b"7z\xbc\xaf\x27\x1c", "compressed (7z)"),
        (b"\x01\x02\x03", "unknown"),
        (b"text\x00", "unknown"),
        (b"\xff\xfetext", "unknown"),
        (GGUF + zip_of({"data.pkl": HOSTILE}), "gguf and zip"),
        (b"text" + zip_of({"a.txt": b"a"}), "unknown and zip"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "damaged (this GGUF file has version 1; 2 and 3 are read)"),
    ],
)
def test_sniff_of_odd_files_tells_what_they_are(data: bytes, shown: str) -> None:
    assert str(sniffed(data)) == shown


def test_sniff_of_safetensors_with_something_behind_it_is_damaged() -> None:
    found = sniffed(SAFETENSORS + zip_of({"a": b"a"}))
    assert (found.format, found.also) == ("damaged", ("zip",))


def both() -> bytes:
    """Safetensors that are a pickle: T and the five in the header's length step over the start of the header, and each
    "U~" in the tensor's name over 126 bytes more, until the tensor's own bytes are reached.
    """
    hidden = called("os", "system", "id")[2:]
    name = "".join("U~" + "x" * 126 for _ in range(10)) + "UP"
    entry = {"dtype": "U8", "shape": [len(hidden)], "data_offsets": [0, len(hidden)]}
    header = json.dumps({name: entry}, separators=(",", ":")).encode()
    return struct.pack("<Q", 0x554) + header.ljust(0x554) + hidden


def test_sniff_of_safetensors_that_are_a_pickle_too_tells_both() -> None:
    assert str(sniffed(both(), "model.safetensors")) == "safetensors and pickle"
    with pytest.raises(_Called):
        _Loader(io.BytesIO(both())).load()


class _Called(Exception):
    pass


class _Loader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        raise _Called(module, name)


@pytest.mark.parametrize(
    ("name", "data", "claim", "misnamed"),
    [
        ("a/model.safetensors", HOSTILE, "safetensors", True),
        ("model.safetensors", SAFETENSORS, "safetensors", False),
        ("model.PT", torch_zip(GOOD), "pytorch", False),
        ("model.joblib", GOOD, "joblib", False),
        ("model.pkl", ARRAYS, "pickle", False),
        ("config.json", b"text", "json", False),
        ("config.json", HOSTILE, "json", True),
        ("model.bin", HOSTILE, None, False),
        ("run.py", b"import os\n", "script", False),
        ("gguf", GGUF, None, False),
    ],
)
def test_sniff_tells_what_the_name_says_apart(name: str, data: bytes, claim: str | None, misnamed: bool) -> None:
    assert (sniffed(data, name).claim, sniffed(data, name).is_misnamed) == (claim, misnamed)


@pytest.mark.parametrize(
    ("data", "allow", "allowed"),
    [
        (SAFETENSORS, ["safetensors"], True),
        (SAFETENSORS, ["gguf"], False),
        (b"{}", ["gguf"], True),
        (b"text", ["gguf"], True),
        (b"#!/bin/sh\n", ["gguf"], False),
        (ARRAYS, ["pickle"], True),
        (GOOD, ["joblib"], True),
        (torch_zip(GOOD), ["pytorch"], True),
        (torch_legacy(GOOD), ["pytorch"], True),
        (torch_zip(GOOD), ["zip"], False),
        (GGUF + zip_of({"a": b"a"}), ["gguf", "zip"], False),
        (b"\x01\x02", [*FORMATS], False),
    ],
)
def test_format_is_allowed_by_name_unless_it_is_two_at_once(data: bytes, allow: list[str], allowed: bool) -> None:
    assert sniffed(data).is_allowed(allow) is allowed


# -- pickles in files ------------------------------------------------------------------------------------------------


def places(data: bytes) -> list[Place]:
    return list(search(reader(data), len(data)))


def deflated(files: dict[str, bytes]) -> bytes:
    return zip_of(files, zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    ("data", "member"),
    [
        (HOSTILE, ""),
        (both(), ""),
        (torch_zip(HOSTILE), "archive/data.pkl"),
        (torch_zip(HOSTILE, method=zipfile.ZIP_DEFLATED), "archive/data.pkl"),
        (torch_zip(GOOD, tensor=HOSTILE), "archive/data/0"),
        (zip_of({"readme.txt": b"a", "b/c.json": HOSTILE}), "b/c.json"),
        (deflated({"in.zip": deflated({"a.bin": HOSTILE})}), "in.zip/a.bin"),
        (tar_of({"a/b": HOSTILE}), "a/b"),
        (gzip.compress(tar_of({"a/b": HOSTILE})), "a/b"),
        (npy(HOSTILE), ""),
        (npy(HOSTILE, "[('a', '<f4'), ('b', '|O')]"), ""),
        (zip_of({"a.npy": npy(HOSTILE)}), "a.npy"),
        (deflated({"a.npy": npy(HOSTILE)}), "a.npy"),
        (SAFETENSORS + zip_of({"data.pkl": HOSTILE}), "data.pkl"),
        *[(compress(HOSTILE), "") for compress in (zlib.compress, gzip.compress, bz2.compress, lzma.compress)],
        (lzma.compress(HOSTILE, lzma.FORMAT_ALONE), ""),
        (gzip.compress(b"") + gzip.compress(HOSTILE), ""),
    ],
)
def test_search_of_a_file_with_a_hostile_pickle_finds_it(data: bytes, member: str) -> None:
    found = [place for place in places(data) if place.scan and not all(map(is_harmless, place.scan.globals))]
    assert [place.member for place in found] == [member]


@pytest.mark.parametrize(
    "data",
    [
        *(SAMPLES[name] for name in SAMPLES if name not in ("pickle", "pytorch", "joblib")),
        b"x^2 is text, and x\x9c is none",
        b"PK",
        npy(bytes(8), "[('a', '<f4'), ('b', '<f4')]"),
    ],
)
def test_search_of_a_file_without_pickles_finds_nothing(data: bytes) -> None:
    assert places(data) == []


def test_search_of_pytorch_leaves_numbers_that_look_like_a_pickle_alone() -> None:
    found = places(torch_zip(state_dict(), tensor=b"\x80\x02NNNNNN"))
    assert [place.member for place in found] == ["archive/data.pkl"]
    assert found[0].scan is not None and not found[0].scan.problems


def encrypted() -> bytes:
    data = bytearray(zip_of({"a": HOSTILE}))
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def nested(levels: int) -> bytes:
    data = HOSTILE
    for _ in range(levels):
        data = zip_of({"a": data})
    return data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (encrypted(), "encrypted"),
        (zip_of({"a": HOSTILE}) + b"!", "no end record"),
        (b"text" + zip_of({"a": HOSTILE}) + b"!", "may be a zip file"),
        (zip_of({"a": HOSTILE}, zipfile.ZIP_BZIP2), "packed in a way that is not read"),
        (nested(4), "nested too deeply"),
        (b"7z\xbc\xaf\x27\x1c....", "7z"),
        (b"\x28\xb5\x2f\xfd....", "zstd"),
        (b"\x04\x22\x4d\x18....", "lz4"),
        (gzip.compress(HOSTILE * 500 + bytes(99))[:-30], "cut short"),
        (npy(b"\0\1"), "an array of objects that cannot be read"),
        (b"\x93NUMPY\x09\x00", "not a valid NumPy file"),
    ],
)
def test_search_of_what_cannot_be_looked_into_says_so(data: bytes, why: str) -> None:
    assert any(why in str(place.unread) for place in places(data))


def test_search_of_a_file_that_cannot_be_read_raises_what_the_reader_raises() -> None:
    def broken(offset: int, size: int) -> bytes:
        raise Corrupt("gone")

    with pytest.raises(Corrupt, match="gone"):
        list(search(broken, 100))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_search_of_a_large_member_keeps_little_of_it(method: int) -> None:
    pickled = b"\x80\x04B" + struct.pack("<I", 100 << 20)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method, compresslevel=1) as archive, archive.open("a", "w") as member:
        member.write(pickled)
        for _ in range(100):
            member.write(bytes(1 << 20))
        member.write(HOSTILE[2:])
    [place] = places(out.getvalue())
    assert place.scan is not None and [str(name) for name in place.scan.globals] == ["os.system"]


@given(st.sampled_from([*SAMPLES.values(), HOSTILE, torch_legacy(GOOD)]), st.data())
def test_law_sniff_and_search_of_damaged_files_raise_nothing_but_their_errors(
    sample: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(sample)
    for at in data.draw(st.lists(st.integers(0, len(sample) - 1), max_size=8)):
        damaged[at] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    try:
        sniffed(bytes(damaged))
        places(bytes(damaged))
    except KitError:
        pass
