"""`git kit lineage`: where a version comes from, and where it went."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from gitkit.cli.env import lifecycle_place
from gitkit.cli.env_words import date, moment
from gitkit.cli.output import example, human_size, json_option, print_json, print_text, show_path, show_text
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.lifecycle.lineage import Lineage, Made, Ran, lineage
from gitkit.lifecycle.situation import known

if TYPE_CHECKING:
    from gitkit.lifecycle.lineage_graph import Graph
    from gitkit.modelkit.held import HeldFile

_MICRO = 1_000_000


@click.command("lineage", epilog=example.format("git kit lineage data/train.csv --format mermaid"))
@click.argument("what", required=False)
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "mermaid"]), default="text", help="How to print it: text."
)
@json_option
@click.pass_obj
def command(context: Context, what: str | None, form: str, as_json: bool) -> None:
    """Show lineage: data and model files, the commit that holds them, its kit, and the environments that ran it.

    WHAT is an environment, a version, a digest (of a file or of a kit; eight hex digits or more), or a path. A digest
    or a path tells which versions hold it and where they ran. Without WHAT: all that runs now.

    Asks nobody: what this clone knows counts (git fetch brings news).
    """
    place = lifecycle_place(context)
    with shown() as emit:
        found = lineage(known(place, emit), what)
    if as_json or form == "json":
        print_json(_as_json(found, _graph(found)))
    elif form == "mermaid":
        from gitkit.lifecycle.lineage_graph import mermaid

        print_text("\n".join(mermaid(_graph(found))))
    else:
        print_text("\n".join(_text(found)))


def _graph(found: Lineage) -> "Graph":
    from gitkit.lifecycle.lineage_graph import graph

    return graph(found)


def _as_json(found: Lineage, graph: "Graph") -> dict[str, Any]:
    return {
        "what": found.what,
        "kind": found.kind,
        "nodes": [{"id": node.id, "kind": node.kind, "label": node.label, **node.data} for node in graph.nodes],
        "edges": [
            {"source": edge.source, "target": edge.target, "kind": edge.kind, **edge.data} for edge in graph.edges
        ],
    }


# -- text --------------------------------------------------------------------------------------------------------------


def _text(found: Lineage) -> Iterator[str]:
    """A tree: from environments back to the data, from a version both ways, from a file forward to where it ran."""
    if found.kind in ("everywhere", "environment"):
        yield from _from_environments(found)
    elif found.kind in ("file", "path"):
        yield from _from_files(found.versions)
    else:
        for made in found.versions:
            yield _kit_line(made)
            yield from _origin_lines(made, 1)
            yield from _run_lines(made.runs, 1)


def _from_environments(found: Lineage) -> Iterator[str]:
    spans = [(ran, made) for made in found.versions for ran in made.runs if found.what in (None, ran.environment)]
    if not spans:
        yield "nothing runs anywhere" if found.what is None else f"nothing ran in {found.what}"
    for name in dict.fromkeys(ran.environment for ran, _ in spans):
        yield name
        ours = sorted((one for one in spans if one[0].environment == name), key=lambda one: -one[0].period.start)
        for ran, made in ours:
            yield f"  {_kit_line(made)}  {_span(ran)}"
            yield from _origin_lines(made, 2)


def _from_files(versions: Sequence[Made]) -> Iterator[str]:
    holders: dict[tuple[str, str], list[Made]] = {}
    files: dict[tuple[str, str], HeldFile] = {}
    for made in versions:
        for file in made.files:
            holders.setdefault((file.path, file.digest), []).append(made)
            files.setdefault((file.path, file.digest), file)
    for key, many in holders.items():
        yield _file_line(files[key])
        for made in many:
            yield f"  {_kit_line(made)}  commit {made.origin.oid[:12]}"
            yield from _run_lines(made.runs, 2)


def _kit_line(made: Made) -> str:
    return f"{show_text(made.version)}  {short(made.digest) if made.digest is not None else '-'}"


def _origin_lines(made: Made, depth: int) -> Iterator[str]:
    origin = made.origin
    subject = show_path(origin.subject)
    yield f"{'  ' * depth}commit {origin.oid[:12]}  {date(origin.time)}  {show_path(origin.author)}: {subject}"
    for file in made.files:
        yield "  " * (depth + 1) + _file_line(file)
    for one in made.elsewhere:
        said = f"  {one.hash}" if one.hash else ""
        yield f"{'  ' * (depth + 1)}{one.kind}  {show_path(one.place)}{said}"


def _file_line(file: "HeldFile") -> str:
    kind = {"datasets": "dataset", "parts": "model", None: "file"}.get(file.section, file.section)
    return f"{kind}  {show_path(file.path)}  {short(file.digest)}  {human_size(file.size)}"


def _run_lines(runs: Sequence[Ran], depth: int) -> Iterator[str]:
    if not runs:
        yield f"{'  ' * depth}ran nowhere"
    yield from (f"{'  ' * depth}{ran.environment}  {_span(ran)}" for ran in runs)


def _span(ran: Ran) -> str:
    period = ran.period
    end = moment(period.end // _MICRO) if period.end is not None else "now"
    return f"{moment(period.start // _MICRO)} to {end}"
