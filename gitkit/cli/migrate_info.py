"""`git kit migrate info`: which files of a history would be worth a pattern."""

import shlex
from collections.abc import Sequence

import click

from gitkit.cli.migrate_shared import (
    above_option,
    choose,
    everything_option,
    exclude_option,
    include_option,
    size_option,
)
from gitkit.cli.output import example, human_size, json_option, plural, print_json, print_table, say, show_path
from gitkit.context import Context
from gitkit.errors import NotFound
from gitkit.git.run import Git
from gitkit.migrate import scope
from gitkit.migrate.info import Kind, Report, info
from gitkit.migrate.patterns import Selection


@click.command("info", epilog=example.format("git kit migrate info --everything --above 1m"))
@click.argument("refs", nargs=-1, metavar="[REF]...")
@include_option
@exclude_option
@above_option
@click.option("--top", default=5, show_default=True, metavar="N", help="How many kinds of files to show; 0 for all.")
@everything_option
@json_option
@click.pass_obj
def command(
    context: Context,
    refs: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    above: int | None,
    top: int,
    everything: bool,
    as_json: bool,
) -> None:
    """Show the largest kinds of files that commits hold, all versions added up, each content once.

    \b
    (nothing)      commits of the current branch that no remote-tracking
                   branch has
    REF...         the whole history of these revisions
    --everything   that of all local branches and tags

    HELD says where content is: in Git itself, or in a store, with a pointer of git kit (kit) or Git LFS (lfs) in Git.
    SHARE is that of all files which match the PATTERNs.
    """
    if top < 0:
        raise click.UsageError("--top must not be negative")
    git = context.repository.git
    selection = Selection(include=include, exclude=exclude, above=above)
    report = info(git, choose(git, refs, selection, everything=everything), selection)
    if as_json:
        print_json(_as_document(report, top))
    else:
        _show(report, top)
        if report.convertible:
            say(f"\nNext: {_next(git, refs, selection, everything=everything)}")


def _show(report: Report, top: int) -> None:
    say(f"{report.scope.words}: {plural(report.files, 'file')}, {human_size(report.size)}")
    rows = [
        [show_path(kind.pattern), str(kind.files), human_size(kind.size), _percent(kind.size, report.size), kind.held]
        for kind in _first(report, top)
    ]
    print_table(["PATTERN", "FILES", "SIZE", "SHARE", "HELD"], rows, right=(1, 2, 3))
    if report.missing:
        say(f"{plural(report.missing, 'file')} left out: this clone does not have them")


def _next(git: Git, refs: Sequence[str], selection: Selection, *, everything: bool) -> str:
    """The command that converts what was shown. It takes branches and tags only, so other revisions become REF."""
    words = ["git kit migrate import"]
    words += [f"--include {shlex.quote(pattern)}" for pattern in selection.include] or ["--include PATTERN"]
    words += [f"--exclude {shlex.quote(pattern)}" for pattern in selection.exclude]
    words += [f"--above {size_option(selection.above)}"] if selection.above is not None else []
    words += ["--everything"] if everything else []
    return " ".join([*words, *(_ref(git, name) for name in refs)])


def _ref(git: Git, name: str) -> str:
    try:
        scope.check_local(git, [name])
    except NotFound:
        return "REF"
    return shlex.quote(name)


def _first(report: Report, top: int) -> list[Kind]:
    return report.kinds[:top] if top else report.kinds


def _percent(size: int, total: int) -> str:
    return f"{100 * size / total:.0f} %" if total else "-"


def _as_document(report: Report, top: int) -> dict[str, object]:
    return {
        "scope": report.scope.words,
        "commits": len(report.scope.commits),
        "files": report.files,
        "size": report.size,
        "missing": report.missing,
        "kinds": [
            {**kind._asdict(), "share": kind.size / report.size if report.size else 0.0} for kind in _first(report, top)
        ],
    }
