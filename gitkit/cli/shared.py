"""What several file commands say in the same way."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from gitkit.cli.output import plural, say, show_path, show_text
from gitkit.context import Context
from gitkit.core.selection import Selection, matches, parse_list
from gitkit.errors import KitError, NotFound, PartlyDone
from gitkit.sync import fetch as fetching
from gitkit.sync.checkout import CheckedOut
from gitkit.sync.fetch import Fetched
from gitkit.sync.pointers import PointerFile

F = TypeVar("F", bound=Callable[..., Any])

_SHOWN = 5


def _split(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(pattern for value in values for pattern in parse_list(value))


def _patterns(short: str, name: str, text: str) -> Callable[[F], F]:
    return click.option(short, name, multiple=True, metavar="PATTERN", callback=_split, help=text)


include_option = _patterns("-I", "--include", "Only files that match: '*.bin', folder, 'a,b'.")
exclude_option = _patterns("-X", "--exclude", "No files that match.")


def warn_without_filter(context: Context) -> None:
    """Tell that Git would store large files as content here, where nobody ran `git kit install`."""
    if context.git.ask("config", "filter.kit.process") is None:
        say("warning: Git does not run git kit here: what you add would go into Git itself\nhint: git kit install\n")


def selected(
    files: list[PointerFile], include: tuple[str, ...], exclude: tuple[str, ...], *, otherwise: Selection | None = None
) -> list[PointerFile]:
    """Files that match a pattern of ``include`` (all, when empty) and none of ``exclude``.

    ``otherwise`` holds where the person has said neither.

    Raises:
        NotFound: a pattern of ``include`` matches no large file.
    """
    for pattern in include:
        if not any(matches(pattern, file.path) for file in files):
            raise NotFound(
                f"no large file matches {show_path(pattern.removeprefix('/'))}", hint="list them: git kit ls-files"
            )
    wanted = otherwise if otherwise is not None and not include and not exclude else Selection(include, exclude)
    return [file for file in files if wanted.takes(file.path)]


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
        shown = result.failed[:_SHOWN]
        lines = "\n".join(f"  {show_path(item.file.path)}: {show_text(item.error.message)}" for item in shown)
        hint = next((item.error.hint for item in result.failed if item.error.hint), None)
        raise PartlyDone(f"{plural(len(result.failed), 'file')} could not be checked out:\n{lines}", hint=hint)


def _partly(what: str, failed: list[fetching.Failure]) -> KitError:
    lines = "\n".join(f"  {show_path(item.need.path)}: {show_text(item.error.message)}" for item in failed[:_SHOWN])
    more = f"\n  and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    hint = next(
        (item.error.hint for item in failed if item.error.hint), "from a clone that has the content: git kit push --all"
    )
    return PartlyDone(f"{what}:\n{lines}{more}", hint=hint)
