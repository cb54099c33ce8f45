"""A lineage as a graph, and the graph as Mermaid. Pure; ids are made of what a node stands for, so they stay the same.

Mermaid's rules for flowcharts: https://mermaid.js.org/syntax/flowchart.html
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from gitkit.core.digest import short
from gitkit.core.journal import show_time
from gitkit.lifecycle.lineage import Lineage, Made, Ran

_KINDS = {"datasets": "dataset", "model": "model", "parts": "model"}
_LONGEST = 80


class Node(NamedTuple):
    """``kind``: dataset, model, file, base, commit, kit or environment. ``label`` is for people; ``data`` are JSON
    values.
    """

    id: str
    kind: str
    label: str
    data: Mapping[str, Any]


class Edge(NamedTuple):
    """``kind``: part_of (a file, of a commit), based_on (a commit, on another kit), built (a kit) or ran (in an
    environment).
    """

    source: str
    target: str
    kind: str
    data: Mapping[str, Any]


class Graph(NamedTuple):
    """Each node once; edges point the way that content went."""

    nodes: list[Node]
    edges: list[Edge]


def graph(lineage: Lineage) -> Graph:
    """Nodes and edges of all versions in it, in its order."""
    nodes: dict[str, Node] = {}
    edges: dict[tuple[str, str, str, str], Edge] = {}
    for made in lineage.versions:
        for node in _nodes(made):
            nodes.setdefault(node.id, node)
        for edge in _edges(made):
            told = str(edge.data.get("from", edge.data.get("path", "")))
            edges.setdefault((edge.source, edge.target, edge.kind, told), edge)
    return Graph(list(nodes.values()), list(edges.values()))


def _nodes(made: Made) -> Iterator[Node]:
    for file in made.files:
        kind = _KINDS.get(file.section or "", "file")
        yield Node(f"file:{file.digest}", kind, file.path, {"digest": file.digest, "size": file.size})
    for one in made.elsewhere:
        yield Node(f"elsewhere:{one.place}", one.kind, one.place, {"place": one.place, "hash": one.hash})
    origin = made.origin
    about = {"commit": origin.oid, "time": _second(origin.time), "author": origin.author, "subject": origin.subject}
    yield Node(f"commit:{origin.oid}", "commit", origin.oid[:12], about)
    yield Node(_kit(made), "kit", made.version, {"version": made.version, "digest": made.digest})
    for ran in made.runs:
        yield Node(f"environment:{ran.environment}", "environment", ran.environment, {"environment": ran.environment})


def _edges(made: Made) -> Iterator[Edge]:
    commit = f"commit:{made.origin.oid}"
    for file in made.files:
        yield Edge(f"file:{file.digest}", commit, "part_of", {"path": file.path, "section": file.section})
    for one in made.elsewhere:
        yield Edge(f"elsewhere:{one.place}", commit, "based_on" if one.kind == "base" else "part_of", {})
    yield Edge(commit, _kit(made), "built", {"version": made.version})
    for ran in made.runs:
        yield Edge(_kit(made), f"environment:{ran.environment}", "ran", _span(ran))


def _kit(made: Made) -> str:
    return f"kit:{made.digest or f'{made.version}@{made.origin.oid}'}"


def _span(ran: Ran) -> dict[str, Any]:
    period = ran.period
    return {
        "from": show_time(period.start),
        "to": show_time(period.end) if period.end is not None else None,
        "event": period.kind,
        "by": period.by or None,
    }


def _second(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# -- Mermaid -----------------------------------------------------------------------------------------------------------

_SHAPES = {"environment": ("([", "])"), "kit": ("[[", "]]"), "commit": ("(", ")")}


def mermaid(graph: Graph) -> Iterator[str]:
    """Lines of a flowchart. Ids are ``n1``, ``n2``, ... and every label is quoted, with entities for what Mermaid,
    Markdown or HTML would read as their own.
    """
    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes, 1)}
    yield "graph LR"
    for node in graph.nodes:
        left, right = _SHAPES.get(node.kind, ("[", "]"))
        yield f'  {ids[node.id]}{left}"{_label(node)}"{right}'
    for edge in graph.edges:
        text = _edge_label(edge)
        arrow = f'-->|"{text}"|' if text else "-->"
        yield f"  {ids[edge.source]} {arrow} {ids[edge.target]}"


def _label(node: Node) -> str:
    second = node.data.get("digest")
    lines = [f"{node.kind} {node.label}" if node.kind != "file" else node.label, short(second) if second else ""]
    return "<br/>".join(escaped(line) for line in lines if line)


def _edge_label(edge: Edge) -> str:
    if edge.kind == "ran":
        end = str(edge.data["to"] or "now")[:10]
        return escaped(f"{str(edge.data['from'])[:10]} to {end}")
    return escaped("base") if edge.kind == "based_on" else ""


def escaped(text: str) -> str:
    """``text`` inside of a quoted label: letters, digits and a few marks as they are, all else as ``#code;``."""
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return "".join(char if char.isalnum() or char in " ._-/:@+…" else f"#{ord(char)};" for char in _printable(cut))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
