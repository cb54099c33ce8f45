"""`git kit import`: a kit, or a model from a hub, into this repository; a kit from an archive into the remote."""

import os
import re
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gitkit.cli.import_report import as_document, configured, destination, report
from gitkit.cli.output import example, human_size, json_option, plural, print_json, print_text, say, show_path
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.core.remote import Remote
from gitkit.errors import NotFound, UsageError
from gitkit.modelkit.archive import Archive
from gitkit.store.layout import ImageLayout
from gitkit.sync.keep import TAG_PREFIX

if TYPE_CHECKING:
    from gitkit.modelkit.import_kit import Imported, Rebuilt

_ARCHIVE = re.compile(r"(?P<path>.+\.tar)(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?")
_SHOWN = 5


@click.command("import", epilog=example.format("git kit import oci://registry.example.com/acme/llm:v1.0.0"))
@click.argument("source")
@click.argument("folder", required=False, metavar="[FOLDER]")
@click.option("--commit/--no-commit", default=None, help="Make a commit, or only bring the kit into the remote.")
@click.option("--no-copy", is_flag=True, help="Leave content where it is: a push will say what is missing.")
@json_option
@click.pass_obj
def command(
    context: Context, source: str, folder: str | None, commit: bool | None, no_copy: bool, as_json: bool
) -> None:
    """Bring SOURCE into this repository.

    \b
    oci://HOST/REPOSITORY:TAG     a kit of any format: one commit with its
    oci-layout:PATH:TAG, TAG      files, large ones as pointers
    hf:ORG/NAME[@REVISION]        a model of the Hugging Face hub: the same
    PATH.tar[:TAG], FOLDER/       what git kit export wrote: the kit itself,
                                  into the remote (the store without one)

    Content goes straight from there to the remote, not through this disk. The commit is on the current branch, with all
    files below FOLDER; its last line names where they come from. Prints the commit, or the kit's reference.
    """
    if source.startswith("hf:"):
        if commit is False:
            raise UsageError("a hub holds no kit: what is imported from it is a commit")
        from gitkit.cli.import_hub import import_from_hub

        import_from_hub(context, source, folder, no_copy=no_copy, as_json=as_json)
        return
    where = _where(context, source)
    with where.opened as remote:
        name = where.name or _only_kit(remote)
        if commit if commit is not None else not where.carried:
            _commit(context, remote, name, folder, no_copy, as_json)
        elif folder is not None or no_copy:
            raise UsageError(
                "without a commit there is no folder to import to, and content has to be copied", hint="say --commit"
            )
        else:
            _bring_back(context, remote, name, as_json)


class _Where(NamedTuple):
    """``carried``: it is what `export` writes. ``name`` is None where SOURCE names no tag."""

    opened: AbstractContextManager[Remote]
    name: str | None
    carried: bool


def _where(context: Context, source: str) -> _Where:
    from gitkit.core.reference import LayoutUrl, parse_remote

    if "://" not in source and not source.startswith("oci-layout:"):
        archive = _ARCHIVE.fullmatch(source)
        if archive is not None:
            return _Where(Archive(os.path.join(context.cwd, archive["path"])), archive["tag"], True)
        if "/" in source or source in (".", ".."):
            folder = ImageLayout(os.path.join(context.cwd, source), url=f"oci-layout:{source}")
            return _Where(nullcontext(_existing(folder)), None, True)
    from gitkit.cli.places import place_of

    try:
        remote, name = place_of(context, source)
    except UsageError:
        url = parse_remote(source)
        if not isinstance(url, LayoutUrl):
            raise
        return _Where(nullcontext(context.open_remote(url)), None, False)
    return _Where(nullcontext(remote), name, False)


def _existing(folder: ImageLayout) -> ImageLayout:
    if not folder.exists():
        raise NotFound(
            f"{show_path(folder.path)} is no OCI image layout", hint="name a folder that git kit export wrote"
        )
    return folder


def _only_kit(remote: Remote) -> str:
    """The one kit that is there, by its tag or else its digest."""
    names = [tag for tag in remote.tags() if not tag.startswith(TAG_PREFIX)]
    if not names and isinstance(remote, Archive | ImageLayout):
        names = remote.digests()
    if len(names) == 1:
        return names[0]
    if not names:
        raise NotFound(f"{remote.url} holds no kit")
    raise UsageError(f"{remote.url} holds {len(names)} kits: {', '.join(names[:_SHOWN])}", hint="name one: SOURCE:TAG")


# -- a commit --------------------------------------------------------------------------------------------------------


def _commit(context: Context, remote: Remote, name: str, folder: str | None, no_copy: bool, as_json: bool) -> None:
    from gitkit.modelkit.import_kit import import_kit, rebuild

    with shown() as emit:
        place = destination(context, folder, no_copy=no_copy, emit=emit)
        done = import_kit(place, remote, name)
    commit = done.brought.commit
    rebuilt = rebuild(place, done, commit) if commit is not None and not place.folder else None
    report(context, done.brought, done.origin, done.left_out)
    if rebuilt is not None:
        _tell(done, rebuilt)
    if as_json:
        more: dict[str, Any] = {"digest": done.artifact.digest, "format": done.artifact.format}
        if rebuilt is not None:
            more["rebuilt"] = rebuilt._asdict()
        print_json({**as_document(done.brought, done.origin, done.left_out), **more})
    elif commit is not None:
        print_text(commit)


def _tell(done: "Imported", rebuilt: "Rebuilt") -> None:
    """Which bytes of the imported kit the kit of the new commit has."""
    if rebuilt.problem is not None:
        say(f"warning: no kit can be built from this commit yet: {rebuilt.problem}")
        return
    files = len(done.brought.pointers) + len(done.brought.plain)
    said = f"the kit of this commit has the same bytes in {len(rebuilt.equal)} of {plural(files, 'file')}"
    if rebuilt.layers is not None:
        layers = plural(len(done.artifact.manifest.layers), "layer")
        said += f", and as {done.artifact.format} the same {len(rebuilt.layers)} of {layers}"
    say(said)
    for path in rebuilt.missing[:_SHOWN]:
        say(f"warning: its Kitfile does not name {show_path(path)}")


# -- a kit that comes back -------------------------------------------------------------------------------------------


def _bring_back(context: Context, source: Remote, name: str, as_json: bool) -> None:
    from gitkit.cli.places import guard, tag_for
    from gitkit.modelkit.copying import copy

    target = configured(context) or context.store
    with shown() as emit:
        done = copy(
            source,
            target,
            name,
            tag=tag_for(name),
            guard=guard(context, target),
            transfers=context.settings.transfers,
            emit=emit,
        )
    where = f"oci-layout:{context.store.path}" if target is context.store else target.url
    reference = f"{where}@{done.digest}"
    if as_json:
        print_json({"digest": done.digest, "tag": tag_for(name), "reference": reference, "size": done.size})
        return
    said = f"{tag_for(name)} ({short(done.digest)})" if tag_for(name) else short(done.digest)
    say(f"{said} is in {target.url} now: {plural(done.layers, 'layer')}, {human_size(done.size)}")
    print_text(reference)
