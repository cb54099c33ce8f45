"""`git kit env sync`: what was interrupted is finished, the registry follows Git, and what moves by itself moves."""

import json
from typing import Any

import pytest

from tests.lib.lifecycle_world import CONFIG, World, model
from tests.lib.registries import REPOSITORY, Fault, FaultRegistry
from tests.lib.repos import Ran, Repo


def outcomes(repo: Repo, *names: str, code: int = 0) -> dict[str, tuple[str, str | None]]:
    found: list[dict[str, Any]] = json.loads(repo.kit("env", "sync", *names, "--json", code=code).stdout)
    return {one["environment"]: (one["outcome"], one["version"]) for one in found}


def details(done: Ran) -> dict[str, str]:
    """The column DETAIL by environment."""
    rows = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    assert rows[0] == ["ENVIRONMENT", "OUTCOME", "VERSION", "DETAIL"]
    return {row[0]: row[3] for row in rows[1:]}


def config(auto: str) -> str:
    """Staging takes ``auto`` of dev, prod what staging runs."""
    text = CONFIG.replace('from = ["dev"]\n', f'from = ["dev"]\nauto = "{auto}"\n')
    return text.replace('from = ["staging"]\n', 'from = ["staging"]\nauto = "match"\n')


def tag(world: World, version: str, auto: str) -> None:
    """A version on dev that carries these rules and is not released."""
    world.author.commit(version, {"model.bin": model(version), ".gitkit.toml": config(auto)})
    world.author.git("tag", version)
    world.author.git("push", "--quiet", "origin", "dev", version)


def release(world: World, version: str, auto: str) -> None:
    tag(world, version, auto)
    world.author.kit("release", version)


def test_sync_puts_the_registrys_tags_where_git_is_and_again_changes_nothing(world: World) -> None:
    world.author.kit("promote", "v1", "staging")
    world.registry.put_manifest(world.registry.get_manifest("v3"), tag="staging")
    assert outcomes(world.author) == {
        "dev": ("repaired", "v3"),
        "staging": ("repaired", "v1"),
        "prod": ("current", None),
    }
    assert world.registry.resolve("staging") == world.digest_of("v1")
    assert world.registry.resolve("dev") == world.digest_of("v3")
    journal = world.tip("kit/journal")
    done = world.author.kit("env", "sync")
    assert details(done) == {"dev": "-", "staging": "-", "prod": "nothing runs there yet"}
    assert world.tip("kit/journal") == journal


def test_sync_promotes_by_itself_sources_first_and_says_from_what_to_what(world: World) -> None:
    world.author.commit("rules", {".gitkit.toml": config("newest")})
    world.author.git("push", "--quiet", "origin", "dev")
    done = world.author.kit("env", "sync", "prod", "staging")
    assert details(done) == {"staging": "nothing -> v3", "prod": "nothing -> v3"}
    assert world.registry.resolve("prod") == world.digest_of("v3")
    assert outcomes(world.author, "staging", "prod") == {"staging": ("current", "v3"), "prod": ("current", "v3")}
    shown = json.loads(world.author.kit("env", "show", "prod", "--json").stdout)
    assert (shown["event"], shown["reason"]) == ("promote", "git kit env sync")


def test_sync_waits_for_a_hold_and_goes_on_when_it_ends(world: World) -> None:
    release(world, "v4", "match")
    assert outcomes(world.author, "staging") == {"staging": ("promoted", "v4")}
    release(world, "v5", "match")
    world.author.kit("hold", "staging", "--reason", "fair")
    done = world.author.kit("env", "sync", "staging")
    assert "hold: held by Ada Tester: fair" in details(done)["staging"]
    assert outcomes(world.author, "staging") == {"staging": ("waiting", "v4")}
    world.author.kit("resume", "staging")
    assert outcomes(world.author, "staging") == {"staging": ("promoted", "v5")}


def test_sync_takes_the_newest_version_that_is_released_and_not_rejected(world: World) -> None:
    release(world, "v4", "newest")
    release(world, "v5", "newest")
    tag(world, "v6", "newest")
    world.author.kit("reject", "v5")
    assert outcomes(world.author, "staging") == {"staging": ("promoted", "v4")}
    done = world.author.kit("env", "sync", "dev", "staging")
    assert details(done) == {"dev": "v6 is not released yet", "staging": "v6 is not released yet"}
    assert outcomes(world.author, "staging") == {"staging": ("waiting", "v4")}


def test_sync_of_an_environment_that_fails_tells_why_goes_on_and_exits_with_19(world: World) -> None:
    world.author.kit("promote", "v1", "staging")
    world.author.kit("promote", "v1", "prod")
    ben = world.clone("ben", "Ben")
    ben.git("checkout", "--quiet", "staging")
    ben.commit("hot fix")
    ben.git("push", "--quiet", "--no-verify", "origin", "staging")
    world.registry.delete_tag("prod")
    done = world.author.kit("env", "sync", "staging", "prod", code=19)
    assert "Ben moved staging by hand" in details(done)["staging"]
    assert "error: 1 environment could not be synchronised: staging\n" in done.stderr
    assert world.registry.resolve("prod") == world.digest_of("v1")
    assert outcomes(world.author, "staging", "prod", code=19) == {
        "staging": ("failed", None),
        "prod": ("current", "v1"),
    }


def test_sync_repairs_what_a_registry_that_failed_after_git_moved_lacks(
    world: World, fault_registry: FaultRegistry
) -> None:
    world.author.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    world.author.kit("push", "dev")
    world.author.kit("release", "v1")
    broken = fault_registry.add(Fault(method="PUT", path="/manifests/staging", times=None, status=500))
    world.author.kit("promote", "v1", "staging", code=19)
    broken.times = 0
    done = world.author.kit("env", "sync", "staging")
    assert details(done) == {"staging": "the registry's tag staging follows Git again"}
    tags = fault_registry.repository(REPOSITORY).tags
    assert tags["staging"] == tags["v1"]


def test_sync_without_a_git_remote_finishes_a_move_that_was_interrupted(world: World) -> None:
    alone = world.author
    alone.git("config", "kit.url", f"oci-layout:{world.registry.path}")
    alone.git("branch", "--quiet", "--no-track", "kit/journal", "origin/kit/journal")
    alone.git("remote", "remove", "origin")
    alone.kit("promote", "v1", "staging")
    before = alone.out("rev-parse", "staging")
    alone.kit("promote", "v2", "staging")
    after = alone.out("rev-parse", "staging")
    alone.git("update-ref", "refs/heads/staging", before)  # killed between journal and branch
    shown = json.loads(alone.kit("env", "show", "staging", "--json").stdout)
    assert [drift["text"] for drift in shown["drifts"]] == ["interrupted: promote v2 staging", "registry: v2"]
    done = alone.kit("env", "sync", "staging")
    assert details(done) == {"staging": "the branch is where the journal has it again"}
    assert "warning: staging: finished the promote v2 staging that was interrupted" in done.stderr
    assert alone.out("rev-parse", "staging") == after


@pytest.mark.parametrize("name", ["v1", "prdo"])
def test_sync_of_no_environment_is_refused(world: World, name: str) -> None:
    assert f'no environment is called "{name}"' in world.author.kit("env", "sync", "dev", name, code=16).stderr
