"""`git kit migrate dvc`: files that DVC tracks, as pointers in Git."""

import os
from collections.abc import Sequence

import click

from gitkit.cli.install import report_filter, report_hooks
from gitkit.cli.output import example, human_size, json_option, plural, print_json, print_text, say, show_path
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.errors import PartlyDone
from gitkit.migrate.dvc import Migrated, migrate_dvc
from gitkit.migrate.dvc_cache import DvcCache
from gitkit.setup.install import ensure

_SHOWN = 5


@click.command("dvc", epilog=example.format("git kit migrate dvc && git commit -m 'Leave DVC'"))
@click.option("--cache", metavar="DIR", help="DVC's cache; .dvc/cache without this.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would change, change nothing.")
@json_option
@click.pass_obj
def command(context: Context, cache: str | None, dry_run: bool, as_json: bool) -> int:
    """Take over the files that *.dvc files name: stage them as pointers, with their content in the store.

    Files that are missing in the worktree come from DVC's cache, which stays as it is; all are checked by their MD5.
    The *.dvc files whose content is here go, with the lines that DVC wrote to .gitignore for them. Pipelines (dvc.yaml)
    and the folder .dvc stay. Nothing is committed. DVC itself is not needed.

    Exit code 19 when something is missing or cannot be taken over; its *.dvc stays, and doing it again continues.
    """
    repository = context.repository
    folder = os.path.join(context.cwd, cache) if cache is not None else os.path.join(repository.root, ".dvc", "cache")
    with shown() as emit:
        done = migrate_dvc(
            repository,
            context.store,
            DvcCache(folder),
            dry_run=dry_run,
            transfers=context.settings.transfers,
            emit=emit,
        )
    if not dry_run and done.taken:
        installed = ensure(repository)
        if installed.filter_changed:
            report_filter(True, "set in the local Git configuration")
        report_hooks(installed, repository, quiet=True)
    if as_json:
        print_json(_as_document(done))
        return PartlyDone.exit_code if done.missing or done.refused else 0
    _report(done, dry_run)
    if done.missing or done.refused:
        raise _incomplete(done, folder)
    return 0


def _report(done: Migrated, dry_run: bool) -> None:
    if not (done.taken or done.removed or done.missing or done.refused):
        say("nothing to do: no *.dvc file is left")
    for one, size in done.taken:
        print_text(f"{show_path(one.path)}  {human_size(size)}")
    if done.taken or done.removed:
        verb, gone = ("would stage", "would go") if dry_run else ("staged", "removed")
        say(f"{verb} {plural(len(done.taken), 'file')}; {plural(len(done.removed), '.dvc file')} {gone}")
    for path, origin in done.origins:
        say(f"warning: {show_path(path)} came from {origin}: nothing remembers that now")
    if done.outputs or done.pipelines:
        listed = ", ".join(show_path(path) for path in done.pipelines[:_SHOWN])
        say(f"pipelines stay with DVC ({plural(len(done.outputs), 'output')}): {listed or 'dvc.lock'}")
    if not dry_run and (done.taken or done.removed):
        say("\nNext: git commit")


def _incomplete(done: Migrated, cache: str) -> PartlyDone:
    lines = [f"  {show_path(path)}: in neither worktree nor cache" for path in done.missing]
    lines += [f"  {show_path(one.path)}: {one.reason}" for one in done.refused]
    more = [f"  and {len(lines) - _SHOWN} more: --json lists all"] if len(lines) > _SHOWN else []
    listed = "\n".join([*lines[:_SHOWN], *more])
    hint = f"dvc fetch, then this again (looked in {cache}; another one: --cache DIR)" if done.missing else None
    return PartlyDone(
        f"not taken over: {plural(len(lines), 'file or folder', 'files or folders')}\n{listed}", hint=hint
    )


def _as_document(done: Migrated) -> dict[str, object]:
    return {
        "files": [{"path": os.fsdecode(one.path), "md5": one.hash.md5, "size": size} for one, size in done.taken],
        "held": [os.fsdecode(one.path) for one in done.held],
        "missing": _names(done.missing),
        "refused": [{"path": os.fsdecode(one.path), "reason": one.reason} for one in done.refused],
        "removed": _names(done.removed),
        "origins": [{"path": os.fsdecode(path), "origin": origin} for path, origin in done.origins],
        "patterns": done.patterns,
        "pipelines": _names(done.pipelines),
        "outputs": _names(done.outputs),
    }


def _names(paths: Sequence[bytes]) -> list[str]:
    return [os.fsdecode(path) for path in paths]
