"""What Docker Model Runner's config tells of a model's weights: from the headers of GGUF and safetensors files.

Fields and their texts: model-runner's ``pkg/distribution/format``. Where a header cannot be understood, only format and
size are told, as there. Unlike there, all shards count. Of the metadata, arrays and texts of more than 200 characters
(chat templates) are left out.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gitkit.errors import Corrupt, Unsupported
from gitkit.modelkit.content import Content
from gitkit.modelkit.files import KitFile

if TYPE_CHECKING:
    from gitkit.core.tensors import Facts

_CONTEXT_KEYS = (
    "max_position_embeddings",
    "n_ctx",
    "n_positions",
    "max_length",
    "max_sequence_length",
    "model_max_length",
)
_MAX_CONTEXT = (1 << 31) - 1
_MAX_SETTINGS = 1 << 20
_ARRAY = re.compile(r"(?:[ui](?:8|16|32|64)|f32|f64|bool|string)\[[0-9]+\](?:: .*)?", re.DOTALL)


def describe(format: str, files: Sequence[KitFile], settings: KitFile | None, content: Content) -> dict[str, Any]:
    """The object ``config`` of Docker's config, keys in its order.

    ``files`` are all weights, in order, and ``settings`` the ``config.json`` beside the first, if any. Headers travel
    where the content is not here; nothing of them is verified.

    Raises:
        NotFound: content is nowhere.
        Denied, NetworkError
    """
    facts = _facts(format, files, content) if format != "diffusers" else []
    known = {"size": _size_text(sum(file.size for file in files))}
    if facts:
        known |= _gguf(facts) if format == "gguf" else _safetensors(facts, _context_of(settings, content))
    keys = ("quantization", "parameters", "architecture", "size", "gguf", "safetensors", "context_size")
    return {"format": format, **{key: known[key] for key in keys if known.get(key)}}


def _facts(format: str, files: Sequence[KitFile], content: Content) -> "list[Facts]":
    """Of each file; none where one of them cannot be understood."""
    from gitkit.core import gguf, safetensors

    found = []
    for file in files:
        with content.ranges(file) as read_at:
            try:
                read_facts = gguf.read_facts if format == "gguf" else safetensors.read_facts
                found.append(read_facts(read_at, file.size))
            except (Corrupt, Unsupported):
                return []
    return found


def _gguf(facts: "Sequence[Facts]") -> dict[str, Any]:
    first = facts[0]
    context = first.context_length
    return {
        "quantization": first.quantisation,
        "parameters": _parameters(facts),
        "architecture": (first.architecture or "").strip(),
        "gguf": _plain(first.metadata),
        "context_size": context if context is not None and 0 < context <= _MAX_CONTEXT else None,
    }


def _safetensors(facts: "Sequence[Facts]", context: int | None) -> dict[str, Any]:
    dtypes = sorted({dtype for each in facts for dtype in each.dtypes})
    metadata = {**_plain(facts[0].metadata), "tensor_count": str(sum(len(each.tensors) for each in facts))}
    return {
        "quantization": dtypes[0] if len(dtypes) == 1 else "mixed" if dtypes else "unknown",
        "parameters": _parameters(facts),
        "architecture": facts[0].metadata.get("architecture"),
        "safetensors": dict(sorted(metadata.items())),
        "context_size": context,
    }


def _parameters(facts: "Sequence[Facts]") -> str:
    from gitkit.core.tensors import parameters_text

    return parameters_text(sum(each.parameters or 0 for each in facts)).replace(" ", "")


def _plain(metadata: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value for key, value in sorted(metadata.items()) if not value.endswith("…") and not _ARRAY.fullmatch(value)
    }


def _context_of(settings: KitFile | None, content: Content) -> int | None:
    """The context length in a Hugging Face ``config.json``."""
    if settings is None or settings.size > _MAX_SETTINGS:
        return None
    try:
        values = json.loads(content.read_whole(settings))
    except (ValueError, RecursionError):
        return None
    for key in _CONTEXT_KEYS:
        value = values.get(key) if isinstance(values, dict) else None
        if type(value) is int and 0 < value <= _MAX_CONTEXT:
            return value
    return None


def _size_text(size: int) -> str:
    for unit, base in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= base:
            return f"{size / base:.2f}".removesuffix(".00") + unit
    return f"{size}B"
