"""The chain of the journal, from values alone."""

from dataclasses import replace

import pytest

from gitkit.core.journal import Actor, Event
from gitkit.lifecycle.audit.chain import check
from gitkit.lifecycle.audit.walk import Journal, Link, Read

ADA = Actor("Ada", "ada@example.com")
TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
NOW = 1_800_000_000_000_000


def chain(count: int = 4) -> list[Event]:
    """Holds of one environment after another, a second apart."""
    events: list[Event] = []
    for number in range(count):
        event = Event(kind="hold", time=NOW - (count - number) * 1_000_000, actor=ADA, environment=f"e{number}")
        events.append(event.chained(events[-1] if events else None))
    return events


def link(event: Event, *, parents: int = 1, tree: str = TREE) -> Link:
    who = (event.actor.name, event.actor.email)
    oid = f"{event.id}{event.sequence:08x}"
    commit = Read(oid, tree, ("0" * 40,) * parents, event.seconds, event.seconds, who, who, event.text())
    return Link(commit, event, None, event.sequence, event.id)


def found(links: list[Link], *, shallow: bool = False) -> list[tuple[str, int | None]]:
    cut = frozenset({links[0].commit.oid}) if shallow else frozenset()
    findings = check(Journal(links[-1].commit.oid, links, 0, cut), NOW)
    return [(finding.kind, finding.event) for finding in findings]


def test_sound_chain_has_no_findings() -> None:
    assert found([link(event) for event in chain()]) == []


@pytest.mark.parametrize("number", [0, 1, 2])
def test_event_that_is_missing_is_named_by_the_one_after_it(number: int) -> None:
    events = chain()
    del events[number]
    assert found([link(event) for event in events]) == [("removed", number + 2)]


def test_several_events_that_are_missing_in_one_place_are_one_finding() -> None:
    events = chain(6)
    assert found([link(event) for event in (events[0], *events[4:])]) == [("removed", 5)]


def test_beginning_that_a_shallow_clone_leaves_out_is_not_removed() -> None:
    links = [link(event) for event in chain()][2:]
    assert found(links, shallow=True) == []
    assert found(links) == [("removed", 3)]


def test_events_in_another_order_are_reordered() -> None:
    one, two, three, four = chain()
    kinds = {kind for kind, _ in found([link(event) for event in (one, three, two, four)])}
    assert kinds == {"reordered", "back-dated"}


@pytest.mark.parametrize(("sequence", "kind"), [(9, "removed"), (1, "reordered")])
def test_number_that_does_not_follow_is_found_though_the_ids_do(sequence: int, kind: str) -> None:
    *events, last = chain()
    assert found([link(event) for event in (*events, replace(last, sequence=sequence))]) == [(kind, sequence)]


def test_event_that_is_there_twice_is_repeated() -> None:
    events = chain(2)
    again = events[1].chained(events[1])
    assert found([link(event) for event in (*events, again)]) == [("repeated", 3)]


def test_damaged_commit_is_edited_and_its_neighbours_are_checked_by_what_it_claims() -> None:
    links = [link(event) for event in chain()]
    links[1] = links[1]._replace(event=None, problem="not an event")
    assert found(links) == [("edited", 2)]
    del links[2]
    assert found(links) == [("edited", 2), ("removed", 4)]


def test_damaged_commit_without_a_place_hides_nothing_else() -> None:
    links = [link(event) for event in chain()]
    commit = links[1].commit._replace(message="approve v1 prod\n")
    links[1] = links[1]._replace(commit=commit, event=None, problem="not an event", sequence=None, id=None)
    assert found(links) == [("edited", None)]
    (finding,) = check(Journal("tip", links, 0, frozenset()), NOW)
    assert finding.text == 'a commit that is no event of git kit: "approve v1 prod" by Ada <ada@example.com>'


@pytest.mark.parametrize(
    "change",
    [
        {"author": ("Mallory", "ada@example.com")},
        {"committer": ("Ada", "mallory@example.com")},
        {"authored": 5},
        {"committed": 5},
        {"tree": "1" * 40},
    ],
)
def test_commit_that_differs_from_its_event_is_edited(change: dict[str, object]) -> None:
    links = [link(event) for event in chain()]
    links[3] = links[3]._replace(commit=links[3].commit._replace(**change))
    assert found(links) == [("edited", 4)]


def test_two_parents_are_forked() -> None:
    links = [link(event) for event in chain()]
    links[2] = link(chain()[2], parents=2)
    assert found(links) == [("forked", 3)]


@pytest.mark.parametrize(("ahead_s", "kinds"), [(599, []), (601, ["back-dated"])])
def test_event_of_the_future_is_found_beyond_ten_minutes(ahead_s: int, kinds: list[str]) -> None:
    *events, last = chain()
    later = replace(last, time=NOW + ahead_s * 1_000_000)
    assert [kind for kind, _ in found([link(event) for event in (*events, later)])] == kinds


def test_event_that_is_earlier_than_the_one_before_is_back_dated_and_the_next_is_not() -> None:
    events = chain()
    early = replace(events[1], time=events[0].time - 1).chained(events[0])
    rest = events[2].chained(early)
    assert found([link(event) for event in (events[0], early, rest)]) == [("back-dated", 2)]
