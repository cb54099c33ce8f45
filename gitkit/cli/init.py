"""`git kit init`: a repository becomes a model registry."""

import click

from gitkit.cli.install import report_filter, report_hooks
from gitkit.cli.output import example, say
from gitkit.context import Context


@click.command("init", epilog=example.format("git kit init --remote oci://registry.example.com/acme/llm"))
@click.option("--remote", "url", metavar="URL", help="Where large files and kits go: oci://... or oci-layout:PATH.")
@click.option("--force", is_flag=True, help="Write .gitkit.toml and Kitfile anew.")
@click.pass_obj
def command(context: Context, url: str | None, force: bool) -> None:
    """Make this repository a model registry: .gitkit.toml, a Kitfile guessed from its files, filter and hooks.

    Files that exist stay as they are, and running it again changes nothing.
    """
    from gitkit.core.reference import parse_remote
    from gitkit.setup.init import init

    remote = parse_remote(url) if url is not None else None
    repository = context.repository
    begun = init(repository, url=remote, force=force)
    for name in begun.written:
        say(f"set {name}" if name.startswith("git config") else f"wrote {name}")
    for name in begun.kept:
        say(f"kept {name}")
    if begun.installed.filter_changed:
        report_filter(True, "set in the local Git configuration")
    report_hooks(begun.installed, repository, quiet=True)
    files = " ".join(name for name in begun.written if not name.startswith("git config"))
    say("\nNext:")
    say("  git kit track '*.safetensors'    # what is large")
    if files:
        say(f"  git add .gitattributes {files}")
    say("  git kit doctor")
