"""Graphs of lineages, and their Mermaid: ids are safe, labels are quoted, whatever files and people are called."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gitkit.core.digest import digest_of
from gitkit.lifecycle.history import Period
from gitkit.lifecycle.lineage import Lineage, Made, Origin, Ran
from gitkit.lifecycle.lineage_graph import escaped, graph, mermaid
from gitkit.modelkit.held import Elsewhere, HeldFile

NODE = re.compile(r'  n[0-9]+(\["[^"]*"\]|\(\["[^"]*"\]\)|\[\["[^"]*"\]\]|\("[^"]*"\))')
EDGE = re.compile(r'  n[0-9]+ -->(\|"[^"]*"\|)? n[0-9]+')


def made(version: str, paths: list[str], *, commit: str = "a" * 40, ends: tuple[int | None, ...] = (None,)) -> Made:
    files = [
        HeldFile(path, "datasets", "b" * 40, digest_of(path.encode("utf-8", "surrogateescape")), 1) for path in paths
    ]
    periods = [
        Period(version, digest_of(b"kit"), commit, "promote", "Ada", None, start * 1_000_000, end, None)
        for start, end in enumerate(ends)
    ]
    origin = Origin(commit, 0, "Ada", "subject")
    elsewhere = [Elsewhere("base", "registry.example.com/base:v1", None)]
    digest = digest_of(version.encode())
    return Made(version, digest, origin, files, elsewhere, [Ran("prod", period) for period in periods])


def test_graph_has_each_node_once_and_an_edge_for_each_stay() -> None:
    found = graph(Lineage(None, "everywhere", [made("v2", ["a", "b"]), made("v1", ["a"], ends=(1, None, 9))]))
    assert len({node.id for node in found.nodes}) == len(found.nodes)
    assert [node.kind for node in found.nodes] == ["dataset", "dataset", "base", "commit", "kit", "environment", "kit"]
    assert [edge.kind for edge in found.edges].count("ran") == 4
    assert [edge.kind for edge in found.edges].count("part_of") == 2
    ids = {node.id for node in found.nodes}
    assert all({edge.source, edge.target} <= ids for edge in found.edges)


@given(st.lists(st.text(min_size=1), max_size=4), st.text(min_size=1))
def test_mermaid_of_any_names_has_safe_ids_and_quoted_labels(paths: list[str], version: str) -> None:
    first, *lines = mermaid(graph(Lineage(None, "everywhere", [made(version, paths)])))
    assert first == "graph LR"
    assert all(NODE.fullmatch(line) or EDGE.fullmatch(line) for line in lines)


@given(st.text())
def test_escaped_text_has_nothing_that_mermaid_markdown_or_html_reads(text: str) -> None:
    found = escaped(text)
    assert not set('"`<>[](){}|&*\\\n\r') & set(found)
    assert re.sub(r"#[0-9]+;", "", found).count("#") == 0


def test_escaped_keeps_what_is_harmless_and_cuts_what_is_long() -> None:
    assert escaped("data/train-1.csv v1.2 ä") == "data/train-1.csv v1.2 ä"
    assert escaped('a"b#c') == "a#34;b#35;c"
    assert len(escaped("x" * 500)) == 80
