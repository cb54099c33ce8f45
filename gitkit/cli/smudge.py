"""`git kit smudge`: pointer on stdin, content on stdout."""

import click

from gitkit.cli.output import example
from gitkit.context import Context


@click.command(
    "smudge", epilog=example.format("git show v1.0.0:model.safetensors | git kit smudge > model.safetensors")
)
@click.argument("path", required=False)
@click.pass_obj
def command(context: Context, path: str | None) -> None:
    """Print the content that the pointer on standard input names. Anything but a pointer passes unchanged.

    Content that cannot be had leaves the pointer, unless `git config kit.strict` is true.
    """
    import sys

    from gitkit.filter.smudge import smudge_once

    with open(0, "rb", closefd=False) as source:
        smudge_once(source, sys.stdout.buffer, context.surroundings())
