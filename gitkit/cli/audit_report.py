"""How `git kit audit verify` says what it found."""

import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitkit.cli.output import plural, print_json, print_text, say
from gitkit.lifecycle.audit.export import plain

if TYPE_CHECKING:
    from gitkit.lifecycle.audit.findings import Audit, Finding

_NARROWEST = 60
_SEEN = "what this clone has seen: git log refs/kit/journal-seen"
_HINTS = {
    "truncated": _SEEN,
    "forked": _SEEN,
    "registry": "to put the registry's tags back: git kit env sync",
}


def report(audit: "Audit", as_json: bool) -> None:
    """Findings on stdout, and one line that sums up; remarks on stderr."""
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
    hints = {_HINTS[finding.kind] for finding in audit.findings if finding.kind in _HINTS}
    for hint in sorted(hints):
        say(f"\nhint: {hint}")


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
