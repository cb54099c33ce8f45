"""`git kit migrate lfs`: from Git LFS, with no history rewritten."""

import os
from typing import TYPE_CHECKING, Any

import click

from gitkit.cli.install import report_filter, report_hooks
from gitkit.cli.output import example, human_size, json_option, plural, print_json, say, show_path
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.errors import KitError

if TYPE_CHECKING:
    from gitkit.migrate.lfs import Migrated

_SHOWN = 5


@click.command("lfs", epilog=example.format("git kit migrate lfs"))
@click.option("-n", "--dry-run", is_flag=True, help="Say what would change, change nothing.")
@json_option
@click.pass_obj
def command(context: Context, dry_run: bool, as_json: bool) -> None:
    """Switch a repository from Git LFS to git kit: no history rewritten, nothing uploaded again.

    Every .gitattributes line of Git LFS becomes one of git kit and is staged. This clone gets filter and hooks, and the
    content that Git LFS holds here is linked into the store. Files stay Git LFS pointers in Git until they change;
    their content is read from the Git LFS server as before. Git LFS itself stays as it is. Refuses a worktree with
    changes. Nothing is committed. Doing it again changes nothing.
    """
    from gitkit.migrate.lfs import migrate

    with shown() as emit:
        transfers = context.settings.transfers
        result = migrate(
            context.repository, context.store, context.hash_cache, dry_run=dry_run, transfers=transfers, emit=emit
        )
    if as_json:
        print_json(_as_json(result, dry_run))
        return
    _tell_attributes(result, dry_run)
    _tell_content(result, dry_run)
    if result.installed is not None:
        if result.installed.filter_changed:
            report_filter(True, "set in the local Git configuration")
        report_hooks(result.installed, context.repository, quiet=True)
    if not dry_run:
        _tell_next(context, result)


def _as_json(result: "Migrated", dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "files": [{"file": os.fsdecode(file.path), "patterns": file.change.patterns} for file in result.files],
        "dropped": [
            {"file": os.fsdecode(file.path), "pattern": lost.pattern, "attribute": lost.attribute}
            for file in result.files
            for lost in file.change.dropped
        ],
        "elsewhere": [os.fsdecode(path) for path in result.elsewhere],
        "objects": {
            "linked": result.taken.linked,
            "bytes": result.taken.bytes,
            "here": result.taken.here,
            "left": result.taken.left,
            "damaged": result.taken.damaged,
        },
        "pointers": len(result.pointers),
        "missing": [
            {"path": os.fsdecode(file.path), "digest": file.pointer.digest, "size": file.pointer.size}
            for file in result.missing
        ],
    }


def _tell_attributes(result: "Migrated", dry_run: bool) -> None:
    for file in result.files:
        count = plural(len(file.change.patterns), "line")
        say(f"{show_path(file.path)}: {count} {'would be switched' if dry_run else 'switched'} to git kit")
        for lost in file.change.dropped:
            say(f'  {show_path(lost.pattern)} loses "{lost.attribute}"{_because(lost.attribute)}')
    if not result.files:
        say("attributes: nothing to do")
    if result.elsewhere:
        say(f"warning: {plural(len(result.elsewhere), 'file')} still under Git LFS by attributes of another place:")
        _list(result.elsewhere)
        say("hint: git check-attr filter -- FILE; see core.attributesFile in git-config(1)")


def _because(attribute: str) -> str:
    if attribute.lstrip("-!") == "lockable":
        return ": only Git LFS locks files; where it took the right to write away: chmod u+w"
    return ": Git would turn line ends in large files"


def _tell_content(result: "Migrated", dry_run: bool) -> None:
    taken = result.taken
    if taken.linked:
        done = "would be linked" if dry_run else "linked"
        say(f"store: {plural(taken.linked, 'object')} of Git LFS {done}, {human_size(taken.bytes)}")
    if taken.left:
        say(f"store: {plural(taken.left, 'object')} cannot be linked: copied from Git LFS when needed")
    for digest in taken.damaged:
        say(f"warning: Git LFS holds a damaged object: {digest}")
    if result.pointers:
        what = plural(len(result.pointers), "Git LFS pointer")
        say(f"{what}: {'stays' if len(result.pointers) == 1 else 'stay'} until the file changes")


def _tell_next(context: Context, result: "Migrated") -> None:
    staged = context.repository.git.ask("diff", "--cached", "--quiet") is None
    steps = ["git commit -m 'Switch from Git LFS'"] if staged else []
    if result.missing:
        steps.append(f"git kit pull   ({plural(len(result.missing), 'file')} without content here)")
    if not _has_remote(context):
        steps.append("git kit remote URL   (where changed files will go)")
    if steps:
        say("\nNext: " + "\n      ".join(steps))


def _has_remote(context: Context) -> bool:
    try:
        context.remote()
    except KitError:
        return False
    return True


def _list(paths: list[bytes]) -> None:
    for path in paths[:_SHOWN]:
        say(f"  {show_path(path)}")
    if len(paths) > _SHOWN:
        say(f"  and {len(paths) - _SHOWN} more")
