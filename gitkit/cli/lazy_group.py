"""Groups of commands, which name the nearest where one is unknown; and those that load each when it is run."""

import importlib
from collections.abc import Sequence
from typing import ClassVar

import click

from gitkit.cli.table import Row
from gitkit.errors import UsageError


class Group(click.Group):
    """``otherwise`` is the hint where no command has a name like the unknown one; None: the help."""

    otherwise: ClassVar[str | None] = None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that ``args`` begin with.

        Raises:
            UsageError: there is none.
        """
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            from gitkit.core.problems import nearest

            guess = nearest(name, known)
            otherwise = self.otherwise or f"list the commands: {ctx.command_path} -h"
            hint = f"did you mean: {ctx.command_path} {guess}" if guess else otherwise
            raise UsageError(f'"{name}" is not a {ctx.command_path} command', hint=hint)
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
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
