"""`git kit fsck`: is everything what it says it is?"""

import os
from collections.abc import Sequence

import click

from gitkit.cli.output import (
    example,
    human_size,
    json_option,
    plural,
    print_json,
    print_text,
    say,
    show_path,
    show_text,
)
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.errors import Corrupt, KitError, UsageError
from gitkit.sync.damage import DamagedFile
from gitkit.sync.fsck import Checked, fsck
from gitkit.sync.repair import Repaired, repair


@click.command("fsck", epilog=example.format("git kit fsck --repair"))
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing: leave damaged blobs in the store.")
@click.option("--repair", "mend", is_flag=True, help="Bring damaged and missing content from wherever it is right.")
@json_option
@click.pass_obj
def command(context: Context, dry_run: bool, mend: bool, as_json: bool) -> int:
    """Check every blob of the store, and the pointers of HEAD and index.

    A damaged blob is moved to `corrupt/` in the store, so that it can be downloaded or added again; files that were
    checked out from it are named. Content that is not in the store is mentioned and is no error. With `--repair` all
    get the right content, from the trash, other stores of this machine, files of a worktree or the remote. A blob that
    cannot be read stays where it is. Exit code 11 when something is damaged, or stays so; 1 when something could not
    be read.
    """
    if dry_run and mend:
        raise UsageError("--repair changes the store, and --dry-run forbids it")
    repaired = Repaired([], [], [], [])
    with shown() as emit:
        result = fsck(context.repository, context.store, dry_run=dry_run, emit=emit)
        if mend:
            repaired = repair(
                context.repository,
                context.store,
                result.missing,
                result.corrupt,
                result.files,
                context.reading_remote,
                context.hash_cache,
                transfers=context.settings.transfers,
                hard_links=context.settings.link == "hardlink",
                emit=emit,
            )
    if as_json:
        print_json(_as_json(result, repaired))
    else:
        _tell(context, result, repaired, dry_run, mend)
    damaged = repaired.failed or repaired.damaged if mend else result.corrupt or result.files
    if damaged or result.content.plain or result.content.damaged:
        return Corrupt.exit_code
    return KitError.exit_code if result.unread else 0


def _as_json(result: Checked, repaired: Repaired) -> dict[str, object]:
    return {
        "blobs": result.blobs,
        "size": result.size,
        "corrupt": result.corrupt,
        "unread": [{"digest": it.digest, "reason": it.reason} for it in result.unread],
        "damaged_files": _paths(result.files),
        "content": [os.fsdecode(path) for path in result.content.plain],
        "damaged_pointers": [os.fsdecode(path) for path in result.content.damaged],
        "missing": [{"path": os.fsdecode(need.path), "digest": need.digest} for need in result.missing],
        "repaired": [
            {"path": os.fsdecode(it.need.path), "digest": it.need.digest, "from": it.source} for it in repaired.mended
        ],
        "not_repaired": [
            {"path": os.fsdecode(it.need.path), "digest": it.need.digest, "reason": it.error.message}
            for it in repaired.failed
        ],
        "repaired_files": _paths(repaired.files),
    }


def _paths(files: Sequence[DamagedFile]) -> list[dict[str, str]]:
    return [{"path": os.fsdecode(it.path), "digest": it.file.pointer.digest} for it in files]


def _tell(context: Context, result: Checked, repaired: Repaired, dry_run: bool, mend: bool) -> None:
    print_text(f"{plural(result.blobs, 'blob')}, {human_size(result.size)}: {len(result.corrupt)} damaged")
    for digest in result.corrupt:
        print_text(f"  damaged: {digest}{'' if dry_run else ' (moved to corrupt/)'}")
    for file in result.files:
        print_text(f"  checked out from a damaged blob: {_shown(context, file)}")
    for unread in result.unread:
        print_text(f"  could not be read: {unread.digest}: {show_text(unread.reason)}")
    for path in result.content.plain:
        print_text(f"  content where Git should hold a pointer: {show_path(path)}")
    for path in result.content.damaged:
        print_text(f"  a damaged pointer: {show_path(path)}")
    if result.missing:
        print_text(f"{plural(len(result.missing), 'file')} without content in the store")
    for it in repaired.mended:
        print_text(f"  repaired from {it.source}: {show_path(it.need.path)}")
    for failure in repaired.failed:
        named = show_path(failure.need.path) if failure.need.path else failure.need.digest
        print_text(f"  not repaired: {named}: {show_text(failure.error.message)}")
    for file in repaired.files:
        print_text(f"  checked out anew: {_shown(context, file)}")
    for file in repaired.damaged:
        print_text(f"  not checked out anew: {_shown(context, file)}")
    if result.replaced:
        say(f"deleted {plural(result.replaced, 'damaged blob')} from corrupt/: the store has the right content")
    if result.leftovers:
        say(f"removed {plural(result.leftovers, 'leftover')} of interrupted commands")
    _hint(result, repaired, mend)


def _shown(context: Context, file: DamagedFile) -> str:
    """From the root of this worktree; absolute in another one."""
    return show_path(file.file.path if file.root == context.repository.worktree else file.path)


def _hint(result: Checked, repaired: Repaired, mend: bool) -> None:
    is_hurt = result.corrupt or result.files
    if result.content.damaged:
        say("\nhint: git kit doctor")
    elif result.content.plain:
        say("\nhint: git add --renormalize . && git commit")
    elif repaired.failed:
        hints = [it.error.hint for it in repaired.failed if it.error.hint]
        say(f"\nhint: {hints[0] if hints else 'from a clone that has the content: git kit push --all'}")
    elif repaired.damaged or (is_hurt and not mend):
        say("\nhint: git kit fsck --repair")
    elif not mend and result.missing:
        say("\nhint: git kit pull, or from all other places: git kit fsck --repair")
    elif mend and not result.unread:
        say("\neverything is right now" if is_hurt or result.missing else "\nnothing was to be repaired")
