"""`git kit env diff`: two environments or versions, side by side."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import click

from gitkit.cli.diff import as_data, lines
from gitkit.cli.diff_markdown import markdown
from gitkit.cli.env import lifecycle_place, of_group
from gitkit.cli.output import example, json_option, print_json, print_text, show_path, show_text
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.core.metrics import as_number
from gitkit.errors import NotFound
from gitkit.lifecycle.candidates import verdicts_json
from gitkit.lifecycle.compare import Compared, Version, compare
from gitkit.lifecycle.metrics import Row
from gitkit.lifecycle.situation import known

_BETTER = {None: "", True: "better", False: "worse"}


@click.command("diff", epilog=example.format("git kit env diff staging prod"))
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--md", "--markdown", "as_markdown", is_flag=True, help="Print Markdown, for a pull request.")
@json_option
@click.pass_context
def command(ctx: click.Context, before: str, after: str, as_markdown: bool, as_json: bool) -> None:
    """Compare what two environments run, or two versions: files and bytes to move, Kitfile, licences, data, metrics.

    Where B is an environment, also which of its rules the version of A would meet. Gates are not evaluated: for that
    there is `git kit promote VERSION B --dry-run`. What this clone knows counts (git fetch brings news).
    """
    context: Context = ctx.obj
    place = lifecycle_place(context)
    with shown() as emit:
        try:
            remote = context.remote(config=place.config)
        except NotFound:
            remote = None
        found = compare(known(place, emit), before, after, remote, time.time_ns() // 1000, emit=emit)
    if as_json or of_group(ctx, "as_json"):
        print_json(_as_json(found))
    else:
        print_text("\n".join(_markdown(found) if as_markdown else _text(found)))


# -- text --------------------------------------------------------------------------------------------------------------


def _text(found: Compared) -> Iterator[str]:
    for label, side in (("A", found.before), ("B", found.after)):
        yield f"{label}  {side}  {short(side.digest)}  commit {side.commit[:12]}"
    yield ""
    yield from lines(found.kits._replace(metrics=[]))
    if found.datasets:
        yield "\nData"
        for change in found.datasets:
            digests = " -> ".join(
                short(one.digest) if one is not None else "-" for one in (change.before, change.after)
            )
            yield f"  {show_path(change.path)}: {digests}"
    if found.rows:
        yield "\nMetrics"
        yield from (f"  {show_path(row.metric):<24} {_change(row)}" for row in found.rows)
    if found.asks or found.gates:
        yield f"\n{found.after.environment} asks of {found.before.version}"
        yield from (f"  {verdict.gate}: {verdict.outcome}: {show_text(verdict.reason)}" for verdict in found.asks)
        yield from (f"  {gate}: a gate, evaluated by a promotion" for gate in found.gates)


def _change(row: Row) -> str:
    return f"{_number(row.before)} -> {_number(row.after)}  {_BETTER[row.better]}".rstrip()


def _number(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _markdown(found: Compared) -> Iterator[str]:
    yield from ("| | version | digest | commit |", "|---|---|---|---|")
    for label, side in (("A", found.before), ("B", found.after)):
        yield f"| {label} | {_code(str(side))} | {_code(short(side.digest))} | {_code(side.commit[:12])} |"
    yield ""
    yield from markdown(found.kits._replace(metrics=[]))
    if found.datasets:
        yield from ("", "| data | A | B |", "|---|---|---|")
        for change in found.datasets:
            old, new = (_code(short(one.digest)) if one is not None else "" for one in (change.before, change.after))
            yield f"| {_code(change.path)} | {old} | {new} |"
    if found.rows:
        yield from ("", "| metric | A | B | |", "|---|--:|--:|---|")
        for row in found.rows:
            yield f"| {_code(row.metric)} | {_number(row.before)} | {_number(row.after)} | {_BETTER[row.better]} |"
    if found.asks or found.gates:
        yield from ("", f"{_code(str(found.after.environment))} asks of {_code(found.before.version)}:", "")
        yield from (f"- {_code(one.gate)}: **{one.outcome}**: {_code(one.reason)}" for one in found.asks)
        yield from (f"- {_code(gate)}: a gate, evaluated by a promotion" for gate in found.gates)


def _code(text: str) -> str:
    """A code span that nothing leaves: names come from files."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return "`" + plain.replace("`", "'").replace("|", "\\|") + "`"


# -- data --------------------------------------------------------------------------------------------------------------


def _as_json(found: Compared) -> dict[str, Any]:
    data = as_data(found.kits)
    return {
        **data,
        "before": _side(found.before),
        "after": _side(found.after),
        "datasets": [change for change in data["files"] if change["section"] == "datasets"],
        "licences": [field._asdict() for field in found.licences],
        "metrics": [
            {
                "file": row.file,
                "metric": row.metric,
                "before": as_number(row.before),
                "after": as_number(row.after),
                "change": as_number(row.change),
                "better": row.better,
            }
            for row in found.rows
        ],
        "rules": verdicts_json(found.asks),
        "gates": list(found.gates),
    }


def _side(side: Version) -> dict[str, Any]:
    return {"environment": side.environment, "version": side.version, "digest": side.digest, "commit": side.commit}
