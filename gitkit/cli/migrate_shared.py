"""What `git kit migrate import`, `export` and `info` have in common: which files, which commits, what is said."""

import os
import re
from typing import Any

import click

from gitkit.cli.output import plural, print_table, say
from gitkit.context import Context
from gitkit.core.events import Sink
from gitkit.migrate.history import Place, Rewritten

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


include_option = click.option("-I", "--include", multiple=True, metavar="PATTERN", help="Only files that match.")
exclude_option = click.option("-X", "--exclude", multiple=True, metavar="PATTERN", help="No files that match.")
above_option = click.option(
    "--above", callback=parse_size, metavar="SIZE", help="Only files of more than SIZE, such as 50m."
)
everything_option = click.option("--everything", is_flag=True, help="All local branches and tags.")
map_option = click.option("--object-map", metavar="FILE", help="Write old and new commits to FILE, as CSV.")
dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Say what would change, change nothing.")


def place_of(context: Context, emit: Sink) -> Place:
    """Where history is rewritten."""
    return Place(repository=context.repository, store=context.store, transfers=context.settings.transfers, emit=emit)


def map_path(context: Context, name: str | None) -> str | None:
    """The file of ``--object-map``, from the folder that the person is in."""
    return os.path.join(context.cwd, name) if name is not None else None


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
    if not _is_published(context, done):
        say(f"Next: git push {remote} {' '.join([*branches, *tags])}")
        return
    say(f"Next: git push --force-with-lease {remote} {' '.join(branches)}".rstrip())
    if tags:
        say(f"      git push --force {remote} {' '.join(tags)}")
    say("Every other clone has the old history: it has to be cloned again, or reset to the new branches.")


def _is_published(context: Context, done: Rewritten) -> bool:
    """Whether a remote-tracking branch has a commit that was rewritten."""
    published = context.repository.git.text("rev-list", "--remotes").split()
    return not done.renamed.keys().isdisjoint(published)


def _short(ref: str) -> str:
    return "the stash" if ref == "refs/stash" else ref.removeprefix("refs/heads/").removeprefix("refs/")
