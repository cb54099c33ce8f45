"""Environments with real git: promotion, refusal, races, rollback, and what happens when one half of a move fails."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lib.lifecycle_world import CONFIG, KIT_JOURNAL, VERSIONS, World, model
from tests.lib.registries import REPOSITORY, Fault, FaultRegistry
from tests.lib.repos import Ran, Repo

Json = dict[str, Any]


def promote(repo: Repo, version: str, environment: str, *options: str, code: int = 0) -> Ran:
    return repo.kit("promote", version, environment, *options, code=code)


def rollback(repo: Repo, environment: str, *options: str, code: int = 0) -> Ran:
    return repo.kit("rollback", environment, *options, code=code)


def shown(repo: Repo, environment: str) -> Json:
    found: Json = json.loads(repo.kit("env", "show", environment, "--json").stdout)
    return found


def runs(repo: Repo, branch: str) -> list[str]:
    """What the trailers on a branch say, newest first: ``v2 promote``."""
    keys = ("Kit-Version", "Kit-Event")
    form = " ".join(f"%(trailers:key={key},valueonly,separator=)" for key in keys)
    lines = repo.out("log", "--first-parent", f"--format={form}", branch).splitlines()
    return [line for line in lines if line.strip()]


def assert_refused(done: Ran, *texts: str) -> None:
    """An error with a hint, and each of ``texts`` in it."""
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") or "\nerror: " in done.stderr
    assert "\nhint: " in done.stderr
    for text in texts:
        assert text in done.stderr


# -- looking ---------------------------------------------------------------------------------------------------------


def test_env_list_before_any_promotion_shows_the_newest_release_of_the_branch_that_is_followed(world: World) -> None:
    listed = json.loads(world.author.kit("env", "list", "--json").stdout)
    assert [(env["environment"], env["branch"], env["version"], env["digest"], env["event"]) for env in listed] == [
        ("dev", "dev", "v3", world.digest_of("v3"), "commit"),
        ("staging", "staging", None, None, None),
        ("prod", "prod", None, None, None),
    ]
    assert listed[0]["since"] == "2026-01-01T00:00:02Z"
    text = world.author.kit("env").stdout
    assert world.author.kit("env", "list").stdout == text
    lines = text.splitlines()
    assert lines[0].split() == ["ENVIRONMENT", "VERSION", "DIGEST", "SINCE", "BY", "GATES", "HOLD", "DRIFT"]
    assert lines[1].split() == [
        *("dev", "v3", world.digest_of("v3")[7:19], "2026-01-01", "Ada", "T.", "-", "-"),
        *("registry:", "missing"),
    ]
    assert [line.split() for line in lines[2:]] == [[name, *"-------"] for name in ("staging", "prod")]


def test_env_list_offline_needs_no_network_and_knows_what_was_fetched(world: World) -> None:
    other = world.clone("other", "Ben")
    promote(other, "v1", "staging")
    listed = json.loads(world.author.kit("env", "--offline", "--json").stdout)
    assert {env["environment"]: env["version"] for env in listed} == {"dev": "v3", "staging": None, "prod": None}
    world.author.git("fetch", "--quiet")
    world.bare.path.rename(world.folder / "away.git")
    done = world.author.kit("env", "--offline", "--json")
    assert done.stderr == ""
    listed = json.loads(done.stdout)
    assert [(env["version"], env["by"]) for env in listed] == [("v3", "Ada Tester"), ("v1", "Ben"), (None, None)]


def test_env_show_lists_the_history_newest_first_and_whether_the_registry_agrees(world: World) -> None:
    promote(world.author, "v1", "staging", "--reason", "first one")
    promote(world.author, "v2", "staging")
    found = shown(world.author, "staging")
    assert (found["environment"], found["version"], found["digest"]) == ("staging", "v2", world.digest_of("v2"))
    assert (found["from"], found["registry"], found["drift"]) == (["dev"], world.digest_of("v2"), False)
    assert (found["commit"], found["by"]) == (world.tip("staging"), "Ada Tester")
    history = [
        {key: run[key] for key in ("version", "digest", "commit", "event", "by", "reason")} for run in found["history"]
    ]
    assert history == [
        {
            "version": version,
            "digest": world.digest_of(version),
            "commit": world.commit_of(version),
            "event": "promote",
            "by": "Ada Tester",
            "reason": reason,
        }
        for version, reason in (("v2", None), ("v1", "first one"))
    ]
    text = world.author.kit("env", "show", "staging").stdout
    lines = dict(line.split(maxsplit=1) for line in text.partition("\n\n")[0].splitlines())
    assert (lines["environment"], lines["version"], lines["registry"]) == ("staging", "v2", world.digest_of("v2"))
    assert [line.split()[0] for line in text.rpartition("\n\n")[2].splitlines()] == ["VERSION", "v2", "v1"]
    assert "first one" in text


# -- promotion -------------------------------------------------------------------------------------------------------


def test_promote_through_all_environments_moves_one_digest_by_commits_with_the_versions_tree(world: World) -> None:
    author, digest = world.author, world.digest_of("v2")
    for name in ("staging", "prod"):
        done = promote(author, "v2", name)
        assert done.stdout == f"{digest}\n"
        assert f"{name}: nothing -> v2" in done.stderr
    for name in ("staging", "prod"):
        tip = world.tip(name)
        assert tip is not None
        assert world.bare.out("log", "-1", "--format=%P", tip) == world.commit_of("v2")
        assert world.bare.out("rev-parse", f"{tip}^{{tree}}") == author.out("rev-parse", "v2^{tree}")
        assert world.registry.resolve(name) == digest
        assert author.out("rev-parse", f"origin/{name}") == tip
    assert world.registry.get_manifest("prod") == world.registry.get_manifest("v2")


def test_promote_writes_exactly_the_trailers_and_continues_the_branch(world: World) -> None:
    promote(world.author, "v1", "staging")
    first = world.tip("staging")
    promote(world.author, "v3", "staging", "--reason", "two\nlines\n\nKit-Version: v9")
    tip = world.tip("staging")
    assert world.bare.git("log", "-1", "--format=%P%n%B", str(tip)).stdout == (
        f"{first} {world.commit_of('v3')}\n"
        "staging: promote v3\n"
        "\n"
        "Kit-Env: staging\n"
        "Kit-Version: v3\n"
        f"Kit-Digest: {world.digest_of('v3')}\n"
        "Kit-Event: promote\n"
        f"Kit-Journal: {world.tip('kit/journal')}\n"
        "Kit-Reason: two lines Kit-Version: v9\n\n"
    )
    trailers = world.bare.out("log", "-1", "--format=%(trailers:key=Kit-Version,valueonly)", str(tip)).strip()
    assert trailers == "v3"
    assert world.bare.out("log", "-1", "--format=%an <%ae>", str(tip)) == "Ada Tester <ada@example.com>"


def test_promote_with_json_tells_what_moved(world: World) -> None:
    told = json.loads(promote(world.author, "v1", "staging", "--json").stdout)
    assert told == {
        "environment": "staging",
        "version": "v1",
        "digest": world.digest_of("v1"),
        "before": None,
        "commit": world.tip("staging"),
        "event": world.author.out("log", "-1", "--format=%(trailers:key=Kit-Id,valueonly,separator=)", KIT_JOURNAL),
        "gates": [{"gate": "from", "outcome": "passed", "reason": "ran in dev"}],
        "moved": True,
        "registry_tag_moved": True,
    }


def test_promote_twice_changes_nothing_and_repairs_a_registry_tag_that_drifted(world: World) -> None:
    promote(world.author, "v1", "staging")
    tip = world.tip("staging")
    again = json.loads(promote(world.author, "v1", "staging", "--json").stdout)
    assert (again["moved"], again["registry_tag_moved"], again["commit"]) == (False, False, None)
    world.registry.put_manifest(world.registry.get_manifest("v3"), tag="staging")
    assert shown(world.author, "staging")["drift"] is True
    assert "registry: v3: git kit env sync staging" in world.author.kit("env", "show", "staging").stdout
    repaired = json.loads(promote(world.author, "v1", "staging", "--json").stdout)
    assert (repaired["moved"], repaired["registry_tag_moved"]) == (False, True)
    assert world.registry.resolve("staging") == world.digest_of("v1")
    assert world.tip("staging") == tip


def test_promote_of_what_did_not_run_before_is_refused_and_moves_nothing(world: World) -> None:
    promote(world.author, "v1", "staging")
    done = promote(world.author, "v2", "prod", code=18)
    assert_refused(
        done, "error: prod does not take v2:\n  from: v2 did not run in staging\n", "hint: git kit promote v2 staging"
    )
    assert world.tip("prod") is None
    assert world.registry.resolve("prod") is None
    promote(world.author, "v3", "staging")
    promote(world.author, "v1", "prod")
    assert runs(world.bare, "prod") == ["v1 promote"]


def test_promote_of_a_version_whose_commit_is_not_on_the_followed_branch_is_refused(world: World) -> None:
    world.author.git("checkout", "--quiet", "-b", "side", "v1")
    world.author.commit("side", {"model.bin": b"side"})
    world.author.git("tag", "v4")
    world.author.kit("release", "v4")
    assert_refused(promote(world.author, "v4", "staging", code=18), "v4 did not run in dev")
    assert world.tip("staging") is None


def test_promote_past_gates_that_cannot_be_evaluated_is_refused_naming_each(world: World) -> None:
    rules = CONFIG.replace(
        'from = ["dev"]\n', 'from = ["dev"]\nsoak = "24h"\napprovals = 2\ngates = ["eval", "signature"]\n'
    )
    rules += '[gates.eval]\nmetrics = "m.json"\nrules = {acc = {min = 0.9}}\n'
    world.author.commit("rules", {".gitkit.toml": rules})
    world.author.git("push", "--quiet", "origin", "dev")
    done = promote(world.author, "v1", "staging", code=18)
    assert done.stderr.startswith("error: staging does not take v1:\n")
    named = [line.split(":")[0].strip() for line in done.stderr.splitlines()[1:5]]
    assert named == ["soak", "approvals", "eval", "signature"]
    assert world.tip("staging") is None
    assert world.registry.resolve("staging") is None


def test_promote_reads_the_policy_from_the_environments_branch_not_from_the_candidate(world: World) -> None:
    author = world.author
    strict = CONFIG.replace('from = ["dev"]\n', 'from = ["dev"]\napprovals = 2\n')
    for version, config in (("v4", strict), ("v5", CONFIG)):
        author.commit(version, {".gitkit.toml": config, "model.bin": model(version)})
        author.git("tag", version)
        author.git("push", "--quiet", "origin", "dev", version)
        author.kit("release", version)
    promote(author, "v4", "staging")  # the main branch asks for no approvals, and there is none of staging yet
    refused = promote(author, "v5", "staging", code=18)
    assert "approvals: " in refused.stderr
    assert runs(world.bare, "staging") == ["v4 promote"]
    author.write(".gitkit.toml", strict)
    promote(author, "v4", "prod")
    assert "staging runs v4 already" in promote(author, "v4", "staging").stderr


def test_first_promotion_from_a_stale_clone_meets_the_rules_of_the_main_branch(world: World) -> None:
    stale = world.clone("stale", "Bo")
    strict = CONFIG.replace('from = ["dev"]\n', 'from = ["dev"]\napprovals = 2\n')
    world.author.commit("rules", {".gitkit.toml": strict})
    world.author.git("push", "--quiet", "origin", "dev")
    stale.write(".gitkit.toml", CONFIG)
    assert_refused(promote(stale, "v1", "staging", code=18), "approvals: 0 of 2")
    assert world.tip("staging") is None


def test_promote_warns_of_the_other_policy_that_a_version_brings(world: World) -> None:
    author = world.author
    strict = CONFIG.replace('from = ["dev"]\n', 'from = ["dev"]\noverride = ["bo@example.com"]\n')
    author.commit("rules", {".gitkit.toml": strict})
    author.git("push", "--quiet", "origin", "dev")
    plan = author.kit("promote", "v1", "staging", "--dry-run")
    assert "\npolicy   v1 brings another one: without override\n" in plan.stdout
    told = json.loads(author.kit("promote", "v1", "staging", "--dry-run", "--json").stdout)
    assert told["policy"] == {"dropped": ["override"], "added": [], "changed": []}
    assert "warning: v1 brought staging another policy: without override\n" in promote(author, "v1", "staging").stderr
    shown = author.kit("env", "show", "staging").stdout
    assert "\npolicy      with override in .gitkit.toml here: in force once a version that has it" in shown
    assert "policy" not in promote(author, "v2", "staging").stderr


def test_promote_of_what_was_never_released_is_refused_with_the_command_to_type(world: World) -> None:
    world.author.commit("fourth", {"model.bin": model("v4")})
    world.author.git("tag", "v4")
    world.author.git("push", "--quiet", "origin", "dev", "v4")
    done = promote(world.author, "v4", "staging", code=10)
    assert_refused(done, "error: v4 was never released to oci-layout:", "hint: git kit release v4")
    away = world.bare.path / "kit"
    away.rename(world.folder / "unmounted")
    assert_refused(promote(world.author, "v1", "staging", code=10), "error: there are no kits at all on oci-layout:")
    absent = promote(world.author, "v9", "staging", code=10)
    assert_refused(absent, 'error: there is no tag "v9"')
    assert world.tip("staging") is None


def test_promote_of_a_release_whose_content_is_gone_or_replaced_is_refused(world: World) -> None:
    world.registry.put_manifest(world.registry.get_manifest("v3"), tag="v2")
    replaced = promote(world.author, "v2", "staging", code=13)
    assert_refused(replaced, "under v2, but its commit gives ", "hint: git kit verify v2")
    manifest = json.loads(world.registry.get_manifest("v1"))
    Path(world.registry.blob_path(manifest["layers"][0]["digest"])).unlink()
    gone = promote(world.author, "v1", "staging", code=10)
    assert_refused(gone, "the kit of v1 on oci-layout:", "is incomplete:\n  model.bin")
    assert world.tip("staging") is None


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("promote", "v1", "stagign"), 'no environment is called "stagign"', 'did you mean "staging"?'),
        (("promote", "staging", "v1"), '"staging" is an environment, not a version', "git kit promote VERSION ENV"),
        (("rollback", "prdo"), 'no environment is called "prdo"', 'did you mean "prod"?'),
        (("env", "show", "elsewhere"), 'no environment is called "elsewhere"', "there are: dev, staging, prod"),
    ],
)
def test_unknown_environment_is_refused_with_the_nearest(
    world: World, arguments: tuple[str, ...], message: str, hint: str
) -> None:
    done = world.author.kit(*arguments, code=16)
    assert_refused(done, f"error: {message}\n\nhint: ", hint)


# -- a branch that people write --------------------------------------------------------------------------------------


def test_promote_to_a_followed_branch_fast_forwards_it_and_never_back(world: World) -> None:
    world.bare.git("update-ref", "refs/heads/dev", world.commit_of("v1"))
    moved = json.loads(promote(world.author, "v2", "dev", "--json").stdout)
    assert moved["commit"] == world.commit_of("v2") == world.tip("dev")
    assert world.registry.resolve("dev") == world.digest_of("v2")
    back = promote(world.author, "v1", "dev", code=13)
    assert_refused(
        back, "error: dev follows dev, which is at v2 already", "hint: to go back: git kit rollback dev --to v1"
    )
    assert world.tip("dev") == world.commit_of("v2")


def test_promote_to_a_followed_branch_that_has_diverged_is_refused(world: World) -> None:
    side = world.clone("side", "Ben")
    side.git("reset", "--quiet", "--hard", "v1")
    oid = side.commit("side", {"model.bin": b"side"})
    world.bare.git("fetch", "--quiet", str(side.path), "dev")
    world.bare.git("update-ref", "refs/heads/dev", oid)
    done = promote(world.author, "v3", "dev", code=13)
    assert_refused(done, "dev and v3 have diverged", "hint: merge v3 into dev and push it")
    assert world.tip("dev") == oid


def test_rollback_of_a_followed_branch_holds_until_a_release_is_made_on_top(world: World) -> None:
    rollback(world.author, "dev", "--to", "v1")
    assert shown(world.author, "dev")["version"] == "v1"
    assert world.author.read("model.bin") == model("v1")
    assert world.author.out("rev-parse", "HEAD^{tree}") == world.author.out("rev-parse", "v1^{tree}")
    world.author.commit("fourth", {"model.bin": model("v4")})
    world.author.git("tag", "v4")
    world.author.git("push", "--quiet", "origin", "dev", "v4")
    assert shown(world.author, "dev")["version"] == "v4"


# -- races and refusals ----------------------------------------------------------------------------------------------


def _hook(repo: Repo, name: str, script: str) -> None:
    hooks = repo.path / ".git" / "hooks" if (repo.path / ".git").exists() else repo.path / "hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / name).write_text(f"#!/bin/sh\n{script}")
    (hooks / name).chmod(0o755)


CLEAN = "unset $(git rev-parse --local-env-vars)\n"


def test_promote_overtaken_before_its_push_is_a_conflict_that_names_the_winner(world: World) -> None:
    promote(world.author, "v1", "staging")
    slow, fast = world.clone("slow", "Sam"), world.clone("fast", "Flo")
    slow.git("update-ref", "-d", "refs/remotes/origin/staging")
    # The slow clone learns of the branch by its fetch; right after that the other one is promoted.
    winner = f"cd '{fast.path}' && git kit promote v2 staging >&2"
    _hook(slow, "reference-transaction", f'{CLEAN}[ "$1" = committed ] && grep -q origin/staging || exit 0\n{winner}\n')
    done = promote(slow, "v3", "staging", code=13)
    assert_refused(done, "error: Flo moved staging to v2 first", "hint: look at it, then run the command again")
    assert runs(world.bare, "staging") == ["v2 promote", "v1 promote"]
    assert world.registry.resolve("staging") == world.digest_of("v2")
    (slow.path / ".git/hooks/reference-transaction").unlink()
    promote(slow, "v3", "staging")
    assert runs(world.bare, "staging") == ["v3 promote", "v2 promote", "v1 promote"]


def test_promote_overtaken_during_its_push_is_a_conflict_that_names_the_winner(world: World) -> None:
    promote(world.author, "v1", "staging")
    slow, fast = world.clone("slow", "Sam"), world.clone("fast", "Flo")
    # git push has read where the remote's branches are when it runs this hook.
    _hook(slow, "pre-push", f"{CLEAN}cd '{fast.path}' && git kit promote v2 staging >&2\n")
    done = promote(slow, "v3", "staging", code=13)
    assert_refused(done, "error: Flo moved staging to v2 first")
    assert runs(world.bare, "staging") == ["v2 promote", "v1 promote"]
    assert world.registry.resolve("staging") == world.digest_of("v2")


def test_first_promotion_overtaken_during_its_push_is_a_conflict(world: World) -> None:
    slow, fast = world.clone("slow", "Sam"), world.clone("fast", "Flo")
    _hook(slow, "pre-push", f"{CLEAN}cd '{fast.path}' && git kit promote v2 staging >&2\n")
    assert_refused(promote(slow, "v3", "staging", code=13), "error: Flo moved staging to v2 first")
    assert runs(world.bare, "staging") == ["v2 promote"]


def test_promotions_by_two_people_at_once_lose_none_that_succeeded(world: World) -> None:
    promote(world.author, "v1", "staging")
    people = {"v2": world.clone("ben", "Ben"), "v3": world.clone("cy", "Cy")}
    started = {version: repo.start("git-kit", "promote", version, "staging") for version, repo in people.items()}
    codes = {}
    for version, process in started.items():
        _, said = process.communicate(timeout=60)
        codes[version] = process.returncode
        assert process.returncode in (0, 13), said.decode()
    assert 0 in codes.values()
    history = runs(world.bare, "staging")
    assert history[-1] == "v1 promote"
    assert sorted(history[:-1]) == sorted(f"{version} promote" for version, code in codes.items() if code == 0)
    current = history[0].split()[0]
    promote(world.author, current, "staging")
    assert world.registry.resolve("staging") == world.digest_of(current)


def test_branch_moved_by_hand_stops_promotion_and_rollback_and_says_how_to_put_it_back(world: World) -> None:
    promote(world.author, "v1", "staging")
    promote(world.author, "v2", "staging")
    tool = world.tip("staging")
    ben = world.clone("ben", "Ben")
    ben.git("checkout", "--quiet", "staging")
    by_hand = ben.commit("hot fix", {"model.bin": b"fixed by hand"})
    ben.git("push", "--quiet", "origin", "staging")
    message = f'error: Ben moved staging by hand ({by_hand[:12]} "hot fix")'
    for done in (promote(world.author, "v3", "staging", code=13), rollback(world.author, "staging", code=13)):
        assert_refused(done, message)
        assert world.tip("staging") == by_hand
    hint = done.stderr.partition("hint: put it back: git ")[2].split()
    world.author.git(*hint)
    assert world.tip("staging") == tool
    promote(world.author, "v3", "staging")


def test_push_that_the_server_refuses_is_denied_and_moves_nothing(world: World) -> None:
    promote(world.author, "v1", "staging")
    tip = world.tip("staging")
    _hook(world.bare, "pre-receive", "echo 'this branch is protected' >&2\nexit 1\n")
    done = promote(world.author, "v2", "staging", code=12)
    assert_refused(done, "refuses to move staging", "this branch is protected")
    assert (world.tip("staging"), world.registry.resolve("staging")) == (tip, world.digest_of("v1"))
    assert world.author.out("rev-parse", "origin/staging") == tip
    assert_refused(rollback(world.author, "staging", "--to", "v1", code=13), "staging runs v1 already")


def test_git_remote_that_cannot_be_reached_is_a_network_error(world: World) -> None:
    world.author.git("config", "kit.url", f"oci-layout:{world.registry.path}")
    world.bare.path.rename(world.folder / "away.git")
    done = promote(world.author, "v1", "staging", code=14)
    assert_refused(done, "cannot reach the Git remote origin", "hint: git remote -v")


def test_registry_that_fails_after_git_moved_is_partly_done_and_the_next_promote_repairs(
    world: World, fault_registry: FaultRegistry
) -> None:
    world.author.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    world.author.kit("push", "dev")
    world.author.kit("release", "v1")
    broken = fault_registry.add(Fault(method="PUT", path="/manifests/staging", times=None, status=500))
    done = promote(world.author, "v1", "staging", code=19)
    assert_refused(done, "staging is on v1 in Git, but the tag on oci://", "git kit env sync staging")
    assert runs(world.bare, "staging") == ["v1 promote"]
    assert shown(world.author, "staging")["drift"] is True
    broken.times = 0
    told = json.loads(promote(world.author, "v1", "staging", "--json").stdout)
    assert (told["moved"], told["registry_tag_moved"]) == (False, True)
    tags = fault_registry.repository(REPOSITORY).tags
    assert tags["staging"] == tags["v1"]
    assert runs(world.bare, "staging") == ["v1 promote"]


# -- rollback --------------------------------------------------------------------------------------------------------


def test_rollback_without_a_version_goes_one_back_each_time(world: World) -> None:
    for version in VERSIONS:
        promote(world.author, version, "staging")
    before = world.tip("staging")
    first = rollback(world.author, "staging", "--reason", "too slow")
    assert first.stdout == f"{world.digest_of('v2')}\n"
    assert "staging: v3 -> v2" in first.stderr
    tip = world.tip("staging")
    assert world.bare.git("log", "-1", "--format=%P%n%B", str(tip)).stdout == (
        f"{before} {world.commit_of('v2')}\n"
        "staging: rollback v2\n"
        "\n"
        "Kit-Env: staging\n"
        "Kit-Version: v2\n"
        f"Kit-Digest: {world.digest_of('v2')}\n"
        "Kit-Event: rollback\n"
        f"Kit-Journal: {world.tip('kit/journal')}\n"
        "Kit-Reason: too slow\n\n"
    )
    assert world.bare.out("rev-parse", f"{tip}^{{tree}}") == world.author.out("rev-parse", "v2^{tree}")
    assert world.registry.resolve("staging") == world.digest_of("v2")
    rollback(world.author, "staging")
    assert runs(world.bare, "staging") == ["v1 rollback", "v2 rollback", "v3 promote", "v2 promote", "v1 promote"]
    assert world.registry.resolve("staging") == world.digest_of("v1")
    assert_refused(rollback(world.author, "staging", code=10), "nothing ran in staging before")
    held = promote(world.author, "v3", "staging", code=18)
    assert_refused(held, "hold: held by Ada Tester", "hint: to end the hold: git kit resume staging")
    world.author.kit("resume", "staging")
    promote(world.author, "v3", "staging")
    assert runs(world.bare, "staging")[0] == "v3 promote"


def test_rollback_after_a_rollback_and_a_new_promotion_goes_to_what_ran_before_that(world: World) -> None:
    promote(world.author, "v1", "staging")
    promote(world.author, "v2", "staging")
    rollback(world.author, "staging")
    world.author.kit("resume", "staging")
    promote(world.author, "v3", "staging")
    rollback(world.author, "staging")
    assert runs(world.bare, "staging")[0] == "v1 rollback"


def test_rollback_to_a_version_takes_the_commit_that_ran_though_its_tag_was_moved(world: World) -> None:
    for version in VERSIONS:
        promote(world.author, version, "staging")
    ran = world.commit_of("v1")
    world.author.git("tag", "--force", "v1", "v3")
    world.author.git("push", "--quiet", "--force", "origin", "v1")
    rollback(world.author, "staging", "--to", "v1")
    found = shown(world.author, "staging")
    assert (found["version"], found["digest"]) == ("v1", world.digest_of("v1"))
    assert found["history"][0]["commit"] == ran
    never = rollback(world.author, "staging", "--to", "v9", code=10)
    assert_refused(never, "v9 never ran in staging", "hint: versions that did, newest first: v1, v3, v2")
    assert_refused(rollback(world.author, "staging", "--to", "v1", code=13), "staging runs v1 already")
    assert_refused(
        rollback(world.author, "prod", code=10), "error: nothing runs in prod yet", "hint: git kit promote VERSION prod"
    )


def test_rollback_to_content_that_the_registry_lost_is_refused_before_anything_moves(world: World) -> None:
    promote(world.author, "v1", "staging")
    promote(world.author, "v2", "staging")
    tip = world.tip("staging")
    manifest = json.loads(world.registry.get_manifest("v1"))
    Path(world.registry.blob_path(manifest["layers"][0]["digest"])).unlink()
    assert_refused(rollback(world.author, "staging", code=10), "is incomplete:\n  model.bin")
    assert (world.tip("staging"), world.registry.resolve("staging")) == (tip, world.digest_of("v2"))


def test_rollback_brings_the_worktree_that_has_the_branch_checked_out_along(world: World) -> None:
    promote(world.author, "v1", "staging")
    promote(world.author, "v2", "staging")
    world.author.git("worktree", "add", "--quiet", str(world.folder / "live"), "staging")
    live = Repo(world.folder / "live", world.author.environ)
    assert live.read("model.bin") == model("v2")
    rollback(world.author, "staging")
    assert live.read("model.bin") == model("v1")
    assert live.out("status", "--porcelain") == ""
    assert live.out("rev-parse", "HEAD") == world.tip("staging")
    live.kit("resume", "staging")
    promote(live, "v3", "staging")
    assert live.read("model.bin") == model("v3")


def test_rollback_over_a_changed_worktree_leaves_it_with_a_warning_and_still_moves(world: World) -> None:
    promote(world.author, "v1", "staging")
    promote(world.author, "v2", "staging")
    world.author.git("checkout", "--quiet", "staging")
    world.author.write("model.bin", b"my work")
    done = rollback(world.author, "staging")
    assert f"warning: the worktree {world.author.path} stays as it is: " in done.stderr
    assert world.author.read("model.bin") == b"my work"
    assert world.author.out("rev-parse", "HEAD") != world.tip("staging")
    assert runs(world.bare, "staging")[0] == "v1 rollback"
    assert world.registry.resolve("staging") == world.digest_of("v1")


def test_promote_updates_a_local_branch_that_is_only_behind(world: World) -> None:
    promote(world.author, "v1", "staging")
    world.author.git("branch", "--quiet", "staging", "origin/staging")
    promote(world.author, "v2", "staging")
    assert world.author.out("rev-parse", "staging") == world.tip("staging")
    assert world.author.out("symbolic-ref", "--short", "HEAD") == "dev"


# -- without a Git remote --------------------------------------------------------------------------------------------


def test_repository_without_a_git_remote_keeps_its_environments_in_local_branches(world: World) -> None:
    author = world.author
    author.git("branch", "--quiet", "--no-track", "kit/journal", "origin/kit/journal")
    author.git("remote", "remove", "origin")
    author.git("config", "kit.url", f"oci-layout:{world.registry.path}")
    promote(author, "v1", "staging")
    first = author.out("rev-parse", "staging")
    author.git("checkout", "--quiet", "staging")
    assert author.read("model.bin") == model("v1")
    promote(author, "v2", "staging")
    assert author.read("model.bin") == model("v2")
    assert author.out("status", "--porcelain") == ""
    assert author.out("log", "-1", "--format=%P") == f"{first} {world.commit_of('v2')}"
    rollback(author, "staging")
    assert author.read("model.bin") == model("v1")
    assert runs(author, "staging") == ["v1 rollback", "v2 promote", "v1 promote"]
    assert world.registry.resolve("staging") == world.digest_of("v1")
    listed = json.loads(author.kit("env", "--json").stdout)
    assert [(env["environment"], env["version"]) for env in listed] == [
        ("dev", "v3"),
        ("staging", "v1"),
        ("prod", None),
    ]


def test_repository_without_a_git_remote_and_a_changed_worktree_is_refused_and_moves_nothing(world: World) -> None:
    author = world.author
    author.git("branch", "--quiet", "--no-track", "kit/journal", "origin/kit/journal")
    author.git("remote", "remove", "origin")
    author.git("config", "kit.url", f"oci-layout:{world.registry.path}")
    promote(author, "v1", "staging")
    author.git("checkout", "--quiet", "staging")
    author.write("model.bin", b"my work")
    tip = author.out("rev-parse", "staging")
    done = promote(author, "v2", "staging", code=13)
    assert_refused(
        done, f"error: staging is checked out in {author.path}, which cannot follow: ", "hint: commit or stash"
    )
    assert author.read("model.bin") == b"my work"
    assert author.out("rev-parse", "staging") == tip
    assert world.registry.resolve("staging") == world.digest_of("v1")
    assert runs(author, "staging") == ["v1 promote"]
