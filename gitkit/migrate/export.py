"""`git kit migrate export`: pointers of a history become content in Git again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gitkit.core.events import Finished, Started
from gitkit.core.paths import show_path
from gitkit.core.remote import Remote
from gitkit.errors import KitError, NotFound
from gitkit.migrate import history, to_content
from gitkit.migrate.history import Place, Rewritten
from gitkit.migrate.pack import Pack
from gitkit.migrate.patterns import Selection
from gitkit.migrate.reader import Reader
from gitkit.migrate.scope import Scope
from gitkit.migrate.to_content import ToContent, restoring
from gitkit.sync import fetch
from gitkit.sync.pointers import Need

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """``needs`` is the content that is in Git now. ``absent`` is what a dry run found to be downloaded first."""

    rewritten: Rewritten
    needs: list[Need]
    absent: list[Need]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(need.size for need in self.needs)


def export_history(
    place: Place,
    scope: Scope,
    selection: Selection,
    open_remote: Callable[[bool], Remote],
    *,
    dry_run: bool,
    map_path: str | None = None,
) -> Exported:
    """Rewrite the commits of ``scope``; what the store does not hold is fetched first (``sync.fetch.fetch_each``).

    Raises:
        NotFound: content is nowhere to be had. No ref has moved.
        Conflict, Unsupported, KitError: as ``history`` does. No ref has moved.
    """
    before = {} if dry_run else history.prepare(place)
    surveyed, plan = history.survey(
        place, scope, lambda reader, pack: ToContent(reader, selection, to_content.named_only(pack))
    )
    needs = list(plan.needs.values())
    absent = [need for need in needs if not place.store.holds(need.digest, need.size)]
    if dry_run or not surveyed.renamed:
        return Exported(rewritten=surveyed, needs=needs, absent=absent)
    _fetch(place, open_remote, absent)
    place.emit(Started("restoring", len(needs), sum(need.size for need in needs)))
    with restoring(place.repository.git, place.store, place.emit) as convert:

        def make_plan(reader: Reader, pack: Pack) -> ToContent:
            return ToContent(reader, selection, convert)

        done = history.rewrite(place, surveyed, make_plan, before, message="git kit migrate export", map_path=map_path)
    place.emit(Finished("restored", len(needs), sum(need.size for need in needs)))
    return Exported(rewritten=done, needs=needs, absent=[])


def _fetch(place: Place, open_remote: Callable[[bool], Remote], absent: Sequence[Need]) -> None:
    if not absent:
        return
    try:
        fetched = fetch.fetch_each(place.store, open_remote, absent, transfers=place.transfers, emit=place.emit)
    except KitError as error:
        raise _incomplete(absent, error) from error
    if fetched.failed:
        raise _incomplete([failure.need for failure in fetched.failed], fetched.failed[0].error)


def _incomplete(absent: Sequence[Need], error: KitError) -> KitError:
    listed = "\n".join(f"  {show_path(need.path)}: {need.digest}" for need in absent[:_SHOWN])
    more = f"\n  and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
    return NotFound(f"content is missing ({error.message}):\n{listed}{more}", hint=error.hint or "git kit fetch --all")
