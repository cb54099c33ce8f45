"""Where the kits are that a command line names: a remote and a name in it, and which tags there are protected."""

from collections.abc import Mapping

from gitkit.context import Context
from gitkit.core.digest import is_digest
from gitkit.core.reference import RemoteUrl, is_tag, parse_reference, parse_remote
from gitkit.core.remote import Remote
from gitkit.errors import KitError, NotFound, UsageError
from gitkit.modelkit.tags import Guard


def target(text: str) -> tuple[RemoteUrl, str | None]:
    """Where a kit is to go: ``oci://HOST/REPOSITORY[:TAG]`` or ``oci-layout:PATH[:TAG]``; the tag is None without one.

    Raises:
        UsageError: it is neither, or names a digest.
    """
    try:
        reference = parse_reference(text)
    except UsageError:
        return parse_remote(text), None
    if reference.remote is None:
        raise UsageError(
            f'"{text}" names no place', hint=f"write oci://HOST/REPOSITORY:{text} or oci-layout:PATH:{text}"
        )
    if is_digest(reference.name):
        raise UsageError("a kit keeps its digest wherever it goes: give it a tag", hint="oci://HOST/REPOSITORY:TAG")
    return reference.remote, reference.name


def place_of(context: Context, reference: str, *, write: bool = False) -> tuple[Remote, str]:
    """The remote and the tag or digest that ``reference`` means.

    Raises:
        UsageError: it is no reference.
        NotFound: it names no remote, and none is configured.
    """
    parsed = parse_reference(reference)
    remote = context.remote(write=write) if parsed.remote is None else context.open_remote(parsed.remote)
    return remote, parsed.name


def guard(context: Context, remote: Remote) -> Guard:
    """The protected tags of ``remote``: environments are those of the configured remote alone."""
    try:
        config = context.config
    except NotFound:  # outside of a repository
        return Guard("v*", ())
    return Guard(config.kit.tags, tuple(config.environments) if is_configured(context, remote) else ())


def running(context: Context, remote: Remote) -> Mapping[str, str]:
    """Which environment runs a version, by version; asks the Git remote. Empty for any but the configured remote.

    Raises:
        NetworkError: the Git remote cannot be reached, so nobody knows.
    """
    if not is_configured(context, remote) or not context.config.environments:
        return {}
    from gitkit.cli.env import lifecycle_place
    from gitkit.lifecycle import environments

    place = lifecycle_place(context)
    settings = place.config.environments
    tips = environments.ask(place, [each.branch for each in settings.values()]).tips
    states = [environments.read(place, name, each, tips.get(each.branch)) for name, each in settings.items()]
    return {state.current.version: state.name for state in states if state.current is not None}


def is_configured(context: Context, remote: Remote) -> bool:
    """Whether ``remote`` is the repository's own."""
    try:
        return context.remote().url == remote.url
    except KitError:
        return False


def tag_for(name: str) -> str | None:
    """``name``, where it can be a tag: a digest cannot."""
    return name if is_tag(name) and not is_digest(name) else None
