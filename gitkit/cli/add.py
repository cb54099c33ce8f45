"""`git kit add`: files into the index."""

import os
import sys

import click

from gitkit.cli.output import example
from gitkit.cli.progress import shown
from gitkit.cli.shared import warn_without_filter
from gitkit.context import Context
from gitkit.errors import KitError
from gitkit.sync.add import Request, add

_FLAGS = {
    "-A": "all",
    "--all": "all",
    "--no-ignore-removal": "all",
    "--no-all": "",
    "--ignore-removal": "",
    "-u": "update",
    "--update": "update",
    "-f": "force",
    "--force": "force",
    "-v": "verbose",
    "--verbose": "verbose",
    "--ignore-errors": "",
}
"""Options that we know the meaning of. With any other, `git add` does all of the work."""


class _Verbatim(click.Command):
    """Keeps the ``--`` that ends the options, which click would take away."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, [*args[:at], *args[at : at + 1], *args[at:]])


@click.command(
    "add",
    cls=_Verbatim,
    epilog=example.format("git kit add models/weights.safetensors"),
    context_settings={"ignore_unknown_options": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[OPTION]... PATH...")
@click.pass_obj
def command(context: Context, arguments: tuple[str, ...]) -> None:
    """Add files to the index, tracked ones as pointers. Takes what `git add` takes.

    Large files are read in parallel, and by git kit itself: faster than `git add`.
    """
    environ = {name: value for name, value in context.environ.items() if name.endswith("_PATHSPECS")}
    if (status := _add_fast(context, arguments, environ)) is None:
        warn_without_filter(context)
        status = context.git.show("add", *arguments, extra=environ)
    if status != 0:
        raise KitError("git add failed", hint="its message is above")


def _add_fast(context: Context, arguments: tuple[str, ...], environ: dict[str, str]) -> int | None:
    """The exit status of `git add`; None where it has not run."""
    if (request := parse(arguments, environ)) is None:
        return None
    with shown() as emit:
        added = add(
            context.repository,
            context.git,
            context.store,
            context.hash_cache,
            request,
            threads=os.cpu_count() or 1,
            trust=context.settings.trust_fingerprint,
            emit=emit,
        )
    if added is None:
        return None
    sys.stdout.buffer.write(added.stdout)
    sys.stderr.buffer.write(added.stderr)
    sys.stderr.flush()
    return added.status


def parse(arguments: tuple[str, ...], environ: dict[str, str]) -> Request | None:
    """What `git add` is asked for; None where that is nothing, or more than we understand."""
    found: set[str] = set()
    pathspecs: list[str] = []
    for number, word in enumerate(arguments):
        if word == "--":
            pathspecs += arguments[number + 1 :]
            break
        if not word.startswith("-") or word == "-":
            pathspecs.append(word)
            continue
        for flag in [word] if word.startswith("--") else [f"-{letter}" for letter in word[1:]]:
            if flag not in _FLAGS:
                return None
            found.add(_FLAGS[flag])
    if not pathspecs and not found & {"all", "update"}:
        return None
    return Request(
        arguments=arguments,
        pathspecs=pathspecs,
        tracked_only="update" in found,
        ignored_too="force" in found,
        verbose="verbose" in found,
        environ=environ,
    )
