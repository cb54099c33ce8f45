"""`git kit fsck`: is everything what it says it is?"""

import os

import click

from gitkit.cli.output import example, human_size, json_option, plural, print_json, say, show_path
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.errors import Corrupt
from gitkit.sync.fsck import Checked, fsck


@click.command("fsck", epilog=example.format("git kit fsck"))
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing: leave damaged blobs in the store.")
@json_option
@click.pass_obj
def command(context: Context, dry_run: bool, as_json: bool) -> int:
    """Check every blob of the store, and the pointers of HEAD and index.

    A damaged blob is moved to `corrupt/` in the store, so that it can be downloaded or added again. Content that is
    not in the store is mentioned and is no error. Exit code 11 when something is damaged.
    """
    with shown() as emit:
        result = fsck(context.repository.git, context.store, dry_run=dry_run, emit=emit)
    if as_json:
        print_json(
            {
                "blobs": result.blobs,
                "size": result.size,
                "corrupt": result.corrupt,
                "content": [os.fsdecode(path) for path in result.content.plain],
                "damaged_pointers": [os.fsdecode(path) for path in result.content.damaged],
                "missing": [{"path": os.fsdecode(need.path), "digest": need.digest} for need in result.missing],
            }
        )
    else:
        _tell(result, dry_run)
    return Corrupt.exit_code if result.corrupt or result.content.plain or result.content.damaged else 0


def _tell(result: Checked, dry_run: bool) -> None:
    click.echo(f"{plural(result.blobs, 'blob')}, {human_size(result.size)}: {len(result.corrupt)} damaged")
    for digest in result.corrupt:
        click.echo(f"  damaged: {digest}{'' if dry_run else ' (moved to corrupt/)'}")
    for path in result.content.plain:
        click.echo(f"  content where Git should hold a pointer: {show_path(path)}")
    for path in result.content.damaged:
        click.echo(f"  a damaged pointer: {show_path(path)}")
    if result.missing:
        click.echo(f"{plural(len(result.missing), 'file')} without content in the store")
    if result.leftovers:
        say(f"removed {plural(result.leftovers, 'leftover')} of interrupted commands")
    if result.content.damaged:
        say("\nhint: git kit doctor")
    elif result.content.plain:
        say("\nhint: git add --renormalize . && git commit")
    elif result.corrupt or result.missing:
        say("\nhint: git kit pull")
