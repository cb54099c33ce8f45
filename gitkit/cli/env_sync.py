"""`git kit env sync`: environments to where they should be."""

from typing import Any

import click

from gitkit.cli.ci_moves import publish_sync
from gitkit.cli.ci_outputs import dotenv_option
from gitkit.cli.env import lifecycle_place, of_group
from gitkit.cli.output import example, json_option, plural, print_json, print_table
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.errors import PartlyDone
from gitkit.lifecycle.sync import Synced, sync


@click.command("sync", epilog=example.format("git kit env sync staging prod"))
@click.argument("environments", nargs=-1, metavar="[ENVIRONMENT]...")
@dotenv_option
@json_option
@click.pass_context
def command(ctx: click.Context, *, environments: tuple[str, ...], dotenv: str | None, as_json: bool) -> None:
    """Bring environments (all, without any) to where they should be: for CI and timers.

    Finishes what was interrupted, lets the registry's tags follow Git again, and promotes what an environment with
    `auto` takes by itself: its rules hold, and so do holds and freezes. Doing it again changes nothing.

    Exit code 19: an environment failed; the others are done.
    """
    context: Context = ctx.obj
    with shown() as emit:
        results = sync(lifecycle_place(context), context.lifecycle_remote, environments, emit=emit)
    publish_sync(context.environ, results, dotenv=dotenv)
    if as_json or of_group(ctx, "as_json"):
        print_json([_as_json(result) for result in results])
    else:
        print_table(["ENVIRONMENT", "OUTCOME", "VERSION", "DETAIL"], [_cells(result) for result in results])
    failed = [result.environment for result in results if result.outcome == "failed"]
    if failed:
        what = plural(len(failed), "environment")
        raise PartlyDone(
            f"{what} could not be synchronised: {', '.join(failed)}", hint="when that is mended: git kit env sync"
        )


def _cells(result: Synced) -> list[str]:
    detail = " ".join((result.detail or "").split())
    return [result.environment, result.outcome, result.version or "-", detail or "-"]


def _as_json(result: Synced) -> dict[str, Any]:
    return result._asdict()
