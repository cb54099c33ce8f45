"""The gates ``format`` and ``pickle`` on released kits: content in Git, in the store, and on a remote only."""

import json
import os
import pickle
import shutil
import struct
import textwrap
from pathlib import Path
from typing import Any

import pytest

from gitkit.cli.kit_shared import content_of
from gitkit.context import Context
from gitkit.core.policy import FormatGate, PickleGate
from gitkit.lifecycle.gates import format as format_gate
from gitkit.lifecycle.gates import pickle as pickle_gate
from gitkit.lifecycle.gates.subject import Subject, Verdict
from gitkit.modelkit.build import build
from tests.lib.pickle_samples import HOSTILE, OBJECT, called, joblib_array, state_dict, text, torch_zip
from tests.lib.repos import Repo

TENSOR = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
SAFETENSORS = struct.pack("<Q", len(TENSOR)) + TENSOR + bytes(8)
GGUF = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)
ATTRIBUTES = "*.safetensors filter=kit -text\n*.pt filter=kit -text\n"

# What each file of a kit is, and whether its pickles are harmless: the matrix of samples that scanners were run on.
MATRIX: dict[str, tuple[str, bytes, bool]] = {
    "benign dict": ("model.pkl", pickle.dumps({"a": [1, 2.5]}), True),
    "benign OrderedDict": ("model.pkl", called("collections", "OrderedDict"), True),
    **{name: ("model.pkl", data, False) for name, data in HOSTILE.items()},
    "PyTorch, hostile": ("model.pt", torch_zip(HOSTILE["os.system"]), False),
    "PyTorch, clean": ("model.pt", torch_zip(state_dict()), True),
    "renamed": ("model.safetensors", HOSTILE["os.system"], False),
    "safetensors": ("model.safetensors", SAFETENSORS, True),
    "gguf": ("model.gguf", GGUF, True),
}


def released(repo: Repo, bare: Repo, files: dict[str, bytes | str]) -> None:
    """A kit ``v1`` with the folder ``model`` as its model, on the remote ``bare``."""
    repo.git("remote", "add", "origin", str(bare.path))
    kitfile = "model: {path: model}\ndocs: [{path: docs}]\n"
    model = {f"model/{name}": data for name, data in files.items()}
    repo.commit("v1", {".gitattributes": ATTRIBUTES, "Kitfile": kitfile, "docs/a.md": "# A\n", **model})
    repo.git("tag", "v1")
    repo.git("push", "--quiet", "origin", "HEAD", "v1")
    repo.kit("release", "v1")


def subject(repo: Repo) -> Subject:
    context = Context(repo.environ, str(repo.path))
    git = context.repository.git
    kit = build(git, git.text("rev-parse", "v1^{commit}"), version="v1")
    return Subject(
        repository=context.repository,
        environment="prod",
        kit=kit,
        content=content_of(context),
        released=kit.digest,
        baseline=None,
        policy_rev="",
        allow_commands=False,
    )


def formats(repo: Repo, **settings: Any) -> Verdict:
    return format_gate.evaluate("format", FormatGate(**settings), subject(repo))


def pickles(repo: Repo, **settings: Any) -> Verdict:
    return pickle_gate.evaluate("pickle", PickleGate(**settings), subject(repo))


def committed(repo: Repo, files: dict[str, bytes | str]) -> None:
    """A kit ``v1`` whose files Git holds itself."""
    model = {f"model/{name}": data for name, data in files.items()}
    repo.commit("v1", {"Kitfile": "model: {path: model}\n", **model})
    repo.git("tag", "v1")


@pytest.mark.parametrize("sample", MATRIX)
def test_pickle_gate_on_the_matrix_refuses_what_is_hostile_and_passes_the_rest(repo: Repo, sample: str) -> None:
    name, data, harmless = MATRIX[sample]
    committed(repo, {name: data})
    assert pickles(repo).outcome == ("passed" if harmless else "failed")


def test_gates_on_a_released_kit_name_file_member_and_what_is_wrong(kit_repo: Repo, bare: Repo) -> None:
    files: dict[str, bytes | str] = {
        "clean.pt": torch_zip(state_dict()),
        "config.json": "{}",
        "evil.pt": torch_zip(HOSTILE["os.system"]),
        "model.gguf": GGUF,
        "model.safetensors": HOSTILE["eval"],
        "run.py": "import os\n",
    }
    released(kit_repo, bare, files)
    verdict = pickles(kit_repo)
    assert (verdict.outcome, verdict.reason) == (
        "failed",
        "model/evil.pt: archive/data.pkl: posix.system; model/model.safetensors: builtins.eval",
    )
    assert (verdict.evidence["files"], verdict.evidence["pickles"], verdict.evidence["unverified"]) == (7, 3, 0)
    assert "torch._utils._rebuild_tensor_v2" in verdict.evidence["globals"]
    verdict = formats(kit_repo, allow=["safetensors", "gguf", "pytorch"])
    assert (verdict.outcome, verdict.reason) == (
        "failed",
        "model/model.safetensors is pickle, and its name says safetensors; model/run.py is script",
    )
    assert verdict.evidence["formats"] == {"pytorch": 2, "gguf": 1, "json": 1, "pickle": 1, "script": 1}
    assert verdict.evidence["misnamed"] == {"model/model.safetensors": "pickle"}
    json.dumps(verdict.evidence)


def test_gates_on_a_harmless_kit_pass(kit_repo: Repo, bare: Repo) -> None:
    released(kit_repo, bare, {"model.safetensors": SAFETENSORS, "config.json": "{}"})
    assert formats(kit_repo) == Verdict(
        "format",
        "passed",
        "all files of the model are allowed: 1 json, 1 safetensors",
        {"files": 2, "formats": {"json": 1, "safetensors": 1}, "misnamed": {}, "not_read": {}, "unverified": 0},
    )
    assert pickles(kit_repo).reason == "the kit holds no pickles"


def test_gates_in_a_clone_without_the_content_read_it_from_the_remote(
    kit_repo: Repo, bare: Repo, tmp_path: Path
) -> None:
    released(kit_repo, bare, {"evil.pt": torch_zip(HOSTILE["os.system"]), "model.safetensors": SAFETENSORS})
    clone = bare.clone(tmp_path / "clone", "--no-checkout")
    verdict = pickles(clone)
    assert (verdict.outcome, verdict.evidence["unverified"]) == ("failed", 2)
    assert formats(clone, allow=["safetensors", "pytorch"]).outcome == "passed"
    assert not list((clone.path / ".git" / "kit" / "blobs").rglob("*"))


def test_gates_where_content_is_nowhere_are_unevaluated(kit_repo: Repo, bare: Repo, tmp_path: Path) -> None:
    released(kit_repo, bare, {"model.safetensors": SAFETENSORS})
    clone = bare.clone(tmp_path / "clone", "--no-checkout")
    shutil.rmtree(bare.path / "kit" / "blobs" / "sha256")
    for verdict in (pickles(clone), formats(clone)):
        assert verdict.outcome == "unevaluated"
        assert "model/model.safetensors: " in verdict.reason


def test_format_gate_on_a_kit_without_a_model_is_unevaluated(repo: Repo) -> None:
    repo.commit("v1", {"Kitfile": "docs: [{path: a.md}]\n", "a.md": "# A\n"})
    repo.git("tag", "v1")
    assert (formats(repo).outcome, pickles(repo).outcome) == ("unevaluated", "passed")


def test_pickle_gate_with_allowed_names_lets_them_through(repo: Repo) -> None:
    committed(repo, {"model.pkl": called("my_model", "Model"), "a.pkl": called("my_model.deep", "Layer")})
    assert pickles(repo, allow=["my_model.Model"]).reason == "model/a.pkl: my_model.deep.Layer"
    assert pickles(repo, allow=["my_model"]).reason == "2 pickles use harmless names only"


def test_pickle_gate_on_joblib_that_reads_differently_elsewhere_asks_for_a_word(repo: Repo) -> None:
    objects = b"\x80\x04" + text("collections") + b"\x94" + text("OrderedDict") + b"\x9400h\x00h\x01\x93)R."
    file = text("os") + b"\x94" + text("system") + b"\x94" + joblib_array(objects, type=OBJECT)
    committed(repo, {"model.joblib": b"\x80\x04" + file + b"."})
    verdict = pickles(repo)
    reason = "not scanned: model/model.joblib: what is not joblib may read os.system from it"
    assert (verdict.outcome, verdict.reason) == ("unevaluated", reason)
    assert pickles(repo, allow=["joblib"]).outcome == "passed"


def test_pickle_gate_on_what_cannot_be_unpacked_is_unevaluated(repo: Repo) -> None:
    committed(repo, {"model.7z": b"7z\xbc\xaf\x27\x1c..."})
    verdict = pickles(repo)
    assert (verdict.outcome, verdict.reason) == (
        "unevaluated",
        "not scanned: model/model.7z: 7z files are not unpacked here",
    )


# -- picklescan ------------------------------------------------------------------------------------------------------


@pytest.fixture
def scanner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called picklescan that ends as the file says that it is given, and writes where it runs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "picklescan"
    program.write_text(
        textwrap.dedent("""\
        #!/bin/sh
        echo "$@" "$PWD" >> "${0%/bin/*}/calls"
        for path; do :; done
        : > leftover
        grep -q exit-1 "$path" && exit 1
        grep -q exit-2 "$path" && exit 2
        exit 0
        """)
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "calls"


@pytest.mark.parametrize(
    ("word", "outcome", "reason"),
    [
        ("exit-0", "passed", "1 pickle uses harmless names only"),
        ("exit-1", "failed", "model/a.pt: picklescan calls it dangerous"),
        ("exit-2", "unevaluated", "not scanned: picklescan: model/a.pt was not scanned: it ended with 2"),
    ],
)
def test_picklescan_as_a_second_opinion_adds_doubts_only(
    kit_repo: Repo, bare: Repo, scanner: Path, word: str, outcome: str, reason: str
) -> None:
    released(kit_repo, bare, {"a.pt": pickle.dumps(word), "config.json": "{}"})
    verdict = pickles(kit_repo, picklescan=True)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    [call] = scanner.read_text().splitlines()
    *options, path, folder = call.split()
    assert (options, path) == (["--strict", "--log", "ERROR", "--path"], f"{folder}/file.pt")
    assert not Path(folder).exists()
    assert set(verdict.evidence["picklescan"]) == {"version", "clean", "dangerous", "not_scanned"}


def test_picklescan_that_is_asked_for_and_not_installed_is_not_a_pass(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    git = shutil.which("git")
    assert git is not None
    (tmp_path / "bin" / "git").symlink_to(git)
    committed(repo, {"a.pkl": pickle.dumps(1)})
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    verdict = pickles(repo, picklescan=True)
    assert (verdict.outcome, verdict.reason) == ("unevaluated", "not scanned: picklescan: it is not installed")
