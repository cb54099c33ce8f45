"""`git kit prune`: blobs that nobody needs leave the store."""

import os
import shlex
from collections.abc import Sequence

import click

from gitkit.cli.output import example, human_size, json_option, plural, print_json, print_table, print_text, say
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.errors import KitError, NotFound, UsageError
from gitkit.store.clones import Clones
from gitkit.sync.prune.needs import Clone
from gitkit.sync.prune.run import Blob, Pruned, Rules, prune


@click.command("prune", epilog=example.format("git kit prune --dry-run -v"))
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing, and tell what would be done.")
@click.option("-v", "--verbose", is_flag=True, help="Tell why the other blobs stay.")
@click.option("--unreachable", is_flag=True, help="Also what nothing in Git names, though the remote does not have it.")
@click.option("--expire-now", is_flag=True, help="Empty the trash at once, of what goes there now, too.")
@click.option(
    "--grace", type=click.IntRange(0), default=60, show_default=True, metavar="MINUTES", help="How long a blob is new."
)
@click.option("--forget", multiple=True, metavar="PATH", help="Keep nothing for this clone, which is gone.")
@json_option
@click.pass_obj
def command(
    context: Context,
    dry_run: bool,
    verbose: bool,
    unreachable: bool,
    expire_now: bool,
    grace: int,
    forget: tuple[str, ...],
    as_json: bool,
) -> None:
    """Move blobs that are not needed here, and that the remote keeps, to the trash.

    Needed is what HEAD, index and files of any worktree, recent branches and tags (`kit.recentDays`, 10), stashes,
    reflogs, commits that are not pushed, and unfinished merges and rebases name; in a store that several clones
    share (`kit.storage`), of all of them. A blob that is needed again comes back from the trash by itself.
    After `kit.trashDays` (14) the next prune deletes it there.
    """
    for path in forget:
        _forget(context, path)
    rules = Rules(context.settings.trash_days, expire_now, unreachable, grace * 60.0, dry_run)
    if not dry_run:
        _gather(context)
    with shown() as emit:
        result = prune(lambda: clones_of(context), context.store, rules, emit=emit)
    if as_json:
        print_json(document(result, dry_run))
    else:
        _tell(result, rules, verbose)


def clones_of(context: Context) -> Sequence[Clone]:
    """All clones that use the store, this one first.

    Raises:
        NotFound: one of them cannot be read.
    """
    own = os.path.realpath(context.repository.common_dir)
    pool = os.path.realpath(context.store.pool)
    paths = dict.fromkeys(Clones(pool).all())
    if os.path.isdir(os.path.join(os.path.dirname(pool), "objects")):
        paths[os.path.dirname(pool)] = None  # the store of one clone, which others were told to use
    found = [_clone(context)]
    for path in paths:
        if path != own:
            try:
                found.append(_clone(context.clone_at(path)))
            except (KitError, OSError) as error:
                raise NotFound(
                    f"a clone that uses the same store cannot be read: {path}\n{error}",
                    hint=f"if it is gone for good: git kit prune --forget {shlex.quote(path)}",
                ) from error
    return found


def _clone(context: Context) -> Clone:
    repository = context.repository
    in_main = os.path.realpath(repository.git_dir) == os.path.realpath(repository.common_dir)
    return Clone(
        common_dir=repository.common_dir,
        main=repository.worktree if in_main else None,
        git=repository.git,
        store=context.store,
        git_remote=context.git_remote,
        recent_days=context.settings.recent_days,
        open_remote=context.remote,
        recall=context.hash_cache.of_stat,
    )


def _forget(context: Context, path: str) -> None:
    clones = Clones(context.store.pool)
    whole = os.path.realpath(os.path.join(context.cwd, path))
    known = [name for name in clones.all() if name in (whole, os.path.join(whole, ".git"))]
    if not known:
        raise NotFound(f"{path} is not a clone that uses this store")
    try:
        context.clone_at(known[0])
    except KitError:
        clones.forget(known[0])
        return
    raise UsageError(f"{path} is still there and uses this store")


def _gather(context: Context) -> None:
    """Blobs from before `kit.storage` was set go into the shared store, where they are looked after."""
    store = context.store
    if os.path.realpath(store.pool) != os.path.realpath(store.path):
        from gitkit.store.layout import ImageLayout
        from gitkit.store.recall import absorb

        absorb(store, ImageLayout(store.path).blobs(), store.path)


def document(result: Pruned, dry_run: bool) -> dict[str, object]:
    """What `--json` prints."""
    return {
        "dry_run": dry_run,
        **{name: _listed(getattr(result, name)) for name in ("moved", "restored", "deleted", "in_trash")},
        "kept": {reason: _listed(blobs) for reason, blobs in result.kept.items() if blobs},
    }


def _listed(blobs: Sequence[Blob]) -> list[dict[str, object]]:
    return [{"digest": blob.digest, "size": blob.size} for blob in blobs]


def _tell(result: Pruned, rules: Rules, verbose: bool) -> None:
    would = "would be " if rules.dry_run else ""
    if result.restored:
        print_text(f"{_sum(result.restored)} {would}restored from the trash")
    moved = [] if rules.expire_now else result.moved
    if moved or not result.deleted:
        print_text(f"{_sum(moved)} {would}moved to the trash")
    if result.deleted:
        print_text(f"{_sum(result.deleted)} {would}deleted")
    if result.in_trash:
        print_text(f"{_sum(result.in_trash)} in the trash, for {plural(rules.trash_days, 'day')}")
    print_text(f"{_sum([blob for blobs in result.kept.values() for blob in blobs])} kept")
    if verbose:
        rows = [(reason, blobs) for reason, blobs in result.kept.items() if blobs]
        print_table(
            ["BECAUSE", "BLOBS", "SIZE"],
            [(reason, str(len(blobs)), human_size(sum(blob.size for blob in blobs))) for reason, blobs in rows],
            right=[1, 2],
        )
    if moved and not rules.dry_run:
        say("\nhint: to free their space now: git kit prune --expire-now")


def _sum(blobs: Sequence[Blob]) -> str:
    return f"{plural(len(blobs), 'blob')}, {human_size(sum(blob.size for blob in blobs))}"
