"""Kits: golden bytes, the same digest everywhere, release, verify, and what other people's tools read of them."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.golden import make_kit
from tests.lib.registries import REPOSITORY, FaultRegistry, RealRegistry
from tests.lib.repos import Repo, clean_environ, init, run, some_bytes

Json = dict[str, Any]

VERSION = make_kit.VERSION
SCHEMAS = Path(make_kit.__file__).parent / "schemas"
KITFILE_ANNOTATION = "ml.kitops.modelkit.kitfile"
FILEPATH = "org.cncf.model.filepath"
MEDIA_TYPES = {
    "models/config.json": "weight.config",
    "models/model.onnx": "weight",
    "models/tokenizer/vokabel-ü.txt": "weight.config",
    "models/zero.txt": "weight.config",
    "models/adapter.safetensors": "weight",
    "src/keep.log": "code",
    "src/run.sh": "code",
    "models/eval/rows.csv": "dataset",
    "README.md": "doc",
    "prompts/system.txt": "code",
}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Where `git kit install` was run once: its configuration and hooks are given to all repositories here."""
    folder = tmp_path_factory.mktemp("installed")
    repo = init(folder / "repo", clean_environ(folder / "home"))
    repo.kit("install")
    repo.git("config", "--global", "init.templateDir", str(folder / "repo" / ".git"))
    return repo


@pytest.fixture
def environ(environ: dict[str, str], installed: Repo) -> dict[str, str]:
    config = Path(installed.environ["GIT_CONFIG_GLOBAL"]).read_text()
    Path(environ["GIT_CONFIG_GLOBAL"]).write_text(config)
    return environ


@pytest.fixture(scope="session")
def golden_template(tmp_path_factory: pytest.TempPathFactory, installed: Repo) -> Repo:
    """The repository of ``tests.golden.make_kit``."""
    return make_kit.make_repo(tmp_path_factory.mktemp("golden") / "repo", installed.environ)


@pytest.fixture
def golden(tmp_path: Path, environ: dict[str, str], golden_template: Repo) -> Repo:
    """A copy of ``golden_template``."""
    shutil.copytree(golden_template.path, tmp_path / "golden", symlinks=True)
    return Repo(tmp_path / "golden", {**environ, **make_kit.DATES})


@pytest.fixture
def released(golden: Repo, fault_registry: FaultRegistry) -> Repo:
    """The same after its release to ``fault_registry``."""
    golden.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    golden.kit("release", VERSION)
    return golden


def sha256(data: bytes | str) -> str:
    return "sha256:" + hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def size_of(data: bytes | str) -> int:
    return len(data.encode() if isinstance(data, str) else data)


def go_json(value: object) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()


# -- bytes -----------------------------------------------------------------------------------------------------------


def test_golden_kit_built_again_is_the_same_bytes(golden: Repo) -> None:
    assert golden.out("rev-parse", "HEAD") == make_kit.COMMIT
    assert make_kit.built(golden) == make_kit.stored()


def test_golden_kit_is_compact_json_as_go_writes_it() -> None:
    for data in make_kit.stored().values():
        assert go_json(json.loads(data)) == data
    manifest = json.loads(make_kit.stored()["manifest.json"])
    kitfile = manifest["annotations"][KITFILE_ANNOTATION]
    assert go_json(json.loads(kitfile)).decode() == kitfile
    assert list(manifest["annotations"]) == sorted(manifest["annotations"])


def test_golden_manifest_has_a_raw_layer_for_each_file_in_the_order_of_the_sections() -> None:
    manifest = json.loads(make_kit.stored()["manifest.json"])
    layers = manifest["layers"]
    assert [layer["annotations"][FILEPATH] for layer in layers] == [path for _, path in make_kit.LAYERS]
    for layer in layers:
        path = layer["annotations"][FILEPATH]
        data = make_kit.FILES[path]
        assert (layer["digest"], layer["size"]) == (sha256(data), size_of(data))
        assert layer["mediaType"] == f"application/vnd.cncf.model.{MEDIA_TYPES[path]}.v1.raw"
        assert layer["annotations"]["org.opencontainers.image.title"] == f"models/{path}"
        assert json.loads(layer["annotations"]["org.cncf.model.file.metadata+json"]) == {
            "name": path.rpartition("/")[2],
            "mode": 0o755 if path in make_kit.EXECUTABLE else 0o644,
            "uid": 0,
            "gid": 0,
            "size": size_of(data),
            "mtime": "1970-01-01T00:00:00Z",
            "typeflag": 0,
        }
    subtype = "ml.kitops.modelkit.layer-subtype"
    assert [layer["annotations"].get(subtype) for layer in layers] == [None] * (len(layers) - 1) + ["prompt"]


def test_golden_manifest_and_config_say_where_they_come_from() -> None:
    manifest, config = (json.loads(make_kit.stored()[name]) for name in ("manifest.json", "config.json"))
    assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.cncf.model.config.v1+json"
    assert manifest["config"]["digest"] == sha256(make_kit.stored()["config.json"])
    assert {key: value for key, value in manifest["annotations"].items() if key != KITFILE_ANNOTATION} == {
        "org.opencontainers.image.created": "2026-01-02T01:05:07Z",
        "org.opencontainers.image.revision": make_kit.COMMIT,
        "org.opencontainers.image.version": VERSION,
        "org.opencontainers.image.title": "tiny-llm",
        "org.opencontainers.image.description": "Small & <sound>: für alle",
        "org.opencontainers.image.licenses": "Apache-2.0 AND BSD-3-Clause AND MIT",
        "org.opencontainers.image.source": "https://git.example.com/acme/tiny-llm",
    }
    assert config == {
        "descriptor": {
            "createdAt": "2026-01-02T01:05:07Z",
            "authors": ["Ada Lovelace", "Charles Babbage"],
            "name": "tiny-llm",
            "sourceURL": "https://git.example.com/acme/tiny-llm",
            "version": VERSION,
            "revision": make_kit.COMMIT,
            "licenses": ["Apache-2.0", "BSD-3-Clause", "MIT"],
            "title": "tiny-llm",
            "description": "Small & <sound>: für alle",
        },
        "modelfs": {"type": "layers", "diffIds": [layer["digest"] for layer in manifest["layers"]]},
        "config": {"format": "onnx"},
    }


def test_golden_kitfile_names_a_digest_for_every_file_of_the_kit() -> None:
    manifest = json.loads(make_kit.stored()["manifest.json"])
    kitfile = json.loads(manifest["annotations"][KITFILE_ANNOTATION])
    assert list(kitfile) == ["manifestVersion", "package", "model", "code", "datasets", "docs", "prompts"]
    model = kitfile["model"]
    entries = [model, *model["parts"], *(entry for name in list(kitfile)[3:] for entry in kitfile[name])]
    assert {entry["path"]: entry["digest"] for entry in entries} == {
        layer["annotations"][FILEPATH]: layer["digest"] for layer in manifest["layers"]
    }
    assert all(list(entry)[-2:] == ["digest", "diffId"] and entry["digest"] == entry["diffId"] for entry in entries)
    assert model["path"] == "models/model.onnx"
    assert list(model["parameters"]) == ["layers", "names", "temperature"]


@pytest.mark.parametrize(
    ("schema", "file"), [("oci-manifest.json", "manifest.json"), ("model-config.json", "config.json")]
)
def test_golden_kit_is_strictly_inside_of_the_published_schemas(schema: str, file: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads((SCHEMAS / schema).read_text()))
    document = json.loads(make_kit.stored()[file])
    assert list(validator.iter_errors(document)) == []
    key = "config" if file == "manifest.json" else "descriptor"
    assert list(validator.iter_errors({**document, "extra": 1}))
    assert list(validator.iter_errors({**document, key: {**document[key], "extra": 1}}))
    assert list(validator.iter_errors({name: value for name, value in document.items() if name != key}))


# -- the same everywhere ---------------------------------------------------------------------------------------------


def test_digest_from_clones_of_different_people_places_and_clocks_is_the_same(golden: Repo, tmp_path: Path) -> None:
    expected = sha256(make_kit.stored()["manifest.json"])
    people = {
        "one": ("022", {"TZ": "Pacific/Kiritimati", "LC_ALL": "C"}),
        "a folder with späces/two": ("077", {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "LANG": "ja_JP"}),
    }
    for folder, (umask, more) in people.items():
        home = tmp_path / folder / "home"
        environ = clean_environ(home)
        Path(environ["GIT_CONFIG_GLOBAL"]).write_text(Path(golden.environ["GIT_CONFIG_GLOBAL"]).read_text())
        environ |= {**more, "SOURCE_DATE_EPOCH": "12345", "USER": folder}
        script = f'umask {umask} && git clone --quiet "$1" "$2" && cd "$2" && git kit build {VERSION}'
        argv = ["sh", "-c", script, "sh", str(golden.path), str(tmp_path / folder / "clone")]
        person = Repo(tmp_path / folder, environ)
        person.git("config", "--global", "user.name", folder)
        person.git("config", "--global", "core.quotePath", "false")
        assert run(argv, cwd=tmp_path, environ=environ).stdout == f"{expected}\n"


def test_build_in_a_clone_without_content_and_remote_gives_the_same_digest(golden: Repo, tmp_path: Path) -> None:
    clone = golden.clone(tmp_path / "clone", "--no-checkout")
    clone.git("remote", "remove", "origin")
    shutil.rmtree(golden.path)
    built = json.loads(clone.kit("build", VERSION, "--json").stdout)
    assert built == {
        "digest": sha256(make_kit.stored()["manifest.json"]),
        "version": VERSION,
        "commit": make_kit.COMMIT,
        "format": "modelpack",
        "reference": None,
        "size": sum(size_of(make_kit.FILES[path]) for _, path in make_kit.LAYERS),
        "files": len(make_kit.LAYERS),
    }
    held = set(os.listdir(clone.path / ".git/kit/blobs/sha256"))
    assert sha256(make_kit.WEIGHTS)[7:] not in held
    assert sha256(make_kit.FILES["models/config.json"])[7:] in held


def test_build_of_an_annotated_and_signed_off_tag_is_of_its_commit(golden: Repo) -> None:
    golden.git("tag", "--annotate", "--message", "two", "v2.0.0")
    built = json.loads(golden.kit("build", "v2.0.0", "--json").stdout)
    assert built["commit"] == make_kit.COMMIT
    assert built["digest"] != sha256(make_kit.stored()["manifest.json"])


# -- what is in a kit ------------------------------------------------------------------------------------------------


def layers_of(repo: Repo, kitfile: str, files: Mapping[str, bytes | str]) -> list[tuple[str, str]]:
    """Kind and path of each layer of a kit with these files."""
    repo.commit("kit", {"Kitfile": kitfile, **files})
    digest = repo.kit("build", "--rev", "HEAD").stdout.strip()
    manifest = json.loads((repo.path / ".git/kit/blobs/sha256" / digest[7:]).read_bytes())
    prefix, suffix = "application/vnd.cncf.model.", ".v1.raw"
    return [
        (layer["mediaType"].removeprefix(prefix).removesuffix(suffix), layer["annotations"][FILEPATH])
        for layer in manifest["layers"]
    ]


@pytest.mark.parametrize(
    ("kitfile", "files", "expected"),
    [
        pytest.param(
            "model: {path: m}\n",
            ["m/b.bin", "m/a.json", "m/deep/er/c.onnx", "mm/not.bin", "m.txt"],
            [("weight.config", "m/a.json"), ("weight", "m/b.bin"), ("weight", "m/deep/er/c.onnx")],
            id="a-folder-expands-to-its-files-only",
        ),
        pytest.param(
            "model: {path: m}\ndatasets: [{path: m/data}]\ndocs: [{path: m/data/README.md}]\ncode: [{path: .}]\n",
            ["m/w.bin", "m/data/x.csv", "m/data/README.md", "m/data2/y.csv", "run.py"],
            [
                ("weight.config", "m/data2/y.csv"),
                ("weight", "m/w.bin"),
                ("code", "run.py"),
                ("dataset", "m/data/x.csv"),
                ("doc", "m/data/README.md"),
            ],
            id="the-longest-path-owns-a-file",
        ),
        pytest.param(
            "code: [{path: src}]\ndocs: [{path: notes.log}]\n",
            {".kitignore": "*.log\nsrc/*\n!src/keep*\n**/secret\n", "src/a.py": "", "src/keep.py": "", "notes.log": "",
             "src/keep/secret": "", "src/keep/b.py": ""},
            [("code", "src/keep.py"), ("code", "src/keep/b.py"), ("doc", "notes.log")],
            id="kitignore-applies-but-not-to-a-file-that-is-named",
        ),
        pytest.param(
            "model: {path: odd-weights}\n", ["odd-weights"], [("weight", "odd-weights")], id="a-named-model-is-a-weight"
        ),
    ],
)  # fmt: skip
def test_kit_holds(
    repo: Repo, kitfile: str, files: list[str] | dict[str, str], expected: list[tuple[str, str]]
) -> None:
    contents = files if isinstance(files, dict) else dict.fromkeys(files, "content")
    assert layers_of(repo, kitfile, contents) == expected


def test_link_is_left_out_with_a_warning(repo: Repo) -> None:
    repo.commit("kit", {"Kitfile": "model: {path: m}\n", "m/w.bin": "weights"})
    (repo.path / "m" / "link.bin").symlink_to("/etc/passwd")
    repo.commit("link")
    built = repo.kit("build", "--rev", "HEAD", "--json")
    assert json.loads(built.stdout)["files"] == 1
    assert "warning: m/link.bin is a link or submodule, which no kit holds: left out" in built.stderr


def test_name_that_is_not_utf8_is_refused(repo: Repo) -> None:
    name = os.fsdecode(b"m/caf\xe9.bin")
    repo.commit("kit", {"Kitfile": "model: {path: m}\n", "m/w.bin": "weights", name: "more"})
    refused = repo.kit("build", "--rev", "HEAD", code=16)
    assert "the name is not UTF-8, so no kit can hold it" in refused.stderr
    assert "caf\\xe9" in refused.stderr or "caf\\351" in refused.stderr


def test_kitfile_with_wrong_paths_and_keys_is_refused_with_every_problem_and_line(repo: Repo) -> None:
    kitfile = """\
manifestVersion: 1.0.0
package: {name: x, licence: MIT}
model: {path: /etc/passwd}
code:
  - path: ../outside
  - path: src
datasets:
  - path: ./src/
  - {path: data, rows: 3}
docs:
  - path: https://example.com/README.md
"""
    repo.commit("kit", {"Kitfile": kitfile, "src/a.py": "", "data/x": ""})
    repo.git("tag", "v1")
    for command in (["build", "v1"], ["release", "v1"]):
        refused = repo.kit(*command, code=16).stderr
        assert refused.startswith("error: Kitfile has 6 problems:\n")
        found = [line.strip() for line in refused.splitlines()[1:7]]
        assert found == [
            'line 2: package.licence: unknown key, did you mean "license"?',
            'line 3: model.path: "/etc/passwd" is absolute: an entry is a path in this repository',
            'line 5: code[0].path: "../outside" leaves the repository',
            'line 8: datasets[0].path: "./src/" is listed twice (also as code[1])',
            "line 9: datasets[1].rows: unknown key",
            'line 11: docs[0].path: "https://example.com/README.md" is a URL: an entry is a path in this repository',
        ]
    assert not (repo.path / ".git/kit/index.json").exists()


def test_kitfile_with_paths_that_are_not_in_the_commit_is_refused_naming_all(repo: Repo) -> None:
    kitfile = "model: {path: m/w.bin}\ncode: [{path: src}, {path: nowhere}]\ndocs: [{path: README.md}]\n"
    repo.commit("kit", {"Kitfile": kitfile, "m/other.bin": "", ".kitignore": "src\n", "src/a.py": ""})
    repo.write("README.md", "only in the worktree")
    refused = repo.kit("build", "--rev", "HEAD", code=16).stderr
    assert '"m/w.bin" is not in this commit' in refused
    assert '"src" holds no files' in refused
    assert '"nowhere" is not in this commit' in refused
    assert '"README.md" is not in this commit' in refused


def test_commit_without_a_kitfile_is_refused_with_the_commands_to_type(repo: Repo) -> None:
    oid = repo.commit("first", {"a.txt": "text"})
    repo.git("tag", "v1")
    refused = repo.kit("build", "v1", code=16).stderr
    assert f"error: commit {oid[:12]} has no Kitfile" in refused
    assert "hint: git kit kitfile write && git add Kitfile && git commit" in refused


@pytest.mark.parametrize("command", ["build", "release"])
def test_name_that_is_no_release_tag_is_refused(golden: Repo, command: str) -> None:
    golden.git("tag", "nightly")
    golden.git("tag", "v2+meta")
    absent = golden.kit(command, "v9.9.9", code=10).stderr
    assert 'error: there is no tag "v9.9.9"' in absent and "hint: list the versions: git tag -l 'v*'" in absent
    other = golden.kit(command, "nightly", code=17).stderr
    assert 'error: "nightly" is not a release tag: .gitkit.toml says that versions match "v*"' in other
    assert "hint: " in other
    branch = golden.kit(command, "main", code=17).stderr
    assert 'error: "main" is not a tag' in branch and "hint: make one: git tag" in branch
    unfit = golden.kit(command, "v2+meta", code=17).stderr
    assert 'a registry cannot hold the version "v2+meta"' in unfit and "hint: " in unfit
    assert [kit["built"] for kit in json.loads(golden.kit("kits", "--json").stdout)] == [None, None]


# -- release ---------------------------------------------------------------------------------------------------------


def test_release_puts_every_blob_and_the_manifest_under_the_version_and_again_does_nothing(
    released: Repo, fault_registry: FaultRegistry
) -> None:
    contents = fault_registry.repository(REPOSITORY)
    manifest, config = make_kit.stored()["manifest.json"], make_kit.stored()["config.json"]
    assert contents.manifests[contents.tags[VERSION]] == ("application/vnd.oci.image.manifest.v1+json", manifest)
    assert set(contents.blobs) == {sha256(config), *(sha256(make_kit.FILES[path]) for _, path in make_kit.LAYERS)}
    before = len(fault_registry.requests)
    again = released.kit("release", VERSION, "--json")
    assert json.loads(again.stdout)["new"] is False
    assert {call.method for call in fault_registry.requests[before:]} == {"HEAD"}  # is all of it still there?


def test_release_of_a_version_that_the_registry_has_otherwise_is_a_conflict_and_changes_nothing(
    released: Repo, fault_registry: FaultRegistry
) -> None:
    contents = fault_registry.repository(REPOSITORY)
    before = (dict(contents.tags), dict(contents.manifests), dict(contents.blobs))
    released.commit("second", {"README.md": "# changed\n"})
    released.git("tag", "--force", VERSION)
    refused = released.kit("release", VERSION, code=13).stderr
    assert f"has another kit under {VERSION}" in refused
    assert "hint: a version never changes" in refused
    assert (contents.tags, contents.manifests, contents.blobs) == before


def test_release_from_a_clone_of_pointers_sends_no_content_and_reads_none(
    golden: Repo, fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    url = f"oci://{fault_registry.host}/{REPOSITORY}"
    golden.git("config", "kit.url", url)
    golden.kit("push")
    clone = golden.clone(tmp_path / "clone", "--no-checkout")
    clone.git("config", "kit.url", url)
    output = tmp_path / "github output"
    output.write_text("earlier=1\n")
    before = len(fault_registry.requests)
    done = clone.kit("release", VERSION, extra={"GITHUB_OUTPUT": str(output)})
    digest = sha256(make_kit.stored()["manifest.json"])
    assert done.stdout == f"{digest}\n"
    assert output.read_text().startswith(f"earlier=1\ndigest={digest}\nreference={url}@{digest}\n")
    since = fault_registry.requests[before:]
    assert [call for call in since if call.method == "GET" and "/blobs/" in call.path] == []
    large = sha256(make_kit.WEIGHTS)[7:]
    assert [call for call in since if call.method in ("PUT", "PATCH") and large in call.path] == []
    assert not (clone.path / ".git/kit/blobs/sha256" / large).exists()


def test_release_without_content_here_and_there_is_refused_and_makes_no_tag(
    golden: Repo, fault_registry: FaultRegistry
) -> None:
    golden.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    (golden.path / ".git/kit/blobs/sha256" / sha256(make_kit.WEIGHTS)[7:]).unlink()
    refused = golden.kit("release", VERSION, code=10).stderr
    assert "error: content is neither in this clone nor on " in refused
    assert f"models/model.onnx  {sha256(make_kit.WEIGHTS)}" in refused
    assert "hint: " in refused
    assert fault_registry.repository(REPOSITORY).tags == {}


@pytest.mark.real_registry
def test_release_from_a_clone_of_pointers_against_a_real_registry_verifies(
    golden: Repo, bare: Repo, real_registry: RealRegistry, tmp_path: Path
) -> None:
    url = f"oci://{real_registry.host}/{REPOSITORY}"
    golden.commit("remote", {".gitkit.toml": f'[remote]\nurl = "{url}"\n'})
    golden.git("tag", "v1.1.0")
    golden.git("push", "--quiet", str(bare.path), "main", "v1.1.0")
    pointers_only = {"GIT_KIT_SKIP_SMUDGE": "1"}
    run(["git", "clone", "--quiet", str(bare.path), "ci"], cwd=tmp_path, environ={**golden.environ, **pointers_only})
    clone = Repo(tmp_path / "ci", golden.environ)
    digest = clone.kit("release", "v1.1.0").stdout
    assert clone.kit("verify", "v1.1.0").stdout == digest
    assert clone.kit("release", "v1.1.0").stdout == digest
    assert golden.kit("build", "v1.1.0").stdout == digest
    assert not (clone.path / ".git/kit/blobs/sha256" / sha256(make_kit.WEIGHTS)[7:]).exists()


def test_kits_and_inspect_show_what_was_built_and_released(released: Repo) -> None:
    digest = sha256(make_kit.stored()["manifest.json"])
    released.git("tag", "v2.0.0")
    released.git("tag", "nightly")
    listed = json.loads(released.kit("kits", "--remote", "--json").stdout)
    assert [(kit["version"], kit["built"], kit["released"]) for kit in listed] == [
        (VERSION, digest, digest),
        ("v2.0.0", None, None),
    ]
    assert digest[7:19] in released.kit("kits").stdout
    inspected = json.loads(released.kit("inspect", VERSION, "--remote", "--json").stdout)
    assert (inspected["digest"], inspected["version"], inspected["commit"]) == (digest, VERSION, make_kit.COMMIT)
    assert inspected["manifest"] == json.loads(make_kit.stored()["manifest.json"])
    assert inspected["config"] == json.loads(make_kit.stored()["config.json"])
    shown = released.kit("inspect", digest).stdout
    for _, path in make_kit.LAYERS:
        assert path in shown


# -- verify ----------------------------------------------------------------------------------------------------------


def test_verify_of_a_release_prints_its_digest(released: Repo, fault_registry: FaultRegistry) -> None:
    digest = sha256(make_kit.stored()["manifest.json"])
    url = f"oci://{fault_registry.host}/{REPOSITORY}"
    for reference in (VERSION, digest, f"{url}:{VERSION}", f"{url}@{digest}"):
        assert released.kit("verify", reference).stdout == f"{digest}\n"
    told = json.loads(released.kit("verify", VERSION, "--json").stdout)
    assert (told["verified"], told["differences"], told["rebuilt"]) == (True, [], digest)


def forge(registry: FaultRegistry, change: Callable[[Json], None], **blobs: bytes) -> None:
    """Put a changed manifest under the version, as somebody with access to the registry could."""
    contents = registry.repository(REPOSITORY)
    manifest = json.loads(make_kit.stored()["manifest.json"])
    change(manifest)
    data = go_json(manifest)
    for blob in blobs.values():
        contents.blobs[sha256(blob)] = blob
    contents.manifests[sha256(data)] = (manifest["mediaType"], data)
    contents.tags[VERSION] = sha256(data)


def differences(repo: Repo) -> list[str]:
    told = json.loads(repo.kit("verify", VERSION, "--json", code=11).stdout)
    assert told["verified"] is False
    shown = repo.kit("verify", VERSION, code=11)
    assert shown.stdout == ""
    for difference in told["differences"]:
        assert f"  {difference}\n" in shown.stderr
    return list(told["differences"])


def test_verify_of_a_changed_annotation_names_it(released: Repo, fault_registry: FaultRegistry) -> None:
    def change(manifest: Json) -> None:
        manifest["annotations"]["org.opencontainers.image.licenses"] = "WTFPL"
        del manifest["annotations"]["org.opencontainers.image.title"]

    forge(fault_registry, change)
    assert differences(released) == [
        'annotations.org.opencontainers.image.licenses: "WTFPL" there, "Apache-2.0 AND BSD-3-Clause AND MIT" rebuilt',
        'annotations.org.opencontainers.image.title: null there, "tiny-llm" rebuilt',
    ]


def test_verify_of_a_changed_layer_names_its_file(released: Repo, fault_registry: FaultRegistry) -> None:
    evil = some_bytes(10240, seed=1)

    def change(manifest: Json) -> None:
        layer = next(layer for layer in manifest["layers"] if layer["annotations"][FILEPATH] == "models/model.onnx")
        layer["digest"] = sha256(evil)

    forge(fault_registry, change, evil=evil)
    there, rebuilt = sha256(evil)[:19], sha256(make_kit.WEIGHTS)[:19]
    assert differences(released) == [f"layers[1]: models/model.onnx {there} there, models/model.onnx {rebuilt} rebuilt"]


def test_verify_of_a_layer_too_many_names_it(released: Repo, fault_registry: FaultRegistry) -> None:
    evil = b"malware"
    added = {"mediaType": "application/x.evil", "digest": sha256(evil), "size": len(evil)}
    forge(fault_registry, lambda manifest: manifest["layers"].append(added), evil=evil)
    assert differences(released) == [f"layers[10]: {sha256(evil)[:19]} there, nothing rebuilt"]


def test_verify_of_a_changed_config_names_the_fields(released: Repo, fault_registry: FaultRegistry) -> None:
    config = json.loads(make_kit.stored()["config.json"])
    config["descriptor"]["authors"] = ["Mallory"]
    data = go_json(config)

    def change(manifest: Json) -> None:
        manifest["config"] |= {"digest": sha256(data), "size": len(data)}

    forge(fault_registry, change, config=data)
    rebuilt = sha256(make_kit.stored()["config.json"])
    assert differences(released) == [
        f"config: {sha256(data)} there, {rebuilt} rebuilt",
        'config.descriptor.authors: ["Mallory"] there, ["Ada Lovelace", "Charles Babbage"] rebuilt',
    ]


def test_verify_of_the_same_values_in_other_bytes_finds_them(released: Repo, fault_registry: FaultRegistry) -> None:
    contents = fault_registry.repository(REPOSITORY)
    data = json.dumps(json.loads(make_kit.stored()["manifest.json"]), indent=1).encode()
    contents.manifests[sha256(data)] = ("application/vnd.oci.image.manifest.v1+json", data)
    contents.tags[VERSION] = sha256(data)
    assert differences(released) == ["the same values in other bytes (order of keys, white space)"]


def test_verify_of_a_missing_layer_and_a_moved_git_tag_names_both(
    released: Repo, fault_registry: FaultRegistry
) -> None:
    digest = sha256(make_kit.WEIGHTS)
    del fault_registry.repository(REPOSITORY).blobs[digest]
    moved = released.commit("second", {"README.md": "# changed\n"})
    released.git("tag", "--force", VERSION)
    assert differences(released) == [
        f"the Git tag {VERSION} is on commit {moved[:12]} now, the kit is of {make_kit.COMMIT[:12]}",
        f"layer {digest} is not on oci://{fault_registry.host}/{REPOSITORY}",
    ]


def test_verify_of_a_kit_whose_commit_is_unknown_or_not_named_is_refused(
    released: Repo, fault_registry: FaultRegistry
) -> None:
    revision = "org.opencontainers.image.revision"
    forge(fault_registry, lambda manifest: manifest["annotations"].update({revision: "0" * 39 + "1"}))
    unknown = released.kit("verify", VERSION, code=10).stderr
    assert "which is not in this clone" in unknown and "hint: git fetch" in unknown
    forge(fault_registry, lambda manifest: manifest["annotations"].pop(revision) and None)
    assert "names no commit and version in its annotations" in released.kit("verify", VERSION, code=11).stderr
    absent = released.kit("verify", "v9", code=10).stderr
    assert absent.startswith("error: ")


# -- other people's tools --------------------------------------------------------------------------------------------


@pytest.mark.real_registry
def test_oras_client_reads_the_manifest_and_pulls_the_files(
    golden: Repo, real_registry: RealRegistry, tmp_path: Path
) -> None:
    import oras.client

    golden.git("config", "kit.url", f"oci://{real_registry.host}/{REPOSITORY}")
    golden.kit("release", VERSION)
    target = f"{real_registry.host}/{REPOSITORY}:{VERSION}"
    client = oras.client.OrasClient(insecure=True)
    try:
        manifest = client.get_manifest(target)
        assert manifest == json.loads(make_kit.stored()["manifest.json"])
        config = client.get_blob(target, manifest["config"]["digest"])
        assert config.content == make_kit.stored()["config.json"]
        client.pull(target=target, outdir=str(tmp_path / "pulled"))
    finally:
        client.session.close()
    for _, path in make_kit.LAYERS:
        pulled = (tmp_path / "pulled" / "models" / path).read_bytes()
        assert sha256(pulled) == sha256(make_kit.FILES[path])


def _skopeo(environ: Mapping[str, str], *args: str) -> str:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not on PATH")
    done = subprocess.run(["skopeo", *args], env=dict(environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.real_registry
def test_skopeo_reads_and_copies_what_a_real_registry_has(
    golden: Repo, real_registry: RealRegistry, tmp_path: Path
) -> None:
    golden.git("config", "kit.url", f"oci://{real_registry.host}/{REPOSITORY}")
    golden.kit("push")
    golden.kit("release", VERSION)
    name = f"docker://{real_registry.host}/{REPOSITORY}"
    raw = _skopeo(golden.environ, "inspect", "--raw", "--tls-verify=false", f"{name}:{VERSION}")
    assert raw.encode() == make_kit.stored()["manifest.json"]
    tags = json.loads(_skopeo(golden.environ, "list-tags", "--tls-verify=false", name))["Tags"]
    assert VERSION in tags
    kept = next(tag for tag in tags if tag.startswith("kit.objects-"))
    for tag in (VERSION, kept):
        copy = f"dir:{tmp_path / tag}"
        _skopeo(golden.environ, "copy", "--quiet", "--src-tls-verify=false", f"{name}:{tag}", copy)
    assert (tmp_path / VERSION / sha256(make_kit.WEIGHTS)[7:]).read_bytes() == make_kit.WEIGHTS
    assert (tmp_path / kept / sha256(make_kit.ROWS)[7:]).read_bytes() == make_kit.ROWS


def test_skopeo_reads_and_copies_the_store_and_a_layout_folder_in_place(golden: Repo, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    golden.git("config", "kit.url", f"oci-layout:{layout}")
    golden.kit("release", VERSION)
    for number, folder in enumerate((golden.path / ".git" / "kit", layout)):
        raw = _skopeo(golden.environ, "inspect", "--raw", f"oci:{folder}:{VERSION}")
        assert raw.encode() == make_kit.stored()["manifest.json"]
        copy = tmp_path / f"copy{number}"
        _skopeo(golden.environ, "copy", "--quiet", f"oci:{folder}:{VERSION}", f"dir:{copy}")
        for _, path in make_kit.LAYERS:
            assert sha256((copy / sha256(make_kit.FILES[path])[7:]).read_bytes()) == sha256(make_kit.FILES[path])


def test_dulwich_reads_tags_trees_and_pointers(golden: Repo) -> None:
    from dulwich.objects import Blob, Tag
    from dulwich.repo import Repo as DulwichRepo

    golden.git("tag", "--annotate", "--message", "two", "v2.0.0")
    with DulwichRepo(str(golden.path)) as repo:
        assert repo.refs[f"refs/tags/{VERSION}".encode()].decode() == make_kit.COMMIT
        tag = repo[repo.refs[b"refs/tags/v2.0.0"]]
        assert isinstance(tag, Tag)
        assert tag.object[1].decode() == make_kit.COMMIT
        tree = repo[repo[make_kit.COMMIT.encode()].tree]
        mode, oid = tree.lookup_path(repo.__getitem__, b"models/model.onnx")
        blob = repo[oid]
        assert isinstance(blob, Blob)
        assert mode == 0o100644
        assert blob.data == (
            f"version git-kit/1\noid {sha256(make_kit.WEIGHTS)}\nsize {len(make_kit.WEIGHTS)}\n".encode()
        )
        assert tree.lookup_path(repo.__getitem__, b"src/run.sh")[0] == 0o100755


def test_build_names_large_files_that_no_entry_leads_to(kit_repo: Repo) -> None:
    kit_repo.write(".gitattributes", "*.bin filter=kit -text\n")
    kit_repo.write(".kitignore", "scratch\n")
    kit_repo.write("Kitfile", "model:\n  path: model\n")
    for path in ("model/w.bin", "forgotten.bin", "scratch/old.bin"):
        kit_repo.write(path, f"content of {path}\n")
    kit_repo.commit()
    kit_repo.git("tag", "v1")
    said = kit_repo.kit("build", "v1").stderr
    assert "warning: forgotten.bin is a large file that no entry of the Kitfile leads to" in said
    assert "scratch/old.bin" not in said
    assert "model/w.bin" not in said
