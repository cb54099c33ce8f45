"""What a file is, by its first bytes and its name."""

import pytest

from gitkit.core.kinds import kind_of


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"GGUF\x03\0\0\0", "model.bin", "gguf"),
        (b"\x40\0\0\0\0\0\0\0" + b'{"a":1}', "model.bin", "safetensors"),
        (b"\x40\0\0\0\0\0\0\0" + b"{ }", "model.safetensors", "safetensors"),
        (b"\x93NUMPY\x01\0", "x", "npy"),
        (b"PAR1\x15", "part-0", "parquet"),
        (b"PARE\x15", "part-0", "parquet"),
        (b"PK\x03\x04..", "model.pt", "zip"),
        (b"PK\x03\x04..", "arrays.NPZ", "npz"),
        (b"PK\x05\x06..", "empty", "zip"),
        (b"\x08\x08\x12\x07", "model.onnx", "onnx"),
        (b"GGUF\x03\0\0\0", "model.safetensors", "gguf"),
        (b"something else", "model.safetensors", "safetensors"),
        (b"", "model.gguf", "gguf"),
        (b"a,b,c\n", "a.csv", None),
        (b"\x08\x08\x12\x07", "model", None),
        (b"\xff" * 8 + b'{"', "big", None),
        (b"", "", None),
    ],
)
def test_kind_of_a_file(head: bytes, name: str, kind: str | None) -> None:
    assert kind_of(head, name) == kind
