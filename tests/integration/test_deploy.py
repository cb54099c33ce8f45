"""`git kit deploy` with real git: layout, links, repair, health, what a kill leaves, and the agent."""

import hashlib
import json
import os
import re
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitkit.store.layout import ImageLayout
from tests.integration.faults.test_full_disk import fill, free
from tests.lib.deploys import (
    KITFILE,
    SAME,
    DeployWorld,
    changing,
    content,
    copy_world,
    files_in,
    make_world,
    model,
    move,
)
from tests.lib.registries import REPOSITORY, Fault, FaultRegistry
from tests.lib.repos import Ran, Repo, some_bytes

AT_ONCE = {"Retry-After": "0"}
FALSE = ("--health", "sh -c 'echo no good; exit 3'")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deploys")
    make_world(folder)
    return folder


@pytest.fixture
def world(template: Path, tmp_path: Path, environ: dict[str, str]) -> DeployWorld:
    """``prod`` runs v1, and nothing is deployed."""
    world = copy_world(template, tmp_path, environ)
    world.move("v1")
    return world


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def assert_runs(world: DeployWorld, version: str) -> None:
    assert files_in(world.current) == content(version)


def assert_refused(done: Ran, *texts: str) -> None:
    assert done.stdout == ""
    assert "error: " in done.stderr
    assert "\nhint: " in done.stderr
    for text in texts:
        assert text in done.stderr


# -- releases --------------------------------------------------------------------------------------------------------


def test_first_deploy_makes_a_read_only_release_with_its_record_and_a_relative_link(world: DeployWorld) -> None:
    done = world.deploy()
    name, release = world.name_of("v1"), world.live / "releases" / world.name_of("v1")
    assert done.stdout == f"{release}\n"
    assert re.search(rf"^prod: nothing -> v1 in {world.live} \(5 files copied; .*\) in \d\.\d s$", done.stderr, re.M)
    assert os.readlink(world.current) == f"releases/{name}"
    assert files_in(release) == content("v1")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in release.rglob("*") if path.is_file()}
    assert {name: mode for name, mode in modes.items() if name != "run.sh"} == dict.fromkeys(
        ("Kitfile", "model.bin", "same.bin", "version.txt", ".kit-release.json"), 0o444
    )
    assert modes["run.sh"] == 0o555
    record = json.loads((release / ".kit-release.json").read_text())
    assert (record["environment"], record["version"], record["digest"]) == ("prod", "v1", world.digest_of("v1"))
    assert record["commit"] == world.author.out("rev-parse", "v1^{commit}")
    assert record["event"] == world.bare.out("rev-parse", "prod")
    assert {file["path"]: file["sha256"] for file in record["files"]} == {
        path: hashlib.sha256(data).hexdigest() for path, data in content("v1").items()
    }


def test_deploy_again_changes_nothing(world: DeployWorld) -> None:
    world.deploy()
    before = {path: path.lstat().st_ctime_ns for path in world.live.rglob("*")}
    done = world.deploy()
    assert done.stderr == f"{world.live} runs v1 already\n"
    assert done.stdout == f"{world.live / 'releases' / world.name_of('v1')}\n"
    assert {path: path.lstat().st_ctime_ns for path in world.live.rglob("*")} == before


def test_deploy_of_the_next_version_links_what_is_equal(world: DeployWorld) -> None:
    world.deploy()
    old = world.current.resolve()
    world.move("v2")
    found = world.deployed()
    assert_runs(world, "v2")
    assert files_in(old) == content("v1")
    new = world.current.resolve()
    for path in ("deep/same.bin", "run.sh", "Kitfile"):
        assert (new / path).stat().st_ino == (old / path).stat().st_ino
        assert (new / path).stat().st_nlink == 2
    assert (new / "model.bin").stat().st_nlink == 1
    linked = len(SAME) + len(KITFILE) + len(content("v1")["run.sh"])
    assert (found["result"], found["previous"], found["release"]) == ("deployed", "v1", str(new))
    assert (found["linked"], found["copied"]) == ({"files": 3, "bytes": linked}, {"files": 2, "bytes": 30_003})
    assert (found["downloaded"]["files"], found["kept"]["files"]) == (0, 0)


def test_rollback_of_the_environment_uses_the_release_that_is_there(world: DeployWorld) -> None:
    world.deploy()
    release = world.current.resolve()
    inodes = {path: path.stat().st_ino for path in release.rglob("*")}
    world.move("v2")
    world.deploy()
    world.move("v1")
    (world.bare.path / "kit").rename(world.folder / "away")  # nothing may be asked for
    done = world.deploy()
    assert "prod: v2 -> v1" in done.stderr
    assert "it was there" in done.stderr
    assert world.current.resolve() == release
    assert {path: path.stat().st_ino for path in release.rglob("*")} == inodes
    assert len(world.releases()) == 2


def test_deploy_of_an_environment_that_git_kit_promoted_and_rolled_back_follows_it(
    template: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    world = copy_world(template, tmp_path, environ)
    for version in ("v1", "v2"):
        world.author.kit("promote", version, "prod")
        world.deploy()
        assert_runs(world, version)
    world.author.kit("rollback", "prod")
    assert "v2 -> v1" in world.deploy().stderr
    assert_runs(world, "v1")


def test_deploy_of_an_environment_without_from_takes_the_newest_release_of_its_branch(world: DeployWorld) -> None:
    world.deploy(environment="dev")
    assert_runs(world, "v3")


def test_deploy_of_an_environment_without_from_takes_the_digest_of_the_journal_whatever_the_registrys_tag_says(
    world: DeployWorld,
) -> None:
    wanted, other = world.digest_of("v3"), world.digest_of("v2")
    registry = ImageLayout(str(world.bare.path / "kit"))
    registry.put_manifest(registry.get_manifest(other), tag="v3")
    assert world.digest_of("v3") == other
    assert json.loads(world.deploy("--json", environment="dev").stdout)["digest"] == wanted
    assert_runs(world, "v3")


def test_deploy_of_a_version_that_no_journal_has_trusts_a_tag_only_where_the_kit_says_that_it_is_the_version(
    world: DeployWorld,
) -> None:
    world.bare.git("update-ref", "-d", "refs/heads/kit/journal")
    registry = ImageLayout(str(world.bare.path / "kit"))
    good = registry.get_manifest("v3")
    for annotation in ("org.opencontainers.image.version", "org.opencontainers.image.revision"):
        manifest = json.loads(good)
        del manifest["annotations"][annotation]
        registry.put_manifest(json.dumps(manifest).encode(), tag="v3")
        assert_refused(world.deploy(environment="dev", code=11), "the registry's tag v3 is all that says what the kit ")
        assert not world.current.exists()
    registry.put_manifest(good, tag="v3")
    world.deploy(environment="dev")
    assert_runs(world, "v3")


def test_deploy_ignores_a_move_that_no_event_vouches_for(world: DeployWorld) -> None:
    commit = world.bare.git(
        *("commit-tree", "v2^{tree}", "-p", "prod", "-p", "v2", "-m", "prod: promote v2"),
        *("-m", f"Kit-Env: prod\nKit-Version: v2\nKit-Digest: {world.digest_of('v2')}"),
    ).stdout.strip()
    world.bare.git("update-ref", "refs/heads/prod", commit)
    done = world.deploy()
    assert "warning: somebody committed to prod by hand: v1 is what git kit brought in last" in done.stderr
    assert_runs(world, "v1")


def test_deploy_of_a_version_whose_tag_was_moved_after_its_release_is_refused(world: DeployWorld) -> None:
    world.author.commit("v4", changing("v4"))
    world.author.git("tag", "--force", "v3")
    world.author.git("push", "--quiet", "--force", "origin", "dev", "v3")
    world.host.git("fetch", "--quiet", "--force", "--tags")
    assert_refused(world.deploy(environment="dev", code=11), "v3 was released from the commit ")


def test_old_releases_go_but_for_those_that_are_kept(world: DeployWorld) -> None:
    world.deploy("--keep", "2")
    for version in ("v2", "v3"):
        world.move(version)
        world.deploy("--keep", "2")
    assert world.releases() == sorted(world.name_of(version) for version in ("v2", "v3"))
    assert files_in(world.live / "releases" / world.name_of("v2")) == content("v2")


def test_leftovers_of_dead_processes_are_swept_and_foreign_files_are_not(world: DeployWorld) -> None:
    world.deploy()
    ours = (f".new-{'a' * 12}-123-0123abcd", ".old-123-0123abcd")
    for name in (*ours, ".old-backup", "mine"):
        (world.live / "releases" / name).mkdir()
        (world.live / "releases" / name / "file").write_text("x")
    (world.live / ".old-backup").write_text("mine")
    (world.live / ".kit-deploy.new-123-0123abcd").write_text("x")
    done = world.deploy()
    assert "repaired: deleted what an interrupted deploy had left" in done.stderr
    assert world.releases() == sorted([".old-backup", "mine", world.name_of("v1")])
    assert {path.name for path in world.live.iterdir()} == {
        *(".old-backup", ".lock", ".kit-deploy.json", "current", "releases")
    }


def test_kit_in_tar_layers_is_deployed_and_its_equal_files_are_linked(world: DeployWorld) -> None:
    author = world.author
    author.write(".gitkit.toml", f'[kit]\nformats = ["modelkit"]\n{CONFIG_ENVIRONMENTS}')
    for version in ("v4", "v5"):
        author.commit(version, changing(version))
        author.git("tag", version)
        author.git("push", "--quiet", "origin", "dev", version)
        author.kit("release", version)
        world.move(version)
        world.deploy()
        assert files_in(world.current) == {**content(version), "Kitfile": (world.current / "Kitfile").read_bytes()}
    assert (world.current / "deep" / "same.bin").stat().st_nlink == 2
    assert (world.current / "run.sh").stat().st_mode & 0o777 == 0o555
    assert world.deploy().stderr.endswith("runs v5 already\n")


CONFIG_ENVIRONMENTS = '[environments.dev]\nbranch = "dev"\n[environments.prod]\nbranch = "prod"\nfrom = ["dev"]\n'


# -- damage ----------------------------------------------------------------------------------------------------------


def damage(path: Path, data: bytes) -> None:
    """Write to a file of a release in place, as root can."""
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def test_damaged_files_are_repaired_in_a_new_release_and_never_linked(world: DeployWorld) -> None:
    world.deploy()
    old = world.current.resolve()
    damage(old / "model.bin", some_bytes(30_000, seed=5))
    (old / "run.sh").unlink()
    found = world.deployed()
    new = world.current.resolve()
    assert (found["result"], new.name) == ("repaired", f"{old.name}-2")
    assert found["damage"] == {"changed": ["model.bin"], "missing": ["run.sh"]}
    assert_runs(world, "v1")
    assert (new / "deep" / "same.bin").stat().st_ino == (old / "deep" / "same.bin").stat().st_ino
    assert (new / "model.bin").stat().st_ino != (old / "model.bin").stat().st_ino
    assert world.deploy().stderr.endswith("runs v1 already\n")


def test_damaged_file_is_not_linked_into_the_next_version(world: DeployWorld) -> None:
    world.deploy()
    damage(world.current / "deep" / "same.bin", bytes(len(SAME)))
    world.move("v2")
    assert world.deployed()["linked"]["files"] == 2
    assert_runs(world, "v2")


def test_release_that_lost_its_record_or_its_folder_is_built_anew(world: DeployWorld) -> None:
    world.deploy()
    (world.current / ".kit-release.json").unlink()
    world.deploy()
    assert_runs(world, "v1")
    assert world.current.resolve().name == f"{world.name_of('v1')}-2"
    (world.live / "releases").rename(world.live / "away")
    world.deploy()
    assert_runs(world, "v1")


def test_damage_that_keeps_size_and_time_is_found_with_verify_alone(world: DeployWorld) -> None:
    world.deploy()
    path = world.current / "model.bin"
    before = path.stat()
    damage(path, bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert world.deployed()["result"] == "unchanged"
    assert world.deploy("--check", "--verify", code=1).stdout == "changed: model.bin\n"
    assert world.deployed("--verify")["result"] == "repaired"
    assert_runs(world, "v1")


def test_copy_of_a_deploy_folder_is_used_like_the_original(world: DeployWorld) -> None:
    world.deploy()
    subprocess.run(["cp", "--archive", world.live, world.folder / "copy"], check=True)
    subprocess.run(["rm", "-rf", world.live], check=True)
    (world.folder / "copy").rename(world.live)
    assert world.deployed()["result"] == "unchanged"
    world.move("v2")
    assert world.deployed()["linked"]["files"] == 3


# -- check -----------------------------------------------------------------------------------------------------------


def test_check_tells_every_kind_of_drift_and_changes_nothing(world: DeployWorld) -> None:
    done = world.deploy("--check", code=1)
    assert done.stdout.startswith("behind: runs nothing, prod runs v1 (")
    assert not world.live.exists()
    world.deploy()
    assert world.deploy("--check").stdout == ""
    damage(world.current / "model.bin", b"short")
    (world.current / "run.sh").unlink()
    (world.current / "deep" / "extra\n").write_text("x")
    world.move("v2")
    before = sorted(str(path) for path in world.live.rglob("*"))
    lines = world.deploy("--check", code=1).stdout.splitlines()
    assert lines[0].startswith("behind: runs v1 (")
    assert lines[1:] == ["changed: model.bin", "missing: run.sh", 'extra: "deep/extra\\n"']
    found = json.loads(world.deploy("--check", "--json", code=1).stdout)
    assert (found["drift"], found["behind"], found["runs"]["version"], found["version"]) == (True, True, "v1", "v2")
    assert (found["changed"], found["missing"], found["extra"]) == (["model.bin"], ["run.sh"], ["deep/extra\n"])
    assert sorted(str(path) for path in world.live.rglob("*")) == before


def test_extra_file_is_told_by_check_and_left_by_deploy(world: DeployWorld) -> None:
    world.deploy()
    (world.current / "cache").write_text("x")
    done = world.deploy("--check", code=1)
    assert done.stdout == "extra: cache\n"
    assert "delete them" in done.stderr
    assert world.deployed()["result"] == "unchanged"
    assert (world.current / "cache").exists()


# -- health ----------------------------------------------------------------------------------------------------------


def test_health_command_runs_in_the_new_release_with_its_facts_and_without_a_shell(world: DeployWorld) -> None:
    script = world.folder / "check.sh"
    script.write_text(
        '#!/bin/sh\n{ pwd; echo "$1"; readlink "$KIT_DIR/current"; '
        f'echo "$KIT_ENVIRONMENT $KIT_VERSION $KIT_DIGEST"; }} > {world.folder}/said\n'
    )
    script.chmod(0o755)
    world.deploy("--health", f"{script} '$HOME; a b'")
    release = world.live / "releases" / world.name_of("v1")
    assert (world.folder / "said").read_text().splitlines() == [
        *(str(release), "$HOME; a b", f"releases/{release.name}", f"prod v1 {world.digest_of('v1')}")
    ]


def test_failed_health_check_swaps_back_and_shows_what_was_printed(world: DeployWorld) -> None:
    world.deploy()
    world.move("v2")
    done = world.deploy(*FALSE, code=1)
    assert done.stdout == ""
    assert f"error: v2 failed its health check, exit status 3: {world.live} runs v1 again\n  no good\n" in done.stderr
    assert "\nhint: " in done.stderr
    assert_runs(world, "v1")
    assert (world.state()["pending"], world.state()["failed"]["digest"]) == (None, world.digest_of("v2"))
    found = world.deployed(*FALSE, code=1)
    assert (found["result"], found["health"]) == ("rolled-back", {"reason": "exit status 3", "output": "no good"})
    assert world.state()["failed"]["attempts"] == 2
    assert "it was there" in world.deploy("--health", "true").stderr
    assert_runs(world, "v2")
    assert world.state()["failed"] is None


def test_failed_health_check_of_the_first_version_leaves_nothing_running(world: DeployWorld) -> None:
    assert "nothing runs there now" in world.deploy(*FALSE, code=1).stderr
    assert not world.current.is_symlink()
    assert world.deployed(*FALSE, code=1)["result"] == "failed"
    world.deploy()
    assert_runs(world, "v1")


def test_failure_is_forgotten_when_the_environment_moves_on(world: DeployWorld) -> None:
    world.deploy()
    world.move("v2")
    world.deploy(*FALSE, code=1)
    world.move("v1")
    assert world.deployed(*FALSE)["result"] == "unchanged"
    assert world.state()["failed"] is None


def test_health_command_that_takes_too_long_is_killed_with_all_it_started(world: DeployWorld) -> None:
    world.deploy()
    world.move("v2")
    pid = world.folder / "pid"
    command = f"sh -c 'echo slow; sleep 60 & echo $! > {pid}; wait'"
    done = world.deploy("--health", command, "--health-timeout", "0.5", code=1)
    assert "v2 failed its health check, no answer after 0.5 s" in done.stderr
    assert "\n  slow\n" in done.stderr
    wait_for(lambda: not Path("/proc", pid.read_text().strip()).exists(), "the end of the sleep")
    assert_runs(world, "v1")


@pytest.mark.parametrize("health", ["", "no-such-program-anywhere", "'open"])
def test_health_command_that_cannot_be_one_is_refused_before_anything_is_done(world: DeployWorld, health: str) -> None:
    assert "--health" in world.deploy("--health", health, code=2).stderr
    assert not world.live.exists()


def test_health_command_that_is_not_in_the_release_counts_as_failed(world: DeployWorld) -> None:
    assert "./missing.sh cannot be run" in world.deploy("--health", "./missing.sh", code=1).stderr
    assert not world.current.exists()


# -- killed in between -----------------------------------------------------------------------------------------------


@pytest.fixture
def interrupted(world: DeployWorld) -> DeployWorld:
    """v1 ran; the deploy of v2 was killed while its health was checked."""
    world.deploy()
    world.move("v2")
    kill_in_health(world)
    return world


def kill_in_health(world: DeployWorld) -> None:
    """Start a deploy, and kill it when its health command runs."""
    started = world.folder / "started"
    command = f"sh -c 'echo $$ > {started}.new; mv {started}.new {started}; exec sleep 60'"
    deploying = world.host.start("git-kit", "deploy", "prod", str(world.live), "--health", command)
    wait_for(started.exists, "the health check")
    deploying.kill()
    deploying.communicate()
    os.kill(int(started.read_text()), signal.SIGKILL)
    started.unlink()


def test_killed_before_health_is_known_is_checked_again_by_the_next_deploy(interrupted: DeployWorld) -> None:
    assert_runs(interrupted, "v2")
    assert interrupted.state()["pending"]["previous"] == interrupted.name_of("v1")
    assert (
        interrupted.deploy("--check", code=1).stdout
        == "pending: a deploy was interrupted before its health was known\n"
    )
    done = interrupted.deploy("--health", "true")
    assert "repaired: a deploy of v2 was interrupted before its health was known" in done.stderr
    assert "prod: v1 -> v2" in done.stderr
    assert (interrupted.state()["pending"], interrupted.state()["history"][0]) == (None, interrupted.name_of("v2"))
    assert_runs(interrupted, "v2")


def test_killed_before_health_is_known_and_unhealthy_goes_back_to_what_was_good(interrupted: DeployWorld) -> None:
    assert "runs v1 again" in interrupted.deploy(*FALSE, code=1).stderr
    assert_runs(interrupted, "v1")


def test_killed_before_health_is_known_and_overtaken_goes_on_with_the_new_version(interrupted: DeployWorld) -> None:
    interrupted.move("v3")
    done = interrupted.deploy(*FALSE, code=1)
    assert "is overtaken" in done.stderr
    assert "runs v1 again" in done.stderr  # v2 was never known to be good
    assert_runs(interrupted, "v1")
    assert "v1 -> v3" in interrupted.deploy().stderr
    assert_runs(interrupted, "v3")


def test_killed_while_it_went_back_is_finished_by_the_next_deploy(interrupted: DeployWorld) -> None:
    state = interrupted.state()
    state["pending"]["unhealthy"] = True
    state["failed"] = {"digest": interrupted.digest_of("v2"), "time": time.time(), "attempts": 1}
    (interrupted.live / ".kit-deploy.json").write_text(json.dumps(state))
    interrupted.move("v1")
    done = interrupted.deploy()
    assert "repaired: v2 had failed its health check: went back from it" in done.stderr
    assert_runs(interrupted, "v1")


def test_interrupt_during_health_kills_the_command_and_exits_130(world: DeployWorld) -> None:
    started = world.folder / "started"
    command = f"sh -c 'echo $$ > {started}.new; mv {started}.new {started}; exec sleep 60'"
    deploying = world.host.start("git-kit", "deploy", "prod", str(world.live), "--health", command)
    wait_for(started.exists, "the health check")
    deploying.send_signal(signal.SIGINT)
    _, said = deploying.communicate(timeout=20)
    assert (deploying.returncode, said.decode().splitlines()[-1]) == (130, "interrupted")
    assert not Path("/proc", started.read_text().strip()).exists()
    world.deploy()
    assert_runs(world, "v1")


def test_second_deploy_at_the_same_time_is_refused(world: DeployWorld) -> None:
    started = world.folder / "started"
    command = f"sh -c 'echo $$ > {started}.new; mv {started}.new {started}; exec sleep 60'"
    deploying = world.host.start("git-kit", "deploy", "prod", str(world.live), "--health", command)
    wait_for(started.exists, "the health check")
    assert_refused(world.deploy(code=15), f"another process deploys to {world.live}")
    assert world.deploy("--check", code=1).stdout.startswith("pending: ")
    os.kill(int(started.read_text()), signal.SIGKILL)
    deploying.communicate(timeout=20)


# -- what is refused -------------------------------------------------------------------------------------------------


def test_environment_that_does_not_exist_or_runs_nothing_is_refused(
    template: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    world = copy_world(template, tmp_path, environ)
    assert_refused(world.deploy(environment="pord", code=16), "pord", 'did you mean "prod"?')
    assert_refused(world.deploy(code=10), "nothing runs in prod yet")
    assert not world.live.exists()


def test_folder_that_cannot_be_one_is_refused(world: DeployWorld) -> None:
    host = world.host
    world.live.write_text("a file")
    assert_refused(world.deploy(code=2), "is not a folder")
    world.live.unlink()
    for inside in ("models", ".git/models", "."):
        assert_refused(host.kit("deploy", "prod", inside, code=2), "is inside of the repository")
    (world.live / "current").mkdir(parents=True)
    assert_refused(world.deploy(code=13), "is not a link that git kit made")
    (world.live / "current").rmdir()
    (world.live / "current").symlink_to("/etc")
    assert_refused(world.deploy(code=13), "is not a link that git kit made")
    assert os.readlink(world.live / "current") == "/etc"
    (world.live / "current").unlink()
    (world.live / "releases").symlink_to(world.folder)
    assert_refused(world.deploy(code=13), "releases is not a folder")
    assert not (world.folder / world.name_of("v1")).exists()


def test_kit_with_a_file_of_our_name_is_refused(world: DeployWorld) -> None:
    world.deploy()
    author = world.author
    author.write("Kitfile", f"{KITFILE}docs: [{{path: .kit-release.json}}]\n")
    author.commit("v4", {".kit-release.json": "{}"})
    author.git("tag", "v4")
    author.git("push", "--quiet", "origin", "dev", "v4")
    author.kit("release", "v4")
    world.move("v4")
    assert_refused(world.deploy(code=16), ".kit-release.json")
    assert_runs(world, "v1")
    assert world.releases() == [world.name_of("v1")]


def test_kit_of_another_version_than_the_environment_says_is_refused(world: DeployWorld) -> None:
    move(world.bare, "v2", world.digest_of("v3"))
    assert_refused(world.deploy(code=11), "is of the version v3, and prod runs v2")
    assert not world.current.exists()


def test_options_that_contradict_each_other_are_refused(world: DeployWorld) -> None:
    assert "--check changes nothing" in world.deploy("--check", "--watch", "1", code=2).stderr
    world.deploy("--keep", "1", code=2)


# -- the network and the disk ----------------------------------------------------------------------------------------


def test_kit_that_is_whole_in_the_store_needs_no_remote(world: DeployWorld) -> None:
    (world.bare.path / "kit").rename(world.folder / "away")
    assert_refused(world.deploy(code=10), "the kit of v1, ")
    assert not world.current.exists()
    world.author.kit("deploy", "prod", str(world.live))
    assert_runs(world, "v1")


@pytest.fixture
def registry_world(world: DeployWorld, fault_registry: FaultRegistry) -> DeployWorld:
    """The host reads from a registry, which has v1 and v2."""
    url = f"oci://{fault_registry.host}/{REPOSITORY}"
    for repo in (world.author, world.host):
        repo.git("config", "kit.url", url)
    world.author.kit("push", "--all")
    for version in ("v1", "v2"):
        world.author.kit("release", version)
    return world


def blob(data: bytes) -> str:
    return f"/blobs/sha256:{hashlib.sha256(data).hexdigest()}"


def test_broken_download_leaves_the_old_release_and_what_came_whole_is_kept(
    registry_world: DeployWorld, fault_registry: FaultRegistry
) -> None:
    world = registry_world
    world.host.git("config", "kit.transfers", "1")
    fault = fault_registry.add(Fault(method="GET", path=blob(model("v1")), times=None, status=503, headers=AT_ONCE))
    world.deploy(code=14)
    assert not world.current.exists()
    fault.times = 0
    before = len(fault_registry.seen("GET", blob(SAME)))
    found = world.deployed()
    assert_runs(world, "v1")
    assert (found["downloaded"]["files"], found["kept"]["files"]) == (3, 1)
    assert len(fault_registry.seen("GET", blob(SAME))) == before == 1
    assert world.releases() == [world.name_of("v1")]
    world.move("v2")
    assert world.deployed()["downloaded"] == {"files": 2, "bytes": 30_003}


def test_damaged_download_is_never_visible(registry_world: DeployWorld, fault_registry: FaultRegistry) -> None:
    world = registry_world
    world.deploy()
    world.move("v2")
    fault_registry.add(Fault(method="GET", path=blob(model("v2")), times=None, wrong_bytes=True))
    world.deploy(code=11)
    assert_runs(world, "v1")
    assert world.releases() == [world.name_of("v1")]


def test_full_disk_leaves_the_old_release_and_no_rest(world: DeployWorld, small_disk: Path) -> None:
    live = small_disk / "live"
    world.host.kit("deploy", "prod", str(live))
    world.move("v2")
    fill(small_disk)
    done = world.host.kit("deploy", "prod", str(live), code=1)
    assert_refused(done, "is full", "free some space")
    assert files_in(live / "current") == content("v1")
    assert [path.name for path in (live / "releases").iterdir()] == [world.name_of("v1")]
    free(small_disk)
    world.host.kit("deploy", "prod", str(live))
    assert files_in(live / "current") == content("v2")


# -- the agent -------------------------------------------------------------------------------------------------------


class Agent:
    """`git kit deploy --watch` that runs; what it says is read from ``log``."""

    def __init__(self, repo: Repo, live: Path, log: Path, *options: str) -> None:
        self._log = log
        with log.open("wb") as file:
            argv = ["git-kit", "deploy", "prod", str(live), "--watch", "0.2", *options]
            self.process = subprocess.Popen(
                argv, cwd=repo.path, env=repo.environ, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )

    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str) -> None:
        def has_said() -> bool:
            assert self.process.poll() is None, self.said()
            return text in self.said()

        wait_for(has_said, text)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


@pytest.fixture
def agent_of(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    agents: list[Agent] = []

    def start(world: DeployWorld, *options: str) -> Agent:
        agents.append(Agent(world.host, world.live, tmp_path / f"log-{len(agents)}", *options))
        return agents[-1]

    yield start
    for agent in agents:
        agent.process.kill()
        agent.process.wait()


def test_agent_follows_the_environment_repairs_drift_and_ends_well_by_sigterm(
    world: DeployWorld, agent_of: Callable[..., Agent]
) -> None:
    agent = agent_of(world)
    agent.wait_for("nothing -> v1")
    world.move("v2")
    agent.wait_for("v1 -> v2")
    (world.current / "run.sh").unlink()
    agent.wait_for("v2 repaired, 1 file missing")
    assert_runs(world, "v2")
    assert agent.end() == 0
    assert agent.said().endswith("ended by SIGTERM\n")
    assert "runs v2 already" not in agent.said()


def test_agent_waits_for_a_registry_that_is_down(
    registry_world: DeployWorld, fault_registry: FaultRegistry, agent_of: Callable[..., Agent]
) -> None:
    down = fault_registry.add(Fault(method="GET", path="/manifests/", times=None, status=503, headers=AT_ONCE))
    agent = agent_of(registry_world)
    agent.wait_for("next try in 1 s")
    assert "Traceback" not in agent.said()
    assert not registry_world.current.exists()
    down.times = 0
    agent.wait_for("nothing -> v1")
    assert_runs(registry_world, "v1")
    assert agent.end(signal.SIGINT) == 130


def test_agent_waits_for_a_git_remote_that_is_away(world: DeployWorld, agent_of: Callable[..., Agent]) -> None:
    agent = agent_of(world)
    agent.wait_for("nothing -> v1")
    world.bare.path.rename(world.folder / "away.git")
    agent.wait_for("error: ")
    (world.folder / "away.git").rename(world.bare.path)
    world.move("v2")
    agent.wait_for("v1 -> v2")


def test_agent_does_not_try_a_version_that_failed_until_time_has_passed(
    world: DeployWorld, agent_of: Callable[..., Agent]
) -> None:
    world.deploy()
    world.move("v2")
    count = world.folder / "count"
    command = f"""sh -c 'echo "$KIT_VERSION" >> {count}; test "$KIT_VERSION" != v2'"""
    agent = agent_of(world, "--health", command)
    wait_for(lambda: world.state()["failed"] and world.state()["failed"]["attempts"] == 2, "two attempts")
    assert_runs(world, "v1")
    state = world.state()
    state["failed"]["attempts"] = 9
    agent.end()
    (world.live / ".kit-deploy.json").write_text(json.dumps(state))
    attempts = len(count.read_text().split())
    agent = agent_of(world, "--health", command)
    world.move("v3")
    agent.wait_for("v1 -> v3")
    assert count.read_text().split()[attempts:] == ["v3"]
    assert_runs(world, "v3")


def test_agent_whose_environment_is_wrong_ends_at_once(world: DeployWorld) -> None:
    assert_refused(world.deploy("--watch", "1", environment="pord", code=16), "pord")
