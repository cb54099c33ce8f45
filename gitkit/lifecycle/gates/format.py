"""Gate ``format``: every file of the model is of an allowed format, told by its content (``docs/model-files.md``)."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from gitkit.core.paths import show_path
from gitkit.errors import KitError, NetworkError
from gitkit.lifecycle.gates.reading import each_file, is_verified
from gitkit.lifecycle.gates.subject import Subject, Verdict

if TYPE_CHECKING:
    from gitkit.core.policy import FormatGate
    from gitkit.core.sniff import Sniffed
    from gitkit.modelkit.files import KitFile

_SECTIONS = ("model", "parts")
_MAX_NAMED = 5


def evaluate(name: str, gate: "FormatGate", subject: Subject) -> Verdict:
    """Failed where a file is something else, unevaluated where one cannot be read or there is none.

    Raises:
        KitError: Git cannot give what it holds.
    """
    files = [file for file in subject.kit.files if file.section in _SECTIONS]
    found, unread = _sniffed(subject, files)
    wrong = [
        f"{show_path(file.path)} is {_words(found[file.digest])}"
        for file in files
        if file.digest in found and not found[file.digest].is_allowed(gate.allow)
    ]
    evidence = _evidence(subject, files, found, unread)
    if wrong:
        return Verdict(name, "failed", joined(wrong), evidence)
    if unread:
        return Verdict(name, "unevaluated", joined([f"{path}: {why}" for path, why in unread.items()]), evidence)
    if not files:
        return Verdict(name, "unevaluated", "the kit holds no files of a model", evidence)
    counts = ", ".join(f"{count} {format}" for format, count in evidence["formats"].items())
    return Verdict(name, "passed", f"all files of the model are allowed: {counts}", evidence)


def joined(reasons: list[str]) -> str:
    """The first of several reasons on one line, and how many more there are."""
    more = len(reasons) - _MAX_NAMED
    return "; ".join([*reasons[:_MAX_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _sniffed(subject: Subject, files: list["KitFile"]) -> tuple[dict[str, "Sniffed"], dict[str, str]]:
    """What each file is, by digest, and why it is not known what others are, by path."""
    from gitkit.core.sniff import sniff

    found: dict[str, Sniffed] = {}
    unread: dict[str, str] = {}
    for file, read_at in each_file(subject.content, files):
        try:
            found[file.digest] = sniff(read_at, file.size, file.path)
        except KitError as error:
            unread[show_path(file.path)] = " ".join(error.message.split())
            if isinstance(error, NetworkError):  # the next file would wait for the same network
                break
    return found, unread


def _evidence(
    subject: Subject, files: list["KitFile"], found: dict[str, "Sniffed"], unread: dict[str, str]
) -> dict[str, Any]:
    known = [(file, found[file.digest]) for file in files if file.digest in found]
    counts = Counter(sniffed.format for _, sniffed in known)
    misnamed = {show_path(file.path): str(sniffed) for file, sniffed in known if sniffed.is_misnamed}
    return {
        "files": len(files),
        "formats": dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        "misnamed": dict(list(misnamed.items())[:_MAX_NAMED]),
        "not_read": dict(list(unread.items())[:_MAX_NAMED]),
        "unverified": sum(not is_verified(subject.content, file) for file in files),
    }


def _words(found: "Sniffed") -> str:
    return f"{found}, and its name says {found.claim}" if found.is_misnamed else str(found)
