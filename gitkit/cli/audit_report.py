"""How `git kit audit verify` says what it found."""

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gitkit.cli.output import plural, print_json, print_text, say, show_word
from gitkit.lifecycle.audit.export import plain

if TYPE_CHECKING:
    from gitkit.lifecycle.audit.findings import Audit, Finding

_NARROWEST = 60
_SEEN = "what this clone has seen: git log refs/kit/journal-seen"
_HINTS = {
    "truncated": _SEEN,
    "forked": _SEEN,
    "registry": "to put the registry's tags back: git kit env sync",
    "branch": "to put a branch back that was reset or deleted: git kit env sync",
}


def report(audit: "Audit", remote: str, as_json: bool) -> None:
    """Findings on stdout, and one line that sums up; remarks on stderr. ``remote`` is where refs are put back."""
    if as_json:
        print_json(_as_json(audit))
        return
    _table(["KIND", "EVENT", "ENVIRONMENT", "WHAT"], [_row(finding) for finding in audit.findings])
    gaps = [
        ["unchecked", _number(gap.event), plain(gap.environment or "-"), plain(gap.text)] for gap in audit.gaps
    ]  # fmt: skip
    if audit.findings and gaps:
        print_text("")
    _table(["", "EVENT", "ENVIRONMENT", "WHAT"], gaps)
    if audit.findings or gaps:
        print_text("")
    print_text(_summary(audit))
    for note in audit.notes:
        say(f"note: {plain(note)}")
    for hint in dict.fromkeys(hint for finding in audit.findings for hint in _hints(finding, remote)):
        say(f"\nhint: {plain(hint)}")


def _hints(finding: "Finding", remote: str) -> Iterator[str]:
    if finding.kind in _HINTS and not (finding.kind == "branch" and finding.put_back):
        yield _HINTS[finding.kind]
    if finding.put_back is not None:
        force = "--force-with-lease" if finding.kind == "branch" else "--force"
        yield f"to put it back: git push {force} {remote} {show_word(finding.put_back)}"


def _row(finding: "Finding") -> list[str]:
    where = _number(finding.event) if finding.event is not None else (finding.commit or "-")[:12]
    return [finding.kind, where, plain(finding.environment or "-"), plain(finding.text)]


def _number(event: int | None) -> str:
    return f"#{event}" if event is not None else "-"


def _summary(audit: "Audit") -> str:
    environments = plural(len(audit.environments), "environment")
    found = plural(len(audit.findings), "finding") if audit.findings else "no findings"
    unchecked = f", {len(audit.gaps)} unchecked" if audit.gaps else ""
    return f"{plural(audit.events, 'event')}, {environments}: {found}{unchecked}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns on stdout; the last one is wrapped at the terminal's width, 80 where there is none."""
    if not rows:
        return
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header) - 1)]
    indent = sum(width + 2 for width in widths)
    left = max(_width() - indent, _NARROWEST - indent, 24)
    for line in lines:
        start = "".join(cell.ljust(width + 2) for cell, width in zip(line, widths, strict=False))
        pieces = textwrap.wrap(line[-1], left, break_on_hyphens=False) or [""]
        print_text(f"{start}{pieces[0]}".rstrip())
        for piece in pieces[1:]:
            print_text(" " * indent + piece)


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _as_json(audit: "Audit") -> dict[str, Any]:
    return {
        "clean": audit.clean,
        "tip": audit.tip,
        "events": audit.events,
        "checked_before": audit.since,
        "environments": list(audit.environments),
        "findings": [finding._asdict() for finding in audit.findings],
        "unchecked": [gap._asdict() for gap in audit.gaps],
        "notes": list(audit.notes),
    }
