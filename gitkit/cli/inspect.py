"""`git kit inspect`: what a kit holds."""

import click

from gitkit.cli.kit_shared import remote_and_name
from gitkit.cli.output import example, human_size, json_option, plural, print_json, print_table, show_path
from gitkit.context import Context
from gitkit.core.digest import is_digest, short
from gitkit.core.remote import Remote
from gitkit.modelkit.inspect import Inspected, inspect


@click.command("inspect", epilog=example.format("git kit inspect v1.0.0"))
@click.argument("reference", metavar="TAG|REFERENCE")
@click.option("-r", "--remote", "ask_remote", is_flag=True, help="Look on the remote, also when the store has the kit.")
@json_option
@click.pass_obj
def command(context: Context, reference: str, ask_remote: bool, as_json: bool) -> None:
    """Show a kit's version, commit, files and sizes. Downloads no content."""
    remote, name = _where(context, reference, ask_remote)
    found = inspect(remote, name)
    if as_json:
        print_json(
            {
                "digest": found.digest,
                "version": found.version,
                "commit": found.commit,
                "created": found.created,
                "reference": f"{_url(context, remote)}@{found.digest}",
                "size": found.size,
                "kitfile": found.kitfile,
                "config": found.config,
                "manifest": found.manifest,
            }
        )
    else:
        _tell(found)


def _where(context: Context, reference: str, ask_remote: bool) -> tuple[Remote, str]:
    plain = "://" not in reference and not reference.startswith("oci-layout:")
    if plain and not ask_remote:
        store = context.store
        if store.resolve(reference) is not None or (is_digest(reference) and store.has_blob(reference)):
            return store, reference
    return remote_and_name(context, reference)


def _url(context: Context, remote: Remote) -> str:
    return f"oci-layout:{context.store.path}" if remote is context.store else remote.url


def _tell(found: Inspected) -> None:
    for label, value in (
        ("digest", found.digest),
        ("version", found.version),
        ("commit", found.commit),
        ("created", found.created),
        ("type", found.artifact_type),
    ):
        if value:
            click.echo(f"{label:<8} {value}")
    click.echo(f"{'size':<8} {human_size(found.size)} in {plural(len(found.layers), 'file')}\n")
    rows = [
        [short(layer.digest), human_size(layer.size), _kind(layer.media_type), show_path(path)]
        for path, layer in found.layers
    ]
    print_table(["DIGEST", "SIZE", "KIND", "PATH"], rows, right=(1,))


def _kind(media_type: str) -> str:
    """``weight.config`` of ``application/vnd.cncf.model.weight.config.v1.raw``."""
    return media_type.removeprefix("application/vnd.cncf.model.").removesuffix(".v1.raw")
