"""YAML as KitOps reads a Kitfile: the first document, scalars as the author typed them, the line of every value.

A version such as ``1.0`` or a licence such as ``no`` stays text, unlike in a plain YAML loader. Below a key named in
``typed`` values are resolved (numbers, booleans) as YAML 1.2's core schema does.
"""

import math
import re
from typing import Any

import yaml  # noqa: TID253  imported by gitkit.core.kitfile only

from gitkit.core.problems import Path, Problem, raise_for
from gitkit.errors import InvalidFile

_MAX_VALUES = 100_000
_MAX_DEPTH = 64
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,3000}|0o[0-7]{1,3000}|0x[0-9a-fA-F]{1,3000}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def parse_yaml(text: bytes, *, file: str, typed: frozenset[str]) -> tuple[dict[str, Any], dict[Path, int]]:
    """The mapping in ``text`` and the line (from 1) of each value by path. Keys without a value are left out.

    Raises:
        InvalidFile: not YAML, not a mapping, a key given twice, or too large or deep to be a file that a person wrote.
    """
    try:
        node = yaml.compose(text.decode("utf-8"), Loader=_Loader)
    except RecursionError as error:
        raise InvalidFile(f"{file} is too large or too deep") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise InvalidFile(f"{file}{where} is not YAML: {getattr(error, 'problem', None) or error}") from error
    reader = _Reader(typed, file)
    value = reader.value(node, (), False) if node is not None else None
    if value is None:
        return {}, {}
    if not isinstance(value, dict):
        raise InvalidFile(f"{file} is not a YAML mapping")
    raise_for(reader.problems, file, reader.lines)
    return value, reader.lines


class _Loader(yaml.SafeLoader):
    """Only the first document counts, as in KitOps; SafeLoader would refuse a file that has a second one."""

    def get_single_node(self) -> Any:
        self.get_event()  # type: ignore[no-untyped-call]
        return None if self.check_event(yaml.StreamEndEvent) else self.compose_document()


class _Reader:
    def __init__(self, typed: frozenset[str], file: str) -> None:
        self.typed = typed
        self.file = file
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._count = 0

    def value(self, node: Any, path: Path, resolve: bool) -> Any:
        self._count += 1
        if self._count > _MAX_VALUES or len(path) > _MAX_DEPTH:
            raise InvalidFile(f"{self.file} is too large or too deep", hint="aliases count each time they are used")
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, resolve)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, number), resolve) for number, item in enumerate(node.value)]
        return _typed(node) if resolve else _scalar(node)

    def _mapping(self, node: Any, path: Path, resolve: bool) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            here = (*path, key)
            twice = here in self.lines
            self.lines[here] = key_node.start_mark.line + 1
            if twice:
                self.problems.append(Problem(here, "is given twice"))
                continue
            value = self.value(value_node, here, resolve or key in self.typed)
            if value is not None or resolve:
                out[key] = value
        return out


def _scalar(node: Any) -> str | None:
    if node.style is None and node.value in ("", "~", "null", "Null", "NULL"):
        return None
    return str(node.value)


def _typed(node: Any) -> Any:
    text = _scalar(node)
    if text is None or node.style is not None:
        return text
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text  # also .inf and .nan: JSON has no such numbers
