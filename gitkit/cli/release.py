"""`git kit release`: a version's kit, built and pushed."""

import click

from gitkit.cli.kit_shared import build_kit, kit_json
from gitkit.cli.output import example, human_size, json_option, plural, print_json, say
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.modelkit.release import Released, release


@click.command("release", epilog=example.format('git kit release "$TAG"'))
@click.argument("tag")
@json_option
@click.pass_obj
def command(context: Context, tag: str, as_json: bool) -> None:
    """Build the kit of the release TAG, push it under that name, and print its digest.

    Needs no content in this clone when the remote has it, so CI can release from pointers. Doing it again changes
    nothing; a name that holds another kit is refused (exit code 13). Appends digest= and reference= to $GITHUB_OUTPUT
    where that is set.
    """
    kit = build_kit(context, tag, None)
    with shown() as emit:
        result = release(
            context.repository.git,
            context.store,
            context.remote(write=True),
            kit,
            transfers=context.settings.transfers,
            emit=emit,
        )
    _github_output(context, result)
    if as_json:
        print_json({**kit_json(kit, result.reference), "new": result.new})
    else:
        state = "released to" if result.new else "was released before to"
        say(f"{kit.version} {state} {result.url}: {plural(len(kit.layers), 'file')}, {human_size(kit.size)}")
        click.echo(kit.digest)


def _github_output(context: Context, result: Released) -> None:
    path = context.environ.get("GITHUB_OUTPUT")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"digest={result.kit.digest}\nreference={result.reference}\n")
