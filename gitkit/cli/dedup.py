"""`git kit dedup`: files of the worktree and blobs of the store in one place on the disk."""

import os

import click

from gitkit.cli.output import example, human_size, json_option, plural, print_json, print_text, say, show_path
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.errors import PartlyDone
from gitkit.sync.dedup import Deduplicated, dedup

_SHOWN = 5


@click.command("dedup", epilog=example.format("git kit dedup"))
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing, and tell what could be shared.")
@json_option
@click.pass_obj
def command(context: Context, dry_run: bool, as_json: bool) -> int:
    """Have large files of the worktree share their bytes on the disk with the store.

    The file system has to be able to (XFS, btrfs); files stay as they are, and each can be changed as before. With
    `git config kit.link hardlink` they become read-only hard links instead, on any file system. Files that
    you changed are left alone. Exit code 17 where it cannot be done, 19 when a file could not be shared.
    """
    hard_links = context.settings.link == "hardlink"
    with shown() as emit:
        result = dedup(context.repository, context.store, hard_links=hard_links, dry_run=dry_run, emit=emit)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "bytes": result.bytes,
                "shared": [os.fsdecode(file.path) for file in result.shared],
                "before": [os.fsdecode(file.path) for file in result.before],
                "skipped": [{"path": os.fsdecode(it.file.path), "reason": it.reason} for it in result.skipped],
            }
        )
    else:
        _tell(result, dry_run)
    return PartlyDone.exit_code if result.skipped else 0


def _tell(result: Deduplicated, dry_run: bool) -> None:
    one = len(result.shared) == 1
    share = "could share" if dry_run else "shares" if one else "share"
    whose = "its" if one else "their"
    files = f"{plural(len(result.shared), 'file')}, {human_size(result.bytes)}"
    print_text(f"{files}, {share} {whose} bytes with the store{'' if dry_run else ' now'}")
    if result.before:
        print_text(f"{plural(len(result.before), 'file')} did before")
    for skipped in result.skipped[:_SHOWN]:
        say(f"{show_path(skipped.file.path)} does not: {skipped.reason}")
    if len(result.skipped) > _SHOWN:
        say(f"and {len(result.skipped) - _SHOWN} more")
