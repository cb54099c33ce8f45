"""The outline of a journal comes to the same as all of it, for what the table of environments shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.core.digest import digest_of
from gitkit.core.journal import KINDS, Actor, Event, Point
from gitkit.errors import Corrupt
from gitkit.lifecycle import journal
from gitkit.lifecycle.environments import Run, State
from gitkit.lifecycle.ledger import Entry, Ledger
from gitkit.lifecycle.outline import outline

NAMES = ("dev", "prod")
VERSIONS = ("v1", "v2", "v3")


def point(version: str) -> Point:
    digest = digest_of(version.encode())
    return Point(version, digest, digest[7:47])


def event(kind: str, version: str, name: str | None, time: int) -> Event:
    about = None if kind in ("hold", "resume", "freeze", "unfreeze") else point(version)
    where = None if kind in ("release", "reject") else name
    return Event(kind=kind, time=time, actor=Actor("Ada", "ada@example.com"), environment=where, after=about)


def log_of(events: list[Event]) -> bytes:
    """As ``journal.log`` gives it."""
    records, previous = [], None
    for number, one in enumerate(events):
        previous = one.chained(previous)
        records.append(f"{number:040x}\0{'' if not number else f'{number - 1:040x}'}\0{previous.text()}\x01\0")
    return "".join(records).encode()


def state_of(name: str, moves: list[Entry]) -> State:
    """An environment that runs what its last move brought."""
    if not moves:
        return State(name, name, None, [])
    last = moves[-1]
    assert last.event.after is not None
    version, digest, commit, _ = last.event.after
    run = Run(version, commit, digest, last.event.kind, commit, last.event.seconds, "Ada", None, last.oid)
    return State(name, name, commit, [run])


def of_all(kind: str, name: str | None) -> str | None:
    """Only freezes are for all environments."""
    return name if kind in ("freeze", "unfreeze") else name or "dev"


events = st.lists(
    st.builds(
        lambda kind, version, name: (kind, version, of_all(kind, name)),
        st.sampled_from(KINDS),
        st.sampled_from(VERSIONS),
        st.sampled_from([*NAMES, None]),
    ),
    max_size=40,
).map(
    lambda many: [event(kind, version, name, number * 1_000_000) for number, (kind, version, name) in enumerate(many)]
)


@given(events)
def test_outline_comes_to_the_same_holds_freezes_moves_and_releases(many: list[Event]) -> None:
    log = log_of(many)
    whole = Ledger(journal.parse(log))
    states = [state_of(name, whole.moves.get(name, [])) for name in NAMES]
    found = Ledger(outline(log, states))
    assert (found.holds, found.freezes) == (whole.holds, whole.freezes)
    for state in states:
        assert found.last_move(state.name) == whole.last_move(state.name)
        if state.current is not None:
            version = state.current.version
            assert found.releases.get(version) == whole.releases.get(version)
            assert _let_in(found, state.name, version) == _let_in(whole, state.name, version)


def _let_in(ledger: Ledger, name: str, version: str) -> list[Entry]:
    return [one for one in ledger.moves[name] if (one.event.kind, one.event.version) == ("promote", version)]


def test_outline_of_many_events_parses_few() -> None:
    many = [
        event(kind, f"v{number}", "prod", number * 1_000_000)
        for number in range(100)
        for kind in ("release", "approve", "promote")
    ]
    log = log_of(many)
    state = state_of("prod", Ledger(journal.parse(log)).moves["prod"])
    assert [(one.event.kind, one.event.version) for one in outline(log, [state])] == [
        ("release", "v99"),
        ("promote", "v99"),
    ]
    assert outline(b"", [state]) == []


@pytest.mark.parametrize("message", ["no event", "promote", "hold prod\n\n{}\n", "release"])
def test_outline_with_a_commit_that_is_no_event_is_corrupt(message: str) -> None:
    damaged = f"{'a' * 40}\0{'b' * 40}\0{message}\x01\0".encode()
    state = state_of("prod", [Entry("0" * 40, event("promote", "v1", "prod", 1))])
    log = log_of([event("promote", "v1", "prod", 1)]) + damaged
    with pytest.raises(Corrupt):
        outline(log, [state])


def test_outline_finds_a_commit_that_only_its_first_line_makes_an_event_wherever_it_is() -> None:
    damaged = f"{'a' * 40}\0{'b' * 40}\0approve v1 prod\x01\0".encode()
    log = damaged + log_of([event("promote", "v1", "prod", 1)])
    with pytest.raises(Corrupt, match="approve v1 prod"):
        outline(log, [])


def test_outline_checks_the_newest_event_whatever_it_is() -> None:
    log = log_of([event("approve", "v1", "prod", 1), event("approve", "v2", "prod", 2)])
    assert [one.event.version for one in outline(log, [])] == ["v2"]
    with pytest.raises(Corrupt, match="was edited"):
        outline(log.replace(b'"name":"Ada"', b'"name":"Eve"'), [])


def test_is_seen_compares_the_newest_event_with_what_the_clone_remembers(tmp_path: object) -> None:
    class Remembering:
        """git that knows one ref."""

        def __init__(self, oid: str | None) -> None:
            self.oid = oid

        def ask(self, *args: str) -> str | None:
            return self.oid if args[-1] == journal.SEEN else None

    one, two = log_of([event("hold", "v1", "dev", 1)]), log_of([event("hold", "v1", "dev", n) for n in (1, 2)])
    first, second = f"{0:040x}", f"{1:040x}"
    for log, seen, expected in (
        (one, first, True),
        (one, second, False),
        (two, second, True),
        (two, first, False),
        (b"", None, True),
        (b"", first, False),
        (one, None, False),
    ):
        assert journal.is_seen(Remembering(seen), log) is expected  # type: ignore[arg-type]
