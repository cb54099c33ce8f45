"""`git kit audit`: the journal of the lifecycle, checked, read and exported."""

from typing import TYPE_CHECKING

import click

from gitkit.cli.audit_export import export
from gitkit.cli.audit_log import log
from gitkit.cli.env import lifecycle_place
from gitkit.cli.lazy_group import Group
from gitkit.cli.output import example, json_option
from gitkit.context import Context
from gitkit.errors import Corrupt, PartlyDone

if TYPE_CHECKING:
    from gitkit.lifecycle.environments import Place


@click.group("audit", cls=Group, epilog=example.format("git kit audit verify"))
def command() -> None:
    """Check, read and export the journal: what happened to versions and environments."""


command.add_command(log)
command.add_command(export)


@command.command("verify", epilog=example.format("git kit audit verify --full"))
@click.option("--full", is_flag=True, help="Also check again what an earlier verify has checked.")
@click.option("--offline", is_flag=True, help="Check what this clone knows; ask neither Git remote nor registry.")
@json_option
@click.pass_obj
def verify(context: Context, full: bool, offline: bool, as_json: bool) -> int:
    """Compare the journal with Git, the registry and the policies.

    Lists whatever does not fit: in its own chain, signatures, environment branches, tags, the registry, and each move
    that did not meet the policy that it names. Changes nothing.

    After a run without findings the next one passes over the signatures, policies and registry tags of older events.

    Exit code 11: something was found. 19: nothing was, but not everything could be checked. 14: the Git remote cannot
    be reached.
    """
    from gitkit.cli.audit_report import report
    from gitkit.lifecycle.audit.verify import verify as run

    place = _place(context, offline)
    audit = run(
        place, None if offline else lambda: context.remote(config=context.lifecycle_config), offline=offline, full=full
    )
    report(audit, place.git_remote or ".", as_json)
    if audit.findings:
        return Corrupt.exit_code
    return PartlyDone.exit_code if audit.gaps else 0


def _place(context: Context, offline: bool) -> "Place":
    place = lifecycle_place(context)
    if not offline:
        return place
    from dataclasses import replace

    from gitkit.modelkit.content import Content

    return replace(place, content=lambda: Content(context.repository.git, context.store))
