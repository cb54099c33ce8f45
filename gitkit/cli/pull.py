"""`git kit pull`: fetch, then checkout."""

import click

from gitkit.cli.checkout import within
from gitkit.cli.fetch import wanted_files
from gitkit.cli.output import example, say
from gitkit.cli.progress import shown
from gitkit.cli.shared import (
    exclude_option,
    include_option,
    refuse_incomplete,
    report_checkout,
    selected,
    warn_without_filter,
)
from gitkit.context import Context
from gitkit.sync import checkout, fetch
from gitkit.sync.pointers import PointerFile, needs_of


@click.command("pull", epilog=example.format("git kit pull -I 'models/*'"))
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@include_option
@exclude_option
@click.pass_obj
def command(context: Context, paths: tuple[str, ...], include: tuple[str, ...], exclude: tuple[str, ...]) -> None:
    """Download the content of the worktree's pointers and put it in their place.

    Moves no branch: get commits with `git pull`.
    """
    warn_without_filter(context)
    otherwise = context.settings.wanted
    files = selected(wanted_files(context, ()), (*within(context, paths), *include), exclude, otherwise=otherwise)
    if not bring(context, files):
        say("nothing to pull")


def bring(context: Context, files: list[PointerFile]) -> bool:
    """Fetch and check out those of ``files`` that are still pointers; False when there are none."""
    pending = checkout.still_pointers(context.repository, files) if context.repository.worktree else files
    if not pending:
        return False
    needs = needs_of(pending)
    with shown() as emit:
        fetched = None
        transfers = context.settings.transfers
        if not all(context.store.holds(need.digest, need.size) for need in needs):
            fetched = fetch.fetch_each(context.store, context.reading_remote, needs, transfers=transfers, emit=emit)
        done = checkout.checkout(
            context.repository,
            context.store,
            pending,
            transfers=transfers,
            hard_links=context.settings.link == "hardlink",
            cache=context.hash_cache,
            emit=emit,
        )
    report_checkout(done)
    if fetched is not None:
        refuse_incomplete(fetched)
    return True
