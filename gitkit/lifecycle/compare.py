"""What differs between two environments or versions: kits, the data in them, metrics, and what a move would meet."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.events import Sink, Warned, ignore
from gitkit.core.journal import Point
from gitkit.errors import KitError, NotFound
from gitkit.git.tags import release_commit
from gitkit.lifecycle import metrics
from gitkit.lifecycle.candidates import case_of
from gitkit.lifecycle.gates.subject import Verdict
from gitkit.lifecycle.rules import decide
from gitkit.lifecycle.situation import Situation
from gitkit.modelkit.diff import Diff, FieldChange, FileChange, diff
from gitkit.modelkit.files import read_source
from gitkit.modelkit.formats.modelpack import resolved_kitfile
from gitkit.modelkit.sides import Side, of_commit

if TYPE_CHECKING:
    from gitkit.core.policy import EvalGate
    from gitkit.core.remote import Remote


class Version(NamedTuple):
    """One of the two: ``environment`` is None where a version was named. ``digest`` is that of its kit."""

    environment: str | None
    version: str
    commit: str
    digest: str

    def __str__(self) -> str:
        return f"{self.environment} ({self.version})" if self.environment is not None else self.version


class Compared(NamedTuple):
    """``after`` against ``before``. ``rows`` are metrics that changed. ``asks`` are the rules that the first would meet
    on its way into the second, where that is an environment, and ``gates`` those that are evaluated only then.
    """

    before: Version
    after: Version
    kits: Diff
    rows: Sequence[metrics.Row]
    asks: Sequence[Verdict]
    gates: Sequence[str]

    @property
    def datasets(self) -> list[FileChange]:
        """Files of datasets that are others, or new, or gone."""
        return [change for change in self.kits.files if change.section == "datasets"]

    @property
    def licences(self) -> list[FieldChange]:
        """What the Kitfile says about licences and says otherwise."""
        return [field for field in self.kits.fields if field.path.rpartition(".")[2] == "license"]


def compare(
    situation: Situation, before: str, after: str, remote: "Remote | None", now: int, *, emit: Sink = ignore
) -> Compared:
    """Compare two environments, or versions, by their names. ``now`` is in microseconds since 1970.

    ``remote`` is where content lies that is not here: without it, headers of tensors may be missing. Metrics that
    cannot be read are a warning.

    Raises:
        NotFound: nothing runs there, or there is no such version.
        InvalidFile: a commit has no Kitfile, or one with problems.
        Denied, NetworkError: a header has to be read and cannot be.
    """
    old, new = _version(situation, before), _version(situation, after)
    gates = _eval_gates(situation)
    kits = diff(
        _side(situation, str(old), old.commit, remote),
        _side(situation, str(new), new.commit, remote),
        lower_is_better={name for gate in gates.values() for name, rule in gate.rules.items() if rule.lower_is_better},
    )
    asks, asked = _rules(situation, old, new, now)
    try:
        rows = _metrics(situation, old.commit, new.commit, gates)
    except KitError as error:
        emit(Warned(f"metrics are not compared: {error.message}"))
        rows = []
    return Compared(old, new, kits, rows, asks, asked)


def _version(situation: Situation, name: str) -> Version:
    place = situation.place
    if name not in place.config.environments:
        commit = release_commit(place.repository.git, name, place.config.kit.tags)
        released = situation.ledger.releases.get(name)
        point = released.event.after if released is not None else None
        is_known = point is not None and point.commit == commit
        return Version(None, name, commit, point.digest if point and is_known else place.build(commit, name).digest)
    run = situation.state(name).current
    if run is None:
        raise NotFound(f"nothing runs in {name}", hint=f"git kit promote VERSION {name}")
    return Version(name, run.version, run.commit, run.digest or place.build(run.commit, run.version).digest)


def _side(situation: Situation, title: str, commit: str, remote: "Remote | None") -> Side:
    place = situation.place
    source = read_source(place.repository.git, commit)
    return of_commit(title, source, resolved_kitfile(source), place.repository.git, place.store, remote)


def _eval_gates(situation: Situation) -> "dict[str, EvalGate]":
    return {name: gate for name, gate in situation.place.config.gates.items() if gate.kind == "eval"}


def _metrics(situation: Situation, before: str, after: str, gates: "Mapping[str, EvalGate]") -> list[metrics.Row]:
    place = situation.place
    paths = [gate.metrics for gate in gates.values()] or metrics.USUAL
    old, new = (metrics.read_all(place.repository.git, place.content(), commit, paths) for commit in (before, after))
    return [row for row in metrics.compare(old, new, gates).rows if row.before != row.after]


def _rules(situation: Situation, old: Version, new: Version, now: int) -> tuple[list[Verdict], Sequence[str]]:
    """What stands between the first version and the second environment."""
    if new.environment is None or old.digest == new.digest:
        return [], ()
    case = case_of(situation, new.environment, Point(old.version, old.digest, old.commit), now)
    return decide(case), situation.policy(new.environment).environment(new.environment).gates
