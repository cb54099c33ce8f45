"""The systemd unit of the examples: systemd takes it, and its command line is one that git kit takes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gitkit.cli.deploy import command

UNIT = Path(__file__).resolve().parents[2] / "examples" / "deploy" / "git-kit-deploy@.service"


def verify(path: Path) -> "subprocess.CompletedProcess[str]":
    argv = ["systemd-analyze", "verify", "--man=no", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on PATH")
    path = tmp_path / "git-kit-deploy@prod.service"
    shutil.copy(UNIT, path)
    done = verify(path)
    assert (done.returncode, done.stderr) == (0, "")
    path.write_text(UNIT.read_text() + "[Service]\nProtectSystem=a-typo\n")
    assert "a-typo" in verify(path).stderr


def test_unit_starts_a_command_line_that_git_kit_takes() -> None:
    found = re.search(r"^ExecStart=/usr/bin/env git-kit deploy (.*)$", UNIT.read_text(), re.MULTILINE)
    assert found is not None
    argv = found[1].replace("%i", "prod").replace("$GIT_KIT_OPTIONS", "--health /usr/local/bin/llm-check").split()
    parsed = command.make_context("deploy", argv).params
    assert (parsed["environment"], parsed["folder"], parsed["watch"]) == ("prod", "/srv/git-kit/prod/live", 60)
    assert parsed["health"] == "/usr/local/bin/llm-check"
