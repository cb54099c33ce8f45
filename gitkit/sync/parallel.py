"""Work in several threads that nobody waits for once it is not wanted any more: ^C ends a command at once.

The threads of ``concurrent.futures`` are waited for by ``with`` and again when the interpreter ends, however long a
stalled transfer takes. These are daemons: everything that they do may be cut anywhere (``gitkit.store.layout``).
"""

import queue
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

_AWAKE_S = 0.2


class Threads:
    """Runs what is submitted, at most ``limit`` at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._started = 0
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def submit(self, work: Callable[[], R]) -> "Future[R]":
        """Run ``work`` when a thread is free."""
        from concurrent.futures import Future

        future: Future[R] = Future()
        self._tasks.put(lambda: _run(future, work))
        if self._started < self._limit:
            self._started += 1
            threading.Thread(target=self._work, daemon=True).start()
        return future

    def end(self) -> None:
        """Let the threads go when they have done what was submitted before; returns at once."""
        for _ in range(self._started):
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


def each(function: Callable[[T], R], items: Iterable[T], *, limit: int) -> list[R]:
    """``function`` of every item, in the order of ``items``.

    Raises:
        Whatever ``function`` raises first: nothing more is begun then, and what is running is left to itself.
    """
    threads = Threads(limit)
    futures = [threads.submit(partial(function, item)) for item in items]
    try:
        return [wait_for(future) for future in futures]
    finally:
        for future in futures:
            future.cancel()
        threads.end()


def wait_for(future: "Future[R]") -> R:
    """The result, once it is there.

    A signal may be delivered to any thread, and its handler runs in the main one when that wakes up.
    """
    while True:
        try:
            return future.result(timeout=_AWAKE_S)
        except TimeoutError:
            if future.done():  # the work's own
                raise


def _run(future: "Future[R]", work: Callable[[], R]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
