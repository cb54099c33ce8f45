"""Tags of Git and of the registry against what releases said, from values alone."""

from typing import Any

import pytest

from gitkit.core.journal import Actor, Event, Point
from gitkit.core.remote import ReadOnly
from gitkit.errors import NetworkError
from gitkit.lifecycle.audit.names import Tags, check_registry, check_tags, wanted_tags
from gitkit.lifecycle.ledger import Entry, Ledger

ADA = Actor("Ada", "ada@example.com")


def entry(kind: str, number: int, version: str, **fields: Any) -> Entry:
    event = Event(kind=kind, time=number, actor=ADA, sequence=number, after=point(version), **fields)
    return Entry(f"{number:040x}", event)


def point(version: str) -> Point:
    return Point(version, f"sha256:{version[-1] * 64}", version[-1] * 40, version[-1] * 39 + "f")


RELEASES = [entry("release", 1, "v1"), entry("release", 2, "v2")]
TAGS = {"v1": "1" * 39 + "f", "v2": "2" * 39 + "f"}


class Registry(ReadOnly):
    """Tags and digests; None for one that does not answer."""

    url = "oci://registry.example.com/acme"

    def __init__(self, tags: dict[str, str] | None) -> None:
        self._tags = tags

    def resolve(self, tag: str) -> str | None:
        if self._tags is None:
            raise NetworkError("it does not answer")
        return self._tags.get(tag)


# -- Git's tags --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "there", "texts"),
    [
        (TAGS, TAGS, []),
        ({}, TAGS, []),
        (TAGS, {"v1": TAGS["v1"]}, ["the tag v2 is gone on origin"]),
        (TAGS, {**TAGS, "v1": "0" * 40}, ["the tag v1 was moved on origin: it is 000000000000, its release had 1111"]),
        ({**TAGS, "v2": "0" * 40}, TAGS, ["the tag v2 was moved in this clone: it is 000000000000"]),
    ],
)
def test_tag_that_is_not_the_releases_own_is_found(
    here: dict[str, str], there: dict[str, str], texts: list[str]
) -> None:
    findings, gaps = check_tags(RELEASES, Tags(here, there, "origin", {}))
    assert gaps == []
    assert len(findings) == len(texts)
    assert all(finding.text.startswith(text) for finding, text in zip(findings, texts, strict=True))


def test_tag_that_nobody_was_asked_for_is_a_gap_with_a_remote_and_gone_without() -> None:
    findings, gaps = check_tags(RELEASES, Tags({}, None, "origin", {}))
    assert findings == []
    assert [gap.text for gap in gaps] == ["the tag v1 and 1 more is not in this clone, and origin was not asked"]
    findings, gaps = check_tags(RELEASES, Tags({}, None, None, {}))
    assert ([finding.text for finding in findings], gaps) == (
        ["the tag v1 is gone in this clone", "the tag v2 is gone in this clone"],
        [],
    )


def test_release_of_a_tag_that_leads_to_another_commit_is_found() -> None:
    findings, _ = check_tags(RELEASES, Tags(TAGS, TAGS, "origin", {TAGS["v1"]: "9" * 40, TAGS["v2"]: "2" * 40}))
    assert [finding.event for finding in findings] == [1]


# -- the registry ------------------------------------------------------------------------------------------------------

MOVES = [
    entry("promote", 3, "v1", environment="dev"),
    entry("promote", 4, "v1", environment="prod"),
    entry("promote", 5, "v2", environment="prod"),
]


def _found(tags: dict[str, str]) -> list[str]:
    wanted = wanted_tags(Ledger([*RELEASES, *MOVES]), {"dev": False, "prod": True}, [])
    return [finding.text.split(" ")[-3] for finding in check_registry(Registry(tags), wanted)[0]]


def test_registry_is_asked_for_environments_and_what_they_run() -> None:
    one, two = point("v1").digest, point("v2").digest
    good = {"prod": two, "dev": one, "v1": one, "v2": two}
    assert _found(good) == []
    assert _found({**good, "prod": one}) == ["prod,"]
    assert _found({**good, "v2": one}) == ["v2,"]
    assert _found({"prod": two, "v1": one}) == ["v2,"]


def test_environment_that_follows_its_branch_may_be_at_any_version_that_was_released() -> None:
    one, two = point("v1").digest, point("v2").digest
    good = {"prod": two, "v1": one, "v2": two}
    assert _found({**good, "dev": two}) == []
    assert _found({**good, "dev": f"sha256:{'0' * 64}"}) == ["dev,"]


def test_registry_that_does_not_answer_is_a_gap() -> None:
    wanted = wanted_tags(Ledger([*RELEASES, *MOVES]), {"prod": True}, RELEASES)
    findings, gaps = check_registry(Registry(None), wanted)
    assert (findings, len(gaps)) == ([], 1)
    assert "it does not answer" in gaps[0].text
