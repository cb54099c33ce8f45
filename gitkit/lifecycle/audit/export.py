"""The journal for other programs: one JSON object a line, or a table for a spreadsheet. Pure: values in, text out."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from gitkit.core.journal import show_time
from gitkit.lifecycle.ledger import Entry

COLUMNS = (
    *("sequence", "id", "commit", "time", "kind", "environment", "version", "digest", "version_commit"),
    *("before_version", "before_digest", "actor_name", "actor_email", "reason", "until", "gates"),
    *("policy", "policy_commit", "previous", "details"),
)

_FORMULA = ("=", "+", "-", "@")


def plain(text: str) -> str:
    """``text`` without anything that acts on a terminal, or that no file can hold: such characters are spelled out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def event_json(entry: Entry) -> dict[str, Any]:
    """An event with the commit that holds it."""
    return {**entry.event.as_json(), "commit": entry.oid}


def json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """One object a line, in the order of ``entries``; ASCII."""
    for entry in entries:
        yield json.dumps(event_json(entry), separators=(",", ":")) + "\n"


def csv_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """A header and one record an event (RFC 4180). A cell that a spreadsheet would calculate begins with a quote."""
    yield _record(COLUMNS)
    for entry in entries:
        row = _row(entry)
        yield _record([_harmless(row[column]) for column in COLUMNS])


def gates_of(entry: Entry) -> str:
    """``eval passed, soak waived``."""
    return ", ".join(f"{gate.get('gate')} {gate.get('outcome')}" for gate in entry.event.gates)


def _row(entry: Entry) -> dict[str, str]:
    event = entry.event
    before, after = event.before, event.after
    return {
        "sequence": str(event.sequence),
        "id": event.id,
        "commit": entry.oid,
        "time": show_time(event.time),
        "kind": event.kind,
        "environment": event.environment or "",
        "version": after.version if after else "",
        "digest": after.digest if after else "",
        "version_commit": after.commit if after else "",
        "before_version": before.version if before else "",
        "before_digest": before.digest if before else "",
        "actor_name": event.actor.name,
        "actor_email": event.actor.email,
        "reason": event.reason or "",
        "until": show_time(event.until) if event.until is not None else "",
        "gates": gates_of(entry),
        "policy": event.policy or "",
        "policy_commit": event.policy_commit or "",
        "previous": event.previous,
        "details": json.dumps(event.details, sort_keys=True, separators=(",", ":")) if event.details else "",
    }


def _harmless(text: str) -> str:
    shown = plain(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def _record(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
