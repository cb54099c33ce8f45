"""The agent: one deploy after the other, and how long to wait in between.

A failure is told and tried again later: after the usual time first, then after twice as long each time, up to ten
minutes. The clock, the sleep and the chance are passed in.
"""

from collections.abc import Callable
from typing import NamedTuple, NoReturn

from gitkit.errors import Conflict, InvalidFile, KitError, UsageError
from gitkit.lifecycle.deploy.state import Failed

LIMIT_S = 600.0
_DOUBLINGS = 20
_JITTER = 0.1
"""A tenth more or less, so that many machines do not ask at the same moment."""

_HOPELESS = (UsageError, InvalidFile, Conflict)
"""What a person must mend, when it is so from the start."""


class BackOff(NamedTuple):
    """``base_s`` seconds after the first failure, then twice as many each time, up to ``limit_s``."""

    base_s: float
    limit_s: float = LIMIT_S

    def delay_s(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, one at least."""
        return min(self.limit_s, self.base_s * 2.0 ** min(failures - 1, _DOUBLINGS))

    def waits(self, failed: Failed, now: float) -> float:
        """Seconds until a kit that failed may be tried again; 0 for now. A clock that was set back does not block."""
        left = self.delay_s(failed.attempts) - max(0.0, now - failed.time)
        return max(0.0, left)


def watch(
    deploy_once: Callable[[], object],
    *,
    every_s: float,
    sleep: Callable[[float], None],
    chance: Callable[[], float],
    on_failure: Callable[[KitError, float], None],
) -> NoReturn:
    """Call ``deploy_once`` every ``every_s`` seconds until an exception that is no ``KitError`` ends it.

    ``chance`` gives a number from 0 to 1. ``on_failure`` is told what failed and after how many seconds it is tried
    again.

    Raises:
        UsageError, InvalidFile, Conflict: at the first call; later they are failures like others.
    """
    back_off = BackOff(every_s)
    failures, first = 0, True
    while True:
        delay_s = every_s
        try:
            deploy_once()
            failures = 0
        except KitError as error:
            if first and isinstance(error, _HOPELESS):
                raise
            failures += 1
            delay_s = back_off.delay_s(failures)
            on_failure(error, delay_s)
        first = False
        sleep(delay_s * (1 + _JITTER * (2 * chance() - 1)))
