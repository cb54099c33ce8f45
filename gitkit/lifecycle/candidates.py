"""What could come into an environment next: the versions that its sources run, and which rules still stand in the way.

Gates are not evaluated here: that may take long, and needs content.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitkit.core.journal import Point
from gitkit.lifecycle.environments import Run
from gitkit.lifecycle.gates.subject import Verdict
from gitkit.lifecycle.ledger import Entry
from gitkit.lifecycle.rules import Case, decide, valid_approvals
from gitkit.lifecycle.situation import Situation, authors_of
from gitkit.lifecycle.table import digest_of


class Candidate(NamedTuple):
    """A version that runs in ``sources`` and not here. ``verdicts`` are those of all rules that are no gates;
    ``approvals`` are those that count. ``digest`` is None where it was never released: then nothing is decided.
    """

    version: str
    digest: str | None
    sources: Sequence[str]
    verdicts: Sequence[Verdict]
    approvals: Sequence[Entry]

    @property
    def refused(self) -> list[Verdict]:
        """The rules that are not met now."""
        return [verdict for verdict in self.verdicts if not verdict.lets_through]


def candidates(situation: Situation, name: str, current: str | None, now: int) -> list[Candidate]:
    """The versions other than ``current`` that the sources of the environment ``name`` run; ``now`` in microseconds."""
    found: dict[str, tuple[Run, list[str]]] = {}
    for source in situation.policy(name).environment(name).sources:
        run = situation.state(source).current if source in situation.place.config.environments else None
        if run is not None and run.version != current:
            found.setdefault(run.version, (run, []))[1].append(source)
    return [_candidate(situation, name, run, sources, now) for run, sources in found.values()]


def _candidate(situation: Situation, name: str, run: Run, sources: Sequence[str], now: int) -> Candidate:
    digest = digest_of(situation.place, situation.ledger, run)
    if digest is None:
        return Candidate(run.version, None, sources, (), ())
    case = case_of(situation, name, Point(run.version, digest, run.commit), now)
    approvals = valid_approvals(case)
    return Candidate(run.version, digest, sources, decide(case), list(approvals.values()))


def case_of(situation: Situation, name: str, point: Point, now: int) -> Case:
    """What the rules of the environment ``name`` decide on, where ``point`` is to come in."""
    return Case(
        config=situation.policy(name),
        environment=name,
        point=point,
        ledger=situation.ledger_of(name),
        now=now,
        authors=authors_of(situation.place, point.commit, point.version),
        stays=situation.stays,
    )


def verdicts_json(verdicts: Sequence[Verdict]) -> list[Mapping[str, object]]:
    """Verdicts as JSON values."""
    return [{"gate": one.gate, "outcome": one.outcome, "reason": one.reason} for one in verdicts]
