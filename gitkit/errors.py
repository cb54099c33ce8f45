"""Every error that a person may meet, by what the caller can do about it.

::

    KitError                     1   failed
    ├── UsageError               2   the command line is wrong
    ├── NotFound                10   a thing that was named is not there
    ├── Corrupt                 11   bytes are not what their digest says
    ├── Denied                  12   credentials or permissions do not suffice
    ├── Conflict                13   somebody else was first, or a name is taken by other content
    ├── NetworkError            14   the other side cannot be reached or does not answer properly
    ├── Locked                  15   another process holds the lock
    ├── InvalidFile             16   a file or setting that a person wrote is wrong
    ├── Unsupported             17   well-formed, but git kit cannot do it
    ├── GateRefused             18   a gate is not passed
    └── PartlyDone              19   some of it was done; running the command again finishes it

Errors never log, print or exit; ``gitkit.cli.main`` does. This module imports nothing.
"""


class KitError(Exception):
    """An expected failure: what happened (``message``) and what to do about it (``hint``)."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(KitError):
    exit_code = 2


class NotFound(KitError):
    exit_code = 10


class Corrupt(KitError):
    exit_code = 11


class Denied(KitError):
    exit_code = 12


class Conflict(KitError):
    exit_code = 13


class NetworkError(KitError):
    exit_code = 14


class Locked(KitError):
    exit_code = 15


class InvalidFile(KitError):
    exit_code = 16


class Unsupported(KitError):
    exit_code = 17


class GateRefused(KitError):
    exit_code = 18


class PartlyDone(KitError):
    exit_code = 19
