"""What a pickle would do, found out without doing it: every name that it looks up, and what it calls.

A pickle is a program. Here its instructions move placeholders on a stack, as Python's two unpicklers move objects, so
that it is known which text is which: ``STACK_GLOBAL`` takes module and name from the stack. What cannot be followed is
said, never guessed. Whether a name is harmless is decided by ``gitkit.core.harmless``.

Two loaders read more than pickles: PyTorch's legacy format puts raw tensors after five pickles, and joblib puts the
bytes of an array right behind the ``BUILD`` of its placeholder (``gitkit.core.joblib_arrays``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gitkit.core import joblib_arrays
from gitkit.core.machine import ANYTHING, Global, Machine
from gitkit.core.opcodes import (
    HIGHEST_PROTOCOL,
    Damaged,
    Instruction,
    Stream,
    TooShort,
    Unfollowable,
    is_instruction,
    read,
)
from gitkit.core.tensors import ReadAt

MAX_INSTRUCTIONS = 20_000_000
"""So many are followed in one stream; some 40 seconds."""

_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_TORCH_PICKLES = 5
_PEEKED = 64 << 10  # bytes of an array that are also tried as instructions
_MAX_GLOBALS = 10_000
_NAME = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """``globals`` are all names that are looked up, each once. ``problems`` are reasons to refuse it that no list of
    allowed names can lift. ``unread`` says why it could not be followed to its end: then nobody knows.

    ``protocol`` is the highest one it names, 0 where it names none. ``torch`` where it is in PyTorch's legacy format;
    ``persistent`` where it asks its loader for objects, as PyTorch's pickles do. ``arrays`` are those of joblib;
    ``otherwise`` are names that loaders which do not know of them would look up instead.
    """

    globals: tuple[Global, ...]
    problems: tuple[str, ...] = ()
    unread: str | None = None
    pickles: int = 0
    protocol: int = 0
    torch: bool = False
    persistent: bool = False
    arrays: int = 0
    otherwise: tuple[Global, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Notes:
    """What was found so far. ``calls`` counts calls of something that has the name of a thing in Python."""

    globals: dict[Global, None] = field(default_factory=dict)
    problems: dict[str, None] = field(default_factory=dict)
    calls: int = 0
    protocol: int = 0
    persistent: bool = False
    arrays: int = 0
    instructions: int = 0
    otherwise: dict[Global, None] = field(default_factory=dict)

    def add(self, machine: Machine) -> None:
        self.globals |= machine.globals
        self.problems |= machine.problems
        self.calls += sum(found == ANYTHING or all(map(_NAME.fullmatch, found)) for found in machine.called)
        self.persistent |= machine.persistent
        self.protocol = max(self.protocol, machine.protocol)
        if len(self.globals) + len(self.otherwise) > _MAX_GLOBALS:
            raise Unfollowable("it uses too many names")


def scan(read_at: ReadAt, at: int = 0, *, persistent: bool = False) -> Scan | None:
    """Follow the pickles that start at ``at``, one after the other; None where there are none.

    A stream that names no protocol (0 and 1 do not) is a pickle where it can be followed to its end, looks up names on
    the way, or calls something. ``persistent``: its loader gives objects to whoever asks, as PyTorch's does.

    Raises:
        KitError: what ``read_at`` raises.
    """
    stream = Stream(read_at, at)
    notes = _Notes()
    head = stream.peek(3)
    marked = head[:1] == b"\x80" and head[1:2] <= bytes([HIGHEST_PROTOCOL]) and is_instruction(head[2:])
    ended: list[object] = []
    before = calls = 0
    failure: Damaged | None = None
    unread = None
    try:
        while stream.peek(1):
            ended.append(_walk(stream, notes))
            before, calls = len(notes.globals), notes.calls
    except Damaged as error:
        failure = error
    except Unfollowable as error:
        unread = str(error)
    torch = ended[:1] == [_TORCH_MAGIC]
    if not _is_pickle(notes, marked, ended, before, failure, unread):
        return None
    if failure is not None and not (torch and len(ended) >= _TORCH_PICKLES and notes.calls == calls):
        where = "what follows a pickle is none" if ended else "it does not end properly"
        notes.problems[f"damaged or hidden: {where} ({failure})"] = None
    if notes.persistent and not (persistent or torch):
        notes.problems["it asks its loader for objects, and is in no PyTorch file"] = None
    return Scan(
        globals=tuple(notes.globals),
        problems=tuple(notes.problems),
        unread=unread,
        pickles=max(len(ended), 1),
        protocol=notes.protocol,
        torch=torch,
        persistent=notes.persistent,
        arrays=notes.arrays,
        otherwise=tuple(name for name in notes.otherwise if name not in notes.globals),
    )


def _is_pickle(
    notes: _Notes, marked: bool, ended: list[object], before: int, failure: Damaged | None, unread: str | None
) -> bool:
    if unread is not None or notes.calls:
        return True
    if failure is None:
        return bool(ended)
    if ended:
        return before > 0 or marked or ended[0] == _TORCH_MAGIC
    return marked


# -- one pickle ----------------------------------------------------------------------------------------------------


class _Steps:
    """The instructions of one pickle up to its end, and whether its frames fit them.

    A frame only says how much to read ahead. Python's unpickler in C joins what is cut by the end of a frame in another
    way than the one in Python, so there a name has two readings.
    """

    def __init__(self, stream: Stream, notes: _Notes) -> None:
        self._stream, self._notes = stream, notes
        self._frame_end = 0

    @property
    def in_frame(self) -> bool:
        return self._stream.at < self._frame_end

    def __iter__(self) -> Iterator[Instruction]:
        while (step := self._next()).name != "STOP":
            yield step

    def _next(self) -> Instruction:
        framed = self.in_frame
        try:
            step = _next(self._stream, self._notes)
        finally:
            if framed and self._stream.at > self._frame_end:
                self._refuse()
        if self.in_frame if step.name == "STOP" else framed and step.name == "FRAME":
            self._refuse()
        if step.name == "FRAME" and isinstance(step.argument, int):
            self._frame_end = self._stream.at + step.argument
        return step

    def _refuse(self) -> None:
        self._notes.problems["its frames do not fit its instructions"] = None
        self._notes.calls += 1  # what comes now may be read as a call


def _walk(stream: Stream, notes: _Notes) -> object:
    """Follow one pickle to its end; returns what stays on the stack."""
    machine = Machine()
    steps = _Steps(stream, notes)
    try:
        for step in steps:
            machine.do(step)
            if machine.array is not None:
                if steps.in_frame:
                    raise Unfollowable("an array of joblib is inside of a frame")
                _array(stream, machine, notes)
        return machine.pop()
    finally:
        notes.add(machine)


def _next(stream: Stream, notes: _Notes) -> Instruction:
    notes.instructions += 1
    if notes.instructions > MAX_INSTRUCTIONS:
        raise Unfollowable("it has more instructions than are followed")
    return read(stream)


def _array(stream: Stream, machine: Machine, notes: _Notes) -> None:
    """Step over the array that joblib has put here. Other loaders take its bytes as instructions: so do we, first."""
    placeholder = machine.take_array()
    notes.arrays += 1
    if joblib_arrays.holds_objects(placeholder):
        _nested(stream, machine, notes)
        return
    size = joblib_arrays.size_of(placeholder)
    _try_as_instructions(stream, machine.fork(), notes)
    padding = stream.take(1)[0] if joblib_arrays.is_padded(placeholder) else 0
    stream.skip(padding)
    stream.skip(size)


def _try_as_instructions(stream: Stream, plain: Machine, notes: _Notes) -> None:
    data = stream.peek(_PEEKED)
    inner, found = Stream(lambda offset, size: data[offset : offset + size]), _Notes()
    try:
        while (step := _next(inner, found)).name != "STOP":
            plain.do(step)
    except TooShort as error:
        if len(data) == _PEEKED:
            raise Unfollowable("an array of joblib reads as a pickle") from error
    except Damaged:
        pass
    found.add(plain)
    if found.calls:
        notes.globals |= found.globals
        notes.problems |= found.problems
        notes.calls += found.calls


def _nested(stream: Stream, outer: Machine, notes: _Notes) -> None:
    """A pickle inside of a pickle. Loaders that do not know of it go on with the stack of the outer one."""
    inner = Machine()
    plain: Machine | None = outer.fork()
    try:
        for step in _Steps(stream, notes):
            inner.do(step)
            inner.array = None  # joblib itself does not look for arrays here
            plain = _goes_on(plain, step, notes)
        inner.pop()
    finally:
        notes.add(inner)


def _goes_on(plain: Machine | None, step: Instruction, notes: _Notes) -> Machine | None:
    """The machine of another loader after ``step``; None once it has failed."""
    if plain is None:
        return None
    try:
        plain.do(step)
    except Damaged:
        return None
    finally:
        notes.otherwise |= {name: None for name in plain.globals if _NAME.fullmatch(name.module)}
        if plain.problems:
            notes.otherwise[ANYTHING] = None
        plain.globals = {}
    return plain
