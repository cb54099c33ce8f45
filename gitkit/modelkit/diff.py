"""What changed between two kits: files and bytes, the Kitfile, tensors, metrics. No tensor data is read."""

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gitkit.core.tensors import Facts, Tensor
from gitkit.modelkit.sides import Side, SideFile

Change = Literal["added", "removed", "changed", "renamed"]
_NOT_COMPARED = ("digest", "diffId")
_LOWER_IS_BETTER = ("loss", "error", "latency", "perplexity", "wer", "cer", "mae", "mse", "rmse", "time", "_ms", "cost")
_MAX_METRICS = 200


class FileChange(NamedTuple):
    """One file: how it was and how it is. ``was`` names the old path of a renamed one."""

    path: str
    change: Change
    section: str
    before: SideFile | None
    after: SideFile | None


class FieldChange(NamedTuple):
    """A value of the Kitfile, by dotted path; None where it is not there."""

    path: str
    before: Any
    after: Any


class TensorChange(NamedTuple):
    """A tensor of a weights file whose presence, shape or dtype changed."""

    name: str
    change: Literal["added", "removed", "reshaped", "retyped"]
    before: Tensor | None
    after: Tensor | None


class WeightsChange(NamedTuple):
    """A weights file that changed: what its headers say, and the tensors that differ in them."""

    path: str
    before: Facts
    after: Facts
    tensors: list[TensorChange]
    same: int


class MetricChange(NamedTuple):
    """A number in a metrics file. ``better`` is None where it is equal or one of both is missing."""

    file: str
    name: str
    before: float | None
    after: float | None
    better: bool | None


class Diff(NamedTuple):
    """``bytes_to_move`` is what somebody who has the first must download for the second; ``bytes_shared`` what not."""

    before: Side
    after: Side
    files: list[FileChange]
    same_files: int
    bytes_to_move: int
    bytes_shared: int
    fields: list[FieldChange]
    weights: list[WeightsChange]
    metrics: list[MetricChange]


def diff(before: Side, after: Side, *, lower_is_better: Iterable[str] = ()) -> Diff:
    """Compare two sides. ``lower_is_better`` names metrics whose direction is known; others are told by their name.

    Raises:
        Denied, NetworkError: a header has to be read and cannot be.
    """
    files = _files(before, after)
    had = {file.digest for file in before.files.values()}
    unique = {file.digest: file.size for file in after.files.values()}
    return Diff(
        before=before,
        after=after,
        files=files,
        same_files=sum(1 for path, file in after.files.items() if _same(before.files.get(path), file)),
        bytes_to_move=sum(size for digest, size in unique.items() if digest not in had),
        bytes_shared=sum(size for digest, size in unique.items() if digest in had),
        fields=list(_fields(before.kitfile, after.kitfile, ())),
        weights=_weights(before, after, files),
        metrics=list(_metrics(before, after, files, frozenset(lower_is_better))),
    )


def _same(one: SideFile | None, other: SideFile) -> bool:
    return one is not None and one.digest == other.digest


def _files(before: Side, after: Side) -> list[FileChange]:
    gone = {path: file for path, file in before.files.items() if path not in after.files}
    by_digest = {file.digest: path for path, file in gone.items()}
    changes = []
    for path, file in after.files.items():
        old = before.files.get(path)
        if old is None and (moved := by_digest.pop(file.digest, None)) is not None:
            changes.append(FileChange(path, "renamed", file.section, gone.pop(moved), file))
        elif old is None:
            changes.append(FileChange(path, "added", file.section, None, file))
        elif old.digest != file.digest:
            changes.append(FileChange(path, "changed", file.section, old, file))
    changes += [FileChange(path, "removed", file.section, file, None) for path, file in gone.items()]
    return sorted(changes, key=lambda change: change.path)


def _fields(before: Any, after: Any, path: tuple[str, ...]) -> Iterator[FieldChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            if key not in _NOT_COMPARED:
                yield from _fields(before.get(key), after.get(key), (*path, str(key)))
    elif isinstance(before, list) and isinstance(after, list) and all(map(_named, (*before, *after))):
        ours, theirs = ({_named(item): item for item in items} for items in (before, after))
        for name in dict.fromkeys((*ours, *theirs)):
            yield from _fields(ours.get(name), theirs.get(name), (*path, str(name)))
    elif before != after:
        yield FieldChange(".".join(path), _bare(before), _bare(after))


def _named(item: Any) -> str | None:
    """What tells an entry of a list from the others."""
    if not isinstance(item, Mapping):
        return None
    name = item.get("path") or item.get("name")
    return name if isinstance(name, str) else None


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _bare(inner) for key, inner in value.items() if key not in _NOT_COMPARED}
    return [_bare(inner) for inner in value] if isinstance(value, list) else value


def _weights(before: Side, after: Side, files: Sequence[FileChange]) -> list[WeightsChange]:
    found = []
    for change in files:
        if change.change != "changed" or change.before is None or change.after is None:
            continue
        old, new = before.facts(change.before), after.facts(change.after)
        if old is not None and new is not None:
            tensors, same = _tensors(old, new)
            found.append(WeightsChange(change.path, old, new, tensors, same))
    return found


def _tensors(before: Facts, after: Facts) -> tuple[list[TensorChange], int]:
    ours, theirs = ({tensor.name: tensor for tensor in facts.tensors} for facts in (before, after))
    changes = []
    for name in dict.fromkeys((*ours, *theirs)):
        old, new = ours.get(name), theirs.get(name)
        if old is None:
            changes.append(TensorChange(name, "added", None, new))
        elif new is None:
            changes.append(TensorChange(name, "removed", old, None))
        elif old.shape != new.shape:
            changes.append(TensorChange(name, "reshaped", old, new))
        elif old.dtype != new.dtype:
            changes.append(TensorChange(name, "retyped", old, new))
    return changes, len({*ours, *theirs}) - len(changes)


def _metrics(
    before: Side, after: Side, files: Sequence[FileChange], lower_is_better: frozenset[str]
) -> Iterator[MetricChange]:
    for change in files:
        if not _is_metrics(change.path):
            continue
        old = _numbers(before.small(change.before) if change.before else None)
        new = _numbers(after.small(change.after) if change.after else None)
        for name in list(dict.fromkeys((*old, *new)))[:_MAX_METRICS]:
            was, now = old.get(name), new.get(name)
            if was != now:
                lower = name in lower_is_better or any(word in name.lower() for word in _LOWER_IS_BETTER)
                better = None if was is None or now is None else (now < was) == lower
                yield MetricChange(change.path, name, was, now, better)


def _is_metrics(path: str) -> bool:
    name = posixpath.basename(path).lower()
    return name.endswith(".json") and ("metric" in name or "eval" in path.lower())


def _numbers(data: bytes | None) -> dict[str, float]:
    """All numbers of a JSON document, by dotted path."""
    if data is None:
        return {}
    try:
        return dict(_flat(json.loads(data), ()))
    except (ValueError, RecursionError):
        return {}


def _flat(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, (*path, str(key)))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield ".".join(path), float(value)
