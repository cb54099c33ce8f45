"""What people read when a file of theirs is wrong."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator  # noqa: TID253

from gitkit.core.problems import Problem, dotted, from_validation, nearest, raise_for
from gitkit.errors import InvalidFile


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    approvals: int = 0
    sources: list[str] = Field(default=[], alias="from")


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    required: str
    inner: Inner | None = None
    many: list[Inner] = []
    named: dict[Annotated[str, StringConstraints(min_length=1)], Inner] = {}
    checked: str = ""

    @field_validator("checked")
    @classmethod
    def _never(cls, value: str) -> str:
        raise ValueError(f"Never good: {value}")


def _problems(data: object) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(data)
    return [(dotted(problem.path), problem.text) for problem in from_validation(Outer, caught.value)]


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        ({}, [("required", "is required")]),
        ({"required": "", "inner": 5}, [("inner", "must be a valid dictionary or instance of Inner")]),
        ({"required": "", "requird": ""}, [("requird", 'unknown key, did you mean "required"?')]),
        ({"required": "", "zzz": ""}, [("zzz", "unknown key")]),
        ({"required": "", "inner": {"approvls": 1}}, [("inner.approvls", 'unknown key, did you mean "approvals"?')]),
        ({"required": "", "inner": {"form": []}}, [("inner.form", 'unknown key, did you mean "from"?')]),
        ({"required": "", "inner": {"sources": []}}, [("inner.sources", "unknown key")]),
        (
            {"required": "", "many": [{}, {"approval": 1}]},
            [("many[1].approval", 'unknown key, did you mean "approvals"?')],
        ),
        ({"required": "", "named": {"a": {"frm": []}}}, [("named.a.frm", 'unknown key, did you mean "from"?')]),
        ({"required": "", "many": [{"from": [5]}]}, [("many[0].from[0]", "must be a valid string")]),
        ({"required": "", "checked": "x"}, [("checked", "never good: x")]),
    ],
)
def test_from_validation_of_an_error_is_a_line_for_people(data: object, problems: list[tuple[str, str]]) -> None:
    assert _problems(data) == problems


def test_from_validation_of_several_errors_has_them_all() -> None:
    assert len(_problems({"inner": {"approvals": "x"}, "zzz": 1})) == 3


@pytest.mark.parametrize(
    ("path", "text"),
    [((), ""), (("a",), "a"), (("a", "b"), "a.b"), (("code", 0, "path"), "code[0].path"), (("a", 1, 2), "a[1][2]")],
)
def test_dotted_path_is_written_as_in_the_file(path: tuple[str | int, ...], text: str) -> None:
    assert dotted(path) == text


@pytest.mark.parametrize(
    ("word", "guess"), [("brnch", "branch"), ("Branch", "branch"), ("branch", "branch"), ("xyz", None), ("", None)]
)
def test_nearest_word_is_found_only_where_it_is_near(word: str, guess: str | None) -> None:
    assert nearest(word, ["branch", "approvals"]) == guess


def test_raise_for_nothing_does_nothing() -> None:
    raise_for([], "FILE")


def test_raise_for_problems_without_lines_keeps_their_order() -> None:
    with pytest.raises(InvalidFile) as caught:
        raise_for([Problem(("b",), "is wrong"), Problem((), "is odd"), Problem(("a", 0), "is bad")], "FILE")
    assert caught.value.message == "FILE has 3 problems:\n  b: is wrong\n  is odd\n  a[0]: is bad"


def test_raise_for_problems_with_lines_sorts_by_line_and_takes_the_line_of_the_parent() -> None:
    lines = {("b",): 7, ("a",): 2}
    with pytest.raises(InvalidFile) as caught:
        raise_for([Problem(("b",), "is wrong"), Problem(("a", "x"), "is required")], "FILE", lines)
    assert caught.value.message == "FILE has 2 problems:\n  line 2: a.x: is required\n  line 7: b: is wrong"


def test_raise_for_one_problem_speaks_of_one() -> None:
    with pytest.raises(InvalidFile, match=r"^FILE has 1 problem:\n  a: is bad$"):
        raise_for([Problem(("a",), "is bad")], "FILE")
