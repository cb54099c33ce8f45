"""Every command as data, for the manual and the completions: the one place that imports all of them."""

import importlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

import click

from gitkit.cli import table

Takes = Literal["tags", "files", "nothing"]

_TAGS = frozenset({"tag", "version", "revision", "revisions", "reference"})
_FILES = frozenset({"path", "paths", "file", "patterns", "arguments"})


class Option(NamedTuple):
    """``names`` as they are typed; ``value`` is what to type after them, or None for a flag."""

    names: tuple[str, ...]
    value: str | None
    help: str


class Described(NamedTuple):
    """A command: ``words`` is its name, in two words where it is one of a group; ``inner`` are a group's commands.

    ``takes`` says what its arguments are, unless they are one of ``choices``.
    """

    words: tuple[str, ...]
    help: str
    command: click.Command
    options: tuple[Option, ...]
    takes: Takes
    choices: tuple[str, ...]
    inner: tuple["Described", ...]


def described(name: str) -> Described:
    """The command called ``name`` in the table."""
    row = table.find(name)
    if row is None:
        raise KeyError(name)
    return _described((name,), row.help, importlib.import_module(f"gitkit.cli.{row.module}").command)


def everything() -> Iterator[Described]:
    """All commands, in the order of the help."""
    for name in table.names():
        yield described(name)


def usage(item: Described) -> str:
    """What the command line looks like: ``git kit build [OPTIONS] TAG``."""
    with click.Context(item.command, info_name=" ".join(("git kit", *item.words))) as context:
        return " ".join([context.command_path, *item.command.collect_usage_pieces(context)])


def _described(words: tuple[str, ...], text: str, command: click.Command) -> Described:
    inner = _inner(command) if isinstance(command, click.Group) else ()
    options = [_option(param) for param in command.params if isinstance(param, click.Option) and not param.hidden]
    return Described(
        words=words,
        help=text,
        command=command,
        options=(*options, Option(("-h", "--help"), None, "Show help.")),
        takes=_takes(command),
        choices=tuple(choice for param in command.params for choice in _choices(param)),
        inner=tuple(_described((*words, name), each.get_short_help_str(100), each) for name, each in inner),
    )


def _inner(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    with click.Context(group) as context:
        names = group.list_commands(context) if not group.commands else group.commands
        for name in names:
            if (command := group.get_command(context, name)) is not None:
                yield name, command


def _option(param: click.Option) -> Option:
    value = None if param.is_flag else (param.metavar or (param.name or "").upper())
    return Option((*param.opts, *param.secondary_opts), value, param.help or "")


def _takes(command: click.Command) -> Takes:
    names = {param.name for param in command.params if isinstance(param, click.Argument)}
    if names & _TAGS:
        return "tags"
    return "files" if names & _FILES else "nothing"


def _choices(param: click.Parameter) -> tuple[str, ...]:
    if isinstance(param, click.Argument) and isinstance(param.type, click.Choice):
        return tuple(str(choice) for choice in param.type.choices)
    return ()
