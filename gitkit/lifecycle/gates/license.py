"""Gate ``license``: every licence that the Kitfile names is an allowed one, and at least one is named."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gitkit.core.paths import show_path
from gitkit.core.spdx import Answer, judge
from gitkit.lifecycle.gates.subject import Subject, Verdict
from gitkit.modelkit.files import read_source

if TYPE_CHECKING:
    from gitkit.core.kitfile import Kitfile
    from gitkit.core.policy import LicenseGate


def evaluate(name: str, gate: "LicenseGate", subject: Subject) -> Verdict:
    """Failed where a licence is not allowed, unevaluated where none is recorded.

    Raises:
        InvalidFile: the commit's Kitfile cannot be read.
    """
    kitfile = read_source(subject.repository.git, subject.kit.commit).kitfile
    licences = {place: text for place, text in _licences(kitfile) if text and text.strip()}
    evidence = {"licences": licences}
    if not licences:
        return Verdict(name, "unevaluated", "the Kitfile names no licence: it is not recorded", evidence)
    answers = {place: judge(text, gate.allow) for place, text in licences.items()}
    refused = [_refusal(place, licences[place], answer) for place, answer in answers.items() if not answer.allowed]
    if refused:
        return Verdict(name, "failed", "; ".join(refused), evidence)
    parts = dict.fromkeys(part for answer in answers.values() for part in answer.parts)
    return Verdict(name, "passed", f"allowed: {', '.join(map(show_path, parts))}", evidence)


def _licences(kitfile: "Kitfile") -> Iterator[tuple[str, str | None]]:
    yield "package", kitfile.package.license
    if kitfile.model is not None:
        yield "model", kitfile.model.license
        for number, part in enumerate(kitfile.model.parts):
            yield f"model.parts[{number}]", part.license
    for number, code in enumerate(kitfile.code):
        yield f"code[{number}]", code.license
    for number, dataset in enumerate(kitfile.datasets):
        yield f"datasets[{number}]", dataset.license


def _refusal(place: str, text: str, answer: Answer) -> str:
    parts = ", ".join(map(show_path, answer.parts))
    of = f" of {show_path(text)}" if answer.parts != (text.strip(),) else ""
    return f"{place}: {parts}{of} is not allowed"
