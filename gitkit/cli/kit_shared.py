"""What the kit commands say in the same way."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from gitkit.cli.output import human_size, plural, say, show_path
from gitkit.context import Context
from gitkit.core.events import Sink
from gitkit.core.remote import Remote
from gitkit.git import objects
from gitkit.git.tags import release_commit
from gitkit.modelkit.build import Kit, build
from gitkit.modelkit.content import Content
from gitkit.modelkit.files import uncovered
from gitkit.modelkit.formats.options import COMPRESSIONS, FORMATS, LAYER_FORMATS, Options, options_for

if TYPE_CHECKING:
    from gitkit.core.config import KitTable

rev_option = click.option("--rev", metavar="REVISION", help="Build this commit, which is no release.")
format_choice = click.Choice(FORMATS)
layer_format_option = click.option(
    "--layer-format", type=click.Choice(LAYER_FORMATS), help="Layers of the format modelkit; else that of .gitkit.toml."
)
compression_option = click.option(
    "--compression", type=click.Choice(COMPRESSIONS), help="Compression of tar layers; else that of .gitkit.toml."
)


def options_of(kit: "KitTable", format: str, layer_format: str | None, compression: str | None) -> Options:
    """How to write a kit in ``format``: as the command line says, else as ``.gitkit.toml`` does."""
    # A compression that is only configured is meant for tar layers.
    packing = layer_format or kit.layer_format
    packer = compression or ("none" if format == "modelkit" and packing == "raw" else kit.compression)
    return options_for(format, layer_format=packing, compression=packer)


def content_of(context: Context, *more: Remote) -> Content:
    """Where the content of a kit's files may be: in this clone, on its remote, else on ``more``."""
    remotes = [context.remote, *(_given(remote) for remote in more)]
    return Content(context.repository.git, context.store, remotes, context.lfs_content())


def build_kits(
    context: Context, tag: str | None, rev: str | None, options: list[Options], *, content: Content, emit: Sink
) -> list[Kit]:
    """The kits of a release tag; of any commit with ``rev``, whose version is then the commit's abbreviated oid.

    Raises:
        UsageError: not exactly one of both is given.
    """
    git = context.repository.git
    if (tag is None) == (rev is None):
        raise click.UsageError("name a tag, or a commit with --rev")
    if rev is not None:
        commit = objects.resolve(git, rev)
        version = commit[:12]
    else:
        version = tag or ""
        commit = release_commit(git, version, context.config.kit.tags)
    kits = [build(git, commit, version=version, options=each, content=content, emit=emit) for each in options]
    for path in kits[0].skipped:
        say(f"warning: {show_path(path)} is a link or submodule, which no kit holds: left out")
    if kits[0].format != "docker":  # that one takes the model alone
        for path in uncovered(git, commit, kits[0].files):
            say(f"warning: {show_path(path)} is a large file that no entry of the Kitfile leads to: left out")
    return kits


def kit_json(kit: Kit, reference: str | None) -> dict[str, Any]:
    """The object that build, release and verify print with --json."""
    return {
        "digest": kit.digest,
        "version": kit.version,
        "commit": kit.commit,
        "format": kit.format,
        "reference": reference,
        "size": kit.size,
        "files": len(kit.files),
    }


def kit_line(kit: Kit) -> str:
    """How much is in a kit, for people."""
    return f"{plural(len(kit.files), 'file')}, {human_size(kit.size)}"


def remote_and_name(context: Context, reference: str) -> tuple[Remote, str]:
    """Where a reference points: its own remote, else the repository's."""
    from gitkit.core.reference import parse_reference

    parsed = parse_reference(reference)
    return (context.remote() if parsed.remote is None else context.open_remote(parsed.remote)), parsed.name


def _given(remote: Remote) -> Callable[[], Remote]:
    return lambda: remote
