"""What a model file really is, told by its content; what its name says is told apart.

A file is a safetensors, GGUF or ONNX file where the package's reader of that format can read all of its header.
Formats without a mark of their own (ONNX, TensorFlow, Core ML, SentencePiece) are told by the fields of their Protocol
Buffers.
"""

import codecs
import os
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from gitkit.core import gguf, members, npy, onnx, parquet, safetensors
from gitkit.core.pickle_search import compression_of, ends_like_a_zip, is_tar, is_torch
from gitkit.core.pickles import scan
from gitkit.core.protobuf import BYTES, FIXED32, VARINT, Field, Wire
from gitkit.core.tensors import ReadAt
from gitkit.core.ziplist import read_members
from gitkit.errors import Corrupt, Unsupported

FORMATS = (
    *("safetensors", "gguf", "onnx", "pickle", "pytorch", "joblib", "npy", "npz", "hdf5", "keras", "parquet"),
    *("saved_model", "tflite", "coreml", "sentencepiece", "zip", "tar", "compressed", "json", "text", "script"),
)
"""Names of the formats that can be allowed. ``executable``, ``unknown`` and ``damaged`` are told, and never allowed."""

ALWAYS = frozenset({"json", "text"})
"""Formats that need not be allowed: they hold nothing that is run."""

_SAME = (frozenset({"pickle", "joblib"}),)
_MAX_TEXT = 256 << 20
_BLOCK = 1 << 20
_HEAD = 512
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MARKS = {
    b"\x89HDF\r\n\x1a\n": ("hdf5", ""),
    b"\x7fELF": ("executable", "ELF"),
    b"MZ": ("executable", "Windows"),
    b"\xcf\xfa\xed\xfe": ("executable", "Mach-O"),
    b"\xce\xfa\xed\xfe": ("executable", "Mach-O"),
    b"\xca\xfe\xba\xbe": ("executable", "Mach-O or Java"),
    b"\0asm": ("executable", "WebAssembly"),
    **{mark: ("compressed", name) for mark, name in members.OPAQUE.items()},
}
_SCRIPTS = (
    *(".py", ".pyw", ".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1", ".js", ".mjs", ".cjs", ".ts", ".lua", ".rb"),
    *(".pl", ".php", ".r", ".jl", ".tcl", ".vbs", ".awk"),
)
_CLAIMS = {
    **{f".{name}": name for name in ("safetensors", "gguf", "onnx", "npy", "npz", "parquet", "keras", "tflite")},
    **dict.fromkeys((".pkl", ".pickle", ".p"), "pickle"),
    **dict.fromkeys((".pt", ".pth", ".ckpt"), "pytorch"),
    **dict.fromkeys((".h5", ".hdf5"), "hdf5"),
    **dict.fromkeys((".txt", ".md", ".yaml", ".yml", ".toml", ".csv", ".tsv", ".jinja"), "text"),
    **dict.fromkeys(_SCRIPTS, "script"),
    **{".joblib": "joblib", ".json": "json", ".zip": "zip", ".tar": "tar", ".mlmodel": "coreml", ".pb": "saved_model"},
}


class Sniffed(NamedTuple):
    """``detail`` says more, or what is wrong. ``claim`` is the format that the name stands for, None where it stands
    for none. ``also`` are formats that the same bytes are as well.
    """

    format: str
    detail: str = ""
    claim: str | None = None
    also: tuple[str, ...] = ()

    def is_allowed(self, allow: Iterable[str]) -> bool:
        """Whether one of the formats ``allow``, or of those that hold nothing to run, is this one and the only one."""
        allowed = {*ALWAYS, *allow}
        allowed |= {name for names in _SAME if names & allowed for name in names}
        return self.format in allowed and not self.also

    @property
    def is_misnamed(self) -> bool:
        """Whether the name stands for another format."""
        pair = {self.format, self.claim}
        return self.claim not in (None, self.format) and not any(pair <= same for same in (*_SAME, ALWAYS))

    def __str__(self) -> str:
        return " and ".join([f"{self.format} ({self.detail})" if self.detail else self.format, *self.also])


def sniff(read_at: ReadAt, size: int, name: str) -> Sniffed:
    """What the file ``name`` of ``size`` bytes is. It is read at any offset, more than once, and whole only if it is
    text.

    Raises:
        KitError: what ``read_at`` raises.
    """
    claim = _claim(name)
    if not size:
        return Sniffed("text", "empty", claim)
    head = read_at(0, _HEAD)
    found = None if _is_zip(head) else scan(read_at)  # see pickle_search
    by_mark = _by_mark(read_at, size, head)
    also = []
    if by_mark is None and found is not None:
        by_mark = ("pytorch", "legacy") if found.torch else ("joblib" if found.arrays else "pickle", "")
    elif found is not None:
        also.append("pickle")
    format, detail = by_mark or _by_content(read_at, size, name)
    if not _is_zip(head) and _has_zip(read_at, size):
        also.append("zip")
    return Sniffed(format, detail, claim, tuple(also))


def _claim(name: str) -> str | None:
    return _CLAIMS.get(os.path.splitext(name.lower())[1])


# -- formats that say what they are ----------------------------------------------------------------------------------

_Found = tuple[str, str]


def _by_mark(read_at: ReadAt, size: int, head: bytes) -> _Found | None:
    for mark, found in _MARKS.items():
        if head.startswith(mark):
            return found
    if head.startswith(b"GGUF"):
        return _checked("gguf", lambda: gguf.read_facts(read_at, size))
    if head.startswith(npy.MAGIC):
        return _checked("npy", lambda: npy.read_array(read_at, size))
    if head[:4] in (b"PAR1", b"PARE"):
        return _checked("parquet", lambda: parquet.read_table(read_at, size))
    if head[4:8] == b"TFL3":
        return "tflite", ""
    if _is_zip(head):
        return _zip(read_at, size)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= safetensors.MAX_HEADER:
        return _checked("safetensors", lambda: safetensors.read_facts(read_at, size))
    return None


def _checked(format: str, read: Callable[[], object]) -> _Found:
    """``format`` where it can be read."""
    try:
        read()
    except (Corrupt, Unsupported) as error:
        return "damaged", error.message
    return format, ""


def _is_zip(head: bytes) -> bool:
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def _zip(read_at: ReadAt, size: int) -> _Found:
    try:
        names = [member.name for member in read_members(read_at, size)]
    except (Corrupt, Unsupported) as error:
        return "damaged", error.message
    return _of_members(names), ""


def _of_members(names: Sequence[str]) -> str:
    if is_torch(names):
        return "pytorch"
    if "config.json" in names and ("model.weights.h5" in names or "metadata.json" in names):
        return "keras"
    return "npz" if names and all(name.endswith(".npy") for name in names) else "zip"


def _has_zip(read_at: ReadAt, size: int) -> bool:
    """Whether the file ends as a zip archive: readers of zip look for it from the end."""
    if not ends_like_a_zip(read_at, size):
        return False
    try:
        return bool(read_members(read_at, size))
    except Corrupt:
        return False
    except Unsupported:
        return True


# -- formats that do not -------------------------------------------------------------------------------------------


def _by_content(read_at: ReadAt, size: int, name: str) -> _Found:
    text = _text(read_at, size, name)
    if text is not None:
        return text
    compression = compression_of(lambda: read_at)
    if compression is not None:
        return _compressed(read_at, compression)
    if is_tar(read_at):
        return "tar", ""
    if _is_onnx(read_at, size):
        return "onnx", ""
    return _of_fields(read_at, size) or ("unknown", "")


def _compressed(read_at: ReadAt, compression: str) -> _Found:
    """A pickle that is compressed is one of joblib's."""
    try:
        found = scan(members.unpacked(read_at, compression))
    except (Corrupt, Unsupported):
        found = None
    return ("joblib" if found is not None else "compressed"), compression


def _is_onnx(read_at: ReadAt, size: int) -> bool:
    try:
        onnx.read_model(read_at, size)
    except (Corrupt, Unsupported):
        return False
    return True


def _of_fields(read_at: ReadAt, size: int) -> _Found | None:
    """A message of one of the formats that are told by the numbers and kinds of their fields."""
    wire = Wire(read_at, size)
    try:
        fields = [(field.number, field.wire) for field in wire.fields(0, size)]
        if not fields:
            return None
        if fields[0] == (1, BYTES) and _is_piece(wire, next(wire.fields(0, size))):
            return "sentencepiece", ""
    except (Corrupt, Unsupported):
        return None
    if fields[:2] != [(1, VARINT), (2, BYTES)]:
        return None
    if set(fields[1:]) == {(2, BYTES)}:
        return "saved_model", ""
    return ("coreml", "") if any(number >= 200 for number, _ in fields) else None


def _is_piece(wire: Wire, message: Field) -> bool:
    """Whether it is a piece of a tokenizer: a text and how likely it is."""
    fields = [(field.number, field.wire) for field in islice(wire.message(message), 3)]
    return fields[:2] == [(1, BYTES), (2, FIXED32)]


def _text(read_at: ReadAt, size: int, name: str) -> _Found | None:
    """Text is UTF-8 without control characters, up to its end."""
    if size > _MAX_TEXT:
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    first = last = b""
    try:
        for offset in range(0, size, _BLOCK):
            block = read_at(offset, _BLOCK)
            if _CONTROL.search(block):
                return None
            decoder.decode(block, final=offset + _BLOCK >= size)
            first, last = first or block.strip()[:2], block.strip()[-1:] or last
    except UnicodeDecodeError:
        return None
    if first == b"#!" or name.lower().endswith(_SCRIPTS):
        return "script", ""
    return ("json" if first[:1] + last in (b"{}", b"[]") else "text"), ""
