"""`git kit track`: which files Git keeps as pointers."""

import os
from typing import TYPE_CHECKING

import click

from gitkit.cli.install import report_filter, report_hooks
from gitkit.cli.output import example, json_option, plural, print_json, print_table, say, show_path, show_word
from gitkit.context import Context

if TYPE_CHECKING:
    from gitkit.setup.track import Changed


@click.command("track", epilog=example.format("git kit track '*.safetensors'"))
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--filename", is_flag=True, help="Take each PATTERN for a file's name, whatever characters it has.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would change, change nothing.")
@json_option
@click.pass_obj
def command(context: Context, patterns: tuple[str, ...], filename: bool, dry_run: bool, as_json: bool) -> None:
    """Keep files that match PATTERN as pointers in Git, their content in the store. Without one, list the patterns.

    A PATTERN is one of gitattributes(5), relative to the current folder: it goes to the .gitattributes here. Quote it,
    or the shell puts today's file names in its place.
    """
    from gitkit.setup.install import ensure
    from gitkit.setup.track import track, unmatched

    repository = context.repository
    if not patterns:
        _list(context, as_json)
        return
    changed = track(repository, here(context), patterns, literal=filename, dry_run=dry_run)
    if not dry_run:
        done = ensure(repository)
        if done.filter_changed:
            report_filter(True, "set in the local Git configuration")
        report_hooks(done, repository, quiet=True)
    if as_json:
        print_changed(changed, "tracked")
        return
    for pattern in changed.done:
        say(f"{'would track' if dry_run else 'tracking'} {show_path(pattern)}")
    for pattern in changed.kept:
        say(f"{show_path(pattern)} is tracked already")
    for pattern in unmatched(repository, here(context), [*changed.done, *changed.kept]):
        say(f"note: {show_path(pattern)} matches no file yet")
    if dry_run:
        return
    if changed.touched:
        say(f"{plural(len(changed.touched), 'file')} in Git as content: the next git add makes pointers of them")
    if changed.done or changed.touched:
        say(f"\nNext: {git_add(changed)}")


def here(context: Context) -> str:
    """The current folder, or the worktree's root where it is elsewhere."""
    root = os.path.realpath(context.repository.root)
    cwd = os.path.realpath(context.cwd)
    return cwd if os.path.commonpath([root, cwd]) == root else root


def print_changed(changed: "Changed", done: str) -> None:
    """What `track` and `untrack` did, as JSON."""
    print_json(
        {
            "file": changed.file,
            done: changed.done,
            "unchanged": changed.kept,
            "touched": [os.fsdecode(path) for path in changed.touched],
        }
    )


def git_add(changed: "Changed") -> str:
    """The command that stages what changed."""
    return " ".join(["git add -- .gitattributes", *map(show_word, changed.touched)])


def _list(context: Context, as_json: bool) -> None:
    from gitkit.setup.track import lines

    found = lines(context.repository, context.environ)
    if as_json:
        print_json([{"pattern": line.pattern, "file": line.file} for line in found])
        return
    print_table(["PATTERN", "FILE"], [[show_path(line.pattern), show_path(line.file)] for line in found])
    if not found:
        say("no pattern is tracked\n\nhint: git kit track '*.safetensors'")
