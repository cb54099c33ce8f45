"""What all imports have in common: where they go, and what is said of them."""

import os
from collections.abc import Sequence
from typing import Any

from gitkit.cli.output import human_size, plural, say, show_path
from gitkit.context import Context
from gitkit.core.events import Sink
from gitkit.core.remote import Remote
from gitkit.errors import InvalidFile, NotFound, UsageError
from gitkit.modelkit.bring import Brought
from gitkit.modelkit.destination import Destination
from gitkit.modelkit.names import is_of_git, safe_path

_SHOWN = 5


def destination(context: Context, folder: str | None, *, no_copy: bool, emit: Sink) -> Destination:
    """Where an import goes: the configured remote takes the content, else the store.

    Raises:
        UsageError: FOLDER is not a path inside of the repository.
    """
    settings = context.settings
    return Destination(
        repository=context.repository,
        store=context.store,
        remote=configured(context, write=not no_copy),
        folder=_inside(context, folder) if folder is not None else "",
        move=not no_copy,
        max_plain_size=settings.max_plain_size,
        transfers=settings.transfers,
        emit=emit,
    )


def _inside(context: Context, folder: str) -> str:
    root = os.path.realpath(context.repository.root)
    path = os.path.relpath(os.path.join(os.path.realpath(context.cwd), folder), root)
    try:
        path = safe_path(path, "FOLDER")
    except InvalidFile as error:
        raise UsageError(error.message) from error
    if is_of_git(path):
        raise UsageError(f"{show_path(folder)} is Git's own")
    return path


def configured(context: Context, *, write: bool = True) -> Remote | None:
    """The repository's remote; None where there is none.

    Raises:
        Denied: with ``write``, as ``Context.remote``.
    """
    try:
        return context.remote(write=write)
    except NotFound:
        return None


def report(context: Context, brought: Brought, origin: str, left_out: Sequence[str]) -> None:
    """Say what an import did, and materialise what the store holds by now."""
    if left_out:
        listed = ", ".join(show_path(path) for path in left_out[:_SHOWN])
        more = f" and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
        say(f"warning: left out {listed}{more}: nothing that is imported may configure this repository")
    if brought.commit is None:
        say(f"this branch holds all of {origin} already")
        return
    size = human_size(sum(file.size for file in brought.pointers))
    say(f"imported {origin}: {plural(len(brought.pointers), 'large file')} ({size}), {len(brought.plain)} others")
    _materialise(context, brought)


def _materialise(context: Context, brought: Brought) -> None:
    from gitkit.sync import checkout, pointers

    if context.skip_smudge or not brought.pointers:
        return
    wanted = {file.digest for file in brought.pointers if context.store.holds(file.digest, file.size)}
    files = [file for file in pointers.in_index(context.repository.git) if file.pointer.digest in wanted]
    checkout.checkout(context.repository, context.store, files, transfers=context.settings.transfers)
    if len(wanted) < len({file.digest for file in brought.pointers}):
        say("to have the large files here: git kit pull")


def as_document(brought: Brought, origin: str, left_out: Sequence[str]) -> dict[str, Any]:
    """What `--json` prints of an import."""
    return {
        "commit": brought.commit,
        "origin": origin,
        "pointers": [file.path for file in brought.pointers],
        "plain": [file.path for file in brought.plain],
        "left_out": list(left_out),
        "patterns": list(brought.patterns),
        "mounted": len(brought.moved.mounted),
        "sent": sum(need.size for need in brought.moved.sent),
    }
