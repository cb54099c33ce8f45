"""`git kit clone`: a repository with its content."""

import os

import click

from gitkit.cli.output import example, say
from gitkit.cli.pull import bring
from gitkit.cli.shared import selected
from gitkit.context import SKIP_SMUDGE, Context
from gitkit.errors import KitError
from gitkit.sync import pointers


@click.command(
    "clone",
    epilog=example.format("git kit clone https://git.example.com/acme/llm.git"),
    context_settings={"ignore_unknown_options": True},
)
@click.option("--no-content", is_flag=True, help="Leave pointers; get content later with: git kit pull")
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[OPTION]... URL [FOLDER]")
@click.pass_obj
def command(context: Context, no_content: bool, arguments: tuple[str, ...]) -> None:
    """Clone a repository, set it up for git kit, and download the content of its files in parallel.

    OPTIONs go to `git clone`. Works where `git kit install` was never run: the clone gets the settings and hooks.
    """
    from gitkit.git import filters
    from gitkit.setup.install import install

    settings = [word for key, value in filters.VALUES.items() for word in ("-c", f"{key}={value}")]
    before = set(os.listdir(context.cwd))
    target = os.path.join(context.cwd, arguments[-1])
    existed = os.path.isdir(os.path.join(target, ".git")) or os.path.isfile(os.path.join(target, "HEAD"))
    status = context.git.show("clone", *settings, *arguments, extra={SKIP_SMUDGE: "1"})
    if status != 0:
        raise KitError("git clone failed", hint="its message is above")
    folder = _folder(context.cwd, before, target if not existed else None, arguments)
    inside = Context(context.environ, folder)
    install(inside.repository, scope="local")
    if not no_content and inside.repository.worktree is not None:
        files = pointers.in_index(inside.repository.git)
        bring(inside, selected(files, (), (), otherwise=inside.settings.wanted))
    say(f"cloned into {os.path.relpath(folder, context.cwd)}")


def _folder(cwd: str, before: set[str], given: str | None, arguments: tuple[str, ...]) -> str:
    """Where git put the clone: what the last argument names when it was no repository before, else what is new here."""
    if given is not None and os.path.isdir(given):
        return given
    new = [name for name in os.listdir(cwd) if name not in before]
    if len(new) == 1:
        return os.path.join(cwd, new[0])
    name = os.path.basename(arguments[-1].rstrip("/")).removesuffix(".git")
    return os.path.join(cwd, name)
