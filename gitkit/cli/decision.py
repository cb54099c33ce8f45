"""What approve, reject, hold, resume, freeze and unfreeze say in the same way."""

from gitkit.cli.output import print_json, print_text, say, show_text
from gitkit.lifecycle.decisions import Decision


def report_decision(decision: Decision, done: str, already: str, as_json: bool) -> None:
    """``done`` where an event was recorded, ``already`` where nothing was to do; the event's id on stdout."""
    event = decision.entry.event if decision.entry is not None and decision.recorded else None
    if as_json:
        print_json({"recorded": event is not None, "event": event.as_json() if event is not None else None})
        return
    say(done if event is not None else already)
    if event is not None:
        print_text(event.id)


def whose(decision: Decision) -> str:
    """`` by Ada: incident 42``, of the event that made it so."""
    if decision.entry is None:
        return ""
    event = decision.entry.event
    return show_text(f" by {event.actor.name}" + (f": {event.reason}" if event.reason else ""))
