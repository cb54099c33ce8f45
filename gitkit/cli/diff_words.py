"""The words of a diff, the same in text and Markdown."""

import json
from collections.abc import Iterator
from typing import Any

from gitkit.cli.output import human_size, show_path
from gitkit.core.tensors import parameters_text
from gitkit.modelkit.diff import TensorChange


def sizes(before: Any, after: Any) -> str:
    """``86.7 MiB -> 43.3 MiB``."""
    if before is None or after is None:
        return human_size((after or before).size)
    if before.path != after.path:
        return f"{human_size(after.size)}, was {show_path(before.path)}"
    return f"{human_size(before.size)} -> {human_size(after.size)}"


def facts_rows(before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    """Label, old and new value of what two headers say; nothing where both are silent."""

    def told(value: Any) -> str:
        return show_path(str(value)) if value is not None else "-"

    rows = (
        ("architecture", told(before.architecture), told(after.architecture)),
        ("parameters", parameters_text(before.parameters), parameters_text(after.parameters)),
        ("dtype", told(before.quantisation), told(after.quantisation)),
        ("context", told(before.context_length), told(after.context_length)),
    )
    for row in rows:
        if row[1:] != ("-", "-"):
            yield row


def shapes(tensor: TensorChange) -> str:
    """``F32 [384, 384] -> F16 [384, 384]``."""
    sides = [f"{side.dtype} {list(side.shape)}" for side in (tensor.before, tensor.after) if side is not None]
    return " -> ".join(sides)


def number(value: float | None) -> str:
    """A metric for people."""
    return "-" if value is None else f"{value:.6g}"


def brief(value: Any) -> str:
    """A Kitfile's value on one line."""
    text = "-" if value is None else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
