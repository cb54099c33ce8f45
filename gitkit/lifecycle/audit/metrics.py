"""Gates ``eval`` are the one kind that commits alone decide: they are evaluated again."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from gitkit.core.journal import Event
from gitkit.errors import KitError
from gitkit.lifecycle import metrics
from gitkit.lifecycle.environments import Place
from gitkit.lifecycle.metrics import MetricsFile

if TYPE_CHECKING:
    from gitkit.core.policy import Gate


def contradiction(place: Place, known: Collection[str], gate: "Gate", event: Event) -> str | None:
    """Why the gate is not passed by what the commits hold; None where it is, or where nobody can tell any more.

    ``known`` are the commits that are in this clone.
    """
    from gitkit.core.policy import EvalGate
    from gitkit.core.thresholds import check

    commits = [point.commit for point in (event.after, event.before) if point is not None]
    if event.after is None or not isinstance(gate, EvalGate) or not all(commit in known for commit in commits):
        return None
    try:
        candidate, *others = [_read(place, commit, gate.metrics) for commit in commits]
    except KitError:
        return None
    if candidate is None:
        return f"{event.after.version} has no {gate.metrics}"
    before = [baseline.values if baseline is not None else {} for baseline in others]
    checks = check(gate.rules, candidate.values, before[0] if before else None)
    return "; ".join(one.reason for one in checks if one.outcome != "passed") or None


def _read(place: Place, commit: str, path: str) -> MetricsFile | None:
    """
    Raises:
        KitError: the commit has the file, and its content cannot be read.
    """
    git = place.repository.git
    found = metrics.read(git, place.content(), commit, path)
    if found is None and git.ask("rev-parse", "-q", "--verify", "--end-of-options", f"{commit}:{path}") is not None:
        raise KitError(f"{path} of {commit[:12]} is not in this clone")
    return found
