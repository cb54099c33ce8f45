"""`git kit freeze`: no version comes into an environment for a while."""

from datetime import UTC, datetime, timedelta

import click

from gitkit.cli.decision import report_decision
from gitkit.cli.env import lifecycle_place
from gitkit.cli.env_words import minute
from gitkit.cli.output import example, json_option
from gitkit.cli.progress import shown
from gitkit.cli.promote import reason_option
from gitkit.context import Context
from gitkit.lifecycle.decisions import freeze


@click.command("freeze", epilog=example.format("git kit freeze --all --until 2027-01-03 --reason holidays"))
@click.argument("environment", required=False)
@click.option("--all", "everything", is_flag=True, help="All environments, also those that are added later.")
@click.option(
    "--until", metavar="TIME", help="When it ends by itself: 2027-01-03, 2027-01-03T18:00+01:00 (UTC), or 12h."
)
@reason_option
@json_option
@click.pass_obj
def command(
    context: Context, *, environment: str | None, everything: bool, until: str | None, reason: str | None, as_json: bool
) -> None:
    """Freeze an ENVIRONMENT, or all: no version comes in until the freeze ends. Rollbacks go on working.

    A day means its end, in UTC.
    """
    name = named(environment, everything)
    moment = _moment(until) if until is not None else None
    with shown() as emit:
        decision = freeze(lifecycle_place(context), name, until=moment, reason=reason, emit=emit)
    what = name or "every environment"
    ends = decision.entry.event.until if decision.entry is not None else None
    until_then = f"until {minute(ends)}" if ends is not None else "without an end"
    done = f"{what} is frozen {until_then}"
    already = f"{what} is frozen already, {until_then}"
    if ends != moment:
        already += f"\n\nhint: to make it shorter: git kit unfreeze {name or '--all'}"
    report_decision(decision, done, already, as_json)


def named(environment: str | None, everything: bool) -> str | None:
    """The environment that is meant; None for all.

    Raises:
        UsageError: neither or both were given.
    """
    if (environment is None) is not everything:
        raise click.UsageError("name an environment, or --all")
    return environment


def _moment(text: str) -> int:
    """Microseconds since 1970.

    Raises:
        BadParameter: it is no time, or none that a clock shows.
    """
    try:
        return int(_parsed(text).astimezone(UTC).timestamp()) * 1_000_000
    except OverflowError as error:
        raise click.BadParameter(
            f'"{text}" is beyond what a calendar has: the years 1 to 9999', param_hint="--until"
        ) from error
    except ValueError as error:
        raise click.BadParameter(f'"{text}" is not a time, such as 2027-01-03 or 12h', param_hint="--until") from error


def _parsed(text: str) -> datetime:
    from gitkit.core.schedule import parse_duration

    try:
        return datetime.now(UTC) + timedelta(seconds=parse_duration(text))
    except ValueError:
        moment = datetime.fromisoformat(text)
    if len(text) == len("2027-01-03"):
        moment += timedelta(days=1)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
