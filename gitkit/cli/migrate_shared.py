"""What `git kit migrate import`, `export` and `info` have in common: which files, which commits, what is said."""

import os
import re
from collections.abc import Sequence
from typing import Any

import click

from gitkit.cli.output import plural, print_table, say, show_path
from gitkit.context import Context
from gitkit.core.events import Sink
from gitkit.core.selection import parse_list
from gitkit.errors import NotFound, UsageError
from gitkit.git.run import Git
from gitkit.migrate import moving, scope
from gitkit.migrate.history import Place, Rewritten
from gitkit.migrate.patterns import Selection, refuse_folders
from gitkit.migrate.scope import Scope

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,3}))?\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)


def parse_size(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """``100``, ``50k``, ``1.5 MiB`` in bytes; a click callback."""
    if value is None:
        return None
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise click.BadParameter(f'"{value}" is not a size, such as 50m', ctx, param)
    whole, part, unit = found.groups()
    scale = _UNITS[unit.lower()]
    return int(whole) * scale + (int(part) * scale // 10 ** len(part) if part else 0)


def split_list(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns of ``'a,b'``; an empty value stays, to be refused. A click callback."""
    # .gitattributes has no lists: a comma is itself there.
    return tuple(one.replace("\\,", ",") for value in values for one in (parse_list(value) or (value,)))


def size_option(size: int) -> str:
    """``size`` in bytes as ``parse_size`` reads it."""
    unit = next((unit for unit in "tgmk" if size and size % _UNITS[unit] == 0), "")
    return f"{size // _UNITS[unit]}{unit}"


INCLUDE_HELP = "Only files that match: '*.bin', 'folder/**', 'a,b'."
include_option = click.option(
    "-I", "--include", multiple=True, callback=split_list, metavar="PATTERN", help=INCLUDE_HELP
)
exclude_option = click.option(
    "-X", "--exclude", multiple=True, callback=split_list, metavar="PATTERN", help="No files that match."
)
above_option = click.option(
    "--above", callback=parse_size, metavar="SIZE", help="Only files of more than SIZE, such as 50m."
)
everything_option = click.option("--everything", is_flag=True, help="All local branches and tags.")
map_option = click.option("--object-map", metavar="FILE", help="Write old and new commits to FILE, as CSV.")
dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Say what would change, change nothing.")


def choose(git: Git, names: Sequence[str], selection: Selection, *, everything: bool) -> Scope:
    """The commits that are meant.

    Raises:
        UsageError: a pattern names a folder of the newest of them, or commits are named in two ways.
        NotFound: as ``scope.choose``.
    """
    commits = scope.choose(git, names, all_refs=everything)
    if commits.commits:
        refuse_folders(git, commits.commits[-1], [*selection.include, *selection.exclude])
    return commits


def place_of(context: Context, emit: Sink) -> Place:
    """Where history is rewritten."""
    return Place(repository=context.repository, store=context.store, transfers=context.settings.transfers, emit=emit)


def map_path(context: Context, name: str | None) -> str | None:
    """The file of ``--object-map``, from the folder that the person is in.

    Raises:
        NotFound: its folder is not there.
        UsageError: it is a folder.
    """
    if name is None:
        return None
    path = os.path.join(context.cwd, name)
    if os.path.isdir(path):
        raise UsageError(f"--object-map: {show_path(name)} is a folder", hint="name a file")
    if not os.path.isdir(os.path.dirname(path)):
        folder = show_path(os.path.dirname(name))
        raise NotFound(f"--object-map: there is no folder {folder}", hint="make it first, or name another file")
    return path


def as_document(done: Rewritten) -> dict[str, Any]:
    """What ``--json`` prints of a rewritten history."""
    return {
        "scope": done.scope.words,
        "commits": len(done.scope.commits),
        "rewritten": len(done.renamed),
        "refs": [moved._asdict() for moved in done.moved],
        "kept": done.kept,
        "unsigned_commits": done.unsigned,
        "unsigned_tags": done.unsigned_tags,
        "left": done.left,
    }


def report(context: Context, done: Rewritten, what: str, *, dry_run: bool) -> None:
    """Say what was done with ``what`` (``3 files, 2.0 GiB``), and what has to happen next. Refs go to stdout."""
    if not done.renamed:
        say(f"nothing to do in {done.scope.words}")
        return
    verb = "would rewrite" if dry_run else "rewrote"
    say(f"{verb} {len(done.renamed)} of {done.scope.words}: {what}")
    print_table(["REF", "OLD", "NEW"], [_row(ref, old, new, dry_run) for ref, old, new in done.moved])
    _say_losses(done)
    if not dry_run:
        _say_next(context, done)


def _row(ref: str, old: str, new: str, dry_run: bool) -> list[str]:
    return [_short(ref), old[:12], "-" if dry_run else new[:12]]


def _say_losses(done: Rewritten) -> None:
    if done.unsigned:
        say(f"warning: no signature any more on {plural(done.unsigned, 'commit')}")
    if done.unsigned_tags:
        say(f"warning: no signature any more on the tags {', '.join(done.unsigned_tags)}")
    for ref in done.left:
        say(f"warning: {_short(ref)} still holds old commits")


def _say_next(context: Context, done: Rewritten) -> None:
    say(f"\nThe old {'branch or tag is' if len(done.moved) == 1 else 'branches and tags are'} kept as {done.kept}/...")
    remote = context.git_remote
    if remote is None:
        return
    branches = [moved.ref.removeprefix("refs/heads/") for moved in done.moved if moved.ref.startswith("refs/heads/")]
    tags = [moved.ref for moved in done.moved if moved.ref.startswith("refs/tags/")]
    if not branches and not tags:
        return
    if not _is_published(context.repository.git, remote, done):
        say(f"Next: git push {remote} {' '.join([*branches, *tags])}")
        return
    # A lease on a tag would say that the remote has none: nothing tracks them.
    say(f"Next: git push --force-with-lease --atomic {remote} {' '.join([*branches, *(f'+{tag}' for tag in tags)])}")
    say("Every other clone has the old history: it has to be cloned again, or reset to the new branches.")


def _is_published(git: Git, remote: str, done: Rewritten) -> bool:
    """Whether the remote may have one of the moved refs as it was, by what is known of it here."""
    published = set(git.text("rev-list", "--remotes").split())
    if not published.isdisjoint(done.renamed):
        return True
    for ref, _, new in done.moved:
        if ref.startswith("refs/tags/"):
            # Also as it was before an earlier rewriting, which nobody has pushed.
            if not published.isdisjoint(moving.kept_commits(git, ref)):
                return True
        elif ref.startswith("refs/heads/"):
            tracking = f"refs/remotes/{remote}/{ref.removeprefix('refs/heads/')}"
            known = git.ask("rev-parse", "-q", "--verify", tracking)
            if known is not None and git.ask("merge-base", "--is-ancestor", known, new) is None:
                return True
    return False


def _short(ref: str) -> str:
    return "the stash" if ref == "refs/stash" else ref.removeprefix("refs/heads/").removeprefix("refs/")
