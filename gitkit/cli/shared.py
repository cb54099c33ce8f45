"""What several file commands say in the same way."""

import click

from gitkit.cli.output import plural, say, show_path
from gitkit.context import Context
from gitkit.errors import KitError, NotFound, PartlyDone
from gitkit.sync import fetch as fetching
from gitkit.sync.checkout import CheckedOut
from gitkit.sync.fetch import Fetched
from gitkit.sync.pointers import PointerFile

_SHOWN = 5

include_option = click.option("-I", "--include", multiple=True, metavar="PATTERN", help="Only files that match.")
exclude_option = click.option("-X", "--exclude", multiple=True, metavar="PATTERN", help="No files that match.")


def warn_without_filter(context: Context) -> None:
    """Tell that Git would store large files as content here, where nobody ran `git kit install`."""
    if context.git.ask("config", "filter.kit.process") is None:
        say("warning: Git does not run git kit here: what you add would go into Git itself\nhint: git kit install\n")


def selected(files: list[PointerFile], include: tuple[str, ...], exclude: tuple[str, ...]) -> list[PointerFile]:
    """Files whose path matches a pattern of ``include`` (all, when empty) and none of ``exclude``.

    Raises:
        NotFound: a pattern of ``include`` matches no large file.
    """
    import fnmatch
    import os

    def matches(path: bytes, patterns: tuple[str, ...]) -> bool:
        name = os.fsdecode(path)
        return any(
            pattern in (".", name) or fnmatch.fnmatchcase(name, pattern) or name.startswith(f"{pattern.rstrip('/')}/")
            for pattern in patterns
        )

    for pattern in include:
        if not any(matches(file.path, (pattern,)) for file in files):
            raise NotFound(f"no large file matches {show_path(pattern)}", hint="list them: git kit ls-files")
    return [file for file in files if (not include or matches(file.path, include)) and not matches(file.path, exclude)]


def refuse_incomplete(result: Fetched) -> None:
    """Say what could not be downloaded.

    Raises:
        PartlyDone: some of it failed. Else the failure itself, when everything failed for one reason.
    """
    if not result.failed:
        return
    first = result.failed[0].error
    if not result.downloaded and not isinstance(first, NotFound):
        raise first
    raise _partly(f"{plural(len(result.failed), 'file')} could not be downloaded", result.failed)


def report_checkout(result: CheckedOut) -> None:
    """Say what could not be written.

    Raises:
        PartlyDone: a file could not be written.
    """
    if result.failed:
        lines = "\n".join(f"  {show_path(item.file.path)}: {item.error.message}" for item in result.failed[:_SHOWN])
        hint = next((item.error.hint for item in result.failed if item.error.hint), None)
        raise PartlyDone(f"{plural(len(result.failed), 'file')} could not be checked out:\n{lines}", hint=hint)


def _partly(what: str, failed: list[fetching.Failure]) -> KitError:
    lines = "\n".join(f"  {show_path(item.need.path)}: {item.error.message}" for item in failed[:_SHOWN])
    more = f"\n  and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    hint = next(
        (item.error.hint for item in failed if item.error.hint), "from a clone that has the content: git kit push --all"
    )
    return PartlyDone(f"{what}:\n{lines}{more}", hint=hint)
