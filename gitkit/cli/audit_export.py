"""`git kit audit export`: the journal as a file for other programs, or as a page for people."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from gitkit.cli.audit_log import known_events, selecting
from gitkit.cli.output import example, plural, say, show_path
from gitkit.context import Context
from gitkit.errors import KitError, NotFound
from gitkit.lifecycle.audit.selection import Selection

if TYPE_CHECKING:
    from gitkit.lifecycle.ledger import Entry


@click.command("export", epilog=example.format("git kit audit export --format html -o audit.html"))
@selecting
@click.option("--format", "form", type=click.Choice(("jsonl", "csv", "html")), default="jsonl", help="Default: jsonl.")
@click.option("-o", "--output", metavar="FILE", help="Write this file instead of stdout.")
@click.pass_obj
def export(context: Context, /, *, form: str, output: str | None, **chosen: Any) -> int:
    """Write the journal's events to stdout or a file, oldest first.

    jsonl: one JSON object a line. csv: a table (RFC 4180). html: one page that needs nothing else, with a summary of
    each environment, made to be printed.

    Needs no network: what this clone knows counts. A commit of the journal that is no event is told and left out; exit
    code 11 then.
    """
    entries, damaged = known_events(context, Selection(**chosen))
    pieces = _pieces(entries, form, os.path.basename(context.repository.root))
    if output is None:
        for piece in pieces:
            click.echo(piece, nl=False)
    else:
        _write(os.path.join(context.cwd, output), pieces)
        say(f"wrote {plural(len(entries), 'event')} to {show_path(output)}")
    return damaged


def _pieces(entries: "list[Entry]", form: str, name: str) -> Iterator[str]:
    from gitkit.lifecycle.audit.export import csv_lines, json_lines
    from gitkit.lifecycle.audit.page import page

    if form == "html":
        return page(entries, f"Journal of {name}")
    return csv_lines(entries) if form == "csv" else json_lines(entries)


def _write(path: str, pieces: Iterable[str]) -> None:
    """Beside, then renamed: the file is there whole or not at all."""
    folder = os.path.dirname(path)
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix=".git-kit-", delete=False, encoding="utf-8", newline=""
        ) as file:
            try:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o644)
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except FileNotFoundError as error:
        raise NotFound(f"there is no folder {show_path(folder)}") from error
    except OSError as error:
        raise KitError(f"cannot write {show_path(path)}: {error.strerror}") from error
