"""Gate ``pickle``: pickles in the kit use nothing but what is known to be harmless (``docs/model-files.md``).

All files are looked at, by content. Nothing of them is ever run or written to the disk.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gitkit.core.paths import show_path
from gitkit.errors import KitError, NetworkError
from gitkit.lifecycle.gates.format import joined
from gitkit.lifecycle.gates.reading import each_file, is_verified
from gitkit.lifecycle.gates.subject import Outcome, Subject, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitkit.core.pickle_search import Place
    from gitkit.core.pickles import Scan
    from gitkit.core.policy import PickleGate
    from gitkit.modelkit.files import KitFile

MAX_GLOBALS = 50
"""So many names go into the evidence."""

_MAX_PLACES = 20
_JOBLIB = "joblib"


@dataclass(slots=True, kw_only=True)
class _Found:
    """What was seen. ``refused`` and ``unread`` are places with reasons, ``holders`` the files that hold pickles."""

    pickles: int = 0
    globals: dict[str, None] = field(default_factory=dict)
    refused: dict[str, None] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)
    holders: "list[KitFile]" = field(default_factory=list)


def evaluate(name: str, gate: "PickleGate", subject: Subject) -> Verdict:
    """Failed where a pickle uses a name that is not allowed, unevaluated where something could not be looked into.

    Raises:
        KitError: Git cannot give what it holds.
    """
    found = _Found()
    _look(subject, gate.allow, found)
    evidence: dict[str, Any] = {
        "files": len(subject.kit.files),
        "pickles": found.pickles,
        "globals": list(found.globals)[:MAX_GLOBALS],
        "refused": list(found.refused)[:_MAX_PLACES],
        "not_scanned": list(found.unread)[:_MAX_PLACES],
        "unverified": sum(not is_verified(subject.content, file) for file in subject.kit.files),
    }
    if gate.picklescan:
        _ask_picklescan(subject, found, evidence)
    return Verdict(name, *_outcome(found), evidence)


def _outcome(found: _Found) -> tuple[Outcome, str]:
    if found.refused:
        return "failed", joined(list(found.refused))
    if found.unread:
        return "unevaluated", "not scanned: " + joined(list(found.unread))
    if not found.pickles:
        return "passed", "the kit holds no pickles"
    return "passed", f"{found.pickles} {'pickle uses' if found.pickles == 1 else 'pickles use'} harmless names only"


def _look(subject: Subject, allow: "Sequence[str]", found: _Found) -> None:
    from gitkit.core.pickle_search import search

    for file, read_at in each_file(subject.content, subject.kit.files):
        pickles = found.pickles
        try:
            for place in search(read_at, file.size):
                _note(file.path, place, allow, found)
        except KitError as error:
            found.unread[f"{show_path(file.path)}: {' '.join(error.message.split())}"] = None
            if isinstance(error, NetworkError):  # the next file would wait for the same network
                return
        if found.pickles > pickles:
            found.holders.append(file)


def _note(path: str, place: "Place", allow: "Sequence[str]", found: _Found) -> None:
    where = ": ".join(show_path(part) for part in (path, place.member) if part)
    if place.unread is not None:
        found.unread[f"{where}: {' '.join(place.unread.split())}"] = None
    if place.scan is None:
        return
    found.pickles += place.scan.pickles
    found.globals |= {show_path(str(name)): None for name in place.scan.globals}
    found.refused |= {f"{where}: {reason}": None for reason in _refusals(place.scan, allow)}
    doubt = _doubt(place.scan, allow)
    if doubt is not None:
        found.unread[f"{where}: {doubt}"] = None


def _refusals(scan: "Scan", allow: "Sequence[str]") -> list[str]:
    from gitkit.core.harmless import is_harmless

    names = [show_path(str(name)) for name in scan.globals if not is_harmless(name, allow)]
    return [*names, *scan.problems]


def _doubt(scan: "Scan", allow: "Sequence[str]") -> str | None:
    """Why nobody knows what it does. ``joblib`` in ``allow`` says that nothing but joblib will read it."""
    from gitkit.core.harmless import is_harmless

    if scan.unread is not None:
        return scan.unread
    names = [str(name) for name in scan.otherwise if not is_harmless(name, allow)]
    if names and _JOBLIB not in allow:
        return f"what is not joblib may read {show_path(names[0])} from it"
    return None


# -- a second opinion ----------------------------------------------------------------------------------------------


def _ask_picklescan(subject: Subject, found: _Found, evidence: dict[str, Any]) -> None:
    """Evidence of another scanner, asked about the files that hold pickles: it adds doubts, and takes none away."""
    from gitkit.lifecycle.gates.picklescan import ask

    answer = ask(subject.content, found.holders)
    evidence["picklescan"] = answer.as_json()
    found.refused |= {f"{show_path(path)}: picklescan calls it dangerous": None for path in answer.dangerous}
    found.unread |= {f"picklescan: {problem}": None for problem in answer.problems}
