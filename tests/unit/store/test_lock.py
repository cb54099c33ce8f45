"""The lock: one holder at a time, across threads and processes, and none after its holder died."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gitkit.errors import Denied, Locked
from gitkit.store.lock import locked

HOLD = """
import sys
from gitkit.store.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""

COUNT = """
import sys
from gitkit.store.lock import locked
for _ in range(50):
    with locked(sys.argv[1]):
        with open(sys.argv[2]) as file:
            value = int(file.read())
        with open(sys.argv[2], "w") as file:
            file.write(str(value + 1))
"""


def _start(script: str, *args: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_locked_makes_the_file_and_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(str(path)):
        assert path.exists()
    assert path.exists()


def test_locked_again_after_the_block_works(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    for _ in range(3):
        with locked(path, timeout_s=0):
            pass


def test_locked_while_another_thread_holds_it_raises_with_a_hint(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with locked(path):
        found: list[Locked] = []

        def try_it() -> None:
            with pytest.raises(Locked, match="another process holds") as caught, locked(path, timeout_s=0):
                pass
            found.append(caught.value)

        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert found[0].hint == "wait for it to end, then run the command again"


def test_locked_while_another_process_holds_it_raises_and_works_once_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with _start(HOLD, path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Locked), locked(str(path), timeout_s=0.02):
            pass
        holder.kill()
        holder.wait()
        with locked(str(path), timeout_s=0):
            pass


def test_locked_waits_until_its_holder_lets_go(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    order: list[str] = []
    waiting = threading.Event()

    def wait_for_it() -> None:
        waiting.set()
        with locked(path, timeout_s=60):
            order.append("second")

    with locked(path):
        thread = threading.Thread(target=wait_for_it)
        thread.start()
        assert waiting.wait(60)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_locked_in_several_processes_loses_no_update(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    children = [_start(COUNT, tmp_path / "lock", counter) for _ in range(3)]
    for child in children:
        _, said = child.communicate()
        assert (child.returncode, said) == (0, b"")
    assert counter.read_text() == "150"


def test_locked_lets_go_when_the_block_raises(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with pytest.raises(ValueError, match="inside"), locked(path):
        raise ValueError("inside")
    with locked(path, timeout_s=0):
        pass


@pytest.mark.parametrize("name", ["folder", "missing/lock", "file/lock"])
def test_locked_where_the_file_cannot_be_made_is_denied(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(Denied, match="cannot lock"), locked(str(tmp_path / name)):
        pass


def test_locked_is_not_inherited_by_programs_that_the_holder_starts(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with locked(path):
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(fd)
        child.communicate()
