"""`git kit reject`: no environment takes a version any more."""

import click

from gitkit.cli.decision import report_decision, whose
from gitkit.cli.env import lifecycle_place
from gitkit.cli.output import example, json_option
from gitkit.cli.progress import shown
from gitkit.cli.promote import reason_option
from gitkit.context import Context
from gitkit.lifecycle.decisions import reject


@click.command("reject", epilog=example.format("git kit reject v1.2.0 --reason 'leaks training data'"))
@click.argument("version")
@click.option("--undo", is_flag=True, help="Take a rejection back.")
@reason_option
@json_option
@click.pass_obj
def command(context: Context, *, version: str, undo: bool, reason: str | None, as_json: bool) -> None:
    """Reject a VERSION: no promotion and no rollback brings it into any environment.

    Where it runs already it goes on running; git kit rollback ENV --reject does both.
    """
    with shown() as emit:
        decision = reject(
            lifecycle_place(context), context.lifecycle_remote, version, undo=undo, reason=reason, emit=emit
        )
    if undo:
        report_decision(decision, f"{version} is no longer rejected", f"{version} is not rejected", as_json)
    else:
        already = f"{version} is rejected already{whose(decision)}"
        report_decision(decision, f"{version} is rejected", already, as_json)
