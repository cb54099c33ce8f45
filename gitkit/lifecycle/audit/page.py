"""The journal as one static page: no script, nothing from elsewhere, and every text in it escaped."""

import html
from collections.abc import Iterator, Sequence

from gitkit.core.journal import show_time
from gitkit.lifecycle.audit.export import gates_of, plain
from gitkit.lifecycle.ledger import Entry, Ledger

_STYLE = """\
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1b1f24; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #d5d9de; }
th { white-space: nowrap; } td { overflow-wrap: anywhere; } td.fixed { white-space: nowrap; }
code { font: 13px ui-monospace, monospace; } .quiet { color: #59636e; }
@media print { body { margin: 0; max-width: none; font-size: 9pt; } thead { display: table-header-group; }
tr { break-inside: avoid; } }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(entries: Sequence[Entry], title: str) -> Iterator[str]:
    """The page, piece by piece: what each environment runs, then all events, the newest first."""
    ledger = Ledger(entries)
    shown = _text(title)
    yield f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{shown}</title>\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
    yield f"<style>\n{_STYLE}</style>\n</head>\n<body>\n"
    yield f"<h1>{shown}</h1>\n<p>{_span(entries)}</p>\n"
    yield from _summary(ledger)
    yield from _events(entries)
    yield "</body>\n</html>\n"


def _span(entries: Sequence[Entry]) -> str:
    if not entries:
        return "No events."
    first, last = (show_time(entry.event.time)[:10] for entry in (entries[0], entries[-1]))
    count = f"{len(entries)} event{'' if len(entries) == 1 else 's'}"
    return f"{count} from {first} to {last}. The last one is <code>{_text(entries[-1].oid)}</code>."


def _summary(ledger: Ledger) -> Iterator[str]:
    if not ledger.moves:
        return
    yield "<h2>Environments</h2>\n<table>\n<thead><tr>"
    names = ("Environment", "Version", "Digest", "Since (UTC)", "By", "Promotions", "Rollbacks", "State")
    yield "".join(f"<th>{name}</th>" for name in names) + "</tr></thead>\n<tbody>\n"
    for name, moves in sorted(ledger.moves.items()):
        yield _summary_row(ledger, name, moves)
    yield "</tbody>\n</table>\n"


def _summary_row(ledger: Ledger, name: str, moves: Sequence[Entry]) -> str:
    last = moves[-1].event
    rollbacks = sum(1 for move in moves if move.event.kind == "rollback")
    cells = (
        name,
        last.version or "-",
        (last.digest or "-").removeprefix("sha256:")[:12],
        _moment(last.time),
        last.actor.name,
        str(len(moves) - rollbacks),
        str(rollbacks),
        _state(ledger, name, last.time),
    )
    return "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>\n"


def _state(ledger: Ledger, name: str, now: int) -> str:
    states = ["held"] if name in ledger.holds else []
    states += ["frozen"] if ledger.frozen(name, now) is not None else []
    return ", ".join(states) or "open"


def _events(entries: Sequence[Entry]) -> Iterator[str]:
    yield "<h2>Events</h2>\n<table>\n<thead><tr>"
    names = ("#", "Time (UTC)", "Kind", "Version", "Environment", "Actor", "Reason", "Gates")
    yield "".join(f"<th>{name}</th>" for name in names) + "</tr></thead>\n<tbody>\n"
    for entry in reversed(entries):
        yield _event_row(entry)
    yield "</tbody>\n</table>\n"


def _event_row(entry: Entry) -> str:
    event = entry.event
    came_from = f" (was {event.before.version})" if event.before is not None else ""
    cells = (
        f"{event.version or '-'}{came_from}",
        event.where or "-",
        f"{event.actor}",
        event.said,
        gates_of(entry),
    )
    fixed = (str(event.sequence), _moment(event.time), event.act)
    row = "".join(f'<td class="fixed">{_text(cell)}</td>' for cell in fixed)
    row += "".join(f"<td>{_text(cell)}</td>" for cell in cells)
    return f'<tr id="{_text(event.id)}">{row}</tr>\n'


def _moment(time: int) -> str:
    return show_time(time)[:19].replace("T", " ")


def _text(text: str) -> str:
    return html.escape(plain(text), quote=True)
