"""What may be loaded before the first thing happens: the filter and the help are started often, and must start fast.

Each case is a new Python that tells at its end which modules it holds; what Python itself loads at its start is left
out. So a heavy import that creeps in fails here with its name, not only as milliseconds in a benchmark.
"""

import subprocess
import sys

import pytest

from gitkit.core import pktline

HEAVY = frozenset(
    {"pydantic", "yaml", "urllib3", "rich", "dulwich", "oras", "requests", "asyncio", "sqlite3", "ssl"}
) | {*("importlib.metadata", "concurrent.futures", "http.client")}

AT_THE_END = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
RUN = "sys.argv[0] = 'git-kit'; from gitkit.__main__ import main; main()"

HANDSHAKE = pktline.text_packets([b"git-filter-client", b"version=2"]) + pktline.text_packets(
    [b"capability=clean", b"capability=smudge", b"capability=delay"]
)


def _loaded(code: str, *args: str, stdin: bytes = b"") -> tuple[set[str], bytes]:
    """The modules that ``code`` loaded beyond a bare Python's, and what it wrote to standard output."""
    argv = [sys.executable, "-c", AT_THE_END + code, *args]
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return set(done.stderr.decode().split()), done.stdout


@pytest.fixture(scope="module")
def bare() -> set[str]:
    """What Python holds before it runs anything, including what this environment's ``.pth`` files bring in."""
    return _loaded("")[0]


def _packages(modules: set[str]) -> set[str]:
    """Third-party packages among ``modules``, gitkit apart."""
    tops = {name.partition(".")[0] for name in modules}
    return tops - sys.stdlib_module_names - {"gitkit"}


def _rooms(modules: set[str]) -> set[str]:
    """What is loaded right below gitkit."""
    return {name.split(".")[1] for name in modules if name.startswith("gitkit.")}


def test_help_loads_click_and_nothing_heavy(bare: set[str]) -> None:
    loaded, printed = _loaded(RUN, "-h")
    assert printed.startswith(b"usage: git kit COMMAND")
    assert _packages(loaded - bare) == {"click"}
    assert loaded & HEAVY - bare == set()


def test_help_loads_no_command_and_nothing_below_the_command_line(bare: set[str]) -> None:
    loaded, _ = _loaded(RUN, "-h")
    assert _rooms(loaded) <= {"__main__", "cli", "context", "errors"}
    assert {name for name in loaded if name.startswith("gitkit.cli.")} <= {
        *("gitkit.cli.main", "gitkit.cli.output", "gitkit.cli.table", "gitkit.cli.lazy_group")
    }


def test_version_loads_click_and_nothing_heavy(bare: set[str]) -> None:
    loaded, printed = _loaded(RUN, "--version")
    assert printed.startswith(b"git-kit ")
    assert _packages(loaded - bare) == {"click"}
    assert loaded & HEAVY - bare == set()


def test_filter_module_loads_no_package_and_nothing_heavy(bare: set[str]) -> None:
    loaded, _ = _loaded("import gitkit.filter.process")
    assert _packages(loaded - bare) == set()
    assert loaded & HEAVY - bare == set()
    assert _rooms(loaded) == {"core", "errors", "filter"}


def test_filter_up_to_the_handshake_loads_no_package_and_nothing_heavy(bare: set[str]) -> None:
    loaded, printed = _loaded(RUN, "filter-process", stdin=HANDSHAKE)
    assert printed.startswith(pktline.text_packets([b"git-filter-server", b"version=2"]))
    assert _packages(loaded - bare) == set()
    assert loaded & HEAVY - bare == set()
    assert _rooms(loaded) == {"__main__", "core", "errors", "filter"}


def test_core_on_the_filters_path_loads_no_package(bare: set[str]) -> None:
    code = "import gitkit.core.digest, gitkit.core.pointer, gitkit.core.pktline, gitkit.core.oci, gitkit.core.reference"
    loaded, _ = _loaded(code)
    assert _packages(loaded - bare) == set()
    assert loaded & HEAVY - bare == set()


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_loaded_with_a_heavy_import_planted_sees_it(name: str, bare: set[str]) -> None:
    loaded, _ = _loaded(f"import {name}")
    assert name in loaded & HEAVY - bare
