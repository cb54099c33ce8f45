"""`git kit migrate import`: large files of a history become pointers, their content goes to the store."""

from dataclasses import dataclass

from gitkit.core.events import Finished, Started
from gitkit.errors import Conflict, NotFound
from gitkit.git import objects, packs
from gitkit.git.run import GitError
from gitkit.migrate import history, inplace, to_pointers
from gitkit.migrate.history import Place, Rewritten
from gitkit.migrate.pack import Pack, drafted
from gitkit.migrate.patterns import Selection, refuse_readable
from gitkit.migrate.reader import Reader, opened
from gitkit.migrate.scope import Scope
from gitkit.migrate.to_pointers import Storing, ToPointers
from gitkit.migrate.walk import Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """``files`` Git blobs of ``size`` bytes in all became pointers."""

    rewritten: Rewritten
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """``commit`` is None where all of that are pointers already."""

    commit: str | None
    files: int
    size: int


def import_history(
    place: Place, scope: Scope, selection: Selection, *, dry_run: bool, map_path: str | None = None
) -> Imported:
    """Rewrite the commits of ``scope``, where a file of them is to become a pointer; else nothing changes.

    Raises:
        UsageError: a pattern takes in what has to stay readable.
        Conflict, Unsupported, KitError: as ``history`` does. No ref has moved.
    """
    if selection.by_pattern:
        refuse_readable(selection.include)
    before = {} if dry_run else history.prepare(place)
    surveyed, plan = history.survey(
        place, scope, lambda reader, pack: ToPointers(reader, selection, to_pointers.named_only(pack))
    )
    files, size = len(plan.sizes), sum(plan.sizes.values())
    if not files:
        # Lines of .gitattributes alone are not worth new names for all commits.
        return Imported(rewritten=history.unchanged(scope), files=0, size=0)
    if dry_run:
        return Imported(rewritten=surveyed, files=files, size=size)
    place.emit(Started("converting", files, size))
    done = history.rewrite(
        place,
        surveyed,
        lambda reader, pack: ToPointers(reader, selection, _storing(place, reader, pack)),
        before,
        message="git kit migrate import",
        map_path=map_path,
    )
    place.emit(Finished("converted", files, size))
    return Imported(rewritten=done, files=files, size=size)


def import_here(place: Place, selection: Selection, *, message: str, dry_run: bool) -> Committed:
    """One commit on the current branch in which the files of HEAD are pointers; no commit is rewritten.

    Raises:
        NotFound: there is no commit.
        Conflict, Unsupported, KitError: as ``history`` does. Nothing was committed.
    """
    git = place.repository.git
    head = git.ask("rev-parse", "-q", "--verify", "HEAD^{commit}")
    if head is None:
        raise NotFound("there is no commit yet")
    before = {} if dry_run else history.prepare(place)
    old = git.text("rev-parse", f"{head}^{{tree}}")
    with drafted(packs.object_format(git), place.repository.common_dir) as pack:
        with opened(git) as reader, place.store.batch():
            convert = to_pointers.named_only(pack) if dry_run else _storing(place, reader, pack)
            plan = ToPointers(reader, selection, convert)
            tree, _ = Walk(reader, pack, plan).tree(old)
        files, size = len(plan.sizes), sum(plan.sizes.values())
        if dry_run or tree == old:
            return Committed(commit=None, files=files, size=size)
        pack.store(git)
    commit = objects.write_commit(git, tree=tree, parents=[head], message=message)
    try:
        git.run("update-ref", "-m", "git kit migrate import", "HEAD", commit, head)
    except GitError as error:
        raise Conflict("the branch was moved by somebody else", hint="run the command again") from error
    inplace.bring(place.repository, place.store, before, head, commit)
    return Committed(commit=commit, files=files, size=size)


def _storing(place: Place, reader: Reader, pack: Pack) -> Storing:
    return Storing(reader, pack, place.store, place.emit)
