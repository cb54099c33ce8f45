"""Progress of transfers on stderr: a bar on a terminal, and everywhere one line when a piece of work has ended."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gitkit.cli.output import human_size, plural, say, show_message
from gitkit.core.events import Advanced, Event, Finished, Sink, Started, Warned


@contextmanager
def shown() -> Iterator[Sink]:
    """A sink whose events the person sees."""
    view = _Bar() if sys.stderr.isatty() else _Lines()
    try:
        yield view.handle
    finally:
        view.close()


class _Lines:
    def __init__(self) -> None:
        self._since = 0.0
        self._started: Started | None = None

    def handle(self, event: Event) -> None:
        if isinstance(event, Started):
            self._started, self._since = event, time.monotonic()
            self.start(event)
        elif isinstance(event, Advanced):
            self.advance(event.bytes)
        elif isinstance(event, Finished) and self._started is not None:
            self.finish(event, time.monotonic() - self._since)
            self._started = None
        elif isinstance(event, Warned):
            say(f"warning: {show_message(event.text)}")

    def start(self, event: Started) -> None:
        pass

    def advance(self, count: int) -> None:
        pass

    def finish(self, event: Finished, seconds: float) -> None:
        if event.files:
            say(f"{event.verb} {plural(event.files, event.noun)}, {human_size(event.bytes)} in {seconds:.1f} s")

    def close(self) -> None:
        pass


class _Bar(_Lines):
    def __init__(self) -> None:
        super().__init__()
        self._progress: Any = None
        self._task: Any = None

    def start(self, event: Started) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            DownloadColumn(binary_units=True),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task(f"{event.verb} {plural(event.files, event.noun)}", total=event.bytes)
        self._progress.start()

    def advance(self, count: int) -> None:
        if self._progress is not None:
            self._progress.advance(self._task, count)

    def finish(self, event: Finished, seconds: float) -> None:
        self.close()
        super().finish(event, seconds)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
