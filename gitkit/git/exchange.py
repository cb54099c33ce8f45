"""Two names of a folder change places in one step (Linux, renameat2(2))."""

import ctypes
import errno
import os
from collections.abc import Callable
from functools import cache

_EXCHANGE = 2
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


def exchange(folder: int, one: bytes, other: bytes) -> bool:
    """Let the file ``one`` be ``other``, and the other way round; names are relative to the open ``folder``.

    False where the system or the file system has no such thing. Unlike a rename that replaces a file, it does not have
    ext4 write the new file out before it returns (mount option ``auto_da_alloc``), which takes a millisecond.

    Raises:
        OSError
    """
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(folder, one, folder, other, _EXCHANGE) == 0:
        return True
    if (number := ctypes.get_errno()) in _UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), os.fsdecode(other))


@cache
def _renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return function
