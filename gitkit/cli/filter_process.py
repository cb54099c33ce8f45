"""`git kit filter-process`, where it is asked for help; Git's own calls never come here (see ``gitkit.__main__``)."""

import click

from gitkit.errors import UsageError


@click.command("filter-process", epilog="\b\nExample:\n  git config filter.kit.process")
def command() -> None:
    """Speak Git's long-running filter protocol on standard input and output. Git starts this by itself."""
    raise UsageError("git kit filter-process is started by Git", hint="git kit install")
