"""Where the kit is that a person names, for the commands that read kits: in the store, or on a remote."""

import os
from typing import NamedTuple

from gitkit.cli.kit_shared import remote_and_name
from gitkit.context import Context
from gitkit.core.digest import is_digest
from gitkit.core.remote import Remote
from gitkit.errors import InvalidFile, NotFound, UsageError
from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.read import read_artifact
from gitkit.store.layout import ImageLayout


class Place(NamedTuple):
    """``remote`` has the manifest under ``name``; ``store`` is the clone's, None outside of a repository. ``own``: the
    kit is of this repository, not one that a reference leads to."""

    remote: Remote
    name: str
    store: ImageLayout | None
    own: bool

    @property
    def url(self) -> str:
        """The remote as another tool would be told."""
        return f"oci-layout:{self.store.path}" if self.remote is self.store and self.store else self.remote.url


def place_of(context: Context, reference: str, *, ask_remote: bool = False) -> Place:
    """Where ``reference`` points: the store where it has the kit (unless ``ask_remote``), else the remote.

    Raises:
        UsageError: it names no kit.
        NotFound: a plain tag outside of a repository, or without a remote.
    """
    own = "://" not in reference and not reference.startswith("oci-layout:")
    store = store_of(context)
    if store is not None and own and not ask_remote and _has_kit(store, reference):
        return Place(store, reference, store, own)
    if store is None and reference.startswith("oci-layout:"):
        return Place(*_layout_here(context, reference), None, own)
    return Place(*remote_and_name(context, reference), store, own)


def _has_kit(store: ImageLayout, name: str) -> bool:
    return store.resolve(name) is not None or (is_digest(name) and store.has_blob(name))


def store_of(context: Context) -> ImageLayout | None:
    """The clone's store; None outside of a repository."""
    try:
        return context.store
    except NotFound:
        return None


def content_remote(context: Context, place: Place) -> Remote:
    """Where content is that the store does not hold: a kit that was built in this clone is pointers only."""
    if place.remote is not place.store:
        return place.remote
    try:
        return context.remote()
    except NotFound:
        return place.remote


def kit_named_by_kit(context: Context, text: str) -> tuple[Remote, Artifact]:
    """The kit that a Kitfile names as its model: ``HOST/REPOSITORY:TAG``, as KitOps writes it, or ``oci://...``.

    Raises:
        InvalidFile: it names no registry. A kit must not make us read folders of this machine.
    """
    from gitkit.core.reference import LayoutUrl, parse_reference

    try:
        parsed = parse_reference(text if "://" in text else f"oci://{text}")
    except UsageError as error:
        raise InvalidFile(f"the kit's model is a reference that leads nowhere: {error.message}") from error
    if parsed.remote is None or isinstance(parsed.remote, LayoutUrl) or not {".", ":"} & set(parsed.remote.host):
        raise InvalidFile(f"the kit's model is a reference without a registry: {text}")
    remote = context.open_remote(parsed.remote)
    return remote, read_artifact(remote, parsed.name)


def _layout_here(context: Context, reference: str) -> tuple[Remote, str]:
    """A layout folder, outside of a repository: relative to the current folder."""
    from gitkit.core.reference import LayoutUrl, parse_reference

    parsed = parse_reference(reference)
    if not isinstance(parsed.remote, LayoutUrl):
        raise UsageError(f'"{reference}" names no kit')
    return ImageLayout(os.path.join(context.cwd, parsed.remote.path), url=str(parsed.remote)), parsed.name
