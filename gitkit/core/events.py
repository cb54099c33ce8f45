"""What operations tell while they work. They print nothing; the command line decides how it looks."""

from collections.abc import Callable
from typing import NamedTuple


class Started(NamedTuple):
    """Work of known size begins: ``verb`` (``uploading``), number of files (or ``noun``), bytes in all."""

    verb: str
    files: int
    bytes: int
    noun: str = "file"


class Advanced(NamedTuple):
    """``bytes`` more are done. Comes from any thread; negative when an attempt starts over."""

    bytes: int


class Finished(NamedTuple):
    """The work that was started last ended: ``verb`` (``uploaded``), and how much of it was really done."""

    verb: str
    files: int
    bytes: int
    noun: str = "file"


class Warned(NamedTuple):
    """Something that the person should know and that stops nothing."""

    text: str


Event = Started | Advanced | Finished | Warned
Sink = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A sink for callers that show nothing."""
