"""`git kit audit`: a sound journal with every kind of event, reading it, and exporting it."""

import csv
import html.parser
import io
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gitkit.core.journal import KINDS, MOVES, Actor, Event, Point
from tests.lib import journals
from tests.lib.journals import JOURNAL, audit, copied, forge
from tests.lib.lifecycle_world import CONFIG, World
from tests.lib.repos import Repo, clean_environ

Json = dict[str, Any]

CALCULATED = "=cmd|'/c calc'!A1"
HOSTILE = "\x1b]0;owned\x07<script>alert(1)</script>\u202e"
ADA = Actor("Ada Tester", "ADA@example.com")
RULES = """\
approvals = 1
override = ["ada@example.com"]
gates = ["eval", "reproducible"]
windows = [{allow = "* * * * *", duration = "1h"}]
[gates.eval]
metrics = "metrics.json"
rules = { accuracy = { min = 0.9, max_drop = 0.01 } }
"""
"""Rules of prod, the last table of the configuration."""


@pytest.fixture(scope="module")
def promoted_template(lifecycle_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world with rules for prod, and the versions v4 (passes), v5 (its metrics do not) and v6 in staging. v4 runs
    in prod, so that these rules are in force there; Ben has approved v5 as well. Ben's clone is beside.
    """
    folder = tmp_path_factory.mktemp("promoted")
    world = copied(lifecycle_template, folder, clean_environ(folder / "home"))
    for version, accuracy in (("v4", 0.95), ("v5", 0.5), ("v6", 0.96)):
        files = {".gitkit.toml": CONFIG + RULES, "metrics.json": json.dumps({"accuracy": accuracy})}
        world.author.commit(version, {**files, "model.bin": version.encode() * 2000})
        world.author.git("tag", "-a", "-m", version, version)
    world.author.git("push", "--quiet", "origin", "dev", "v4", "v5", "v6")
    for version in ("v4", "v5", "v6"):
        world.author.kit("release", version)
        world.author.kit("promote", version, "staging")
    ben(world).kit("approve", "v4", "prod", "--reason", "measured")
    world.author.kit("promote", "v4", "prod")
    Repo(world.folder / "ben", world.author.environ).kit("approve", "v5", "prod")
    return folder


@pytest.fixture
def promoted(promoted_template: Path, tmp_path: Path, environ: dict[str, str]) -> World:
    return copied(promoted_template, tmp_path, environ)


def verified(repo: Repo, *options: str, code: int = 0) -> Json:
    found: Json = json.loads(repo.kit("audit", "verify", "--json", *options, code=code).stdout)
    return found


def ben(world: World) -> Repo:
    clone = world.clone("ben", "Ben")
    clone.git("config", "user.email", "ben@example.com")
    return clone


# -- verify ------------------------------------------------------------------------------------------------------------


def test_verify_of_a_journal_with_every_kind_of_event_finds_nothing(promoted: World) -> None:
    author = promoted.author
    author.kit("promote", "v5", "prod", code=18)
    author.kit("promote", "v5", "prod", "--override", "eval", "--reason", "known regression")
    author.kit("rollback", "prod", "--reject", "--reason", "too bad")
    author.kit("resume", "prod")
    author.kit("hold", "staging")
    author.kit("freeze", "--all", "--until", "1h")
    author.kit("unfreeze", "--all")
    author.kit("reject", "v5", "--undo")
    author.kit("rollback", "dev", "--to", "v1")
    moved = journals.read(author, f"refs/remotes/origin/{JOURNAL}")[-1].event
    fields: Json = {"environment": "prod", "tip": promoted.tip("prod"), "details": {"result": "deployed"}}
    forge(author, Event(kind="deploy", time=moved.time, actor=moved.actor, **fields))
    assert {one.event.kind for one in journals.read(author, f"refs/remotes/origin/{JOURNAL}")} == set(KINDS)
    other = promoted.clone("fresh", "Fresh")
    for repo, options in ((author, ()), (other, ("--full",)), (other, ("--offline",))):
        found = verified(repo, *options)
        assert (found["findings"], found["unchecked"]) == ([], [])


def test_verify_before_there_is_a_journal_finds_nothing(kit_repo: Repo) -> None:
    kit_repo.commit("first", {".gitkit.toml": CONFIG})
    done = kit_repo.kit("audit", "verify")
    assert (done.stdout, done.stderr) == ("0 events, 0 environments: no findings\n", "")
    assert kit_repo.kit("audit", "log").stdout == ""


def test_verify_without_a_git_remote_takes_local_branches(world: World) -> None:
    world.author.kit("promote", "v1", "staging")
    author = world.author
    for branch in (JOURNAL, "staging"):
        author.git("branch", "--no-track", branch, f"origin/{branch}")
    author.git("config", "kit.url", f"oci-layout:{world.bare.path}/kit")
    author.git("remote", "remove", "origin")
    assert verified(author)["events"] == 4
    author.git("branch", "--force", "staging", "v2")
    assert {finding["kind"] for finding in verified(author, code=11)["findings"]} == {"branch"}


def test_verify_of_history_from_before_the_journal_makes_notes_of_it(world: World) -> None:
    for version in ("v1", "v2"):
        world.author.kit("promote", version, "staging")
    author = world.author
    _forget_the_journal(author)
    repo = world.clone("fresh", "Fresh")
    assert verified(repo)["events"] == 0
    author.git("update-ref", "-d", "refs/kit/journal-seen")
    author.kit("promote", "v2", "prod")
    author.kit("promote", "v3", "staging")
    found = verified(repo)
    assert found["findings"] == []
    assert any("older than the journal" in note for note in found["notes"])


def _forget_the_journal(author: Repo) -> None:
    """Make the branch staging look as git kit wrote it before it had a journal."""
    author.git("fetch", "--quiet")
    commits = author.out("rev-list", "--reverse", "--first-parent", "origin/staging", "^v1").split()
    parent = None
    for oid in commits:
        text = author.out("log", "-1", "--format=%B", oid)
        message = "\n".join(line for line in text.split("\n") if not line.startswith("Kit-Journal"))
        second = author.out("rev-parse", f"{oid}^2" if parent else f"{oid}^")
        parents = [word for one in (parent, second) if one for word in ("-p", one)]
        parent = author.out("commit-tree", f"{oid}^{{tree}}", *parents, "-m", message)
    journals.force(author, parent, "staging")
    journals.force(author, None)


def test_verify_from_a_shallow_clone_says_that_it_could_not_check_everything(world: World) -> None:
    world.author.kit("promote", "v1", "staging")
    folder = world.folder / "shallow"
    Repo(world.folder, world.author.environ).git(
        "clone", "--quiet", "--depth", "1", "--no-single-branch", f"file://{world.bare.path}", str(folder)
    )
    done = Repo(folder, world.author.environ).kit("audit", "verify", "--offline", code=19)
    assert "unchecked" in done.stdout
    assert "this clone is shallow" in done.stdout


def test_verify_when_the_git_remote_cannot_be_reached_is_a_network_error(world: World) -> None:
    world.bare.path.rename(world.folder / "away.git")
    done = world.author.kit("audit", "verify", code=14)
    assert done.stdout == ""
    assert "error: cannot reach the Git remote origin" in done.stderr
    assert world.author.kit("audit", "verify", "--offline").stdout == "3 events, 0 environments: no findings\n"


def test_verify_when_the_registry_cannot_be_asked_leaves_it_unchecked(world: World) -> None:
    world.author.kit("promote", "v1", "staging")
    world.author.git("config", "kit.url", "nonsense")
    done = world.author.kit("audit", "verify", code=19)
    assert "4 events, 1 environment: no findings, 1 unchecked\n" in done.stdout


def test_verify_shows_a_table_that_fits_80_columns_and_sums_up(world: World) -> None:
    world.author.kit("promote", "v1", "staging")
    tip = world.tip("staging")
    text = "a very long subject that goes on and on " * 4 + "\x1b[31m"
    made = world.author.out("commit-tree", f"{tip}^{{tree}}", "-p", str(tip), "-m", text)
    journals.force(world.author, made, "staging")
    world.bare.git("tag", "--delete", "v3")
    done = world.author.kit("audit", "verify", code=11)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["KIND", "EVENT", "ENVIRONMENT", "WHAT"]
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "4 events, 1 environment: 2 findings"
    assert "\x1b" not in done.stdout and "\\x1b[31m" in " ".join(done.stdout.split())
    hints = [line.partition(": git ")[2].split() for line in done.stderr.splitlines() if "to put it back" in line]
    assert [hint[:3] for hint in hints] == [["push", "--force-with-lease", "origin"], ["push", "--force", "origin"]]
    for hint in hints:
        world.author.git(*hint)
    assert "no findings" in world.author.kit("audit", "verify").stdout


# -- gates and approvals, decided again --------------------------------------------------------------------------------


def _promotion(world: World, version: str, **fields: Any) -> Event:
    """A promotion to prod by a client that claims that every rule was met."""
    raws = journals.read(world.bare, f"refs/heads/{JOURNAL}")
    last = next(one.event for one in reversed(raws) if one.event.environment == "prod" and one.event.policy)
    moves = [one.event for one in raws if one.event.environment == "prod" and one.event.kind in MOVES]
    ran = moves[-1].after
    tag = world.author.out("rev-parse", f"refs/tags/{version}")
    names = ("from", "windows", "approvals", "eval", "reproducible")
    tip = world.tip("prod")
    base: Json = {
        "kind": "promote",
        "time": raws[-1].event.time + 2_000_000,
        "actor": Actor("Ada Tester", "ada@example.com"),
        "environment": "prod",
        "before": ran._replace(tag=None) if ran else None,
        "after": Point(version, world.digest_of(version), world.commit_of(version), tag),
        "tip": tip,
        "policy": last.policy,
        "policy_commit": tip,
        "gates": tuple({"gate": name, "outcome": "passed", "reason": "so it says"} for name in names),
    }
    return Event(**{**base, **fields})


def _policy_findings(world: World, version: str) -> list[str]:
    world.registry.put_manifest(world.registry.get_manifest(version), tag="prod")
    found = audit(world.author).findings
    assert {finding.kind for finding in found} <= {"policy"}, found
    return [finding.text for finding in found]


def test_promotion_without_approval_is_found(promoted: World) -> None:
    forge(promoted.author, _promotion(promoted, "v6"))
    [text] = _policy_findings(promoted, "v6")
    assert text.startswith("approvals: 0 of 1")


def test_promotion_whose_metrics_do_not_meet_the_rules_is_found_whatever_was_recorded(promoted: World) -> None:
    forge(promoted.author, _promotion(promoted, "v5"))
    [text] = _policy_findings(promoted, "v5")
    assert text.startswith("eval was recorded as passed, and the commits give: ")


def test_promotion_that_lacks_a_gate_or_failed_one_is_found(promoted: World) -> None:
    event = _promotion(promoted, "v5")
    gates = tuple(
        {**gate, "outcome": "failed"} if gate["gate"] == "eval" else gate
        for gate in event.gates
        if gate["gate"] != "reproducible"
    )
    forge(promoted.author, replace(event, gates=gates))
    assert _policy_findings(promoted, "v5") == ["eval is failed", "reproducible is not recorded"]


@pytest.mark.parametrize(
    ("actor", "reason", "texts"),
    [
        (Actor("Ben", "ben@example.com"), "x", ["eval was waived by Ben <ben@example.com>, who may not"]),
        (ADA, None, ["eval was waived by Ada Tester <ADA@example.com> without a reason"]),
        (ADA, "known", []),
    ],
)
def test_waiver_counts_only_with_a_permitted_actor_and_a_reason(
    promoted: World, actor: Actor, reason: str | None, texts: list[str]
) -> None:
    event = _promotion(promoted, "v5", actor=actor, reason=reason)
    gates = tuple({**gate, "outcome": "waived"} if gate["gate"] == "eval" else gate for gate in event.gates)
    forge(promoted.author, replace(event, gates=gates))
    assert _policy_findings(promoted, "v5") == texts


# -- log ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def told(world: World) -> World:
    """A few events, some with reasons that are meant to do harm."""
    raws = journals.read(world.bare, f"refs/heads/{JOURNAL}")
    points = [one.event.after for one in raws]
    base: Json = {"environment": "staging", "gates": ({"gate": "from", "outcome": "passed", "reason": ""},)}
    ada, someone = raws[0].actor, Actor("Ben", "ben@example.com")
    first = Event(kind="promote", time=raws[-1].event.time, actor=ada, after=points[0], reason=CALCULATED, **base)
    second = replace(first, before=points[0], after=points[1], reason=None)
    held = replace(first, kind="hold", time=time.time_ns() // 1000, actor=someone, after=None, gates=(), reason=HOSTILE)
    chain = journals.rechained([*raws, *map(journals.raw, (first, second, held))])
    journals.force(world.author, journals.write(world.author, chain))
    world.author.git("fetch", "--quiet")
    return world


def _subjects(repo: Repo, *options: str) -> list[str]:
    found = json.loads(repo.kit("audit", "log", "--json", *options).stdout)
    return [" ".join(filter(None, (one["kind"], one.get("after", {}).get("version"), one.get("environment"))))
            for one in found]  # fmt: skip


def test_log_shows_the_newest_first_and_no_control_characters(told: World) -> None:
    done = told.author.kit("audit", "log")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["TIME", "KIND", "VERSION", "ENVIRONMENT", "ACTOR", "REASON"]
    assert [line.split()[1] for line in lines[1:]] == ["hold", "promote", "promote", "release", "release", "release"]
    assert "\\x1b]0;owned\\x07<script>alert(1)</script>\\u202e" in lines[1]
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("options", "subjects"),
    [
        (("staging",), ["hold staging", "promote v2 staging", "promote v1 staging"]),
        (("--kind", "promote"), ["promote v2 staging", "promote v1 staging"]),
        (("--version", "v1"), ["promote v2 staging", "promote v1 staging", "release v1"]),
        (("--actor", "ben@"), ["hold staging"]),
        (("-n", "1"), ["hold staging"]),
        (("--since", "2100-01-01"), []),
        (("--until", "2001-01-01"), []),
        (("--since", "1d", "--kind", "hold"), ["hold staging"]),
    ],
)
def test_log_with_options_shows_only_what_is_asked_for(
    told: World, options: tuple[str, ...], subjects: list[str]
) -> None:
    assert _subjects(told.author, *options) == subjects


def test_log_of_an_environment_that_never_was_is_refused_with_the_nearest(told: World) -> None:
    assert 'did you mean "staging"?' in told.author.kit("audit", "log", "stagng", code=16).stderr
    told.author.write(".gitkit.toml", "")
    assert len(told.author.kit("audit", "log", "staging").stdout.splitlines()) == 4


def test_log_of_a_day_has_all_of_it(told: World) -> None:
    day = json.loads(told.author.kit("audit", "log", "--json", "-n", "1").stdout)[0]["time"][:10]
    assert len(_subjects(told.author, "--since", day, "--until", day)) >= 1
    done = told.author.kit("audit", "log", "--since", "soon", code=2)
    assert '"soon" is not a time' in done.stderr


def test_log_of_a_damaged_journal_shows_the_rest_and_says_so(told: World) -> None:
    raws = journals.read(told.author, f"refs/remotes/origin/{JOURNAL}")
    raws[1] = raws[1]._replace(message="nothing")
    journals.force(told.author, journals.write(told.author, raws))
    told.author.git("fetch", "--quiet")
    done = told.author.kit("audit", "log", code=11)
    assert len(done.stdout.splitlines()) == 6
    assert "warning: 1 commit of the journal cannot be read" in done.stderr


# -- export ------------------------------------------------------------------------------------------------------------


def test_export_as_jsonl_has_one_event_a_line_oldest_first(told: World) -> None:
    lines = told.author.kit("audit", "export").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert [one["sequence"] for one in found] == [1, 2, 3, 4, 5, 6]
    assert found[-1]["commit"] == told.bare.out("rev-parse", JOURNAL)
    assert found[-1]["reason"].startswith("\x1b]0;owned")
    assert all(line.isascii() for line in lines)


def test_export_as_csv_is_harmless_to_a_spreadsheet_and_a_terminal(told: World) -> None:
    target = told.author.path / "out.csv"
    done = told.author.kit("audit", "export", "--format", "csv", "-o", "out.csv")
    assert (done.stdout, done.stderr) == ("", "wrote 6 events to out.csv\n")
    text = target.read_bytes().decode()
    assert text.count("\r\n") == 7
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert rows[3]["reason"] == "'=cmd|'/c calc'!A1"
    assert rows[5]["reason"].startswith("\\x1b]0;owned")
    assert (rows[4]["version"], rows[4]["before_version"], rows[4]["gates"]) == ("v2", "v1", "from passed")
    assert [list(row)[-1] for row in rows[:1]] == ["details"] and "url" in json.loads(rows[1]["details"])


class _Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href") or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_export_as_html_needs_nothing_else_and_escapes_what_people_said(told: World) -> None:
    text = told.author.kit("audit", "export", "--format", "html").stdout
    page = _Page()
    page.feed(text)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert page.links == []
    assert "\\x1b]0;owned\\x07<script>alert(1)</script>\\u202e" in page.texts
    assert {"staging", "held"} <= set(page.texts)
    assert page.tags.count("tr") == 1 + 1 + 1 + 6


def test_export_to_a_folder_that_is_not_there_says_so_and_leaves_nothing(told: World) -> None:
    done = told.author.kit("audit", "export", "-o", "no/where.jsonl", code=10)
    assert "error: there is no folder" in done.stderr
    assert told.author.kit("audit", "export", "--format", "csv", "-o", ".", code=1).stdout == ""
    assert not list(told.author.path.glob(".git-kit-*"))
