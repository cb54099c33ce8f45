"""`git kit install`: Git runs git kit from now on."""

import os
from typing import TYPE_CHECKING, cast

import click

from gitkit.cli.output import example, say, show_path
from gitkit.context import Context
from gitkit.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitkit.git.filters import Scope
    from gitkit.git.hooks import Change, Folder
    from gitkit.git.repository import Repository
    from gitkit.setup.install import Installed


def scope_options(command: "Callable[..., None]") -> "Callable[..., None]":
    """Which of Git's configuration files: ``scope`` and ``skip_hooks``."""
    command = click.option("--skip-hooks", is_flag=True, help="Leave hooks alone.")(command)
    for name, text in (
        ("worktree", "This worktree's configuration."),
        ("system", "This machine's configuration."),
        ("local", "This repository's configuration instead of yours."),
    ):
        command = click.option(f"--{name}", "scope", flag_value=name, help=text)(command)
    return command


@click.command("install", epilog=example.format("git kit install"))
@scope_options
@click.pass_obj
def command(context: Context, scope: str | None, skip_hooks: bool) -> None:
    """Set up Git to run git kit, and the hooks of the repository that this is run in.

    The filter is set once for each person. Every clone needs hooks of its own: `git kit clone`, `git kit init` and `git
    kit track` put them in, and so does this. Hooks that are there keep running.
    """
    from gitkit.git import filters
    from gitkit.setup.install import install, suggestions

    where = cast("Scope", scope or "global")
    repository = repository_or_none(context, where)
    if repository is None:
        report_filter(filters.install(context.git, where), f"set in the {where} Git configuration")
        return
    done = install(repository, scope=where, with_hooks=not skip_hooks)
    report_filter(done.filter_changed, f"set in the {where} Git configuration")
    report_hooks(done, repository)
    for suggestion in suggestions(repository) if not skip_hooks else ():
        say(f"\n{suggestion.manager} may overwrite what is in its hooks. To be safe, add to {suggestion.file}:\n")
        say(suggestion.text)


def repository_or_none(context: Context, scope: "Scope") -> "Repository | None":
    """The repository here; None outside of one, where ``scope`` needs none."""
    try:
        return context.repository
    except NotFound:
        if scope in ("local", "worktree"):
            raise
        return None


def report_filter(changed: bool, done: str) -> None:
    """One line on the filter."""
    say(f"filter: {done if changed else 'nothing to do'}")


def report_hooks(done: "Installed", repository: "Repository", *, quiet: bool = False) -> None:
    """What happened to each hook; ``quiet`` says nothing where nothing did."""
    changes = [change for change in done.hooks if change.did != "kept"]
    if done.folder is None or (quiet and not changes):
        return
    if not changes:
        say("hooks: nothing to do")
        return
    say(f"hooks in {_place(done.folder, repository)}:")
    for change in changes:
        say(f"  {change.name:<14} {_DID[change.did]}{_beside(change)}")
    if done.folder.shared:
        say("This folder is outside of the repository: other repositories that use it get the same hooks.")
    elif done.folder.husky:
        say("husky runs these, and Git tracks them: commit them.")


_DID = {
    "written": "written",
    "updated": "brought up to date",
    "added to": "lines added at the start of what was there",
    "wrapped": "wrapped: what was there runs after it",
    "removed": "removed",
    "restored": "as it was before",
}


def _beside(change: "Change") -> str:
    name = os.path.basename(change.path)
    return "" if name == change.name else f" ({show_path(name)})"


def _place(folder: "Folder", repository: "Repository") -> str:
    return show_path(folder.path if folder.shared else os.path.relpath(folder.path, repository.root))
