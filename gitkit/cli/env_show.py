"""`git kit env show`: one environment in detail."""

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from gitkit.cli.env import lifecycle_place, of_group, offline_option
from gitkit.cli.env_policy import policy_json, policy_lines
from gitkit.cli.env_words import lasts, minute, moment, row_json
from gitkit.cli.output import example, json_option, print_json, print_table, print_text, show_text
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.lifecycle.candidates import Candidate, candidates, verdicts_json
from gitkit.lifecycle.plan import policy_changes
from gitkit.lifecycle.survey import Survey, survey
from gitkit.lifecycle.table import Row, row

if TYPE_CHECKING:
    from gitkit.core.policy import Environment
    from gitkit.lifecycle.environments import Run
    from gitkit.lifecycle.ledger import Entry

_SHOWN = 10
_MICRO = 1_000_000


@click.command("show", epilog=example.format("git kit env show prod"))
@click.argument("environment")
@offline_option
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, offline: bool, as_json: bool) -> None:
    """Show an ENVIRONMENT: what it runs, its rules, what holds it, what could come next and what that waits for.

    Where branch, journal and registry do not agree, the line "drift" names the command that mends it.
    """
    context: Context = ctx.obj
    place = lifecycle_place(context)
    place.config.environment(environment)
    offline = offline or of_group(ctx, "offline")
    now = time.time_ns() // 1000
    with shown() as emit:
        remote = None if offline else partial(context.remote, config=place.config)
        seen = survey(place, remote, whole=True, emit=emit)
    found = row(seen, seen.situation.state(environment), now)
    settings = seen.situation.policy(environment).environment(environment)
    current = found.state.current.version if found.state.current is not None else None
    following = candidates(seen.situation, environment, current, now)
    if as_json or of_group(ctx, "as_json"):
        print_json(_as_json(found, settings, following))
        return
    for label, text in _lines(seen, found, settings, following, now):
        print_text(f"{label:<12}{show_text(text)}".rstrip())
    _print_gates(found)
    _print_runs(found)


# -- text --------------------------------------------------------------------------------------------------------------


def _lines(
    seen: Survey, found: Row, settings: "Environment", following: list[Candidate], now: int
) -> Iterator[tuple[str, str]]:
    state, run, came = found.state, found.state.current, found.arrival
    yield "environment", state.name
    yield "branch", f"{state.branch} {state.tip[:12]}" if state.tip is not None else f"{state.branch} (not there yet)"
    yield "version", run.version if run is not None else "-"
    yield "digest", found.digest or "-"
    if came is not None:
        yield "since", f"{moment(came.since)} ({lasts(now - came.since * _MICRO)})"
        yield "by", f"{came.by or '-'} ({came.event})"
        if came.reason:
            yield "reason", came.reason
    yield "registry", _registry(seen, found)
    for drift in found.drifts:
        if drift.kind != "not_checked":
            yield "drift", drift.text + (f": {drift.mend}" if drift.mend else "")
    yield from policy_lines(settings)
    here = seen.situation.place.config
    other = policy_changes(seen.situation.policy(state.name), here, state.name) if settings.sources else None
    if other is not None:
        yield "policy", f"{other} in .gitkit.toml here: in force once a version that has it is promoted"
    if found.held is not None:
        yield "hold", f"{_said(found.held)}; to end it: git kit resume {state.name}"
    if found.frozen is not None:
        yield "freeze", _freeze(found.frozen, state.name)
    for candidate in following:
        yield "next", _next(candidate, state.name)


def _registry(seen: Survey, found: Row) -> str:
    return "not checked" if seen.tags is None else found.tagged or "-"


def _said(entry: "Entry") -> str:
    event = entry.event
    return f"{minute(event.time)} by {event.actor.name}" + (f": {event.reason}" if event.reason else "")


def _freeze(entry: "Entry", name: str) -> str:
    until = f"until {minute(entry.event.until)}, " if entry.event.until is not None else ""
    what = name if entry.event.environment is not None else "--all"
    return f"{until}{_said(entry)}; to end it: git kit unfreeze {what}"


def _next(candidate: Candidate, name: str) -> str:
    version = f"{candidate.version} (runs in {', '.join(candidate.sources)})"
    if candidate.digest is None:
        return f"{version}: git kit release {candidate.version}"
    if not candidate.refused:
        return f"{version}: git kit promote {candidate.version} {name}"
    return f"{version} waits: " + "; ".join(f"{verdict.gate}: {verdict.reason}" for verdict in candidate.refused)


def _print_gates(found: Row) -> None:
    if found.gates:
        print_text("")
        rows = [[str(gate.get(key, "")) for key in ("gate", "outcome", "reason")] for gate in found.gates]
        print_table(["GATE", "VERDICT", "WHY"], rows)


def _print_runs(found: Row) -> None:
    runs = found.state.runs
    if not runs:
        return
    print_text("")
    print_table(["VERSION", "DIGEST", "SINCE", "EVENT", "BY", "REASON"], [_run_cells(run) for run in runs[:_SHOWN]])
    if len(runs) > _SHOWN:
        print_text(f"and {len(runs) - _SHOWN} more: git kit env history {found.state.name}")


def _run_cells(run: "Run") -> list[str]:
    digest = short(run.digest) if run.digest is not None else "-"
    return [run.version, digest, moment(run.time), run.event, run.by or "-", run.reason or ""]


# -- data --------------------------------------------------------------------------------------------------------------


def _as_json(found: Row, settings: "Environment", following: list[Candidate]) -> dict[str, Any]:
    return {
        **row_json(found),
        "from": list(settings.sources),
        "policy": policy_json(settings),
        "next": [
            {
                "version": candidate.version,
                "digest": candidate.digest,
                "runs_in": list(candidate.sources),
                "rules": verdicts_json(candidate.verdicts),
                "approved_by": [entry.event.actor._asdict() for entry in candidate.approvals],
                "gates": list(settings.gates),
            }
            for candidate in following
        ],
        "history": [_run_json(run) for run in found.state.runs],
    }


def _run_json(run: "Run") -> dict[str, Any]:
    return {
        "version": run.version,
        "digest": run.digest,
        "commit": run.commit,
        "event": run.event,
        "since": moment(run.time),
        "by": run.by or None,
        "reason": run.reason,
    }
