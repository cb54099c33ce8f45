"""Durations, cron expressions and windows."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.core.schedule import Deny, is_open, parse_cron, parse_deny, parse_duration, show_duration


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("24h", 86400), ("7d", 604800), ("2w", 1209600), ("1d12h", 129600)]
)
def test_duration_is_read_in_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "h", "1.5h", "-1h", "0s", "1h ", "367d", "9" * 30 + "s", "1y"])
def test_duration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match='"'):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1000000000005s", "1d1000000000005s", "9" * 5000 + "h", "40000000000w"])
def test_duration_of_a_huge_number_is_out_of_range_and_no_part_of_it_is_taken(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not between 1 second and 366 days$"):
        parse_duration(text)


def test_duration_may_have_zeros_in_front() -> None:
    assert parse_duration("00000000000090s") == 90


@given(st.integers(1, 366 * 86400))
def test_shown_duration_is_at_most_one_unit_off(seconds: int) -> None:
    shown = show_duration(seconds)
    assert parse_duration(shown) <= seconds
    assert seconds - parse_duration(shown) < 3600


@pytest.mark.parametrize(
    ("text", "moment", "is_in"),
    [
        ("0 9 * * 1-5", "2026-11-23T09:00", True),  # a Monday
        ("0 9 * * 1-5", "2026-11-23T16:59", True),
        ("0 9 * * 1-5", "2026-11-23T17:00", False),
        ("0 9 * * 1-5", "2026-11-23T08:59", False),
        ("0 9 * * 1-5", "2026-11-22T10:00", False),  # a Sunday
        ("0 9 * * mon-fri", "2026-11-23T10:00", True),
        ("0 9 * * 7", "2026-11-22T10:00", True),
        ("0 20 * * *", "2026-11-23T02:00", True),  # since yesterday
        ("*/30 1 * * *", "2026-11-23T01:29", True),
        ("15,45 1-3/2 24 nov *", "2026-11-24T03:44", True),
        ("0 0 1 * 1", "2026-11-23T01:00", True),  # either day will do
        ("0 0 1 * 1", "2026-12-01T01:00", True),
        ("0 0 1 * 1", "2026-12-02T09:00", False),
    ],
)
def test_window_of_eight_hours_is_open_as_cron_says(text: str, moment: str, is_in: bool) -> None:
    assert is_open(parse_cron(text), 8 * 3600, "UTC", at(moment)) is is_in


@pytest.mark.parametrize(
    "text",
    [
        *("", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "5-1 * * * *"),
        *("*/0 * * * *", "a * * * *", "1- * * * *", "-1 * * * *", "* * * * mond"),
    ],
)
def test_cron_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cron expression"):
        parse_cron(text)


def test_window_follows_the_clocks_on_the_wall_through_summer_time() -> None:
    nine = parse_cron("0 9 * * *")
    assert is_open(nine, 3600, "Europe/Berlin", at("2026-03-28T08:30"))  # UTC+1
    assert not is_open(nine, 3600, "Europe/Berlin", at("2026-03-28T07:30"))
    assert is_open(nine, 3600, "Europe/Berlin", at("2026-03-29T07:30"))  # UTC+2
    night = parse_cron("0 0 29 3 *")
    assert is_open(night, 4 * 3600, "Europe/Berlin", at("2026-03-29T02:59"))  # four hours, though clocks show five
    assert not is_open(night, 4 * 3600, "Europe/Berlin", at("2026-03-29T03:00"))


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.integers(1, 86400 * 3))
def test_window_is_open_exactly_while_its_last_start_lasts(moment: datetime, duration_s: int) -> None:
    moment = moment.replace(tzinfo=UTC)
    started = moment.replace(hour=6, minute=30, second=0, microsecond=0)
    if started > moment:
        started -= timedelta(days=1)
    expected = moment < started + timedelta(seconds=duration_s)
    assert is_open(parse_cron("30 6 * * *"), duration_s, "UTC", moment) is expected


def test_span_of_days_includes_both_in_its_zone() -> None:
    span = parse_deny("2026-12-20/2027-01-03", "Europe/Berlin")
    assert isinstance(span, Deny)
    assert (span.start.astimezone(UTC), span.end.astimezone(UTC)) == (at("2026-12-19T23:00"), at("2027-01-03T23:00"))
    times = parse_deny("2026-12-20T18:00/2026-12-20T20:00+00:00", "UTC")
    assert isinstance(times, Deny)
    assert (times.start, times.end) == (at("2026-12-20T18:00"), at("2026-12-20T20:00"))
    assert not isinstance(parse_deny("*/5 * * * *", "UTC"), Deny)


@pytest.mark.parametrize(
    "text", ["2026-12-20/", "/2026-12-20", "2026-13-01/2026-13-02", "2027-01-01/2026-01-01", "x/y"]
)
def test_span_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match='"'):
        parse_deny(text, "UTC")
