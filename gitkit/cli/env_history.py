"""`git kit env history`: what happened to an environment, and what ran in it at a time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from gitkit.cli.env import lifecycle_place, of_group
from gitkit.cli.env_words import lasts, moment, stop_json, stop_text
from gitkit.cli.output import example, json_option, print_json, print_table, print_text, show_text
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.core.journal import show_time
from gitkit.lifecycle.history import Happening, Moment, Period, history
from gitkit.lifecycle.history import moment as what_ran
from gitkit.lifecycle.situation import known

_MICRO = 1_000_000


@click.command("history", epilog=example.format("git kit env history prod --at 2026-03-01"))
@click.argument("environment")
@click.option("--at", metavar="TIME", help="Tell what ran then: 2026-03-01 (its end), 2026-03-01T12:00+01:00 (UTC).")
@click.option("-n", "--number", "limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, at: str | None, limit: int | None, as_json: bool) -> None:
    """Show all that happened to an ENVIRONMENT, newest first: moves, attempts that were refused, decisions.

    With --at: which version ran at that moment, since when, who brought it and who agreed, with which gates, and
    whether its commit still gives the same kit. Asks nobody: what this clone knows counts (git fetch brings news).
    """
    if at is not None and limit is not None:
        raise click.UsageError("--at and -n exclude each other")
    context: Context = ctx.obj
    as_json = as_json or of_group(ctx, "as_json")
    place = lifecycle_place(context)
    place.config.environment(environment)
    with shown() as emit:
        situation = known(place, emit)
    if at is not None:
        _report_moment(environment, what_ran(situation, environment, parse_at(at, time.time_ns() // 1000)), as_json)
        return
    events = history(situation, environment)[:limit]
    if as_json:
        print_json([_as_json(event) for event in events])
        return
    print_table(["TIME", "EVENT", "VERSION", "DIGEST", "BY", "REASON"], [_cells(event) for event in events])


def parse_at(text: str, now: int) -> int:
    """Microseconds since 1970 of a time that is over; of a day its end, or ``now`` if it is today. UTC unless it says.

    Raises:
        BadParameter: it is none, or still to come.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f'"{text}" is not a time, such as 2026-03-01', param_hint="--at") from error
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    found = int(moment.timestamp()) * _MICRO + moment.microsecond
    if found > now:
        raise click.BadParameter(f'"{text}" is still to come', param_hint="--at")
    if len(text) == len("2026-03-01"):
        found += int(timedelta(days=1).total_seconds()) * _MICRO - 1
    return min(found, now)


def _cells(event: Happening) -> list[str]:
    entry = event.entry.event if event.entry is not None else None
    return [
        moment(event.time // _MICRO),
        entry.act if entry is not None else event.kind,
        event.version or "-",
        short(event.digest) if event.digest is not None else "-",
        event.by or "-",
        (entry.said if entry is not None else event.reason) or "",
    ]


def _as_json(event: Happening) -> dict[str, Any]:
    entry = event.entry.event if event.entry is not None else None
    return {
        "time": show_time(event.time),
        "event": event.kind,
        "environment": entry.environment if entry is not None else None,
        "version": event.version,
        "digest": event.digest,
        "before": entry.before._asdict() if entry is not None and entry.before is not None else None,
        "commit": entry.after.commit if entry is not None and entry.after is not None else event.at,
        "by": event.by or None,
        "email": entry.actor.email if entry is not None else None,
        "reason": event.reason,
        "gates": [dict(gate) for gate in entry.gates] if entry is not None else [],
        "until": show_time(entry.until) if entry is not None and entry.until is not None else None,
        "details": dict(entry.details) if entry is not None else {},
        "id": entry.id if entry is not None else None,
    }


# -- one moment --------------------------------------------------------------------------------------------------------


def _report_moment(name: str, found: Moment, as_json: bool) -> None:
    if as_json:
        print_json(_moment_json(name, found))
    elif found.period is None:
        print_text(f"nothing ran in {name} at {moment(found.time // _MICRO)}")
    else:
        for label, text in _moment_lines(name, found, found.period):
            print_text(f"{label:<12}{show_text(text)}".rstrip())
        _print_gates(found)


def _moment_lines(name: str, found: Moment, period: Period) -> Iterator[tuple[str, str]]:
    yield "environment", f"{name} at {moment(found.time // _MICRO)}"
    yield "version", period.version
    yield "digest", period.digest or "- (it was never released)"
    yield "commit", period.commit
    yield "since", f"{moment(period.start // _MICRO)} ({period.kind} by {period.by or 'nobody known'})"
    yield "until", moment(period.end // _MICRO) if period.end is not None else "it still runs"
    yield "lasted", lasts((period.end or time.time_ns() // 1000) - period.start)
    if period.reason:
        yield "reason", period.reason
    if found.approvals:
        yield "approved by", ", ".join(str(entry.event.actor) for entry in found.approvals)
    if found.held is not None or found.frozen is not None:
        yield "hold", stop_text(found.held, found.frozen)
    if period.kind != "commit":
        yield "event", period.entry.event.id if period.entry is not None else "- (it is not in the journal)"
    yield "rebuilt", _rebuilt_text(found)


def _rebuilt_text(found: Moment) -> str:
    if found.is_reproducible:
        return "its commit gives the same digest today"
    if found.rebuilt is None:
        return f"cannot be built: {' '.join((found.obstacle or '').split())}"
    return f"its commit gives {found.rebuilt} today" if found.is_reproducible is False else found.rebuilt


def _print_gates(found: Moment) -> None:
    if found.gates:
        print_text("")
        rows = [[str(gate.get(key, "")) for key in ("gate", "outcome", "reason")] for gate in found.gates]
        print_table(["GATE", "VERDICT", "WHY"], rows)


def _moment_json(name: str, found: Moment) -> dict[str, Any]:
    period = found.period
    entry = period.entry.event if period is not None and period.entry is not None else None
    return {
        "environment": name,
        "at": show_time(found.time),
        "version": period.version if period is not None else None,
        "digest": period.digest if period is not None else None,
        "commit": period.commit if period is not None else None,
        "since": show_time(period.start) if period is not None else None,
        "until": show_time(period.end) if period is not None and period.end is not None else None,
        "kind": period.kind if period is not None else None,
        "by": (period.by or None) if period is not None else None,
        "email": entry.actor.email if entry is not None else None,
        "reason": period.reason if period is not None else None,
        "approvals": [{**entry.event.actor._asdict(), "event": entry.event.id} for entry in found.approvals],
        "gates": [dict(gate) for gate in found.gates],
        "hold": stop_json(found.held),
        "freeze": stop_json(found.frozen),
        "event": entry.id if entry is not None else None,
        "rebuilt": found.rebuilt,
        "reproducible": found.is_reproducible,
        "obstacle": found.obstacle,
    }
