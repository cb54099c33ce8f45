"""`git kit approve`: agree that a version comes into an environment."""

import click

from gitkit.cli.decision import report_decision
from gitkit.cli.env import lifecycle_place
from gitkit.cli.output import example, json_option
from gitkit.cli.progress import shown
from gitkit.cli.promote import reason_option
from gitkit.context import Context
from gitkit.lifecycle.decisions import approve


@click.command("approve", epilog=example.format("git kit approve v1.2.0 prod"))
@click.argument("version")
@click.argument("environment")
@reason_option
@json_option
@click.pass_obj
def command(context: Context, *, version: str, environment: str, reason: str | None, as_json: bool) -> None:
    """Approve that a released VERSION comes into an ENVIRONMENT.

    The approval holds for the version's digest and for the environment's policy of now, and as long as the policy says.
    It is refused (exit code 18) where the policy would not count it: you are an author of the version, or in none of
    the groups that are asked for.
    """
    with shown() as emit:
        decision = approve(
            lifecycle_place(context), context.lifecycle_remote, version, environment, reason=reason, emit=emit
        )
    report_decision(decision, f"{version} is approved for {environment}", f"you approved {version} before", as_json)
