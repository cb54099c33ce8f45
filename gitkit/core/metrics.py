"""Metrics: the numbers of an evaluation's file, by dotted name, exactly as they are written there.

Pure: bytes in, values out. JSON, YAML, TOML and CSV, told by the suffix; anything else is tried as JSON.
"""

import csv
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from gitkit.errors import InvalidFile

MAX_SIZE = 1 << 20
"""No metrics file is larger than this many bytes."""

_MAX_DEPTH = 64
_MAX_POWER = 307
"""Numbers stay within what a float can be, so that sums and differences of them stay short."""
_MAX_DIGITS = 1000
_NAMED = (("metric", "value"), ("name", "value"))
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,6})?")
_NOT_FINITE = re.compile(r"([-+]?)\.?(nan|inf|infinity)", re.IGNORECASE)

_Pairs = Iterator[tuple[str, Decimal]]


def parse_metrics(data: bytes, *, file: str) -> dict[str, Decimal]:
    """The numbers in ``data``, in the order of the file. Lists count from 0: ``folds.0.loss``.

    Text, dates, true, false and null are left out. What is no finite number stays as ``Decimal("NaN")`` or an
    infinity: it is a metric that is missing, and whoever looks at it can say why. CSV: each column is a metric whose
    last row counts; the columns ``metric,value`` (or ``name,value``) name one metric a row.

    Raises:
        InvalidFile: it is not what its suffix says, names a metric twice, or is too large, or too deep.
    """
    if len(data) > MAX_SIZE:
        raise too_large(file, len(data))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{file} is not UTF-8") from error
    metrics: dict[str, Decimal] = {}
    for name, value in _read(text, file):
        if name in metrics:
            raise InvalidFile(f'{file} has the metric "{name}" twice')
        metrics[name] = _checked(value, name, file)
    return metrics


def too_large(file: str, size: int) -> InvalidFile:
    """The error for a file of ``size`` bytes."""
    return InvalidFile(f"{file} has {size} bytes, which is too large for metrics", hint=f"at most {MAX_SIZE} bytes")


def show(value: Decimal) -> str:
    """A number for people, with all its digits."""
    plain = format(value, "f") if value.is_finite() else str(value)
    return plain if len(plain) <= 40 else str(value)


def as_number(value: Decimal | None) -> int | float | None:
    """A number for JSON; None where it is missing or not finite. More than 17 digits do not survive."""
    if value is None or not value.is_finite():
        return None
    whole = value.as_tuple().exponent == 0
    return int(value) if whole else float(value)


def _read(text: str, file: str) -> _Pairs:
    suffix = file.rpartition("/")[2].rpartition(".")[2].lower()
    if suffix == "csv":
        return _csv(text, file)
    if suffix in ("yaml", "yml"):
        return _flat(_yaml(text, file), file)
    return _flat(_toml(text, file) if suffix == "toml" else _json(text, file), file)


def _checked(value: Decimal, name: str, file: str) -> Decimal:
    if value.is_finite() and (abs(value.adjusted()) > _MAX_POWER or len(value.as_tuple().digits) > _MAX_DIGITS):
        if value == 0:
            return Decimal(0)
        raise InvalidFile(f"{file}: {name} is too large, too small or too long a number")
    return value


# -- documents -----------------------------------------------------------------------------------------------------


def _json(text: str, file: str) -> Any:
    def pairs(items: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in items:
            if key in found:
                raise InvalidFile(f'{file} has the key "{key}" twice')
            found[key] = value
        return found

    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal, object_pairs_hook=pairs)
    except RecursionError as error:
        raise _too_deep(file) from error
    except ArithmeticError as error:
        raise InvalidFile(f"{file} has a number that is too large") from error
    except ValueError as error:
        raise InvalidFile(f"{file} is not JSON: {error}") from error


def _toml(text: str, file: str) -> Any:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except RecursionError as error:
        raise _too_deep(file) from error
    except ArithmeticError as error:
        raise InvalidFile(f"{file} has a number that is too large") from error
    except ValueError as error:  # also a number too long to read
        raise InvalidFile(f"{file} is not TOML: {error}") from error


class _All(frozenset[str]):
    """Every key: the values below all of them are resolved."""

    def __contains__(self, key: object) -> bool:
        return True


def _yaml(text: str, file: str) -> Any:
    from gitkit.core.yaml import parse_yaml

    return parse_yaml(text.encode(), file=file, typed=_All())[0]


def _flat(value: Any, file: str) -> _Pairs:
    # A loop with a stack of its own: how deep a file may be is not for Python's to say.
    stack: list[tuple[str, int, Any]] = [("", 0, value)]
    while stack:
        name, depth, item = stack.pop()
        if isinstance(item, dict | list):
            if depth == _MAX_DEPTH:
                raise _too_deep(file)
            pairs = item.items() if isinstance(item, dict) else enumerate(item)
            inner = [(f"{name}.{key}" if depth else str(key), depth + 1, one) for key, one in pairs]
            stack += reversed(inner)
        elif depth and (number := _number(item)) is not None:
            yield name, number


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, int | Decimal):
        return Decimal(value)
    # YAML's reader leaves .inf and .nan as text.
    return _not_finite(value) if isinstance(value, str) and value[-4:].startswith(".") else None


def _not_finite(text: str) -> Decimal | None:
    found = _NOT_FINITE.fullmatch(text)
    return Decimal(found[1] + found[2]) if found else None


def _too_deep(file: str) -> InvalidFile:
    return InvalidFile(f"{file} is too deep", hint=f"at most {_MAX_DEPTH} levels")


# -- CSV -----------------------------------------------------------------------------------------------------------


def _csv(text: str, file: str) -> _Pairs:
    try:
        rows = [row for row in csv.reader(text.splitlines(keepends=True), strict=True) if row]
    except csv.Error as error:
        raise InvalidFile(f"{file} is not CSV: {error}") from error
    header, *rows = [[cell.strip() for cell in row] for row in rows] or [[]]
    for row in rows:
        if len(row) != len(header):
            raise InvalidFile(f"{file} has a row of {len(row)} cells below a header of {len(header)}")
    if tuple(name.lower() for name in header) in _NAMED:
        return _cells((row[0], row[1]) for row in rows)
    for number, name in enumerate(header):
        if name and name in header[:number]:
            raise InvalidFile(f'{file} has the metric "{name}" twice')
    return _cells(zip(header, rows[-1], strict=True) if rows else ())


def _cells(cells: Any) -> _Pairs:
    for name, text in cells:
        number = Decimal(text) if _NUMBER.fullmatch(text) else _not_finite(text)
        if name and number is not None:  # a table's index has no name
            yield name, number
