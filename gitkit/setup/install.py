"""Making Git run git kit, and undoing it: the filter in one scope of Git's configuration, the hooks of a repository."""

import os
from dataclasses import dataclass

from gitkit.git import filters, hooks
from gitkit.git.filters import Scope
from gitkit.git.hooks import Change, Folder
from gitkit.git.repository import Repository

_PRE_COMMIT_FILES = (".pre-commit-config.yaml", ".pre-commit-config.yml")
_LEFTHOOK_FILES = tuple(
    f"{dot}lefthook.{suffix}" for dot in ("", ".") for suffix in ("yml", "yaml", "toml", "json", "jsonc")
)

_PRE_COMMIT_SNIPPET = """\
  - repo: local
    hooks:
      - id: git-kit-push
        name: git kit
        entry: sh -c 'git-kit push "${PRE_COMMIT_TO_REF:-HEAD}"'
        language: system
        stages: [pre-push]
        always_run: true
        pass_filenames: false
      - id: git-kit-commit
        name: git kit
        entry: git-kit hook pre-commit
        language: system
        stages: [pre-commit]
        always_run: true
        pass_filenames: false
"""
_LEFTHOOK_SNIPPET = """\
pre-push:
  commands:
    git-kit:
      run: git-kit hook pre-push {0}
      use_stdin: true
pre-commit:
  commands:
    git-kit:
      run: git-kit hook pre-commit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What was done. ``folder`` and ``hooks`` are None and empty where hooks were left alone."""

    filter_changed: bool
    folder: Folder | None
    hooks: list[Change]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Text for the file of a hook manager, which may overwrite what git kit put into the hooks."""

    manager: str
    file: str
    text: str


def install(repository: Repository, *, scope: Scope, with_hooks: bool = True) -> Installed:
    """Set the filter in ``scope``, and put the hooks into ``repository``. Doing it again changes nothing.

    Raises:
        KitError: as ``filters.install`` and ``hooks.install``.
    """
    changed = filters.install(repository.git, scope)
    if not with_hooks:
        return Installed(filter_changed=changed, folder=None, hooks=[])
    return Installed(filter_changed=changed, folder=hooks.folder(repository), hooks=hooks.install(repository))


def ensure(repository: Repository) -> Installed:
    """Put in what is missing: hooks, and the filter in this clone unless it is configured for it already.

    Raises:
        KitError: as ``install``.
    """
    if filters.is_configured(repository.git):
        return Installed(filter_changed=False, folder=hooks.folder(repository), hooks=hooks.install(repository))
    return install(repository, scope="local")


def uninstall(repository: Repository, *, scope: Scope, with_hooks: bool = True) -> Installed:
    """Undo ``install``; what was there before it is there again.

    Raises:
        KitError: as ``filters.uninstall`` and ``hooks.uninstall``.
    """
    changed = filters.uninstall(repository.git, scope)
    if not with_hooks:
        return Installed(filter_changed=changed, folder=None, hooks=[])
    return Installed(filter_changed=changed, folder=hooks.folder(repository), hooks=hooks.uninstall(repository))


def suggestions(repository: Repository) -> list[Suggestion]:
    """What to add to the files of the hook managers that this worktree uses, where they do not name git-kit yet."""
    found = []
    for manager, files, text in (
        ("pre-commit", _PRE_COMMIT_FILES, _PRE_COMMIT_SNIPPET),
        ("lefthook", _LEFTHOOK_FILES, _LEFTHOOK_SNIPPET),
    ):
        for file in files:
            present = _read(os.path.join(repository.root, file))
            if present is not None and b"git-kit" not in present:
                found.append(Suggestion(manager=manager, file=file, text=text))
    return found


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
