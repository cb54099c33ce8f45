"""Times in a policy: durations (``24h``), cron expressions with a time zone, and windows of them.

Cron expressions have the five fields of crontab(5): minute, hour, day of the month, month, day of the week, with lists,
ranges and steps, and names for months and weekdays. As there, where both days are restricted, either will do.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:[0-9]+[smhdw])+")
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_WEEKDAYS = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_MAX_DURATION_S = 366 * 86400
_MAX_DIGITS = 9


class Cron(NamedTuple):
    """Which values each field allows; a field of days is restricted where it does not start with ``*``."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    days_restricted: bool
    weekdays_restricted: bool

    def runs_on(self, day: date) -> bool:
        """Whether there is a time on this day."""
        if day.month not in self.months:
            return False
        by_date, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.days_restricted and self.weekdays_restricted:
            return by_date or by_week
        return by_date and by_week


class Deny(NamedTuple):
    """A span of time: ``start`` counts, ``end`` does not."""

    start: datetime
    end: datetime


def parse_duration(text: str) -> int:
    """Seconds in ``90s``, ``10m``, ``24h``, ``7d``, ``2w`` or ``1d12h``; more than 0, at most 366 days.

    Raises:
        ValueError: it is none.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f'"{text}" is not a duration, such as "90s", "24h" or "7d"')
    parts = [(number.lstrip("0") or "0", unit) for number, unit in re.findall("([0-9]+)([smhdw])", text)]
    is_huge = any(len(number) > _MAX_DIGITS for number, _ in parts)
    seconds = 0 if is_huge else sum(int(number) * _UNITS[unit] for number, unit in parts)
    if not 0 < seconds <= _MAX_DURATION_S:
        raise ValueError(f'"{text}" is not between 1 second and 366 days')
    return seconds


def show_duration(seconds: int) -> str:
    """``93600`` as ``1d2h``: the two largest units."""
    parts = []
    left = max(0, seconds)
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def parse_zone(name: str) -> tzinfo:
    """A time zone by its IANA name.

    Raises:
        ValueError: there is no zone of that name on this machine.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'"{name}" is not a time zone that this machine knows, such as "Europe/Berlin"') from error


@lru_cache
def parse_cron(text: str) -> Cron:
    """A cron expression.

    Raises:
        ValueError: says which field is wrong.
    """
    words = text.split()
    if len(words) != len(_FIELDS):
        raise ValueError(f'"{text}" is not a cron expression: it has {len(words)} fields, not 5')
    minutes, hours, days, months, weekdays = (_field(word, *field) for word, field in zip(words, _FIELDS, strict=True))
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        days_restricted=not words[2].startswith("*"),
        weekdays_restricted=not words[4].startswith("*"),
    )


def _field(text: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        try:
            found.update(_values(part, {"month": _MONTHS, "weekday": _WEEKDAYS}.get(name, {}), low, high))
        except ValueError as error:
            raise ValueError(f'"{part}" is no {name} of a cron expression ({low}-{high})') from error
    return frozenset(found)


def _values(part: str, names: Mapping[str, int], low: int, high: int) -> range:
    """``5``, ``mon-fri``, ``*/15`` or ``10-20/5``; a single value with a step goes on to the end."""
    span, slash, step = part.partition("/")
    first, dash, last = span.partition("-")
    every = int(step) if slash else 1
    if span == "*":
        start, end = low, high
    else:
        start = names[first] if first in names else int(first)
        stop = last if dash else first
        end = high if slash and not dash else names[stop] if stop in names else int(stop)
    if every < 1 or not low <= start <= end <= high:
        raise ValueError(part)
    return range(start, end + 1, every)


def parse_deny(text: str, tz: str) -> Deny | Cron:
    """A span of days (``2026-12-20/2027-01-03``, both included) or of times, else a cron expression.

    Raises:
        ValueError: it is neither.
    """
    if " " in text:
        return parse_cron(text)
    if "/" not in text:
        day = text if len(text) == len("2026-12-20") else "2026-12-20"
        raise ValueError(f'"{text}" is neither a span, such as "{day}/{day}", nor a cron expression')
    first, _, last = text.partition("/")
    zone = parse_zone(tz)
    start, end = _moment(first, zone, end=False), _moment(last, zone, end=True)
    if start >= end:
        raise ValueError(f'"{text}" ends before it starts')
    return Deny(start, end)


def _moment(text: str, zone: tzinfo, *, end: bool) -> datetime:
    try:
        if len(text) == 10:
            day = date.fromisoformat(text) + timedelta(days=1 if end else 0)
            found = datetime.combine(day, time(), zone)
        else:
            found = datetime.fromisoformat(text)
            found = found if found.tzinfo else found.replace(tzinfo=zone)
        found.astimezone(UTC)  # which the ends of the calendar have not everywhere
    except (ValueError, OverflowError) as error:
        raise ValueError(f'"{text}" is not a day or time, such as "2026-12-20" or "2026-12-20T18:00"') from error
    return found


def is_open(cron: Cron, duration_s: int, tz: str, at: datetime) -> bool:
    """Whether ``at`` (aware) lies within ``duration_s`` after a time of ``cron`` in the zone ``tz``.

    Raises:
        ValueError: this machine does not know the zone.
    """
    zone = parse_zone(tz)
    # UTC on both sides: two times of one zone are compared, and subtracted, by what the clocks on the wall show.
    now = at.astimezone(UTC)
    return any(start <= now < start + timedelta(seconds=duration_s) for start in _starts(cron, zone, now, duration_s))


def _starts(cron: Cron, zone: tzinfo, now: datetime, duration_s: int) -> Iterator[datetime]:
    """Times of ``cron`` that may still last, newest first."""
    day = now.astimezone(zone).date()
    oldest = (now - timedelta(seconds=duration_s)).astimezone(zone).date()
    while day >= oldest:
        if cron.runs_on(day):
            for hour in sorted(cron.hours, reverse=True):
                for minute in sorted(cron.minutes, reverse=True):
                    yield datetime.combine(day, time(hour, minute), zone).astimezone(UTC)
        day -= timedelta(days=1)
