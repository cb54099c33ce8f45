"""`git kit remote`: where large files and kits go."""

import click

from gitkit.cli.output import example, json_option, print_json, print_text, say
from gitkit.context import CONFIG_FILE, Context


@click.command("remote", epilog=example.format("git kit remote oci://registry.example.com/acme/llm"))
@click.argument("url", required=False)
@click.option("--local", is_flag=True, help="For this clone alone: git config kit.url.")
@json_option
@click.pass_obj
def command(context: Context, url: str | None, local: bool, as_json: bool) -> None:
    """Show the remote in force and where it is set, or set it to URL in .gitkit.toml.

    A URL is oci://HOST[:PORT]/REPOSITORY, oci+http://... for plain HTTP, or oci-layout:PATH for a folder; a relative
    PATH is relative to the repository's root. A folder outside of the repository has to be set in each clone.
    """
    if url is None:
        _show(context, as_json)
        return
    from gitkit.core.reference import parse_remote
    from gitkit.setup.remote import set_remote

    parsed = parse_remote(url)
    written = set_remote(context.repository, parsed, local=local)
    if as_json:
        print_json({"url": str(parsed), "written": written})
    else:
        say(f"{parsed} is the remote now (set in {', '.join(written)})")
    inherited = context.repository.git.ask("config", "--get", "kit.url")
    if inherited not in (None, str(parsed)):
        say(f"warning: git config kit.url is {inherited} and goes first\n\nhint: git kit remote --local {parsed}")


def _show(context: Context, as_json: bool) -> None:
    url, source = in_force(context)
    if as_json:
        print_json({"url": url, "source": source})
        return
    print_text(url)
    say(f"set in {source}")


def in_force(context: Context) -> tuple[str, str]:
    """The remote's URL and what says so.

    Raises:
        NotFound: there is no remote.
    """
    url = context.remote().url
    if context.settings.url is not None:
        scope = context.repository.git.ask("config", "--show-scope", "--get", "kit.url") or ""
        return url, f"git config kit.url ({scope.partition(chr(9))[0]})"
    if context.config.remote_url is not None:
        return url, CONFIG_FILE
    return url, f"the Git remote {context.git_remote}, which is a local repository"
