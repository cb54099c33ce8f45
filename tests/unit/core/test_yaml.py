"""YAML as a Kitfile needs it: text stays text, every value has its line."""

from typing import Any

import pytest

from gitkit.core.yaml import parse_yaml
from gitkit.errors import InvalidFile


def _parse(text: str, *typed: str) -> dict[str, Any]:
    return parse_yaml(text.encode(), file="FILE", typed=frozenset(typed))[0]


@pytest.mark.parametrize("text", ["1.0", "no", "0x10", "2024-01-01", "1e3", "true", "010", "1_000", ".inf"])
def test_scalar_outside_of_typed_keys_stays_text(text: str) -> None:
    assert _parse(f"a: {text}") == {"a": text}


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_key_without_a_value_is_left_out(text: str) -> None:
    assert _parse(f"a: {text}\nb: x") == {"b": "x"}


@pytest.mark.parametrize("text", ['""', "''", '"null"', "'~'"])
def test_quoted_value_is_text_even_when_empty(text: str) -> None:
    assert _parse(f"a: {text}") == {"a": text[1:-1]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-5", -5),
        ("+5", 5),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.0", 1.0),
        ("1.", 1.0),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("", None),
        ("text", "text"),
        ("yes", "yes"),
        ('"1"', "1"),
        ("1_000", "1_000"),
        ("nan", "nan"),
        (".nan", ".nan"),
        ("inf", "inf"),
        ("-.inf", "-.inf"),
        ("infinity", "infinity"),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
        ("\u0663", "\u0663"),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_scalar_below_a_typed_key_is_resolved(text: str, value: object) -> None:
    found = _parse(f"parameters: {{a: {text}}}\nb: 1", "parameters")
    assert found == {"parameters": {"a": value}, "b": "1"}
    assert type(found["parameters"]["a"]) is type(value)


def test_typed_key_deeper_in_the_file_resolves_only_what_is_below_it() -> None:
    found = _parse("a:\n- version: 1\n  parameters:\n  - x: [1, {y: 2}]\n", "parameters")
    assert found == {"a": [{"version": "1", "parameters": [{"x": [1, {"y": 2}]}]}]}


def test_lines_of_values_count_from_one() -> None:
    text = "a: 1\nb:\n  - c: x\n    d: >\n      long\n      text\n  - e\n"
    lines = parse_yaml(text.encode(), file="FILE", typed=frozenset())[1]
    assert lines[("a",)] == 1
    assert lines[("b",)] == 2
    assert (lines[("b", 0, "c")], lines[("b", 0, "d")], lines[("b", 1)]) == (3, 4, 7)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\n\n", "~"])
def test_empty_file_is_an_empty_mapping(text: str) -> None:
    assert parse_yaml(text.encode(), file="FILE", typed=frozenset())[0] == {}


@pytest.mark.parametrize("text", ["a: 1\n---\nb: 2\n", "a: 1\n---\nb: [\n", "---\na: 1\n...\n"])
def test_only_the_first_document_counts(text: str) -> None:
    assert _parse(text) == {"a": "1"}


def test_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert _parse("\ufeffa: 1") == {"a": "1"}


def test_aliases_are_followed() -> None:
    assert _parse("a: &x [1, 2]\nb: *x\n") == {"a": ["1", "2"], "b": ["1", "2"]}


@pytest.mark.parametrize("text", ["- a\n", "text", "5", "[a]"])
def test_file_that_is_no_mapping_is_invalid(text: str) -> None:
    with pytest.raises(InvalidFile, match="FILE is not a YAML mapping"):
        _parse(text)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b"a: [\n", "line 2"),
        (b"a: b: c", "line 1"),
        (b"\ta: 1", "line 1"),
        (b"a: *x", "line 1"),
        (b"\xff", ""),
        (b"a: \x01", ""),
    ],
)
def test_file_that_is_no_yaml_is_invalid_with_the_line(text: bytes, where: str) -> None:
    with pytest.raises(InvalidFile, match=f"^FILE ?{where} is not YAML: "):
        parse_yaml(text, file="FILE", typed=frozenset())


@pytest.mark.parametrize("text", ["b:\n  a: 1\n  a: 2\n", "b:\n  a:\n  a: 2\n", "b:\n  a: {c: 1}\n  a: {c: 1}\n"])
def test_key_given_twice_is_invalid_with_the_line_of_the_second(text: str) -> None:
    with pytest.raises(InvalidFile, match=r"^FILE has 1 problem:\n  line 3: b.a: is given twice$"):
        _parse(text)


_BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    "text",
    ["a: &a [*a]", "a: " + "[" * 70 + "]" * 70, "a: " + "[" * 5000, "[" * 5000, "{a: " * 5000, _BOMB],
    ids=["cycle", "deep", "deeper", "open lists", "open mappings", "alias bomb"],
)
def test_file_too_large_or_deep_is_invalid(text: str) -> None:
    with pytest.raises(InvalidFile, match=r"^FILE is too large or too deep"):
        _parse(text)
