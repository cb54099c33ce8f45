"""Exports and selections, from values alone."""

import csv
import io
import json
from typing import Any

import pytest

from gitkit.core.journal import Actor, Event, Point
from gitkit.lifecycle.audit.export import COLUMNS, csv_lines, event_json, json_lines, plain
from gitkit.lifecycle.audit.page import page
from gitkit.lifecycle.audit.selection import Selection, select
from gitkit.lifecycle.ledger import Entry

ADA = Actor("Ada", "ada@example.com")


def entry(kind: str, number: int = 1, **fields: Any) -> Entry:
    base: dict[str, Any] = {"time": number * 1_000_000, "actor": ADA, "sequence": number}
    return Entry(f"{number:040x}", Event(kind=kind, **{**base, **fields}))


def point(version: str) -> Point:
    return Point(version, f"sha256:{'a' * 64}", "b" * 40)


# -- csv and jsonl -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " ="])
def test_csv_cell_that_a_spreadsheet_would_calculate_begins_with_a_quote(start: str) -> None:
    [_, line] = csv_lines([entry("hold", environment="e", reason=f"{start}1+1")])
    [row] = csv.reader([line])
    assert row[COLUMNS.index("reason")].startswith("'")


@pytest.mark.parametrize("reason", ['a "b", c', "two\nlines", "1-2", "é"])
def test_csv_record_is_one_line_and_reads_back(reason: str) -> None:
    lines = list(csv_lines([entry("hold", environment="e", reason=reason)]))
    assert all(line.endswith("\r\n") and "\n" not in line[:-2] for line in lines)
    [row] = list(csv.DictReader(io.StringIO("".join(lines), newline="")))
    assert row["reason"] == reason.replace("\n", "\\n")


def test_json_line_has_the_event_and_its_commit() -> None:
    one = entry("promote", environment="prod", before=point("v1"), after=point("v2"), reason="\u2028\ud800")
    [line] = json_lines([one])
    assert line.isascii() and line.endswith("}\n")
    assert json.loads(line) == event_json(one)
    assert (event_json(one)["commit"], event_json(one)["sequence"]) == (one.oid, 1)


@pytest.mark.parametrize(
    ("text", "shown"), [("é \\ x", "é \\ x"), ("\x1b[2J", "\\x1b[2J"), ("\u202e", "\\u202e"), ("\ud800", "\\ud800")]
)
def test_plain_spells_out_what_acts_on_a_terminal_and_nothing_else(text: str, shown: str) -> None:
    assert plain(text) == shown


# -- the page ----------------------------------------------------------------------------------------------------------


def test_page_without_events_says_so() -> None:
    assert "No events." in "".join(page([], "Journal"))


def test_page_escapes_every_text() -> None:
    evil = '<img src=x onerror="a">&\''
    events = [
        entry(
            "promote",
            number,
            environment=evil,
            actor=Actor(evil, evil),
            before=Point(evil, evil, "b" * 40),
            after=Point(evil, evil, "b" * 40),
            reason=evil,
            gates=({"gate": evil, "outcome": evil},),
        )
        for number in (1, 2)
    ]
    text = "".join(page(events, evil))
    assert "<img" not in text and 'onerror="' not in text
    assert text.count("&lt;img src=x onerror=&quot;a&quot;&gt;&amp;&#x27;") >= 10


def test_page_sums_up_each_environment() -> None:
    events = [
        entry("promote", 1, environment="prod", after=point("v1")),
        entry("promote", 2, environment="prod", after=point("v2")),
        entry("rollback", 3, environment="prod", after=point("v1"), details={"hold": True}),
        entry("freeze", 4),
    ]
    text = "".join(page(events, "Journal"))
    row = text[text.index("<td>prod</td>") : text.index("</tr>", text.index("<td>prod</td>"))]
    assert "<td>v1</td>" in row and "<td>2</td><td>1</td><td>held, frozen</td>" in row
    assert text.count("<tr id=") == 4


# -- selections --------------------------------------------------------------------------------------------------------

EVENTS = [
    entry("release", 1, after=point("v1")),
    entry("promote", 2, environment="prod", after=point("v1")),
    entry("promote", 3, environment="dev", before=point("v1"), after=point("v2"), actor=Actor("Ben", "b@x.org")),
    entry("freeze", 4),
]


@pytest.mark.parametrize(
    ("selection", "numbers"),
    [
        (Selection(), [1, 2, 3, 4]),
        (Selection(environment="prod"), [2, 4]),
        (Selection(kind="promote"), [2, 3]),
        (Selection(version="v1"), [1, 2, 3]),
        (Selection(version="v2"), [3]),
        (Selection(actor="BEN"), [3]),
        (Selection(actor="@x.org"), [3]),
        (Selection(since=2_000_000, until=3_000_000), [2, 3]),
        (Selection(environment="nowhere", kind="promote"), []),
    ],
)
def test_selection_takes_what_meets_all_of_it(selection: Selection, numbers: list[int]) -> None:
    assert [one.event.sequence for one in select(EVENTS, selection)] == numbers
