"""How results look: data on stdout, everything else on stderr, no colour, no width beyond the terminal's."""

import json
from collections.abc import Sequence
from typing import Any

import click

from gitkit.core.paths import show_lines, show_message, show_path, show_text, show_word

__all__ = [
    "example",
    "human_size",
    "json_option",
    "plural",
    "print_json",
    "print_table",
    "print_text",
    "say",
    "show_message",
    "show_path",
    "show_text",
    "show_word",
]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""Every command that reads has it."""

example = "\b\nExample:\n  {}"
"""For ``epilog``: ``example.format("git kit push origin main")``."""


def say(text: str) -> None:
    """Lines for the person (stderr). Whatever is in ``text``, nothing but its line ends acts on the terminal; so texts
    of other people, which may hold some, go in by ``show_text``.
    """
    click.echo(show_lines(text), err=True)


def print_text(text: str) -> None:
    """Lines on stdout; as ``say``."""
    click.echo(show_lines(text))


def print_json(value: Any) -> None:
    """``value`` on stdout, indented, in the order that its dicts have."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Columns on stdout; those whose number is in ``right`` are right-aligned. Nothing for no rows.

    A row is one line: line ends in a cell become spaces, and nothing in it acts on the terminal.
    """
    if not rows:
        return
    lines = [[_cell(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def _cell(text: str) -> str:
    return text if text.isprintable() else show_text(" ".join(text.split()))


def human_size(size: int) -> str:
    """``size`` bytes for people: ``86.7 MiB``."""
    if size < 1024:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, 5)
    return f"{size / (1 << 10 * power):.1f} {'KMGTP'[power - 1]}iB"


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 file``, ``3 files``."""
    return f"{count} {one if count == 1 else many or one + 's'}"
