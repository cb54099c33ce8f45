"""Half precision: converts the float32 tensors of a safetensors file to float16, in place.

    python half.py model.safetensors

Format: https://huggingface.co/docs/safetensors, "Format". Needs nothing but Python, and holds one chunk in memory.
"""

import json
import os
import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO

CHUNK = 1 << 16
"""Bytes that are read at a time."""


def main(path: str) -> int:
    """Convert the file at ``path``. It is replaced in one step, or stays as it is."""
    beside = f"{path}.half"
    before = os.path.getsize(path)
    try:
        with open(path, "rb") as source, open(beside, "wb") as target:
            count = convert(source, target)
        os.replace(beside, path)
    except (ValueError, OverflowError, struct.error) as error:
        print(f"error: {path}: {error}", file=sys.stderr)
        return 1
    finally:
        if os.path.exists(beside):
            os.unlink(beside)
    print(f"{count} tensors to float16: {before:,} -> {os.path.getsize(path):,} bytes")
    return 0


def convert(source: BinaryIO, target: BinaryIO) -> int:
    """Write ``source`` to ``target`` with F16 for F32; returns how many tensors changed. Their order stays.

    Raises:
        ValueError, struct.error: ``source`` is not a safetensors file.
        OverflowError: a value is too large for float16.
    """
    (length,) = struct.unpack("<Q", source.read(8))
    header = json.loads(source.read(length))
    tensors = [entry for name, entry in header.items() if name != "__metadata__"]
    tensors.sort(key=lambda entry: entry["data_offsets"])

    plan, position = [], 0
    for entry in tensors:
        start, end = entry["data_offsets"]
        size, halve = end - start, entry["dtype"] == "F32"
        plan.append((size, halve))
        if halve:
            entry["dtype"] = "F16"
        entry["data_offsets"] = [position, position := position + (size // 2 if halve else size)]

    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors start on a multiple of eight
    target.write(struct.pack("<Q", len(text)) + text)
    for size, halve in plan:
        for chunk in chunks(source, size):
            target.write(halved(chunk) if halve else chunk)
    return sum(halve for _, halve in plan)


def chunks(source: BinaryIO, size: int) -> Iterator[bytes]:
    """The next ``size`` bytes of ``source``."""
    while size > 0:
        chunk = source.read(min(size, CHUNK))
        if not chunk:
            raise ValueError(f"the file ends {size} bytes early")
        size -= len(chunk)
        yield chunk


def halved(chunk: bytes) -> bytes:
    """The floats in ``chunk`` as float16, rounded to the nearest, ties to even."""
    count = len(chunk) // 4
    return struct.pack(f"<{count}e", *struct.unpack(f"<{count}f", chunk))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: half.py FILE")
    sys.exit(main(sys.argv[1]))
