"""`git kit status`: where the large files stand."""

import os
from typing import Any

import click

from gitkit.cli.output import example, human_size, json_option, plural, print_json, print_text, show_path
from gitkit.cli.shared import warn_without_filter
from gitkit.context import Context
from gitkit.sync.status import Status, status


@click.command("status", epilog=example.format("git kit status"))
@json_option
@click.pass_obj
def command(context: Context, as_json: bool) -> None:
    """Show large files that are staged, changed, without content, or not pushed. Needs no network."""
    warn_without_filter(context)
    result = status(context.repository, context.store, remote=context.git_remote)
    if as_json:
        print_json(_as_json(result))
    else:
        print_text("\n".join(_as_text(result)))


def _as_text(result: Status) -> list[str]:
    size = sum(file.pointer.size for file in result.files)
    lines = [f"On {result.branch}: {plural(len(result.files), 'large file')}, {human_size(size)}"]
    conflicts = [show_path(path) for path in result.conflicts]
    lines += _section("Conflicts (git checkout --ours -- FILE, or --theirs, or edit it; then git add)", conflicts)
    lines += _section("Staged", [f"{letter}  {show_path(path)}" for letter, path in result.staged])
    lines += _section(
        "Changed, not staged (git add)", [f"{letter}  {show_path(path)}" for letter, path in result.changed]
    )
    lines += _section(
        "Without content (git kit pull)",
        [f"{show_path(file.path)}  {human_size(file.pointer.size)}" for file in result.missing],
    )
    if result.unpushed is None and result.files:
        lines += ["", "There is no Git remote to compare with: see git remote -v"]
    if result.unpushed:
        lines += _section(
            "Not pushed (git push)", [f"{show_path(need.path)}  {human_size(need.size)}" for need in result.unpushed]
        )
    return lines


def _section(title: str, entries: list[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {entry}" for entry in entries)] if entries else []


def _as_json(result: Status) -> dict[str, Any]:
    unpushed = result.unpushed
    return {
        "branch": result.branch,
        "files": len(result.files),
        "size": sum(file.pointer.size for file in result.files),
        "conflicts": [os.fsdecode(path) for path in result.conflicts],
        "staged": [{"path": os.fsdecode(path), "change": letter} for letter, path in result.staged],
        "changed": [{"path": os.fsdecode(path), "change": letter} for letter, path in result.changed],
        "missing": [
            {"path": os.fsdecode(file.path), "digest": file.pointer.digest, "size": file.pointer.size}
            for file in result.missing
        ],
        "unpushed": None
        if unpushed is None
        else [{"path": os.fsdecode(need.path), "digest": need.digest, "size": need.size} for need in unpushed],
    }
