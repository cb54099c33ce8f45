"""Gate ``size``: neither the kit nor one of its files is larger than allowed. Sizes are those of the kit's layers."""

from typing import TYPE_CHECKING

from gitkit.core.paths import show_path
from gitkit.lifecycle.gates.subject import Subject, Verdict

if TYPE_CHECKING:
    from gitkit.core.policy import SizeGate


def evaluate(name: str, gate: "SizeGate", subject: Subject) -> Verdict:
    """Passed or failed; a limit itself is allowed."""
    from gitkit.core.policy import parse_size

    kit = subject.kit
    largest = max(kit.files, key=lambda file: file.size, default=None)
    problems = []
    if kit.size > parse_size(gate.max):
        problems.append(f"the kit has {kit.size} bytes, more than {gate.max}")
    if gate.max_file is not None and largest is not None and largest.size > parse_size(gate.max_file):
        path = show_path(largest.path)
        problems.append(f"{path} has {largest.size} bytes, more than {gate.max_file}")
    evidence = {"size": kit.size, "largest_file": largest.size if largest is not None else 0}
    if problems:
        return Verdict(name, "failed", "; ".join(problems), evidence)
    return Verdict(name, "passed", f"{kit.size} bytes of at most {gate.max}", evidence)
