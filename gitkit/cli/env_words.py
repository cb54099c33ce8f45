"""The words of commands that show environments, the same in all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gitkit.core.journal import show_time
from gitkit.lifecycle.ledger import Entry
from gitkit.lifecycle.table import Row

_OUTCOMES = ("passed", "waived", "failed", "unevaluated")


def date(seconds: int) -> str:
    """``2026-03-01``, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def moment(seconds: int) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def minute(microseconds: int) -> str:
    """``2026-03-01 12:00``, in UTC."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def gates_text(gates: Sequence[Mapping[str, Any]]) -> str:
    """``2 passed, 1 waived``; ``-`` where none were asked."""
    counts = Counter(str(gate.get("outcome")) for gate in gates)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in _OUTCOMES if counts[outcome]) or "-"


def stop_text(held: Entry | None, frozen: Entry | None) -> str:
    """``held``, ``frozen until 2026-12-01 10:00``, both, or ``-``."""
    words = ["held"] if held is not None else []
    if frozen is not None:
        until = frozen.event.until
        words.append(f"frozen until {minute(until)}" if until is not None else "frozen")
    return ", ".join(words) or "-"


def row_json(row: Row) -> dict[str, Any]:
    """An environment as JSON values."""
    state, run, came = row.state, row.state.current, row.arrival
    return {
        "environment": state.name,
        "branch": state.branch,
        "commit": state.tip,
        "version": run.version if run is not None else None,
        "digest": row.digest,
        "since": moment(came.since) if came is not None else None,
        "by": (came.by or None) if came is not None else None,
        "event": came.event if came is not None else None,
        "reason": came.reason if came is not None else None,
        "gates": [dict(gate) for gate in row.gates],
        "hold": stop_json(row.held),
        "freeze": stop_json(row.frozen),
        "registry": row.tagged,
        "moved_by_hand": state.moved_by_hand,
        "drift": row.has_drifted,
        "drifts": [drift._asdict() for drift in row.drifts],
    }


def stop_json(entry: Entry | None) -> dict[str, Any] | None:
    """A hold or a freeze as JSON values."""
    if entry is None:
        return None
    event = entry.event
    return {
        "since": show_time(event.time),
        "until": show_time(event.until) if event.until is not None else None,
        "by": event.actor.name,
        "reason": event.reason,
        "event": event.id,
    }


def lasts(microseconds: int) -> str:
    """``3d4h``: the two largest units."""
    from gitkit.core.schedule import show_duration

    return show_duration(microseconds // 1_000_000)
