"""`git kit metrics`: the numbers of an evaluation, and what became of them between two versions."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from gitkit.cli.lazy_group import Group
from gitkit.cli.output import example, json_option, print_json, print_table, print_text, say, show_path, show_text
from gitkit.context import Context
from gitkit.core.metrics import as_number
from gitkit.errors import NotFound
from gitkit.lifecycle import environments, metrics
from gitkit.lifecycle.metrics import Comparison, Row

if TYPE_CHECKING:
    from gitkit.core.policy import EvalGate

_SHORT = 10
"""A number of more characters is rounded for the table."""

file_option = click.option(
    "--file", "paths", metavar="PATH", multiple=True, help="A metrics file; default: those of the eval gates."
)


@click.group("metrics", cls=Group, epilog=example.format("git kit metrics diff prod v1.2.0"))
def command() -> None:
    """Show and compare the metrics that versions carry: JSON, YAML, TOML or CSV.

    The files are those that the eval gates of .gitkit.toml name, else metrics.json and eval/metrics.json.
    """


@command.command("show", epilog=example.format("git kit metrics show v1.2.0"))
@click.argument("rev", default="HEAD", metavar="[REV]")
@file_option
@json_option
@click.pass_obj
def show(context: Context, rev: str, paths: tuple[str, ...], as_json: bool) -> None:
    """Show the metrics of a version, commit or environment; of HEAD, if none is named."""
    commit = _commit(context, rev)
    wanted = _paths(_gates(context), paths)
    found = _read(context, commit, wanted)
    metrics.require_some(found, wanted, rev)
    if as_json:
        print_json(
            {
                "name": rev,
                "commit": commit,
                "files": {
                    path: {name: as_number(value) for name, value in file.values.items()}
                    for path, file in found.items()
                },
            }
        )
        return
    rows = [
        [path, show_path(name), _cell(value)] for path, file in found.items() for name, value in file.values.items()
    ]
    _print(["FILE", "METRIC", "VALUE"], rows, len(found) > 1)


@command.command("diff", epilog=example.format("git kit metrics diff prod v1.2.0 --md"))
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@file_option
@click.option("--md", "--markdown", "as_markdown", is_flag=True, help="Print Markdown, for a pull request.")
@json_option
@click.pass_obj
def diff(context: Context, before: str, after: str, paths: tuple[str, ...], as_markdown: bool, as_json: bool) -> int:
    """Compare the metrics of A and B: versions, commits or environments.

    Exit code 1 where B breaks a rule of an eval gate, with A as what runs now, or cannot be held against it.
    """
    gates = _gates(context)
    wanted = _paths(gates, paths)
    old, new = (_read(context, _commit(context, name), wanted) for name in (before, after))
    metrics.require_some([*old, *new], wanted, f"{before} and {after}")
    of_files = {name: gate for name, gate in gates.items() if gate.metrics in wanted}
    result = metrics.compare(old, new, of_files)
    if as_json:
        print_json(_as_data(result, before, after))
    elif as_markdown:
        print_text("\n".join(_markdown(result, before, after)))
    else:
        rows = [[row.file, show_path(row.metric), *_cells(row)] for row in result.rows]
        _print(["FILE", "METRIC", before, after, "CHANGE", "VERDICT"], rows, len({row.file for row in result.rows}) > 1)
        for gate, check in _unmet(result):
            say(f"{gate}: {show_text(check)}")
    return 1 if result.unmet else 0


# -- what is asked for ---------------------------------------------------------------------------------------------


def _gates(context: Context) -> "dict[str, EvalGate]":
    gates = context.lifecycle_config.gates
    return {name: gate for name, gate in gates.items() if gate.kind == "eval"}


def _paths(gates: "Mapping[str, EvalGate]", given: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(given or [gate.metrics for gate in gates.values()] or metrics.USUAL))


def _read(context: Context, commit: str, paths: Sequence[str]) -> dict[str, metrics.MetricsFile]:
    from gitkit.cli.kit_shared import content_of

    return metrics.read_all(context.repository.git, content_of(context), commit, paths)


def _commit(context: Context, name: str) -> str:
    """The commit that an environment runs, or that a tag, branch or oid names."""
    from gitkit.git.objects import resolve

    settings = context.lifecycle_config.environments.get(name)
    if settings is None:
        try:
            return resolve(context.repository.git, name)
        except NotFound as error:
            hint = "list them: git kit env; git branch -a; git tag"
            raise NotFound(f'"{name}" is not an environment, commit, branch or tag here', hint=hint) from error
    from gitkit.cli.env import lifecycle_place

    place = lifecycle_place(context)
    current = environments.read(place, name, settings, environments.known_tip(place, settings.branch)).current
    if current is None:
        raise NotFound(f"nothing runs in {name}", hint=f"git kit promote VERSION {name}")
    return current.commit


# -- text ----------------------------------------------------------------------------------------------------------


def _print(header: Sequence[str], rows: Sequence[Sequence[str]], with_files: bool) -> None:
    start = 0 if with_files else 1
    columns = range(2 - start, min(5, len(header)) - start)
    print_table(header[start:], [row[start:] for row in rows], right=columns)


def _cells(row: Row) -> list[str]:
    verdict = {None: "", True: "better", False: "worse"}[row.better]
    sign = "+" if row.change is not None and row.change > 0 else ""
    return [_cell(row.before), _cell(row.after), sign + _cell(row.change), verdict]


def _cell(value: Decimal | None) -> str:
    if value is None:
        return "-"
    plain = f"{value:f}"
    return plain if len(plain) <= _SHORT else f"{value:.6g}"


def _unmet(result: Comparison) -> Iterator[tuple[str, str]]:
    for gate, checks in result.checks.items():
        for check in checks:
            if check.outcome != "passed":
                yield gate, check.reason


def _markdown(result: Comparison, before: str, after: str) -> Iterator[str]:
    """Names come from files, so each goes into a code span that it cannot leave."""
    with_files = len({row.file for row in result.rows}) > 1
    first = "| File " if with_files else ""
    yield f"{first}| Metric | {_code(before)} | {_code(after)} | Change | Verdict |"
    yield f"{'|---' if with_files else ''}|---|--:|--:|--:|---|"
    for row in result.rows:
        file = f"| {_code(row.file)} " if with_files else ""
        old, new, change, verdict = _cells(row)
        yield f"{file}| {_code(row.metric)} | {old} | {new} | {change} | {_bold(verdict)} |"
    unmet = list(_unmet(result))
    if unmet:
        yield ""
    for gate, reason in unmet:
        yield f"- **{gate}**: {_code(reason)}"


def _bold(verdict: str) -> str:
    return "**worse**" if verdict == "worse" else verdict


def _code(text: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in text)
    return "`" + plain.replace("`", "'").replace("|", "\\|") + "`"


# -- data ----------------------------------------------------------------------------------------------------------


def _as_data(result: Comparison, before: str, after: str) -> dict[str, Any]:
    return {
        "before": before,
        "after": after,
        "metrics": [
            {
                "file": row.file,
                "metric": row.metric,
                "before": as_number(row.before),
                "after": as_number(row.after),
                "change": as_number(row.change),
                "better": row.better,
            }
            for row in result.rows
        ],
        "rules": [
            {"gate": gate, "metric": check.metric, "outcome": check.outcome, "reason": check.reason}
            for gate, checks in result.checks.items()
            for check in checks
        ],
        "met": not result.unmet,
    }
