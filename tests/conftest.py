"""Fixtures that every test may ask for, and one line on what a run left out."""

from collections import Counter

import pytest

READABLE = 24

pytest_plugins = [
    "tests.lib.repo_fixtures",
    "tests.lib.registry_fixtures",
    "tests.lib.filesystems",
    "tests.lib.lifecycle_world",
    "tests.lib.story",
]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Files as parameters are named by place: their bytes may hold a time, and every worker must agree on the names."""
    if isinstance(val, bytes) and not (len(val) <= READABLE and val.isascii() and val.decode().isprintable()):
        return argname
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in _skipped(terminalreporter))
    if reasons:
        left_out = "; ".join(f"{count} ({reason})" for reason, count in reasons.items())
        terminalreporter.write_line(f"left out: {left_out}")


def _skipped(terminalreporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    return [report for report in terminalreporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple)]
