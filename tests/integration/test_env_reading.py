"""`git kit env`, `env show`, `env history` and `env diff` on a life with promotions, a refusal, approvals, a rollback.

What happened when is in ``tests.lib.story``.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lib import many_tags
from tests.lib.registries import REPOSITORY, Fault, FaultRegistry
from tests.lib.repos import Repo
from tests.lib.story import Story, noon

Json = Any


def asked(repo: Repo, *words: str) -> Json:
    return json.loads(repo.kit(*words, "--json").stdout)


def listed(repo: Repo, *options: str) -> dict[str, Json]:
    return {env["environment"]: env for env in asked(repo, "env", *options)}


def drifts(repo: Repo, name: str, *options: str) -> list[str]:
    return [drift["text"] for drift in listed(repo, *options)[name]["drifts"]]


# -- the table -------------------------------------------------------------------------------------------------------


def test_env_tells_version_digest_since_by_gates_hold_and_drift_in_80_columns(story: Story) -> None:
    lines = story.ada.kit("env").stdout.splitlines()
    assert lines[0].split() == ["ENVIRONMENT", "VERSION", "DIGEST", "SINCE", "BY", "GATES", "HOLD", "DRIFT"]
    assert [line.split("  ")[0] for line in lines[1:]] == ["dev", "staging", "prod"]
    assert lines[1].endswith("  registry: missing")  # nobody has promoted to dev
    assert all(len(line) <= 80 for line in lines[2:])
    digest = story.digest("v2").removeprefix("sha256:")[:12]
    assert lines[3].split() == ["prod", "v2", digest, "2025-03-09", "Ada", "1", "passed", "held", "-"]


def test_env_as_json_has_full_digests_times_verdicts_and_what_holds(story: Story) -> None:
    prod = listed(story.ada)["prod"]
    assert (prod["version"], prod["digest"], prod["registry"]) == ("v2", story.digest("v2"), story.digest("v2"))
    assert (prod["since"], prod["by"], prod["event"], prod["reason"]) == (noon(9), "Ada", "rollback", "slow")
    assert [(gate["gate"], gate["outcome"]) for gate in prod["gates"]] == [("from", "passed")]
    assert (prod["hold"]["by"], prod["hold"]["reason"], prod["freeze"]) == ("Ada", "slow", None)
    assert (prod["drift"], prod["drifts"], prod["moved_by_hand"]) == (False, [], False)


def test_env_asks_the_git_remote_and_offline_tells_what_the_clone_knows(told: Story) -> None:
    told.ada.kit("resume", "prod")
    told.ada.kit("promote", "v4", "prod")
    told.ada.kit("freeze", "--all", "--until", "2999-01-01", "--reason", "holidays")
    offline = listed(told.ben, "--offline")["prod"]
    assert (offline["version"], offline["freeze"], offline["registry"], offline["drift"]) == ("v2", None, None, None)
    assert drifts(told.ben, "prod", "--offline") == ["not checked"]
    now = listed(told.ben)["prod"]
    assert (now["version"], now["hold"], now["freeze"]["until"]) == ("v4", None, "2999-01-02T00:00:00.000000Z")
    assert [gate["gate"] for gate in now["gates"]] == ["from", "approvals", "eval"]
    row = told.ben.kit("env").stdout.splitlines()[3]
    assert "3 passed" in row
    assert "frozen until 2999-01-02 00:00" in row


def test_env_without_git_remote_and_registry_warns_once_of_each_and_shows_what_is_known(told: Story) -> None:
    told.bare.path.rename(told.folder / "away.git")
    done = told.ada.kit("env")
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert "cannot reach the Git remote origin" in warnings[0]
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == ["v4", "v4", "v2"]
    assert all(line.endswith("  not checked") for line in done.stdout.splitlines()[1:])


def test_env_with_a_registry_that_refuses_warns_and_still_asks_the_git_remote(
    told: Story, fault_registry: FaultRegistry
) -> None:
    told.ada.kit("freeze", "staging")
    fault_registry.add(Fault(method="HEAD", path="/manifests/", times=None, status=403))
    told.ben.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    done = told.ben.kit("env")
    assert done.stderr.count("warning: ") == 1
    assert "is not checked" in done.stderr
    assert "  frozen  not checked" in done.stdout


def test_env_tells_what_the_registry_runs_instead(told: Story) -> None:
    told.registry.put_manifest(told.registry.get_manifest("v1"), tag="prod")
    told.registry.put_manifest(told.registry.get_manifest("v3"), tag="staging")
    told.registry.delete_tag("staging")
    assert drifts(told.ada, "prod") == ["registry: v1"]
    assert drifts(told.ada, "staging") == ["registry: missing"]
    assert "drift       registry: v1: git kit env sync prod\n" in told.ada.kit("env", "show", "prod").stdout


def test_env_tells_a_branch_that_was_moved_by_hand_and_the_command_that_mends_it(told: Story) -> None:
    tip = told.ada.out("rev-parse", "origin/prod")
    told.ben.git("checkout", "--quiet", "prod")
    told.ben.commit("hot fix")
    told.ben.git("push", "--quiet", "--no-verify", "origin", "prod")
    assert drifts(told.ada, "prod") == ["branch moved by hand"]
    assert "branch moved by hand" in told.ada.kit("env").stdout
    shown = asked(told.ada, "env", "show", "prod")
    assert (shown["moved_by_hand"], shown["version"]) == (True, "v2")
    told.ada.git(*shown["drifts"][0]["mend"].split()[1:])
    assert told.bare.out("rev-parse", "prod") == tip
    assert drifts(told.ada, "prod") == []


def test_env_tells_a_branch_that_was_set_back_by_hand(told: Story) -> None:
    told.bare.git("update-ref", "refs/heads/prod", told.bare.out("rev-parse", "prod~1"))
    assert drifts(told.ada, "prod") == ["branch moved by hand", "registry: v2"]
    assert listed(told.ada)["prod"]["version"] == "v4"


def test_env_tells_a_promotion_that_looks_like_ours_and_has_no_event(told: Story) -> None:
    tree, parents = told.ada.out("rev-parse", "v3^{tree}"), ("origin/prod", "v3^{commit}")
    text = f"prod: promote v3\n\nKit-Env: prod\nKit-Version: v3\nKit-Digest: {told.digest('v3')}\nKit-Event: promote\n"
    words = [word for parent in parents for word in ("-p", told.ada.out("rev-parse", parent))]
    forged = told.ada.out("commit-tree", tree, *words, "-m", text)
    told.ada.git("push", "--quiet", "--no-verify", "origin", f"{forged}:refs/heads/prod")
    assert drifts(told.ben, "prod") == ["no event", "registry: v2"]
    assert listed(told.ben)["prod"]["version"] == "v3"


def test_env_with_a_damaged_journal_warns_and_tells_what_the_branches_say(told: Story) -> None:
    tree = told.ada.out("rev-parse", "v1^{tree}")
    damaged = told.ada.out("commit-tree", tree, "-p", "origin/kit/journal", "-m", "approve v4 prod")
    told.ada.git("push", "--quiet", "--no-verify", "origin", f"{damaged}:refs/heads/kit/journal")
    told.ben.kit("audit", "verify", code=11)  # which has seen it, so that env need not read all
    done = told.ben.kit("env")
    assert "warning: the journal's commit " in done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == ["v4", "v4", "v2"]
    assert drifts(told.ben, "prod") == []


def test_env_with_a_journal_that_was_cut_off_warns(told: Story) -> None:
    told.bare.git("update-ref", "refs/heads/kit/journal", told.bare.out("rev-parse", "kit/journal~3"))
    done = told.ada.kit("env")
    assert "warning: the journal does not continue the one that this clone has seen" in done.stderr
    assert "no event" in done.stdout


def test_env_where_an_environments_own_settings_are_broken_warns_and_shows_the_others(told: Story) -> None:
    told.ben.git("checkout", "--quiet", "staging")
    told.ben.commit("typing", {".gitkit.toml": "[environments.staging\n"})
    told.ben.git("push", "--quiet", "--no-verify", "origin", "staging")
    done = told.ada.kit("env")
    assert "warning: staging: " in done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == ["v4", "-", "v2"]


def test_env_knows_a_tag_that_was_pushed_after_its_commit(told: Story) -> None:
    told.ada.commit("model v5", {"model.bin": b"five"})
    told.ada.git("push", "--quiet", "origin", "dev")
    assert listed(told.ben)["dev"]["version"] == "v4"
    told.ada.git("tag", "v5")
    told.ada.git("push", "--quiet", "origin", "v5")
    assert listed(told.ben)["dev"]["version"] == "v5"


def test_env_without_environments_says_how_to_have_some(repo: Repo) -> None:
    done = repo.kit("env")
    assert (done.stdout, done.stderr) == ("", "there are no environments: add [environments.NAME] to .gitkit.toml\n")
    assert repo.kit("env", "list", "--json").stdout == "[]\n"


def test_env_of_a_long_life_tells_what_the_whole_history_would(tmp_path: Path, environ: dict[str, str]) -> None:
    clone = many_tags.make(tmp_path, environ, tags=300, events=120)
    for options in ((), ("--offline",)):
        found = listed(clone, *options)
        assert {name: env["version"] for name, env in found.items()} == dict.fromkeys(found, "v2.99.0")
        assert [env["digest"] for env in found.values()] == [many_tags.digest("v2.99.0")] * 3
    assert [env["drift"] for env in listed(clone).values()] == [False] * 3
    assert len(asked(clone, "env", "show", "prod", "--offline")["history"]) == 30


# -- one environment -------------------------------------------------------------------------------------------------


def test_env_show_tells_rules_hold_verdicts_and_what_the_next_version_waits_for(told: Story) -> None:
    text = told.ada.kit("env", "show", "prod").stdout
    for line in (
        "environment prod",
        f"digest      {told.digest('v2')}",
        "by          Ada (rollback)",
        "reason      slow",
        "approvals   1, not the author",
        "gates       eval",
        "hold        2025-03-09 12:00 by Ada: slow; to end it: git kit resume prod",
        "next        v4 (runs in staging) waits: hold: held by Ada: slow",
    ):
        assert f"{line}\n" in text
    found = asked(told.ada, "env", "show", "prod")
    assert found["policy"] == {"from": ["staging"], "approvals": {"min": 1}, "gates": ["eval"]}
    (candidate,) = found["next"]
    assert (candidate["version"], candidate["digest"]) == ("v4", told.digest("v4"))
    assert candidate["approved_by"] == [{"name": "Ben", "email": "ben@example.com"}]
    outcomes = {rule["gate"]: rule["outcome"] for rule in candidate["rules"]}
    assert outcomes == {"from": "passed", "hold": "failed", "approvals": "passed"}
    told.ada.kit("resume", "prod")
    assert "next        v4 (runs in staging): git kit promote v4 prod\n" in told.ada.kit("env", "show", "prod").stdout


# -- history ---------------------------------------------------------------------------------------------------------


def test_env_history_tells_moves_attempts_and_decisions_newest_first(story: Story) -> None:
    events = asked(story.ben, "env", "history", "prod")
    assert [(event["time"][:19] + "Z", event["event"], event["version"], event["by"]) for event in events] == [
        (noon(9), "rollback", "v2", "Ada"),
        (noon(7), "promote", "v4", "Ada"),
        (noon(7), "approve", "v4", "Ben"),
        (noon(5), "gates", "v3", "Ada"),
        (noon(3), "promote", "v2", "Ada"),
        (noon(1), "promote", "v1", "Ada"),
    ]
    assert events[3]["reason"] == "approvals: 0 of 1 (nobody); eval: accuracy 0.4 is below min 0.8"
    assert (events[0]["before"]["version"], events[0]["commit"]) == ("v4", story.commit("v2"))
    assert [event["id"] for event in asked(story.ben, "env", "history", "prod", "-n", "2")] == [
        events[0]["id"],
        events[1]["id"],
    ]
    text = story.ben.kit("env", "history", "prod").stdout.splitlines()
    assert text[0].split() == ["TIME", "EVENT", "VERSION", "DIGEST", "BY", "REASON"]
    assert text[1].split() == [noon(9), "rollback", "v2", story.digest("v2")[7:19], "Ada", "slow"]


def test_env_history_of_a_followed_branch_tells_versions_and_what_stops_all(told: Story) -> None:
    told.ada.kit("freeze", "--all", "--until", "2999-01-01", "--reason", "off")
    told.ada.kit("reject", "v3")
    assert [(event["event"], event["version"]) for event in asked(told.ada, "env", "history", "dev")] == [
        ("freeze", None),
        *(("commit", version) for version in ("v4", "v3", "v2", "v1")),
    ]
    assert [event["event"] for event in asked(told.ada, "env", "history", "prod")][:3] == [
        "reject",
        "freeze",
        "rollback",
    ]
    assert "until 2999-01-02 00:00: off\n" in told.ada.kit("env", "history", "prod").stdout


def test_env_history_tells_moves_from_before_the_journal(told: Story) -> None:
    told.bare.git("update-ref", "-d", "refs/heads/kit/journal")
    clone = told.bare.clone(told.folder / "new")
    events = asked(clone, "env", "history", "prod")
    assert [(event["event"], event["version"], event["id"]) for event in events] == [
        ("rollback", "v2", None),
        ("promote", "v4", None),
        ("promote", "v2", None),
        ("promote", "v1", None),
    ]
    assert asked(clone, "env", "history", "prod", "--at", "2025-03-08")["version"] == "v4"


@pytest.mark.parametrize(
    ("environment", "at", "version", "since", "until"),
    [
        ("prod", "2025-03-01T11:59", None, None, None),
        ("prod", "2025-03-01", "v1", 1, 3),
        ("prod", "2025-03-03T12:00Z", "v2", 3, 7),
        ("prod", "2025-03-07T12:59:59+01:00", "v2", 3, 7),
        ("prod", "2025-03-07T13:00+01:00", "v4", 7, 9),
        ("prod", "2025-03-20", "v2", 9, None),
        ("dev", "2025-03-06", "v3", 5, 7),
        ("staging", "2025-03-06T00:00", "v3", 5, 7),
    ],
)
def test_env_history_at_a_time_tells_what_ran_then(
    story: Story, environment: str, at: str, version: str | None, since: int | None, until: int | None
) -> None:
    found = asked(story.ben, "env", "history", environment, "--at", at)
    assert found["version"] == version
    assert [found[key] and found[key][:19] + "Z" for key in ("since", "until")] == [
        noon(day) if day else None for day in (since, until)
    ]


def test_env_history_at_a_time_tells_who_agreed_by_which_gates_and_that_it_can_be_rebuilt_offline(told: Story) -> None:
    digest = told.digest("v4")
    told.bare.path.rename(told.folder / "away.git")
    found = asked(told.ben, "env", "history", "prod", "--at", "2025-03-08")
    assert (found["digest"], found["rebuilt"], found["reproducible"]) == (digest, digest, True)
    assert (found["commit"], found["by"], found["reason"]) == (told.commit("v4"), "Ada", "better")
    assert [approval["email"] for approval in found["approvals"]] == ["ben@example.com"]
    assert {gate["gate"]: gate["outcome"] for gate in found["gates"]} == dict.fromkeys(
        ("from", "approvals", "eval"), "passed"
    )
    text = told.ben.kit("env", "history", "prod", "--at", "2025-03-08").stdout
    assert "environment prod at 2025-03-08T23:59:59Z\nversion     v4\n" in text
    assert "approved by Ben <ben@example.com>\n" in text
    assert "rebuilt     its commit gives the same digest today\n" in text
    held = asked(told.ben, "env", "history", "prod", "--at", "2025-03-10")["hold"]
    assert (held["by"], held["reason"]) == ("Ada", "slow")
    nothing = told.ben.kit("env", "history", "prod", "--at", "2025-02-01").stdout
    assert nothing == "nothing ran in prod at 2025-02-01T23:59:59Z\n"


@pytest.mark.parametrize("text", ["yesterday", "2025-13-01", "2999-01-01", "2025-03-01T25:00"])
def test_env_history_at_what_is_no_time_in_the_past_is_a_usage_error(story: Story, text: str) -> None:
    assert "--at" in story.ada.kit("env", "history", "prod", "--at", text, code=2).stderr


# -- differences -----------------------------------------------------------------------------------------------------


def test_env_diff_tells_versions_files_kitfile_data_metrics_and_what_the_other_asks(told: Story) -> None:
    told.ada.commit("model v5", {"data/train.bin": b"other data", "metrics.json": '{"accuracy": 0.97}'})
    told.ada.git("tag", "v5")
    told.ada.git("push", "--quiet", "origin", "dev", "v5")
    told.ada.kit("release", "v5")
    found = asked(told.ada, "env", "diff", "dev", "prod")
    assert [found[side]["version"] for side in ("before", "after")] == ["v5", "v2"]
    assert found["before"]["digest"] == told.digest("v5")
    assert [(change["path"], change["change"]) for change in found["files"]] == [
        ("data/train.bin", "changed"),
        ("model.bin", "changed"),
    ]
    assert found["bytes_to_move"] == 8000
    assert [change["path"] for change in found["datasets"]] == ["data/train.bin"]
    assert found["licences"] == [{"path": "package.license", "before": "Apache-2.0", "after": "MIT"}]
    (metric,) = found["metrics"]
    assert (metric["metric"], metric["before"], metric["after"], metric["better"]) == ("accuracy", 0.97, 0.9, False)
    assert {rule["gate"]: rule["outcome"] for rule in found["rules"]} == {
        "from": "failed",
        "hold": "failed",
        "approvals": "failed",
    }
    assert found["gates"] == ["eval"]
    text = told.ada.kit("env", "diff", "dev", "prod").stdout
    assert f"A  dev (v5)  {told.digest('v5')[7:19]}  commit {told.commit('v5')[:12]}\n" in text
    assert "\nprod asks of v5\n  from: failed: v5 did not run in staging\n" in text
    markdown = told.ada.kit("env", "diff", "dev", "prod", "--md").stdout
    assert "| `accuracy` | 0.97 | 0.9 | worse |\n" in markdown
    assert "- `eval`: a gate, evaluated by a promotion" in markdown


def test_env_diff_of_versions_and_of_the_same_version(story: Story) -> None:
    found = asked(story.ada, "env", "diff", "v1", "v2")
    assert [found[side]["environment"] for side in ("before", "after")] == [None, None]
    assert (found["rules"], found["gates"]) == ([], [])
    same = asked(story.ada, "env", "diff", "staging", "dev")
    assert (same["files"], same["kitfile"], same["metrics"], same["rules"]) == ([], [], [], [])


def test_env_diff_with_what_is_not_there_names_it(told: Story) -> None:
    assert 'there is no tag "v9"' in told.ada.kit("env", "diff", "v9", "prod", code=10).stderr
    told.bare.git("update-ref", "-d", "refs/heads/staging")
    told.ada.git("fetch", "--quiet", "--prune")
    assert "nothing runs in staging" in told.ada.kit("env", "diff", "staging", "prod", code=10).stderr
