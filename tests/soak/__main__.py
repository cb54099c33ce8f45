"""`make soak`: random commands for some minutes. Prints its seed, and with the same seed the same commands are chosen;
when a killed one dies is up to the machine.

Ends with status 1, and leaves the folder, as soon as something does not hold that must.
"""

import argparse
import contextlib
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.lib.repos import Repo
from tests.soak.actions import choose
from tests.soak.world import Broken, Place, World

LONGEST_S = 120
AT_REST_EVERY = 15
"""Actions between two times that all is put in order and looked at."""

UNFINISHED = {
    "MERGE_HEAD": ["merge", "--quit"],
    "CHERRY_PICK_HEAD": ["cherry-pick", "--quit"],
    "rebase-merge": ["rebase", "--quit"],
    "rebase-apply": ["rebase", "--quit"],
}


def main() -> int:
    options = argparse.ArgumentParser(prog="make soak", description=__doc__)
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--seed", type=int, default=None)
    args = options.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    folder = Path(tempfile.mkdtemp(prefix="git-kit-soak-"))
    print(f"seed {seed}, {args.minutes:g} minutes, in {folder}", flush=True)
    run = Run(World(folder, random.Random(seed)), random.Random(seed))
    try:
        run.go(time.monotonic() + args.minutes * 60)
    except Broken as error:
        print(f"\nseed {seed}: broken after\n{run.history()}\n\n{error}\n\nleft in {folder}")
        return 1
    run.world.end()
    print(run.summary())
    return 0


class Run:
    def __init__(self, world: World, rng: random.Random) -> None:
        self.world = world
        self._rng = rng
        self._told: list[str] = []
        self._counts: Counter[str] = Counter()

    def go(self, deadline: float) -> None:
        """Act until ``deadline``.

        Raises:
            Broken
        """
        while time.monotonic() < deadline:
            places = self._choose_places()
            self._act(places)
            for place in places:
                self._clear(place.repo)
                self.world.check(place)
            if len(self._told) % AT_REST_EVERY == 0:
                self.world.check_at_rest(places[0])

    def history(self) -> str:
        """The latest actions."""
        return "\n".join(f"  {line}" for line in self._told[-25:])

    def summary(self) -> str:
        return ", ".join(f"{count} {what}" for what, count in sorted(self._counts.items()))

    def _choose_places(self) -> list[Place]:
        """Where to act: mostly in one worktree, sometimes in several at the same time, or twice in one."""
        if self._rng.random() < 0.75:
            return [self._rng.choice(self.world.places)]
        return self._rng.choices(self.world.places, k=self._rng.choice((2, 3)))

    def _act(self, places: Sequence[Place]) -> None:
        started = []
        for place in places:
            command = choose(self._rng)(self.world, place, self._rng)
            self._counts["actions"] += 1
            if command is None:
                self._told.append(f"{place.name}: files changed by hand")
                continue
            self._told.append(f"{place.name}: {shlex.join(command)}{' (at once)' if len(places) > 1 else ''}")
            started.append((command, start(place.repo, command)))
        if started and self._rng.random() < 0.4:
            self._hurt(self._rng.choice(started)[1])
        for command, process in started:
            self._finish(command, process)

    def _hurt(self, process: "subprocess.Popen[bytes]") -> None:
        """Kill a command, or the git kit in it alone."""
        time.sleep(self._rng.uniform(0, 0.25))
        number = self._rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
        only_kit = self._rng.random() < 0.6
        victims = [pid for pid in session_of(process) if is_git_kit(pid) or not only_kit]
        for pid in victims:
            send(pid, number, session=process.pid)
        if victims:
            self._told.append(f"  {'git kit' if only_kit else 'all'} got {number.name}")
            self._counts["commands killed"] += 1
        if not only_kit:
            wait_for_session(process)
            self.world.learn()

    def _finish(self, command: Sequence[str], process: "subprocess.Popen[bytes]") -> None:
        try:
            _, said = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired as error:
            raise Broken(f"{shlex.join(command)} still runs after {LONGEST_S} s") from error
        wait_for_session(process)
        text = said.decode("utf-8", "replace")
        # A SIGINT may come before Python itself is ready.
        if ("Traceback" in text and "KeyboardInterrupt" not in text) or "this is a bug" in text:
            raise Broken(f"{shlex.join(command)}:\n{text}")

    @staticmethod
    def _clear(repo: Repo) -> None:
        """Leave what a person would leave: no half-done merge, and no lock of a git that was killed."""
        folder = Path(repo.out("rev-parse", "--absolute-git-dir"))
        common = Path(repo.out("rev-parse", "--path-format=absolute", "--git-common-dir"))
        for lock in [*folder.glob("*.lock"), *common.glob("*.lock"), *(common / "refs").rglob("*.lock")]:
            lock.unlink(missing_ok=True)
        for name, command in UNFINISHED.items():
            if (folder / name).exists():
                repo.git(*command, code=None)
                repo.git("reset", "--quiet", "--hard", code=None)


def start(repo: Repo, command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start a command in a session of its own."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command,
        cwd=repo.path,
        env=repo.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=pipe,
        start_new_session=True,
    )


def session_of(process: "subprocess.Popen[bytes]") -> list[int]:
    """What runs for the command, itself included."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with contextlib.suppress(OSError):
            if os.getsid(pid) == process.pid and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][1] != "Z":
                found.append(pid)
    return found


def send(pid: int, number: signal.Signals, *, session: int) -> None:
    """Send a signal to a process, if it is (still) one of the session."""
    with contextlib.suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            if os.getsid(pid) == session:
                signal.pidfd_send_signal(fd, number)
        finally:
            os.close(fd)


def wait_for_session(process: "subprocess.Popen[bytes]") -> None:
    """Wait for all that the command started.

    Raises:
        Broken: some of it does not end.
    """
    deadline = time.monotonic() + LONGEST_S
    while session_of(process):
        if time.monotonic() > deadline:
            raise Broken("a process does not end")
        time.sleep(0.01)


def is_git_kit(pid: int) -> bool:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return any(word.endswith(b"git-kit") for word in words[:2])
    return False


if __name__ == "__main__":
    sys.exit(main())
