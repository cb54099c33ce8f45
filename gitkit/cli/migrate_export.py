"""`git kit migrate export`: content in Git again, in the whole history."""

import click

from gitkit.cli.migrate_shared import (
    INCLUDE_HELP,
    as_document,
    choose,
    dry_run_option,
    everything_option,
    exclude_option,
    map_option,
    map_path,
    place_of,
    report,
    split_list,
)
from gitkit.cli.output import example, human_size, json_option, plural, print_json, say
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.migrate import scope
from gitkit.migrate.export import export_history
from gitkit.migrate.patterns import Selection


@click.command("export", epilog=example.format("git kit migrate export --include '*.json' --everything"))
@click.argument("refs", nargs=-1, metavar="[REF]...")
@click.option(
    "-I", "--include", multiple=True, required=True, callback=split_list, metavar="PATTERN", help=INCLUDE_HELP
)
@exclude_option
@everything_option
@map_option
@dry_run_option
@json_option
@click.pass_obj
def command(
    context: Context,
    refs: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    everything: bool,
    object_map: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Rewrite history so that Git holds content where it holds pointers now: the reverse of `import`.

    REFs and --everything mean what they mean there. Pointers of Git LFS are taken as well. Content that is not in the
    store is downloaded first. The lines of .gitattributes for exactly these PATTERNs and files go; where others still
    take the files in, lines are added that say the opposite.
    """
    selection = Selection(include=include, exclude=exclude)
    git = context.repository.git
    scope.check_local(git, refs)
    commits = choose(git, refs, selection, everything=everything)
    with shown() as emit:
        done = export_history(
            place_of(context, emit),
            commits,
            selection,
            context.reading_remote,
            dry_run=dry_run,
            map_path=map_path(context, object_map),
        )
    if as_json:
        files = {"files": len(done.needs), "size": done.size, "absent": len(done.absent)}
        print_json({**as_document(done.rewritten), **files})
        return
    report(context, done.rewritten, f"{plural(len(done.needs), 'file')}, {human_size(done.size)}", dry_run=dry_run)
    if done.absent:
        missing = human_size(sum(need.size for need in done.absent))
        say(f"would download {plural(len(done.absent), 'file')}, {missing}")
