"""`git kit release`: a version's kits, built and pushed."""

from typing import Any

import click

from gitkit.cli.ci_moves import publish_release
from gitkit.cli.ci_outputs import dotenv_option
from gitkit.cli.kit_shared import (
    build_kits,
    compression_option,
    content_of,
    format_choice,
    kit_json,
    kit_line,
    layer_format_option,
    options_of,
)
from gitkit.cli.output import example, json_option, print_json, print_text, say
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.modelkit.release import Released, release


@click.command("release", epilog=example.format('git kit release "$TAG"'))
@click.argument("tag")
@click.option(
    "--format", "formats", type=format_choice, multiple=True, help="A format, instead of those of .gitkit.toml; repeat."
)
@layer_format_option
@compression_option
@dotenv_option
@json_option
@click.pass_obj
def command(
    context: Context,
    *,
    tag: str,
    formats: tuple[str, ...],
    layer_format: str | None,
    compression: str | None,
    dotenv: str | None,
    as_json: bool,
) -> None:
    """Build the kit of the release TAG, push it under that name, and print its digest.

    With several formats the first is pushed as TAG and the others as TAG-FORMAT. Needs no content in this clone when
    the remote has it, so CI can release from pointers. Doing it again changes nothing; a name that holds another kit is
    refused (exit code 13). Appends digest=, reference= and more to $GITHUB_OUTPUT where that is set.
    """
    wanted = list(dict.fromkeys(formats)) or context.config.kit.formats
    options = [options_of(context.config.kit, name, layer_format, compression) for name in wanted]
    content = content_of(context)
    entry = None
    with shown() as emit:
        kits = build_kits(context, tag, None, options, content=content, emit=emit)
        results = release(content, context.remote(write=True), kits, transfers=context.settings.transfers, emit=emit)
        if context.lifecycle_config.environments:
            from gitkit.cli.env import lifecycle_place
            from gitkit.lifecycle.releases import record_release

            entry = record_release(lifecycle_place(context), results[0].kit, results[0].url, emit=emit)
    publish_release(context.environ, results, entry, dotenv=dotenv)
    if as_json:
        print_json({**_as_json(results[0]), "formats": [_as_json(result) for result in results]})
        return
    for result in results:
        state = "released to" if result.new else "was released before to"
        say(f"{result.tag} {state} {result.url}: {kit_line(result.kit)}")
    print_text(results[0].kit.digest)


def _as_json(result: Released) -> dict[str, Any]:
    return {**kit_json(result.kit, result.reference), "new": result.new, "tag": result.tag}
