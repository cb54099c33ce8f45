"""What `docs/make_man.py` makes is what is in `share/`, and fits the program."""

import subprocess
import sys
from pathlib import Path

from gitkit.cli import table
from gitkit.errors import KitError

ROOT = Path(__file__).parents[3]


def texts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_share_made_again_is_the_same(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "docs/make_man.py"), str(tmp_path)], cwd=ROOT, check=True)
    assert texts(ROOT / "share") == texts(tmp_path), "run: python docs/make_man.py"


def test_manual_has_every_command_and_exit_status() -> None:
    page = (ROOT / "share/man/man1/git-kit.1").read_text()
    for name in table.names():
        assert f".SS git kit {name.replace('-', chr(92) + '-')}" in page
    for child in KitError.__subclasses__():
        assert f" {child.exit_code} " in page.replace("\n", " ")
