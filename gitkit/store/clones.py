"""Who uses a store that several clones share (``kit.storage``): ``clones/<sha256 of the path>`` in it, one for each.

And the other way round: ``storages`` in a clone's own store lists each shared store that it ever used, so that content
stays within reach when ``kit.storage`` is changed.
"""

import hashlib
import os
import stat
from contextlib import suppress

from gitkit.errors import Denied


class Clones:
    """The clones that are registered in the shared store ``pool``, by the path of Git's common folder."""

    def __init__(self, pool: str) -> None:
        self._path = os.path.join(pool, "clones")

    def register(self, common_dir: str) -> None:
        """Have what this clone needs be kept. Idempotent.

        Raises:
            Denied: the store can be written, but not this.
        """
        name = self._name(common_dir)
        if os.path.exists(name):
            return
        pool = os.path.dirname(self._path)
        try:
            os.makedirs(self._path, exist_ok=True)
            shared = _shared(pool)
            with suppress(PermissionError):  # somebody else's, who has done so
                os.chmod(self._path, stat.S_IMODE(os.stat(self._path).st_mode) | shared)
            _write(name, os.fsencode(common_dir) + b"\n", shared)
        except OSError as error:
            if os.access(pool, os.W_OK):
                raise Denied(
                    f"cannot register this clone in {self._path}: {error.strerror}",
                    hint=f"let its owner run: chmod -R g+rwX {self._path}",
                ) from error
            # Who cannot write here stores nothing that would have to be kept.

    def all(self) -> list[str]:
        """Paths of all clones.

        Raises:
            Denied: they cannot be read.
        """
        found = []
        try:
            for name in sorted(os.listdir(self._path)):
                if "." not in name:
                    with open(os.path.join(self._path, name), "rb") as file:
                        found.append(os.fsdecode(file.read().rstrip(b"\n")))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Denied(f"cannot read {self._path}: {error.strerror}") from error
        return found

    def forget(self, common_dir: str) -> bool:
        """Keep nothing for this clone any more; whether it was known."""
        try:
            os.unlink(self._name(common_dir))
        except FileNotFoundError:
            return False
        return True

    def _name(self, common_dir: str) -> str:
        return os.path.join(self._path, hashlib.sha256(os.fsencode(common_dir)).hexdigest())


def storages(kit: str) -> list[str]:
    """The shared stores that the clone with the own store ``kit`` ever used."""
    try:
        with open(os.path.join(kit, "storages"), "rb") as file:
            return [os.fsdecode(line) for line in file.read().split(b"\n") if line]
    except OSError:
        return []


def remember_storage(kit: str, pool: str) -> None:
    """Put ``pool`` among the ``storages`` of a clone. Idempotent."""
    known = storages(kit)
    if pool in known:
        return
    with suppress(OSError):
        os.makedirs(kit, exist_ok=True)
        _write(os.path.join(kit, "storages"), b"".join(os.fsencode(it) + b"\n" for it in [*known, pool]), _shared(kit))


def _shared(folder: str) -> int:
    """What others may do in ``folder``, or in the one around it if it is new, as permission bits; 0: nothing."""
    for path in (folder, os.path.dirname(folder)):
        mode = os.stat(path).st_mode
        if mode & stat.S_IWGRP and mode & stat.S_ISGID:
            return mode & (stat.S_ISGID | stat.S_IRWXG | stat.S_IRWXO)
    return 0


def _write(name: str, data: bytes, shared: int) -> None:
    beside = f"{name}.{os.getpid()}"
    with open(beside, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), os.fstat(file.fileno()).st_mode & 0o777 | shared & 0o066)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, name)
