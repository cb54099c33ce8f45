"""Gates on real commits, tags, keys and programs."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gitkit.cli.kit_shared import content_of
from gitkit.context import Context
from gitkit.core.config import Config, parse_config
from gitkit.core.digest import digest_of
from gitkit.core.pointer import Pointer
from gitkit.git import signatures
from gitkit.lifecycle.gates.evaluate import evaluate
from gitkit.lifecycle.gates.subject import Subject, Verdict
from gitkit.modelkit.build import build
from tests.lib.repos import Repo, clean_environ, run, some_bytes

KITFILE = "package: {license: Apache-2.0}\nmodel: {path: model.bin}\n"
SIGNERS = ".gitkit/allowed_signers"
GOOD = '{"accuracy": 0.93, "latency_p95_ms": 80}'


def config(gates: dict[str, str]) -> Config:
    """The policy of an environment ``prod`` with these gates; the text of each is the body of its table."""
    tables = "\n".join(f"[gates.{name}]\n{body}" for name, body in gates.items())
    return parse_config(f'[environments.prod]\nbranch = "prod"\ngates = {list(gates)}\n{tables}\n'.encode())


def release(repo: Repo, version: str, files: dict[str, bytes | str] | None = None, *sign: str) -> str:
    """A commit with a model and these files, and its tag; returns the commit."""
    commit = repo.commit(version, {"Kitfile": KITFILE, "model.bin": some_bytes(1000), **(files or {})})
    repo.git(*sign, "tag", *(("-s", "-m", version) if sign else ()), version)
    return commit


def subject(repo: Repo, version: str, **changes: Any) -> Subject:
    """``version`` as what wants into prod, where nothing runs; ``changes`` say otherwise."""
    context = Context(repo.environ, str(repo.path))
    git = context.repository.git
    kit = build(git, git.text("rev-parse", f"{version}^{{commit}}"), version=version)
    plain = Subject(
        repository=context.repository,
        environment="prod",
        kit=kit,
        content=content_of(context),
        released=kit.digest,
        baseline=None,
        policy_rev="main",
        allow_commands=False,
    )
    return replace(plain, **changes)


def judged(repo: Repo, kind: str, body: str, version: str = "v1", **changes: Any) -> Verdict:
    """What one gate says about ``version``."""
    [verdict] = evaluate(config({kind: body}), "prod", subject(repo, version, **changes))
    assert verdict.gate == kind
    return verdict


# -- eval ------------------------------------------------------------------------------------------------------------

RULES = (
    'metrics = "metrics.json"\nrules = { accuracy = { min = 0.90, max_drop = 0.005 }, latency_p95_ms = { max = 120 } }'
)


def test_eval_of_metrics_within_their_limits_passes_with_values_as_evidence(repo: Repo) -> None:
    before = release(repo, "v0", {"metrics.json": '{"accuracy": 0.935}'})
    release(repo, "v1", {"metrics.json": GOOD})
    verdict = judged(repo, "eval", RULES, baseline=before)
    assert verdict.outcome == "passed"
    assert verdict.reason == (
        "accuracy 0.93 meets min 0.9; is 0.005 worse than 0.935 (max_drop 0.005); latency_p95_ms 80 meets max 120.0"
    )
    assert verdict.evidence == {
        "file": "metrics.json",
        "digest": digest_of(GOOD.encode()),
        "baseline_digest": digest_of(b'{"accuracy": 0.935}'),
        "metrics": {
            "accuracy": {"value": 0.93, "baseline": 0.935, "outcome": "passed"},
            "latency_p95_ms": {"value": 80, "baseline": None, "outcome": "passed"},
        },
    }


@pytest.mark.parametrize(
    ("metrics", "outcome", "reason"),
    [
        ('{"accuracy": 0.89, "latency_p95_ms": 80}', "failed", "accuracy 0.89 is below min 0.9"),
        ('{"accuracy": 0.89, "latency_p95_ms": 121}', "failed", "latency_p95_ms 121 is above max 120.0"),
        ('{"accuracy": 0.93}', "unevaluated", "latency_p95_ms is missing"),
        ('{"accuracy": "0.93", "latency_p95_ms": NaN}', "unevaluated", "accuracy is missing; latency_p95_ms is NaN"),
        ('{"accuracy": 0.89}', "failed", "accuracy 0.89 is below"),
        ("{", "unevaluated", "metrics.json is not JSON"),
        (None, "unevaluated", "v1 has no metrics.json"),
    ],
)
def test_eval_of_metrics_that_break_a_limit_or_are_missing_does_not_pass(
    repo: Repo, metrics: str | None, outcome: str, reason: str
) -> None:
    release(repo, "v1", {"metrics.json": metrics} if metrics is not None else {})
    verdict = judged(repo, "eval", RULES)
    assert (verdict.outcome, verdict.lets_through) == (outcome, False)
    assert reason in verdict.reason


def test_eval_where_nothing_runs_says_that_there_is_nothing_to_compare_with(repo: Repo) -> None:
    release(repo, "v1", {"metrics.json": GOOD})
    verdict = judged(repo, "eval", RULES)
    assert verdict.outcome == "passed"
    assert "has nothing to be compared with yet" in verdict.reason


@pytest.mark.parametrize("files", [{}, {"metrics.json": "{}"}])
def test_eval_against_a_version_without_the_metric_is_unevaluated(repo: Repo, files: dict[str, bytes | str]) -> None:
    before = release(repo, "v0", files)
    release(repo, "v1", {"metrics.json": GOOD})
    verdict = judged(repo, "eval", RULES, baseline=before)
    assert verdict.outcome == "unevaluated"
    assert verdict.reason == "accuracy 0.93 cannot be compared: in what runs now it is missing"


def test_eval_reads_metrics_behind_a_pointer(repo: Repo) -> None:
    pointer = Pointer(digest_of(GOOD.encode()), len(GOOD)).encode()
    release(repo, "v1", {"metrics.json": pointer})
    missing = judged(repo, "eval", RULES)
    assert missing.outcome == "unevaluated"
    assert "the content of metrics.json is not in this clone" in missing.reason
    store = Context(repo.environ, str(repo.path)).store
    store.add_bytes(GOOD.encode())
    assert judged(repo, "eval", RULES).outcome == "passed"
    path = Path(store.blob_path(digest_of(GOOD.encode())))
    path.chmod(0o644)
    path.write_bytes(GOOD.replace("80", "81").encode())
    damaged = judged(repo, "eval", RULES)
    assert damaged.outcome == "unevaluated"
    assert "is not what its pointer says" in damaged.reason


def test_eval_of_a_file_that_is_too_large_is_unevaluated(repo: Repo) -> None:
    release(repo, "v1", {"metrics.json": GOOD + " " * (1 << 20)})
    assert "too large for metrics" in judged(repo, "eval", RULES).reason
    release(repo, "v2", {"metrics.json": Pointer(digest_of(b"x"), 2 << 20).encode()})
    assert "too large for metrics" in judged(repo, "eval", RULES, "v2").reason


# -- license, size, reproducible ---------------------------------------------------------------------------------------

LICENSED = """\
package: {license: MIT}
model: {path: model.bin, license: MIT OR GPL-3.0-only, parts: [{path: a.txt, license: Apache-2.0}]}
code: [{path: b.txt, license: MIT}]
datasets: [{path: c.txt, license: %s}]
"""


@pytest.mark.parametrize(
    ("dataset", "outcome", "reason"),
    [
        ("apache-2.0", "passed", "allowed: MIT, Apache-2.0, apache-2.0"),
        ("CC-BY-NC-4.0", "failed", "datasets[0]: CC-BY-NC-4.0 is not allowed"),
        ("MIT AND CC-BY-4.0", "failed", "datasets[0]: CC-BY-4.0 of MIT AND CC-BY-4.0 is not allowed"),
        ('"ask \\e[1m us"', "failed", 'datasets[0]: "ask \\033[1m us" is not allowed'),
    ],
)
def test_license_looks_at_every_part_of_the_kit(repo: Repo, dataset: str, outcome: str, reason: str) -> None:
    files: dict[str, bytes | str] = {name: name for name in ("a.txt", "b.txt", "c.txt")}
    release(repo, "v1", {"Kitfile": LICENSED % dataset, **files})
    verdict = judged(repo, "license", 'allow = ["MIT", "Apache-2.0"]')
    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert list(verdict.evidence["licences"]) == ["package", "model", "model.parts[0]", "code[0]", "datasets[0]"]


def test_license_that_nobody_recorded_is_unevaluated(repo: Repo) -> None:
    release(repo, "v1", {"Kitfile": 'package: {license: ""}\nmodel: {path: model.bin}\n'})
    verdict = judged(repo, "license", 'allow = ["MIT"]')
    assert verdict.outcome == "unevaluated"
    assert "not recorded" in verdict.reason


@pytest.mark.parametrize(
    ("body", "outcome", "reason"),
    [
        ('max = "1000"', "passed", "1000 bytes of at most 1000"),
        ('max = "999"', "failed", "the kit has 1000 bytes, more than 999"),
        ('max = "1GiB"\nmax_file = "0.5KiB"', "failed", "model.bin has 1000 bytes, more than 0.5KiB"),
        ('max = "1GiB"\nmax_file = "1KB"', "passed", "1000 bytes of at most 1GiB"),
    ],
)
def test_size_counts_the_kit_and_its_largest_file(repo: Repo, body: str, outcome: str, reason: str) -> None:
    release(repo, "v1")
    verdict = judged(repo, "size", body)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert verdict.evidence == {"size": 1000, "largest_file": 1000}


def test_reproducible_compares_the_released_digest_with_the_rebuilt_one(repo: Repo) -> None:
    release(repo, "v1")
    assert judged(repo, "reproducible", "").outcome == "passed"
    other = judged(repo, "reproducible", "", released=digest_of(b"other"))
    assert other.outcome == "failed"
    assert "was released, but commit" in other.reason
    assert judged(repo, "reproducible", "", released=None).outcome == "unevaluated"


# -- signature ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the ssh keys ``ada`` and ``mal``."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("no ssh-keygen")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ada", "mal"):
        run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)],
            cwd=folder,
            environ=clean_environ(folder / "home"),
        )
    return folder


def signing(keys: Path, name: str, *, commits: bool = False) -> list[str]:
    """Options for a git that signs with an ssh key."""
    settings = ["gpg.format=ssh", f"user.signingKey={keys / name}", f"commit.gpgSign={str(commits).lower()}"]
    return [word for setting in settings for word in ("-c", setting)]


def allowed(keys: Path, *names: str) -> str:
    lines = (f"{name}@example.com {(keys / f'{name}.pub').read_text()}" for name in names)
    return "".join(lines)


@pytest.fixture
def policy(repo: Repo, keys: Path) -> Repo:
    """A repository whose branch main allows ada; versions are made on the branch dev."""
    repo.commit("policy", {SIGNERS: allowed(keys, "ada")})
    repo.git("checkout", "--quiet", "-b", "dev")
    return repo


def test_signature_of_a_tag_by_an_allowed_key_passes(policy: Repo, keys: Path) -> None:
    release(policy, "v1", None, *signing(keys, "ada"))
    verdict = judged(policy, "signature", 'of = "tag"')
    assert (verdict.outcome, verdict.reason) == ("passed", "tag v1 is signed by ada@example.com")
    [found] = verdict.evidence["signatures"]
    fingerprint = policy_fingerprint(keys, "ada")
    assert found == {"of": "tag v1", "status": "good", "signer": "ada@example.com", "key": fingerprint}
    assert verdict.evidence["signers_digest"] == digest_of(allowed(keys, "ada").encode())
    unsigned = judged(policy, "signature", 'of = "commit"')
    assert unsigned.outcome == "failed"
    assert unsigned.reason.endswith("is not signed")


def policy_fingerprint(keys: Path, name: str) -> str:
    argv = ["ssh-keygen", "-l", "-f", str(keys / f"{name}.pub")]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[1]


def test_signature_of_a_commit_passes_where_any_will_do(policy: Repo, keys: Path) -> None:
    policy.write("Kitfile", KITFILE)
    policy.write("model.bin", b"x")
    policy.git("add", "--all")
    policy.git(*signing(keys, "ada", commits=True), "commit", "--quiet", "-m", "v1")
    policy.git("tag", "v1")
    assert judged(policy, "signature", "").outcome == "passed"
    assert judged(policy, "signature", 'of = "commit"').outcome == "passed"
    tag = judged(policy, "signature", 'of = "tag"')
    assert (tag.outcome, tag.reason) == ("failed", "tag v1 is not signed")


def test_signature_by_a_key_that_only_the_candidate_allows_fails(policy: Repo, keys: Path) -> None:
    release(policy, "v1", {SIGNERS: allowed(keys, "ada", "mal")}, *signing(keys, "mal"))
    verdict = judged(policy, "signature", 'of = "tag"')
    assert verdict.outcome == "failed"
    assert verdict.reason.endswith(f"which {SIGNERS} does not allow")
    assert judged(policy, "signature", 'of = "tag"', policy_rev="dev").outcome == "passed"


def test_signature_without_a_file_of_signers_is_unevaluated(policy: Repo, keys: Path) -> None:
    release(policy, "v1", None, *signing(keys, "ada"))
    verdict = judged(policy, "signature", 'signers = "nobody"')
    assert verdict.outcome == "unevaluated"
    assert "the environment's branch has no nobody" in verdict.reason


def test_signature_of_another_tag_or_of_a_changed_one_fails(policy: Repo, keys: Path) -> None:
    release(policy, "v1", None, *signing(keys, "ada"))
    policy.git("update-ref", "refs/tags/v2", policy.out("rev-parse", "refs/tags/v1"))
    renamed = judged(policy, "signature", 'of = "tag"', "v2")
    assert (renamed.outcome, renamed.reason) == ("failed", "tag v2 was signed by ada@example.com under another name")
    raw = policy.git("cat-file", "tag", "v1").stdout.replace("\n\nv1\n", "\n\nv9\n")
    changed = policy.git("hash-object", "-t", "tag", "-w", "--stdin", stdin=raw.encode()).stdout.strip()
    policy.git("update-ref", "refs/tags/v1", changed)
    assert judged(policy, "signature", 'of = "tag"').reason == "tag v1 is not what was signed"


def test_signature_of_a_changed_commit_is_bad(policy: Repo, keys: Path) -> None:
    policy.git(*signing(keys, "ada", commits=True), "commit", "-q", "--allow-empty", "-m", "signed")
    raw = policy.git("cat-file", "commit", "HEAD").stdout.replace("\n\nsigned\n", "\n\nother\n")
    changed = policy.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw.encode()).stdout.strip()
    git = Context(policy.environ, str(policy.path)).repository.git
    [(_, found)] = signatures.commits(git, [changed], allowed(keys, "ada").encode())
    assert found.status == "bad"


def test_signature_of_a_tag_that_was_moved_fails(policy: Repo, keys: Path) -> None:
    release(policy, "v1")
    candidate = subject(policy, "v1")
    policy.commit("later")
    policy.git(*signing(keys, "ada"), "tag", "-s", "-f", "-m", "v1", "v1")
    [verdict] = evaluate(config({"signature": 'of = "tag"'}), "prod", candidate)
    assert verdict.outcome == "failed"
    assert "leads to another commit" in verdict.reason
    policy.git("tag", "-d", "v1")
    [verdict] = evaluate(config({"signature": 'of = "tag"'}), "prod", candidate)
    assert (verdict.outcome, verdict.reason) == ("unevaluated", "tag v1 is not here")


def test_signature_within_the_time_of_an_expired_key_is_good_to_git(policy: Repo, keys: Path) -> None:
    """So a reader must not rely on the commit's own time."""
    old = f'ada@example.com valid-before="20200101" {(keys / "ada.pub").read_text()}'.encode()
    git = Context(policy.environ, str(policy.path)).repository.git
    for date in ("2019-06-01T00:00:00Z", "2021-06-01T00:00:00Z"):
        options = signing(keys, "ada", commits=True)
        policy.git(*options, "commit", "-q", "--allow-empty", "-m", date, extra={"GIT_COMMITTER_DATE": date})
    oids = policy.out("rev-list", "-3", "HEAD").split()
    found = dict(signatures.commits(git, oids, old))
    assert [found[oid].status for oid in oids] == ["unknown", "good", "unsigned"]


@pytest.fixture(scope="module")
def gnupg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A GNUPGHOME with the key of gpg@example.com."""
    if shutil.which("gpg") is None:
        pytest.skip("no gpg")
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    environ = {**clean_environ(home / "home"), "GNUPGHOME": str(home)}
    make = ["--quick-gen-key", "Gpg Person (work) <gpg@example.com>", "ed25519", "sign", "never"]
    run(["gpg", "--batch", "--quiet", "--passphrase", "", *make], cwd=home, environ=environ)
    yield home
    run(["gpgconf", "--kill", "all"], cwd=home, environ=environ)


def test_signature_by_gpg_needs_a_trusted_key_and_an_address_in_the_file(
    policy: Repo, keys: Path, gnupg: Path, tmp_path: Path
) -> None:
    policy.environ["GNUPGHOME"] = str(gnupg)
    options = ["-c", "user.signingKey=gpg@example.com"]
    release(policy, "v1", None, *options)
    policy.git(*options, "commit", "-q", "-S", "--allow-empty", "-m", "signed")
    policy.git("tag", "v2")
    for version, of in (("v1", "tag"), ("v2", "commit")):
        unnamed = judged(policy, "signature", f'of = "{of}"', version)
        assert unnamed.outcome == "failed"
        assert unnamed.reason.endswith(f"is signed by gpg@example.com, whom {SIGNERS} does not name")
        assert judged(policy, "signature", f'of = "{of}"\nsigners = "nobody"', version).outcome == "passed"
    policy.git("checkout", "--quiet", "main")
    policy.commit("allow gpg", {SIGNERS: allowed(keys, "ada") + "gpg@example.com\n"})
    for version, of in (("v1", "tag"), ("v2", "commit")):
        assert judged(policy, "signature", f'of = "{of}"', version).outcome == "passed"
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o700)
    policy.environ["GNUPGHOME"] = str(empty)
    for version, of in (("v1", "tag"), ("v2", "commit")):
        unknown = judged(policy, "signature", f'of = "{of}"', version)
        assert unknown.outcome == "unevaluated"
        assert "cannot be checked here" in unknown.reason


def test_signature_whose_program_is_missing_is_unevaluated(policy: Repo, keys: Path) -> None:
    release(policy, "v1", None, *signing(keys, "ada"))
    policy.git(*signing(keys, "ada", commits=True), "commit", "-q", "--allow-empty", "-m", "signed")
    policy.git("tag", "v2")
    policy.git("config", "gpg.ssh.program", "/nonexistent/ssh-keygen")
    for version, of in (("v1", "tag"), ("v2", "commit")):
        verdict = judged(policy, "signature", f'of = "{of}"', version)
        assert verdict.outcome == "unevaluated"
        assert "cannot be checked here" in verdict.reason


def test_signatures_of_many_commits_come_in_order_and_name_who_may_have_made_them(policy: Repo, keys: Path) -> None:
    for number in range(130):  # more than are checked at once
        options = signing(keys, "mal" if number % 3 == 1 else "ada", commits=number % 3 != 2)
        policy.git(*options, "commit", "--quiet", "--allow-empty", "-m", str(number))
    oids = policy.out("rev-list", "--reverse", "-130", "HEAD").split()
    git = Context(policy.environ, str(policy.path)).repository.git
    text = allowed(keys, "ada").replace("ada@", "first@corp.com,*@").encode()
    found = list(signatures.commits(git, [*oids, oids[0]], text))
    assert [oid for oid, _ in found] == oids
    assert [one.status for _, one in found] == [("good", "unknown", "unsigned")[number % 3] for number in range(130)]
    good, unknown, unsigned = (one for _, one in found[:3])
    assert good.signer == "first@corp.com"
    assert [signatures.is_by(good, who, text) for who in ("bob@example.com", "first@corp.com", "x@y")] == [
        True,
        True,
        False,
    ]
    assert not any(signatures.is_by(one, "first@corp.com", text) for one in (unknown, unsigned))
    stopped = signatures.commits(git, oids, text)
    assert next(stopped)[0] == oids[0]
    stopped.close()


# -- command -----------------------------------------------------------------------------------------------------------


def script(repo: Repo, text: str) -> str:
    repo.write("ci/check.sh", f"#!/bin/sh\n{text}\n", mode=0o755)
    return 'run = ["./ci/check.sh", "a b; $HOME"]\n'


def test_command_runs_only_where_the_clone_allows_it(repo: Repo, tmp_path: Path) -> None:
    body = script(repo, f"touch {tmp_path}/ran")
    release(repo, "v1")
    verdict = judged(repo, "command", body)
    assert verdict.outcome == "unevaluated"
    assert verdict.reason.endswith("git config kit.allowCommands true")
    assert not (tmp_path / "ran").exists()
    assert judged(repo, "command", body, allow_commands=True).outcome == "passed"
    assert (tmp_path / "ran").exists()


def test_command_gets_its_words_the_environment_and_no_input(repo: Repo) -> None:
    body = script(repo, 'pwd; echo "$1"; cat; echo "$KIT_VERSION $KIT_DIGEST $KIT_COMMIT $KIT_ENVIRONMENT $MINE" >&2')
    commit = release(repo, "v1")
    repo.environ["MINE"] = "mine"
    verdict = judged(repo, "command", body, allow_commands=True)
    digest = subject(repo, "v1").kit.digest
    assert verdict.evidence["output"] == f"{repo.path}\na b; $HOME\nv1 {digest} {commit} prod mine\n"
    assert verdict.evidence["command"] == ["./ci/check.sh", "a b; $HOME"]
    assert verdict.evidence["exit"] == 0


@pytest.mark.parametrize(
    ("text", "outcome", "reason", "output"),
    [
        ("exit 3", "failed", "./ci/check.sh ended with 3", ""),
        ("printf 'a\\033[1m\\tb\\377\\n'; exit 1", "failed", "./ci/check.sh ended with 1", "a\\x1b[1m\\tb\\xff\n"),
        ("kill -9 $$", "failed", "./ci/check.sh was ended by signal 9", ""),
        (
            "head -c 300000 /dev/zero | tr '\\0' x; echo end",
            "passed",
            "./ci/check.sh ended with 0",
            "x" * 1996 + "end\n",
        ),
    ],
)
def test_command_that_ends_is_judged_by_its_status(
    repo: Repo, text: str, outcome: str, reason: str, output: str
) -> None:
    body = script(repo, text)
    release(repo, "v1")
    verdict = judged(repo, "command", body, allow_commands=True)
    assert (verdict.outcome, verdict.reason, verdict.evidence["output"]) == (outcome, reason, output)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[int]:
    """The reading end of the pipe ``tmp_path / "held"``: it ends when everybody who opened the other end is gone."""
    os.mkfifo(tmp_path / "held")
    reader = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    yield reader
    os.close(reader)


def test_command_that_takes_too_long_is_ended_with_all_that_it_started(repo: Repo, tmp_path: Path, held: int) -> None:
    body = script(repo, f"echo begun; exec 9>{tmp_path}/held; echo >&9; sleep 600 & wait")
    release(repo, "v1")
    verdict = judged(repo, "command", body + 'timeout = "1s"', allow_commands=True)
    assert (verdict.outcome, verdict.reason) == ("unevaluated", "./ci/check.sh did not end within 1s")
    assert verdict.evidence["output"] == "begun\n"
    assert os.read(held, 1) == b"\n"
    assert os.read(held, 1) == b""  # waits for ever if anybody is left


def test_command_that_leaves_something_running_is_not_waited_for(repo: Repo, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    body = script(repo, f"echo done; sleep 600 & echo $! > {pid}")
    release(repo, "v1")
    verdict = judged(repo, "command", body, allow_commands=True)
    os.kill(int(pid.read_text()), signal.SIGKILL)  # fails where it has ended
    assert (verdict.outcome, verdict.evidence["output"]) == ("passed", "done\n")


@pytest.mark.parametrize("program", ["./absent", "no-such-program", "./Kitfile", "./ci\\u0000"])
def test_command_that_cannot_be_started_is_unevaluated(repo: Repo, program: str) -> None:
    release(repo, "v1")
    verdict = judged(repo, "command", f'run = ["{program}"]', allow_commands=True)
    assert verdict.outcome == "unevaluated"
    assert "cannot be started" in verdict.reason


def test_command_in_a_bare_repository_runs_in_an_empty_folder(repo: Repo, tmp_path: Path) -> None:
    release(repo, "v1")
    clone = repo.clone(tmp_path / "bare.git", "--bare")
    verdict = judged(clone, "command", 'run = ["sh", "-c", "pwd; ls -A"]', allow_commands=True)
    [folder] = verdict.evidence["output"].splitlines()
    assert "git-kit-gate-" in folder
    assert not Path(folder).exists()


# -- all of them -------------------------------------------------------------------------------------------------------


def test_evaluate_goes_on_after_a_gate_that_breaks_and_keeps_the_order(repo: Repo) -> None:
    release(repo, "v1", {"metrics.json": "{"})
    gates = {"size": 'max = "1GiB"', "eval": RULES, "mine": 'kind = "size"\nmax = "1"', "reproducible": ""}
    verdicts = evaluate(config(gates), "prod", subject(repo, "v1"))
    assert [(verdict.gate, verdict.outcome) for verdict in verdicts] == [
        ("size", "passed"),
        ("eval", "unevaluated"),
        ("mine", "failed"),
        ("reproducible", "passed"),
    ]
    assert "\n" not in verdicts[1].reason


def test_evaluate_of_an_environment_without_gates_says_nothing(repo: Repo) -> None:
    release(repo, "v1")
    assert evaluate(config({}), "prod", subject(repo, "v1")) == []
