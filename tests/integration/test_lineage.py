"""`git kit lineage`: data and models, commit, kit, environments over time. What happened is in ``tests.lib.story``."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from gitkit.core.digest import digest_of
from tests.lib import many_tags
from tests.lib.repos import Repo, run
from tests.lib.story import DATA, Story, model, noon

Json = dict[str, Any]


def asked(repo: Repo, *words: str) -> Json:
    found: Json = json.loads(repo.kit("lineage", *words, "--format", "json").stdout)
    return found


def labels(found: Json, kind: str) -> list[str]:
    return [node["label"] for node in found["nodes"] if node["kind"] == kind]


def stays(found: Json) -> set[tuple[str, str, str, str | None]]:
    """Version, environment, from, to."""
    names = {node["id"]: node["label"] for node in found["nodes"]}
    return {
        (names[edge["source"]], names[edge["target"]], edge["from"][:19] + "Z", edge["to"] and edge["to"][:19] + "Z")
        for edge in found["edges"]
        if edge["kind"] == "ran"
    }


def test_lineage_without_arguments_tells_what_runs_everywhere(story: Story) -> None:
    found = asked(story.ben)
    assert stays(found) == {
        ("v4", "dev", noon(7), None),
        ("v4", "staging", noon(7), None),
        ("v2", "prod", noon(9), None),
    }
    assert labels(found, "dataset") == ["data/train.bin"]
    assert labels(found, "model") == ["model.bin", "model.bin"]
    text = story.ben.kit("lineage").stdout.splitlines()
    assert text[0] == "dev"
    assert text[-5:] == [
        "prod",
        f"  v2  {story.digest('v2')[7:19]}  {noon(9)} to now",
        f"    commit {story.commit('v2')[:12]}  2025-03-03  Ada: model v2",
        f"      dataset  data/train.bin  {digest_of(DATA)[7:19]}  2.9 KiB",
        f"      model  model.bin  {digest_of(model('v2'))[7:19]}  4.9 KiB",
    ]


def test_lineage_of_a_version_has_data_commit_kit_and_every_stay_as_a_graph_with_stable_ids(story: Story) -> None:
    found = asked(story.ben, "v2")
    assert (found["what"], found["kind"]) == ("v2", "version")
    assert [node["id"] for node in found["nodes"]] == [
        f"file:{digest_of(DATA)}",
        f"file:{digest_of(model('v2'))}",
        f"commit:{story.commit('v2')}",
        f"kit:{story.digest('v2')}",
        "environment:dev",
        "environment:staging",
        "environment:prod",
    ]
    ids = {node["id"] for node in found["nodes"]}
    assert all({edge["source"], edge["target"]} <= ids for edge in found["edges"])
    assert stays(found) == {
        ("v2", "dev", noon(3), noon(5)),
        ("v2", "staging", noon(3), noon(5)),
        ("v2", "prod", noon(3), noon(7)),
        ("v2", "prod", noon(9), None),
    }
    (commit,) = [node for node in found["nodes"] if node["kind"] == "commit"]
    assert (commit["author"], commit["subject"], commit["time"]) == ("Ada", "model v2", noon(3))
    assert asked(story.ada, "v2") == found


@pytest.mark.parametrize("form", ["{}", "sha256:{}", "{:.8}", "{:.20}"])
def test_lineage_of_a_datasets_digest_tells_which_versions_hold_it_and_where_they_ran(story: Story, form: str) -> None:
    found = asked(story.ben, form.format(digest_of(DATA).removeprefix("sha256:")))
    assert found["kind"] == "file"
    assert labels(found, "kit") == ["v4", "v3", "v2", "v1"]
    assert {stay[:2] for stay in stays(found)} == {
        *((version, name) for version in ("v1", "v2", "v4") for name in ("dev", "staging", "prod")),
        *(("v3", name) for name in ("dev", "staging")),
    }


def test_lineage_of_a_models_digest_in_text_leads_from_the_file_to_where_it_ran(story: Story) -> None:
    digest = digest_of(model("v3"))
    assert story.ben.kit("lineage", digest).stdout.splitlines() == [
        f"model  model.bin  {digest[7:19]}  4.9 KiB",
        f"  v3  {story.digest('v3')[7:19]}  commit {story.commit('v3')[:12]}",
        f"    dev  {noon(5)} to {noon(7)}",
        f"    staging  {noon(5)} to {noon(7)}",
    ]


def test_lineage_of_a_kits_digest_of_a_file_in_git_and_of_paths(story: Story) -> None:
    kit = asked(story.ben, story.digest("v4")[7:19])
    assert (kit["kind"], labels(kit, "kit")) == ("kit", ["v4"])
    notes = asked(story.ben, digest_of(b"notes\n"))
    assert labels(notes, "dataset") == ["data/notes.txt"]
    assert len(labels(notes, "kit")) == 4
    metrics = asked(story.ben, "metrics.json")
    assert labels(metrics, "kit") == ["v4", "v3", "v2"]
    assert labels(metrics, "file") == ["metrics.json"] * 3  # no entry of the Kitfile leads to it
    folder = asked(story.ben, "./data/")
    assert sorted(labels(folder, "dataset")) == ["data/notes.txt", "data/train.bin"]


def test_lineage_of_an_environment_has_all_that_ran_there(story: Story) -> None:
    found = asked(story.ben, "prod")
    assert labels(found, "kit") == ["v4", "v2", "v1"]
    text = story.ben.kit("lineage", "prod").stdout.splitlines()
    spans = [line.split()[0] for line in text if " to " in line]
    assert (text[0], spans) == ("prod", ["v2", "v4", "v2", "v1"])


def test_lineage_as_mermaid_has_safe_ids_and_quoted_labels(told: Story) -> None:
    told.ada.commit('say "hi" ]| --> #`x`', {"data/a b`#1.bin": b"odd", "model.bin": b"five"})
    told.ada.git("tag", "v5")
    found = told.ada.kit("lineage", "v5", "--format", "mermaid").stdout.splitlines()
    assert found[0] == "graph LR"
    assert "say" not in "".join(found)
    assert '  n1["dataset data/a b#96;#35;1.bin<br/>' in "\n".join(found)


def test_lineage_names_the_kit_that_a_model_is_taken_from_and_data_that_lies_elsewhere(told: Story) -> None:
    told.ada.write(
        "Kitfile",
        "model: {path: registry.example.com/base/llm:v1}\n"
        "datasets: [{name: big, remotePath: s3://bucket/big.csv, remoteHash: abc}, {name: train, path: data}]\n",
    )
    told.ada.commit("tune")
    told.ada.git("tag", "v5")
    found = asked(told.ada, "v5")
    assert labels(found, "base") == ["registry.example.com/base/llm:v1"]
    assert sorted(labels(found, "dataset")) == ["data/train.bin", "s3://bucket/big.csv"]
    assert "based_on" in [edge["kind"] for edge in found["edges"]]
    assert "    base  registry.example.com/base/llm:v1\n" in told.ada.kit("lineage", "v5").stdout
    assert '-->|"base"|' in told.ada.kit("lineage", "v5", "--format", "mermaid").stdout


def test_lineage_of_a_version_that_ran_nowhere_and_whose_kitfile_is_broken_says_so(told: Story) -> None:
    told.ada.git("checkout", "--quiet", "-b", "side")
    told.ada.commit("broken", {"Kitfile": "model: [\n", "model.bin": b"side"})
    told.ada.git("tag", "v9")
    text = told.ada.kit("lineage", "v9").stdout.splitlines()
    assert text[0] == "v9  -"
    assert text[-1] == "  ran nowhere"
    assert told.ada.kit("lineage", digest_of(b"side")).stdout.startswith("file  model.bin  ")


def test_lineage_of_a_tag_that_was_moved_keeps_what_ran_under_its_name(told: Story) -> None:
    told.ada.git("tag", "--force", "v1", "v3^{commit}")
    found = asked(told.ada, "v1")
    kits = {node["id"]: node["digest"] for node in found["nodes"] if node["kind"] == "kit"}
    assert told.digest("v1") in kits.values()
    assert len(kits) == 2
    assert {edge["source"] for edge in found["edges"] if edge["kind"] == "ran"} == {f"kit:{told.digest('v1')}"}


def test_lineage_of_what_is_nowhere_and_of_an_ambiguous_digest_is_refused(story: Story) -> None:
    done = story.ben.kit("lineage", "nothing/here", code=10)
    assert 'error: "nothing/here" is no environment, no version, and no digest or path' in done.stderr
    assert "hint: " in done.stderr
    assert "no digest or path" in story.ben.kit("lineage", "0" * 64, code=10).stderr
    assert "no digest or path" in story.ben.kit("lineage", "", code=10).stderr


def test_lineage_of_a_digest_takes_as_few_git_processes_for_many_versions_as_for_few(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    counts = []
    for tags in (50, 500):
        (folder := tmp_path / str(tags)).mkdir()
        clone = many_tags.make(folder, environ, tags=tags, events=8)
        started = folder / "started"
        (folder / "bin").mkdir()
        (folder / "bin" / "git").write_text(f'#!/bin/sh\necho x >> {started}\nexec {shutil.which("git")} "$@"\n')
        (folder / "bin" / "git").chmod(0o755)
        counting = {**clone.environ, "PATH": f"{folder / 'bin'}:{environ['PATH']}"}
        found = run(["git-kit", "lineage", digest_of(b"0"), "--json"], cwd=clone.path, environ=counting)
        assert len(labels(json.loads(found.stdout), "kit")) == tags
        counts.append(started.read_text().count("x"))
    assert counts[0] == counts[1] > 5


def test_lineage_in_a_repository_without_environments_tells_versions(repo: Repo) -> None:
    repo.commit("one", {"Kitfile": "model: {path: model.bin}\n", "model.bin": "content\n"})
    repo.git("tag", "v1")
    assert repo.kit("lineage").stdout == "nothing runs anywhere\n"
    assert labels(asked(repo, "v1"), "model") == ["model.bin"]
