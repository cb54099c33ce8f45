"""`git kit doctor`: what is wrong, and the command that mends it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gitkit.cli.output import example, json_option, plural, print_json, say
from gitkit.context import Context
from gitkit.errors import NotFound

if TYPE_CHECKING:
    from gitkit.setup.finding import Finding, Place


@click.command("doctor", epilog=example.format("git kit doctor"))
@json_option
@click.pass_obj
def command(context: Context, as_json: bool) -> int:
    """Look at Git, the filter, hooks, files, store and remote; say what is wrong and the command that mends it.

    Changes nothing. Asks the remote, so it uses the network. Exits with 1 when something is wrong.
    """
    from gitkit.setup.doctor import examine
    from gitkit.setup.finding import Machine

    machine = Machine(git=context.git, search_path=context.environ.get("PATH", ""))
    findings = examine(machine, _place(context))
    wrong = sum(not finding.ok for finding in findings)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        _print(findings)
        say(f"\n{plural(wrong, 'thing is', 'things are')} wrong" if wrong else "\nnothing is wrong")
    return 1 if wrong else 0


def _place(context: Context) -> "Place | None":
    from gitkit.setup.finding import Place

    try:
        repository = context.repository
    except NotFound:
        return None
    return Place(
        repository=repository,
        cwd=context.cwd,
        store=context.store,
        settings=lambda: context.settings,
        config=lambda: context.config,
        open_remote=context.remote,
    )


def _print(findings: "Sequence[Finding]") -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        first, *rest = finding.text.splitlines()
        click.echo(f"{'ok   ' if finding.ok else 'WRONG'}  {finding.name.ljust(width)}  {first}")
        for line in rest:
            click.echo(f"{' ' * (width + 9)}{line}")
        if finding.fix:
            click.echo(f"{' ' * (width + 9)}-> {finding.fix}")
