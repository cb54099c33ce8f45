"""`git kit clean`: content on stdin, pointer on stdout."""

import click

from gitkit.cli.output import example
from gitkit.context import Context


@click.command("clean", epilog=example.format("git kit clean < model.safetensors"))
@click.argument("path", required=False)
@click.pass_obj
def command(context: Context, path: str | None) -> None:
    """Store the content on standard input and print its pointer. PATH is what Git calls the file; it is not read."""
    import sys

    from gitkit.filter.clean import clean

    with open(0, "rb", closefd=False) as source:
        sys.stdout.buffer.write(clean(source, context.store))
