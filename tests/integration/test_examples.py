"""The examples run: the quickstart, whole, on a small stand-in model; releases from a clone that has only pointers."""

import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml  # noqa: TID253

from tests.lib.registries import PASSWORD, REPOSITORY, USER, RealRegistry
from tests.lib.repos import Ran, Repo, clean_environ, init, run, some_bytes

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
QUICKSTART = EXAMPLES / "quickstart" / "run.py"
HALF = EXAMPLES / "quickstart" / "half.py"
RELEASE = EXAMPLES / "ci" / "release.sh"
WORKFLOWS = {
    "vendor.github-workflows": EXAMPLES / "ci" / "github" / "release.yml",
    "vendor.gitlab-ci": EXAMPLES / "ci" / "gitlab" / ".gitlab-ci.yml",
}
GITHUB = {name: EXAMPLES / "ci" / "github" / f"{name}.yml" for name in ("promote", "rollback", "audit")}
GITLAB = EXAMPLES / "ci" / "gitlab" / "environments.gitlab-ci.yml"

WIDE, FLOATS = [1, 1 << 40], [0.0, -1.5, 1 / 3, 65504.0, 1e-9, float("inf")] + [0.25] * 40_000


class Tensor(NamedTuple):
    """``shape`` and the values of a tensor."""

    dtype: str
    shape: list[int]
    values: list[Any]


_FORMATS = {"I64": "q", "F32": "f", "F16": "e"}


def safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    """A safetensors file with these tensors, in their order."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, (dtype, shape, values) in tensors.items():
        start = len(data)
        data += struct.pack(f"<{len(values)}{_FORMATS[dtype]}", *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def parse(data: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file; fails the test where a reader would refuse it."""
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header.pop("__metadata__", {})
    tensors, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, stop = entry["data_offsets"]
        assert start == end, f"{name} leaves a hole"
        form = struct.Struct("<" + _FORMATS[entry["dtype"]])
        values = [value for (value,) in form.iter_unpack(body[start:stop])]
        tensors[name], end = Tensor(entry["dtype"], entry["shape"], values), stop
    assert end == len(body)
    return metadata, tensors


def stand_in(folder: Path) -> Path:
    """A model of 160 kB with the files that the quickstart takes."""
    folder.mkdir()
    tensors = {"ids": Tensor("I64", [2], WIDE), "weight": Tensor("F32", [len(FLOATS)], FLOATS)}
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    for name, text in (("config.json", '{"hidden_size": 4}\n'), ("tokenizer.json", "{}\n"), ("vocab.txt", "a\nb\n")):
        (folder / name).write_text(text)
    return folder


# -- the quickstart --------------------------------------------------------------------------------------------------


def quickstart(tmp_path: Path, *options: str, model: Path, code: int = 0) -> str:
    """Run the quickstart with a home and a folder for temporary files of its own; returns what it printed."""
    environ = clean_environ(tmp_path / "home")
    (tmp_path / "tmp").mkdir()
    environ |= {"GITKIT_DEMO_MODEL": str(model), "TMPDIR": str(tmp_path / "tmp")}
    done = run([sys.executable, str(QUICKSTART), *options], cwd=tmp_path, environ=environ, code=code)
    return done.stdout + done.stderr


class Told(NamedTuple):
    """What one run of the quickstart printed, and its folder."""

    text: str
    folder: Path


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """One run to the end; three tests look at it."""
    folder = tmp_path_factory.mktemp("quickstart")
    return Told(quickstart(folder, model=stand_in(folder / "model")), folder)


def test_quickstart_tells_the_whole_story(told: Told) -> None:
    text, digest = told.text, r"\nsha256:[0-9a-f]{64}\n"
    assert re.search(r"\$ git kit release v1\.0\.0\n(.*\n)*?v1\.0\.0 released to \S+: 9 files", text)
    assert re.search(r"\$ git kit promote v2\.0\.0 prod\nprod: v1\.0\.0 -> v2\.0\.0" + digest, text)
    assert re.search(r"\$ git kit rollback prod .*\nprod: v2\.0\.0 -> v1\.0\.0\nprod is held: .*" + digest, text)
    assert re.search(r"\nprod +v1\.0\.0 .* held +-\n", text)
    assert re.search(r"\n\d+ events, 3 environments: no findings\n", text)
    assert text.count("# the sha256 of all 12 files is that of") == 2
    assert "\nAll of it held, in " in text


def test_quickstart_leaves_nothing_behind(told: Told) -> None:
    assert list((told.folder / "tmp").iterdir()) == []
    assert [path.name for path in (told.folder / "home").iterdir()] == [".gitconfig"]


def test_quickstart_lines_fit_a_terminal_unless_they_hold_a_digest(told: Told) -> None:
    lines = told.text.splitlines()
    assert [line for line in lines if len(line) > 80 and "sha256:" not in line] == []


@pytest.mark.soak
def test_quickstart_with_keep_leaves_two_versions_to_look_at(tmp_path: Path) -> None:
    told = quickstart(tmp_path, "--keep", model=stand_in(tmp_path / "model"))
    (scratch,) = (tmp_path / "tmp").iterdir()
    assert f"kept: {scratch}" in told
    one, two = (version_of_the_model(scratch, version) for version in ("v1.0.0", "v2.0.0"))
    assert (one["weight"].dtype, two["weight"].dtype) == ("F32", "F16")
    assert two["ids"] == one["ids"]


def version_of_the_model(scratch: Path, version: str) -> dict[str, Tensor]:
    """The model's tensors in a version, read from the remote by its pointer."""
    argv = ["git", "cat-file", "blob", f"{version}:model/model.safetensors"]
    pointer = subprocess.run(argv, cwd=scratch / "minilm", capture_output=True, text=True, check=True).stdout
    found = re.search(r"^oid sha256:([0-9a-f]{64})$", pointer, re.MULTILINE)
    assert found is not None
    return parse((scratch / "registry" / "blobs" / "sha256" / found[1]).read_bytes())[1]


def test_quickstart_without_a_model_says_how_to_get_it(tmp_path: Path) -> None:
    told = quickstart(tmp_path, model=tmp_path, code=1)
    assert told == f"error: there is no model.safetensors in {tmp_path}\n\nhint: make demo\n"


def test_quickstart_when_a_command_fails_says_so_and_cleans_up(tmp_path: Path) -> None:
    model = stand_in(tmp_path / "model")
    # float32 holds it, float16 does not, so half.py ends with status 1.
    (model / "model.safetensors").write_bytes(safetensors({"weight": Tensor("F32", [1000], [1e6] * 1000)}))
    told = quickstart(tmp_path, model=model, code=1)
    assert told.endswith("\nerror: python ended with status 1\n")
    assert list((tmp_path / "tmp").iterdir()) == []


# -- half.py ---------------------------------------------------------------------------------------------------------


def half(path: Path, *, code: int = 0) -> str:
    done = subprocess.run([sys.executable, str(HALF), str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_half_converts_floats_and_keeps_everything_else(tmp_path: Path) -> None:
    path = stand_in(tmp_path / "model") / "model.safetensors"
    before = path.read_bytes()
    said = half(path)
    metadata, tensors = parse(path.read_bytes())
    assert metadata == parse(before)[0]
    assert tensors["ids"] == Tensor("I64", [2], WIDE)
    assert tensors["weight"].dtype == "F16"
    assert tensors["weight"].shape == [len(FLOATS)]
    assert tensors["weight"].values == [0.0, -1.5, 0.333251953125, 65504.0, 0.0, float("inf")] + [0.25] * 40_000
    assert said == f"1 tensors to float16: {len(before):,} -> {path.stat().st_size:,} bytes\n"


def test_half_leaves_a_file_that_it_cannot_convert_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    whole = safetensors({"weight": Tensor("F32", [3], [1.0, 2.0, 1e6])})
    for data, reason in ((whole, "too large"), (whole[:-4], "early"), (b"\x02" + bytes(7) + b"no", "Expecting value")):
        path.write_bytes(data)
        assert reason in half(path, code=1)
        assert path.read_bytes() == data
        assert os.listdir(tmp_path) == ["model.safetensors"]


# -- CI --------------------------------------------------------------------------------------------------------------

MODEL = some_bytes(300_000)
KITFILE = 'manifestVersion: "1.0.0"\npackage:\n  name: llm\nmodel:\n  path: model.gguf\ndocs:\n  - path: README.md\n'


def publish(repo: Repo, bare: Repo, url: str) -> str:
    """Push a tagged model from ``repo`` to ``bare`` and to the remote at ``url``; returns the kit's digest."""
    repo.git("remote", "add", "origin", str(bare.path))
    repo.kit("install")
    repo.kit("init", "--remote", url)
    repo.kit("track", "*.gguf")
    repo.commit("model", {"Kitfile": KITFILE, "model.gguf": MODEL, "README.md": "# llm\n"})
    repo.git("tag", "--annotate", "v1.0.0", "--message", "first")
    repo.git("push", "origin", "main", "v1.0.0")
    return repo.kit("build", "v1.0.0").stdout.strip()


def pointer_clone(bare: Repo, tmp_path: Path) -> Repo:
    """What CI has: a clone made where git kit was never installed, in a home of its own."""
    clone = Repo(bare.path, clean_environ(tmp_path / "runner")).clone(tmp_path / "build")
    assert clone.read("model.gguf").startswith(b"version git-kit/1\n")
    return clone


def release(clone: Repo, *, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {**clone.environ, "TMPDIR": str(clone.path.parent / "tmp"), **variables}
    (clone.path.parent / "tmp").mkdir(exist_ok=True)
    return run(["sh", str(RELEASE)], cwd=clone.path, environ=environ, code=code)


def has_content(clone: Repo) -> bool:
    """Whether the model itself is anywhere in the clone."""
    files = [path for path in clone.path.rglob("*") if path.is_file()]
    return any(path.stat().st_size == len(MODEL) for path in files)


def test_release_script_in_a_pointer_only_clone_releases_to_a_folder(tmp_path: Path, repo: Repo, bare: Repo) -> None:
    digest = publish(repo, bare, f"oci-layout:{tmp_path / 'registry'}")
    clone = pointer_clone(bare, tmp_path)
    clone.git("config", "kit.url", f"oci-layout:{tmp_path / 'registry'}")
    outputs = tmp_path / "outputs"
    first = release(clone, TAG="v1.0.0", GITHUB_OUTPUT=str(outputs))
    assert first.stdout == f"{digest}\n"
    assert f"digest={digest}\n" in outputs.read_text()
    assert release(clone, TAG="v1.0.0").stdout == first.stdout
    assert not has_content(clone)
    assert repo.kit("verify", "v1.0.0").stdout == f"{digest}\n"


def test_release_script_with_a_login_releases_to_a_registry_and_forgets_the_login(
    tmp_path: Path, repo: Repo, bare: Repo, real_registry_with_login: RealRegistry
) -> None:
    host = real_registry_with_login.host
    repo.kit("login", host, "--username", USER, "--password-stdin", stdin=PASSWORD.encode())
    digest = publish(repo, bare, f"oci://{host}/{REPOSITORY}")
    clone = pointer_clone(bare, tmp_path)
    done = release(clone, TAG="v1.0.0", REGISTRY=host, REGISTRY_USER=USER, REGISTRY_PASSWORD=PASSWORD)
    assert done.stdout == f"{digest}\n"
    assert not has_content(clone)
    assert PASSWORD not in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "runner" / ".docker").exists()
    assert repo.kit("verify", "v1.0.0").stdout == f"{digest}\n"


def test_release_script_without_a_tag_says_so(tmp_path: Path) -> None:
    nowhere = init(tmp_path / "repo", clean_environ(tmp_path / "home"))
    done = release(nowhere, code=None)
    assert done.returncode != 0
    assert "set it to the release tag" in done.stderr


@pytest.mark.parametrize(("schema", "path"), WORKFLOWS.items(), ids=["github", "gitlab"])
def test_ci_file_fits_the_schema_of_its_system(schema: str, path: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    run(argv, cwd=tmp_path, environ=clean_environ(tmp_path / "home"))


@pytest.mark.parametrize("path", [RELEASE, *WORKFLOWS.values()], ids=["sh", "github", "gitlab"])
def test_ci_files_all_run_the_same_release_without_content(path: Path) -> None:
    text = path.read_text()
    assert 'git kit release "$TAG"' in text
    assert "GIT_KIT_SKIP_SMUDGE" in text
    assert "--password-stdin" in text


# -- CI that moves environments --------------------------------------------------------------------------------------

RULES = """\
[environments.dev]
branch = "main"
[environments.staging]
branch = "staging"
from = ["dev"]
auto = "newest"
[environments.prod]
branch = "prod"
from = ["staging"]
"""
HOSTILE = """slow"; touch pwned; '$(touch pwned)' `touch pwned` ${{ x }} -- --reject"""
SYSTEMS = ("sh", "github", "gitlab")


@pytest.fixture
def pipeline(tmp_path: Path, repo: Repo, bare: Repo) -> Repo:
    """The clone of a CI job, in a home that knows no person; v1.0.0 and v2.0.0 are released and nothing runs yet."""
    repo.git("remote", "add", "origin", str(bare.path))
    repo.kit("install")
    files = {
        ".gitattributes": "*.gguf filter=kit -text\n",
        ".gitkit.toml": RULES,
        "Kitfile": KITFILE,
        "README.md": "#\n",
    }
    for number in (1, 2):
        repo.commit(f"model {number}", {**files, "model.gguf": some_bytes(5000, seed=number)})
        repo.git("tag", f"v{number}.0.0")
        repo.git("push", "--quiet", "origin", "main", f"v{number}.0.0")
        repo.kit("release", f"v{number}.0.0")
    clone = pointer_clone(bare, tmp_path)
    clone.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_KIT_SKIP_SMUDGE": "1"}
    return clone


def script_of(system: str, name: str) -> str:
    """What the example for a CI system runs, without installing git kit and logging in."""
    if system == "sh":
        return (EXAMPLES / "ci" / f"{name}.sh").read_text()
    if system == "github":
        (job,) = yaml.safe_load(GITHUB[name].read_text())["jobs"].values()
        (text,) = [str(step["run"]) for step in job["steps"] if step.get("id") == "kit"]
        return text
    return "\n".join(yaml.safe_load(GITLAB.read_text())[name]["script"])


def run_ci(clone: Repo, system: str, name: str, *, code: int | None = 0, **variables: str) -> Ran:
    """Run it as a job that Bob started."""
    asked = dict.fromkeys(("VERSION", "ENVIRONMENT", "REASON", "TO", "REJECT"), "") if system != "sh" else {}
    person = {"GIT_COMMITTER_NAME": "bob", "GIT_COMMITTER_EMAIL": "7+bob@users.noreply.example.com"}
    environ = {**clone.environ, **asked, **person, **variables}
    return run(["sh", "-e", "-c", script_of(system, name)], cwd=clone.path, environ=environ, code=code)


def events(clone: Repo) -> list[str]:
    clone.git("fetch", "--quiet")
    return clone.out("log", "--reverse", "--format=%an: %s", "origin/kit/journal").splitlines()[2:]


@pytest.mark.parametrize("system", SYSTEMS)
def test_promotion_and_rollback_of_ci_move_environments_for_the_person_who_asked(
    pipeline: Repo, tmp_path: Path, system: str
) -> None:
    outputs = tmp_path / "outputs"
    sync = "sync-environments" if system == "gitlab" else "promote"
    run_ci(pipeline, system, sync)
    run_ci(pipeline, system, sync)
    asked = {"VERSION": "v2.0.0", "ENVIRONMENT": "prod", "REASON": HOSTILE}
    run_ci(pipeline, system, "promote", **asked, GITHUB_OUTPUT=str(outputs))
    assert "moved=true\n" in outputs.read_text()
    pipeline.kit("promote", "v1.0.0", "staging", extra={"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.c"})
    run_ci(pipeline, system, "promote", VERSION="v1.0.0", ENVIRONMENT="prod", REASON="older")
    done = run_ci(pipeline, system, "rollback", ENVIRONMENT="prod", REASON=HOSTILE, TO="v2.0.0", REJECT="true")
    assert done.stdout.strip().splitlines()[-1].startswith("sha256:")
    assert events(pipeline) == [
        *("bob: promote v2.0.0 staging", "bob: promote v2.0.0 prod", "a: promote v1.0.0 staging"),
        *("bob: promote v1.0.0 prod", "bob: rollback v2.0.0 prod"),
    ]
    event = json.loads(pipeline.out("log", "-1", "--format=%b", "origin/kit/journal").splitlines()[0])
    assert (event["reason"], event["details"]["reject"], event["details"]["hold"]) == (HOSTILE, True, True)
    assert not (pipeline.path / "pwned").exists()
    if system == "gitlab":
        assert "KIT_VERSION=v2.0.0\nKIT_ENVIRONMENT=prod\n" in (pipeline.path / "kit.env").read_text()


@pytest.mark.parametrize("system", SYSTEMS)
def test_audit_of_ci_fails_where_the_journal_was_cut_off_since_the_last_run(
    pipeline: Repo, bare: Repo, tmp_path: Path, system: str
) -> None:
    def night(name: str, seen: str, code: int | None = 0) -> Ran:
        clone = Repo(bare.path, pipeline.environ).clone(tmp_path / name)
        return run_ci(clone, system, "audit", SEEN=str(tmp_path / seen), code=code)

    for name in ("first", "second"):
        night(name, "seen")
    journal = (tmp_path / "seen").read_text()
    bare.git("update-ref", "refs/heads/kit/journal", "refs/heads/kit/journal~1")
    assert night("third", "seen", code=None).returncode != 0
    assert (tmp_path / "seen").read_text() == journal
    night("without a memory", "new")


@pytest.mark.parametrize("path", [*GITHUB.values(), GITLAB], ids=[*GITHUB, "gitlab"])
def test_ci_file_for_environments_fits_the_schema_of_its_system(path: Path, tmp_path: Path) -> None:
    schema = "vendor.gitlab-ci" if path == GITLAB else "vendor.github-workflows"
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    run(argv, cwd=tmp_path, environ=clean_environ(tmp_path / "home"))


@pytest.mark.parametrize("path", GITHUB.values(), ids=GITHUB)
def test_workflow_gives_to_its_scripts_nothing_but_variables(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    (job,) = workflow["jobs"].values()
    assert all("${{" not in step.get("run", "") for step in job["steps"])
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert set(workflow["permissions"]) == {"contents", "packages"}
    assert next(step for step in job["steps"] if "checkout" in step.get("uses", ""))["with"]["fetch-depth"] == 0
