"""A diff as Markdown, for a pull request."""

from collections.abc import Iterator

from gitkit.cli.diff_words import brief, facts_rows, number, shapes, sizes
from gitkit.cli.output import human_size, plural
from gitkit.modelkit.diff import Diff


def markdown(result: Diff) -> Iterator[str]:
    """Lines of Markdown. Names come from files, so each goes into a code span that it cannot leave."""
    yield f"### {_code(result.before.title)} → {_code(result.after.title)}"
    yield ""
    yield (
        f"{plural(len(result.files), 'file')} changed, {result.same_files} the same. "
        f"**{human_size(result.bytes_to_move)}** to move, {human_size(result.bytes_shared)} shared."
    )
    if result.metrics:
        yield from ("", "| metric | before | after | |", "|---|--:|--:|---|")
        for metric in result.metrics:
            verdict = "" if metric.better is None else "better" if metric.better else "**worse**"
            yield f"| {_code(metric.name)} | {number(metric.before)} | {number(metric.after)} | {verdict} |"
    if result.files:
        yield from ("", "| file | change | size |", "|---|---|---|")
        for change in result.files:
            yield f"| {_code(change.path)} | {change.change} | {_plain(sizes(change.before, change.after))} |"
    for weights in result.weights:
        yield from ("", f"**{_code(weights.path)}**: {len(weights.tensors)} tensors differ, {weights.same} the same")
        yield from ("", "| | before | after |", "|---|---|---|")
        for label, old, new in facts_rows(weights.before, weights.after):
            yield f"| {label} | {_code(old)} | {_code(new)} |"
        if weights.tensors:
            yield from ("", "<details><summary>tensors</summary>", "", "| tensor | change | |", "|---|---|---|")
            for tensor in weights.tensors:
                yield f"| {_code(tensor.name)} | {tensor.change} | {_code(shapes(tensor))} |"
            yield from ("", "</details>")
    if result.fields:
        yield from ("", "| Kitfile | before | after |", "|---|---|---|")
        for field in result.fields:
            yield f"| {_code(field.path)} | {_code(brief(field.before))} | {_code(brief(field.after))} |"


def _code(text: str) -> str:
    return f"`{_plain(text)}`"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text).replace("`", "'").replace("|", "\\|")
