"""`git kit login`: a registry's credentials, kept where docker, oras and skopeo keep theirs."""

import sys

import click

from gitkit.cli.output import example, say
from gitkit.context import Context
from gitkit.errors import Denied, UsageError


@click.command("login", epilog=example.format("git kit login registry.example.com -u ada"))
@click.argument("host")
@click.option("-u", "--username", metavar="USER", help="Else it is asked for.")
@click.option("--password-stdin", is_flag=True, help="Read the password or token from standard input.")
@click.pass_obj
def command(context: Context, host: str, username: str | None, password_stdin: bool) -> None:
    """Store credentials for the registry HOST[:PORT], after trying them there.

    They go to docker's configuration, or to the credential helper that it names. There is no option that takes the
    password: command lines are public.
    """
    from gitkit.registry.credentials import Credential, DockerCredentials, Given
    from gitkit.registry.endpoint import Endpoint
    from gitkit.registry.messages import TransportOptions, proxies_of

    name, scheme = parse_host(host)
    user, password = _ask(name, username, password_stdin)
    endpoint = Endpoint(
        name,
        scheme=scheme,
        credentials=Given(Credential(username=user, password=password)),
        options=TransportOptions(proxies=proxies_of(context.environ)),
    )
    try:
        endpoint.check_login()
    except Denied as error:
        hint = "check them; a registry may want a token in place of the password. Nothing was stored"
        raise Denied(f"{name} does not accept this user and password", hint=hint) from error
    finally:
        endpoint.close()
    place = DockerCredentials(context.environ).store(name, user, password)
    say(f"logged in to {name} as {user} (stored in {place})")


def parse_host(text: str) -> tuple[str, str]:
    """Host and scheme of a registry: HOST[:PORT], or a remote's URL, whose repository does not matter.

    Raises:
        UsageError: it is neither.
    """
    from gitkit.core.reference import RegistryUrl, parse_remote, redacted

    scheme, separator, rest = text.partition("://")
    place = rest if separator else text
    url = f"{scheme if separator else 'oci'}://{place}{'' if '/' in place else '/any'}"
    if not separator and "/" in place:
        raise UsageError(f'"{redacted(text)}" is not a host', hint="write HOST[:PORT]")
    remote = parse_remote(url)
    if not isinstance(remote, RegistryUrl):
        raise UsageError("only a registry takes credentials", hint="write HOST[:PORT]")
    return remote.host, remote.scheme


def _ask(host: str, username: str | None, password_stdin: bool) -> tuple[str, str]:
    if password_stdin and username is None:
        raise UsageError("--password-stdin needs a user", hint="add: -u USER")
    if not password_stdin and not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask for a password on", hint="use: -u USER --password-stdin")
    user = username if username is not None else click.prompt("User", err=True)
    if password_stdin:
        password = sys.stdin.read().rstrip("\r\n")
    else:
        password = click.prompt(f"Password for {user} at {host}", hide_input=True, err=True)
    if not password:
        raise UsageError("the password is empty")
    return user, password
