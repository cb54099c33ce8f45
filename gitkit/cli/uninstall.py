"""`git kit uninstall`: undoes `git kit install`."""

from typing import TYPE_CHECKING, cast

import click

from gitkit.cli.install import report_filter, report_hooks, repository_or_none, scope_options
from gitkit.cli.output import example, say
from gitkit.context import Context

if TYPE_CHECKING:
    from gitkit.git.filters import Scope


@click.command("uninstall", epilog=example.format("git kit uninstall --local"))
@scope_options
@click.pass_obj
def command(context: Context, scope: str | None, skip_hooks: bool) -> None:
    """Take git kit out of Git's configuration, and its hooks out of the repository that this is run in.

    Hooks that were there before are there again, byte for byte. Content, pointers and the store stay.
    """
    from gitkit.git import filters
    from gitkit.setup.install import uninstall

    where = cast("Scope", scope or "global")
    repository = repository_or_none(context, where)
    removed = f"removed from the {where} Git configuration"
    if repository is None:
        report_filter(filters.uninstall(context.git, where), removed)
        return
    done = uninstall(repository, scope=where, with_hooks=not skip_hooks)
    report_filter(done.filter_changed, removed)
    report_hooks(done, repository)
    left = {setting.scope for setting in filters.read(repository.git)} - {"command"}
    if left:
        say(f"Still set in: {', '.join(sorted(left))}")
