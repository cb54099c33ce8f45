"""`git kit env`: the group, which lists the environments. Each of its commands is a module, loaded when it is run."""

from functools import cache as once
from typing import TYPE_CHECKING

import click

from gitkit.cli.lazy_group import LazyGroup
from gitkit.cli.output import example, json_option
from gitkit.cli.table import Row
from gitkit.context import Context
from gitkit.lifecycle.environments import Place

if TYPE_CHECKING:
    from gitkit.modelkit.build import Kit
    from gitkit.modelkit.content import Content

ROWS = (
    Row("list", "list all environments and what each one runs", "env_list"),
    Row("show", "show one environment in detail", "env_show"),
    Row("history", "show what happened to an environment, or what ran at a time", "env_history"),
    Row("diff", "compare what two environments or versions are", "env_diff"),
    Row("sync", "bring environments to where they should be", "env_sync"),
)

offline_option = click.option("--offline", is_flag=True, help="Ask nobody: show what this clone knows.")


class _Environments(LazyGroup):
    rows = ROWS
    otherwise = "git kit env show ENVIRONMENT shows one; all commands: git kit env -h"


@click.group("env", cls=_Environments, invoke_without_command=True, epilog=example.format("git kit env show prod"))
@offline_option
@json_option
@click.pass_context
def command(ctx: click.Context, offline: bool, as_json: bool) -> None:
    """Show the environments of .gitkit.toml and the version that each one runs.

    Asks the Git remote and the registry. Who cannot be reached is a warning: then it is what this clone knows.
    """
    if ctx.invoked_subcommand is None:
        from gitkit.cli.env_list import show_all

        show_all(ctx.obj, offline, as_json)


def of_group(ctx: click.Context, name: str) -> bool:
    """Whether the flag ``name`` was given before the subcommand's name."""
    return ctx.parent is not None and bool(ctx.parent.params.get(name))


def lifecycle_place(context: Context) -> Place:
    """What the lifecycle operations work on."""

    @once
    def content() -> "Content":
        from gitkit.cli.kit_shared import content_of

        return content_of(context)

    def build_released(commit: str, version: str) -> "Kit":
        from gitkit.cli.kit_shared import options_of
        from gitkit.modelkit.build import build

        settings = (context.config_of(commit) or context.lifecycle_config).kit
        options = options_of(settings, settings.formats[0], None, None)
        return build(context.repository.git, commit, version=version, options=options, content=content())

    return Place(
        repository=context.repository,
        git_remote=context.git_remote,
        config=context.lifecycle_config,
        config_of=context.config_of,
        build=build_released,
        store=context.store,
        content=content,
        allow_commands=context.settings.allow_commands,
    )
