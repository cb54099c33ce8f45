"""`git kit kits`: the versions, and which of them are built or released."""

from datetime import UTC, datetime
from typing import NamedTuple

import click

from gitkit.cli.output import example, json_option, print_json, print_table
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.git.tags import release_tags


class _Line(NamedTuple):
    version: str
    commit: str | None
    time: int | None
    built: str | None
    released: str | None


@click.command("kits", epilog=example.format("git kit kits --remote"))
@click.option("-r", "--remote", "ask_remote", is_flag=True, help="Ask the remote which versions are released.")
@json_option
@click.pass_obj
def command(context: Context, ask_remote: bool, as_json: bool) -> None:
    """List versions: the Git tags that name releases, oldest first, with the digests of their kits.

    Without --remote only what this clone built or released is known.
    """
    lines = _lines(context, ask_remote)
    if as_json:
        print_json([{**line._asdict(), "created": _date(line.time)} for line in lines])
        return
    header = ["VERSION", "COMMIT", "DATE", "BUILT", *(["RELEASED"] if ask_remote else [])]
    print_table(
        header,
        [
            [
                line.version,
                (line.commit or "-")[:12],
                (_date(line.time) or "-")[:10],
                _short(line.built),
                *([_short(line.released)] if ask_remote else []),
            ]
            for line in lines
        ],
    )


def _lines(context: Context, ask_remote: bool) -> list[_Line]:
    pattern = context.config.kit.tags
    tags = release_tags(context.repository.git, pattern)
    remote = context.remote() if ask_remote else None
    lines = [
        _Line(
            tag.name,
            tag.commit,
            tag.time,
            context.store.resolve(tag.name),
            remote.resolve(tag.name) if remote else None,
        )
        for tag in tags
    ]
    if remote is not None:
        import fnmatch

        known = {tag.name for tag in tags}
        names = [name for name in remote.tags() if fnmatch.fnmatchcase(name, pattern) and name not in known]
        lines += [_Line(name, None, None, context.store.resolve(name), remote.resolve(name)) for name in names]
    return lines


def _short(digest: str | None) -> str:
    return short(digest) if digest else "-"


def _date(time: int | None) -> str | None:
    return None if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
