"""Deploys in the journal, for those who ask for it: which machine runs which version."""

from gitkit.core.events import Sink, ignore
from gitkit.core.journal import Point
from gitkit.errors import KitError, PartlyDone
from gitkit.lifecycle import move
from gitkit.lifecycle.deploy.deploy import Deployed
from gitkit.lifecycle.environments import Place
from gitkit.lifecycle.ledger import Entry
from gitkit.lifecycle.record import Change, event_of, record
from gitkit.lifecycle.situation import Situation


def record_deploy(place: Place, done: Deployed, where: str, *, emit: Sink = ignore) -> Entry | None:
    """Record what a deploy did at ``where`` (machine and folder); None where it did nothing.

    Raises:
        PartlyDone: it is done, and the journal does not know.
    """
    if done.result in ("unchanged", "waiting"):
        return None
    wanted = done.wanted
    point = Point(wanted.version, wanted.digest, wanted.commit, move.tag_oid(place, wanted.version))

    def prepare(situation: Situation) -> Change:
        details = {"result": done.result, "where": where}
        reason = done.unhealthy.reason if done.unhealthy is not None else None
        event = event_of(
            situation, "deploy", environment=wanted.environment, emit=emit, after=point, reason=reason, details=details
        )
        return Change(event)

    try:
        recorded = record(place, prepare, emit=emit)
    except KitError as error:
        raise PartlyDone(
            f"{wanted.version} is {done.result} at {where}, but not recorded in the journal: {error.message}",
            hint=error.hint,
        ) from error
    return None if recorded is None else recorded.entry
