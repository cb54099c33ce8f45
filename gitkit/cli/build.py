"""`git kit build`: a version's kit, from its tag."""

import click

from gitkit.cli.kit_shared import build_kit, kit_json, rev_option
from gitkit.cli.output import example, human_size, json_option, plural, print_json, say
from gitkit.context import Context
from gitkit.modelkit.build import save


@click.command("build", epilog=example.format("git kit build v1.0.0"))
@click.argument("tag", required=False)
@rev_option
@json_option
@click.pass_obj
def command(context: Context, tag: str | None, rev: str | None, as_json: bool) -> None:
    """Build the kit of the release TAG into the store, and print its digest.

    Reads pointers, not content: it works in a clone that holds none. The same commit and tag give the same digest on
    every machine.
    """
    kit = build_kit(context, tag, rev)
    save(context.repository.git, context.store, kit)
    if as_json:
        print_json(kit_json(kit, None))
    else:
        say(f"{kit.version}: {plural(len(kit.layers), 'file')}, {human_size(kit.size)}")
        click.echo(kit.digest)
