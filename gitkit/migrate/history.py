"""Rewriting a history: a pass that only counts, a pass that makes the new objects, then one step that moves all refs.

Until that step nothing has changed but the store and objects that nothing refers to, so it can be killed anywhere and
repeated. Choice of the way, and what it keeps: ``docs/decisions/0014-migrate-rewrites-raw-objects.md``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gitkit.core.events import Sink, ignore
from gitkit.git import packs
from gitkit.git.replace import replace_file
from gitkit.git.repository import Repository
from gitkit.git.run import Git
from gitkit.migrate import guard, inplace, moving
from gitkit.migrate.moving import Moved, Moves, Ref
from gitkit.migrate.pack import Pack, drafted
from gitkit.migrate.reader import Reader, opened
from gitkit.migrate.scope import Scope, holding
from gitkit.migrate.walk import Plan, Walk, Walked
from gitkit.store.layout import ImageLayout

P = TypeVar("P", bound=Plan)
MakePlan = Callable[[Reader, Pack], P]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where history is rewritten."""

    repository: Repository
    store: ImageLayout
    transfers: int = 4
    emit: Sink = ignore


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """``renamed`` maps old commits to new ones (in a dry run, to nothing that exists), ``unsigned`` counts the commits
    that lost their signature and ``unsigned_tags`` names tags that did. ``left`` are refs that still hold old commits.
    ``kept`` is where the old values of ``moved`` are, None where nothing moved.
    """

    scope: Scope
    renamed: dict[str, str]
    unsigned: int
    unsigned_tags: list[str]
    moved: list[Moved]
    left: list[str]
    kept: str | None


def survey(place: Place, scope: Scope, make_plan: MakePlan[P]) -> tuple[Rewritten, P]:
    """What rewriting would do, with a plan that reads no content. Changes nothing.

    Raises:
        Conflict: a branch that would move is checked out in another worktree.
        Unsupported, Corrupt: as ``Walk.commits``.
    """
    git = place.repository.git
    pack = Pack(packs.object_format(git), None)
    with opened(git) as reader:
        plan = make_plan(reader, pack)
        walked = Walk(reader, pack, plan).commits(scope.commits)
        moves = moving.follow(_refs(git, walked), reader, pack, walked.renamed)
    names = {moved.ref for moved in moves.moved}
    guard.refuse_elsewhere(place.repository, names)
    return _result(scope, walked, moves, holding(git, walked.first, but=names), None), plan


def unchanged(scope: Scope) -> Rewritten:
    """The result of a rewriting that had nothing to do."""
    return _result(scope, Walked(), Moves([], []), [], None)


def prepare(place: Place) -> inplace.Snapshot:
    """The worktree before the work, of which is known that it holds nothing that would be lost.

    Raises:
        Conflict, Unsupported: as ``guard`` says.
    """
    guard.refuse_shallow(place.repository)
    inplace.repair(place.repository, place.store)
    before = inplace.take(place.repository)
    guard.refuse_unfinished(place.repository)
    return before


def rewrite(
    place: Place,
    surveyed: Rewritten,
    make_plan: MakePlan[P],
    before: inplace.Snapshot,
    *,
    message: str,
    map_path: str | None,
) -> Rewritten:
    """Do what was ``surveyed``. ``map_path`` is the file for a table of old and new commits.

    Raises:
        Conflict: a ref was moved meanwhile; none has moved now.
        KitError: content cannot be stored or read, git cannot write. Nothing has moved.
    """
    repository = place.repository
    git = repository.git
    head = git.ask("rev-parse", "-q", "--verify", "HEAD")
    with drafted(packs.object_format(git), repository.common_dir) as pack:
        with opened(git) as reader, place.store.batch():
            walked = Walk(reader, pack, make_plan(reader, pack)).commits(surveyed.scope.commits)
            moves = moving.follow(_refs(git, walked), reader, pack, walked.renamed)
        pack.store(git)
    if map_path is not None:
        replace_file(map_path, _table(walked.renamed))
    kept = moving.move(git, moves.moved, message)
    if head is not None and (now := git.text("rev-parse", "HEAD")) != head:
        inplace.bring(repository, place.store, before, head, now)
    return _result(surveyed.scope, walked, moves, surveyed.left, kept)


def _refs(git: Git, walked: Walked) -> list[Ref]:
    return moving.local_refs(git) if walked.renamed else []


def _table(renamed: dict[str, str]) -> bytes:
    return "".join(f"{old},{new}\n" for old, new in renamed.items()).encode()


def _result(scope: Scope, walked: Walked, moves: Moves, left: Sequence[str], kept: str | None) -> Rewritten:
    return Rewritten(
        scope=scope,
        renamed=walked.renamed,
        unsigned=len(walked.unsigned),
        unsigned_tags=moves.unsigned,
        moved=moves.moved,
        left=list(left),
        kept=kept,
    )
