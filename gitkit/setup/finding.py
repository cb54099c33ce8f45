"""What `git kit doctor` looks at, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.remote import Remote
from gitkit.git.repository import Repository
from gitkit.git.run import Git
from gitkit.git.settings import Settings
from gitkit.store.layout import ImageLayout

if TYPE_CHECKING:
    from gitkit.core.config import Config


class Finding(NamedTuple):
    """One result: ``name`` of the check, what is so, and where that is wrong the command that mends it."""

    name: str
    ok: bool
    text: str
    fix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is outside of a repository too. ``git`` runs in the current folder; ``search_path`` is PATH."""

    git: Git
    search_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository, seen from the folder ``cwd``. The callables read files, or open the remote, also with
    ``write=True``; they raise KitError."""

    repository: Repository
    cwd: str
    store: ImageLayout
    settings: Callable[[], Settings]
    config: Callable[[], "Config"]
    open_remote: Callable[..., Remote]
