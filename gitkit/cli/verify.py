"""`git kit verify`: is a kit what its commit says?"""

import click

from gitkit.cli.kit_shared import kit_json, remote_and_name
from gitkit.cli.output import example, json_option, print_json, say
from gitkit.context import Context
from gitkit.errors import Corrupt
from gitkit.modelkit.verify import verify


@click.command("verify", epilog=example.format("git kit verify v1.0.0"))
@click.argument("reference", metavar="TAG|REFERENCE")
@json_option
@click.pass_obj
def command(context: Context, reference: str, as_json: bool) -> int:
    """Rebuild a kit from the commit that it names and compare it byte for byte; print its digest.

    Says which fields or layers differ, and checks that the remote has every layer. Exit code 11 when something differs.
    """
    remote, name = remote_and_name(context, reference)
    result = verify(context.repository.git, remote, name)
    if as_json:
        print_json(
            {
                **kit_json(result.kit, f"{remote.url}@{result.digest}"),
                "digest": result.digest,
                "rebuilt": result.kit.digest,
                "verified": not result.differences,
                "differences": result.differences,
            }
        )
    elif result.differences:
        say(f"error: {reference} is not what commit {result.kit.commit[:12]} gives:")
        for difference in result.differences:
            say(f"  {difference}")
    else:
        say(f"{reference} is what commit {result.kit.commit[:12]} gives, byte for byte")
        click.echo(result.digest)
    return Corrupt.exit_code if result.differences else 0
