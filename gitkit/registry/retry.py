"""Trying again: which delay, how often. The only place that waits, by a function that is passed in."""

import email.utils
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gitkit.registry.problems import Transient

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter")."""

    tries: int = 5
    base_s: float = 0.5
    cap_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def run(self, action: Callable[[], T]) -> T:
        """What ``action`` returns, calling it again after a ``Transient`` until ``tries`` are used up.

        Raises:
            Transient: the last one.
            KitError: whatever else ``action`` raises, at once.
        """
        for attempt in range(self.tries - 1):
            try:
                return action()
            except Transient as error:
                delay_s = self.delay_s(attempt, error.retry_after_s)
            self.sleep(delay_s)
        return action()

    def delay_s(self, attempt: int, retry_after_s: float | None) -> float:
        """Seconds to wait after try number ``attempt`` (from 0): what the server asked for, or a random share."""
        if retry_after_s is not None:
            return min(retry_after_s, self.cap_s)
        return self.jitter() * min(self.cap_s, self.base_s * 2.0**attempt)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a ``Retry-After`` header (seconds or a date, RFC 9110 section 10.2.3) asks for; None if unreadable.

    ``now`` is in seconds since the epoch.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None
