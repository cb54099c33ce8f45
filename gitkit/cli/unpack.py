"""`git kit unpack`: a kit's files into a folder."""

import os

import click

from gitkit.cli.kit_source import Place, content_remote, kit_named_by_kit, place_of
from gitkit.cli.output import example, human_size, json_option, plural, print_json, say, show_path
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.filters import Selection, parse_filter
from gitkit.modelkit.origin import Origin, origin_of
from gitkit.modelkit.read import read_artifact
from gitkit.modelkit.unpack import Unpacked, unpack


@click.command("unpack", epilog=example.format("git kit unpack v1.0.0 --dir /models/llm --filter model"))
@click.argument("reference", metavar="TAG|REFERENCE")
@click.option("-d", "--dir", "folder", metavar="DIR", default=".", help="Where to put the files. Default: here.")
@click.option(
    "-f",
    "--filter",
    "filters",
    multiple=True,
    metavar="TYPE[:NAME]",
    help="Only this part; give it several times for more.",
)
@click.option("-o", "--overwrite", is_flag=True, help="Replace files that are there and differ.")
@click.option("-r", "--remote", "ask_remote", is_flag=True, help="Take the remote's kit, also when the store has one.")
@json_option
@click.pass_obj
def command(
    context: Context,
    *,
    reference: str,
    folder: str,
    filters: tuple[str, ...],
    overwrite: bool,
    ask_remote: bool,
    as_json: bool,
) -> None:
    """Put the files of a kit into a folder: all of them, or those of a part.

    TYPE is kitfile, model, datasets, code, docs, prompts or mcpservers; NAME is an entry's name, a path, or a pattern
    such as "*.safetensors" or "src/**/*.py". Only what is needed is downloaded, everything is verified before it is
    visible, and files that are there and equal are kept: after an interruption, run the command again.
    """
    chosen = [parse_filter(text) for text in filters]
    place = place_of(context, reference, ask_remote=ask_remote)
    artifact = read_artifact(place.remote, place.name)
    origin = _origin(context, place, artifact, kitfile=Selection(chosen).kitfile)
    source = BlobSource(content_remote(context, place), place.store, keep=place.own)
    with shown() as emit:
        result = unpack(
            artifact,
            source,
            os.path.realpath(os.path.join(context.cwd, folder)),
            filters=chosen,
            overwrite=overwrite,
            kitfile=origin.kitfile,
            known=origin.digests,
            resolve=lambda text: kit_named_by_kit(context, text),
            transfers=context.settings.transfers,
            emit=emit,
        )
    if as_json:
        print_json(_as_json(place, artifact, folder, result))
    else:
        _tell(folder, result)


def _origin(context: Context, place: Place, artifact: Artifact, *, kitfile: bool) -> Origin:
    return Origin() if place.store is None else origin_of(context.repository.git, artifact, kitfile=kitfile)


def _as_json(place: Place, artifact: Artifact, folder: str, result: Unpacked) -> dict[str, object]:
    return {
        "digest": artifact.digest,
        "version": artifact.version,
        "reference": f"{place.url}@{artifact.digest}",
        "format": artifact.format,
        "directory": folder,
        "size": result.size,
        "files": [file._asdict() for file in result.files],
        "left_out": result.left_out,
    }


def _tell(folder: str, result: Unpacked) -> None:
    kept = sum(file.state == "kept" for file in result.files)
    there = f", {kept} of them were there" if kept else ""
    say(f"{show_path(folder)} holds {plural(len(result.files), 'file')} of the kit, {human_size(result.size)}{there}")
