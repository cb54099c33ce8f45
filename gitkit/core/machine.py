"""The stack, the marks and the memo of an unpickler, with placeholders in place of objects."""

from collections.abc import Callable
from typing import Any, NamedTuple

from gitkit.core.opcodes import HIGHEST_PROTOCOL, UNKNOWN, Damaged, Instruction, Unfollowable, Unknown

MAX_DEPTH = 1_000_000
"""Values on the stack, and marks."""

MAX_MEMO = 2_000_000
"""Values in the memo."""

ARRAY = ("joblib.numpy_pickle", "NumpyArrayWrapper")
DTYPE = ("numpy", "dtype")

_MAX_ITEMS = 64  # of a tuple or dictionary whose items are known
_MAX_KNOWN = 500_000  # tuples and dictionaries whose items are known


class Global(NamedTuple):
    """Something that is looked up: a class or function of a module."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


ANYTHING = Global("*", "*")
"""Stands for a name that cannot be told."""


class Made:
    """An object of one of the classes that are followed, with what was given to it."""

    __slots__ = ("arguments", "of", "state")

    def __init__(self, of: Global, arguments: "Value") -> None:
        self.of = of
        self.arguments = arguments
        self.state: list[Value] = []


class Items:
    """A dictionary whose keys are texts; ``known`` is None once it holds more than is followed."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[str, Value] | None = {}

    def set(self, pairs: "list[Value]") -> None:
        for key, value in zip(pairs[::2], pairs[1::2], strict=False):
            if self.known is None or not isinstance(key, str) or len(self.known) >= _MAX_ITEMS:
                self.known = None
                return
            self.known[key] = value


Value = str | int | None | tuple["Value", ...] | Global | Made | Items | Unknown


class Machine:
    """Carries instructions out on placeholders.

    ``globals`` are the names that were looked up, ``called`` those of them that were called, ``problems`` what no
    harmless pickle does. ``array`` is the placeholder of an array of joblib that was just completed.
    """

    def __init__(self) -> None:
        self.globals: dict[Global, None] = {}
        self.called: dict[Global, None] = {}
        self.problems: dict[str, None] = {}
        self.persistent = False
        self.protocol = 0
        self.array: Made | None = None
        self._stack: list[Value] = []
        self._marks: list[int] = []
        self._memo: dict[int, Value] = {}
        self._older: dict[int, Value] = {}
        self._remembered = 0  # keys of both memos: the next number of MEMOIZE
        self._known = 0
        self._follows = True

    def fork(self) -> "Machine":
        """Another machine that goes on from here and leaves this one as it is."""
        other = Machine()
        other._stack, other._marks = list(self._stack), list(self._marks)
        other._older, other._remembered = self._memo, self._remembered
        other._follows = False
        return other

    def take_array(self) -> Made:
        """The placeholder of the array, in whose place the array itself is now."""
        made, self.array = self.array, None
        if made is None:
            raise Damaged("there is no array")
        self._stack[-1] = UNKNOWN
        return made

    def do(self, step: Instruction) -> None:
        """Carry out one instruction.

        Raises:
            Damaged: an unpickler fails here.
            Unfollowable: there is more than is kept in memory.
        """
        name, argument = step
        if name in _PUSHED:
            self._push(_PUSHED[name])
        elif name in _VALUES:
            self._push(argument)
        else:
            _ACTIONS[name](self, argument)

    def pop(self) -> Value:
        self._require(1)
        return self._stack.pop()

    # -- the stack -------------------------------------------------------------------------------------------------

    def _require(self, count: int) -> None:
        if len(self._stack) - count < (self._marks[-1] if self._marks else 0):
            raise Damaged("it takes more from its stack than is there")

    def _push(self, value: Value) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise Unfollowable("it puts more on its stack than is followed")
        self._stack.append(value)

    def _top(self) -> Value:
        self._require(1)
        return self._stack[-1]

    def _slice(self) -> list[Value]:
        """Take everything above the last mark."""
        if not self._marks:
            raise Damaged("it lacks a mark")
        at = self._marks.pop()
        found = self._stack[at:]
        del self._stack[at:]
        return found

    def _kept(self, value: Value) -> Value:
        """A tuple or dictionary, or nothing of it once there are too many."""
        self._known += 1
        return value if self._known <= _MAX_KNOWN else UNKNOWN

    def _do_mark(self, _: object) -> None:
        if len(self._marks) >= MAX_DEPTH:
            raise Unfollowable("it puts more on its stack than is followed")
        self._marks.append(len(self._stack))

    def _do_pop(self, _: object) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self.pop()

    def _do_pop_mark(self, _: object) -> None:
        self._slice()

    def _do_dup(self, _: object) -> None:
        self._push(self._top())

    def _do_proto(self, argument: int) -> None:
        if argument > HIGHEST_PROTOCOL:
            raise Damaged(f"there is no protocol {argument}")
        self.protocol = max(self.protocol, argument)

    def _do_frame(self, _: object) -> None:
        """It says how far to read ahead, no more."""

    # -- the memo --------------------------------------------------------------------------------------------------

    def _do_memoize(self, _: object) -> None:
        self._do_put(self._remembered)

    def _do_put(self, index: int) -> None:
        value = self._top()
        if index not in self._memo and index not in self._older:
            if self._remembered >= MAX_MEMO:
                raise Unfollowable("it remembers more than is followed")
            self._remembered += 1
        self._memo[index] = value

    _do_binput = _do_long_binput = _do_put

    def _do_get(self, index: int) -> None:
        if index in self._memo:
            self._push(self._memo[index])
        elif index in self._older:
            self._push(self._older[index])
        else:
            raise Damaged("it asks its memo for what is not there")

    _do_binget = _do_long_binget = _do_get

    # -- containers ------------------------------------------------------------------------------------------------

    def _do_empty_dict(self, _: object) -> None:
        self._push(self._kept(Items()))

    def _do_dict(self, _: object) -> None:
        pairs, items = self._slice(), Items()
        items.set(pairs)
        self._push(self._kept(items))

    def _do_tuple(self, _: object) -> None:
        found = self._slice()
        self._push(self._kept(tuple(found)) if len(found) <= _MAX_ITEMS else UNKNOWN)

    def _do_tuple1(self, _: object) -> None:
        self._tuple_of(1)

    def _do_tuple2(self, _: object) -> None:
        self._tuple_of(2)

    def _do_tuple3(self, _: object) -> None:
        self._tuple_of(3)

    def _tuple_of(self, count: int) -> None:
        self._require(count)
        found = tuple(self._stack[-count:])
        del self._stack[-count:]
        self._push(self._kept(found))

    def _do_list(self, _: object) -> None:
        self._slice()
        self._push(UNKNOWN)

    _do_frozenset = _do_list

    def _do_append(self, _: object) -> None:
        self.pop()
        self._changed([])

    def _do_appends(self, _: object) -> None:
        self._slice()
        self._changed([])

    _do_additems = _do_appends

    def _do_setitem(self, _: object) -> None:
        value, key = self.pop(), self.pop()
        self._changed([key, value])

    def _do_setitems(self, _: object) -> None:
        self._changed(self._slice())

    def _do_readonly_buffer(self, _: object) -> None:
        self._top()

    def _changed(self, pairs: list[Value]) -> None:
        target = self._top()
        if isinstance(target, Items):
            if self._follows:
                target.set(pairs)
        elif isinstance(target, Global):
            self.problems[f"it changes {target}"] = None
        else:
            self._stack[-1] = UNKNOWN

    # -- names and calls -------------------------------------------------------------------------------------------

    def _do_global(self, pair: tuple[str, str]) -> None:
        found = Global(*pair)
        self.globals[found] = None
        self._push(found)

    def _do_stack_global(self, _: object) -> None:
        name, module = self.pop(), self.pop()
        if isinstance(name, str) and isinstance(module, str):
            self._do_global((module, name))
            return
        if not self._follows and not (isinstance(name, str | Unknown) and isinstance(module, str | Unknown)):
            raise Damaged("a name is no text")
        self.problems["it computes a name, which cannot be followed"] = None
        self._push(UNKNOWN)

    def _do_ext1(self, number: int) -> None:
        self.problems[f"it uses number {number} of Python's extension registry"] = None
        self._push(UNKNOWN)

    _do_ext2 = _do_ext4 = _do_ext1

    def _do_persid(self, _: object) -> None:
        self.persistent = True
        self._push(UNKNOWN)

    def _do_binpersid(self, _: object) -> None:
        self.pop()
        self._do_persid(None)

    def _do_reduce(self, _: object) -> None:
        arguments, called = self.pop(), self.pop()
        self._call(called, arguments)

    _do_newobj = _do_reduce

    def _do_newobj_ex(self, _: object) -> None:
        self.pop()
        self.pop()
        self._call(self.pop(), UNKNOWN)

    def _do_obj(self, _: object) -> None:
        found = self._slice()
        if not found:
            raise Damaged("it makes an object of no class")
        self._call(found[0], tuple(found[1:]))

    def _do_inst(self, pair: tuple[str, str]) -> None:
        arguments = self._slice()
        self._do_global(pair)
        self._call(self.pop(), tuple(arguments))

    def _call(self, called: Value, arguments: Value) -> None:
        if not isinstance(called, Global):
            self.problems["it calls something that has no name"] = None
            self.called[ANYTHING] = None
            self._push(UNKNOWN)
            return
        self.called[called] = None
        self._push(Made(called, arguments) if called in (ARRAY, DTYPE) else UNKNOWN)

    def _do_build(self, _: object) -> None:
        state = self.pop()
        target = self._top()
        if isinstance(target, Made):
            if self._follows:
                target.state.append(state)
            self.array = target if target.of == ARRAY else None
        elif isinstance(target, Global):
            self.called[target] = None
            self.problems[f"it changes {target}"] = None
        else:
            self._stack[-1] = UNKNOWN


_ACTIONS: dict[str, Callable[[Machine, Any], None]] = {
    name.removeprefix("_do_").upper(): action for name, action in vars(Machine).items() if name.startswith("_do_")
}
_VALUES = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING", "BINSTRING", "SHORT_BINSTRING"}
) | {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
_PUSHED: dict[str, Value] = {
    **dict.fromkeys(("FLOAT", "BINFLOAT", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), UNKNOWN),
    **dict.fromkeys(("NEXT_BUFFER", "EMPTY_LIST", "EMPTY_SET"), UNKNOWN),
    **{"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()},
}
