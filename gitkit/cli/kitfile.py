"""`git kit kitfile`: the file that says what a kit holds."""

import os

import click

from gitkit.cli.lazy_group import Group
from gitkit.cli.output import example, json_option, plural, print_json, print_table, say, show_path
from gitkit.context import Context
from gitkit.errors import NotFound


@click.group("kitfile", cls=Group, epilog=example.format("git kit kitfile check"))
def command() -> None:
    """Check, write or show the Kitfile: what of this repository goes into its kits."""


@command.command("check", epilog=example.format("git kit kitfile check"))
@click.argument("file", required=False)
@click.pass_obj
def check(context: Context, file: str | None) -> None:
    """Check the Kitfile (or FILE): its keys and values, and that what it names is here. Lists every problem."""
    from gitkit.setup.kitfile import check_kitfile

    path = os.path.join(context.cwd, file) if file is not None else _present(context)
    check_kitfile(path, root=context.repository.root)
    say(f"{show_path(os.path.basename(path))} is valid")


@command.command("write", epilog=example.format("git kit kitfile write && git add Kitfile"))
@click.option("--force", is_flag=True, help="Replace the one that is there.")
@click.pass_obj
def write(context: Context, force: bool) -> None:
    """Write a Kitfile guessed from the repository's files: read it, and mend what the names did not tell."""
    from gitkit.setup.kitfile import write_kitfile

    path = write_kitfile(context.repository, force=force)
    say(f"wrote {show_path(os.path.relpath(path, context.cwd))}")


command.add_command(write, "init")  # what KitOps calls it


@command.command("show", epilog=example.format("git kit kitfile show --json"))
@json_option
@click.pass_obj
def show(context: Context, as_json: bool) -> None:
    """Show what the Kitfile names, in the order of a kit's layers."""
    from gitkit.core.kitfile import entries
    from gitkit.setup.kitfile import check_kitfile

    path = _present(context)
    kitfile = check_kitfile(path, root=context.repository.root)
    if as_json:
        print_json(kitfile.model_dump(by_alias=True, exclude_defaults=True))
        return
    rows = [[entry.section, show_path(entry.path)] for entry in entries(kitfile)]
    print_table(["SECTION", "PATH"], rows)
    say(f"{plural(len(rows), 'entry', 'entries')} in {os.path.basename(path)}")


def _present(context: Context) -> str:
    from gitkit.setup.kitfile import find_kitfile

    path = find_kitfile(context.repository.root)
    if path is None:
        raise NotFound("there is no Kitfile", hint="git kit kitfile write")
    return path
