"""`git log -p` starts `git kit textconv` twice for each file: nothing is loaded that it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.test_startup import AT_THE_END, HEAVY, RUN

LATE = HEAVY | {"xxhash", "click.shell_completion", "gitkit.registry", "gitkit.sync", "gitkit.modelkit"}


@pytest.mark.parametrize(("data", "printed"), [(b"a,b\n", "a,b\n"), (b"PK\x05\x06" + bytes(18), "kind zip\n")])
def test_textconv_loads_nothing_heavy(tmp_path: Path, data: bytes, printed: str) -> None:
    (tmp_path / "file").write_bytes(data)
    argv = [sys.executable, "-c", AT_THE_END + RUN, "textconv", "file"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True, text=True)
    assert done.stdout.startswith(printed)
    bare = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, check=True, text=True)
    assert set(done.stderr.split()) & LATE - set(bare.stderr.split()) == set()
