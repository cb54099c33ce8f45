"""`git kit promote`: a version into an environment."""

from typing import Any

import click

from gitkit.cli.env import lifecycle_place
from gitkit.cli.output import example, json_option, print_json, say
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.lifecycle.move import Moved
from gitkit.lifecycle.promote import promote

reason_option = click.option("--reason", metavar="TEXT", help="Why; goes into the environment's history.")


@click.command("promote", epilog=example.format("git kit promote v1.2.0 prod"))
@click.argument("version")
@click.argument("environment")
@reason_option
@json_option
@click.pass_obj
def command(context: Context, version: str, environment: str, reason: str | None, as_json: bool) -> None:
    """Bring a released VERSION into an ENVIRONMENT and move the registry's tag of that name to the same digest.

    The version must have run in one of the environments that `from` names. Promoting the version that runs there
    already changes nothing but a registry tag that had drifted.
    """
    with shown() as emit:
        moved = promote(
            lifecycle_place(context), context.lifecycle_remote, version, environment, reason=reason, emit=emit
        )
    report_move(moved, as_json)


def report_move(moved: Moved, as_json: bool) -> None:
    """What moved, for people on stderr and as the digest on stdout, or as JSON."""
    if as_json:
        print_json(_as_json(moved))
        return
    if moved.commit is None:
        suffix = ": registry tag repaired" if moved.tag_moved else " already"
        say(f"{moved.environment} runs {moved.kit.version}{suffix}")
    else:
        say(f"{moved.environment}: {moved.before or 'nothing'} -> {moved.kit.version}")
    click.echo(moved.kit.digest)


def _as_json(moved: Moved) -> dict[str, Any]:
    return {
        "environment": moved.environment,
        "version": moved.kit.version,
        "digest": moved.kit.digest,
        "before": moved.before,
        "commit": moved.commit,
        "moved": moved.commit is not None,
        "registry_tag_moved": moved.tag_moved,
    }
