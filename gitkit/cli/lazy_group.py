"""A group of commands, each a module of its own that is loaded when it is run."""

import importlib
from collections.abc import Sequence
from typing import ClassVar

import click

from gitkit.cli.table import Row


class LazyGroup(click.Group):
    """Lists ``rows`` without importing them."""

    rows: ClassVar[Sequence[Row]] = ()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the rows."""
        return [row.name for row in self.rows]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, from its module; None where there is no such row."""
        row = next((row for row in self.rows if row.name == cmd_name), None)
        if row is None:
            return None
        command: click.Command = importlib.import_module(f"gitkit.cli.{row.module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names with their one line of help."""
        with formatter.section("Commands"):
            formatter.write_dl([(row.name, row.help) for row in self.rows])
