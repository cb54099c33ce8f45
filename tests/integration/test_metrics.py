"""`git kit metrics`, the way a person or a CI job runs it."""

import json
from typing import Any

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.pointer import Pointer
from tests.lib.repos import Repo

CONFIG = """\
[environments.dev]
branch = "main"
[environments.prod]
branch = "prod"
from = ["dev"]
gates = ["eval"]
[gates.eval]
metrics = "eval/metrics.json"
rules = { accuracy = { min = 0.90, max_drop = 0.005 }, latency_p95_ms = { max = 120 } }
"""
OLD = '{"accuracy": 0.93, "latency_p95_ms": 80, "n": 1000, "only": {"old": 1}}'
WORSE = '{"accuracy": 0.92, "latency_p95_ms": 75.5, "n": 1000, "only": {"new": NaN}}'
GOOD = '{"accuracy": 0.925, "latency_p95_ms": 120, "n": 1200}'


def version(repo: Repo, name: str, files: dict[str, bytes | str]) -> str:
    commit = repo.commit(name, files)
    repo.git("tag", name)
    return commit


@pytest.fixture
def ruled(repo: Repo) -> Repo:
    """Versions v1, v2 (breaks a rule against v1) and v3 (breaks none), with a gate."""
    version(repo, "v1", {".gitkit.toml": CONFIG, "eval/metrics.json": OLD})
    version(repo, "v2", {"eval/metrics.json": WORSE})
    version(repo, "v3", {"eval/metrics.json": GOOD})
    return repo


def shown(repo: Repo, *args: str, code: int = 0) -> Any:
    return json.loads(repo.kit("metrics", *args, "--json", code=code).stdout)


def test_diff_that_breaks_a_rule_ends_with_1_and_says_which(ruled: Repo) -> None:
    done = ruled.kit("metrics", "diff", "v1", "v2", code=1)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["METRIC", "v1", "v2", "CHANGE", "VERDICT"],
        ["accuracy", "0.93", "0.92", "-0.01", "worse"],
        ["latency_p95_ms", "80", "75.5", "-4.5", "better"],
        ["n", "1000", "1000", "0"],
        ["only.old", "1", "-", "-"],
        ["only.new", "-", "NaN", "-"],
    ]
    assert done.stderr == "eval: accuracy 0.92 is 0.01 worse than 0.93 (max_drop 0.005)\n"


def test_diff_within_the_rules_ends_with_0(ruled: Repo) -> None:
    done = ruled.kit("metrics", "diff", "v1", "v3")
    assert done.stderr == ""
    assert "+200" in done.stdout


def test_diff_as_json_has_numbers_and_rules(ruled: Repo) -> None:
    found = shown(ruled, "diff", "v1", "v2", code=1)
    assert (found["before"], found["after"], found["met"]) == ("v1", "v2", False)
    assert found["metrics"][0] == {
        "file": "eval/metrics.json",
        "metric": "accuracy",
        "before": 0.93,
        "after": 0.92,
        "change": -0.01,
        "better": False,
    }
    assert found["metrics"][-1]["after"] is None
    assert [(rule["gate"], rule["metric"], rule["outcome"]) for rule in found["rules"]] == [
        ("eval", "accuracy", "failed"),
        ("eval", "latency_p95_ms", "passed"),
    ]


@pytest.mark.parametrize("option", ["--md", "--markdown"])
def test_diff_as_markdown_cannot_be_broken_by_a_name(ruled: Repo, option: str) -> None:
    version(ruled, "v4", {"eval/metrics.json": '{"accuracy": 0.91, "latency_p95_ms": 1, "a|`b\\n<i>": 1}'})
    lines = ruled.kit("metrics", "diff", "v1", "v4", option, code=1).stdout.splitlines()
    assert lines[:3] == [
        "| Metric | `v1` | `v4` | Change | Verdict |",
        "|---|--:|--:|--:|---|",
        "| `accuracy` | 0.93 | 0.91 | -0.02 | **worse** |",
    ]
    assert "| `a\\|'b <i>` | - | 1 | - |  |" in lines
    assert lines[-1] == "- **eval**: `accuracy 0.91 is 0.02 worse than 0.93 (max_drop 0.005)`"


def test_diff_takes_environments_commits_and_branches(ruled: Repo) -> None:
    assert shown(ruled, "diff", "dev", "v3")["metrics"][0]["change"] == 0
    commit = ruled.out("rev-parse", "--short", "v1^{commit}")
    assert shown(ruled, "diff", commit, "main")["after"] == "main"
    assert "nothing runs in prod" in ruled.kit("metrics", "diff", "prod", "v3", code=10).stderr
    unknown = ruled.kit("metrics", "diff", "v9", "v3", code=10).stderr
    assert '"v9" is not an environment, commit, branch or tag here' in unknown and "git kit env; " in unknown


def test_diff_with_a_metric_or_file_missing_is_no_pass(ruled: Repo) -> None:
    version(ruled, "v4", {"eval/metrics.json": '{"accuracy": 0.93}'})
    assert "latency_p95_ms is missing" in ruled.kit("metrics", "diff", "v1", "v4", code=1).stderr
    ruled.git("rm", "--quiet", "eval/metrics.json")
    version(ruled, "v5", {})
    assert "accuracy is missing" in ruled.kit("metrics", "diff", "v1", "v5", code=1).stderr
    assert "cannot be compared" in ruled.kit("metrics", "diff", "v5", "v1", code=1).stderr


def test_diff_of_named_files_looks_at_their_rules_only(ruled: Repo) -> None:
    version(ruled, "v4", {"other.csv": "metric,value\naccuracy,0.1\n"})
    version(ruled, "v5", {"other.csv": "metric,value\naccuracy,0.05\n", "eval/metrics.json": WORSE})
    found = shown(ruled, "diff", "v4", "v5", "--file", "other.csv")
    assert [(row["metric"], row["change"], row["better"]) for row in found["metrics"]] == [("accuracy", -0.05, None)]
    assert found["rules"] == []
    both = ruled.kit("metrics", "diff", "v4", "v5", "--file", "other.csv", "--file", "eval/metrics.json")
    assert both.stdout.splitlines()[0].split() == ["FILE", "METRIC", "v4", "v5", "CHANGE", "VERDICT"]


def test_diff_without_gates_looks_where_metrics_usually_are(repo: Repo) -> None:
    version(repo, "v1", {"metrics.json": '{"a": 0.1234567890123}'})
    version(repo, "v2", {"metrics.json": '{"a": 0.1234567890124}', "eval/metrics.json": '{"b": 1}'})
    found = shown(repo, "diff", "v1", "v2")
    assert [(row["file"], row["metric"], row["change"]) for row in found["metrics"]] == [
        ("metrics.json", "a", 1e-13),
        ("eval/metrics.json", "b", None),
    ]
    assert "0.123457" in repo.kit("metrics", "diff", "v1", "v2").stdout


def test_diff_of_a_path_with_spaces_or_of_a_folder_finds_what_is_there(repo: Repo) -> None:
    version(repo, "v1", {"a": "a"})
    version(repo, "v2", {"the eval/my metrics.json": '{"a": 1}'})
    found = shown(repo, "diff", "v1", "v2", "--file", "the eval/my metrics.json", "--file", "the eval")
    assert [(row["before"], row["after"]) for row in found["metrics"]] == [(None, 1)]


def test_diff_without_any_metrics_says_where_it_looked(repo: Repo) -> None:
    version(repo, "v1", {"a": "a"})
    done = repo.kit("metrics", "diff", "v1", "v1", code=10)
    assert "looked for metrics.json, eval/metrics.json" in done.stderr
    assert "hint: name the file: --file PATH" in done.stderr


def test_show_tells_the_metrics_of_a_version_or_of_head(ruled: Repo) -> None:
    assert [line.split() for line in ruled.kit("metrics", "show").stdout.splitlines()] == [
        ["METRIC", "VALUE"],
        ["accuracy", "0.925"],
        ["latency_p95_ms", "120"],
        ["n", "1200"],
    ]
    found = shown(ruled, "show", "v2")
    assert found["commit"] == ruled.out("rev-parse", "v2")
    assert found["files"]["eval/metrics.json"] == {
        "accuracy": 0.92,
        "latency_p95_ms": 75.5,
        "n": 1000,
        "only.new": None,
    }


def test_show_of_a_pointer_reads_its_content(kit_repo: Repo) -> None:
    kit_repo.write(".gitattributes", "metrics.json filter=kit -text\n")
    version(kit_repo, "v1", {"metrics.json": GOOD})
    assert kit_repo.blob("v1:metrics.json") == Pointer(digest_of(GOOD.encode()), len(GOOD)).encode()
    assert shown(kit_repo, "show", "v1")["files"]["metrics.json"]["n"] == 1200
    version(kit_repo, "v2", {"metrics.json": Pointer(digest_of(b"gone"), 4).encode()})
    assert "the content of metrics.json is not" in kit_repo.kit("metrics", "show", "v2", code=10).stderr


def test_file_that_is_no_metrics_file_is_an_invalid_file(repo: Repo) -> None:
    version(repo, "v1", {"metrics.json": '{"a": 1, "a": 2}'})
    assert 'metrics.json has the key "a" twice' in repo.kit("metrics", "show", code=16).stderr
