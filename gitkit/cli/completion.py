"""`git kit completion`: what a shell needs to complete git kit's commands."""

import click

from gitkit.cli.output import example
from gitkit.context import Context


@click.command(
    "completion",
    epilog=example.format(
        "git kit completion bash > ~/.local/share/bash-completion/completions/git-kit\n"
        "  git kit completion zsh > ~/.zfunc/_git-kit\n"
        "  git kit completion fish > ~/.config/fish/completions/git-kit.fish"
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def command(context: Context, shell: str) -> None:
    """Print the completion script for SHELL: for `git kit` and for `git-kit`.

    A package manager's install has put it in place already.
    """
    from gitkit.cli.described import everything
    from gitkit.cli.shells import SCRIPTS

    click.echo(SCRIPTS[shell](list(everything())), nl=False)
