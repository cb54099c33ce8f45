"""`git kit info`: a kit's Kitfile."""

import re
from typing import Any

import click

from gitkit.cli.kit_source import place_of
from gitkit.cli.output import example, json_option, print_json
from gitkit.context import Context
from gitkit.core.paths import show_lines
from gitkit.errors import NotFound, UsageError
from gitkit.modelkit.kitfile_text import plain_kitfile, yaml_text
from gitkit.modelkit.read import read_artifact

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


@click.command("info", epilog=example.format("git kit info v1.0.0 --filter model.parameters"))
@click.argument("reference", metavar="TAG|REFERENCE")
@click.option("-f", "--filter", "path", metavar="PATH", help="Only what is there, such as model.parts[0].name.")
@click.option("-r", "--remote", "ask_remote", is_flag=True, help="Look on the remote, also when the store has the kit.")
@json_option
@click.pass_obj
def command(context: Context, reference: str, path: str | None, ask_remote: bool, as_json: bool) -> None:
    """Show the Kitfile of a kit, or a part of it, as YAML.

    For kits without one it is what their layers and config tell. With --json it is as the kit carries it, with the
    digests of its layers.
    """
    place = place_of(context, reference, ask_remote=ask_remote)
    artifact = read_artifact(place.remote, place.name)
    value: Any = dict(artifact.kitfile) if as_json else plain_kitfile(artifact.kitfile)
    if path is not None:
        value = _at(value, path)
    if as_json:
        print_json(value)
    elif isinstance(value, str | int | float | None):
        click.echo("" if value is None else show_lines(yaml_text(value)).removesuffix("...\n"), nl=False)
    else:
        click.echo(show_lines(yaml_text(value)), nl=False)


def _at(value: Any, path: str) -> Any:
    """The value under a dotted path.

    Raises:
        UsageError: not such a path.
        NotFound: there is nothing.
    """
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise UsageError(f'"{path}" is not a path into a Kitfile', hint="for example: model.parts[0].name")
        key, at = (int(step[2]) if step[2] else step[1]), step.end()
        there = isinstance(value, dict) if isinstance(key, str) else isinstance(value, list) and key < len(value)
        if not there or (isinstance(key, str) and key not in value):
            raise NotFound(f"the Kitfile has no {path}")
        value = value[key]
    return value
