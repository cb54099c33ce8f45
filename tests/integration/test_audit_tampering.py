"""`git kit audit verify` against people who mean harm: each attack is made for real, on a real remote.

``author`` has seen the journal before the attack, ``fresh`` is cloned after it: what only a clone's memory can tell is
found by the former alone.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gitkit.core.config import parse_config
from gitkit.core.journal import Actor, Event, Point
from gitkit.lifecycle.audit.findings import Audit
from tests.lib import journals
from tests.lib.journals import JOURNAL, Raw, audit, copied, force, forge, raw, rechained
from tests.lib.lifecycle_world import CONFIG, World
from tests.lib.repos import Repo, clean_environ, run

Json = dict[str, Any]
MALLORY = Actor("Mallory", "mallory@example.com")
REMOTE_JOURNAL = f"refs/remotes/origin/{JOURNAL}"


@pytest.fixture(scope="module")
def history_template(lifecycle_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world after some events: 3 releases, promotions of v1 and v2, and at the end decisions that move nothing."""
    folder = tmp_path_factory.mktemp("history")
    author = copied(lifecycle_template, folder, clean_environ(folder / "home")).author
    author.kit("promote", "v1", "staging")
    author.kit("promote", "v1", "prod", "--reason", "first")
    author.kit("freeze", "--all", "--until", "1h")
    author.kit("unfreeze", "--all")
    author.kit("promote", "v2", "staging")
    author.kit("hold", "prod", "--reason", "weekend")
    author.kit("resume", "prod")
    return folder


@pytest.fixture
def world(history_template: Path, tmp_path: Path, environ: dict[str, str]) -> World:
    return copied(history_template, tmp_path, environ)


def kinds(found: Audit) -> set[str]:
    return {finding.kind for finding in found.findings}


def texts(found: Audit, kind: str) -> list[str]:
    return [finding.text for finding in found.findings if finding.kind == kind]


def fresh(world: World) -> Repo:
    """A clone of now, without a worktree's files."""
    return world.bare.clone(world.folder / "fresh", "--no-checkout", "--branch", "dev")


def events(world: World) -> list[Raw]:
    return journals.read(world.author, REMOTE_JOURNAL)


def rewrite(world: World, raws: Sequence[Raw]) -> None:
    force(world.author, journals.write(world.author, raws))


def index_of(raws: Sequence[Raw], subject: str) -> int:
    return next(number for number, one in enumerate(raws) if one.message.startswith(subject + "\n"))


def changed(one: Raw, **fields: Any) -> Raw:
    """The event with other values and an id that fits them; its place in the chain is kept."""
    event = replace(one.event, **fields)
    return raw(event)


def next_event(world: World, kind: str, **fields: Any) -> Event:
    """An event as a client of our own making would write it, now."""
    moment = max(time.time_ns() // 1000, events(world)[-1].event.time)
    base: Json = {"kind": kind, "time": moment, "actor": Actor("Ada Tester", "ada@example.com")}
    return Event(**{**base, **fields})


def point(world: World, version: str) -> Point:
    tag = world.author.out("rev-parse", f"refs/tags/{version}")
    return Point(version, world.digest_of(version), world.commit_of(version), tag)


def promotion(world: World, version: str, name: str, **fields: Any) -> Event:
    """A promotion that fits everything but, maybe, the rules."""
    ran = next((one.event.after for one in reversed(events(world)) if one.event.environment == name
                and one.event.kind in ("promote", "rollback")), None)  # fmt: skip
    last = next((one.event for one in reversed(events(world)) if one.event.policy and one.event.environment == name),
                None)  # fmt: skip
    tip = world.tip(name)
    base: Json = {
        "environment": name,
        "before": ran._replace(tag=None) if ran is not None else None,
        "after": point(world, version),
        "tip": tip,
        "policy": last.policy if last is not None else None,
        "policy_commit": tip,
        "gates": ({"gate": "from", "outcome": "passed", "reason": "ran there"},),
    }
    return next_event(world, "promote", **{**base, **fields})


def synced(world: World, name: str, version: str) -> None:
    """The registry follows, so that nothing but the policy is wrong."""
    world.registry.put_manifest(world.registry.get_manifest(version), tag=name)


# -- nothing -----------------------------------------------------------------------------------------------------------


def test_untouched_journal_has_no_findings(world: World) -> None:
    for repo in (world.author, fresh(world)):
        found = audit(repo)
        assert (list(found.findings), list(found.gaps), found.clean) == ([], [], True)
        assert (found.events, found.environments) == (10, ["staging", "prod"])


# -- the chain ---------------------------------------------------------------------------------------------------------


def test_event_taken_out_is_removed(world: World) -> None:
    raws = events(world)
    del raws[index_of(raws, "freeze all")]
    rewrite(world, raws)
    found = audit(fresh(world))
    assert "removed" in kinds(found)
    assert {finding.event for finding in list(found.findings) if finding.kind == "removed"} == {7}
    assert "forked" in kinds(audit(world.author))


def test_first_event_taken_out_is_removed(world: World) -> None:
    rewrite(world, events(world)[1:])
    assert "removed" in kinds(audit(fresh(world)))


def test_events_exchanged_are_reordered(world: World) -> None:
    raws = events(world)
    raws[-1], raws[-2] = raws[-2], raws[-1]
    rewrite(world, raws)
    assert "reordered" in kinds(audit(fresh(world)))


def test_event_copied_to_the_end_is_repeated(world: World) -> None:
    raws = events(world)
    copied = raws[index_of(raws, "hold prod")].event.chained(raws[-1].event)
    rewrite(world, [*raws, raw(copied)])
    assert "repeated" in kinds(audit(fresh(world)))


@pytest.mark.parametrize(
    "edit",
    [
        lambda one: one._replace(message=one.message.replace("weekend", "holiday")),
        lambda one: one._replace(message=one.message.replace("hold prod\n", "hold dev\n", 1)),
        lambda one: one._replace(actor=MALLORY),
        lambda one: one._replace(seconds=one.seconds - 3600),
        lambda one: one._replace(message="a note\n"),
        lambda one: one._replace(message=one.message.replace('"environment":"prod"', '"environment":["prod"]')),
    ],
    ids=["reason", "subject", "person", "time", "no event", "type"],
)
def test_event_with_another_text_or_person_is_edited(world: World, edit: Callable[[Raw], Raw]) -> None:
    raws = events(world)
    number = index_of(raws, "hold prod")
    raws[number] = edit(raws[number])
    rewrite(world, raws)
    found = audit(fresh(world))
    assert kinds(found) == {"edited"}
    assert {finding.event for finding in list(found.findings)} <= {number + 1, None}


@pytest.mark.parametrize(
    ("old", "new"), [('"environment":"prod"', '"environment":["prod"]'), ('"tip":"', '"tip":"--output=')]
)
def test_event_of_harmful_values_with_an_id_that_fits_is_edited(world: World, old: str, new: str) -> None:
    *before, last = events(world)
    body = last.message.split("\n")[2]
    hostile = body.replace(old, new)
    assert hostile != body
    name = hashlib.sha256(hostile.encode()).hexdigest()[:32]
    made = last.message.replace(body, hostile).replace(last.event.id, name)
    rewrite(world, [*before, last._replace(message=made)])
    assert "edited" in kinds(audit(fresh(world)))


def test_event_with_files_is_edited(world: World) -> None:
    raws = events(world)
    raws[-1] = raws[-1]._replace(tree=world.author.out("rev-parse", "HEAD^{tree}"))
    rewrite(world, raws)
    assert texts(audit(fresh(world)), "edited") == ["its tree is not empty"]


@pytest.mark.parametrize("shift_s", [-86400, 3600])
def test_event_of_a_time_that_cannot_be_is_back_dated(world: World, shift_s: int) -> None:
    raws = events(world)
    raws[-1] = changed(raws[-1], time=raws[-1].event.time + shift_s * 1_000_000)
    rewrite(world, raws)
    assert kinds(audit(fresh(world))) == {"back-dated"}


def test_event_with_two_parents_is_forked(world: World) -> None:
    raws = events(world)
    aside = journals.write(world.author, raws[:1])
    raws[-1] = raws[-1]._replace(second_parent=journals.write(world.author, [raw(raws[0].event)], parent=aside))
    rewrite(world, raws)
    assert "forked" in kinds(audit(fresh(world)))


# -- an attacker who makes the chain fit again -------------------------------------------------------------------------


def test_journal_cut_at_its_end_is_truncated_to_whom_has_seen_it(world: World) -> None:
    rewrite(world, events(world)[:-2])
    found = audit(world.author)
    assert kinds(found) == {"truncated"}
    assert "2 events" in texts(found, "truncated")[0]
    assert found.findings[0].put_back == f"refs/kit/journal-seen:refs/heads/{JOURNAL}"
    assert audit(fresh(world)).clean


def test_journal_that_is_gone_is_truncated_and_its_branches_name_nothing(world: World) -> None:
    force(world.author, None)
    assert kinds(audit(world.author)) == {"truncated", "branch"}
    assert kinds(audit(fresh(world))) == {"branch"}


def test_journal_written_anew_at_its_end_is_forked_to_whom_has_seen_it(world: World) -> None:
    raws = events(world)
    number = index_of(raws, "hold prod")
    rewrite(world, rechained([*raws[:number], raws[number + 1]]))
    found = audit(world.author)
    assert kinds(found) == {"forked"}
    assert audit(fresh(world)).clean


def test_journal_written_anew_from_its_middle_is_found_by_everybody_since_branches_name_what_is_gone(
    world: World,
) -> None:
    raws = events(world)
    number = index_of(raws, "promote v1 prod")
    raws[number] = changed(raws[number], reason="second")
    rewrite(world, rechained(raws))
    assert kinds(audit(world.author)) == {"forked", "branch"}
    assert kinds(audit(fresh(world))) == {"branch"}


def test_pin_does_not_move_to_a_journal_that_does_not_continue_it(world: World) -> None:
    seen = world.author.out("rev-parse", "refs/kit/journal-seen")
    rewrite(world, events(world)[:-1])
    audit(world.author)
    audit(world.author)
    assert world.author.out("rev-parse", "refs/kit/journal-seen") == seen


def test_pin_moves_to_a_journal_that_continues_it(world: World) -> None:
    repo = fresh(world)
    audit(repo)
    forge(world.author, next_event(world, "freeze"))
    audit(repo)
    assert repo.out("rev-parse", "refs/kit/journal-seen") == world.bare.out("rev-parse", JOURNAL)


# -- branches ----------------------------------------------------------------------------------------------------------


def test_commit_by_hand_on_an_environment_has_no_event(world: World) -> None:
    tip = world.tip("staging")
    tree = world.author.out("rev-parse", f"{tip}^{{tree}}")
    author = {"GIT_AUTHOR_NAME": "Mallory", "GIT_AUTHOR_EMAIL": "m@example.com"}
    by_hand = world.author.git("commit-tree", tree, "-p", str(tip), "-m", "hot fix", extra=author).stdout.strip()
    force(world.author, by_hand, "staging")
    found = audit(fresh(world))
    assert kinds(found) == {"branch"}
    people = "Mallory <m@example.com>, committed by Ada Tester <ada@example.com>"
    assert f'"hot fix" by {people} has no event of its own' in texts(found, "branch")[0]
    assert found.findings[0].put_back == f"{tip}:refs/heads/staging"
    assert found.findings[0].environment == "staging"
    assert found.findings[0].commit == by_hand


def test_commit_with_trailers_and_without_event_has_no_event(world: World) -> None:
    event = promotion(world, "v3", "staging")
    tip = str(world.tip("staging"))
    text = journals.message_of("staging", event, "1" * 40)
    for message in (text, "\n".join(line for line in text.split("\n") if not line.startswith("Kit-Journal"))):
        made = world.author.out("commit-tree", f"{event.after.commit}^{{tree}}" if event.after else "", "-p", tip,
                                "-p", event.after.commit if event.after else "", "-m", message)  # fmt: skip
        force(world.author, made, "staging")
        assert kinds(audit(world.author)) == {"branch"}


def test_branch_reset_to_where_it_was_is_found(world: World) -> None:
    force(world.author, world.author.out("rev-parse", f"{world.tip('staging')}^"), "staging")
    found = audit(fresh(world))
    assert kinds(found) == {"branch"}
    assert "it was reset" in texts(found, "branch")[0]


def test_branch_reset_to_a_versions_own_commit_is_found(world: World) -> None:
    force(world.author, world.commit_of("v3"), "prod")
    assert kinds(audit(fresh(world))) == {"branch"}


def test_branch_that_is_gone_is_found(world: World) -> None:
    force(world.author, None, "prod")
    found = audit(fresh(world))
    assert kinds(found) == {"branch"}
    assert "the branch prod is gone" in texts(found, "branch")[0]


def test_environment_that_was_taken_out_of_the_configuration_is_checked_all_the_same(world: World) -> None:
    world.author.commit("no prod", {".gitkit.toml": CONFIG.partition("[environments.prod]")[0]})
    world.author.git("push", "--quiet", "origin", "dev")
    tip = world.tip("prod")
    force(world.author, world.author.out("commit-tree", f"{tip}^{{tree}}", "-p", str(tip), "-m", "hidden"), "prod")
    found = audit(fresh(world))
    assert [(finding.kind, finding.environment) for finding in found.findings] == [("branch", "prod")]
    assert "prod is no longer in .gitkit.toml; its branch was prod" in found.notes


def test_event_whose_commit_never_came_is_found(world: World) -> None:
    event = promotion(world, "v2", "prod").chained(events(world)[-1].event)
    tip = world.author.out("rev-parse", REMOTE_JOURNAL)
    force(world.author, journals.write(world.author, [raw(event)], parent=tip))
    assert "branch" in kinds(audit(fresh(world)))


@pytest.mark.parametrize("part", ["tree", "version", "person", "parents"])
def test_commit_that_does_not_fit_its_event_is_found(world: World, part: str) -> None:
    event = promotion(world, "v3", "staging")
    chained = event.chained(events(world)[-1].event)
    oid = journals.write(world.author, [raw(chained)], parent=world.author.out("rev-parse", REMOTE_JOURNAL))
    assert event.after is not None
    text = journals.message_of("staging", event, oid)
    parents = [str(event.tip), event.after.commit]
    made = Raw(
        text.replace("Kit-Version: v3", "Kit-Version: v2") if part == "version" else text,
        MALLORY if part == "person" else event.actor,
        event.seconds,
        world.author.out("rev-parse", f"{'v1' if part == 'tree' else 'v3'}^{{tree}}"),
        world.commit_of("v2") if part == "parents" else parents[1],
    )
    tip = journals.write(world.author, [made], parent=parents[0])
    specs = (f"{oid}:refs/heads/{JOURNAL}", f"{tip}:refs/heads/staging")
    world.author.git("push", "--quiet", "--no-verify", "--atomic", "origin", *specs)
    synced(world, "staging", "v3")
    found = audit(fresh(world))
    assert kinds(found) == {"branch"}
    assert "does not fit its event" in texts(found, "branch")[0]


def test_move_that_found_the_branch_where_no_event_had_left_it_is_found(world: World) -> None:
    tip = str(world.tip("staging"))
    by_hand = world.author.out("commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "by hand")
    forge(world.author, promotion(world, "v3", "staging", tip=by_hand, policy_commit=by_hand))
    synced(world, "staging", "v3")
    found = audit(fresh(world))
    assert kinds(found) == {"branch"}
    assert len(texts(found, "branch")) == 2


def test_followed_branch_whose_rollback_was_taken_back_is_found(world: World) -> None:
    before = world.tip("dev")
    world.author.kit("rollback", "dev", "--to", "v1")
    repo = fresh(world)
    assert audit(repo).findings == []
    force(world.author, before, "dev")
    found = audit(repo)
    assert "branch" in kinds(found)


# -- tags --------------------------------------------------------------------------------------------------------------


def test_tag_moved_on_the_remote_is_found_and_named(world: World) -> None:
    world.bare.git("tag", "--force", "v1", world.commit_of("v3"))
    for repo in (world.author, fresh(world)):
        found = audit(repo)
        assert kinds(found) == {"tag"}
        assert "v1 was moved on origin" in texts(found, "tag")[0]


def test_tag_made_anew_on_the_same_commit_is_found(world: World) -> None:
    world.bare.git("tag", "--force", "-a", "-m", "x", "v1", "v1^{commit}", extra={
        "GIT_COMMITTER_NAME": "M", "GIT_COMMITTER_EMAIL": "m@example.com"})  # fmt: skip
    assert kinds(audit(fresh(world))) == {"tag"}


def test_tag_that_is_gone_is_found(world: World) -> None:
    world.bare.git("tag", "--delete", "v2")
    assert texts(audit(world.author), "tag") == ["the tag v2 is gone on origin"]


def test_tag_moved_in_this_clone_alone_is_found(world: World) -> None:
    world.author.git("tag", "--force", "v1", "v3")
    assert "in this clone" in texts(audit(world.author), "tag")[0]
    assert "tag" in kinds(audit(world.author, offline=True))


def test_release_of_a_version_that_was_released_as_something_else_is_found(world: World) -> None:
    other = point(world, "v1")._replace(digest=world.digest_of("v3"))
    forge(world.author, next_event(world, "release", after=other))
    assert "tag" in kinds(audit(fresh(world)))


# -- the registry ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["staging", "v1"])
def test_registry_tag_with_another_digest_is_found_unless_offline(world: World, tag: str) -> None:
    world.registry.put_manifest(world.registry.get_manifest("v3"), tag=tag)
    assert kinds(audit(world.author)) == {"registry"}
    assert audit(world.author, offline=True).findings == []


def test_registry_tag_that_is_gone_is_found(world: World) -> None:
    world.registry.delete_tag("prod")
    found = audit(world.author)
    assert kinds(found) == {"registry"}
    assert "has nothing under prod" in texts(found, "registry")[0]


# -- policy ------------------------------------------------------------------------------------------------------------


def policy_texts(world: World) -> list[str]:
    found = audit(fresh(world))
    assert kinds(found) == {"policy"}, list(found.findings)
    return texts(found, "policy")


def test_promotion_of_what_never_ran_in_the_source_is_found(world: World) -> None:
    forge(world.author, promotion(world, "v3", "prod"))
    synced(world, "prod", "v3")
    assert policy_texts(world) == ["from: v3 did not run in staging"]


@pytest.mark.parametrize("kind", ["hold", "freeze", "reject"])
def test_promotion_that_a_decision_forbids_is_found_even_if_it_says_waived(world: World, kind: str) -> None:
    about: Json = {"hold": {"environment": "prod"}, "freeze": {}, "reject": {"after": point(world, "v2")}}[kind]
    forge(world.author, next_event(world, kind, **about))
    waived = ({"gate": kind, "outcome": "waived", "reason": "x"}, {"gate": "from", "outcome": "passed", "reason": ""})
    forge(world.author, promotion(world, "v2", "prod", gates=waived, reason="x"))
    synced(world, "prod", "v2")
    [text] = policy_texts(world)
    assert text.startswith(f"{kind}")


def test_promotion_by_a_policy_that_is_not_the_branchs_is_found(world: World) -> None:
    forge(world.author, promotion(world, "v2", "prod", policy=f"sha256:{'0' * 64}"))
    synced(world, "prod", "v2")
    assert "has another policy of prod" in policy_texts(world)[0]


def test_promotion_by_the_candidates_own_policy_is_found(world: World) -> None:
    forge(world.author, promotion(world, "v2", "prod", policy_commit=world.commit_of("v2")))
    synced(world, "prod", "v2")
    assert "not from where prod was" in policy_texts(world)[0]


def test_promotion_that_names_no_policy_though_there_is_one_is_found(world: World) -> None:
    forge(world.author, promotion(world, "v2", "prod", policy_commit=None))
    synced(world, "prod", "v2")
    assert "it names no policy" in policy_texts(world)[0]


def test_promotion_of_another_digest_than_was_released_is_found(world: World) -> None:
    other = point(world, "v2")._replace(digest=world.digest_of("v3"))
    forge(world.author, promotion(world, "v2", "prod", after=other))
    synced(world, "prod", "v3")
    assert any("was released as" in text for text in policy_texts(world))


def test_rollback_to_what_never_ran_there_is_found(world: World) -> None:
    event = replace(promotion(world, "v2", "prod"), kind="rollback", gates=(), details={"hold": True})
    forge(world.author, event)
    synced(world, "prod", "v2")
    assert policy_texts(world) == ["v2 never ran in prod"]


def test_move_that_lies_about_what_ran_before_is_found(world: World) -> None:
    forge(world.author, promotion(world, "v2", "prod", before=point(world, "v3")._replace(tag=None)))
    synced(world, "prod", "v2")
    assert policy_texts(world) == ["it says that v3 ran before, not v1"]


def test_approval_by_the_author_of_a_version_is_found_not_to_count(world: World) -> None:
    """Rules come into force with the version that brings them; its author cannot be the one who agrees to the next."""
    rules = f"{CONFIG}approvals = 1\n"
    author = world.author
    for version in ("v4", "v5"):
        author.commit(version, {".gitkit.toml": rules, "model.bin": version})
        author.git("tag", version)
        author.git("push", "--quiet", "origin", "dev", version)
        world.registry.put_manifest(world.registry.get_manifest("v1"), tag=version)
    forge(author, promotion(world, "v4", "staging"))
    forge(author, promotion(world, "v5", "staging"))
    synced(world, "staging", "v5")
    forge(author, promotion(world, "v4", "prod"))
    synced(world, "prod", "v5")
    policy = parse_config(rules.encode()).policy_of("prod")
    tip = world.tip("prod")
    approve: Json = {"environment": "prod", "tip": tip, "policy": policy, "policy_commit": tip}
    forge(author, next_event(world, "approve", after=point(world, "v5"), **approve))
    forge(author, promotion(world, "v5", "prod", policy=policy))
    [text] = policy_texts(world)
    assert text.startswith("approvals: 0 of 1")


# -- signatures --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signed_template(lifecycle_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world where v4 runs in staging, asks for signatures and allows the keys of Ada and Ben. Mallory has one."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is missing")
    folder = tmp_path_factory.mktemp("signed")
    world = copied(lifecycle_template, folder, clean_environ(folder / "home"))
    allowed = ""
    for name in ("ada", "ben", "mallory"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        run(argv, cwd=folder, environ=world.author.environ)
        allowed += f"{name}@EXAMPLE.com {(folder / f'{name}.pub').read_text()}" if name != "mallory" else ""
    files = {".gitkit.toml": f"{CONFIG}[journal]\nsigned = true\n", ".gitkit/allowed_signers": allowed}
    world.author.commit("v4", files)
    world.author.git("tag", "v4")
    world.author.git("push", "--quiet", "origin", "dev", "v4")
    sign_as(world, folder, "ada")
    world.author.git("config", "commit.gpgsign", "true")
    world.author.kit("release", "v4")
    world.author.kit("promote", "v4", "staging")
    world.author.kit("hold", "staging")
    return folder


@pytest.fixture
def signed(signed_template: Path, tmp_path: Path, environ: dict[str, str]) -> World:
    for name in ("ada", "ben", "mallory"):
        shutil.copy(signed_template / name, tmp_path / name)
    return copied(signed_template, tmp_path, environ)


def sign_as(world: World, folder: Path, name: str) -> None:
    world.author.git("config", "gpg.format", "ssh")
    world.author.git("config", "user.signingkey", str(folder / name))


def about_staging(world: World) -> Json:
    tip = world.tip("staging")
    last = next(one.event for one in reversed(events(world)) if one.event.environment == "staging")
    return {"environment": "staging", "tip": tip, "policy": last.policy, "policy_commit": tip}


def test_events_that_their_actors_signed_are_sound(signed: World) -> None:
    for repo in (signed.author, fresh(signed)):
        assert audit(repo).clean


@pytest.mark.parametrize(
    ("key", "actor", "kind"),
    [
        (None, "ada", "unsigned"),
        ("ben", "ada", "signer"),
        ("mallory", "ada", "signer"),
        ("mallory", "mallory", "signer"),
        ("ben", "ben", None),
    ],
)
def test_event_that_somebody_else_or_nobody_signed_is_found(
    signed: World, key: str | None, actor: str, kind: str | None
) -> None:
    if key is not None:
        sign_as(signed, signed.folder, key)
    person = Actor(actor.title(), f"{actor}@example.com")
    for event in (
        next_event(signed, "resume", actor=person, **about_staging(signed)),
        next_event(signed, "freeze", actor=person),
    ):
        forge(signed.author, event, sign=key is not None)
    found = audit(fresh(signed))
    assert [finding.kind for finding in found.findings] == [kind, kind] * (kind is not None)


def test_signature_on_another_event_is_bad(signed: World) -> None:
    [*before, last] = events(signed)
    kept = journals.write(signed.author, before[:1])
    assert kept
    commit = signed.author.git("cat-file", "commit", signed.bare.out("rev-parse", JOURNAL)).stdout
    other = replace(last.event, reason="other").chained(before[-1].event)
    head = commit.partition("\n\n" + last.message.split("\n", 1)[0])[0]
    forged = f"{head}\n\n{other.text()}"
    oid = signed.author.git("hash-object", "-w", "-t", "commit", "--stdin", stdin=forged.encode()).stdout.strip()
    force(signed.author, oid)
    assert kinds(audit(fresh(signed))) == {"signature"}


def test_person_who_allows_himself_by_a_policy_of_his_own_is_found(signed: World) -> None:
    public = run(["ssh-keygen", "-y", "-f", "mallory"], cwd=signed.folder, environ=signed.author.environ).stdout
    signed.author.write(".gitkit/allowed_signers", f"mallory@example.com {public}")
    own = signed.author.commit("me too")
    signed.author.git("reset", "--quiet", "--hard", "HEAD~")
    sign_as(signed, signed.folder, "mallory")
    about = {**about_staging(signed), "tip": own, "policy_commit": own}
    forge(signed.author, next_event(signed, "resume", actor=MALLORY, **about), sign=True)
    found = audit(signed.author)
    assert kinds(found) == {"signer"}
    assert any("no event had left it" in note for note in found.notes)


def test_signatures_of_events_that_were_checked_are_not_checked_again(signed: World) -> None:
    assert audit(signed.author).clean
    found = audit(signed.author)
    assert (found.since, found.events) == (6, 6)
    forge(signed.author, next_event(signed, "freeze"))
    assert kinds(audit(signed.author)) == {"unsigned"}


# -- what an earlier audit has checked ---------------------------------------------------------------------------------


def test_second_audit_passes_over_what_the_first_has_checked(world: World) -> None:
    repo = fresh(world)
    assert audit(repo).since == 0
    assert audit(repo).since == 10
    assert audit(repo, full=True).since == 0
    forge(world.author, promotion(world, "v3", "prod"))
    found = audit(repo)
    assert (found.since, texts(found, "policy")) == (10, ["from: v3 did not run in staging"])
    assert texts(audit(repo), "policy") == ["from: v3 did not run in staging"]


def test_old_events_tampered_with_after_an_audit_are_found(world: World) -> None:
    assert audit(world.author).clean
    raws = events(world)
    raws[1] = raws[1]._replace(message=raws[1].message.replace("release v2", "release v9", 1))
    rewrite(world, raws)
    found = audit(world.author)
    assert found.since == 0
    assert {"edited", "forked", "branch"} <= kinds(found)


def test_branch_and_tag_tampered_with_after_an_audit_are_found(world: World) -> None:
    assert audit(world.author).clean
    force(world.author, world.author.out("rev-parse", f"{world.tip('staging')}^"), "staging")
    world.bare.git("tag", "--delete", "v2")
    found = audit(world.author)
    assert (found.since, kinds(found)) == (10, {"branch", "tag"})


def test_checkpoint_that_does_not_fit_is_not_believed(world: World) -> None:
    assert audit(world.author).clean
    saved = world.author.path / ".git" / "kit" / "audit.json"
    good = saved.read_text()
    for text in ("", "{}", good.replace('"tip"', '"top"'), good.replace('"against": "', '"against": "0')):
        saved.write_text(text)
        assert audit(world.author, offline=True).since == 0
    assert audit(world.author, offline=True).since == 10
