"""How results look: data on stdout, everything else on stderr, no colour, no width beyond the terminal's."""

import json
from collections.abc import Sequence
from typing import Any

import click

from gitkit.core.paths import show_path

__all__ = ["example", "human_size", "json_option", "plural", "print_json", "print_table", "say", "show_path"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""Every command that reads has it."""

example = "\b\nExample:\n  {}"
"""For ``epilog``: ``example.format("git kit push origin main")``."""


def say(text: str) -> None:
    """A line for the person (stderr)."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """``value`` on stdout, indented, in the order that its dicts have."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Columns on stdout; those whose number is in ``right`` are right-aligned. Nothing for no rows."""
    if not rows:
        return
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def human_size(size: int) -> str:
    """``size`` bytes for people: ``86.7 MiB``."""
    if size < 1024:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, 5)
    return f"{size / (1 << 10 * power):.1f} {'KMGTP'[power - 1]}iB"


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 file``, ``3 files``."""
    return f"{count} {one if count == 1 else many or one + 's'}"
