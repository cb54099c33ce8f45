"""Gate ``reproducible``: the kit that was released is the one that its commit gives."""

from typing import TYPE_CHECKING

from gitkit.core.digest import short
from gitkit.lifecycle.gates.subject import Subject, Verdict

if TYPE_CHECKING:
    from gitkit.core.policy import ReproducibleGate


def evaluate(name: str, gate: "ReproducibleGate", subject: Subject) -> Verdict:
    """``subject.kit`` was built from the commit anew: comparing the digests is all that is left to do."""
    kit = subject.kit
    evidence = {"released": subject.released, "rebuilt": kit.digest, "commit": kit.commit}
    if subject.released is None:
        return Verdict(
            name, "unevaluated", f"{kit.version} was never released: there is nothing to compare with", evidence
        )
    if subject.released != kit.digest:
        reason = f"{short(subject.released)} was released, but commit {kit.commit[:12]} gives {short(kit.digest)}"
        return Verdict(name, "failed", reason, evidence)
    return Verdict(name, "passed", f"commit {kit.commit[:12]} gives {short(kit.digest)} again", evidence)
