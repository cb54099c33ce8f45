"""`git kit unfreeze`: end a freeze."""

import click

from gitkit.cli.decision import report_decision
from gitkit.cli.env import lifecycle_place
from gitkit.cli.freeze import named
from gitkit.cli.output import example, json_option
from gitkit.cli.progress import shown
from gitkit.cli.promote import reason_option
from gitkit.context import Context
from gitkit.lifecycle.decisions import unfreeze


@click.command("unfreeze", epilog=example.format("git kit unfreeze --all"))
@click.argument("environment", required=False)
@click.option("--all", "everything", is_flag=True, help="End every freeze.")
@reason_option
@json_option
@click.pass_obj
def command(context: Context, *, environment: str | None, everything: bool, reason: str | None, as_json: bool) -> None:
    """End the freeze of an ENVIRONMENT, or every freeze."""
    name = named(environment, everything)
    with shown() as emit:
        decision = unfreeze(lifecycle_place(context), name, reason=reason, emit=emit)
    done = f"{name} is no longer frozen" if name is not None else "no environment is frozen any more"
    already = f"{name} is not frozen" if name is not None else "no environment is frozen"
    report_decision(decision, done, already, as_json)
