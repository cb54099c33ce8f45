"""Rules decided from values alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from gitkit.core.config import parse_config
from gitkit.core.journal import Actor, Event, Point
from gitkit.lifecycle.ledger import Entry, Ledger
from gitkit.lifecycle.rules import BUILT_IN, Case, Stay, decide

DAY = 86400
NOW = 1_800_000_000
POINT = Point("v2", "sha256:" + "2" * 64, "2" * 40)
OTHER = Point("v1", "sha256:" + "1" * 64, "1" * 40)
CONFIG = """
[environments.dev]
branch = "dev"
[environments.qa]
branch = "qa"
from = ["dev"]
[environments.prod]
branch = "prod"
from = ["dev", "qa"]
soak = "2d"
approvals = 1
"""


def event(kind: str, *, age: int = 60, who: str = "bo", **fields: object) -> Event:
    made = Event(kind=kind, time=(NOW - age) * 1_000_000, actor=Actor(who, f"{who}@example.com"))
    return replace(made, **fields)  # type: ignore[arg-type]


def case(
    *events: Event, stays: Mapping[str, Sequence[Stay]] | None = None, config: str = CONFIG, authors: Sequence[str] = ()
) -> Case:
    return Case(
        config=parse_config(config.encode()),
        environment="prod",
        point=POINT,
        ledger=Ledger(Entry(str(number), one) for number, one in enumerate(events)),
        now=NOW * 1_000_000,
        authors=authors,
        stays=(stays or {}).get,
    )


def outcomes(of: Case) -> dict[str, str]:
    return {verdict.gate: verdict.outcome for verdict in decide(of)}


def test_verdicts_come_in_the_order_of_the_rules() -> None:
    stops = [event("reject", after=POINT), event("hold", environment="prod"), event("freeze")]
    found = list(outcomes(case(*stops)))
    assert found == [rule for rule in BUILT_IN if rule in found]
    assert set(found) == {"from", "reject", "hold", "freeze", "soak", "approvals"}


@pytest.mark.parametrize(
    ("stays", "source", "soak"),
    [
        ({}, "failed", "failed"),
        ({"dev": [Stay("v1", OTHER.digest, NOW - 9 * DAY, None)]}, "failed", "failed"),
        ({"qa": [Stay("v2", OTHER.digest, NOW - 9 * DAY, None)]}, "failed", "failed"),  # another digest of that name
        ({"qa": [Stay("v2", POINT.digest, NOW - DAY, None)]}, "passed", "failed"),
        ({"qa": [Stay("v2", POINT.digest, NOW - 2 * DAY, None)]}, "passed", "passed"),
        ({"qa": [Stay("v2", POINT.digest, NOW - 9 * DAY, NOW - 8 * DAY)] * 2}, "passed", "failed"),  # with a break
        ({"qa": [Stay("v2", POINT.digest, NOW - 9 * DAY, NOW - 7 * DAY)]}, "passed", "passed"),
        ({"dev": [Stay("v2", None, NOW - 3 * DAY, None)]}, "passed", "passed"),
    ],
)
def test_version_must_have_run_in_a_source_and_long_enough(
    stays: Mapping[str, Sequence[Stay]], source: str, soak: str
) -> None:
    found = outcomes(case(stays=stays))
    assert (found["from"], found["soak"]) == (source, soak)


def test_rejection_by_a_rollback_is_about_what_it_left() -> None:
    back = event("rollback", environment="qa", before=POINT, after=OTHER, details={"hold": True, "reject": True})
    assert outcomes(case(back))["reject"] == "failed"
    assert "hold" not in outcomes(case(back))  # qa is held, not prod
    assert "reject" not in outcomes(case(back, event("reject", after=POINT, details={"undo": True})))


@pytest.mark.parametrize(
    ("events", "stopped"),
    [
        ([event("hold", environment="prod")], {"hold"}),
        ([event("hold", environment="prod"), event("resume", environment="prod")], set()),
        ([event("hold", environment="qa")], set()),
        ([event("freeze", environment="prod")], {"freeze"}),
        ([event("freeze", environment="prod", until=NOW * 1_000_000)], set()),
        ([event("freeze", environment="prod", until=NOW * 1_000_000 + 1)], {"freeze"}),
        ([event("freeze"), event("unfreeze", environment="prod")], {"freeze"}),
        ([event("freeze"), event("freeze", environment="prod"), event("unfreeze")], set()),
        ([event("freeze", until=1), event("freeze", environment="prod")], {"freeze"}),
    ],
)
def test_holds_and_freezes_stop_until_they_end(events: Sequence[Event], stopped: set[str]) -> None:
    assert outcomes(case(*events)).keys() & {"hold", "freeze"} == stopped


def approval(config: str = CONFIG, **fields: object) -> Event:
    policy = parse_config(config.encode()).policy_of("prod")
    given: dict[str, object] = {"environment": "prod", "after": POINT, "policy": policy, **fields}
    return event("approve", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("approvals", "one", "authors", "outcome"),
    [
        ("1", {}, [], "passed"),
        ("1", {}, ["bo@example.com"], "failed"),
        ("{distinct_from_author = false}", {}, ["bo@example.com"], "passed"),
        ("1", {"after": OTHER}, [], "failed"),
        ("1", {"environment": "qa"}, [], "failed"),
        ("1", {"policy": "sha256:" + "0" * 64}, [], "failed"),
        ("2", {}, [], "failed"),
        ("{expire = '1h'}", {"age": 3599}, [], "passed"),
        ("{expire = '1h'}", {"age": 3600}, [], "failed"),
        ("{from = ['BO@Example.com']}", {}, [], "passed"),
        ("{from = ['cy@example.com']}", {}, [], "failed"),
    ],
)
def test_approval_counts_as_the_policy_says(
    approvals: str, one: dict[str, object], authors: Sequence[str], outcome: str
) -> None:
    config = CONFIG.replace("approvals = 1", f"approvals = {approvals}")
    given = approval(config, **one)
    assert outcomes(case(given, given, config=config, authors=authors))["approvals"] == outcome


def test_approval_under_an_earlier_policy_does_not_count_and_is_told() -> None:
    old: dict[str, object] = {"policy": "sha256:" + "0" * 64}
    given = [approval(**old), approval(**old, actor=Actor("cy", "cy@example.com"))]
    config = CONFIG.replace("approvals = 1", "approvals = 2")

    def reason(*events: Event) -> str:
        return next(one.reason for one in decide(case(*events, config=config)) if one.gate == "approvals")

    assert reason(*given) == "0 of 2 (nobody; bo, cy under an earlier policy)"
    assert reason(*given, approval(config)) == "1 of 2 (bo; cy under an earlier policy)"
    assert reason(approval(**old, environment="qa")) == "0 of 2 (nobody)"
