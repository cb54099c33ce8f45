"""What approve, reject, hold, resume, freeze and unfreeze say in the same way."""

from gitkit.cli.output import print_json, print_text, say
from gitkit.lifecycle.ledger import Entry


def report_decision(entry: Entry | None, done: str, already: str, as_json: bool) -> None:
    """``done`` where ``entry`` was recorded, ``already`` where nothing was to do; the event's id on stdout."""
    if as_json:
        print_json({"recorded": entry is not None, "event": entry.event.as_json() if entry is not None else None})
        return
    say(done if entry is not None else already)
    if entry is not None:
        print_text(entry.event.id)
