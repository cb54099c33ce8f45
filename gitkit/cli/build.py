"""`git kit build`: a version's kit, from its tag."""

import click

from gitkit.cli.kit_shared import (
    build_kits,
    compression_option,
    content_of,
    format_choice,
    kit_json,
    kit_line,
    layer_format_option,
    options_of,
    rev_option,
)
from gitkit.cli.output import example, json_option, print_json, print_text, say
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.modelkit.build import save, tag_of


@click.command("build", epilog=example.format("git kit build v1.0.0"))
@click.argument("tag", required=False)
@rev_option
@click.option("--format", "format_", type=format_choice, help="The kit's format; else the first of .gitkit.toml.")
@layer_format_option
@compression_option
@json_option
@click.pass_obj
def command(
    context: Context,
    *,
    tag: str | None,
    rev: str | None,
    format_: str | None,
    layer_format: str | None,
    compression: str | None,
    as_json: bool,
) -> None:
    """Build the kit of the release TAG into the store, and print its digest.

    Reads pointers, not content: it works in a clone that holds none. Only tar layers (of the formats modelkit and
    image) are made of content, which is read once, from the remote where it is not here; docker reads the headers of
    weights. The same commit, tag and options give the same digest on every machine.
    """
    first = context.config.kit.formats[0]
    options = options_of(context.config.kit, format_ or first, layer_format, compression)
    content = content_of(context)
    with shown() as emit:
        (kit,) = build_kits(context, tag, rev, [options], content=content, emit=emit)
    save(context.repository.git, context.store, kit, tag=tag_of(kit, first))
    if as_json:
        print_json(kit_json(kit, None))
    else:
        say(f"{kit.version}: {kit_line(kit)}")
        print_text(kit.digest)
