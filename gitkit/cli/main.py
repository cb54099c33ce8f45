"""The command line: finds the command, runs it, and turns every way to end into a message and an exit code."""

import errno
import importlib
import os
import sys
from typing import TYPE_CHECKING

import click

from gitkit import __version__
from gitkit.cli import table
from gitkit.cli.lazy_group import Group
from gitkit.errors import KitError

if TYPE_CHECKING:
    from gitkit.context import Context

_INTRO = "Git as a model registry: pointers in Git, blobs in any OCI registry."
_EXIT_CODES = (
    "0 done, 1 failed, 2 usage, 3 bug, 10 not found, 11 corrupt, 12 denied, 13 conflict, 14 network, 15 locked, "
    "16 invalid file, 17 unsupported, 18 gate refused, 19 partly done"
)


class Commands(Group):
    """Loads a command's module when it is run, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return table.names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = table.find(cmd_name)
        if row is None:
            return None
        command: click.Command = importlib.import_module(f"gitkit.cli.{row.module}").command
        return command

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"usage: git kit COMMAND [ARGUMENTS]\n\n{_INTRO}\n")
        for group, rows in table.GROUPS:
            formatter.write(f"\n{group}\n")
            formatter.write("".join(f"  {row.name:<15} {row.help}\n" for row in rows))
        formatter.write("\nHelp on one command: git kit COMMAND -h. The manual: git kit --help\n\n")
        formatter.write_text(f"Exit codes: {_EXIT_CODES}.")


@click.group(
    cls=Commands,
    name="git-kit",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(__version__, message="git-kit %(version)s")
@click.pass_context
def program(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        return
    import signal

    signal.signal(signal.SIGTERM, _terminated)
    ctx.obj = _context()


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code."""
    try:
        # Not program.main(): it turns a closed pipe into exit code 1.
        with program.make_context("git kit", argv) as ctx:
            result = program.invoke(ctx)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as done:
        sys.stdout.flush()
        return done.exit_code
    except KitError as error:
        return _say(error.message, error.hint, error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        asked = error.ctx
        hint = f"{asked.command_path} -h" if asked is not None and asked.command is not program else None
        return _say(error.format_message(), hint, 2)
    except click.ClickException as error:
        return _say(error.format_message(), None, 1)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # Whoever read our output went away. Nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _say(f"cannot write: {error.strerror}", "free some space and run the command again", 1)
        return _bug(error)


def _context() -> "Context":
    from gitkit.context import Context

    try:
        return Context(os.environ, os.getcwd())
    except FileNotFoundError as error:
        raise KitError("the current folder no longer exists", hint="cd to another one") from error


def _terminated(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _say(message: str, hint: str | None, code: int) -> int:
    from gitkit.core.paths import show_message

    click.echo(f"error: {show_message(message)}", err=True)
    if hint:
        click.echo(f"\nhint: {show_message(hint)}", err=True)
    return code


def _bug(error: Exception) -> int:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="git-kit-bug-", suffix=".log", delete=False) as log:
        log.write(f"git-kit {__version__}\n")
        traceback.print_exception(error, file=log)
    return _say(f"this is a bug in git kit: {type(error).__name__}: {error}", f"please report it with {log.name}", 3)
