"""Limits on metrics: what a candidate's numbers must be, alone and compared with what runs now. Exact arithmetic."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from gitkit.core.metrics import show

if TYPE_CHECKING:
    from gitkit.core.policy import Limits

Outcome = Literal["passed", "failed", "unevaluated"]

_EXACT = Context(prec=4000)
"""Enough for the difference of any two numbers that a metrics file may hold."""


class Check(NamedTuple):
    """One metric against its limits. ``delta`` is value minus baseline; ``reason`` is one line."""

    metric: str
    value: Decimal | None
    baseline: Decimal | None
    delta: Decimal | None
    outcome: Outcome
    reason: str


class _Finding(NamedTuple):
    outcome: Outcome
    text: str


def check(
    limits: "Mapping[str, Limits]", candidate: Mapping[str, Decimal], baseline: Mapping[str, Decimal] | None
) -> list[Check]:
    """Check every metric that has limits, in their order.

    ``baseline`` is what runs now: None where nothing does, and then limits that compare are met; empty where its
    metrics are not known, and then they cannot be evaluated. ``min`` and ``max`` are inclusive.
    """
    return [_check(name, rule, candidate, baseline) for name, rule in limits.items()]


def difference(value: Decimal | None, baseline: Decimal | None) -> Decimal | None:
    """``value - baseline``, exactly; None where one of both is missing."""
    if value is None or baseline is None or not value.is_finite() or not baseline.is_finite():
        return None
    return _EXACT.subtract(value, baseline)


def better(value: Decimal | None, baseline: Decimal | None, *, lower_is_better: bool) -> bool | None:
    """Whether ``value`` is the better one; None where they are equal or one of both is missing."""
    delta = difference(value, baseline)
    return None if not delta else (delta < 0) == lower_is_better


def _check(
    name: str, rule: "Limits", candidate: Mapping[str, Decimal], baseline: Mapping[str, Decimal] | None
) -> Check:
    value = candidate.get(name)
    before = baseline.get(name) if baseline is not None else None
    if value is None or not value.is_finite():
        return Check(name, value, before, None, "unevaluated", f"{name} is {_missing(value)}")
    findings = list(_absolute(rule, value))
    if baseline is None:
        findings += _incomparable(rule, "passed", "has nothing to be compared with yet")
    elif before is None or not before.is_finite():
        text = f"cannot be compared: in what runs now it is {_missing(before)}"
        findings += _incomparable(rule, "unevaluated", text)
    else:
        findings += _compared(rule, value, before)
    outcome = worst(finding.outcome for finding in findings)
    reason = "; ".join(finding.text for finding in findings if finding.outcome == outcome)
    return Check(name, value, before, difference(value, before), outcome, f"{name} {show(value)} {reason}")


def _missing(value: Decimal | None) -> str:
    return "missing" if value is None else f"{value}, which no limit can be held against"


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """What several outcomes come to: a broken limit counts more than one that cannot be evaluated."""
    found = set(outcomes)
    return "failed" if "failed" in found else "unevaluated" if "unevaluated" in found else "passed"


def _absolute(rule: "Limits", value: Decimal) -> Iterator[_Finding]:
    least, most = rule.decimal("min"), rule.decimal("max")
    if least is not None:
        yield _told(value >= least, f"meets min {show(least)}", f"is below min {show(least)}")
    if most is not None:
        yield _told(value <= most, f"meets max {show(most)}", f"is above max {show(most)}")


def _incomparable(rule: "Limits", outcome: Outcome, text: str) -> Iterator[_Finding]:
    if rule.min_delta is not None or rule.max_drop is not None:
        yield _Finding(outcome, text)


def _compared(rule: "Limits", value: Decimal, before: Decimal) -> Iterator[_Finding]:
    gain = _EXACT.subtract(before, value) if rule.lower_is_better else _EXACT.subtract(value, before)
    # abs(gain) and -gain would be rounded.
    by = f"{show(gain.copy_abs())} {'worse' if gain < 0 else 'better'} than" if gain else "the same as"
    compared = f"is {by} {show(before)}"
    step, drop = rule.decimal("min_delta"), rule.decimal("max_drop")
    if step is not None:
        yield _Finding("passed" if gain >= step else "failed", f"{compared} (min_delta {show(step)})")
    if drop is not None:
        yield _Finding("passed" if gain >= drop.copy_negate() else "failed", f"{compared} (max_drop {show(drop)})")


def _told(met: bool, good: str, bad: str) -> _Finding:
    return _Finding("passed", good) if met else _Finding("failed", bad)
