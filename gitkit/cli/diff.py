"""`git kit diff`: what changed between two kits."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gitkit.cli.diff_markdown import markdown
from gitkit.cli.diff_words import brief, facts_rows, number, shapes, sizes
from gitkit.cli.output import example, human_size, json_option, plural, print_json, print_text, show_path
from gitkit.context import Context
from gitkit.errors import NotFound
from gitkit.modelkit.diff import Diff, diff

if TYPE_CHECKING:
    from gitkit.modelkit.sides import Side

_SHOWN = 10
_SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}


@click.command("diff", epilog=example.format("git kit diff v1.0.0 v2.0.0"))
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for a pull request.")
@click.option("--tensors", "all_tensors", is_flag=True, help="List every tensor that differs.")
@json_option
@click.pass_obj
def command(context: Context, before: str, after: str, as_markdown: bool, all_tensors: bool, as_json: bool) -> None:
    """Compare two kits: files and bytes to move, Kitfile, tensors, metrics. Reads headers, never tensor data.

    A and B are environments, tags, commits or references of kits, in this order of preference.
    """
    result = diff(_side(context, before), _side(context, after), lower_is_better=_lower_is_better(context))
    if as_json:
        print_json(as_data(result))
    elif as_markdown:
        print_text("\n".join(markdown(result)))
    else:
        print_text("\n".join(lines(result, None if all_tensors else _SHOWN)))


def _side(context: Context, name: str) -> "Side":
    from gitkit.modelkit.sides import of_artifact

    commit = _commit(context, name)
    if commit is not None:
        return _of_commit(context, name, commit)
    from gitkit.cli.kit_shared import remote_and_name
    from gitkit.modelkit.read import read_artifact

    remote, tag = remote_and_name(context, name)
    return of_artifact(name, read_artifact(remote, tag), context.store, remote)


def _commit(context: Context, name: str) -> str | None:
    """The commit that an environment runs, or that a tag, branch or oid names."""
    from gitkit.cli.env import lifecycle_place
    from gitkit.lifecycle import environments

    git = context.repository.git
    if name in context.config.environments:
        place = lifecycle_place(context)
        settings = context.config.environments[name]
        state = environments.read(place, name, settings, environments.known_tip(place, settings.branch))
        if state.current is None:
            raise NotFound(f"nothing runs in {name}", hint=f"git kit promote VERSION {name}")
        return state.current.commit
    if "/" in name and ":" in name:
        return None
    return git.ask("rev-parse", "-q", "--verify", "--end-of-options", f"{name}^{{commit}}")


def _of_commit(context: Context, name: str, commit: str) -> "Side":
    from gitkit.modelkit.files import read_source
    from gitkit.modelkit.formats.modelpack import resolved_kitfile
    from gitkit.modelkit.sides import of_commit

    source = read_source(context.repository.git, commit)
    try:
        remote = context.remote()
    except NotFound:
        remote = None
    return of_commit(name, source, resolved_kitfile(source), context.repository.git, context.store, remote)


def _lower_is_better(context: Context) -> set[str]:
    """Metrics that are better when they are lower: a gate says so, or bounds them from above only."""
    return {
        name
        for gate in context.config.gates.values()
        if gate.kind == "eval"
        for name, limits in gate.rules.items()
        if limits.lower_is_better
    }


# -- text ----------------------------------------------------------------------------------------------------------


def lines(result: Diff, limit: int | None = _SHOWN) -> Iterator[str]:
    """The diff for people; at most ``limit`` tensors of each file."""
    yield f"{result.before.title} -> {result.after.title}"
    moved, shared = human_size(result.bytes_to_move), human_size(result.bytes_shared)
    yield f"{plural(len(result.files), 'file')} changed, {result.same_files} the same; {moved} to move, {shared} shared"
    if result.files:
        yield ""
        for change in result.files:
            yield f"  {_SIGNS[change.change]} {show_path(change.path)}  {sizes(change.before, change.after)}"
    for weights in result.weights:
        yield f"\n{show_path(weights.path)}"
        for label, old, new in facts_rows(weights.before, weights.after):
            yield f"  {label:<12} {old}" + (f" -> {new}" if old != new else "")
        yield f"  {'tensors':<12} {len(weights.tensors)} differ, {weights.same} the same"
        for tensor in weights.tensors[:limit]:
            yield f"    {tensor.change:<9} {show_path(tensor.name)}  {shapes(tensor)}"
        if limit is not None and len(weights.tensors) > limit:
            yield f"    and {len(weights.tensors) - limit} more: --tensors"
    if result.metrics:
        yield "\nMetrics"
        for metric in result.metrics:
            verdict = "" if metric.better is None else "  better" if metric.better else "  worse"
            yield f"  {show_path(metric.name):<24} {number(metric.before)} -> {number(metric.after)}{verdict}"
    if result.fields:
        yield "\nKitfile"
        for field in result.fields:
            yield f"  {show_path(field.path)}: {brief(field.before)} -> {brief(field.after)}"


# -- data ----------------------------------------------------------------------------------------------------------


def as_data(result: Diff) -> dict[str, Any]:
    """The whole diff as JSON values."""
    return {
        "before": {"name": result.before.title, "commit": result.before.commit},
        "after": {"name": result.after.title, "commit": result.after.commit},
        "bytes_to_move": result.bytes_to_move,
        "bytes_shared": result.bytes_shared,
        "same_files": result.same_files,
        "files": [
            {
                "path": change.path,
                "change": change.change,
                "section": change.section,
                "before": change.before and {"digest": change.before.digest, "size": change.before.size},
                "after": change.after and {"digest": change.after.digest, "size": change.after.size},
            }
            for change in result.files
        ],
        "kitfile": [field._asdict() for field in result.fields],
        "weights": [
            {
                "path": weights.path,
                "facts": {label: [old, new] for label, old, new in facts_rows(weights.before, weights.after)},
                "same_tensors": weights.same,
                "tensors": [
                    {
                        "name": tensor.name,
                        "change": tensor.change,
                        "before": tensor.before and {"dtype": tensor.before.dtype, "shape": tensor.before.shape},
                        "after": tensor.after and {"dtype": tensor.after.dtype, "shape": tensor.after.shape},
                    }
                    for tensor in weights.tensors
                ],
            }
            for weights in result.weights
        ],
        "metrics": [metric._asdict() for metric in result.metrics],
    }
