"""`git kit add`: files into the index."""

import click

from gitkit.cli.output import example
from gitkit.context import Context
from gitkit.errors import KitError


@click.command(
    "add",
    epilog=example.format("git kit add models/weights.safetensors"),
    context_settings={"ignore_unknown_options": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[OPTION]... PATH...")
@click.pass_obj
def command(context: Context, arguments: tuple[str, ...]) -> None:
    """Add files to the index, tracked ones as pointers. Takes what `git add` takes."""
    status = context.git.show("add", *arguments)
    if status != 0:
        raise KitError("git add failed", hint="its message is above")
