"""`git kit hold`: nothing moves an environment."""

import click

from gitkit.cli.decision import report_decision, whose
from gitkit.cli.env import lifecycle_place
from gitkit.cli.output import example, json_option
from gitkit.cli.progress import shown
from gitkit.cli.promote import reason_option
from gitkit.context import Context
from gitkit.lifecycle.decisions import hold


@click.command("hold", epilog=example.format("git kit hold prod --reason 'incident 42'"))
@click.argument("environment")
@reason_option
@json_option
@click.pass_obj
def command(context: Context, *, environment: str, reason: str | None, as_json: bool) -> None:
    """Hold an ENVIRONMENT: no promotion moves it until it is resumed. Rollbacks do, and hold it themselves."""
    with shown() as emit:
        decision = hold(lifecycle_place(context), environment, reason=reason, emit=emit)
    report_decision(decision, f"{environment} is held", f"{environment} is held already{whose(decision)}", as_json)
