"""What ran when, from values: moves of the journal, and commits of a branch that people write."""

from types import SimpleNamespace
from typing import Any

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.journal import Actor, Event, Point
from gitkit.lifecycle.environments import Run, State
from gitkit.lifecycle.history import periods
from gitkit.lifecycle.ledger import Entry, Ledger

MICRO = 1_000_000


def point(version: str) -> Point:
    return Point(version, digest_of(version.encode()), version)


def entry(kind: str, version: str, second: int, name: str | None = "dev") -> Entry:
    one = Event(
        kind=kind, time=second * MICRO, actor=Actor("Ada", "a@b"), environment=name, after=point(version), tip=None
    )
    return Entry(f"{kind}-{version}-{second}", one)


def released(version: str, second: int) -> Entry:
    return entry("release", version, second, None)


def commit(version: str, second: int) -> Run:
    return Run(version, version, None, "commit", version, second, "Ada", None)


def recorded(one: Entry) -> Run:
    event = one.event
    return Run(
        str(event.version), str(event.version), event.digest, event.kind, one.oid, event.seconds, "Ada", None, one.oid
    )


def told(runs: list[Run], entries: list[Entry], *, managed: bool) -> list[tuple[str, int, int | None]]:
    """Version, start and end in seconds, newest first."""
    state = State("dev", "dev", "tip", runs, managed)
    none: dict[str, str] = {}
    store = SimpleNamespace(resolve=none.get)
    situation: Any = SimpleNamespace(
        state={"dev": state}.get,
        ledger=Ledger(entries),
        entries=entries,
        place=SimpleNamespace(store=store),
    )
    return [
        (one.version, one.start // MICRO, one.end // MICRO if one.end is not None else None)
        for one in periods(situation, "dev")
    ]


def test_periods_of_moves_follow_one_another_without_gaps() -> None:
    moves = [
        entry("promote", "v1", 1),
        entry("promote", "v2", 5),
        entry("rollback", "v1", 5),
        entry("promote", "v3", 9),
    ]
    runs = [recorded(one) for one in reversed(moves)]
    assert told(runs, moves, managed=True) == [("v3", 9, None), ("v1", 5, 9), ("v2", 5, 5), ("v1", 1, 5)]


def test_periods_take_what_is_older_than_the_journal_from_the_branch() -> None:
    old = Run("v1", "v1", "digest", "promote", "at", 3, "Ada", None)
    move = entry("promote", "v2", 7)
    assert told([recorded(move), old], [move], managed=True) == [("v2", 7, None), ("v1", 3, 7)]


def test_periods_of_a_followed_branch_begin_with_the_release_or_the_commit() -> None:
    entries = [released("v1", 4), released("v2", 12)]
    runs = [commit("v3", 20), commit("v2", 10), commit("v1", 1)]
    assert told(runs, entries, managed=False) == [("v3", 20, None), ("v2", 12, 20), ("v1", 4, 12)]


def test_periods_of_a_followed_branch_leave_out_what_was_overtaken_before_its_release() -> None:
    entries = [released("v1", 1), released("v3", 6), released("v2", 8)]
    runs = [commit("v3", 5), commit("v2", 3), commit("v1", 1)]
    assert told(runs, entries, managed=False) == [("v3", 6, None), ("v1", 1, 6)]


def test_periods_of_a_followed_branch_that_was_moved_forward_begin_with_the_promotion() -> None:
    entries = [released("v1", 1), released("v2", 2), entry("promote", "v2", 9)]
    assert told([commit("v2", 2), commit("v1", 1)], entries, managed=False) == [("v2", 9, None), ("v1", 1, 9)]


def test_periods_of_a_followed_branch_with_a_rollback_and_a_return_keep_the_first_stay() -> None:
    back, again = entry("rollback", "v1", 5), entry("promote", "v2", 7)
    entries = [released("v1", 1), released("v2", 2), back, again]
    runs = [recorded(again), recorded(back), commit("v2", 2), commit("v1", 1)]
    assert told(runs, entries, managed=False) == [("v2", 7, None), ("v1", 5, 7), ("v2", 2, 5), ("v1", 1, 2)]


@pytest.mark.parametrize("managed", [True, False])
def test_periods_of_an_environment_where_nothing_ran_are_none(managed: bool) -> None:
    assert told([], [], managed=managed) == []
