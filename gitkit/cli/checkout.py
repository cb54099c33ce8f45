"""`git kit checkout`: pointers of the worktree become content."""

import click

from gitkit.cli.output import example, plural, say
from gitkit.cli.progress import shown
from gitkit.cli.shared import exclude_option, include_option, report_checkout, selected, warn_without_filter
from gitkit.context import Context
from gitkit.sync import checkout, pointers


@click.command("checkout", epilog=example.format("git kit checkout models"))
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@include_option
@exclude_option
@click.pass_obj
def command(context: Context, paths: tuple[str, ...], include: tuple[str, ...], exclude: tuple[str, ...]) -> None:
    """Replace pointers in the worktree by content from the store; download nothing.

    Files that you changed are left alone.
    """
    warn_without_filter(context)
    files = selected(pointers.in_index(context.repository.git), (*within(context, paths), *include), exclude)
    with shown() as emit:
        result = checkout.checkout(
            context.repository,
            context.store,
            files,
            transfers=context.settings.transfers,
            hard_links=context.settings.link == "hardlink",
            cache=context.hash_cache,
            emit=emit,
        )
    report_checkout(result)
    if result.missing:
        say(f"{plural(len(result.missing), 'file')} without content in the store\n\nhint: git kit pull")
    elif not result.done:
        say("nothing to check out")


def within(context: Context, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Patterns for paths that were typed in the current folder."""
    import os

    from gitkit.core.selection import from_root

    root = context.repository.root
    return tuple(from_root(os.path.relpath(os.path.join(context.cwd, path), root)) for path in paths if path)
