"""`git kit resume`: end the hold of an environment."""

import click

from gitkit.cli.decision import report_decision
from gitkit.cli.env import lifecycle_place
from gitkit.cli.output import example, json_option
from gitkit.cli.progress import shown
from gitkit.cli.promote import reason_option
from gitkit.context import Context
from gitkit.lifecycle.decisions import resume


@click.command("resume", epilog=example.format("git kit resume prod"))
@click.argument("environment")
@reason_option
@json_option
@click.pass_obj
def command(context: Context, *, environment: str, reason: str | None, as_json: bool) -> None:
    """End the hold of an ENVIRONMENT, whether a person or a rollback set it."""
    with shown() as emit:
        decision = resume(lifecycle_place(context), environment, reason=reason, emit=emit)
    report_decision(decision, f"{environment} is no longer held", f"{environment} is not held", as_json)
