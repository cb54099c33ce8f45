"""What is wrong with a file that a person wrote: every problem at once, by key path, with the nearest known key.

Turns pydantic's errors into lines such as ``environments.prod.approvls: unknown key, did you mean "approvals"?``.
"""

import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from gitkit.errors import InvalidFile

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

Path = tuple[str | int, ...]


class Problem(NamedTuple):
    """``path`` leads to the value in the file; empty for the file as a whole."""

    path: Path
    text: str


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that ``word`` was probably meant to be."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return close[0] if close else None


def dotted(path: Path) -> str:
    """``("code", 0, "path")`` as ``code[0].path``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def from_validation(model: "type[BaseModel]", error: "ValidationError") -> list[Problem]:
    """One problem for each of pydantic's errors."""
    return [_problem(model, details) for details in error.errors(include_url=False)]


def raise_for(problems: Sequence[Problem], file: str, lines: Mapping[Path, int] | None = None) -> None:
    """Raise one error for all problems of ``file``, sorted by line where lines are known, else in the given order.

    Raises:
        InvalidFile: there is at least one problem.
    """
    if not problems:
        return
    known = lines or {}
    ordered = sorted(problems, key=lambda problem: _line(problem.path, known) or 0)
    text = "\n".join(f"  {_place(problem.path, known)}{problem.text}" for problem in ordered)
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    raise InvalidFile(f"{file} has {count}:\n{text}")


def _place(path: Path, lines: Mapping[Path, int]) -> str:
    line = _line(path, lines)
    words = [f"line {line}" if line is not None else "", dotted(path)]
    place = ": ".join(word for word in words if word)
    return f"{place}: " if place else ""


def _line(path: Path, lines: Mapping[Path, int]) -> int | None:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def _problem(model: "type[BaseModel]", details: Any) -> Problem:
    path, table = _walk(model, tuple(details["loc"]))
    kind = details["type"]
    if kind == "extra_forbidden":
        suggestion = nearest(str(path[-1]), _keys_of(table))
        return Problem(path, f'unknown key, did you mean "{suggestion}"?' if suggestion else "unknown key")
    if kind == "missing":
        return Problem(path, "is required")
    if kind == "union_tag_invalid":
        known = str(details["ctx"]["expected_tags"]).replace("'", "")
        return Problem((*path, "kind"), f'"{details["ctx"]["tag"]}" is unknown; known: {known}')
    message = str(details["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return Problem(path, message[:1].lower() + message[1:])


def _walk(model: Any, location: Path) -> tuple[Path, Any]:
    """The path in the file, and the schema of the table that its last key is in.

    pydantic's locations also name the member of a union that a table was taken for: no key of the file.
    """
    path: list[str | int] = []
    table = model
    for part in location:
        member = _members(model).get(str(part))
        if member is not None:
            model = member
            continue
        path.append(part)
        table, model = model, _step(model, part)
    return tuple(path), table


def _keys_of(model: Any) -> list[str]:
    """The keys that the schema knows in a table."""
    fields = getattr(model, "model_fields", {})
    return [field.alias or name for name, field in fields.items()]


def _members(model: Any) -> dict[str, Any]:
    """The members of a union whose tables tell by a tag which of them they are."""
    if typing.get_origin(model) is not typing.Annotated:
        return {}
    found: dict[str, Any] = {}
    for member in typing.get_args(typing.get_args(model)[0]):
        inner, *notes = typing.get_args(member) or (member,)
        found |= {note.tag: inner for note in notes if hasattr(note, "tag")}
    return found


def _step(model: Any, part: str | int) -> Any:
    fields = getattr(model, "model_fields", None)
    if fields is not None:
        field = next((field for name, field in fields.items() if part in (name, field.alias)), None)
        return _inner(field.annotation) if field else None
    arguments = [_inner(argument) for argument in typing.get_args(model)]
    return arguments[-1] if arguments else None


def _inner(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return next((arg for arg in typing.get_args(annotation) if arg is not type(None)), None)
    return annotation
