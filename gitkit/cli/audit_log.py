"""`git kit audit log`: the events of the journal, as this clone knows them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from gitkit.cli.env import lifecycle_place
from gitkit.cli.output import example, json_option, plural, print_json, print_table, say
from gitkit.context import Context
from gitkit.core.journal import BRANCH as JOURNAL_BRANCH
from gitkit.core.journal import KINDS, show_time
from gitkit.lifecycle.audit.export import event_json, plain
from gitkit.lifecycle.audit.selection import Selection, select
from gitkit.lifecycle.ledger import Entry

F = TypeVar("F", bound=Callable[..., Any])

_DAY = 10
"""Characters of a date alone."""


def _moment(ctx: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """Microseconds since 1970. A day is meant from its first moment, and ``--until`` to its last."""
    from gitkit.core.schedule import parse_duration

    if text is None:
        return None
    try:
        moment = datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise click.BadParameter(f'"{text}" is not a time, such as 2026-03-01 or 7d') from error
        if len(text) == _DAY and option.name == "until":
            moment += timedelta(days=1) - timedelta(microseconds=1)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def selecting(function: F) -> F:
    """The argument and options that choose events."""
    for decorate in (
        click.option("--until", metavar="DATE", callback=_moment, help="No later ones."),
        click.option("--since", metavar="DATE", callback=_moment, help="No earlier ones; 7d: of the last 7 days."),
        click.option("--actor", metavar="NAME", help="Only by this person: a part of name or address."),
        click.option("--version", metavar="VERSION", help="Only about this version."),
        click.option("--kind", type=click.Choice(KINDS), metavar="KIND", help=f"Only of a kind: {', '.join(KINDS)}."),
        click.argument("environment", required=False),
    ):
        function = decorate(function)
    return function


@click.command("log", epilog=example.format("git kit audit log prod --since 2026-03-01"))
@selecting
@click.option("-n", "number", type=click.IntRange(min=1), metavar="N", help="Only the newest N.")
@json_option
@click.pass_obj
def log(context: Context, /, *, number: int | None, as_json: bool, **chosen: Any) -> int:
    """Show the journal's events, the newest first.

    Needs no network: what this clone knows counts (git fetch brings news). A commit of the journal that is no event is
    told and left out; exit code 11 then.
    """
    entries, damaged = known_events(context, Selection(**chosen))
    newest = entries[::-1][:number]
    if as_json:
        print_json([event_json(entry) for entry in newest])
    else:
        header = ["TIME", "KIND", "VERSION", "ENVIRONMENT", "ACTOR", "REASON"]
        print_table(header, [_row(entry) for entry in newest])
    return damaged


def known_events(context: Context, selection: Selection) -> tuple[list[Entry], int]:
    """The events that are asked for, oldest first, and the exit code: 11 where a commit of the journal is no event.

    Raises:
        InvalidFile: there is no such environment, and never was.
    """
    from gitkit.errors import Corrupt
    from gitkit.lifecycle import environments
    from gitkit.lifecycle.audit.walk import read_journal

    place = lifecycle_place(context)
    found = read_journal(place.repository, environments.known_tip(place, JOURNAL_BRANCH))
    name = selection.environment
    if name is not None and all(entry.event.environment != name for entry in found.entries):
        place.config.environment(name)  # refuses a name that nobody knows
    damaged = len(found.links) - len(found.entries)
    if damaged:
        say(f"warning: {plural(damaged, 'commit')} of the journal cannot be read; see: git kit audit verify")
    return select(found.entries, selection), Corrupt.exit_code if damaged else 0


def _row(entry: Entry) -> list[str]:
    event = entry.event
    cells = [event.act, event.version or "-", event.where or "-", event.actor.name, event.said]
    return [f"{show_time(event.time)[:19]}Z", *map(plain, cells)]
