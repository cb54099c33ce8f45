"""`git kit env list`: every environment on one line."""

import time
from collections.abc import Sequence
from functools import partial

import click

from gitkit.cli.env import lifecycle_place, of_group, offline_option
from gitkit.cli.env_words import date, gates_text, row_json, stop_text
from gitkit.cli.output import example, json_option, print_json, print_table, say
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.lifecycle.survey import begin, survey
from gitkit.lifecycle.table import Row, rows

_HEADER = ("ENVIRONMENT", "VERSION", "DIGEST", "SINCE", "BY", "GATES", "HOLD", "DRIFT")
_BY = _HEADER.index("BY")
_WIDTH = 80
_SHORTEST_NAME = 8


@click.command("list", epilog=example.format("git kit env list --offline"))
@offline_option
@json_option
@click.pass_context
def command(ctx: click.Context, offline: bool, as_json: bool) -> None:
    """List all environments: what each one runs, since when, and what does not fit together.

    GATES are those of the promotion that let the version in. DRIFT tells where branch, journal and registry do not
    agree: `git kit env show ENVIRONMENT` names the command that mends it.
    """
    show_all(ctx.obj, offline or of_group(ctx, "offline"), as_json or of_group(ctx, "as_json"))


def show_all(context: Context, offline: bool, as_json: bool) -> None:
    """Print the table, or its JSON."""
    early = begin(context.repository.git, context.git_remote)
    place = lifecycle_place(context)
    with shown() as emit:
        seen = survey(place, None if offline else partial(context.remote, config=place.config), early=early, emit=emit)
    found = rows(seen, time.time_ns() // 1000)
    if as_json:
        print_json([row_json(row) for row in found])
        return
    if not found:
        say("there are no environments: add [environments.NAME] to .gitkit.toml")
    print_table(_HEADER, _fitted([_cells(row) for row in found]))


def _cells(row: Row) -> list[str]:
    run, came = row.state.current, row.arrival
    return [
        row.state.name,
        run.version if run is not None else "-",
        short(row.digest) if row.digest is not None else "-",
        date(came.since) if came is not None else "-",
        (came.by if came is not None else "") or "-",
        gates_text(row.gates),
        stop_text(row.held, row.frozen),
        ", ".join(drift.text for drift in row.drifts) or "-",
    ]


def _fitted(lines: Sequence[list[str]]) -> list[list[str]]:
    """``lines`` with names of people cut, where the table would else be too wide."""
    columns = [max(map(len, column)) for column in zip(_HEADER, *lines, strict=True)]
    room = max(_SHORTEST_NAME, _WIDTH - sum(columns) - 2 * (len(columns) - 1) + columns[_BY])
    return [[*line[:_BY], _shortened(line[_BY], room), *line[_BY + 1 :]] for line in lines]


def _shortened(name: str, room: int) -> str:
    """``Ada Lovelace`` as ``Ada L.``, where there is no room."""
    if len(name) <= room:
        return name
    first, *others = name.split()
    initials = " ".join([first, *(f"{other[0]}." for other in others[-1:])])
    return initials if len(initials) <= room else f"{name[: room - 1].rstrip()}…"
