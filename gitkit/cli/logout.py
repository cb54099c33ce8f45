"""`git kit logout`: a registry's credentials are forgotten."""

import click

from gitkit.cli.login import parse_host
from gitkit.cli.output import example, say
from gitkit.context import Context


@click.command("logout", epilog=example.format("git kit logout registry.example.com"))
@click.argument("host")
@click.pass_obj
def command(context: Context, host: str) -> None:
    """Forget the credentials for the registry HOST[:PORT], for git kit and for docker."""
    from gitkit.registry.credentials import DockerCredentials

    name, _ = parse_host(host)
    erased = DockerCredentials(context.environ).erase(name)
    say(f"logged out of {name}" if erased else f"there were no credentials for {name}")
