"""`git kit migrate import`: pointers in place of large files, in the whole history."""

import os

import click

from gitkit.cli.install import report_filter, report_hooks
from gitkit.cli.migrate_shared import (
    above_option,
    as_document,
    choose,
    dry_run_option,
    everything_option,
    exclude_option,
    include_option,
    map_option,
    map_path,
    place_of,
    report,
)
from gitkit.cli.output import example, human_size, json_option, plural, print_json, print_text, say, show_path
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.errors import NotFound, UsageError
from gitkit.git import objects
from gitkit.migrate import scope
from gitkit.migrate.import_ import Committed, import_here, import_history
from gitkit.migrate.patterns import Selection
from gitkit.setup.install import ensure


@click.command("import", epilog=example.format("git kit migrate import --include '*.safetensors' --everything"))
@click.argument("names", nargs=-1, metavar="[REF|PATH]...")
@include_option
@exclude_option
@above_option
@everything_option
@click.option("--no-rewrite", is_flag=True, help="Make one new commit that converts PATHs of HEAD.")
@click.option("-m", "--message", metavar="TEXT", help="The message of that commit.")
@map_option
@dry_run_option
@json_option
@click.pass_obj
def command(
    context: Context,
    names: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    above: int | None,
    everything: bool,
    no_rewrite: bool,
    message: str | None,
    object_map: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Rewrite history so that Git holds pointers for the files that PATTERNs or SIZE name.

    \b
    (nothing)      commits of the current branch that no remote-tracking
                   branch has
    REF...         the whole history of these local branches and tags
    --everything   that of all local branches and tags

    Content goes to the store, and the lines for it to .gitattributes, in every commit: PATTERNs as they are, with
    --above each path. With both, only files that are both become pointers. Authors, dates, messages and file modes
    stay; signatures cannot. All local branches and tags whose commit is rewritten move at once, in the end; the old
    ones are kept below refs/kit/migrate. Where no file is to become a pointer, nothing is rewritten.

    With --no-rewrite no commit changes: PATHs (files or folders) become pointers in a new one.
    """
    if no_rewrite:
        _commit(context, names, _selection_here(context, names, include, exclude, above), message, dry_run, as_json)
        return
    if not include and above is None:
        raise UsageError("say which files: --include PATTERN, or --above SIZE", hint="git kit migrate info")
    if message is not None:
        raise UsageError("a rewritten commit keeps its message", hint="-m goes with --no-rewrite")
    selection = Selection(include=include, exclude=exclude, above=above)
    git = context.repository.git
    scope.check_local(git, names)
    commits = choose(git, names, selection, everything=everything)
    with shown() as emit:
        place = place_of(context, emit)
        done = import_history(place, commits, selection, dry_run=dry_run, map_path=map_path(context, object_map))
    if done.rewritten.kept is not None:
        _ensure(context)
    if as_json:
        print_json({**as_document(done.rewritten), "files": done.files, "size": done.size})
    else:
        report(context, done.rewritten, _what(done.files, done.size), dry_run=dry_run)


def _commit(
    context: Context,
    names: tuple[str, ...],
    selection: Selection,
    message: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    with shown() as emit:
        text = message or f"Keep {' '.join(names)} as pointers"
        done = import_here(place_of(context, emit), selection, message=text, dry_run=dry_run)
    if done.commit is not None:
        _ensure(context)
    if as_json:
        print_json({"commit": done.commit, "files": done.files, "size": done.size})
        return
    _tell(done, dry_run)


def _tell(done: Committed, dry_run: bool) -> None:
    if dry_run:
        say(f"would convert {_what(done.files, done.size)}")
    elif done.commit is None:
        say("nothing to do: these are pointers already")
    else:
        say(f"converted {_what(done.files, done.size)}")
        print_text(done.commit)


def _selection_here(
    context: Context, names: tuple[str, ...], include: tuple[str, ...], exclude: tuple[str, ...], above: int | None
) -> Selection:
    """The files of HEAD that PATHs name, from the folder that the person is in."""
    if not names:
        raise UsageError("say which files: --no-rewrite PATH...", hint="git kit ls-files; git ls-files")
    root = os.path.realpath(context.repository.root)
    here = os.path.realpath(context.cwd) if context.repository.worktree is not None else root
    known = [entry.path for entry in objects.list_tree(context.repository.git, "HEAD")]
    wanted = Selection(include=include, exclude=exclude)
    paths: set[bytes] = set()
    for name in names:
        path = os.fsencode(os.path.relpath(os.path.join(here, name), root))
        found = {one for one in known if path in (b".", one) or one.startswith(path + b"/")}
        if not found:
            raise NotFound(f"HEAD holds no file {show_path(name)}", hint="git commit it first")
        paths |= {one for one in found if wanted.takes(one)}
    return Selection(above=above, paths=frozenset(paths))


def _ensure(context: Context) -> None:
    """Have Git run the filter here: the rewritten history wants it."""
    if context.repository.worktree is None:
        return
    done = ensure(context.repository)
    if done.filter_changed:
        report_filter(True, "set in the local Git configuration")
    report_hooks(done, context.repository, quiet=True)


def _what(files: int, size: int) -> str:
    return f"{plural(files, 'file')}, {human_size(size)}"
