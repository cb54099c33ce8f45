"""`git kit untrack`: Git keeps files as they are again."""

import click

from gitkit.cli.output import example, json_option, plural, say, show_path
from gitkit.cli.track import git_add, here, print_changed
from gitkit.context import Context
from gitkit.errors import NotFound


@click.command("untrack", epilog=example.format("git kit untrack '*.csv'"))
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN...")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would change, change nothing.")
@json_option
@click.pass_obj
def command(context: Context, patterns: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Stop keeping files that match PATTERN as pointers: the opposite of `git kit track`, in the same folder.

    Files that are pointers in Git stay so until they are added again; history keeps its pointers.
    """
    from gitkit.setup.track import untrack

    changed = untrack(context.repository, here(context), patterns, dry_run=dry_run)
    if changed.kept:
        names = ", ".join(show_path(pattern) for pattern in changed.kept)
        if not changed.done:
            raise NotFound(f"{changed.file} does not track {names}", hint="list the patterns: git kit track")
        say(f"{changed.file} does not track {names}")
    if as_json:
        print_changed(changed, "untracked")
        return
    for pattern in changed.done:
        say(f"{'would untrack' if dry_run else 'untracked'} {show_path(pattern)}")
    if dry_run:
        return
    if changed.touched:
        held = plural(len(changed.touched), "file in Git as a pointer", "files in Git as pointers")
        say(f"{held}: the next git add stores content")
        say("(git kit pull first, where content is missing)")
    say(f"\nNext: {git_add(changed)}")
