"""How long the bytes of an array are that joblib has put into a pickle, from the placeholder that stands before them.

Format: ``joblib/numpy_pickle.py``. The placeholder's state names shape, element type and alignment; then come one byte
with the number of padding bytes, the padding, the array's bytes. Files of joblib before 1.2 have no padding. Arrays of
objects are a pickle of their own.
"""

import re
from math import prod

from gitkit.core.machine import DTYPE, Items, Made, Value
from gitkit.core.opcodes import Unfollowable

_TYPE = re.compile(r"([biufcmM])(\d{1,2})|([SUV])(\d{1,9})")
_HAS_OBJECTS = 1


def holds_objects(placeholder: Made) -> bool:
    """Whether a pickle follows instead of bytes.

    Raises:
        Unfollowable: that cannot be told.
    """
    return _flags(placeholder) & _HAS_OBJECTS != 0


def is_padded(placeholder: Made) -> bool:
    """Whether padding precedes the bytes.

    Raises:
        Unfollowable: that cannot be told.
    """
    return _attributes(placeholder).get("numpy_array_alignment_bytes") is not None


def size_of(placeholder: Made) -> int:
    """How many bytes the array has.

    Raises:
        Unfollowable: that cannot be told.
    """
    shape = _attributes(placeholder).get("shape")
    if not isinstance(shape, tuple):
        raise _unclear("shape")
    sizes = [size for size in shape if type(size) is int and size >= 0]
    if len(sizes) != len(shape):
        raise _unclear("shape")
    return prod(sizes) * _item_size(placeholder)


def _item_size(placeholder: Made) -> int:
    """Bytes of one element. NumPy takes that of texts and structures from the type's state, others from its name."""
    name, state = _type(placeholder)
    found = _TYPE.fullmatch(name)
    if found is None or state[2] is not None:  # an array of arrays
        raise _unclear("type")
    if found[3] == "V" and type(state[5]) is int and state[5] >= 0:
        return state[5]
    size = int(found[2]) if found[1] else int(found[4]) * (4 if found[3] == "U" else 1)
    if state[3] is not None or state[4] is not None or (state[5] != size if found[3] else state[5] != -1):
        raise _unclear("type")
    return size


def _flags(placeholder: Made) -> int:
    name, state = _type(placeholder)
    flags = state[7]
    if type(flags) is not int or (not name.startswith("V") and (flags & _HAS_OBJECTS != 0) != name.startswith("O")):
        raise _unclear("type")
    return flags


def _type(placeholder: Made) -> tuple[str, tuple[Value, ...]]:
    """The name and the state of the element type."""
    dtype = _attributes(placeholder).get("dtype")
    if not isinstance(dtype, Made) or dtype.of != DTYPE or not isinstance(dtype.arguments, tuple):
        raise _unclear("type")
    name = dtype.arguments[0] if dtype.arguments else None
    state = dtype.state[0] if len(dtype.state) == 1 else None
    if not isinstance(name, str) or not isinstance(state, tuple) or len(state) < 8:
        raise _unclear("type")
    return name, state


def _attributes(placeholder: Made) -> dict[str, Value]:
    state = placeholder.state[0] if len(placeholder.state) == 1 else None
    if placeholder.arguments != () or not isinstance(state, Items) or state.known is None:
        raise _unclear("description")
    return state.known


def _unclear(what: str) -> Unfollowable:
    return Unfollowable(f"an array of joblib has a {what} that is not understood")
