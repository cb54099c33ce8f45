"""Drift: how a release differs from what it was when it was finished, and a deploy folder from its environment."""

import os
import stat
from dataclasses import dataclass
from typing import NamedTuple

from gitkit.lifecycle.deploy.disk import scan
from gitkit.lifecycle.deploy.releases import RECORD, Folder, Record, ReleaseFile
from gitkit.lifecycle.deploy.state import read_state
from gitkit.lifecycle.deploy.wanted import Wanted
from gitkit.store.ingest import copy_hashed


class Drift(NamedTuple):
    """Paths in a release. ``extra`` files came later: they harm no reader of the kit: told, not repaired."""

    changed: list[str]
    missing: list[str]
    extra: list[str]

    @property
    def is_damage(self) -> bool:
        """Whether the release is not the kit any more."""
        return bool(self.changed or self.missing)


def drift_of(folder: str, record: Record, *, verify: bool = False) -> Drift:
    """How the release in ``folder`` differs from its record: by size, time and mode, with ``verify`` also by content.

    A release that is not there lacks all its files.
    """
    found = scan(folder) if os.path.isdir(folder) else {}
    found.pop(RECORD, None)
    missing = [file.path for file in record.files if file.path not in found]
    there = [file for file in record.files if file.path in found]
    changed = [
        file.path
        for file in there
        if not is_untouched(file, found[file.path]) or (verify and not has_content(folder, file))
    ]
    return Drift(changed, missing, sorted(found.keys() - {file.path for file in record.files}))


def is_untouched(file: ReleaseFile, found: os.stat_result) -> bool:
    """Whether nobody wrote to ``file`` since it was finished, as far as size, time and mode tell."""
    mode = stat.S_IMODE(found.st_mode)
    return stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns, mode) == (
        file.size,
        file.mtime_ns,
        file.mode,
    )


def has_content(folder: str, file: ReleaseFile) -> bool:
    """Whether the file's bytes have its digest. Reads all of them."""
    try:
        fd = os.open(os.path.join(folder, file.path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with open(fd, "rb", buffering=0) as source:
        return copy_hashed(source, None) == (file.digest, file.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A deploy folder against its environment. ``name`` is the release that runs, None where none does.

    ``is_pending``: a deploy was interrupted before it knew whether the release is healthy.
    """

    wanted: Wanted
    name: str | None
    record: Record | None
    drift: Drift
    is_pending: bool

    @property
    def is_behind(self) -> bool:
        return self.record is None or self.record.digest != self.wanted.digest

    @property
    def has_drift(self) -> bool:
        return self.is_behind or self.is_pending or any(self.drift)


def report(wanted: Wanted, folder: Folder, *, verify: bool = False) -> Report:
    """Compare; changes nothing and takes no lock.

    Raises:
        Conflict: ``current`` is not ours.
    """
    name = folder.current()
    record = folder.record(name) if name is not None else None
    drift = Drift([], [], [])
    if name is not None and record is not None:
        drift = drift_of(folder.path_of(name), record, verify=verify)
    return Report(
        wanted=wanted, name=name, record=record, drift=drift, is_pending=read_state(folder).pending is not None
    )
