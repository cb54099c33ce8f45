"""Git's hooks of a repository: putting git kit's in beside whatever is there, taking them out, looking at them.

Coexistence, by what is found under a hook's name:

- nothing: git kit's script is written;
- git kit's script or lines of an earlier version: brought up to date;
- a shell script that Git runs: git kit's lines go to its start, its bytes and mode stay (``gitkit.git.hook_texts``);
- anything else (another language, a binary, a symbolic link, a script that is not executable): kept under
  ``NAME.before-git-kit`` and run by a wrapper. A link is renamed, never written through;
- a script of the pre-commit framework that itself runs git kit's as ``NAME.legacy``: nothing to do.

``core.hooksPath`` is followed wherever it leads; husky's folder ``.husky/_`` is generated, so hooks go to ``.husky``.
Linked worktrees share one hooks folder. Several processes that install at once write the same bytes.
"""

import os
import stat
from collections.abc import Callable
from typing import Literal, NamedTuple

import gitkit
from gitkit.errors import Conflict, Denied, InvalidFile, KitError, Unsupported
from gitkit.git import hook_texts
from gitkit.git.replace import replace_file
from gitkit.git.repository import Repository

NAMES = ("pre-push", "pre-commit")
SERVER_NAMES = (*NAMES, "update")
"""Those of a bare repository, which others push to."""

Did = Literal["written", "updated", "added to", "wrapped", "kept", "removed", "restored"]
State = Literal["installed", "missing", "outdated", "not executable"]


class Folder(NamedTuple):
    """Where Git looks for hooks. ``shared`` with other repositories: it is outside of this one."""

    path: str
    husky: bool
    shared: bool


class Change(NamedTuple):
    """What happened to one hook."""

    name: str
    path: str
    did: Did


class Hook(NamedTuple):
    """How one hook is."""

    name: str
    path: str
    state: State


class _Found(NamedTuple):
    """The file under a hook's name; ``text`` is None for a symbolic link."""

    text: bytes | None
    mode: int

    @property
    def runs(self) -> bool:
        return self.mode & 0o111 != 0


def folder(repository: Repository) -> Folder:
    """The folder that holds this repository's hooks. It may not exist yet.

    Raises:
        Unsupported: ``core.hooksPath`` is not a folder, which turns all hooks off.
        Denied: it is a link in the worktree that leads out of it.
    """
    # Without --path-format=absolute, which would follow the links that matter below.
    path = os.path.normpath(
        os.path.join(repository.git.directory, repository.git.text("rev-parse", "--git-path", "hooks"))
    )
    if os.path.lexists(path) and not os.path.isdir(path):
        raise Unsupported(
            f"Git runs no hooks here: core.hooksPath is {path}", hint="git config --unset-all core.hooksPath"
        )
    above, name = os.path.split(path)
    generated = name == "_" and os.path.basename(above) == ".husky"
    path = above if generated else path
    return Folder(path, husky=os.path.basename(path) == ".husky", shared=_is_shared(repository, path))


def install(repository: Repository) -> list[Change]:
    """Put git kit's hooks in. Doing it again changes nothing.

    Raises:
        Conflict: ``NAME.before-git-kit`` is taken by something else.
        InvalidFile: a hook is neither file nor link, or its git kit lines are damaged.
        Denied, Unsupported: as ``folder``, or permissions do not suffice.
    """
    where = folder(repository)
    return [_install(where, name) for name in names(repository)]


def uninstall(repository: Repository) -> list[Change]:
    """Take git kit's hooks out: what was there before is there again, byte for byte and with its mode.

    Raises:
        InvalidFile: a hook's git kit lines are damaged.
        Denied, Unsupported: as ``folder``, or permissions do not suffice.
    """
    where = folder(repository)
    changes = [_uninstall(where, name) for name in names(repository)]
    return [change for change in changes if change is not None]


def inspect(repository: Repository) -> list[Hook]:
    """How each hook is, without changing any.

    Raises:
        Denied, InvalidFile, Unsupported: as ``install``.
    """
    where = folder(repository)
    return [Hook(name, os.path.join(where.path, name), _state(where, name)) for name in names(repository)]


def names(repository: Repository) -> tuple[str, ...]:
    """The hooks that git kit has for this kind of repository."""
    return SERVER_NAMES if repository.worktree is None else NAMES


def is_untouched(repository: Repository) -> bool:
    """Whether nobody put any of our hooks' names to use, and the folder is in this repository's ``.git``."""
    where = folder(repository)
    paths = [os.path.join(where.path, name) for name in names(repository)]
    of_git = _is_in(os.path.realpath(where.path), os.path.realpath(repository.common_dir))
    return of_git and not any(os.path.lexists(path) for path in paths)


def script(name: str) -> bytes:
    """The script that git kit ships for a hook."""
    package = os.path.dirname(gitkit.__file__)
    # A wheel has them in the package; a checkout has them where a reader looks for them.
    for parent in (package, os.path.dirname(package)):
        try:
            with open(os.path.join(parent, "hooks", name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            continue
    raise KitError("this installation of git kit lacks its hooks", hint="pip install --force-reinstall git-kit")


def _is_shared(repository: Repository, path: str) -> bool:
    homes = [repository.common_dir, repository.git_dir, *([repository.worktree] if repository.worktree else [])]
    real = os.path.realpath(path)
    if any(_is_in(real, os.path.realpath(home)) for home in homes):
        return False
    # A link in the worktree may have come with a clone; it must not make us write elsewhere.
    if repository.worktree and _is_in(path, repository.worktree) and not _is_in(path, repository.common_dir):
        raise Denied(f"{path} leads out of this repository", hint="set core.hooksPath to the folder that is meant")
    return True


def _is_in(path: str, parent: str) -> bool:
    return os.path.commonpath([path, parent]) == parent


# -- one hook ------------------------------------------------------------------------------------------------------


def _install(where: Folder, name: str) -> Change:
    path = os.path.join(where.path, name)
    found = _look(path)
    if _runs_legacy(path, found):
        return Change(name, path, "kept")
    if found is None:
        wrapped = os.path.lexists(path + hook_texts.SAVED)
        replace_file(path, _own(name, wrapped), mode=0o755)
        return Change(name, path, "wrapped" if wrapped else "written")
    if found.text is not None and hook_texts.is_own(found.text):
        return Change(name, path, _update(path, found, _own(name, os.path.lexists(path + hook_texts.SAVED)), 0o755))
    if found.text is None or not _takes_lines(where, found, found.text):
        return Change(name, path, _wrap(path, name, found))
    text = _checked(path, lambda old: hook_texts.with_lines(old, name, script(name)), found.text)
    did = _update(path, found, text, found.mode)
    return Change(name, path, "added to" if did == "updated" and not hook_texts.has_lines(found.text) else did)


def _update(path: str, found: _Found, text: bytes, mode: int) -> Did:
    if (found.text, found.mode) == (text, mode):
        return "kept"
    replace_file(path, text, mode=mode)
    return "updated"


def _wrap(path: str, name: str, found: _Found) -> Did:
    saved = path + hook_texts.SAVED
    if os.path.lexists(saved):
        raise Conflict(f"cannot keep {path}: {saved} exists already", hint="move one of them away and try again")
    if found.text is not None and hook_texts.has_lines(found.text):
        # Lines in a script that Git no longer runs: they would come back with it.
        replace_file(path, _checked(path, hook_texts.without_lines, found.text), mode=found.mode)
    os.rename(path, saved)
    replace_file(path, _own(name, wrapped=True), mode=0o755)
    return "wrapped"


def _uninstall(where: Folder, name: str) -> Change | None:
    path = os.path.join(where.path, name)
    found = _look(path)
    if _runs_legacy(path, found):
        os.unlink(f"{path}.legacy")
        return Change(name, f"{path}.legacy", "removed")
    if found is None or found.text is None:
        return None
    if hook_texts.is_own(found.text):
        if os.path.lexists(path + hook_texts.SAVED):
            os.rename(path + hook_texts.SAVED, path)
            return Change(name, path, "restored")
        os.unlink(path)
        return Change(name, path, "removed")
    if hook_texts.has_lines(found.text):
        replace_file(path, _checked(path, hook_texts.without_lines, found.text), mode=found.mode)
        return Change(name, path, "restored")
    return None


def _state(where: Folder, name: str) -> State:
    path = os.path.join(where.path, name)
    found = _look(path)
    if _runs_legacy(path, found):
        return "installed"
    if found is None or found.text is None:
        return "missing"
    if hook_texts.is_own(found.text):
        wanted = _own(name, os.path.lexists(path + hook_texts.SAVED))
    elif hook_texts.has_lines(found.text):
        wanted = _checked(path, lambda old: hook_texts.with_lines(old, name, script(name)), found.text)
    else:
        return "missing"
    if not found.runs and not where.husky:
        return "not executable"
    return "installed" if found.text == wanted else "outdated"


def _own(name: str, wrapped: bool) -> bytes:
    return hook_texts.wrapper(name, script(name)) if wrapped else script(name)


def _takes_lines(where: Folder, found: _Found, text: bytes) -> bool:
    # Git skips a hook that is not executable; husky runs it with sh all the same.
    return (found.runs or where.husky) and hook_texts.takes_lines(text)


def _runs_legacy(path: str, found: _Found | None) -> bool:
    """Whether this is the pre-commit framework's script, which runs git kit's under the name that it moved it to."""
    if found is None or found.text is None or b"generated by pre-commit" not in found.text[:200]:
        return False
    legacy = _look(f"{path}.legacy")
    return legacy is not None and legacy.text is not None and legacy.runs and hook_texts.is_own(legacy.text)


def _look(path: str) -> _Found | None:
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return _Found(None, 0)
        if not stat.S_ISREG(mode):
            raise InvalidFile(f"{path} is not a file", hint="move it away and try again")
        with open(path, "rb") as file:
            return _Found(file.read(), stat.S_IMODE(mode))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Denied(f"cannot read {path}: {error.strerror}") from error


def _checked(path: str, change: Callable[[bytes], bytes], text: bytes) -> bytes:
    try:
        return change(text)
    except ValueError as error:
        raise InvalidFile(
            f"{path} has the first of git kit's marker lines and not the last",
            hint="delete what is left of git kit's lines, then: git kit install",
        ) from error
