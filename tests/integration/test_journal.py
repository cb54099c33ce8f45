"""The journal with real git: every command leaves its event, races lose none, and nothing lands without one."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from itertools import pairwise

import pytest

from gitkit.core.journal import Event, parse_event
from gitkit.errors import Conflict, Corrupt, Denied, GateRefused, InvalidFile, PartlyDone, UsageError
from tests.lib.lifecycle_world import CONFIG, World
from tests.lib.repos import Repo, init

JOURNAL = "refs/heads/kit/journal"


def events(repo: Repo, ref: str = JOURNAL) -> list[Event]:
    """The journal of a repository, oldest first."""
    if not repo.out("for-each-ref", ref):
        return []
    return [parse_event(text) for text in repo.out("log", "-z", "--reverse", "--format=%B", ref).split("\0") if text]


def subjects(repo: Repo) -> list[str]:
    """What happened after the world's releases of v1, v2 and v3."""
    first, second, third, *others = repo.out("log", "--reverse", "--format=%s", JOURNAL).splitlines()
    assert (first, second, third) == ("release v1", "release v2", "release v3")
    return others


def rules(world: World, prod: str, *, more: str = "") -> None:
    """Give prod these lines of policy, on the main branch."""
    text = CONFIG.replace('from = ["staging"]\n', f'from = ["staging"]\n{prod}\n') + more
    world.author.commit("rules", {".gitkit.toml": text})
    world.author.git("push", "--quiet", "origin", "dev")


def at(moment: str) -> dict[str, str]:
    """For a command that is run at this time (UTC), after the world's releases."""
    return {"GIT_COMMITTER_DATE": f"{moment}:00Z"}


def as_person(world: World, name: str) -> Repo:
    """A clone of ``name``."""
    clone = world.clone(name.lower(), name)
    clone.git("config", "user.email", f"{name.lower()}@example.com")
    return clone


# -- what is recorded --------------------------------------------------------------------------------------------------


def test_every_command_leaves_one_event_that_says_all_about_it(world: World) -> None:
    kit = world.author.kit
    kit("promote", "v1", "staging")
    kit("promote", "v2", "staging", "--reason", "canary\nwas fine")
    kit("rollback", "staging", "--reject", "--reason", "slow")
    kit("resume", "staging")
    kit("hold", "staging")
    kit("freeze", "staging", "--until", "2099-01-01")
    kit("freeze", "--all", "--reason", "holidays")
    kit("unfreeze", "--all")
    kit("reject", "v3")
    kit("reject", "v3", "--undo")
    rows = [" ".join(line.split()[1:]) for line in kit("audit", "log", "-n", "8").stdout.splitlines()[1:]]
    assert rows[:2] == ["reject undone v3 - Ada Tester", "reject v3 - Ada Tester"]
    assert rows[2:4] == ["unfreeze - all Ada Tester", "freeze - all Ada Tester holidays"]
    assert rows[4] == "freeze - staging Ada Tester until 2099-01-02 00:00"
    assert rows[7] == "rollback, reject v1 staging Ada Tester slow"
    assert subjects(world.bare) == [
        *("promote v1 staging", "promote v2 staging", "rollback v1 staging"),
        *("resume staging", "hold staging", "freeze staging", "freeze all", "unfreeze all", "reject v3", "reject v3"),
    ]
    found = events(world.bare)
    assert [event.sequence for event in found] == list(range(1, len(found) + 1))
    assert all(after.previous == before.id for before, after in pairwise(found))
    assert all(after.time >= before.time for before, after in pairwise(found))
    promoted, back = found[4], found[5]
    assert promoted.actor == ("Ada Tester", "ada@example.com")
    assert promoted.reason == "canary\nwas fine"
    assert promoted.before is not None and promoted.after is not None
    assert (promoted.before.version, promoted.before.digest) == ("v1", world.digest_of("v1"))
    assert promoted.after == ("v2", world.digest_of("v2"), world.commit_of("v2"), world.author.out("rev-parse", "v2"))
    assert promoted.tip == world.author.out("rev-parse", "origin/staging~2")
    assert promoted.policy_commit == promoted.tip
    assert [gate["gate"] for gate in promoted.gates] == ["from"]
    assert back.details.items() >= {"hold": True, "reject": True}.items()
    assert (back.before, back.after) == (
        promoted.after._replace(tag=None),
        promoted.before._replace(tag=back.after.tag),
    )
    tips = world.bare.out("log", "--format=%T %P %an %ae %cn %at=%ct", JOURNAL).splitlines()
    empty = world.bare.out("hash-object", "-t", "tree", "/dev/null")
    assert all(line.split()[0] == empty for line in tips)


def test_deploys_are_recorded_when_asked_for(world: World) -> None:
    kit = world.author.kit
    kit("promote", "v1", "staging")
    kit("deploy", "staging", "../live", "--record")
    kit("deploy", "staging", "../live", "--record")  # nothing to do
    kit("promote", "v2", "staging")
    kit("deploy", "staging", "../live", "--record", "--health", "false", code=1)
    kit("deploy", "staging", "../live")
    assert subjects(world.bare) == [
        *("promote v1 staging", "deploy v1 staging", "promote v2 staging", "deploy v2 staging"),
    ]
    first, _, second = events(world.bare)[-3:]
    assert (first.details["result"], second.details["result"]) == ("deployed", "rolled-back")
    assert first.details["where"].endswith(f":{world.folder / 'live'}")
    assert second.reason


def test_commands_again_record_nothing(world: World) -> None:
    kit = world.author.kit
    for command, already in (
        (("hold", "staging", "--reason", "one"), "staging is held already by Ada Tester: one\n"),
        (("freeze", "--all"), "every environment is frozen already, without an end\n"),
        (("reject", "v2"), "v2 is rejected already by Ada Tester\n"),
        (("release", "v1"), "v1 was released before"),
    ):
        kit(*command)
        count = len(events(world.bare))
        told = kit(*command)
        assert len(events(world.bare)) == count
        assert already in told.stderr and "hint" not in told.stderr
    assert json.loads(kit("resume", "prod", "--json").stdout) == {"recorded": False, "event": None}
    assert json.loads(kit("hold", "staging", "--json").stdout) == {"recorded": False, "event": None}
    assert kit("reject", "v3", "--undo").stderr == "v3 is not rejected\n"
    count = len(events(world.bare))
    assert "git kit unfreeze --all" in kit("unfreeze", "staging", code=Conflict.exit_code).stderr
    assert len(events(world.bare)) == count
    assert kit("unfreeze", "--all").stderr == "no environment is frozen any more\n"
    assert kit("unfreeze", "--all").stderr == "no environment is frozen\n"


def test_release_without_environments_writes_no_journal(repo: Repo) -> None:
    repo.git("remote", "add", "origin", str(init(repo.path.parent / "bare.git", repo.environ, "--bare").path))
    repo.commit("one", {"Kitfile": "model: {path: m.bin}\n", "m.bin": b"x"})
    repo.git("tag", "v1")
    repo.git("push", "--quiet", "origin", "HEAD", "v1")
    repo.kit("release", "v1")
    assert repo.out("ls-remote", "origin", JOURNAL) == ""


def test_release_that_cannot_be_recorded_is_partly_done_and_again_finishes_it(world: World) -> None:
    hook = world.bare.write("hooks/update", '#!/bin/sh\n[ "$1" != refs/heads/kit/journal ]\n', mode=0o755)
    world.author.commit("fourth", {"model.bin": b"fourth"})
    world.author.git("tag", "v4")
    done = world.author.kit("release", "v4", code=PartlyDone.exit_code)
    assert "v4 is released to" in done.stderr and "hint: when that is mended: git kit release v4" in done.stderr
    assert (world.tip("dev"), subjects(world.bare)) == (world.commit_of("v3"), [])
    hook.unlink()
    world.author.kit("release", "v4")
    world.author.kit("release", "v4")
    assert subjects(world.bare) == ["release v4"]


def test_release_brings_its_tag_to_the_git_remote(world: World) -> None:
    world.author.commit("fourth", {"model.bin": b"fourth"})
    world.author.git("tag", "-a", "-m", "four", "v4")
    world.author.git("push", "--quiet", "origin", "dev")
    world.author.kit("release", "v4")
    assert world.bare.out("rev-parse", "v4") == world.author.out("rev-parse", "v4")
    after = events(world.bare)[-1].after
    assert after is not None and after.tag == world.author.out("rev-parse", "v4")


# -- rules -------------------------------------------------------------------------------------------------------------


def test_promote_of_a_rejected_version_is_refused_until_that_is_undone(world: World) -> None:
    world.author.kit("reject", "v2", "--reason", "leaks data")
    done = world.author.kit("promote", "v2", "staging", code=GateRefused.exit_code)
    assert "reject: v2 was rejected by Ada Tester: leaks data" in done.stderr
    world.author.kit("reject", "v2", "--undo")
    world.author.kit("promote", "v2", "staging")


def test_rollback_passes_over_rejected_versions_and_steps_count_the_others(world: World) -> None:
    kit = world.author.kit
    for version in ("v1", "v2", "v3"):
        kit("promote", version, "staging")
    kit("reject", "v2")
    assert "v2 was rejected" in kit("rollback", "staging", "--to", "v2", code=18).stderr
    assert "staging: v3 -> v1" in kit("rollback", "staging").stderr
    assert "fewer than 2 versions ran" in kit("rollback", "staging", "--steps", "2", code=10).stderr
    assert "exclude each other" in kit("rollback", "staging", "--steps", "2", "--to", "v1", code=2).stderr


def test_frozen_environment_takes_no_version_but_goes_back(world: World) -> None:
    kit = world.author.kit
    kit("promote", "v1", "staging")
    kit("promote", "v2", "staging")
    kit("freeze", "staging", "--until", "2099-01-01", "--reason", "audit")
    done = kit("promote", "v3", "staging", code=18)
    assert "freeze: frozen until 2099-01-02 00:00 UTC by Ada Tester: audit" in done.stderr
    assert "git kit unfreeze staging" in done.stderr
    kit("rollback", "staging")
    kit("resume", "staging")
    kit("unfreeze", "staging")
    kit("promote", "v3", "staging")


def test_freeze_ends_by_itself(world: World) -> None:
    kit = world.author.kit
    kit("freeze", "--all", "--until", "2026-02-01T12:00", extra=at("2026-02-01T00:00"))
    kit("promote", "v1", "staging", code=18, extra=at("2026-02-01T11:59"))
    kit("promote", "v1", "staging", extra=at("2026-02-01T12:00"))


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        (("hold", "prd"), InvalidFile.exit_code, 'did you mean "prod"?'),
        (("freeze",), UsageError.exit_code, "name an environment, or --all"),
        (("freeze", "prod", "--all"), UsageError.exit_code, "name an environment, or --all"),
        (("freeze", "prod", "--until", "soon"), UsageError.exit_code, '"soon" is not a time'),
        (("freeze", "prod", "--until", "2020-01-01"), UsageError.exit_code, "would end before it starts"),
        (("approve", "v1", "prod"), GateRefused.exit_code, "no approvals\n\nhint: git kit promote v1 prod"),
        (("approve", "v9", "prod"), 10, 'there is no tag "v9"'),
        (("approve", "prod", "v1"), InvalidFile.exit_code, 'no environment is called "v1"'),
        (("reject", "prod"), InvalidFile.exit_code, '"prod" is an environment'),
        (("promote", "v1", "staging", "--override", "soak"), UsageError.exit_code, "--override needs --reason"),
        (("promote", "v1", "staging", "--override", "x", "--reason", "y"), UsageError.exit_code, 'no rule "x"'),
        (("promote", "v1", "staging", "--override", "reject", "--reason", "y"), UsageError.exit_code, "not overridden"),
        (("promote", "v1", "staging", "--override", "from", "--reason", "y"), Denied.exit_code, "may not override"),
    ],
)
def test_bad_decision_is_refused_and_nothing_is_recorded(
    world: World, command: Sequence[str], code: int, text: str
) -> None:
    done = world.author.kit(*command, code=code)
    assert text in done.stderr and done.stdout == ""
    assert subjects(world.bare) == []


def test_approvals_count_by_digest_person_and_policy(world: World) -> None:
    approved = 'approvals = {min = 2, from = ["ml"]}'
    groups = '[groups]\nml = ["bo@example.com", "cy@example.com"]\n'
    rules(world, approved, more=groups)
    world.author.kit("promote", "v1", "staging")
    bo, cy, dan = (as_person(world, name) for name in ("Bo", "Cy", "Dan"))
    assert (
        "Ada Tester <ada@example.com> is an author of v1" in world.author.kit("approve", "v1", "prod", code=18).stderr
    )
    assert "Dan <dan@example.com> may not approve" in dan.kit("approve", "v1", "prod", code=18).stderr
    bo.kit("approve", "v1", "prod", "--reason", "read it")
    assert "you approved v1 before" in bo.kit("approve", "v1", "prod").stderr
    done = world.author.kit("promote", "v1", "prod", code=18)
    assert "approvals: 1 of 2 of ml (Bo)" in done.stderr and "git kit approve v1 prod" in done.stderr
    cy.kit("approve", "v1", "prod")
    rules(world, "approvals = 3")
    lapsed = "approvals: 0 of 3 (nobody; Bo, Cy under an earlier policy)"
    assert lapsed in world.author.kit("promote", "v1", "prod", code=18).stderr
    rules(world, approved, more=groups)
    plan = json.loads(world.author.kit("promote", "v1", "prod", "--dry-run", "--json").stdout)
    assert plan["passes"] and plan["gates"][1]["reason"] == "2 of 2: Bo, Cy"
    world.author.kit("promote", "v1", "prod")
    assert events(world.bare)[-1].gates[1]["evidence"]["approvals"] == [event.id for event in events(world.bare)[4:6]]


def test_approvals_expire_and_each_group_may_be_asked(world: World) -> None:
    groups = '[groups]\nml = ["bo@example.com"]\nops = ["cy@example.com"]\n'
    rules(world, 'approvals = {min = 1, from = ["ml", "ops"], each = true, expire = "2d"}', more=groups)
    world.author.kit("promote", "v1", "staging", extra=at("2026-02-01T00:00"))
    bo, cy = as_person(world, "Bo"), as_person(world, "Cy")
    day, late = at("2026-02-02T00:00"), at("2026-02-04T00:00")
    bo.kit("approve", "v1", "prod", extra=day)
    refused = world.author.kit("promote", "v1", "prod", code=18, extra=day)
    assert "1 of 1 of ml or ops (Bo); nobody of ops" in refused.stderr
    cy.kit("approve", "v1", "prod", extra=day)
    assert "0 of 1" in world.author.kit("promote", "v1", "prod", code=18, extra=late).stderr
    world.author.kit("promote", "v1", "prod", extra=day)


def test_soak_and_windows_decide_when(world: World) -> None:
    rules(world, 'soak = "24h"\nwindows = [{allow = "0 9 * * 1-5", duration = "8h"}, {deny = "2026-02-10/2026-02-11"}]')
    world.author.kit("promote", "v1", "staging", extra=at("2026-02-05T10:00"))
    done = world.author.kit("promote", "v1", "prod", code=18, extra=at("2026-02-05T11:00"))
    assert "ran 1h in staging, not 24h: 23h to go" in done.stderr
    for moment, word in (
        ("2026-02-08T10:00", 'closed: open at "0 9 * * 1-5" for 8h UTC'),  # a Sunday
        ("2026-02-10T10:00", 'closed: deny "2026-02-10/2026-02-11"'),
    ):
        refused = world.author.kit("promote", "v1", "prod", code=18, extra=at(moment))
        assert word in refused.stderr and "soak" not in refused.stderr
    world.author.kit("promote", "v1", "prod", extra=at("2026-02-09T10:00"))


def test_override_is_for_those_whom_the_policy_names_and_is_recorded_as_waived(world: World) -> None:
    rules(world, 'soak = "24h"\noverride = ["ops"]', more='[groups]\nops = ["cy@example.com"]\n')
    world.author.kit("promote", "v1", "staging")
    options = ("--override", "soak", "--reason", "incident 7")
    assert "ada@example.com may not override" in world.author.kit("promote", "v1", "prod", *options, code=12).stderr
    cy = as_person(world, "Cy")
    done = cy.kit("promote", "v1", "prod", *options)
    assert "soak: waived by Cy; ran " in done.stderr
    gate = events(world.bare)[-1].gates[1]
    assert (gate["gate"], gate["outcome"]) == ("soak", "waived")
    cy.kit("hold", "prod")
    stopped = cy.kit("promote", "v2", "staging", "--override", "hold", "--reason", "x", code=2)
    assert "a hold is not overridden, but ended" in stopped.stderr


# -- signatures --------------------------------------------------------------------------------------------------------


def with_key(repo: Repo, name: str) -> str:
    """Have the clone sign its commits with a key of its own; returns its line for the allowed signers."""
    key = repo.path.parent / f"{name}.key"
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
    subprocess.run(argv, check=True, env=repo.environ)
    for setting in ("gpg.format=ssh", f"user.signingKey={key}.pub", "commit.gpgsign=true"):
        repo.git("config", *setting.split("=", 1))
    return f"{repo.out('config', 'user.email')} {key.with_suffix('.key.pub').read_text()}"


def test_signed_journal_counts_only_what_its_actor_signed(world: World) -> None:
    rules(world, "approvals = 1", more="[journal]\nsigned = true\n")
    author = world.author
    refused = author.kit("promote", "v1", "staging", code=InvalidFile.exit_code)
    assert "takes signed events only" in refused.stderr and "commit.gpgsign" in refused.stderr
    bo = as_person(world, "Bo")
    author.write(".gitkit/allowed_signers", with_key(author, "ada") + with_key(bo, "bo"))
    author.git("add", ".gitkit.toml", ".gitkit")
    author.commit("v4", {"model.bin": b"four"})
    author.git("tag", "v4")
    author.git("push", "--quiet", "origin", "dev", "v4")
    author.kit("release", "v4")
    author.kit("promote", "v4", "staging")
    mallory = world.clone("mallory", "Bo")
    mallory.git("config", "user.email", "bo@example.com")
    mallory.git("fetch", "--quiet", "origin", "tag", "v4")
    mallory.git("checkout", "--quiet", "v4")
    assert "signs no commits" in mallory.kit("approve", "v4", "prod", code=InvalidFile.exit_code).stderr
    with_key(mallory, "mallory")
    mallory.kit("approve", "v4", "prod")  # signed, but not by whom the file allows
    assert "approvals: 0 of 1 (nobody)" in author.kit("promote", "v4", "prod", code=18).stderr
    bo.git("fetch", "--quiet", "origin", "tag", "v4")
    bo.git("checkout", "--quiet", "--force", "v4")
    bo.kit("approve", "v4", "prod")
    author.kit("promote", "v4", "prod")
    last = world.bare.out("cat-file", "commit", JOURNAL)
    assert "\ngpgsig -----BEGIN SSH SIGNATURE-----\n" in last and "\npromote v4 prod\n" in last


def test_events_signed_by_gpg_count_and_are_verified(world: World) -> None:
    if shutil.which("gpg") is None:
        pytest.skip("no gpg")
    author, home = world.author, world.folder / "gpg"
    home.mkdir(mode=0o700)
    author.environ["GNUPGHOME"] = str(home)
    key = ["--quick-gen-key", "Ada Tester <ada@example.com>", "ed25519", "sign", "never"]
    argv = ["gpg", "--batch", "--quiet", "--passphrase", "", *key]
    subprocess.run(argv, check=True, env=author.environ, capture_output=True)
    try:
        author.write(".gitkit.toml", CONFIG + "[journal]\nsigned = true\n")
        author.write(".gitkit/allowed_signers", "ada@example.com\n")
        author.git("config", "commit.gpgsign", "true")
        author.git("config", "user.signingKey", "ada@example.com")
        author.git("add", ".gitkit.toml", ".gitkit")
        author.commit("v4", {"model.bin": b"four"})
        author.git("tag", "v4")
        author.git("push", "--quiet", "origin", "dev", "v4")
        author.kit("release", "v4")
        author.kit("hold", "staging")
        author.kit("resume", "staging")
        author.kit("promote", "v4", "staging")
        assert "-----BEGIN PGP SIGNATURE-----" in world.bare.out("cat-file", "commit", JOURNAL)
        told = json.loads(author.kit("audit", "verify", "--offline", "--json").stdout)
        assert told["findings"] == []
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=True, env=author.environ)


# -- races and damage --------------------------------------------------------------------------------------------------


def test_eight_writers_at_once_lose_no_event(world: World) -> None:
    rules(world, "approvals = 1")
    clones = [as_person(world, f"Writer{number}") for number in range(8)]
    script = "for version in v1 v2; do git kit approve $version prod >/dev/null || exit 1; done"
    running = [subprocess.Popen(["sh", "-c", script], cwd=clone.path, env=clone.environ, stderr=-1) for clone in clones]
    said = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0] * 8, said
    found = events(world.bare)
    told = sorted(f"{event.actor.name} {event.version}" for event in found[3:])
    assert told == sorted(f"Writer{number} {version}" for number in range(8) for version in ("v1", "v2"))
    assert [event.sequence for event in found] == list(range(1, 20))
    assert all(after.previous == before.id for before, after in pairwise(found))


def test_promoters_of_one_environment_at_once_have_one_winner_whom_the_other_is_told(world: World) -> None:
    clones = [world.clone(f"racer{number}", f"Racer {number}") for number in range(3)]
    running = [
        subprocess.Popen(
            ["git", "kit", "promote", version, "staging"], cwd=clone.path, env=clone.environ, stdout=-1, stderr=-1
        )
        for clone, version in zip(clones, ("v1", "v2", "v3"), strict=True)
    ]
    said = [process.communicate()[1].decode() for process in running]
    moves = [event for event in events(world.bare) if event.kind == "promote"]
    landed = world.bare.out(
        "log", "--first-parent", "--format=%(trailers:key=Kit-Version,valueonly,separator=)", "staging"
    )
    assert sum(process.returncode == 0 for process in running) == len(moves) == len(landed.split("\n")[: len(moves)])
    for process, text in zip(running, said, strict=True):
        assert process.returncode in (0, Conflict.exit_code), text
        assert process.returncode == 0 or " moved staging to v" in text


def test_journal_that_was_cut_off_stops_every_change_until_it_is_looked_at(world: World) -> None:
    world.author.kit("hold", "staging")
    world.author.kit("resume", "staging")
    world.bare.git("update-ref", JOURNAL, f"{JOURNAL}~1")
    done = world.author.kit("promote", "v1", "staging", code=Corrupt.exit_code)
    assert "does not continue the one that this clone has seen" in done.stderr
    assert world.tip("staging") is None
    other = world.clone("other", "Bo")
    other.kit("promote", "v1", "staging", code=GateRefused.exit_code)  # it never saw the end of the hold


def test_journal_of_a_git_remote_that_was_removed_is_not_called_cut_off(world: World) -> None:
    world.author.git("remote", "remove", "origin")
    done = world.author.kit("hold", "staging", code=Corrupt.exit_code)
    assert "error: there is no Git remote here, where the journal was last seen" in done.stderr
    assert "hint: git remote add origin URL; " in done.stderr and "cut off" not in done.stderr
    assert "warning: there is no Git remote here" in world.author.kit("env").stderr


def test_journal_with_a_strange_commit_stops_every_change(world: World) -> None:
    world.author.kit("hold", "staging")
    tree = world.bare.out("rev-parse", f"{JOURNAL}^{{tree}}")
    bad = world.bare.out("commit-tree", tree, "-p", JOURNAL, "-m", "I was here")
    world.bare.git("update-ref", JOURNAL, bad)
    done = world.author.kit("resume", "staging", code=Corrupt.exit_code)
    assert f"the journal's commit {bad[:12]}: not an event" in done.stderr and "git kit audit verify" in done.stderr


def test_push_that_the_server_refuses_leaves_branch_tag_and_journal_where_they_were(world: World) -> None:
    world.bare.write("hooks/update", '#!/bin/sh\n[ "$1" != refs/heads/kit/journal ]\n', mode=0o755)
    world.author.kit("promote", "v1", "staging", code=Denied.exit_code)
    assert (world.tip("staging"), subjects(world.bare)) == (None, [])


# -- without a Git remote ----------------------------------------------------------------------------------------------


@pytest.fixture
def alone(world: World) -> Repo:
    """The author's clone without a Git remote; the registry is a folder."""
    world.author.git("config", "kit.url", f"oci-layout:{world.registry.path}")
    world.author.git("branch", "--quiet", "--no-track", "kit/journal", "origin/kit/journal")
    world.author.git("remote", "remove", "origin")
    return world.author


def test_without_a_git_remote_branch_and_journal_move_together_here(alone: Repo) -> None:
    alone.kit("promote", "v1", "staging")
    alone.kit("promote", "v2", "staging")
    alone.kit("rollback", "staging")
    assert subjects(alone) == ["promote v1 staging", "promote v2 staging", "rollback v1 staging"]
    named = alone.out("log", "--first-parent", "--format=%(trailers:key=Kit-Journal,valueonly,separator=)", "staging")
    assert named.split("\n")[:3] == alone.out("log", "-3", "--format=%H", JOURNAL).split("\n")


def test_without_a_git_remote_a_move_that_was_killed_is_finished_by_the_next_command(alone: Repo) -> None:
    alone.kit("promote", "v1", "staging")
    before = alone.out("rev-parse", "staging")
    alone.kit("promote", "v2", "staging")
    after = alone.out("rev-parse", "staging")
    alone.git("worktree", "add", "--quiet", "../live", "staging")
    live = Repo(alone.path.parent / "live", alone.environ)
    live.git("reset", "--quiet", "--hard", before)
    told = alone.kit("hold", "prod")
    assert "staging: finished the promote v2 staging that was interrupted" in told.stderr
    assert (alone.out("rev-parse", "staging"), live.out("status", "--porcelain")) == (after, "")


def test_without_a_git_remote_a_worktree_with_changes_refuses_before_anything_is_written(alone: Repo) -> None:
    alone.kit("promote", "v1", "staging")
    alone.git("worktree", "add", "--quiet", "../live", "staging")
    live = Repo(alone.path.parent / "live", alone.environ)
    live.write("model.bin", b"my work")
    done = alone.kit("promote", "v2", "staging", code=Conflict.exit_code)
    assert "which cannot follow" in done.stderr
    assert subjects(alone) == ["promote v1 staging"]
    assert live.read("model.bin") == b"my work"
