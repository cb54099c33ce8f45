"""Rules decided again for moves of the past: times that cannot be waited for in a test are made up here."""

from pathlib import Path
from typing import Any

import pytest

from gitkit.core.config import parse_config
from gitkit.core.journal import Actor, Event, Point
from gitkit.git.repository import discover
from gitkit.git.run import Git
from gitkit.lifecycle.audit.policies import Policies
from gitkit.lifecycle.audit.rederive import Known, Rederivation
from gitkit.lifecycle.environments import Place
from gitkit.lifecycle.ledger import Entry
from gitkit.modelkit.content import Content
from gitkit.store.layout import ImageLayout
from tests.lib.configs import ENVIRONMENTS as CONFIG
from tests.lib.repos import Repo

ADA, BEN = Actor("Ada", "ada@example.com"), Actor("Ben", "ben@example.com")
HOUR = 3600 * 1_000_000
START = 1_767_225_600 * 1_000_000


class Told:
    """Events that are told to a rederivation, hours after ``START``. No commit that they name is in the repository."""

    def __init__(self, repo: Repo, rules: str) -> None:
        git = Git(str(repo.path), repo.environ)
        self.config = parse_config((CONFIG + rules).encode())
        store = ImageLayout(str(repo.path / "kit"))
        place = Place(
            repository=discover(git),
            git_remote=None,
            config=self.config,
            config_of={}.get,
            build=None,  # type: ignore[arg-type]
            store=store,
            content=lambda: Content(git, store),
        )
        self.made = Rederivation(Known(place, Policies(place), {}, dict))
        self.ran: dict[str, Point] = {}

    def add(self, kind: str, hours: float, **fields: Any) -> None:
        base = {"kind": kind, "time": START + int(hours * HOUR), "actor": ADA}
        self.made.add(Entry("c" * 40, Event(**{**base, **fields})), checked=False)

    def move(self, version: str, name: str, hours: float, *outcomes: str, kind: str = "promote", **fields: Any) -> None:
        """``outcomes`` such as ``soak passed``, after that of ``from``."""
        said = [text.split(" ") for text in ("from passed", *outcomes)]
        gates = tuple({"gate": gate, "outcome": outcome, "reason": ""} for gate, outcome in said)
        base = {"environment": name, "before": self.ran.get(name), "after": point(version), "gates": gates}
        self.add(kind, hours, **{**base, "policy": self.config.policy_of(name), **fields})
        self.ran[name] = point(version)

    @property
    def texts(self) -> list[str]:
        return [finding.text for finding in self.made.findings]


def point(version: str) -> Point:
    return Point(version, f"sha256:{version[-1] * 64}", version[-1] * 40)


@pytest.mark.parametrize(("hours", "texts"), [(23.9, ["soak: ran 23h54m in staging, not 1d: 6m to go"]), (24, [])])
def test_soak_is_measured_from_the_moves_of_the_source(repo: Repo, hours: float, texts: list[str]) -> None:
    told = Told(repo, 'soak = "1d"\n')
    told.add("release", -1, after=point("v1"))
    told.move("v1", "staging", 0)
    told.move("v1", "prod", hours, "soak passed")
    assert told.texts == texts


def test_soak_ends_when_the_source_moves_on(repo: Repo) -> None:
    told = Told(repo, 'soak = "1d"\n')
    told.move("v1", "staging", 0)
    told.move("v2", "staging", 2)
    told.move("v1", "prod", 48, "soak passed")
    assert told.texts == ["soak: ran 2h in staging, not 1d: 22h to go"]


def test_rules_about_a_branch_that_people_write_are_taken_as_recorded(repo: Repo) -> None:
    told = Told(repo, "")
    told.move("v1", "staging", 0)
    assert (told.texts, len(told.made.notes)) == ([], 1)
    told.move("v2", "staging", 0, gates=())
    assert told.texts == ["from: v2 did not run in dev"]


@pytest.mark.parametrize(("minutes", "found"), [(5, False), (11, True)])
def test_window_may_have_closed_while_gates_were_evaluated_for_ten_minutes(
    repo: Repo, minutes: int, found: bool
) -> None:
    told = Told(repo, 'windows = [{allow = "0 9 * * *", duration = "1h"}]\n')
    told.move("v1", "staging", 0)
    told.move("v1", "prod", 10 + minutes / 60, "windows passed")
    assert bool(told.texts) is found


@pytest.mark.parametrize(("hours", "texts"), [(20, []), (30, ["approvals: 0 of 1 (nobody)"])])
def test_approval_that_had_expired_does_not_count(repo: Repo, hours: float, texts: list[str]) -> None:
    told = Told(repo, 'approvals = {min = 1, expire = "1d"}\n')
    told.move("v1", "staging", 0)
    policy = told.config.policy_of("prod")
    told.add("approve", 1, actor=BEN, environment="prod", after=point("v1"), policy=policy)
    told.move("v1", "prod", hours, "approvals passed")
    assert told.texts == texts


@pytest.mark.parametrize(
    ("actor", "reason", "texts"),
    [
        (BEN, "urgent", []),
        (BEN, None, ["soak was waived by Ben <ben@example.com> without a reason"]),
        (ADA, "urgent", ["soak was waived by Ada <ada@example.com>, who may not"]),
    ],
)
def test_waived_rule_needs_a_permitted_actor_and_a_reason(
    repo: Repo, actor: Actor, reason: str | None, texts: list[str]
) -> None:
    told = Told(repo, 'soak = "1d"\noverride = ["BEN@example.com"]\n')
    told.move("v1", "staging", 0)
    told.move("v1", "prod", 1, "soak waived", actor=actor, reason=reason)
    assert told.texts == texts


def test_rollback_goes_to_what_ran_and_was_not_rejected(repo: Repo) -> None:
    told = Told(repo, "")
    for number, version in enumerate(("v1", "v2")):
        told.move(version, "staging", number)
        told.move(version, "prod", number)
    told.move("v1", "prod", 3, kind="rollback", details={"hold": True, "reject": True})
    assert told.texts == []
    told.move("v2", "prod", 4, kind="rollback")
    told.move("v3", "prod", 5, kind="rollback")
    assert told.texts == ["v2 had been rejected by Ada", "v3 never ran in prod"]


def test_policy_that_is_nowhere_leaves_what_was_recorded(repo: Repo) -> None:
    told = Told(repo, "")
    unknown = f"sha256:{'0' * 64}"
    told.move("v1", "staging", 0, "eval passed", policy=unknown)
    assert (told.texts, len(told.made.notes)) == ([], 1)
    told.move("v2", "staging", 1, "eval failed", policy=unknown)
    assert told.texts == ["eval is failed"]


def test_event_that_was_checked_before_counts_and_is_not_judged(repo: Repo, tmp_path: Path) -> None:
    told = Told(repo, 'soak = "1d"\n')
    event = Event(kind="promote", time=START, actor=ADA, environment="prod", after=point("v1"))
    told.made.add(Entry("c" * 40, event), checked=True)
    told.ran["prod"] = point("v1")
    assert told.texts == []
    told.move("v1", "prod", 1, "soak passed", kind="rollback")
    assert told.texts == []
