"""Events as text and back."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.core.journal import EMPTY_ID, Actor, Event, Point, parse_event, parse_time, show_time
from gitkit.errors import Corrupt

ADA = Actor("Ada", "ada@example.com")
POINT = Point("v2", "sha256:" + "c" * 64, "d" * 40, "e" * 40)
EVENT = Event(
    kind="promote",
    time=1_767_225_600_123_456,
    actor=ADA,
    environment="prod",
    before=Point("v1", "sha256:" + "a" * 64, "b" * 40),
    after=POINT,
    tip="f" * 40,
    policy="sha256:" + "1" * 64,
    gates=({"gate": "eval", "outcome": "passed", "reason": "fine"},),
    reason="two\nlines, é",
)


def test_event_text_is_what_the_format_says() -> None:
    event = Event(kind="hold", time=0, actor=ADA, environment="prod").chained(None)
    body = (
        '{"actor":{"email":"ada@example.com","name":"Ada"},"environment":"prod","kind":"hold",'
        '"time":"1970-01-01T00:00:00.000000Z","v":1}'
    )
    assert event.text() == (f"hold prod\n\n{body}\n\nKit-Sequence: 1\nKit-Previous: {EMPTY_ID}\nKit-Id: {event.id}\n")
    assert event.id == hashlib.sha256(body.encode()).hexdigest()[:32]


@pytest.mark.parametrize(
    ("event", "act", "where", "said"),
    [
        (EVENT, "promote", "prod", "two\nlines, é"),
        (Event(kind="reject", time=0, actor=ADA, details={"content": "1"}), "reject", None, ""),
        (Event(kind="reject", time=0, actor=ADA, details={"undo": True}, reason="no"), "reject undone", None, "no"),
        (Event(kind="rollback", time=0, actor=ADA, environment="a", details={"hold": True}), "rollback", "a", ""),
        (Event(kind="rollback", time=0, actor=ADA, details={"reject": True}), "rollback, reject", None, ""),
        (Event(kind="freeze", time=0, actor=ADA), "freeze", "all", ""),
        (Event(kind="freeze", time=0, actor=ADA, until=60_000_000), "freeze", "all", "until 1970-01-01 00:01"),
        (
            Event(kind="freeze", time=0, actor=ADA, environment="a", until=0, reason="off"),
            *("freeze", "a", "until 1970-01-01 00:00: off"),
        ),
        (
            Event(kind="gates", time=0, actor=ADA, gates=({"gate": "eval", "outcome": "failed", "reason": "low"},)),
            *("gates", None, "eval: low"),
        ),
    ],
)
def test_event_tells_people_what_it_did_where_and_why(event: Event, act: str, where: str | None, said: str) -> None:
    assert (event.act, event.where, event.said) == (act, where, said)


def test_event_that_is_appended_elsewhere_keeps_its_id() -> None:
    first = EVENT.chained(None)
    second = EVENT.chained(first)
    assert (first.id, first.sequence, first.previous) == (EVENT.id, 1, EMPTY_ID)
    assert (second.id, second.sequence, second.previous) == (EVENT.id, 2, EVENT.id)


texts = st.text(max_size=20)
oids = st.text("0123456789abcdef", min_size=40, max_size=40)
digests = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)
points = st.none() | st.builds(Point, version=texts, digest=digests, commit=oids, tag=st.none() | oids)
events = st.builds(
    Event,
    kind=st.sampled_from(["promote", "freeze", "release", "hold"]),
    time=st.integers(0, 4 * 10**15),
    actor=st.builds(Actor, texts, texts),
    environment=st.none() | st.from_regex(r"[a-z]{1,9}", fullmatch=True),
    before=points,
    after=st.none() | st.builds(Point, st.from_regex(r"v[0-9.]{1,9}", fullmatch=True), digests, oids, st.none() | oids),
    reason=st.none() | st.text(min_size=1, max_size=30),
    until=st.none() | st.integers(0, 4 * 10**15),
    details=st.dictionaries(texts, texts | st.booleans(), max_size=3),
)


@given(events)
def test_event_survives_its_text(event: Event) -> None:
    chained = event.chained(EVENT)
    found = parse_event(chained.text())
    assert (found, found.id) == (chained, chained.id)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"reason":"two', '"reason":"one'),
        ("promote v2 prod\n", "promote v3 prod\n"),
        ("Kit-Id: ", "Kit-Id: 0"),
        ('"v":1', '"v": 1'),
    ],
)
def test_event_that_was_edited_is_refused(old: str, new: str) -> None:
    text = EVENT.chained(None).text()
    assert old in text
    with pytest.raises(Corrupt, match="was edited"):
        parse_event(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"v":1', '"v":2'),
        ('"kind":"promote"', '"kind":"deploi"'),
        ("Kit-Sequence: 1", "Kit-Sequence: one"),
        ("\n\nKit-Sequence", "\nKit-Sequence"),
        ('"time":"2026', '"time":"26'),
        ('{"actor":{"email":"ada@example.com","name":"Ada"}', '{"actor":[]'),
        ('{"actor"', '["actor"'),
        ('"kind":"promote"', '"kind":7'),
        ('"name":"Ada"', '"name":null'),
        ('"reason":"two', '"reason":["two"],"x":"'),
        ('"outcome":"passed"', '"outcome":true'),
        ('"tip":"', '"tip":{},"x":"'),
        ('"tip":"', '"tip":"--output=x'),
        ('"digest":"sha256:a', '"digest":"sha256:g'),
        (f'"digest":"sha256:{"a" * 64}"', '"digest":7'),
        ('"commit":"b', '"commit":"B'),
    ],
)
def test_text_that_is_no_event_is_refused(old: str, new: str) -> None:
    text = EVENT.chained(None).text()
    assert old in text
    with pytest.raises(Corrupt):
        parse_event(text.replace(old, new))


@given(st.text())
def test_any_other_text_is_refused_as_corrupt(text: str) -> None:
    with pytest.raises(Corrupt):
        parse_event(text)


@given(st.integers(0, 4 * 10**15))
def test_time_survives_its_text(time: int) -> None:
    assert parse_time(show_time(time)) == time
