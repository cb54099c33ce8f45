"""What a promotion must meet. A rule that cannot be evaluated is not met."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gitkit.errors import GateRefused

if TYPE_CHECKING:
    from gitkit.core.config import Environment
    from gitkit.modelkit.build import Kit


class Verdict(NamedTuple):
    """``passed`` only where the rule was evaluated and is met."""

    gate: str
    passed: bool
    reason: str


Evaluator = Callable[["Kit"], Verdict]


def evaluate(environment: "Environment", kit: "Kit", evaluators: Mapping[str, Evaluator]) -> list[Verdict]:
    """The verdict of every rule of ``environment``, in the order of its policy."""
    names = [*environment.gates]
    if environment.soak is not None:
        names.append("soak")
    if environment.approvals:
        names.append("approvals")
    return [_one(name, kit, evaluators) for name in names]


def require(verdicts: list[Verdict], environment: str) -> None:
    """Refuse unless every rule is met.

    Raises:
        GateRefused: names each rule that is not, and why.
    """
    refused = [verdict for verdict in verdicts if not verdict.passed]
    if refused:
        lines = "\n".join(f"  {verdict.gate}: {verdict.reason}" for verdict in refused)
        raise GateRefused(f"{environment} does not take this version:\n{lines}")


def _one(name: str, kit: "Kit", evaluators: Mapping[str, Evaluator]) -> Verdict:
    evaluator = evaluators.get(name)
    if evaluator is None:
        return Verdict(name, False, "this version of git kit cannot evaluate it, so it is not passed")
    return evaluator(kit)
