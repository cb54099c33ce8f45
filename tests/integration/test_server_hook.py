"""The guard of a Git server: real pushes into a real bare repository, by git kit and by hand.

One world for all: ``bare.git`` with git kit's hook, whose HEAD is the followed branch ``dev``; the clones ``ada`` and
``bob``; versions v1, v2 and v3, released, v1 in staging. What a hostile or old client would push is made of plumbing;
``test_push_made_by_hand_of_a_move_that_keeps_the_rules_lands`` shows that it is otherwise like git kit's own.
"""

import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gitkit.core.config import parse_config
from gitkit.core.journal import Actor, Event, Point, parse_event, show_time
from gitkit.store.layout import ImageLayout
from tests.lib.configs import ENVIRONMENTS as CONFIG
from tests.lib.repos import Ran, Repo, clean_environ, init, some_bytes

VERSIONS = ("v1", "v2", "v3")
ADA = Actor("Ada Tester", "ada@example.com")
HOOKS = ("update", "pre-receive")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class World:
    folder: Path
    bare: Repo
    ada: Repo
    bob: Repo

    def tip(self, branch: str) -> str | None:
        return self.bare.out("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}") or None

    def point(self, version: str) -> Point:
        digest = ImageLayout(str(self.bare.path / "kit")).resolve(version)
        assert digest is not None
        commit, tag = (self.ada.out("rev-parse", f"{version}{suffix}") for suffix in ("^{commit}", ""))
        return Point(version, digest, commit, tag)

    def last(self) -> tuple[str, Event]:
        """The journal's last commit and its event."""
        oid = self.tip("kit/journal")
        assert oid is not None
        return oid, parse_event(self.bare.out("log", "-1", "--format=%B", oid))

    def configure(self, text: str) -> None:
        """The rules, where no environment has a branch yet but those that follow one."""
        self.ada.git("switch", "--quiet", "dev")
        self.ada.commit("rules", {".gitkit.toml": text})
        self.ada.git("push", "--quiet", "origin", "dev")
        self.bob.git("pull", "--quiet", "origin", "dev")

    def use(self, *hooks: str) -> None:
        """Have these of the two hooks."""
        for name in HOOKS:
            (self.bare.path / "hooks" / name).unlink(missing_ok=True)
        for name in hooks:
            shutil.copy(ROOT / "hooks" / name, self.bare.path / "hooks" / name)


@pytest.fixture(scope="session")
def guarded_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guarded")
    environ = clean_environ(folder / "home")
    bare = init(folder / "bare.git", environ, "--bare", "--initial-branch=dev")
    ada = init(folder / "ada", environ, "--initial-branch=dev")
    ada.git("remote", "add", "origin", "../bare.git")
    ada.kit("install")
    ada.write(".gitattributes", "*.bin filter=kit -text\n")
    ada.write(".gitkit.toml", CONFIG)
    ada.write("Kitfile", "model: {path: model.bin}\n")
    for number, version in enumerate(VERSIONS):
        ada.environ["GIT_COMMITTER_DATE"] = f"{1767225600 + number} +0000"
        ada.commit(version, {"model.bin": some_bytes(5000, seed=number)})
        ada.git("tag", version)
    del ada.environ["GIT_COMMITTER_DATE"]
    bare.kit("install")
    ada.git("push", "--quiet", "--set-upstream", "origin", "dev")
    for version in VERSIONS:
        ada.kit("release", version)
    ada.git("fetch", "--quiet")
    return folder


@pytest.fixture(scope="session")
def promoted_template(guarded_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with v1 in staging."""
    folder = tmp_path_factory.mktemp("promoted") / "world"
    shutil.copytree(guarded_template, folder, symlinks=True)
    environ = clean_environ(folder / "home")
    shutil.copy(guarded_template / "home" / ".gitconfig", environ["GIT_CONFIG_GLOBAL"])
    Repo(folder / "ada", environ).kit("promote", "v1", "staging")
    return folder


def world_of(template: Path, folder: Path, environ: dict[str, str]) -> World:
    shutil.copy(template / "home" / ".gitconfig", environ["GIT_CONFIG_GLOBAL"])
    for source, name in (("bare.git", "bare.git"), ("ada", "ada"), ("ada", "bob")):
        shutil.copytree(template / source, folder / name, symlinks=True)
    bare, ada, bob = (Repo(folder / name, environ) for name in ("bare.git", "ada", "bob"))
    bob.git("config", "user.name", "Bob Tester")
    bob.git("config", "user.email", "bob@example.com")
    return World(folder=folder, bare=bare, ada=ada, bob=bob)


@pytest.fixture
def empty_world(guarded_template: Path, tmp_path: Path, environ: dict[str, str]) -> World:
    """Nothing was promoted yet."""
    return world_of(guarded_template, tmp_path, environ)


@pytest.fixture
def world(promoted_template: Path, tmp_path: Path, environ: dict[str, str]) -> World:
    return world_of(promoted_template, tmp_path, environ)


# -- by hand ---------------------------------------------------------------------------------------------------------


def promotion(world: World, version: str, environment: str, before: str | None = None, **fields: Any) -> Event:
    """The event of a promotion as git kit would make it, now."""
    text = world.bare.out("show", f"{world.tip(environment) or 'HEAD'}:.gitkit.toml")
    found = world.point(before)._replace(tag=None) if before is not None else None
    values: dict[str, Any] = {
        "kind": "promote",
        "time": time.time_ns() // 1000,
        "actor": ADA,
        "environment": environment,
        "before": found,
        "after": world.point(version),
        "tip": world.tip(environment),
        "policy": parse_config(text.encode()).policy_of(environment),
    }
    return Event(**{**values, **fields})


def write_commit(repo: Repo, message: str, *, tree: str, parents: list[str], actor: Actor, seconds: int) -> str:
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", actor.name), ("EMAIL", actor.email), ("DATE", f"@{seconds} +0000"))
    }
    args = [word for parent in parents for word in ("-p", parent)]
    return repo.git("commit-tree", tree, *args, stdin=message.encode(), extra=who).stdout.strip()


def write_event(world: World, event: Event, **changes: Any) -> str:
    """The event's commit behind the journal; ``changes``: text, tree, parents, actor, seconds."""
    world.ada.git("fetch", "--quiet")
    tip, last = world.last()
    empty = world.ada.git("hash-object", "-w", "-t", "tree", "--stdin").stdout.strip()
    text = changes.pop("text", None) or event.chained(last).text()
    values = {"tree": empty, "parents": [tip], "actor": event.actor, "seconds": event.seconds}
    return write_commit(world.ada, text, **{**values, **changes})


def write_move(world: World, event: Event, entry: str, **changes: Any) -> str:
    """The commit of the environment's branch that the event's commit ``entry`` belongs to."""
    after = event.after
    assert after is not None
    trailers = {"Env": event.environment, "Version": after.version, "Digest": after.digest, "Event": event.kind}
    trailers |= {"Journal": entry, **changes.pop("trailers", {})}
    lines = "".join(f"Kit-{key}: {value}\n" for key, value in trailers.items())
    parents = [oid for oid in (event.tip, after.commit) if oid is not None]
    values = {"tree": f"{after.commit}^{{tree}}", "parents": parents, "actor": event.actor, "seconds": event.seconds}
    values |= changes
    values["tree"] = world.ada.out("rev-parse", str(values["tree"]))
    return write_commit(world.ada, f"{event.environment}: {event.kind}\n\n{lines}", **values)


def push(world: World, *specs: str, code: int = 1) -> Ran:
    return world.ada.git("push", "--no-verify", "origin", *specs, code=code)


def push_move(world: World, event: Event, *options: str, code: int = 1, **changes: Any) -> Ran:
    """Push an event and its commit together."""
    entry = write_event(world, event)
    commit = write_move(world, event, entry, **changes)
    specs = (f"{entry}:refs/heads/kit/journal", f"{commit}:refs/heads/{event.environment}")
    return push(world, *(options or ("--atomic",)), *specs, code=code)


def assert_refused(world: World, done: Ran, *texts: str, before: dict[str, str]) -> None:
    """The server said why, and nothing moved."""
    said = " ".join(line.removeprefix("remote: ").strip() for line in done.stderr.splitlines())
    assert "git kit refuses refs/" in said, done.stderr
    for text in texts:
        assert text in said, done.stderr
    assert refs_of(world) == before


def refs_of(world: World) -> dict[str, str]:
    lines = world.bare.out("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


# -- what is right passes --------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_all_commands_of_two_clones_pass_both_hooks(empty_world: World) -> None:
    world = empty_world
    world.use(*HOOKS)
    ada, bob = world.ada, world.bob
    ada.kit("promote", "v1", "staging")
    bob.kit("promote", "v1", "prod", "--reason", "first")
    bob.kit("hold", "prod")
    assert ada.kit("promote", "v2", "prod", code=18).stdout == ""
    ada.kit("resume", "prod")
    ada.kit("freeze", "prod")
    bob.kit("unfreeze", "prod")
    bob.kit("promote", "v2", "staging")
    ada.kit("promote", "v2", "prod")
    bob.kit("rollback", "prod", "--reject", "--reason", "slow")
    ada.kit("reject", "v2", "--undo")
    ada.commit("v4", {"model.bin": some_bytes(5000, seed=9)})
    ada.git("tag", "--annotate", "--message", "four", "v4")
    ada.kit("release", "v4")
    ada.kit("promote", "v4", "dev")
    assert world.tip("dev") == ada.out("rev-parse", "v4^{commit}")
    ada.kit("promote", "v4", "staging")
    kinds = world.bare.out("log", "--reverse", "--format=%s", "kit/journal").splitlines()[len(VERSIONS) :]
    assert kinds == [
        *("promote v1 staging", "promote v1 prod", "hold prod", "resume prod", "freeze prod", "unfreeze prod"),
        *("promote v2 staging", "promote v2 prod", "rollback v1 prod", "reject v2", "release v4", "promote v4 dev"),
        "promote v4 staging",
    ]


def test_version_whose_tag_comes_with_its_promotion_passes_the_hook(empty_world: World) -> None:
    world = empty_world
    world.bare.git("update-ref", "-d", "refs/tags/v3")
    world.bare.git("update-ref", "-d", "refs/heads/kit/journal")
    for clone in (world.ada, world.bob):
        clone.git("update-ref", "-d", "refs/kit/journal-seen")
    world.ada.kit("promote", "v3", "staging")
    assert world.bare.out("rev-parse", "v3") == world.ada.out("rev-parse", "v3")


@pytest.mark.parametrize(
    ("hook", "option"), [("update", "--atomic"), ("update", "--force"), ("pre-receive", "--force")]
)
@pytest.mark.soak
def test_push_made_by_hand_of_a_move_that_keeps_the_rules_lands(world: World, hook: str, option: str) -> None:
    """Also where its refs move one by one."""
    world.use(hook)
    event = promotion(world, "v2", "staging", before="v1")
    push_move(world, event, option, code=0)
    assert world.last()[1].subject() == "promote v2 staging"
    assert world.ada.kit("env", "show", "staging", "--json").stdout.count('"v2"') > 0
    world.bob.kit("promote", "v2", "prod")


@pytest.mark.soak
def test_journal_and_environments_of_a_server_that_has_none_are_brought_whole(world: World) -> None:
    world.ada.kit("promote", "v1", "prod")
    world.ada.git("fetch", "--quiet")
    new = init(world.folder / "new.git", world.bare.environ, "--bare", "--initial-branch=dev")
    new.kit("install")
    names = ("dev", "kit/journal", "staging", "prod")
    specs = [f"refs/remotes/origin/{name}:refs/heads/{name}" for name in names]
    world.ada.git("push", "--no-verify", "--atomic", str(new.path), "dev", *VERSIONS)
    world.ada.git("push", "--no-verify", "--atomic", str(new.path), *specs[1:])
    assert new.out("rev-parse", "prod") == world.tip("prod")


@pytest.mark.soak
def test_writers_at_the_same_time_all_land(world: World) -> None:
    world.use("update")
    writers = []
    for number, version in enumerate(VERSIONS):
        clone = Repo(world.folder / f"writer{number}", world.ada.environ)
        shutil.copytree(world.ada.path, clone.path, symlinks=True)
        writers.append(clone.start("git", "kit", "reject", version, "--reason", f"by {number}"))
    ends = [(writer.communicate(), writer.returncode) for writer in writers]
    assert [code for _, code in ends] == [0] * len(VERSIONS), ends
    subjects = world.bare.out("log", f"-{len(VERSIONS)}", "--format=%s", "kit/journal").splitlines()
    assert sorted(subjects) == [f"reject {version}" for version in VERSIONS]


# -- the journal -----------------------------------------------------------------------------------------------------


def _edited(world: World, event: Event) -> str:
    text = event.chained(world.last()[1]).text()
    return write_event(world, event, text=text.replace("Ada Tester", "Ada Rester"))


def _with_files(world: World, event: Event) -> str:
    return write_event(world, event, tree=world.ada.out("rev-parse", "v1^{tree}"))


def _merged(world: World, event: Event) -> str:
    return write_event(world, event, parents=[world.last()[0], world.ada.out("rev-parse", "v1^{commit}")])


def _signed_for_another(world: World, event: Event) -> str:
    return write_event(world, event, actor=Actor("Bob Tester", "bob@example.com"))


def _at_another_time(world: World, event: Event) -> str:
    return write_event(world, event, seconds=event.seconds - 5)


def _out_of_row(world: World, event: Event) -> str:
    return write_event(world, event, text=replace(event, sequence=99, previous=world.last()[1].id).text())


def _before_its_predecessor(world: World, event: Event) -> str:
    return write_event(world, replace(event, time=world.last()[1].time - 1_000_000))


def _in_the_future(world: World, event: Event) -> str:
    return write_event(world, replace(event, time=event.time + 3_600_000_000))


def _no_event(world: World, event: Event) -> str:
    return write_event(world, event, text="hello\n")


def _of_wrong_types(world: World, event: Event) -> str:
    """A number for a reason; the event's id is that of its content."""
    chained = replace(event, reason="5").chained(world.last()[1])
    body = chained.body().replace('"reason":"5"', '"reason":5')
    id_ = hashlib.sha256(body.encode()).hexdigest()[:32]
    return write_event(world, event, text=chained.text().replace(chained.body(), body).replace(chained.id, id_))


def _about_a_strange_environment(world: World, event: Event) -> str:
    return write_event(world, replace(event, environment="qa", kind="hold"))


def _another_release(world: World, event: Event) -> str:
    point = world.point("v2")._replace(digest=f"sha256:{'0' * 64}")
    return write_event(world, replace(event, kind="release", after=point))


@pytest.mark.parametrize(
    ("forge", "text"),
    [
        (_edited, "was edited"),
        (_with_files, "has files"),
        (_merged, "has two parents"),
        (_signed_for_another, "is by Bob Tester <bob@example.com>, its event by Ada Tester"),
        (_at_another_time, "at another time"),
        (_out_of_row, "does not follow the event before"),
        (_before_its_predecessor, "before the event that it follows"),
        (_in_the_future, "clock has not reached"),
        (_no_event, "not an event"),
        (_of_wrong_types, "wrong type"),
        (_about_a_strange_environment, 'no environment is called "qa"'),
        (_another_release, "v2 was released as sha256:"),
    ],
)
def test_journal_with_a_bad_event_is_refused(world: World, forge: Callable[[World, Event], str], text: str) -> None:
    event = Event(kind="freeze", time=time.time_ns() // 1000, actor=ADA, environment="prod")
    before = refs_of(world)
    entry = forge(world, event)
    assert_refused(world, push(world, f"{entry}:refs/heads/kit/journal"), text, before=before)


@pytest.mark.soak
def test_journal_with_an_event_of_an_hour_ago_is_refused(world: World) -> None:
    # The journal's last event must be older than what is back-dated: a journal of that age, brought as a whole.
    old = time.time_ns() // 1000 - 7_200_000_000
    world.bare.git("update-ref", "-d", "refs/heads/kit/journal")
    empty = world.ada.git("hash-object", "-w", "-t", "tree", "--stdin").stdout.strip()
    first = Event(kind="freeze", time=old, actor=ADA).chained(None)
    start = write_commit(world.ada, first.text(), tree=empty, parents=[], actor=ADA, seconds=first.seconds)
    push(world, f"{start}:refs/heads/kit/journal", code=0)
    before = refs_of(world)
    entry = write_event(world, Event(kind="unfreeze", time=old + 3_600_000_000, actor=ADA))
    done = push(world, f"{entry}:refs/heads/kit/journal")
    assert_refused(world, done, f"is of {show_time(old + 3_600_000_000)}, which is back-dated", before=before)


@pytest.mark.soak
def test_journal_is_neither_deleted_nor_cut_nor_written_anew(world: World) -> None:
    before = refs_of(world)
    world.ada.git("fetch", "--quiet")
    cut = world.ada.out("rev-parse", "origin/kit/journal~1")
    empty = world.ada.git("hash-object", "-w", "-t", "tree", "--stdin").stdout.strip()
    event = Event(kind="freeze", time=time.time_ns() // 1000, actor=ADA).chained(None)
    anew = write_commit(world.ada, event.text(), tree=empty, parents=[], actor=ADA, seconds=event.seconds)
    for spec, text in (
        (":refs/heads/kit/journal", "is not deleted"),
        (f"+{cut}:refs/heads/kit/journal", "goes back (non-fast-forward)"),
        (f"+{anew}:refs/heads/kit/journal", "(non-fast-forward)"),
    ):
        assert_refused(world, push(world, spec), text, before=before)


@pytest.mark.soak
def test_journal_is_guarded_where_head_names_no_environment_any_more(world: World) -> None:
    world.ada.commit("no rules", {".gitkit.toml": ""})
    world.ada.git("push", "--quiet", "origin", "dev")
    before = refs_of(world)
    assert_refused(world, push(world, ":refs/heads/kit/journal"), "is not deleted", before=before)
    assert_refused(world, push(world, ":refs/heads/staging"), "is not deleted", before=before)


# -- signatures ------------------------------------------------------------------------------------------------------


def key_of(repo: Repo, name: str) -> str:
    """A new ssh key that ``repo`` signs with; returns what the file of allowed signers says of it."""
    path = repo.path.parent / f"key-{name}"
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    for key, value in (("gpg.format", "ssh"), ("user.signingKey", str(path)), ("commit.gpgSign", "true")):
        repo.git("config", key, value)
    return path.with_suffix(".pub").read_text().strip()


def test_unsigned_and_foreign_events_are_refused_where_the_policy_asks_for_signatures(empty_world: World) -> None:
    world = empty_world
    signers = f"ada@example.com {key_of(world.ada, 'ada')}\n"
    world.ada.write(".gitkit/allowed_signers", signers)
    world.configure(CONFIG + "[journal]\nsigned = true\n")
    before = refs_of(world)
    done = push_move(world, promotion(world, "v1", "staging"))
    assert_refused(world, done, "is not signed by Ada Tester <ada@example.com>: unsigned", before=before)
    key_of(world.bob, "bob")
    done = world.bob.kit("promote", "v1", "staging", code=12)
    assert_refused(world, done, "is not signed by Bob Tester <bob@example.com>: unknown", before=before)
    world.ada.kit("promote", "v1", "staging")
    # Whoever may sign, may sign as nobody else.
    event = Event(kind="freeze", time=time.time_ns() // 1000, actor=Actor("Bob Tester", "bob@example.com"))
    entry = write_signed(world, event)
    before = refs_of(world)
    done = push(world, f"{entry}:refs/heads/kit/journal")
    assert_refused(world, done, "is not signed by Bob Tester <bob@example.com>: good, by ada@", before=before)
    world.ada.kit("freeze", "--all")


def write_signed(world: World, event: Event) -> str:
    """As ``write_event``, signed with ada's key."""
    unsigned = write_event(world, event)
    raw = world.ada.git("cat-file", "commit", unsigned).stdout
    head, _, message = raw.partition("\n\n")
    tree, parent = (line.split(" ")[1] for line in head.split("\n")[:2])
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (
            ("NAME", event.actor.name),
            ("EMAIL", event.actor.email),
            ("DATE", f"@{event.seconds} +0000"),
        )
    }
    return world.ada.git("commit-tree", "-S", tree, "-p", parent, stdin=message.encode(), extra=who).stdout.strip()


# -- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", HOOKS)
def test_promotion_past_a_hold_by_a_client_that_knows_none_is_refused(world: World, hook: str) -> None:
    world.use(hook)
    world.bob.kit("hold", "staging", "--reason", "demo today")
    before = refs_of(world)
    done = push_move(world, promotion(world, "v2", "staging", before="v1"))
    assert_refused(world, done, "staging does not take v2: hold: held by Bob Tester: demo today", before=before)


def test_promotion_that_breaks_a_rule_is_refused(world: World) -> None:
    world.bob.kit("reject", "v3")
    world.bob.kit("freeze", "prod")
    before = refs_of(world)
    for version, environment, previous, text in (
        ("v2", "prod", None, "from: v2 did not run in staging freeze: frozen by Bob Tester"),
        ("v1", "prod", None, "freeze: frozen by Bob Tester"),
        ("v3", "staging", "v1", "reject: v3 was rejected by Bob Tester"),
    ):
        done = push_move(world, promotion(world, version, environment, before=previous))
        assert_refused(world, done, text, before=before)


@pytest.mark.soak
def test_promotion_without_the_approvals_the_soak_the_gates_and_the_window_is_refused(empty_world: World) -> None:
    world = empty_world
    rules = (
        'soak = "1h"\ngates = ["signature", "format"]\nwindows = [{ deny = "2020-01-01/2099-12-31" }]\n'
        'override = ["ada@example.com"]\n[environments.prod.approvals]\nmin = 2\n'
    )
    world.configure(CONFIG + rules)
    world.ada.kit("promote", "v1", "staging")
    before = refs_of(world)
    gates = ({"gate": "signature", "outcome": "passed", "reason": ""},)
    done = push_move(world, promotion(world, "v1", "prod", gates=gates))
    texts = (
        'windows: closed: deny "2020',
        "soak: ran",
        "approvals: 0 of 2",
        "format: the event records it as not eval",
    )
    assert_refused(world, done, *texts, before=before)
    waived = tuple(
        {"gate": name, "outcome": "waived", "reason": ""} for name in ("windows", "soak", "approvals", "format")
    )
    for fields in ({"actor": Actor("Bob Tester", "bob@example.com"), "reason": "now"}, {}):
        done = push_move(world, promotion(world, "v1", "prod", gates=(*gates, *waived), **fields))
        assert_refused(world, done, "approvals: 0 of 2", "format: the event records it as waived", before=before)
    push_move(world, promotion(world, "v1", "prod", gates=(*gates, *waived), reason="now"), code=0)


@pytest.mark.soak
def test_promotion_with_enough_approvals_lands_and_they_hold_for_their_policy(empty_world: World) -> None:
    world = empty_world
    world.configure(CONFIG + "approvals = 1\n")
    world.ada.kit("promote", "v1", "staging")
    world.bob.kit("approve", "v1", "prod")
    before = refs_of(world)
    lax = parse_config(CONFIG.encode()).policy_of("prod")
    done = push_move(world, promotion(world, "v1", "prod", policy=lax))
    assert_refused(world, done, "was decided by another policy", before=before)
    push_move(world, promotion(world, "v1", "prod"), code=0)


@pytest.mark.soak
def test_move_that_lies_about_what_it_found_is_refused(world: World) -> None:
    before = refs_of(world)
    stray = world.ada.out("rev-parse", "v3^{commit}")
    fake = world.point("v2")._replace(digest=f"sha256:{'0' * 64}")
    for fields, text in (
        ({"tip": stray, "before": None}, "found staging at"),
        ({"tip": None, "before": None}, "found staging at nothing"),
        ({"before": None}, "says that nothing ran before"),
        ({"after": fake}, "v2 was released as"),
        ({"after": world.point("v2")._replace(version="v1")}, "v1 was released as"),
        ({"after": None}, "does not say where to"),
    ):
        event = promotion(world, "v2", "staging", before="v1")
        entry = write_event(world, replace(event, **fields))  # type: ignore[arg-type]
        assert_refused(world, push(world, f"{entry}:refs/heads/kit/journal"), text, before=before)


@pytest.mark.soak
def test_rollback_to_what_never_ran_or_was_rejected_is_refused(world: World) -> None:
    world.ada.kit("promote", "v2", "staging")
    before = refs_of(world)
    event = promotion(world, "v3", "staging", before="v2", kind="rollback")
    assert_refused(world, push_move(world, event), "v3 never ran in staging", before=before)
    world.bob.kit("reject", "v1")
    before = refs_of(world)
    event = promotion(world, "v1", "staging", before="v2", kind="rollback")
    assert_refused(world, push_move(world, event), "v1 was rejected", before=before)


# -- branches of environments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", HOOKS)
def test_branch_that_only_git_kit_writes_takes_nothing_made_by_hand(world: World, hook: str) -> None:
    world.use(hook)
    before = refs_of(world)
    world.ada.git("fetch", "--quiet")
    ada = world.ada
    by_hand = ada.git("commit-tree", "v2^{tree}", "-p", "origin/staging", "-m", "quick fix").stdout.strip()
    for spec, text in (
        (":refs/heads/staging", "is not deleted"),
        (f"{by_hand}:refs/heads/staging", "only git kit writes this branch, and"),
        ("+v2:refs/heads/staging", "(non-fast-forward)"),
        ("v1:refs/heads/prod", "only git kit writes this branch, and"),
    ):
        assert_refused(world, push(world, spec), text, before=before)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"tree": "v3^{tree}"}, "are not those of v2"),
        ({"trailers": {"Version": "v3"}}, "says Kit-Version: v3, its event v2"),
        ({"trailers": {"Digest": "sha256:0"}}, "says Kit-Digest: sha256:0"),
        ({"trailers": {"Event": "rollback"}}, "says Kit-Event: rollback, its event promote"),
        ({"actor": Actor("Mallory", "m@example.com")}, "another author or time"),
        ({"seconds": 1767225600}, "another author or time"),
    ],
)
@pytest.mark.soak
def test_commit_that_is_not_what_its_event_says_is_refused(world: World, changes: dict[str, Any], text: str) -> None:
    before = refs_of(world)
    done = push_move(world, promotion(world, "v2", "staging", before="v1"), **changes)
    assert_refused(world, done, text, before=before)


@pytest.mark.soak
def test_commit_with_other_parents_is_refused(world: World) -> None:
    before = refs_of(world)
    event = promotion(world, "v2", "staging", before="v1")
    for parents in ([event.tip], [event.tip, world.ada.out("rev-parse", "v3^{commit}")]):
        done = push_move(world, event, parents=parents)
        assert_refused(world, done, "the parents of", before=before)


@pytest.mark.soak
def test_commit_that_names_an_earlier_event_again_is_refused(world: World) -> None:
    world.ada.kit("promote", "v2", "staging")
    world.ada.kit("rollback", "staging")
    world.ada.git("fetch", "--quiet")
    before = refs_of(world)
    entry = world.bare.out("rev-parse", "kit/journal~1")
    old = parse_event(world.bare.out("log", "-1", "--format=%B", entry))
    assert old.subject() == "promote v2 staging"
    commit = write_move(world, old, entry, parents=[str(world.tip("staging")), old.after.commit])  # type: ignore[union-attr]
    assert_refused(world, push(world, f"{commit}:refs/heads/staging"), "the parents of", before=before)


@pytest.mark.parametrize("hook", HOOKS)
def test_branch_without_its_event_is_refused(world: World, hook: str) -> None:
    world.use(hook)
    before = refs_of(world)
    event = promotion(world, "v2", "staging", before="v1")
    commit = write_move(world, event, write_event(world, event))
    done = push(world, f"{commit}:refs/heads/staging")
    assert_refused(world, done, "its event", "git push --atomic", before=before)


@pytest.mark.parametrize("options", [(), ("--atomic",)], ids=["one by one", "atomic"])
@pytest.mark.soak
def test_journal_that_is_refused_takes_its_branch_with_it(world: World, options: tuple[str, ...]) -> None:
    world.use("update")
    before = refs_of(world)
    event = promotion(world, "v2", "staging", before="v1")
    entry = write_event(world, event, tree=world.ada.out("rev-parse", "v1^{tree}"))
    commit = write_move(world, event, entry)
    done = push(world, *options, f"{commit}:refs/heads/staging", f"{entry}:refs/heads/kit/journal")
    assert_refused(world, done, "refuses refs/heads/kit/journal", before=before)


@pytest.mark.soak
def test_branch_whose_event_came_another_way_is_refused_by_pre_receive(world: World) -> None:
    world.use("pre-receive")
    event = promotion(world, "v2", "staging", before="v1")
    entry = write_event(world, event)
    commit = write_move(world, event, entry)
    push(world, f"{entry}:refs/heads/parked", code=0)
    before = refs_of(world)
    assert_refused(world, push(world, f"{commit}:refs/heads/staging"), "its event is missing", before=before)
    done = push(world, f"{entry}:refs/heads/kit/journal")
    assert_refused(world, done, "this push does not move staging", before=before)


@pytest.mark.soak
def test_branch_that_landed_without_the_journal_stops_the_next_move_until_the_journal_follows(world: World) -> None:
    """The limit of a hook that sees one ref at a time."""
    world.use("update")
    event = promotion(world, "v2", "staging", before="v1")
    entry = write_event(world, event)
    commit = write_move(world, event, entry)
    push(world, f"{entry}:refs/heads/parked", code=0)
    push(world, f"{commit}:refs/heads/staging", code=0)
    before = refs_of(world)
    done = push_move(world, promotion(world, "v3", "staging", before="v2"))
    assert_refused(world, done, "whose event", "the journal does not hold", before=before)
    push(world, f"{entry}:refs/heads/kit/journal", code=0)
    push_move(world, promotion(world, "v3", "staging", before="v2"), code=0)


@pytest.mark.soak
def test_version_that_ran_too_short_in_its_source_is_refused(empty_world: World) -> None:
    """Nor do the dates of commits help, which anybody may choose."""
    world = empty_world
    world.configure(CONFIG + 'soak = "5m"\n')
    world.ada.kit("promote", "v1", "staging")
    before = refs_of(world)
    done = push_move(world, promotion(world, "v1", "prod"))
    assert_refused(world, done, "soak: ran", before=before)
    later = time.time_ns() // 1000 + 330_000_000  # within what a clock may be wrong
    push_move(world, promotion(world, "v1", "prod", time=later), code=0)


@pytest.mark.soak
def test_promotion_that_landed_without_its_branch_does_not_pass_a_later_hold(world: World) -> None:
    event = promotion(world, "v2", "staging", before="v1")
    entry = write_event(world, event)
    commit = write_move(world, event, entry)
    push(world, f"{entry}:refs/heads/kit/journal", code=0)
    world.bob.kit("hold", "staging")
    before = refs_of(world)
    done = push(world, f"{commit}:refs/heads/staging")
    assert_refused(world, done, "promote v2 staging is held since it was recorded", before=before)


def test_followed_branch_refuses_only_deletion_and_rewriting(world: World) -> None:
    ada = world.ada
    ada.commit("work", {"notes.txt": "1"})
    push(world, "dev", code=0)
    before = refs_of(world)
    world.bare.git("config", "receive.denyDeleteCurrent", "ignore")  # git's own refusal comes first otherwise
    assert_refused(world, push(world, ":refs/heads/dev"), "is not deleted", before=before)
    assert_refused(world, push(world, "+v1:refs/heads/dev"), "(non-fast-forward)", before=before)


# -- tags of releases ------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_tag_of_a_released_version_neither_moves_nor_goes_away(world: World) -> None:
    before = refs_of(world)
    for spec in (":refs/tags/v1", "+v2:refs/tags/v1"):
        assert_refused(world, push(world, spec), "v1 was released by Ada Tester", before=before)
    world.bare.git("update-ref", "-d", "refs/tags/v2")
    assert_refused(world, push(world, "v3:refs/tags/v2"), "v2 was released", before=refs_of(world))
    push(world, "v2:refs/tags/v2", code=0)


@pytest.mark.soak
def test_other_tags_and_branches_move_as_they_like(world: World) -> None:
    push(world, "v1:refs/tags/v9", "v1:refs/heads/topic", "v1:refs/notes/x", code=0)
    push(world, "+v2:refs/tags/v9", "+v3:refs/heads/topic", code=0)
    push(world, ":refs/tags/v9", ":refs/heads/topic", code=0)


# -- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_repository_without_environments_takes_everything(repo: Repo, bare: Repo) -> None:
    bare.kit("install")
    repo.git("remote", "add", "origin", str(bare.path))
    repo.commit("one", {"a.txt": "1"})
    for names in (("main", "kit/journal", "prod"), ("v1",)):
        for name in names:
            prefix = "tags" if name == "v1" else "heads"
            repo.git("push", "origin", f"HEAD:refs/{prefix}/{name}")
    repo.git("commit", "--amend", "--message", "two")
    repo.git("push", "origin", "+HEAD:main", "+HEAD:kit/journal", "+HEAD:refs/tags/v1", ":prod")
    assert bare.out("rev-parse", "kit/journal") == repo.out("rev-parse", "HEAD")


@pytest.mark.parametrize("text", ["[environments.dev\n", CONFIG + "sock = 3\n"], ids=["toml", "key"])
@pytest.mark.soak
def test_broken_configuration_of_head_stops_environments_and_journal_alone(world: World, text: str) -> None:
    world.ada.commit("broken", {".gitkit.toml": text})
    push(world, "dev", code=0)
    before = refs_of(world)
    event = promotion(world, "v2", "staging", before="v1", policy="sha256:0")
    done = push_move(world, event)
    assert_refused(world, done, "refuses refs/heads/kit/journal", "HEAD:.gitkit.toml", before=before)
    push(world, "dev:refs/heads/topic", "dev:refs/tags/v8", code=0)
    world.ada.commit("mended", {".gitkit.toml": CONFIG})
    push(world, "dev", code=0)
    world.ada.kit("promote", "v2", "staging")


@pytest.mark.soak
def test_new_branch_is_an_environment_where_head_or_what_comes_says_so(world: World) -> None:
    text = CONFIG + '[environments.qa]\nbranch = "env/qa"\nfrom = ["dev"]\n'
    world.ada.git("switch", "--quiet", "--create", "topic")
    world.ada.commit("qa", {".gitkit.toml": text})
    push(world, "topic", code=0)
    before = refs_of(world)
    assert_refused(world, push(world, "topic:refs/heads/env/qa"), "qa: only git kit writes", before=before)


# -- installing ------------------------------------------------------------------------------------------------------


def test_install_in_a_bare_repository_runs_the_hook_beside_what_is_there(world: World) -> None:
    path = world.bare.path / "hooks" / "update"
    path.unlink()
    done = world.bare.kit("doctor", code=None)
    assert "missing: update" in done.stdout
    path.write_text('#!/bin/sh\necho "theirs: $1" >&2\n')
    path.chmod(0o755)
    assert "update" in world.bare.kit("install").stderr
    before = refs_of(world)
    done = push(world, ":refs/heads/staging")
    assert_refused(world, done, "is not deleted", before=before)
    assert "theirs: refs/heads/topic" in push(world, "v1:refs/heads/topic", code=0).stderr
    assert "missing" not in world.bare.kit("doctor", code=None).stdout


@pytest.mark.soak
def test_hook_without_git_kit_on_the_path_refuses_and_says_so(world: World) -> None:
    path = world.folder / "bin"
    path.mkdir()
    for name in ("git", "sh", "git-receive-pack", "git-upload-pack"):
        found = shutil.which(name)
        if found is not None:
            (path / name).symlink_to(found)
    done = world.ada.git("push", "--no-verify", "origin", "v1:refs/heads/topic", code=1, extra={"PATH": str(path)})
    assert "git-kit is not on the PATH of this server" in done.stderr
