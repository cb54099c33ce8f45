import pytest

from gitkit.errors import Corrupt
from gitkit.registry.problems import Transient
from gitkit.registry.retry import RetryPolicy, parse_retry_after

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_parse_retry_after_seconds_or_date(value: str | None, expected: float | None) -> None:
    assert parse_retry_after(value, NOW) == expected


def test_delay_without_wish_of_the_server_grows_to_the_cap() -> None:
    policy = RetryPolicy(base_s=0.5, cap_s=3.0, jitter=lambda: 1.0)
    assert [policy.delay_s(attempt, None) for attempt in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_delay_is_a_random_share_of_the_whole_span() -> None:
    assert RetryPolicy(base_s=8.0, jitter=lambda: 0.25).delay_s(0, None) == 2.0


def test_delay_the_server_asks_for_is_capped() -> None:
    assert RetryPolicy().delay_s(0, 7.0) == 7.0
    assert RetryPolicy().delay_s(0, 86_400.0) == 60.0


def test_run_returns_the_first_success_and_waits_between_tries() -> None:
    waits: list[float] = []
    outcomes = iter([Transient("a"), Transient("b", retry_after_s=9.0), "done"])

    def action() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, Transient):
            raise outcome
        return outcome

    assert RetryPolicy(sleep=waits.append, jitter=lambda: 1.0).run(action) == "done"
    assert waits == [0.5, 9.0]


def test_run_gives_up_with_the_last_failure() -> None:
    waits: list[float] = []
    tries: list[int] = []

    def action() -> None:
        tries.append(1)
        raise Transient(f"try {len(tries)}")

    with pytest.raises(Transient, match="try 5"):
        RetryPolicy(sleep=waits.append).run(action)
    assert (len(tries), len(waits)) == (5, 4)


def test_run_does_not_repeat_other_errors() -> None:
    def action() -> None:
        raise Corrupt("no")

    with pytest.raises(Corrupt):
        RetryPolicy(sleep=lambda _: pytest.fail("waited")).run(action)
