"""Metrics files: every number by its dotted name, exactly as it is written."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.core.metrics import MAX_SIZE, as_number, parse_metrics, show
from gitkit.errors import InvalidFile


def numbers(text: str | bytes, file: str = "metrics.json") -> dict[str, str]:
    """The metrics as text, which tells 0.90 from 0.9."""
    data = text.encode() if isinstance(text, str) else text
    return {name: str(value) for name, value in parse_metrics(data, file=file).items()}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("m.json", '{"test": {"accuracy": 0.90, "n": 12}, "folds": [{"loss": 1e-3}, {"loss": -2}]}'),
        ("m.yaml", "test: {accuracy: 0.90, n: 12}\nfolds:\n  - loss: 1e-3\n  - loss: -2\n"),
        ("m.yml", "test: {accuracy: 0.90, n: 12}\nfolds: [{loss: 1e-3}, {loss: -2}]\n"),
        ("m.toml", "[test]\naccuracy = 0.90\nn = 12\n[[folds]]\nloss = 1e-3\n[[folds]]\nloss = -2\n"),
        ("eval/M.JSON", '{"test": {"accuracy": 0.90, "n": 12}, "folds": [{"loss": 1e-3}, {"loss": -2}]}'),
        ("scores", '{"test": {"accuracy": 0.90, "n": 12}, "folds": [{"loss": 1e-3}, {"loss": -2}]}'),
    ],
)
def test_documents_flatten_to_dotted_names_in_their_order(file: str, text: str) -> None:
    found = parse_metrics(text.encode(), file=file)
    assert list(found) == ["test.accuracy", "test.n", "folds.0.loss", "folds.1.loss"]
    assert list(found.values()) == [Decimal("0.9"), Decimal(12), Decimal("0.001"), Decimal(-2)]


@pytest.mark.parametrize(("file", "text"), [("m.json", '{"a": %s}'), ("m.toml", "a = %s"), ("m.csv", "a\n%s\n")])
def test_number_keeps_every_digit_that_is_written(file: str, text: str) -> None:
    digits = "0.1000000000000000000000000000000000055"
    assert numbers(text % digits, file) == {"a": digits}
    assert numbers(text % "0.90", file) == {"a": "0.90"}


def test_yaml_number_is_the_shortest_that_means_the_same() -> None:
    assert numbers("a: 0.895\nb: 0x10\n", "m.yaml") == {"a": "0.895", "b": "16"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("m.json", '{"a": true, "b": "0.9", "c": null, "d": [], "e": {}, "f": "nan", "ok": 1}'),
        ("m.yaml", 'a: true\nb: "0.9"\nc: null\nd: []\nf: nan\nok: 1\n'),
        ("m.toml", 'a = true\nb = "0.9"\nd = []\nf = 2026-01-01\nok = 1\n'),
        ("m.csv", "a,b,c,f,ok\ntrue,0.9x,,2026-01-01,1\n"),
    ],
)
def test_what_is_no_number_is_left_out(file: str, text: str) -> None:
    assert numbers(text, file) == {"ok": "1"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("m.json", '{"a": NaN, "b": Infinity, "c": -Infinity}'),
        ("m.yaml", "a: .nan\nb: .inf\nc: -.inf\n"),
        ("m.toml", "a = nan\nb = inf\nc = -inf\n"),
        ("m.csv", "a,b,c\nnan,inf,-Infinity\n"),
    ],
)
def test_number_that_is_not_finite_stays_as_one(file: str, text: str) -> None:
    assert numbers(text, file) == {"a": "NaN", "b": "Infinity", "c": "-Infinity"}


def test_name_with_a_dot_is_one_name() -> None:
    assert numbers('{"hits@1.5": 2, "a": {"b.c": 1}}') == {"hits@1.5": "2", "a.b.c": "1"}


@pytest.mark.parametrize("text", ["0.9", '"x"', "[]", "null", "{}"])
def test_json_without_names_has_no_metrics(text: str) -> None:
    assert numbers(text) == {}


def test_json_list_counts_from_zero() -> None:
    assert numbers("[1, [2]]") == {"0": "1", "1.0": "2"}


def test_byte_order_mark_is_skipped() -> None:
    assert numbers(b'\xef\xbb\xbf{"a": 1}') == {"a": "1"}


def test_csv_last_row_counts() -> None:
    assert numbers("epoch,loss\n1,0.5\n2,0.25\n", "m.csv") == {"epoch": "2", "loss": "0.25"}


@pytest.mark.parametrize("header", ["metric,value", "name,value", "Metric, Value"])
def test_csv_of_names_and_values_has_a_metric_a_row(header: str) -> None:
    assert numbers(f"{header}\r\naccuracy,0.90\r\nf1, .5\r\nnote,x\r\n", "m.csv") == {"accuracy": "0.90", "f1": "0.5"}


def test_csv_index_without_a_name_is_left_out() -> None:
    assert numbers(",,accuracy\n0,1,0.9\n", "m.csv") == {"accuracy": "0.9"}


@pytest.mark.parametrize("text", ["", "\n\n", "a,b\n"])
def test_csv_without_values_has_no_metrics(text: str) -> None:
    assert numbers(text, "m.csv") == {}


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("m.json", "{", "m.json is not JSON"),
        ("m.json", b"\xff", "m.json is not UTF-8"),
        ("m.json", '{"a": 1, "a": 1}', 'm.json has the key "a" twice'),
        ("m.json", '{"a": {"b": 1}, "a.b": 1}', 'm.json has the metric "a.b" twice'),
        ("m.json", '{"a": ' * 64 + "1" + "}" * 64, None),
        ("m.json", '{"a": ' * 65 + "1" + "}" * 65, "m.json is too deep"),
        ("m.json", "[" * 100_000, "m.json is too deep"),
        ("m.json", '{"a": 1e308}', "m.json: a is too large"),
        ("m.json", '{"a": 1e-308}', "m.json: a is too large"),
        ("m.json", '{"a": 1e99999999999999999999}', "m.json has a number that is too large"),
        ("m.json", '{"a": 1%s}' % ("0" * 5000), "m.json: a is too large"),
        ("m.json", '{"a": 0.%s}' % ("1" * 1001), "m.json: a is too large"),
        ("m.toml", "a = ", "m.toml is not TOML"),
        ("m.toml", "a = 1\na = 2\n", "m.toml is not TOML"),
        ("m.toml", "a = 1e99999999999999999999\n", "m.toml has a number that is too large"),
        ("m.toml", f"a = {'[' * 20_000}1{']' * 20_000}\n", "m.toml is too deep"),
        ("m.yaml", "a: 1\na: 2\n", "is given twice"),
        ("m.yaml", "a: [", "m.yaml line"),
        ("m.yaml", "- 1\n", "m.yaml is not a YAML mapping"),
        ("m.csv", "a,b\n1\n", "m.csv has a row of 1 cells below a header of 2"),
        ("m.csv", "a,a\n1,2\n", 'm.csv has the metric "a" twice'),
        ("m.csv", "metric,value\na,1\na,2\n", 'm.csv has the metric "a" twice'),
        ("m.csv", 'a\n"1\n', "m.csv is not CSV"),
        ("m.json", " " * (MAX_SIZE + 1), "too large for metrics"),
    ],
)
def test_file_that_cannot_be_trusted_is_an_error(file: str, text: str | bytes, said: str | None) -> None:
    if said is None:
        assert len(numbers(text, file)) == 1
        return
    with pytest.raises(InvalidFile) as error:
        numbers(text, file)
    assert said in error.value.message


def test_zero_of_any_length_is_zero() -> None:
    assert numbers('{"a": 0e-999999}') == {"a": "0"}


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.floats(allow_nan=False)))
def test_floats_survive_json(values: dict[str, float]) -> None:
    finite = {name: value for name, value in values.items() if 1e-300 < abs(value) < 1e300}
    found = parse_metrics(json.dumps(finite).encode(), file="m.json")
    assert {name: float(value) for name, value in found.items()} == finite


@pytest.mark.parametrize(
    ("text", "shown", "number"),
    [
        ("0.90", "0.90", 0.9),
        ("12", "12", 12),
        ("1E+3", "1000", 1000.0),
        ("1E-7", "0.0000001", 1e-7),
        ("1E+300", "1E+300", 1e300),
        ("NaN", "NaN", None),
        ("-Infinity", "-Infinity", None),
    ],
)
def test_number_for_people_and_for_json(text: str, shown: str, number: float | None) -> None:
    assert show(Decimal(text)) == shown
    assert as_number(Decimal(text)) == number
    assert type(as_number(Decimal(text))) is type(number)
