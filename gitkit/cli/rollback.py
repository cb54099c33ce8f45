"""`git kit rollback`: an environment back to an earlier version."""

import click

from gitkit.cli.env import lifecycle_place
from gitkit.cli.output import example, json_option
from gitkit.cli.progress import shown
from gitkit.cli.promote import reason_option, report_move
from gitkit.context import Context
from gitkit.lifecycle.rollback import rollback


@click.command("rollback", epilog=example.format("git kit rollback prod --to v1.0.0"))
@click.argument("environment")
@click.option(
    "--to", "version", metavar="VERSION", help="A version that ran there; default: the one before the current."
)
@reason_option
@json_option
@click.pass_obj
def command(context: Context, environment: str, version: str | None, reason: str | None, as_json: bool) -> None:
    """Bring an ENVIRONMENT back to a version that ran there before.

    Makes a new commit with the old version's files, so the branch only moves forward, and moves the registry's tag.
    Where the branch is checked out, the worktree follows.
    """
    with shown() as emit:
        moved = rollback(
            lifecycle_place(context), context.lifecycle_remote, environment, to=version, reason=reason, emit=emit
        )
    report_move(moved, as_json)
