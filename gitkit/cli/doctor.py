"""`git kit doctor`: what is wrong, and the command that mends it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gitkit.cli.output import example, json_option, plural, print_json, print_text, say
from gitkit.context import Context
from gitkit.errors import InvalidFile, NotFound

if TYPE_CHECKING:
    from gitkit.setup.finding import Finding, Place
    from gitkit.store.layout import ImageLayout


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
    findings = examine(machine, place_of(context))
    wrong = sum(not finding.ok for finding in findings)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        _print(findings)
        say(f"\n{plural(wrong, 'thing is', 'things are')} wrong" if wrong else "\nnothing is wrong")
    return 1 if wrong else 0


def place_of(context: Context) -> "Place | None":
    """The repository of the current folder, to be examined; None where there is none."""
    from gitkit.setup.finding import Place

    try:
        repository = context.repository
    except NotFound:
        return None
    return Place(
        repository=repository,
        cwd=context.cwd,
        store=_store(context),
        settings=lambda: context.settings,
        config=lambda: context.config,
        open_remote=context.remote,
    )


def _store(context: Context) -> "ImageLayout":
    """The store, also where a setting is wrong: that is a finding, and the clone's own folder can be looked at."""
    import os

    from gitkit.store.layout import ImageLayout

    try:
        return context.store
    except InvalidFile:
        return ImageLayout(os.path.join(context.repository.common_dir, "kit"))


def _print(findings: "Sequence[Finding]") -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        first, *rest = finding.text.splitlines()
        print_text(f"{'ok   ' if finding.ok else 'WRONG'}  {finding.name.ljust(width)}  {first}")
        for line in rest:
            print_text(f"{' ' * (width + 9)}{line}")
        if finding.fix:
            print_text(f"{' ' * (width + 9)}-> {finding.fix}")
