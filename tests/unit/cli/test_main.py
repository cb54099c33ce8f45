"""How commands end: messages, hints, exit codes, help."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gitkit.cli import table
from gitkit.cli.main import program
from tests.lib.repos import Repo, run

KIT = os.path.join(os.path.dirname(sys.executable), "git-kit")


def test_help_lists_every_command_within_80_columns(tmp_path: Path, environ: dict[str, str]) -> None:
    out = run([KIT, "-h"], cwd=tmp_path, environ=environ).stdout
    for name in table.names():
        assert f"\n  {name} " in out
    assert max(len(line) for line in out.splitlines()) <= 80


@pytest.mark.parametrize("name", table.names())
def test_help_of_each_command_shows_an_example(name: str) -> None:
    done = CliRunner().invoke(program, [name, "-h"], prog_name="git kit", terminal_width=80)
    assert done.exit_code == 0
    out = done.output
    assert "Example:" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_no_command_shows_the_help(tmp_path: Path, environ: dict[str, str]) -> None:
    assert run([KIT], cwd=tmp_path, environ=environ).stdout.startswith("usage: git kit")


def test_unknown_command_suggests_the_nearest(tmp_path: Path, environ: dict[str, str]) -> None:
    done = run([KIT, "psuh"], cwd=tmp_path, environ=environ, code=2)
    assert "hint: did you mean: git kit push" in done.stderr
    assert done.stdout == ""


def test_unknown_option_is_a_usage_error_with_the_commands_help(tmp_path: Path, environ: dict[str, str]) -> None:
    done = run([KIT, "status", "--nope"], cwd=tmp_path, environ=environ, code=2)
    assert "--nope" in done.stderr
    assert "git kit status -h" in done.stderr


@pytest.mark.parametrize("name", ["migrate import", "env show"])
def test_unknown_option_of_a_command_of_a_group_names_that_command(
    tmp_path: Path, environ: dict[str, str], name: str
) -> None:
    done = run([KIT, *name.split(), "--nope"], cwd=tmp_path, environ=environ, code=2)
    assert done.stderr.endswith(f"hint: git kit {name} -h\n")


def test_closed_output_pipe_ends_with_141_and_silence(kit_repo: Repo) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [KIT, "-h"], cwd=kit_repo.path, env=kit_repo.environ, stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_version_is_printed(tmp_path: Path, environ: dict[str, str]) -> None:
    from gitkit import __version__

    assert run([KIT, "--version"], cwd=tmp_path, environ=environ).stdout == f"git-kit {__version__}\n"
