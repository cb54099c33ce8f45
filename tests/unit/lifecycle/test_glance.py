"""A glance at an environment tells what reading its whole history tells about now."""

from types import SimpleNamespace
from typing import Any

import pytest

from gitkit.core.policy import Environment
from gitkit.git.run import Git
from gitkit.lifecycle.environments import State, glance, read
from tests.lib.repos import Repo


class Branch:
    """A branch, with a clock that goes on by a second for each commit."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.second = 1_000_000_000

    def commit(self, *tags: str, message: str = "work") -> str:
        self.second += 1
        self.repo.environ["GIT_COMMITTER_DATE"] = f"@{self.second} +0000"
        oid = self.repo.commit(message)
        for tag in tags:
            self.repo.git("tag", tag)
        return oid

    def rollback(self, version: str, *tags: str) -> str:
        return self.commit(
            *tags, message=f"env: rollback\n\nKit-Env: env\nKit-Version: {version}\nKit-Event: rollback\n"
        )

    def both(self, sources: list[str]) -> tuple[State, State]:
        """What a glance and a whole reading find."""
        place: Any = SimpleNamespace(
            repository=SimpleNamespace(git=Git(str(self.repo.path), self.repo.environ)),
            config=SimpleNamespace(kit=SimpleNamespace(tags="v*")),
        )
        settings = Environment.model_validate({"branch": "main", "from": sources})
        tip = self.repo.out("rev-parse", "HEAD")
        return glance(place, "env", settings, tip), read(place, "env", settings, tip)


def untagged(branch: Branch) -> None:
    branch.commit()


def tagged(branch: Branch) -> None:
    branch.commit("v1")
    branch.commit("v2", "v2.1")
    branch.commit()


def rolled_back(branch: Branch) -> None:
    tagged(branch)
    branch.rollback("v1")


def rolled_back_and_worked_on(branch: Branch) -> None:
    rolled_back(branch)
    branch.commit()


def released_on_top_of_a_rollback(branch: Branch) -> None:
    rolled_back(branch)
    branch.commit("v3")


def rollback_with_a_tag_of_its_own(branch: Branch) -> None:
    tagged(branch)
    branch.rollback("v1", "v4")


def release_beside_a_rollback(branch: Branch) -> None:
    branch.commit("v1")
    branch.repo.git("checkout", "--quiet", "-b", "side")
    branch.commit("v2")
    branch.repo.git("checkout", "--quiet", "main")
    branch.rollback("v1")
    branch.repo.git("merge", "--quiet", "--no-edit", "side")


def rollback_without_any_tag(branch: Branch) -> None:
    branch.commit()
    branch.rollback("v1")


LIVES = [
    *(untagged, tagged, rolled_back, rolled_back_and_worked_on, released_on_top_of_a_rollback),
    *(rollback_with_a_tag_of_its_own, release_beside_a_rollback, rollback_without_any_tag),
]


@pytest.mark.parametrize("live", LIVES)
@pytest.mark.parametrize("sources", [[], ["other"]])
def test_glance_finds_the_current_run_of_a_whole_reading(repo: Repo, live: Any, sources: list[str]) -> None:
    branch = Branch(repo)
    live(branch)
    found, whole = branch.both(sources)
    assert found.current == whole.current
    assert (found.moved_by_hand, found.tip, found.managed) == (whole.moved_by_hand, whole.tip, whole.managed)


@pytest.mark.parametrize(
    ("live", "version"),
    [
        (untagged, None),
        (tagged, "v2.1"),
        (rolled_back_and_worked_on, "v1"),
        (released_on_top_of_a_rollback, "v3"),
        (rollback_with_a_tag_of_its_own, "v1"),
        (release_beside_a_rollback, "v2"),
    ],
)
def test_glance_at_a_branch_that_people_write_finds_its_version(repo: Repo, live: Any, version: str | None) -> None:
    branch = Branch(repo)
    live(branch)
    current = branch.both([])[0].current
    assert (current.version if current is not None else None) == version
