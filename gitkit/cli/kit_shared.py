"""What the kit commands say in the same way."""

from typing import Any

import click

from gitkit.cli.output import say, show_path
from gitkit.context import Context
from gitkit.core.remote import Remote
from gitkit.git import objects
from gitkit.git.tags import release_commit
from gitkit.modelkit.build import Kit, build

rev_option = click.option("--rev", metavar="REVISION", help="Build this commit, which is no release.")


def build_kit(context: Context, tag: str | None, rev: str | None) -> Kit:
    """The kit of a release tag; of any commit with ``rev``, whose version is then the commit's abbreviated oid.

    Raises:
        UsageError: not exactly one of both is given.
    """
    git = context.repository.git
    if (tag is None) == (rev is None):
        raise click.UsageError("name a tag, or a commit with --rev")
    if rev is not None:
        commit = objects.resolve(git, rev)
        kit = build(git, commit, version=commit[:12])
    else:
        version = tag or ""
        kit = build(git, release_commit(git, version, context.config.kit.tags), version=version)
    for path in kit.skipped:
        say(f"warning: {show_path(path)} is a link or submodule, which no kit holds: left out")
    return kit


def kit_json(kit: Kit, reference: str | None) -> dict[str, Any]:
    """The object that build, release and verify print with --json."""
    return {
        "digest": kit.digest,
        "version": kit.version,
        "commit": kit.commit,
        "format": kit.format,
        "reference": reference,
        "size": kit.size,
        "files": len(kit.layers),
    }


def remote_and_name(context: Context, reference: str) -> tuple[Remote, str]:
    """Where a reference points: its own remote, else the repository's."""
    from gitkit.core.reference import parse_reference

    parsed = parse_reference(reference)
    return (context.remote() if parsed.remote is None else context.open_remote(parsed.remote)), parsed.name
