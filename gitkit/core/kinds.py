"""What a file is, by its first bytes and, where those do not tell, by its name."""

from typing import Literal

Kind = Literal["safetensors", "gguf", "onnx", "npy", "npz", "parquet", "zip"]

HEAD = 16
"""How many bytes of a file are looked at."""

_SUFFIXES: dict[str, Kind] = {
    ".safetensors": "safetensors",
    ".gguf": "gguf",
    ".onnx": "onnx",
    ".npy": "npy",
    ".npz": "npz",
    ".parquet": "parquet",
    ".zip": "zip",
}
_MAGIC: dict[bytes, Kind] = {
    b"GGUF": "gguf",
    b"\x93NUMPY": "npy",
    b"PAR1": "parquet",
    b"PARE": "parquet",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
}
_LONGEST_HEADER = 100_000_000


def kind_of(head: bytes, name: str) -> Kind | None:
    """The kind of the file ``name`` that begins with ``head``; None where it is none of those that are known.

    ONNX files have no mark of their own, so only their name tells.
    """
    suffix = next((kind for end, kind in _SUFFIXES.items() if name.lower().endswith(end)), None)
    for mark, kind in _MAGIC.items():
        if head.startswith(mark):
            return "npz" if kind == "zip" and suffix == "npz" else kind
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") <= _LONGEST_HEADER:
        return "safetensors"
    return suffix
