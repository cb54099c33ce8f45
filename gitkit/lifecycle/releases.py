"""Releases in the journal: which digest, commit and tag a version's name stands for from then on."""

from gitkit.core.events import Sink, ignore
from gitkit.errors import Conflict, KitError, PartlyDone
from gitkit.lifecycle import move
from gitkit.lifecycle.environments import Place
from gitkit.lifecycle.ledger import Entry
from gitkit.lifecycle.record import Change, event_of, record
from gitkit.lifecycle.situation import Situation
from gitkit.modelkit.build import Kit


def record_release(place: Place, kit: Kit, url: str, *, emit: Sink = ignore) -> Entry | None:
    """Record that ``kit`` was pushed to ``url``; the version's tag goes to the Git remote along with it.

    Idempotent: None where the journal has it, or where nobody asked for a journal: there are no environments.

    Raises:
        PartlyDone: the kit is released, and the journal does not know.
    """
    if not place.config.environments:
        return None
    point = move.point_of(place, kit)

    def prepare(situation: Situation) -> Change | None:
        there = situation.ledger.releases.get(kit.version)
        if there is not None and there.event.after is not None:
            if (there.event.after.digest, there.event.after.tag) != (point.digest, point.tag):
                raise Conflict(f"the journal has another release of {kit.version}: {there.event.after.digest}")
            return None
        if situation.tag not in (None, point.tag):
            raise Conflict(f"the tag {kit.version} is not the same here and on {place.git_remote}")
        event = event_of(situation, "release", emit=emit, after=point, details={"format": kit.format, "url": url})
        return Change(event, tag=kit.version if situation.tag is None and place.git_remote is not None else None)

    try:
        recorded = record(place, prepare, tag=kit.version, emit=emit)
    except KitError as error:
        raise PartlyDone(
            f"{kit.version} is released to {url}, but not recorded in the journal: {error.message}",
            hint=f"when that is mended: git kit release {kit.version}",
        ) from error
    return None if recorded is None else recorded.entry
