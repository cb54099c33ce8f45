"""Limits on metrics: exact, and nothing passes that was not compared."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.core.policy import Limits
from gitkit.core.thresholds import Check, better, check, difference


def numbers(**values: str) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in values.items()}


def one(limits: dict[str, Any], value: str | None, before: str | bool | None = False) -> Check:
    """The check of a metric ``a``. ``before``: False where nothing runs, None where what runs has no such metric."""
    candidate = numbers(a=value) if value is not None else {}
    baseline = None if before is False else numbers(a=str(before)) if before is not None else {}
    [found] = check({"a": Limits(**limits)}, candidate, baseline)
    return found


@pytest.mark.parametrize(
    ("limits", "value", "outcome", "reason"),
    [
        ({"min": 0.9}, "0.9", "passed", "a 0.9 meets min 0.9"),
        ({"min": 0.9}, "0.90", "passed", "a 0.90 meets min 0.9"),
        ({"min": 0.9}, "0.89999999999999999999", "failed", "a 0.89999999999999999999 is below min 0.9"),
        ({"max": 120.0}, "120", "passed", "a 120 meets max 120.0"),
        ({"max": 120.0}, "120.0000000000000000001", "failed", "a 120.0000000000000000001 is above max 120.0"),
        ({"min": 0.1, "max": 0.2}, "0.15", "passed", "a 0.15 meets min 0.1; meets max 0.2"),
        ({"min": 0.1, "max": 0.2}, "0.25", "failed", "a 0.25 is above max 0.2"),
        ({"min": 0.9}, None, "unevaluated", "a is missing"),
        ({"min": 0.9}, "NaN", "unevaluated", "a is NaN, which no limit can be held against"),
        ({"max": 0.9}, "-Infinity", "unevaluated", "a is -Infinity, which no limit can be held against"),
        ({"max": 0.9}, "sNaN", "unevaluated", "a is sNaN, which no limit can be held against"),
    ],
)
def test_absolute_limit_includes_its_end(limits: dict[str, Any], value: str | None, outcome: str, reason: str) -> None:
    found = one(limits, value)
    assert (found.outcome, found.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("limits", "before", "value", "outcome"),
    [
        ({"max_drop": 0.005}, "0.90", "0.895", "passed"),
        ({"max_drop": 0.005}, "0.90", "0.8949999999999999999", "failed"),
        ({"max_drop": 0.005}, "0.90", "0.99", "passed"),
        ({"max_drop": 0.0}, "0.90", "0.9", "passed"),
        ({"max_drop": 5.0, "direction": "lower"}, "100", "105", "passed"),
        ({"max_drop": 5.0, "direction": "lower"}, "100", "105.1", "failed"),
        ({"max_drop": 5.0, "direction": "lower"}, "100", "1", "passed"),
        ({"max_drop": 5.0, "max": 200.0}, "100", "106", "failed"),
        ({"max_drop": 5.0, "max": 200.0, "direction": "higher"}, "100", "106", "passed"),
        ({"min_delta": 0.1}, "0.2", "0.3", "passed"),
        ({"min_delta": 0.1}, "0.2", "0.2999999999999999999999999999999999", "failed"),
        ({"min_delta": 0.1}, "0.2", "0.1", "failed"),
        ({"min_delta": 0.0}, "0.2", "0.2", "passed"),
        ({"min_delta": 0.1, "direction": "lower"}, "0.3", "0.2", "passed"),
        ({"min_delta": 0.1, "direction": "lower"}, "0.3", "0.4", "failed"),
        ({"min_delta": -0.1}, "0.3", "0.2", "passed"),
        ({"max_drop": 0.1}, "-0.5", "-0.6", "passed"),
        ({"max_drop": 0.1}, "-0.5", "-0.61", "failed"),
        ({"max_drop": 1.0}, "1E-307", "-1", "failed"),
    ],
)
def test_comparison_with_what_runs_is_exact(limits: dict[str, Any], before: str, value: str, outcome: str) -> None:
    found = one(limits, value, before)
    assert (found.outcome, found.baseline) == (outcome, Decimal(before))
    assert found.delta == difference(Decimal(value), Decimal(before))


def test_comparison_tells_by_how_much() -> None:
    assert one({"max_drop": 0.005}, "0.89", "0.90").reason == "a 0.89 is 0.01 worse than 0.90 (max_drop 0.005)"
    assert one({"min_delta": 0.05}, "0.92", "0.90").reason == "a 0.92 is 0.02 better than 0.90 (min_delta 0.05)"
    assert one({"max_drop": 0.005}, "0.90", "0.90").reason == "a 0.90 is the same as 0.90 (max_drop 0.005)"


@pytest.mark.parametrize("limit", ["max_drop", "min_delta"])
def test_comparison_that_cannot_be_made_is_no_pass(limit: str) -> None:
    missing = one({limit: 0.1}, "0.9", None)
    assert (missing.outcome, missing.baseline, missing.delta) == ("unevaluated", None, None)
    assert missing.reason == "a 0.9 cannot be compared: in what runs now it is missing"
    assert one({limit: 0.1}, "0.9", "NaN").outcome == "unevaluated"


@pytest.mark.parametrize("limit", ["max_drop", "min_delta"])
def test_comparison_where_nothing_runs_is_met_and_says_so(limit: str) -> None:
    found = one({limit: 0.1}, "0.9")
    assert (found.outcome, found.reason) == ("passed", "a 0.9 has nothing to be compared with yet")


def test_broken_limit_counts_more_than_one_that_cannot_be_evaluated() -> None:
    found = one({"min": 0.95, "max_drop": 0.1}, "0.9", None)
    assert (found.outcome, found.reason) == ("failed", "a 0.9 is below min 0.95")


def test_absolute_limit_that_is_met_does_not_replace_a_comparison() -> None:
    assert one({"min": 0.5, "max_drop": 0.1}, "0.9", None).outcome == "unevaluated"


def test_metrics_are_checked_in_the_order_of_the_rules() -> None:
    rules = {"b.0.c": Limits(min=1.0), "a": Limits(min=1.0)}
    found = check(rules, {"a": Decimal(2), "b.0.c": Decimal(0), "other": Decimal(5)}, {})
    assert [(one.metric, one.outcome) for one in found] == [("b.0.c", "failed"), ("a", "passed")]


@pytest.mark.parametrize(
    ("value", "before", "lower", "verdict"),
    [("2", "1", False, True), ("2", "1", True, False), ("1", "1.0", True, None), (None, "1", True, None)],
)
def test_better_goes_by_the_direction(value: str | None, before: str, lower: bool, verdict: bool | None) -> None:
    assert better(Decimal(value) if value else None, Decimal(before), lower_is_better=lower) is verdict


_SMALL = st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=6)


@given(_SMALL, _SMALL, st.integers(0, 10**9), st.booleans())
def test_drop_is_met_exactly_where_the_difference_in_millionths_is(
    value: Decimal, before: Decimal, drop: int, lower: bool
) -> None:
    limits = Limits(max_drop=drop / 10**6, direction="lower" if lower else "higher")
    [found] = check({"a": limits}, {"a": value}, {"a": before})
    worse = int(value * 10**6) - int(before * 10**6)
    assert (found.outcome == "passed") == ((worse if lower else -worse) <= drop)
