"""`git kit verify`: is a kit what its commit says?"""

import click

from gitkit.cli.kit_shared import content_of, kit_json, remote_and_name
from gitkit.cli.output import example, json_option, print_json, print_text, say
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.core.digest import is_digest
from gitkit.errors import Corrupt
from gitkit.modelkit.verify import verify


@click.command("verify", epilog=example.format("git kit verify v1.0.0"))
@click.argument("reference", metavar="TAG|REFERENCE")
@click.option("--expect-digest", metavar="sha256:HEX", help="The digest that the kit must have.")
@json_option
@click.pass_obj
def command(context: Context, reference: str, expect_digest: str | None, as_json: bool) -> int:
    """Rebuild a kit from the commit that it names and compare it byte for byte; print its digest.

    Says which fields or layers differ, and checks that the remote has every layer. Works for every format that git kit
    writes; tar layers are made again from the files' content. Exit code 11 when something differs.
    """
    if expect_digest is not None and not is_digest(expect_digest):
        raise click.UsageError("--expect-digest: write sha256: and 64 hex digits")
    remote, name = remote_and_name(context, reference)
    with shown() as emit:
        result = verify(content_of(context, remote), remote, name, expected=expect_digest, emit=emit)
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
        print_text(result.digest)
    return Corrupt.exit_code if result.differences else 0
