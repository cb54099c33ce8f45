"""What is wrong here, and the command that mends it. Looks only; the remote is the one thing asked over a network.

Each check is a function that returns findings; one that cannot be made is a finding too.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Callable

from gitkit.core.oci import parse_document
from gitkit.core.paths import show_path
from gitkit.errors import Denied, InvalidFile, KitError
from gitkit.git import filters, hooks
from gitkit.git.repository import Repository
from gitkit.setup import doctor_files
from gitkit.setup.finding import Finding, Machine, Place
from gitkit.store.layout import ImageLayout

OLDEST_GIT = (2, 39)


def examine(machine: Machine, place: Place | None) -> list[Finding]:
    """All findings, good and bad, in the order in which they are best mended. ``place`` is None outside of one."""
    checks: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("git", lambda: _git(machine)),
        ("git-kit", lambda: _program(machine)),
        ("filter", lambda: _filter(machine)),
    ]
    if place is not None:
        checks += [
            ("hooks", lambda: _hooks(place)),
            (".gitkit.toml", lambda: _config(place)),
            ("settings", lambda: _settings(place)),
            ("remote", lambda: _remote(place)),
            ("store", lambda: _store(place)),
        ]
    if place is not None and place.repository.worktree is not None:
        checks += [
            ("Kitfile", lambda: doctor_files.kitfile(place)),
            ("pointers", lambda: doctor_files.pointers(place)),
            ("attributes", lambda: doctor_files.covered(place)),
            ("content", lambda: doctor_files.content(place)),
        ]
    return [finding for name, check in checks for finding in _made(name, check)]


def _made(name: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except KitError as error:
        return [Finding(name, False, error.message, error.hint)]


def _git(machine: Machine) -> list[Finding]:
    version = machine.git.version()
    text = ".".join(map(str, version))
    if version < OLDEST_GIT:
        return [Finding("git", False, f"git {text} is too old", "install git 2.39 or newer")]
    return [Finding("git", True, f"git {text}")]


def _program(machine: Machine) -> list[Finding]:
    path = shutil.which("git-kit", path=machine.search_path)
    if path is None:
        folder = shlex.quote(os.path.dirname(sys.executable))
        fix = f"export PATH={folder}:$PATH"
        return [Finding("git-kit", False, "git-kit is not on PATH: Git's filter and hooks cannot run it", fix)]
    return [Finding("git-kit", True, path)]


def _filter(machine: Machine) -> list[Finding]:
    found = filters.in_force(machine.git)
    if not found:
        text = "not configured: Git would store large files as they are"
        return [Finding("filter", False, text, "git kit install")]
    wrong = [found.get(key) or key for key in filters.wrong(found)]
    if not wrong:
        scopes = ", ".join(sorted({setting.scope for setting in found.values()}))
        return [Finding("filter", True, f"configured ({scopes})")]
    first = wrong[0]
    if isinstance(first, str):
        return [Finding("filter", False, f"{first} is not set", "git kit install")]
    option = "" if first.scope in ("global", "command") else f" --{first.scope}"
    text = f'{first.key} is "{first.value}" ({first.scope}, {first.origin})'
    return [Finding("filter", False, text, f"git kit install{option}")]


# -- this repository -------------------------------------------------------------------------------------------------


def _hooks(place: Place) -> list[Finding]:
    repository = place.repository
    found = hooks.inspect(repository)
    where = hooks.folder(repository)
    place_name = where.path if where.shared else os.path.relpath(where.path, repository.root)
    states = list(dict.fromkeys(hook.state for hook in found if hook.state != "installed"))
    if not states:
        return [Finding("hooks", True, f"installed in {place_name}")]
    named = [f"{state}: {', '.join(hook.name for hook in found if hook.state == state)}" for state in states]
    return [Finding("hooks", False, f"{'; '.join(named)} (in {place_name})", _install_command(repository))]


def _install_command(repository: Repository) -> str:
    """The one that keeps the filter in the scope that it is in."""
    scopes = {setting.scope for setting in filters.in_force(repository.git).values()} - {"command"}
    return "git kit install" if len(scopes) != 1 or scopes == {"global"} else f"git kit install --{scopes.pop()}"


def _config(place: Place) -> list[Finding]:
    config = place.config()
    names = ", ".join(config.environments) or "none"
    return [Finding(".gitkit.toml", True, f"valid; environments: {names}")]


def _settings(place: Place) -> list[Finding]:
    if not place.settings().allow_commands:
        return []
    return [Finding("settings", True, "kit.allowCommands is on: .gitkit.toml of this clone may run commands")]


def _remote(place: Place) -> list[Finding]:
    try:
        place.settings()
        place.config()
    except KitError:
        return []  # a finding already
    remote = place.open_remote()
    if isinstance(remote, ImageLayout) and not os.path.isdir(remote.path):
        text = f"{remote.url}: there is no folder {show_path(remote.path)} so far; the first push makes it"
    else:
        count = len(remote.tags())
        text = f"{remote.url} answers, {count} {'tag' if count == 1 else 'tags'}"
    findings = [Finding("remote", True, text)]
    try:
        place.open_remote(write=True)
    except Denied as error:
        findings.append(Finding("remote", True, f"this clone reads it and does not write: {error.hint}"))
    return [*findings, *doctor_files.pushed(place, remote)]


def _store(place: Place) -> list[Finding]:
    store, repository = place.store, place.repository
    if store.pool != store.path and not os.path.isdir(store.pool):
        text = f"kit.storage names {store.pool}, which is not there"
        return [Finding("store", False, text, shlex.join(["mkdir", "-p", store.pool]))]
    present = store.path if os.path.isdir(store.path) else repository.common_dir
    if not os.access(present, os.W_OK | os.X_OK):
        return [Finding("store", False, f"{present} cannot be written", f"chmod -R u+rwX {shlex.quote(present)}")]
    if not store.exists():
        return [Finding("store", True, "empty")]
    for file, check in (("oci-layout", lambda: _check_layout(store.path)), ("index.json", store.tags)):
        try:
            check()
        except KitError as error:
            path = os.path.join(store.path, file)
            return [Finding("store", False, error.message, shlex.join(["mv", path, f"{path}.damaged"]))]
    count = sum(1 for _ in store.blobs())
    text = f"{count} {'blob' if count == 1 else 'blobs'}"
    if os.stat(store.path).st_dev != os.stat(repository.root).st_dev:
        text += "; on another file system than the worktree, so content is copied, never shared"
    return [Finding("store", True, text)]


def _check_layout(folder: str) -> None:
    with open(os.path.join(folder, "oci-layout"), "rb") as file:
        version = parse_document(file.read(), "oci-layout").get("imageLayoutVersion")
    if version != "1.0.0":
        raise InvalidFile(f"{folder} is an image layout of version {version}, not 1.0.0")
