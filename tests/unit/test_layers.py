"""Imports point down only, wherever they are written: at the top, in a function, for types.

The walk reads the code and runs none of it.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[2] / "gitkit"

LAYERS = {
    "errors": 0,
    "core": 0,
    "git": 1,
    "store": 1,
    "registry": 1,
    "filter": 2,
    "drivers": 2,
    "sync": 2,
    "modelkit": 2,
    "lifecycle": 2,
    "migrate": 2,
    "serve": 2,
    "setup": 2,
    "context": 3,
    "cli": 3,
    "__main__": 3,
}
"""Room (a package or module right below gitkit) and its layer."""

SIDEWAYS = {
    ("core", "errors"),
    ("filter", "sync"),
    ("modelkit", "sync"),
    ("lifecycle", "modelkit"),
    ("lifecycle", "sync"),
    ("migrate", "setup"),
    ("migrate", "sync"),
    ("setup", "modelkit"),
    ("setup", "sync"),
    ("cli", "context"),
    ("__main__", "context"),
    ("__main__", "cli"),
}
"""Who may import whom within a layer; nothing else there."""

OUTSIDE = frozenset(
    {"asyncio", "http", "io", "logging", "pathlib", "random", "secrets", "select", "shutil", "signal"}
) | {
    *("socket", "ssl", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib", "urllib3", "uuid"),
    *("concurrent", "multiprocessing", "getpass", "platform", "glob", "fcntl", "queue", "rich", "click"),
}
"""Modules that a pure value has no use for: files, sockets, clock, threads, terminal."""


class Import(NamedTuple):
    """``name`` is what is imported, in full; ``room`` the room of gitkit that it is in, or None for other packages."""

    file: str
    line: int
    name: str
    room: str | None


def _imports(package: Path) -> Iterator[tuple[str, Import]]:
    """Every import of every module below ``package``, with the importer's room."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        tree = ast.parse(path.read_bytes(), filename=str(path))
        for node in ast.walk(tree):
            for name in _names(node, ("gitkit", *parts[:-1])):
                line = getattr(node, "lineno", 0)
                yield parts[0], Import(str(path.relative_to(package.parent)), line, name, _room(name))


def _names(node: ast.AST, folder: tuple[str, ...]) -> list[str]:
    """What a node imports, in full. A package's own ``__init__`` is the room ``__init__``, which imports nothing."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = list(folder[: len(folder) - node.level + 1]) if node.level else []
        base += node.module.split(".") if node.module else []
        # Below gitkit itself the names are rooms: "from gitkit import core".
        return [".".join([*base, alias.name]) for alias in node.names] if base == ["gitkit"] else [".".join(base)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        first = node.args[0] if node.args else None
        if called in ("import_module", "__import__") and isinstance(first, ast.Constant):
            return [str(first.value)]
    return []


def _room(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "gitkit" and len(parts) > 1 and parts[1] != "__version__" else None


def _violations(package: Path) -> list[str]:
    """One line for each import that goes upward or sideways, or comes from or leads to a room that has no layer."""
    return [
        f"{found.file}:{found.line}: {room} imports {found.name}"
        for room, found in _imports(package)
        if found.room is not None and not _may(room, found.room)
    ]


def _may(importer: str, imported: str) -> bool:
    if importer not in LAYERS or imported not in LAYERS:
        return False
    if importer == imported or (importer, imported) in SIDEWAYS:
        return True
    return LAYERS[importer] > LAYERS[imported]


# -- the code ------------------------------------------------------------------------------------------------------


def test_imports_of_gitkit_point_down_only() -> None:
    assert _violations(PACKAGE) == []


def test_every_room_of_gitkit_has_a_layer() -> None:
    rooms = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms - {"__init__"} <= LAYERS.keys()


def test_errors_imports_nothing() -> None:
    assert [found for room, found in _imports(PACKAGE) if room == "errors"] == []


def test_package_itself_imports_nothing() -> None:
    assert [found for room, found in _imports(PACKAGE) if room == "__init__"] == []


def test_core_imports_nothing_that_touches_the_outside() -> None:
    outside = [found for room, found in _imports(PACKAGE) if room == "core" and found.name.split(".")[0] in OUTSIDE]
    assert outside == []
    assert OUTSIDE - {"urllib3", "rich", "click"} <= sys.stdlib_module_names


def test_only_context_and_the_entry_read_the_environment() -> None:
    readers = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.environb", "os.getenv"):
                readers.add(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
    assert readers <= {"context", "cli", "__main__"}


# -- the checker ---------------------------------------------------------------------------------------------------


TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"


def _planted(folder: Path, file: str, code: str) -> list[str]:
    path = folder / "gitkit" / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    return _violations(folder / "gitkit")


@pytest.mark.parametrize(
    ("file", "code", "violation"),
    [
        ("core/digest.py", "import gitkit.store", "1: core imports gitkit.store"),
        ("core/digest.py", "from gitkit.store.layout import ImageLayout", "1: core imports gitkit.store.layout"),
        ("core/digest.py", "import os, gitkit.git.run as run", "1: core imports gitkit.git.run"),
        ("core/digest.py", "from gitkit import context", "1: core imports gitkit.context"),
        ("core/digest.py", "from ..store import layout", "1: core imports gitkit.store"),
        ("core/digest.py", "from .. import store", "1: core imports gitkit.store"),
        ("core/deep/er.py", "from ...git import run", "1: core imports gitkit.git"),
        ("core/digest.py", "def f():\n    if 1:\n        from gitkit.cli import main", "3: core imports gitkit.cli"),
        ("core/digest.py", f"{TYPES}    from gitkit.git.run import Git", "3: core imports gitkit.git.run"),
        ("core/digest.py", "import importlib\nimportlib.import_module('gitkit.cli.x')", "2: core imports gitkit.cli.x"),
        ("core/digest.py", "__import__('gitkit.cli')", "1: core imports gitkit.cli"),
        ("errors.py", "from gitkit.core import digest", "1: errors imports gitkit.core"),
        ("git/run.py", "from gitkit.store import lock", "1: git imports gitkit.store"),
        ("store/lock.py", "from gitkit.registry import client", "1: store imports gitkit.registry"),
        ("registry/client.py", "from gitkit.context import Context", "1: registry imports gitkit.context"),
        ("sync/push.py", "from gitkit.modelkit import build", "1: sync imports gitkit.modelkit"),
        ("sync/push.py", "from gitkit.filter import clean", "1: sync imports gitkit.filter"),
        ("modelkit/build.py", "from gitkit.lifecycle import promote", "1: modelkit imports gitkit.lifecycle"),
        ("filter/clean.py", "from gitkit.modelkit import build", "1: filter imports gitkit.modelkit"),
        ("serve/run.py", "from gitkit.sync import fetch", "1: serve imports gitkit.sync"),
        ("setup/track.py", "from gitkit.filter import clean", "1: setup imports gitkit.filter"),
        ("lifecycle/env.py", f"{TYPES}    import gitkit.cli.main", "3: lifecycle imports gitkit.cli.main"),
        ("context.py", "from gitkit.cli import main", "1: context imports gitkit.cli"),
        ("cli/main.py", "from gitkit import __main__", "1: cli imports gitkit.__main__"),
        ("core/digest.py", "from gitkit.utils import helper", "1: core imports gitkit.utils"),
        ("utils.py", "from gitkit.core import digest", "1: utils imports gitkit.core"),
    ],
)
def test_checker_with_a_planted_violation_names_file_line_and_import(
    tmp_path: Path, file: str, code: str, violation: str
) -> None:
    assert _planted(tmp_path, file, code) == [f"gitkit/{file}:{violation}"]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("core/digest.py", "from gitkit.errors import KitError\nfrom gitkit.core import oci\nfrom . import oci"),
        ("store/layout.py", "from gitkit.core.digest import is_digest\nfrom gitkit import __version__, errors"),
        ("filter/smudge.py", "def f():\n    from gitkit.sync.fetch import download\nimport gitkit.git.run"),
        ("lifecycle/env.py", "import gitkit.modelkit.build, gitkit.sync.push"),
        ("setup/init.py", "from gitkit.modelkit import build\nfrom gitkit.sync import push"),
        ("context.py", "from gitkit.filter import smudge\nfrom gitkit.registry import client"),
        (
            "cli/main.py",
            "from gitkit.context import Context\nfrom gitkit.cli import table\nimport gitkit.lifecycle.env",
        ),
        (
            "__main__.py",
            "from gitkit.filter.process import serve\nfrom gitkit.cli.main import main\nimport gitkit.context",
        ),
        ("core/digest.py", "import os\nimport gitkitten.store\nimport gitkit\nname = 'gitkit.store'"),
    ],
)
def test_checker_with_imports_that_point_down_finds_nothing(tmp_path: Path, file: str, code: str) -> None:
    assert _planted(tmp_path, file, code) == []
