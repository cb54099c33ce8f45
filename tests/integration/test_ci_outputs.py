"""What commands leave for a CI system: GitHub's outputs and step summary, GitLab's dotenv file; releases that go on."""

import json
import re
import shutil
from pathlib import Path

import pytest

from gitkit.cli.ci_moves import publish_sync
from gitkit.cli.ci_outputs import MAX_SUMMARY, code, escape, publish, table
from gitkit.errors import PartlyDone
from gitkit.lifecycle.sync import Synced
from tests.lib.repos import Repo, clean_environ, init, some_bytes

CONFIG = """\
[environments.dev]
branch = "dev"
[environments.prod]
branch = "prod"
from = ["dev"]
"""


@pytest.fixture(scope="session")
def ci_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ci")
    environ = clean_environ(folder / "home")
    init(folder / "bare.git", environ, "--bare", "--initial-branch=dev")
    author = init(folder / "author", environ, "--initial-branch=dev")
    author.git("remote", "add", "origin", "../bare.git")
    author.kit("install")
    author.write(".gitattributes", "*.bin filter=kit -text\n")
    author.write(".gitkit.toml", CONFIG)
    author.write("Kitfile", "model: {path: model.bin}\n")
    for number, version in enumerate(("v1", "v2")):
        author.commit(version, {"model.bin": some_bytes(3000, seed=number)})
        author.git("tag", version)
    author.git("push", "--quiet", "origin", "dev", "v1", "v2")
    author.kit("release", "v1")
    return folder


@pytest.fixture
def author(ci_template: Path, tmp_path: Path, environ: dict[str, str]) -> Repo:
    """A clone with v1, which is released, and v2, which is not; its remote is beside it."""
    shutil.copy(ci_template / "home" / ".gitconfig", environ["GIT_CONFIG_GLOBAL"])
    for name in ("bare.git", "author"):
        shutil.copytree(ci_template / name, tmp_path / name, symlinks=True)
    return Repo(tmp_path / "author", environ)


def outputs(path: Path) -> dict[str, str]:
    """GitHub's file of outputs, read as its runner does."""
    found = {}
    lines = iter(path.read_text().splitlines())
    for line in lines:
        key, sign, rest = line.partition("=")
        if not sign or "<<" in key:
            key, _, end = line.partition("<<")
            value = []
            while (text := next(lines)) != end:
                value.append(text)
            rest = "\n".join(value)
        found[key] = rest
    return found


def on_github(folder: Path) -> dict[str, str]:
    return {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}


# -- commands --------------------------------------------------------------------------------------------------------


def test_promote_tells_github_what_moved(author: Repo, tmp_path: Path) -> None:
    extra = on_github(tmp_path)
    told = json.loads(author.kit("promote", "v1", "prod", "--reason", "a | b <c>", "--json", extra=extra).stdout)
    remote = f"oci-layout:{tmp_path / 'bare.git' / 'kit'}"
    assert outputs(tmp_path / "output") == {
        "digest": told["digest"],
        "reference": f"{remote}@{told['digest']}",
        "version": "v1",
        "environment": "prod",
        "before": "",
        "moved": "true",
        "event": told["event"],
        "commit": told["commit"],
    }
    page = (tmp_path / "summary.md").read_text()
    assert page.startswith("### prod: nothing → v1\n\n")
    assert f"| digest | `{told['digest']}` |\n" in page
    assert "| rule | verdict | why |\n| --- | --- | --- |\n| from | passed | ran in dev |\n" in page
    assert "git kit verify v1\n" in page


def test_promote_of_what_runs_already_says_that_nothing_moved(author: Repo, tmp_path: Path) -> None:
    author.kit("promote", "v1", "prod")
    author.kit("promote", "v1", "prod", extra=on_github(tmp_path))
    told = outputs(tmp_path / "output")
    assert (told["moved"], told["before"], told["version"], told["event"]) == ("false", "v1", "v1", "")
    assert (tmp_path / "summary.md").read_text().startswith("### prod runs v1 already\n")


def test_promote_that_is_refused_tells_the_rules(author: Repo, tmp_path: Path) -> None:
    author.kit("promote", "v1", "prod")
    author.kit("hold", "prod", "--reason", "<b>demo</b> | https://example.com")
    author.kit("release", "v2")
    file = tmp_path / "kit.env"
    author.kit("promote", "v2", "prod", "--dotenv", str(file), code=18, extra=on_github(tmp_path))
    assert outputs(tmp_path / "output") == {"version": "v2", "environment": "prod", "moved": "false"}
    page = (tmp_path / "summary.md").read_text()
    assert page.startswith("### prod does not take v2\n\n| rule | why |\n")
    assert r"| hold | held by Ada Tester\: \<b\>demo\</b\> \| https\://example.com |" in page
    assert file.read_text() == "KIT_VERSION=v2\nKIT_ENVIRONMENT=prod\nKIT_MOVED=false\n"


def test_rollback_tells_github_and_gitlab(author: Repo, tmp_path: Path) -> None:
    author.kit("release", "v2")
    author.kit("promote", "v1", "prod")
    author.kit("promote", "v2", "prod")
    file = tmp_path / "kit.env"
    done = author.kit("rollback", "prod", "--reason", "slow", "--dotenv", str(file), extra=on_github(tmp_path))
    told = outputs(tmp_path / "output")
    assert (told["version"], told["before"], told["moved"], told["digest"]) == ("v1", "v2", "true", done.stdout.strip())
    lines = file.read_text().splitlines()
    assert lines == [f"KIT_{key.upper()}={value}" for key, value in told.items()]
    assert all(re.fullmatch(r"KIT_[A-Z]+=[^\s\"'`$]*", line) for line in lines)


def test_release_tells_github_and_gitlab(author: Repo, tmp_path: Path) -> None:
    file = tmp_path / "kit.env"
    told = json.loads(author.kit("release", "v2", "--json", "--dotenv", str(file), extra=on_github(tmp_path)).stdout)
    found = outputs(tmp_path / "output")
    event = json.loads(author.out("log", "-1", "--format=%b", "origin/kit/journal").splitlines()[0])
    assert (event["kind"], len(found["event"])) == ("release", 32)
    wanted = {"digest": told["digest"], "reference": told["reference"], "version": "v2", "moved": "true"}
    assert found == {**wanted, "event": found["event"], "commit": told["commit"]}
    assert f"KIT_DIGEST={told['digest']}\n" in file.read_text()
    page = (tmp_path / "summary.md").read_text()
    assert f"| `v2` | modelpack | `{told['digest']}` | 1 file, 2.9 KiB |\n" in page
    author.kit("release", "v2", extra=on_github(tmp_path))
    assert (tmp_path / "output").read_text().endswith(f"moved=false\nevent=\ncommit={told['commit']}\n")


def test_outputs_that_cannot_be_written_are_partly_done_and_a_second_run_finishes(author: Repo, tmp_path: Path) -> None:
    extra = {"GITHUB_OUTPUT": str(tmp_path / "missing" / "output")}
    for args, done in ((("promote", "v1", "prod"), "prod runs v1"), (("release", "v1"), "v1 is released")):
        failed = author.kit(*args, code=19, extra=extra)
        assert f"error: {done}, but the outputs for CI cannot be written: No such file" in failed.stderr
    (tmp_path / "missing").mkdir()
    author.kit("promote", "v1", "prod", extra=extra)
    assert outputs(tmp_path / "missing" / "output")["moved"] == "false"


def test_synchronisation_tells_which_environments_moved(tmp_path: Path) -> None:
    results = [
        Synced("staging", "promoted", "v2", "sha256:ab", "v1 -> v2"),
        Synced("prod", "waiting", "v1", "sha256:cd", "hold: held by Ada | <b>"),
        Synced("qa", "failed", None, None, "no kit"),
    ]
    publish_sync(on_github(tmp_path), results)
    assert outputs(tmp_path / "output") == {"moved": "true", "environments": "staging"}
    page = (tmp_path / "summary.md").read_text()
    assert r"| prod | waiting | v1 | `sha256:cd` | hold\: held by Ada \| \<b\> |" in page
    assert "| qa | failed | - | `-` | no kit |" in page


# -- a release that is interrupted -----------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", ["KILL", None], ids=["killed", "refused"])
def test_release_that_ends_between_registry_and_journal_is_finished_by_the_next_run(
    author: Repo, tmp_path: Path, signal: str | None
) -> None:
    """The Git remote's hook ends the client: by then the kit is in the registry, and the journal lacks the event."""
    hook = tmp_path / "bare.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    pids = tmp_path / "pid"
    end = f'kill -{signal} "$(cat {pids})"; sleep 0.2; ' if signal else ""
    hook.write_text(f"#!/bin/sh\n{end}echo closed >&2; exit 1\n")
    hook.chmod(0o755)
    argv = f"echo $$ >{pids}; exec git-kit release v2"
    child = author.start("sh", "-c", argv)
    said = child.communicate()[1].decode()
    assert child.returncode == (-9 if signal else 19), said
    assert releases(author) == ["release v1"]
    tags = json.loads((tmp_path / "bare.git" / "kit" / "index.json").read_text())["manifests"]
    assert "v2" in [entry.get("annotations", {}).get("org.opencontainers.image.ref.name") for entry in tags]
    hook.unlink()
    digest = author.kit("release", "v2").stdout
    assert author.kit("release", "v2").stdout == digest
    assert releases(author) == ["release v1", "release v2"]
    assert author.kit("verify", "v2").stdout == digest


def releases(author: Repo) -> list[str]:
    author.git("fetch", "--quiet")
    return author.out("log", "--reverse", "--format=%s", "origin/kit/journal").splitlines()


# -- files -----------------------------------------------------------------------------------------------------------


def test_value_of_several_lines_cannot_start_another_output(tmp_path: Path) -> None:
    extra = on_github(tmp_path)
    hostile = "slow\nmoved=true\nend_0\nEOF\ndigest=evil"
    publish(extra, {"reason": hostile, "moved": "false", "key": "a=b<<c"}, "")
    assert outputs(tmp_path / "output") == {"reason": hostile, "moved": "false", "key": "a=b<<c"}
    first = (tmp_path / "output").read_text().splitlines()[0]
    publish(extra, {"reason": hostile}, "")
    assert (tmp_path / "output").read_text().splitlines().count(first) == 1


def test_dotenv_file_has_one_line_for_each_value(tmp_path: Path) -> None:
    file = tmp_path / "kit.env"
    publish({}, {"reason": 'it "was" $SLOW\nKIT_MOVED=true', "moved": "false"}, "", dotenv=str(file))
    assert file.read_text() == "KIT_REASON=it__was___SLOW_KIT_MOVED=true\nKIT_MOVED=false\n"


def test_dotenv_file_larger_than_gitlab_takes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PartlyDone, match="GitLab takes 5120"):
        publish({}, {"reason": "x" * 6000}, "", dotenv=str(tmp_path / "kit.env"))


def test_summary_is_cut_at_what_github_shows(tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    publish(on_github(tmp_path), {}, "é line\n" * 200_000)
    data = page.read_bytes()
    assert len(data) <= MAX_SUMMARY
    assert data.startswith(b"before\n")
    assert data.decode().endswith("é line\n\n(cut: the summary of a step is not longer)\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>x</script>", r"\<script\>x\</script\>"),
        ("a | b\nc", r"a \| b c"),
        ("[x](javascript:y) `z` @org", r"\[x\]\(javascript\:y\) \`z\` \@org"),
        ("www.example.com", r"www\.example.com"),
        ("plain words-1", "plain words-1"),
    ],
)
def test_text_of_people_is_no_markup(text: str, shown: str) -> None:
    assert escape(text) == shown
    assert table(["a"], [[escape(text)]]).count("\n") == 3


def test_code_holds_names_and_nothing_that_ends_it() -> None:
    assert code("sha256:ab") == "`sha256:ab`"
    assert code("a`b") == r"a\`b"
    assert code("a|b c") == r"a\|b c"
