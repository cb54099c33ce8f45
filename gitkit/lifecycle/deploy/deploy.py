"""`git kit deploy`: the release that a folder runs becomes the kit that its environment runs.

The order of the steps, and how the next deploy goes on after a kill between any two of them, is in
``gitkit.lifecycle.deploy.state``. A release that is there already is used again, so a rollback copies nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from gitkit.core.events import Sink, Warned, ignore
from gitkit.lifecycle.deploy import health as checking
from gitkit.lifecycle.deploy.agent import BackOff
from gitkit.lifecycle.deploy.drift import Drift, drift_of
from gitkit.lifecycle.deploy.health import Health, Unhealthy
from gitkit.lifecycle.deploy.links import Links
from gitkit.lifecycle.deploy.releases import Folder, Record
from gitkit.lifecycle.deploy.stage import NOTHING, Amount, Staged, stage
from gitkit.lifecycle.deploy.state import Failed, Pending, State, read_state, write_state
from gitkit.lifecycle.deploy.wanted import OpenKit, Wanted

Result = Literal["deployed", "unchanged", "repaired", "failed", "rolled-back", "waiting"]


class Rules(NamedTuple):
    """``keep``: how many releases stay, 2 at least. ``verify``: read all files instead of trusting size and time.
    ``back_off``: for agents, when a kit that failed its health check may be tried again; None for at once."""

    health: Health | None = None
    keep: int = 3
    verify: bool = False
    back_off: BackOff | None = None


_AT_ONCE = Rules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What a deploy did. ``result``:

    - ``deployed``: the folder runs another version now; ``unchanged``: it ran this one already; ``repaired``: it did,
      and files were damaged (``damage``).
    - ``rolled-back``: the version failed its health check (``unhealthy``) and the folder runs ``previous`` again;
      ``failed``: likewise, and there was nothing to go back to.
    - ``waiting``: it failed before, and is not to be tried again yet.

    ``release`` is the name of the release that runs; ``previous`` the version that ran before, as far as known.
    ``repairs`` says what of an earlier, interrupted deploy was put right.
    """

    wanted: Wanted
    result: Result
    release: str | None
    previous: str | None
    size: int = 0
    linked: Amount = NOTHING
    copied: Amount = NOTHING
    downloaded: Amount = NOTHING
    kept: Amount = NOTHING
    damage: Drift | None = None
    unhealthy: Unhealthy | None = None
    repairs: Sequence[str] = ()
    wait_s: float = 0.0


def deploy(
    wanted: Wanted,
    folder: Folder,
    open_kit: Callable[[], OpenKit],
    rules: Rules = _AT_ONCE,
    *,
    emit: Sink = ignore,
) -> Deployed:
    """Have ``folder`` run ``wanted``. Idempotent; killed anywhere, the folder runs the old release or the new one.

    Raises:
        Locked: another process deploys there.
        Conflict: ``current`` is not ours.
        InvalidFile, Corrupt, NotFound, Denied, NetworkError, Unsupported: the kit cannot be unpacked.
        KitError: the disk is full, or fails.
    """
    with folder.locked():
        return _Deploy(wanted, folder, open_kit, rules, emit).run()


class _Deploy:
    """One deploy, in a folder that is locked."""

    def __init__(
        self, wanted: Wanted, folder: Folder, open_kit: Callable[[], OpenKit], rules: Rules, emit: Sink
    ) -> None:
        self._wanted = wanted
        self._folder = folder
        self._open_kit = open_kit
        self._rules = rules
        self._emit = emit
        self._repairs: list[str] = []
        self._state = read_state(folder)

    def run(self) -> Deployed:
        self._recover()
        running = self._folder.current()
        good = self._good(running)
        failed = self._state.failed
        if failed is not None and failed.digest != self._wanted.digest:
            self._remember(replace(self._state, failed=None))
        elif failed is not None and self._rules.back_off is not None and self._state.pending is None:
            wait_s = self._rules.back_off.waits(failed, time.time())
            if wait_s > 0:
                return self._done("waiting", running, good, wait_s=wait_s)
        found, damage = self._look(running)
        if found is not None and found == running and self._state.pending is None:
            return self._done("unchanged", running, None)
        staged = None if found is not None else self._stage()
        name = staged.name if staged is not None else str(found)
        unhealthy = self._bring_in(name, good)
        return self._told(name, good, staged, damage, unhealthy)

    # -- after a kill --------------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Put right what an interrupted deploy left. A health check without a result stays pending for this version."""
        if self._folder.sweep(self._wanted.digest):
            self._repairs.append("deleted what an interrupted deploy had left")
        pending = self._state.pending
        if pending is None:
            return
        name = self._folder.version_of(pending.name)
        if self._folder.current() != pending.name:
            self._repairs.append(f"a deploy of {name} was interrupted, and nothing had changed")
            self._remember(replace(self._state, pending=None))
        elif pending.unhealthy:
            self._folder.switch(self._good(None))
            self._remember(replace(self._state, pending=None))
            self._repairs.append(f"{name} had failed its health check: went back from it")
        elif pending.digest == self._wanted.digest:
            self._repairs.append(f"a deploy of {name} was interrupted before its health was known")
        else:
            self._repairs.append(f"a deploy of {name} was interrupted before its health was known, and is overtaken")

    def _good(self, running: str | None) -> str | None:
        """The release to go back to: what runs, unless its health is not known."""
        pending = self._state.pending
        name = running if pending is None else pending.previous
        return name if name in self._folder.names() else None

    # -- the release ---------------------------------------------------------------------------------------------------

    def _look(self, running: str | None) -> tuple[str | None, Drift | None]:
        """A sound release of the wanted kit, first of all the one that runs; and what is wrong with that one."""
        damage: Drift | None = None
        names = dict.fromkeys([*([running] if running else []), *reversed(self._folder.names())])
        for name in names:
            record = self._folder.record(name)
            if record is None or record.digest != self._wanted.digest:
                continue
            drift = drift_of(self._folder.path_of(name), record, verify=self._rules.verify)
            if not drift.is_damage:
                return name, damage
            if name == running:
                damage = drift
        return None, damage

    def _stage(self) -> Staged:
        kit = self._open_kit()
        links = Links(self._folder, verify=self._rules.verify)
        return stage(self._folder, self._wanted, kit, links, emit=self._emit)

    # -- the swap ------------------------------------------------------------------------------------------------------

    def _bring_in(self, name: str, good: str | None) -> Unhealthy | None:
        """Swap, check, and swap back where the check fails."""
        if self._folder.current() != name or self._state.pending is None:
            self._remember(replace(self._state, pending=Pending(name, self._wanted.digest, good)))
            self._folder.switch(name)
        unhealthy = self._check(name)
        if unhealthy is not None:
            self._go_back(name, good)
            return unhealthy
        there = self._folder.names()
        history = dict.fromkeys([name, *([good] if good else []), *self._state.history])
        self._remember(State(history=tuple(other for other in history if other in there)))
        self._prune(name, good)
        return None

    def _check(self, name: str) -> Unhealthy | None:
        if self._rules.health is None:
            return None
        variables = {
            "KIT_ENVIRONMENT": self._wanted.environment,
            "KIT_VERSION": self._wanted.version,
            "KIT_DIGEST": self._wanted.digest,
            "KIT_DIR": self._folder.path,
        }
        return checking.check(self._rules.health, self._folder.path_of(name), variables)

    def _go_back(self, name: str, good: str | None) -> None:
        before = self._state.failed
        attempts = before.attempts + 1 if before is not None and before.digest == self._wanted.digest else 1
        failed = Failed(self._wanted.digest, time.time(), attempts)
        pending = Pending(name, self._wanted.digest, good, unhealthy=True)
        self._remember(replace(self._state, pending=pending, failed=failed))
        self._folder.switch(good)
        self._remember(replace(self._state, pending=None))

    def _prune(self, name: str, good: str | None) -> None:
        """Remove releases beyond ``keep``: never what runs, nor what ran before it."""
        there = self._folder.names()
        ranked = dict.fromkeys([*self._state.history, *there])
        kept = {*list(ranked)[: max(self._rules.keep, 2)], name, good}
        for other in there:
            if other not in kept:
                try:
                    self._folder.remove(other)
                except OSError as error:  # the deploy itself is done
                    self._emit(Warned(f"the old release {other} cannot be deleted: {error.strerror}"))

    # -- what is told --------------------------------------------------------------------------------------------------

    def _remember(self, state: State) -> None:
        write_state(self._folder, state)
        self._state = state

    def _told(
        self, name: str, good: str | None, staged: Staged | None, damage: Drift | None, unhealthy: Unhealthy | None
    ) -> Deployed:
        if unhealthy is not None:
            return self._done("rolled-back" if good else "failed", good, good, damage=damage, unhealthy=unhealthy)
        done = self._done("deployed" if damage is None else "repaired", name, good, damage=damage)
        if staged is None:
            return done
        return replace(done, linked=staged.linked, copied=staged.copied, downloaded=staged.downloaded, kept=staged.kept)

    def _done(
        self,
        result: Result,
        name: str | None,
        previous: str | None,
        *,
        damage: Drift | None = None,
        unhealthy: Unhealthy | None = None,
        wait_s: float = 0.0,
    ) -> Deployed:
        record: Record | None = self._folder.record(name) if name is not None else None
        return Deployed(
            wanted=self._wanted,
            result=result,
            release=name,
            previous=self._folder.version_of(previous) if previous is not None else None,
            size=record.size if record is not None else 0,
            damage=damage,
            unhealthy=unhealthy,
            repairs=self._repairs,
            wait_s=wait_s,
        )
