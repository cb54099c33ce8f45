"""How long an agent waits, with a clock of the test's own."""

import pytest

from gitkit.errors import GateRefused, InvalidFile, KitError, NetworkError
from gitkit.lifecycle.deploy.agent import LIMIT_S, BackOff, watch
from gitkit.lifecycle.deploy.state import Failed


class Ended(Exception):
    """The test has seen enough."""


def watched(outcomes: list[KitError | None], chance: float = 0.5) -> tuple[list[float], list[tuple[str, float]]]:
    """Run the agent until ``outcomes`` are used up: how long it slept, and what it told of failures."""
    left, slept, told = list(outcomes), [], []

    def once() -> None:
        if not left:
            raise Ended
        outcome = left.pop(0)
        if outcome is not None:
            raise outcome

    def failed(error: KitError, delay_s: float) -> None:
        told.append((error.message, delay_s))

    with pytest.raises(Ended):
        watch(once, every_s=60, sleep=slept.append, chance=lambda: chance, on_failure=failed)
    return slept, told


def test_watch_without_failures_sleeps_the_same_time() -> None:
    assert watched([None, None]) == ([60, 60], [])


def test_watch_with_failures_waits_twice_as_long_each_time_up_to_ten_minutes_and_starts_over() -> None:
    down = NetworkError("down")
    slept, told = watched([None, down, down, down, down, down, None, down])
    assert slept == [60, 60, 120, 240, 480, 600, 60, 60]
    assert told == [("down", delay_s) for delay_s in (60, 120, 240, 480, 600, 60)]


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 54.0), (1.0, 66.0)])
def test_watch_sleeps_a_tenth_more_or_less_by_chance(chance: float, expected: float) -> None:
    assert watched([None], chance)[0] == [pytest.approx(expected)]


def test_watch_whose_first_call_can_never_work_raises() -> None:
    def once() -> None:
        raise InvalidFile("no such environment")

    told: list[object] = []
    with pytest.raises(InvalidFile):
        watch(once, every_s=1, sleep=told.append, chance=lambda: 0.5, on_failure=lambda *args: told.append(args))
    assert told == []


def test_watch_that_worked_once_survives_what_would_have_ended_it_at_first() -> None:
    assert watched([None, InvalidFile("broken meanwhile")])[0] == [60, 60]


def test_watch_whose_first_call_fails_for_now_goes_on() -> None:
    assert watched([NetworkError("down"), GateRefused("not yet")])[0] == [60, 120]


def test_back_off_after_very_many_failures_is_the_limit() -> None:
    assert BackOff(0.5).delay_s(100_000) == LIMIT_S
    assert BackOff(3600).delay_s(1) == LIMIT_S


def test_back_off_waits_what_is_left_since_the_last_failure() -> None:
    failed = Failed("sha256:" + "0" * 64, 1000.0, 3)
    assert BackOff(10).waits(failed, 1000.0) == 40
    assert BackOff(10).waits(failed, 1030.0) == 10
    assert BackOff(10).waits(failed, 1040.0) == 0
    assert BackOff(10).waits(failed, 900.0) == 40  # the clock was set back
