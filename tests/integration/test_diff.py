"""`git kit diff`: files, bytes, tensors, metrics and Kitfile between any two of tag, commit, environment, reference."""

import json
import struct
from pathlib import Path

import pytest

from tests.lib.repos import Repo

KITFILE = """\
manifestVersion: "1.0.0"
package:
  name: demo
  version: "{version}"
model:
  path: model
datasets:
  - path: eval
"""


def safetensors(tensors: dict[str, tuple[str, list[int]]]) -> bytes:
    """A safetensors file whose data is zeros."""
    width = {"F32": 4, "F16": 2}
    header, at = {}, 0
    for name, (dtype, shape) in tensors.items():
        size = width[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)


BEFORE = safetensors({"keep": ("F32", [4]), "type": ("F32", [8]), "shape": ("F32", [2, 3]), "gone": ("F32", [1])})
AFTER = safetensors({"keep": ("F32", [4]), "type": ("F16", [8]), "shape": ("F32", [3, 3]), "new": ("F32", [5])})


@pytest.fixture
def two_versions(kit_repo: Repo, bare: Repo) -> Repo:
    kit_repo.git("remote", "add", "origin", str(bare.path))
    kit_repo.write(".gitattributes", "*.safetensors filter=kit -text\n")
    kit_repo.write(".gitkit.toml", '[environments.dev]\nbranch = "dev"\n')
    kit_repo.write("Kitfile", KITFILE.format(version="1"))
    kit_repo.write("model/w.safetensors", BEFORE)
    kit_repo.write("model/old.json", '{"vocabulary": 7}')
    kit_repo.write("model/dropped.json", "{}")
    kit_repo.write("eval/metrics.json", '{"accuracy": 0.9, "loss": {"train": 0.5}, "note": "x", "steps": 3}')
    kit_repo.commit("one")
    kit_repo.git("tag", "v1")
    kit_repo.write("Kitfile", KITFILE.format(version="2"))
    kit_repo.write("model/w.safetensors", AFTER)
    (kit_repo.path / "model/old.json").rename(kit_repo.path / "model/renamed.json")
    (kit_repo.path / "model/dropped.json").unlink()
    kit_repo.write("model/added.json", '{"more": 1}')
    kit_repo.write("eval/metrics.json", '{"accuracy": 0.95, "loss": {"train": 0.6}, "note": "y", "steps": 3}')
    kit_repo.commit("two")
    kit_repo.git("tag", "v2")
    kit_repo.git("push", "--quiet", "origin", "main", "v1", "v2")
    return kit_repo


def data(repo: Repo, *args: str) -> dict:  # type: ignore[type-arg]
    return json.loads(repo.kit("diff", "--json", *args).stdout)


def test_diff_two_tags_names_every_kind_of_file_change(two_versions: Repo) -> None:
    changes = {entry["path"]: entry["change"] for entry in data(two_versions, "v1", "v2")["files"]}
    assert changes == {
        "eval/metrics.json": "changed",
        "model/added.json": "added",
        "model/dropped.json": "removed",
        "model/renamed.json": "renamed",
        "model/w.safetensors": "changed",
    }


def test_diff_counts_bytes_to_move_once_for_each_digest(two_versions: Repo) -> None:
    found = data(two_versions, "v1", "v2")
    metrics = len('{"accuracy": 0.95, "loss": {"train": 0.6}, "note": "y", "steps": 3}')
    assert found["bytes_to_move"] == len(AFTER) + len('{"more": 1}') + metrics
    assert found["bytes_shared"] == len('{"vocabulary": 7}')


def test_diff_tells_tensors_added_removed_reshaped_and_retyped(two_versions: Repo) -> None:
    (weights,) = data(two_versions, "v1", "v2")["weights"]
    assert {tensor["name"]: tensor["change"] for tensor in weights["tensors"]} == {
        "gone": "removed",
        "new": "added",
        "shape": "reshaped",
        "type": "retyped",
    }
    assert weights["same_tensors"] == 1


def test_diff_tells_the_direction_of_each_metric(two_versions: Repo) -> None:
    found = {entry["name"]: entry["better"] for entry in data(two_versions, "v1", "v2")["metrics"]}
    assert found == {"accuracy": True, "loss.train": False}


def test_diff_metric_that_a_gate_bounds_from_above_is_better_when_lower(two_versions: Repo) -> None:
    two_versions.write(".gitkit.toml", "[gates.eval]\nmetrics = 'm.json'\nrules = { accuracy = { max = 1.0 } }\n")
    found = {entry["name"]: entry["better"] for entry in data(two_versions, "v1", "v2")["metrics"]}
    assert found["accuracy"] is False


def test_diff_names_the_kitfile_field_and_not_the_digests(two_versions: Repo) -> None:
    fields = [entry for entry in data(two_versions, "v1", "v2")["kitfile"] if entry["path"].startswith("package")]
    assert fields == [{"path": "package.version", "before": "1", "after": "2"}]
    assert all("igest" not in entry["path"] for entry in data(two_versions, "v1", "v2")["kitfile"])


def test_diff_of_the_same_version_is_empty(two_versions: Repo) -> None:
    found = data(two_versions, "v1", "v1")
    assert (found["files"], found["kitfile"], found["metrics"], found["bytes_to_move"]) == ([], [], [], 0)


def test_diff_between_commit_environment_and_reference_is_that_of_their_tags(two_versions: Repo) -> None:
    two_versions.kit("release", "v1")
    two_versions.kit("release", "v2")
    two_versions.kit("promote", "v1", "dev")
    url = json.loads(two_versions.kit("remote", "--json").stdout)["url"]
    expected = data(two_versions, "v1", "v2")["files"]
    assert data(two_versions, "dev", "HEAD")["files"] == expected
    assert data(two_versions, f"{url}:v1", f"{url}:v2")["files"] == expected


def test_diff_in_a_clone_without_content_reads_headers_from_the_remote(
    two_versions: Repo, bare: Repo, tmp_path: Path
) -> None:
    two_versions.git("clone", "--quiet", str(bare.path), str(tmp_path / "ci"), extra={"GIT_KIT_SKIP_SMUDGE": "1"})
    clone = Repo(tmp_path / "ci", two_versions.environ)
    (weights,) = data(clone, "v1", "v2")["weights"]
    assert len(weights["tensors"]) == 4
    assert not (clone.path / ".git/kit/blobs").exists()


def test_diff_as_markdown_keeps_names_inside_of_code(two_versions: Repo) -> None:
    two_versions.write("model/a`b|c.json", "{}")
    two_versions.commit("odd")
    out = two_versions.kit("diff", "v2", "HEAD", "--markdown").stdout
    assert "| `model/a'b\\|c.json` | added | 2 B |" in out


def test_diff_text_fits_and_shows_what_moves(two_versions: Repo) -> None:
    out = two_versions.kit("diff", "v1", "v2").stdout
    assert "5 files changed, 0 the same" in out
    assert "~ model/w.safetensors" in out
    assert "retyped   type  F32 [8] -> F16 [8]" in out
    assert "better" in out
    assert "worse" in out


def test_diff_with_something_that_is_nowhere_says_so(two_versions: Repo) -> None:
    assert "error:" in two_versions.kit("diff", "v1", "v9", code=10).stderr


def test_diff_with_an_environment_that_runs_nothing_says_so(two_versions: Repo) -> None:
    assert "nothing runs in dev" in two_versions.kit("diff", "v1", "dev", code=10).stderr
