"""What must not let a version in: forged commits, branches set back, wrong clocks, old policies, other names."""

import pytest

from gitkit.errors import Conflict, Corrupt, Denied, GateRefused, InvalidFile
from tests.lib.lifecycle_world import CONFIG, World, model
from tests.lib.repos import Repo

JOURNAL = "refs/heads/kit/journal"


def forged(repo: Repo, environment: str, version: str, digest: str, *parents: str, date: str = "2026-01-02") -> str:
    """A commit with the trailers and the files of a promotion that never was."""
    trailers = f"Kit-Env: {environment}\nKit-Version: {version}\nKit-Digest: {digest}\nKit-Event: promote\n"
    args = [word for parent in parents for word in ("-p", parent)]
    dated = {"GIT_COMMITTER_DATE": f"{date}T00:00:00Z", "GIT_AUTHOR_DATE": f"{date}T00:00:00Z"}
    tree = repo.out("rev-parse", f"{version}^{{tree}}")
    done = repo.git(
        "commit-tree", tree, *args, stdin=f"{environment}: promote {version}\n\n{trailers}".encode(), extra=dated
    )
    return done.stdout.strip()


def rules(world: World, prod: str, more: str = "") -> None:
    text = CONFIG.replace('from = ["staging"]\n', f'from = ["staging"]\n{prod}\n') + more
    world.author.commit("rules", {".gitkit.toml": text})
    world.author.git("push", "--quiet", "origin", "dev")


def versions(world: World, *names: str, config: str | None = None) -> None:
    """Commit, tag, push and release further versions on dev."""
    author = world.author
    for name in names:
        files: dict[str, bytes | str] = {"model.bin": model(name)}
        author.commit(name, files | ({".gitkit.toml": config} if config is not None else {}))
        author.git("tag", name)
        author.git("push", "--quiet", "origin", "dev", name)
        author.kit("release", name)


@pytest.mark.parametrize("named", [True, False])
def test_forged_commit_on_a_source_lets_nothing_in(world: World, named: bool) -> None:
    author = world.author
    author.kit("promote", "v1", "staging")
    tip = str(world.tip("staging"))
    fake = forged(author, "staging", "v2", world.digest_of("v2"), tip, world.commit_of("v2"))
    if named:  # the event of v1, for v2
        text = author.out("log", "-1", "--format=%B", fake) + f"\nKit-Journal: {world.tip('kit/journal')}\n"
        tree = author.out("rev-parse", f"{fake}^{{tree}}")
        parents = ["-p", tip, "-p", world.commit_of("v2")]
        fake = author.git("commit-tree", tree, *parents, stdin=text.encode()).stdout.strip()
    author.git("push", "--quiet", "origin", f"{fake}:refs/heads/staging")
    refused = author.kit("promote", "v2", "prod", code=GateRefused.exit_code)
    assert "from: v2 did not run in staging" in refused.stderr
    assert "moved staging by hand" in author.kit("promote", "v3", "staging", code=Conflict.exit_code).stderr


def test_forged_first_commit_of_an_environment_lets_nothing_in(world: World) -> None:
    fake = forged(world.author, "staging", "v2", world.digest_of("v2"), world.commit_of("v2"))
    world.author.git("push", "--quiet", "origin", f"{fake}:refs/heads/staging")
    refused = world.author.kit("promote", "v2", "prod", code=GateRefused.exit_code)
    assert "from: v2 did not run in staging" in refused.stderr


def test_forged_trailers_on_a_branch_of_people_make_no_soak_time(world: World) -> None:
    author = world.author
    versions(world, "v4", config=CONFIG.replace('from = ["dev"]\n', 'from = ["dev"]\nsoak = "24h"\n'))
    fake = forged(author, "dev", "v4", world.digest_of("v4"), "dev", world.commit_of("v4"))
    author.git("push", "--quiet", "origin", f"{fake}:refs/heads/dev")
    assert "soak: ran" in author.kit("promote", "v4", "staging", code=GateRefused.exit_code).stderr


@pytest.mark.parametrize("gone", [True, False])
def test_branch_that_was_set_back_is_told_and_put_back_by_the_next_sync(world: World, gone: bool) -> None:
    author = world.author
    author.kit("promote", "v1", "staging")
    author.kit("promote", "v2", "staging")
    tip = world.tip("staging")
    if gone:
        world.bare.git("update-ref", "-d", "refs/heads/staging")
    else:
        world.bare.git("update-ref", "refs/heads/staging", f"{tip}~1")
    for command in (("promote", "v3", "staging"), ("rollback", "staging")):
        refused = author.kit(*command, code=Conflict.exit_code)
        assert "it lacks the promote v2 staging of Ada Tester" in refused.stderr
        assert "git kit env sync staging" in refused.stderr
    told = author.kit("env", "sync", "staging")
    assert "put back to where the journal has it: promote v2 staging" in told.stderr
    assert world.tip("staging") == tip
    author.kit("promote", "v3", "staging")


def test_environment_that_a_worktree_gives_another_branch_does_not_move(world: World) -> None:
    author = world.author
    author.kit("promote", "v1", "staging")
    author.write(".gitkit.toml", CONFIG.replace('branch = "staging"', 'branch = "staging2"'))
    refused = author.kit("promote", "v2", "staging", code=Conflict.exit_code)
    assert "it lacks the promote v1 staging" in refused.stderr
    assert (world.tip("staging2"), world.registry.resolve("staging")) == (None, world.digest_of("v1"))


def test_rollback_does_not_bring_an_old_policy_back(world: World) -> None:
    strict = CONFIG.replace('from = ["staging"]\n', 'from = ["staging"]\napprovals = 2\n')
    author = world.author
    versions(world, "v4", config=strict)
    versions(world, "v5", config=CONFIG)
    for version in ("v1", "v2", "v4"):
        author.kit("promote", version, "staging")
    author.kit("promote", "v1", "prod")
    author.kit("promote", "v4", "prod")
    assert "approvals: 0 of 2" in author.kit("promote", "v2", "prod", code=GateRefused.exit_code).stderr
    author.kit("rollback", "prod")
    author.kit("resume", "prod")
    assert "approvals: 0 of 2" in author.kit("promote", "v2", "prod", code=GateRefused.exit_code).stderr


def test_journal_that_is_not_whole_here_stops_a_promotion(world: World) -> None:
    world.author.kit("hold", "staging")
    world.author.kit("hold", "prod")
    shallow = world.folder / "shallow"
    world.bare.git("clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{world.bare.path}", str(shallow))
    repo = Repo(shallow, world.author.environ)
    repo.git("checkout", "--quiet", "dev")
    repo.git("fetch", "--quiet", "--tags")
    refused = repo.kit("promote", "v3", "staging", code=Corrupt.exit_code)
    assert "it is not whole" in refused.stderr and "git fetch --unshallow" in refused.stderr
    repo.git("fetch", "--quiet", "--unshallow")
    assert "hold: held" in repo.kit("promote", "v3", "staging", code=GateRefused.exit_code).stderr


def test_journal_that_lacks_an_event_in_its_middle_is_refused_by_a_new_clone(world: World) -> None:
    world.author.kit("hold", "staging")
    world.author.kit("hold", "prod")
    kept = world.bare.out("log", "-1", "--format=%B", JOURNAL)
    tree = world.bare.out("rev-parse", f"{JOURNAL}^{{tree}}")
    anew = world.bare.git("commit-tree", tree, "-p", f"{JOURNAL}~2", stdin=f"{kept}\n".encode()).stdout.strip()
    world.bare.git("update-ref", JOURNAL, anew)
    fresh = world.clone("fresh", "Bo")
    refused = fresh.kit("promote", "v1", "staging", code=Corrupt.exit_code)
    assert "does not follow the one before it" in refused.stderr


def test_event_of_the_future_is_not_written_and_gives_no_soak_time(world: World) -> None:
    future = {"GIT_COMMITTER_DATE": "2099-01-01T00:00:00Z"}
    assert "in the future" in world.author.kit("hold", "dev", extra=future, code=InvalidFile.exit_code).stderr


def test_freeze_is_made_shorter_by_an_unfreeze_only(world: World) -> None:
    kit = world.author.kit
    day = {"GIT_COMMITTER_DATE": "2026-02-01T00:00:00Z"}
    kit("freeze", "staging", extra=day)
    told = kit("freeze", "staging", "--until", "2026-02-01T01:00", extra=day).stderr
    assert told.startswith("staging is frozen already, without an end\n")
    assert told.endswith("hint: to make it shorter: git kit unfreeze staging\n")
    assert "freeze: " in kit("promote", "v1", "staging", code=GateRefused.exit_code).stderr
    kit("unfreeze", "staging")
    kit("promote", "v1", "staging")


@pytest.mark.parametrize("same_commit", [True, False])
def test_rejected_version_does_not_come_back_under_another_name(world: World, same_commit: bool) -> None:
    author = world.author
    author.kit("reject", "v3", "--reason", "leaks")
    if not same_commit:
        author.git("commit", "--quiet", "--allow-empty", "--message", "the same again")
    author.git("tag", "v3.1")
    author.git("push", "--quiet", "origin", "dev", "v3.1")
    author.kit("release", "v3.1")
    refused = author.kit("promote", "v3.1", "staging", code=GateRefused.exit_code)
    assert "reject: v3.1 is what v3 was, which was rejected by Ada Tester: leaks" in refused.stderr
    assert "git kit reject v3.1 --undo" in refused.stderr
    author.kit("reject", "v3.1", "--undo")
    author.kit("promote", "v3.1", "staging")
    author.kit("promote", "v3", "staging")


def test_sync_does_not_bring_in_what_people_went_back_from(world: World) -> None:
    author = world.author
    versions(world, "v4", "v5", config=CONFIG.replace('from = ["staging"]\n', 'from = ["staging"]\nauto = "newest"\n'))
    for version in ("v4", "v5"):
        author.kit("promote", version, "staging")
    author.kit("rollback", "staging")
    author.kit("env", "sync", "prod")
    assert world.registry.resolve("prod") == world.digest_of("v4")
    author.kit("resume", "staging")
    author.kit("promote", "v5", "staging")  # somebody stands for it again
    author.kit("env", "sync", "prod")
    assert world.registry.resolve("prod") == world.digest_of("v5")
    author.kit("rollback", "prod")
    author.kit("resume", "prod")
    author.kit("env", "sync", "prod")
    assert world.registry.resolve("prod") == world.digest_of("v4")


def test_branch_name_in_the_way_of_the_journal_is_told_at_once(world: World) -> None:
    world.bare.git("update-ref", "-d", JOURNAL)
    world.bare.git("update-ref", "refs/heads/kit", "dev")
    fresh = world.clone("fresh", "Bo")
    refused = fresh.kit("hold", "staging", code=Denied.exit_code)
    assert "'refs/heads/kit' exists" in refused.stderr
