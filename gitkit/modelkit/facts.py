"""What a kit's weights are, from their headers alone: read by ranges, within a budget.

A part of a layer cannot be verified, so these facts are what the place that holds the kit says, not what its digests
vouch for. Small files (``config.json``, metrics) are read whole and verified.
"""

import posixpath
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gitkit.core import gguf, gotar, safetensors
from gitkit.core.oci import parse_document
from gitkit.core.tensors import Facts, Share, dtypes_of
from gitkit.errors import KitError, NotFound
from gitkit.modelkit.artifact import Artifact, ArtifactFile
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.blobs import read_blob
from gitkit.modelkit.dialects.entries import check_json
from gitkit.modelkit.extract import member_path
from gitkit.modelkit.streams import Ranges
from gitkit.sync.parallel import each

BUDGET = 1 << 20
"""Bytes of headers that are read by default."""

_SMALL = 64 << 10
_MAX_METRICS = 3
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length", "n_ctx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One file of weights. ``facts`` is None where its header could not be read: ``problem`` says why."""

    path: str
    size: int
    facts: Facts | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """The model as a whole: the first set of weights, with all its shards. ``weights`` are all files of weights.

    ``parameters`` is None where not all headers of the set were read.
    """

    weights: Sequence[Weights]
    architecture: str | None = None
    parameters: int | None = None
    tensors: int | None = None
    dtypes: Mapping[str, Share] = field(default_factory=dict)
    quantisation: str | None = None
    context_length: int | None = None
    vocabulary: int | None = None


def model_facts(artifact: Artifact, source: BlobSource, *, budget: int = BUDGET, transfers: int = 4) -> ModelFacts:
    """Read the headers of all safetensors and GGUF files of the model. Fails for no file: it has a ``problem`` then."""
    spent = _Spent(budget)
    places = [place for file in _of_model(artifact) for place in _places(file, source, spent)]
    weights = each(lambda place: _weights(place, source, spent), places, limit=transfers)
    return _summary(weights, _config(artifact, source, weights))


def metrics(artifact: Artifact, source: BlobSource) -> dict[str, dict[str, Any]]:
    """The JSON objects in small files that are called metrics, by path."""
    found: dict[str, dict[str, Any]] = {}
    for file in artifact.files:
        name = posixpath.basename(file.path).lower()
        if "metrics" in name and name.endswith(".json") and len(found) < _MAX_METRICS:
            document = _small_document(file, source)
            if document is not None:
                found[file.path] = document
    return found


def numbers(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int | float]]:
    """The numbers in a JSON document by their dotted paths, in its order; not those in lists."""
    for key, value in document.items():
        if isinstance(value, dict):
            yield from numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", value


# -- reading -------------------------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """A file of weights: ``size`` bytes at ``offset`` of a layer."""

    file: ArtifactFile
    path: str
    offset: int
    size: int
    problem: str | None = None


class _BudgetSpent(Exception):
    """Reading this would take more than is left."""


class _Spent:
    """How much may still be read, by all threads together."""

    def __init__(self, budget: int) -> None:
        self._left = budget
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        return self._left

    def check(self, size: int) -> None:
        if size > self._left:
            raise _BudgetSpent

    def count(self, size: int) -> None:
        with self._lock:
            self._left -= size


def _of_model(artifact: Artifact) -> list[ArtifactFile]:
    return [file for file in artifact.files if file.section in ("model", "parts", "")]


def _is_weights(path: str) -> bool:
    return path.lower().endswith((".safetensors", ".gguf"))


def _places(file: ArtifactFile, source: BlobSource, spent: _Spent) -> list[_Place]:
    if file.packing == "raw":
        problem = f"it is compressed by {file.compression}" if file.compression else None
        return [_Place(file, file.path, 0, file.layer.size, problem)] if _is_weights(file.path) else []
    if file.compression is not None:
        return [_Place(file, file.path, 0, file.layer.size, f"it is compressed by {file.compression}")]
    found = []
    try:
        with closing(Ranges(source.place(file.layer), file.layer, spent.count)) as ranges:
            for entry in gotar.entries(_within(ranges, spent)):
                path = member_path(file, entry)
                if path is not None and entry.kind == "file" and _is_weights(path):
                    found.append(_Place(file, path, entry.offset, entry.size))
    except (KitError, _BudgetSpent) as error:
        found.append(_Place(file, file.path, 0, file.layer.size, _reason(error)))
    return found


def _within(ranges: Ranges, spent: _Spent) -> Any:
    def read_at(offset: int, size: int) -> bytes:
        spent.check(size)
        return ranges.read_at(offset, size)

    return read_at


def _weights(place: _Place, source: BlobSource, spent: _Spent) -> Weights:
    if place.problem is not None:
        return Weights(path=place.path, size=place.size, problem=place.problem)
    layer = place.file.layer

    def read_at(offset: int, size: int) -> bytes:
        spent.check(size)
        return ranges.read_at(place.offset + offset, max(0, min(size, place.size - offset)))

    try:
        with closing(Ranges(source.place(layer), layer, spent.count)) as ranges:
            if place.path.lower().endswith(".gguf"):
                facts = gguf.read_facts(read_at, place.size, budget=max(0, min(spent.left, gguf.MAX_HEADER)))
            else:
                facts = safetensors.read_facts(read_at, place.size)
    except (KitError, _BudgetSpent) as error:
        return Weights(path=place.path, size=place.size, problem=_reason(error))
    return Weights(path=place.path, size=place.size, facts=facts)


def _reason(error: Exception) -> str:
    if isinstance(error, NotFound):
        return "its content is not here"
    return error.message if isinstance(error, KitError) else "its header is long: --tensors reads all of it"


# -- together ------------------------------------------------------------------------------------------------------


def _config(artifact: Artifact, source: BlobSource, weights: Sequence[Weights]) -> Mapping[str, Any]:
    """The model's ``config.json``, as the Hugging Face libraries write it; the one beside the weights comes first."""
    folder = posixpath.dirname(weights[0].path) if weights else ""
    files = [file for file in _of_model(artifact) if posixpath.basename(file.path) == "config.json"]
    for file in sorted(files, key=lambda file: (posixpath.dirname(file.path) != folder, file.path)):
        document = _small_document(file, source)
        if document is not None:
            return document
    return {}


def _small_document(file: ArtifactFile, source: BlobSource) -> dict[str, Any] | None:
    if file.packing != "raw" or file.compression is not None or file.layer.size > _SMALL:
        return None
    try:
        document = parse_document(read_blob(source.place(file.layer), file.layer), file.path)
        check_json(document, file.path)
        return document
    except KitError:
        return None


def _summary(weights: Sequence[Weights], config: Mapping[str, Any]) -> ModelFacts:
    first = weights[0] if weights else None
    of_set = [item for item in weights if first is not None and _set(item.path) == _set(first.path)]
    facts = [item.facts for item in of_set if item.facts is not None]
    complete = bool(facts) and len(facts) == len(of_set) and all(each.complete for each in facts)
    tensors = [tensor for each in facts for tensor in each.tensors]
    return ModelFacts(
        weights=weights,
        architecture=_first_text(config.get("architectures"))
        or _text(config.get("model_type"))
        or _any(facts, "architecture"),
        parameters=sum(tensor.parameters for tensor in tensors) if complete else None,
        tensors=len(tensors) if complete else None,
        dtypes=dtypes_of(tensors),
        quantisation=_quantisation(config) or _any([each for each in facts if each.format == "gguf"], "quantisation"),
        context_length=_context(config) or _any(facts, "context_length"),
        vocabulary=_number(config.get("vocab_size")) or _any(facts, "vocabulary"),
    )


def _set(path: str) -> str:
    """What the shards of one model have in common."""
    stem, suffix = posixpath.splitext(path)
    return _SHARD.sub("", stem) + suffix.lower()


def _any(facts: Sequence[Facts], name: str) -> Any:
    return next((value for each in facts if (value := getattr(each, name)) is not None), None)


def _quantisation(config: Mapping[str, Any]) -> str | None:
    settings = config.get("quantization_config")
    return _text(settings.get("quant_method")) if isinstance(settings, dict) else None


def _context(config: Mapping[str, Any]) -> int | None:
    return next((value for key in _CONTEXT if (value := _number(config.get(key))) is not None), None)


def _first_text(value: object) -> str | None:
    return _text(value[0]) if isinstance(value, list) and value else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
