"""`git kit export`: a kit into a folder or one file."""

import os

import click

from gitkit.cli.output import example, human_size, json_option, plural, print_json, print_text, say, show_path
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.core.events import Sink
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, UsageError
from gitkit.modelkit.export import Exported, Nearest, export_archive

_COMPRESSED = (".gz", ".tgz", ".zst", ".bz2", ".xz")


@click.command("export", epilog=example.format("git kit export v1.0.0 llm-v1.0.0.tar"))
@click.argument("reference", metavar="TAG|REFERENCE")
@click.argument("path")
@click.option("--force", is_flag=True, help="Replace the file at PATH.")
@json_option
@click.pass_obj
def command(context: Context, reference: str, path: str, force: bool, as_json: bool) -> None:
    """Write a kit with all its content to PATH: one file where it ends in .tar, else a folder.

    Both are OCI image layouts, which skopeo, podman and oras read; `git kit import PATH` brings the kit back. A folder
    can take several kits, holds what they share once, and goes on where it was interrupted. The same kit gives the same
    file, byte for byte.
    """
    if path.endswith(_COMPRESSED):
        raise UsageError("weights do not get smaller by compression", hint="write a .tar, and compress that")
    source, name, tag = _source(context, reference)
    full = os.path.join(context.cwd, path)
    with shown() as emit:
        if path.endswith(".tar"):
            done = export_archive(source, name, full, tag=tag, replace=force, emit=emit)
            url = f"oci-archive:{path}"
        else:
            done = _into_folder(context, source, name, full, tag, emit)
            url = f"oci-layout:{path}"
    if as_json:
        print_json(
            {"digest": done.digest, "tag": tag, "path": path, "reference": f"{url}@{done.digest}", "size": done.size}
        )
    else:
        what = f"{plural(done.layers, 'layer')}, {human_size(done.size)}"
        say(f"exported {short(done.digest)} to {show_path(path)}: {what}")
        print_text(done.digest)


def _source(context: Context, reference: str) -> tuple[Remote, str, str | None]:
    """Where the kit is, its name there, and the tag that it gets: its own, else its version."""
    from gitkit.cli.kit_source import content_remote, place_of
    from gitkit.cli.places import tag_for
    from gitkit.modelkit.artifact import VERSION
    from gitkit.modelkit.tags import kit_manifest

    place = place_of(context, reference)
    manifest = kit_manifest(place.remote.get_manifest(place.name), reference)
    tag = tag_for(place.name) or tag_for(manifest.annotations.get(VERSION, ""))
    if place.store is None or not place.own:
        return place.remote, place.name, tag
    return Nearest(place.store, lambda: content_remote(context, place)), place.name, tag


def _into_folder(context: Context, source: Remote, name: str, path: str, tag: str | None, emit: Sink) -> Exported:
    from gitkit.cli.places import guard
    from gitkit.modelkit.copying import copy
    from gitkit.store.layout import ImageLayout

    folder = ImageLayout(path, url=f"oci-layout:{path}")
    if not folder.exists() and os.path.lexists(path) and (not os.path.isdir(path) or os.listdir(path)):
        raise Conflict(f"{show_path(path)} is there, and is no OCI image layout", hint="name a new folder")
    transfers = context.settings.transfers
    done = copy(source, folder, name, tag=tag, guard=guard(context, folder), transfers=transfers, emit=emit)
    return Exported(done.digest, done.size, done.layers)
