"""Health checks with real processes."""

import os
import sys
from pathlib import Path

import pytest

from gitkit.lifecycle.deploy.health import Health, Unhealthy, check

ENVIRON = {"PATH": os.environ.get("PATH", os.defpath)}


def checked(folder: Path, *argv: str, timeout_s: float = 20) -> Unhealthy | None:
    return check(Health(argv, timeout_s, ENVIRON), str(folder), {"KIT_VERSION": "v1"})


def test_check_that_ends_with_0_is_passed_where_it_ran(tmp_path: Path) -> None:
    assert checked(tmp_path, "sh", "-c", 'test "$KIT_VERSION" = v1 && touch here && ! read line') is None
    assert (tmp_path / "here").exists()


@pytest.mark.parametrize(("script", "reason"), [("exit 7", "exit status 7"), ("kill -TERM $$", "ended by signal 15")])
def test_check_that_ends_in_another_way_says_how(tmp_path: Path, script: str, reason: str) -> None:
    assert checked(tmp_path, "sh", "-c", script) == Unhealthy(reason, "")


def test_check_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    found = checked(tmp_path, "sh", "-c", "echo begun; sleep 60; true", timeout_s=0.5)
    assert found == Unhealthy("no answer after 0.5 s", "begun")


def test_check_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    found = checked(tmp_path, "./missing")
    assert found is not None
    assert found.reason == "./missing cannot be run: No such file or directory"


def test_output_is_kept_from_its_end_and_cannot_act_on_a_terminal(tmp_path: Path) -> None:
    script = "import sys\nfor n in range(200_000): print(n)\n"
    script += "print('\\x1b[31mred', flush=True); sys.exit(1)"
    found = checked(tmp_path, sys.executable, "-c", script)
    assert found is not None
    lines = found.output.splitlines()
    assert len(lines) == 20
    assert "199999" in lines
    assert "�[31mred" in lines


def test_process_that_outlives_the_check_does_not_hold_it_up(tmp_path: Path) -> None:
    assert checked(tmp_path, "sh", "-c", f"sleep 3 & echo $! > {tmp_path}/pid; exit 0") is None
    os.kill(int((tmp_path / "pid").read_text()), 9)
