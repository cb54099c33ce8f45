"""`git kit rollback`: an environment back to an earlier version."""

import click

from gitkit.cli.ci_moves import publish_move
from gitkit.cli.ci_outputs import dotenv_option
from gitkit.cli.env import lifecycle_place
from gitkit.cli.output import example, json_option, say
from gitkit.cli.progress import shown
from gitkit.cli.promote import reason_option, report_move
from gitkit.context import Context
from gitkit.lifecycle.rollback import rollback


@click.command("rollback", epilog=example.format("git kit rollback prod --reject --reason 'drops requests'"))
@click.argument("environment")
@click.option(
    "--to", "version", metavar="VERSION", help="A version that ran there; default: the one before the current."
)
@click.option("--steps", type=click.IntRange(min=1), metavar="N", help="Go back N versions instead of one.")
@click.option("--reject", is_flag=True, help="Also reject the version that runs now: no environment takes it any more.")
@reason_option
@dotenv_option
@json_option
@click.pass_obj
def command(
    context: Context,
    *,
    environment: str,
    version: str | None,
    steps: int | None,
    reject: bool,
    reason: str | None,
    dotenv: str | None,
    as_json: bool,
) -> None:
    """Bring an ENVIRONMENT back to a version that ran there before, and hold it there.

    The version must be complete on the remote; versions that were rejected are passed over. Makes a new commit with the
    old version's files, so the branch only moves forward, and moves the registry's tag. Where the branch is checked
    out, the worktree follows. Freezes and windows do not stand in the way.

    No promotion moves the environment until `git kit resume ENVIRONMENT`.
    """
    if version is not None and steps is not None:
        raise click.UsageError("--to and --steps exclude each other")
    remote = context.lifecycle_remote
    with shown() as emit:
        moved = rollback(
            lifecycle_place(context),
            remote,
            environment,
            to=version,
            steps=steps or 1,
            reject=reject,
            reason=reason,
            emit=emit,
        )
    publish_move(context.environ, moved, remote.url, dotenv=dotenv)
    if reject and not as_json:
        say(f"{moved.before} is rejected")
    report_move(moved, as_json)
