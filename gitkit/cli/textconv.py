"""`git kit textconv`: what a file is, in lines that `git diff` compares."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gitkit.cli.output import example, json_option, print_json
from gitkit.context import Context

if TYPE_CHECKING:
    from gitkit.drivers.textconv import Clone, Description


@click.command("textconv", epilog=example.format("git kit textconv model.safetensors"))
@click.argument("file", type=click.Path())
@json_option
@click.pass_obj
def command(context: Context, file: str, as_json: bool) -> None:
    """Print what FILE is: kind, size, digest, and what its header says. Text of up to 8 MiB is printed as it is.

    FILE may be the pointer to it. Git runs this for files with `diff=kit`.
    """
    from gitkit.drivers.textconv import describe

    found = describe(file, _clone(context))
    if as_json:
        print_json(_data(found))
    else:
        text = _as_text(found.text) if found.text is not None else "".join(f"{line}\n" for line in _lines(found))
        click.echo(text.encode(), nl=False)  # Git takes it for UTF-8, whatever the locale is


def _clone(context: Context) -> "Clone":
    from gitkit.drivers.textconv import Clone
    from gitkit.errors import KitError

    def store() -> Any:
        try:
            return context.store
        except KitError:
            return None  # `git diff --no-index` works outside of repositories, too

    def digest_of(stat: os.stat_result) -> str | None:
        return context.hash_cache.of_stat(stat) if store() is not None else None

    def keep(path: str, digest: str, stat: os.stat_result) -> None:
        root = context.repository.worktree if store() is not None else None
        absolute = os.path.abspath(os.path.join(context.cwd, path))
        if root is not None and absolute.startswith(f"{root}/"):  # not one of Git's temporary files
            context.hash_cache.remember(os.fsencode(absolute[len(root) + 1 :]), digest, stat.st_size, stat)

    return Clone(store, digest_of, keep)


def _lines(found: "Description") -> Iterator[str]:
    facts = found.facts
    if facts is not None:
        yield f"kind {facts.kind}"
    yield f"size {found.size}"
    yield f"digest {found.digest}"
    if facts is None:
        yield "content is not here"
        return
    for fact in facts.facts:
        yield " ".join(filter(None, (fact.label, escaped(fact.name), escaped(fact.value))))
    if facts.more:
        yield f"and {facts.more} more"
    if facts.problem is not None:
        yield f"header cannot be read: {escaped(facts.problem)}"


def _as_text(text: str) -> str:
    return "\n".join(map(escaped, text.split("\n")))


def escaped(line: str) -> str:
    """``line`` without what a terminal would act on."""
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() or char == "\t" else _escape(char) for char in line)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _data(found: "Description") -> dict[str, Any]:
    facts = found.facts
    return {
        "kind": facts.kind if facts is not None else None,
        "size": found.size,
        "digest": found.digest,
        "here": facts is not None,
        "facts": [fact._asdict() for fact in facts.facts] if facts is not None else [],
        "more": facts.more if facts is not None else 0,
        "problem": facts.problem if facts is not None else None,
    }
