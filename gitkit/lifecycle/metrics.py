"""Metrics of commits: read from wherever their content is, checked against limits, compared."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.digest import digest_of
from gitkit.core.metrics import MAX_SIZE, parse_metrics, too_large
from gitkit.core.pointer import parse
from gitkit.core.thresholds import Check, better, check, difference
from gitkit.errors import Corrupt, NotFound
from gitkit.git import objects
from gitkit.git.run import Git
from gitkit.modelkit.content import Content
from gitkit.modelkit.files import KitFile

if TYPE_CHECKING:
    from gitkit.core.policy import EvalGate, Limits

USUAL = ("metrics.json", "eval/metrics.json")
"""Where metrics are looked for when no gate says where."""


class MetricsFile(NamedTuple):
    """A metrics file of a commit. ``digest`` is that of its content."""

    path: str
    digest: str
    values: Mapping[str, Decimal]


class Row(NamedTuple):
    """One metric of two commits. ``better`` is None where they are equal, one is missing, or no rule says which way."""

    file: str
    metric: str
    before: Decimal | None
    after: Decimal | None
    change: Decimal | None
    better: bool | None


class Comparison(NamedTuple):
    """``checks`` are the rules of each gate by its name, with what was before as the baseline."""

    rows: Sequence[Row]
    checks: Mapping[str, Sequence[Check]]

    @property
    def unmet(self) -> list[Check]:
        """Rules that are broken, or cannot be evaluated: neither is a pass."""
        return [one for checks in self.checks.values() for one in checks if one.outcome != "passed"]


def read(git: Git, content: Content, commit: str, path: str) -> MetricsFile | None:
    """The metrics in the file ``path`` of a commit, which may be a pointer; None where the commit has no such file.

    Raises:
        InvalidFile: it is no metrics file.
        NotFound: its content is neither here nor on a remote.
        Corrupt, Denied, NetworkError: its content cannot be read.
    """
    oid = git.ask("rev-parse", "-q", "--verify", "--end-of-options", f"{commit}:{path}")
    if oid is None:
        return None
    size = objects.sizes(git, [oid]).get(oid, 0)
    if size > MAX_SIZE:
        raise too_large(path, size)
    data = objects.read_file(git, commit, path)
    if data is None:
        return None
    pointer = parse(data)
    if pointer is not None:
        if pointer.size > MAX_SIZE:
            raise too_large(path, pointer.size)
        data = content.read_whole(_file(path, pointer.digest, pointer.size, pointer.lfs))
        if digest_of(data) != pointer.digest:
            raise Corrupt(f"the content of {path} is not what its pointer says: {pointer.digest}")
    return MetricsFile(path, digest_of(data), parse_metrics(data, file=path))


def read_all(git: Git, content: Content, commit: str, paths: Iterable[str]) -> dict[str, MetricsFile]:
    """Those of ``paths`` that the commit has.

    Raises:
        InvalidFile, NotFound, Corrupt, Denied, NetworkError: as ``read``.
    """
    found = ((path, read(git, content, commit, path)) for path in dict.fromkeys(paths))
    return {path: file for path, file in found if file is not None}


def compare(
    before: Mapping[str, MetricsFile], after: Mapping[str, MetricsFile], gates: "Mapping[str, EvalGate]"
) -> Comparison:
    """What changed, and whether the rules of ``gates`` are met. Rules about a file count only for that file."""
    rows = []
    for path in dict.fromkeys((*before, *after)):
        limits = _limits(gates, path)
        rows += [_row(path, name, before, after, limits.get(name)) for name in _names(path, before, after)]
    checks = {
        name: check(gate.rules, _values(after, gate.metrics), _values(before, gate.metrics))
        for name, gate in gates.items()
    }
    return Comparison(rows, checks)


def require_some(found: Iterable[str], paths: Sequence[str], where: str) -> None:
    """
    Raises:
        NotFound: none of ``paths`` was found in ``where``.
    """
    if not list(found):
        raise NotFound(f"no metrics in {where}: looked for {', '.join(paths)}", hint="name the file: --file PATH")


def _file(path: str, digest: str, size: int, lfs: bool) -> KitFile:
    return KitFile(
        section="", number=0, path=path, digest=digest, size=size, executable=False, named=True, oid=None, lfs=lfs
    )


def _names(path: str, *sides: Mapping[str, MetricsFile]) -> list[str]:
    return list(dict.fromkeys(name for side in sides for name in _values(side, path)))


def _values(side: Mapping[str, MetricsFile], path: str) -> Mapping[str, Decimal]:
    return side[path].values if path in side else {}


def _limits(gates: "Mapping[str, EvalGate]", path: str) -> "dict[str, Limits]":
    return {name: rule for gate in gates.values() if gate.metrics == path for name, rule in gate.rules.items()}


def _row(
    path: str,
    name: str,
    before: Mapping[str, MetricsFile],
    after: Mapping[str, MetricsFile],
    rule: "Limits | None",
) -> Row:
    old, new = _values(before, path).get(name), _values(after, path).get(name)
    verdict = better(new, old, lower_is_better=rule.lower_is_better) if rule is not None else None
    return Row(path, name, old, new, difference(new, old), verdict)
