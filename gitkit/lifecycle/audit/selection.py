"""Events that somebody asks for. Pure: values only."""

from collections.abc import Sequence
from dataclasses import dataclass

from gitkit.core.journal import Event
from gitkit.lifecycle.ledger import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What an event must be; None does not matter. ``since`` and ``until`` are microseconds since 1970, both included.

    ``actor`` is a part of a name or address, without regard to case. A freeze of everything is about every environment.
    """

    environment: str | None = None
    kind: str | None = None
    version: str | None = None
    actor: str | None = None
    since: int | None = None
    until: int | None = None

    def takes(self, event: Event) -> bool:
        """Whether ``event`` is meant."""
        return (
            self._is_about(event)
            and self.kind in (None, event.kind)
            and (self.version is None or self.version in _versions(event))
            and (self.actor is None or self.actor.lower() in str(event.actor).lower())
            and (self.since is None or event.time >= self.since)
            and (self.until is None or event.time <= self.until)
        )

    def _is_about(self, event: Event) -> bool:
        everywhere = event.environment is None and event.kind in ("freeze", "unfreeze")
        return self.environment in (None, event.environment) or everywhere


def select(entries: Sequence[Entry], selection: Selection) -> list[Entry]:
    """Those of ``entries`` that are meant, in their order."""
    return [entry for entry in entries if selection.takes(entry.event)]


def _versions(event: Event) -> set[str]:
    return {point.version for point in (event.before, event.after) if point is not None}
