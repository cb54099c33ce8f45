"""Gate ``eval``: metrics of the candidate's commit against limits, and against what the environment runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitkit.core.metrics import as_number
from gitkit.core.thresholds import Check, check, worst
from gitkit.lifecycle.gates.subject import Subject, Verdict
from gitkit.lifecycle.metrics import MetricsFile, read

if TYPE_CHECKING:
    from gitkit.core.policy import EvalGate


def evaluate(name: str, gate: "EvalGate", subject: Subject) -> Verdict:
    """Failed where a limit is broken, unevaluated where a metric, or what to compare it with, is missing.

    Raises:
        InvalidFile: a metrics file is none.
        NotFound, Corrupt, Denied, NetworkError: the content of one cannot be read.
    """
    git = subject.repository.git
    candidate = read(git, subject.content, subject.kit.commit, gate.metrics)
    if candidate is None:
        return Verdict(name, "unevaluated", f"{subject.kit.version} has no {gate.metrics}")
    baseline = read(git, subject.content, subject.baseline, gate.metrics) if subject.baseline is not None else None
    before = None if subject.baseline is None else baseline.values if baseline is not None else {}
    checks = check(gate.rules, candidate.values, before)
    outcome = worst(one.outcome for one in checks)
    reason = "; ".join(one.reason for one in checks if one.outcome == outcome)
    return Verdict(name, outcome, reason, _evidence(candidate, baseline, checks))


def _evidence(candidate: MetricsFile, baseline: MetricsFile | None, checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "file": candidate.path,
        "digest": candidate.digest,
        "baseline_digest": baseline.digest if baseline is not None else None,
        "metrics": {
            one.metric: {
                "value": as_number(one.value),
                "baseline": as_number(one.baseline),
                "outcome": one.outcome,
            }
            for one in checks
        },
    }
