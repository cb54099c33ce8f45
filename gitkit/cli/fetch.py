"""`git kit fetch`: content into the store."""

import click

from gitkit.cli.output import example, say
from gitkit.cli.progress import shown
from gitkit.cli.shared import exclude_option, include_option, refuse_incomplete, selected
from gitkit.context import Context
from gitkit.git import objects
from gitkit.sync import fetch, pointers
from gitkit.sync.fsck import has_head
from gitkit.sync.pointers import PointerFile, needs_of


@click.command("fetch", epilog=example.format("git kit fetch v1.0.0"))
@click.argument("revisions", nargs=-1, metavar="[REVISION]...")
@click.option("--all", "everything", is_flag=True, help="What any branch or tag needs, in its whole history.")
@include_option
@exclude_option
@click.pass_obj
def command(
    context: Context, revisions: tuple[str, ...], everything: bool, include: tuple[str, ...], exclude: tuple[str, ...]
) -> None:
    """Download the content that REVISIONs need (default: the index, or HEAD of a bare repository) into the store.

    Files of the worktree stay as they are.
    """
    git = context.repository.git
    if everything:
        needs = pointers.in_range(git, objects.all_commits(git), [], remote=None, lfs=True)
    else:
        otherwise = context.settings.wanted
        needs = needs_of(selected(wanted_files(context, revisions), include, exclude, otherwise=otherwise))
    if all(context.store.holds(need.digest, need.size) for need in needs):
        say("nothing to download")
        return
    with shown() as emit:
        transfers = context.settings.transfers
        result = fetch.fetch_each(context.store, context.reading_remote, needs, transfers=transfers, emit=emit)
    refuse_incomplete(result)


def wanted_files(context: Context, revisions: tuple[str, ...]) -> list[PointerFile]:
    """The pointers of all named commits; by default of the index, which a bare repository has not: of HEAD there."""
    git = context.repository.git
    if not revisions and context.repository.worktree is None and has_head(git):
        revisions = ("HEAD",)
    if not revisions:
        return pointers.in_index(git)
    return [file for rev in revisions for file in pointers.in_tree(git, objects.resolve(git, rev))]
