"""`git kit merge-driver`: what Git runs where both sides of a merge changed a large file."""

import click

from gitkit.cli.output import example, say, show_path, show_word
from gitkit.context import Context


@click.command("merge-driver", epilog=example.format("git kit merge-driver base.csv ours.csv theirs.csv 7 data.csv"))
@click.argument("base", type=click.Path())
@click.argument("ours", type=click.Path())
@click.argument("theirs", type=click.Path())
@click.argument("marker_size", type=click.IntRange(1))
@click.argument("path", type=click.Path())
@click.pass_obj
def command(context: Context, base: str, ours: str, theirs: str, marker_size: int, path: str) -> int:
    """Merge THEIRS into OURS, which are versions of PATH since BASE: content, or the pointers to it.

    Text is merged by lines. Where that is not possible OURS stays, and the exit code is 1. Git runs this for files with
    `merge=kit`.
    """
    from gitkit.drivers.merge import Files, merge

    result = merge(Files(base, ours, theirs), context.store, context.git, marker_size=marker_size)
    if result.outcome == "kept":
        name = show_word(path)
        say(f"git kit: {show_path(path)}: {result.why}; ours stays")
        if result.missing:
            say(f"hint: git kit fetch REVISION for both sides and their base, then: git checkout --merge -- {name}")
        else:
            say(f"hint: git checkout --ours -- {name} (or --theirs), then: git add -- {name}")
    return 0 if result.outcome == "clean" else 1
