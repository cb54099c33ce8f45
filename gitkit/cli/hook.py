"""`git kit hook`: what Git's hooks run."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gitkit.cli.output import example, human_size, say, show_message, show_path, show_word
from gitkit.context import Context
from gitkit.errors import KitError

if TYPE_CHECKING:
    from gitkit.lifecycle.guard.server import Update
    from gitkit.sync.push import Wanted

_SHOWN = 5


@click.group("hook", epilog=example.format("git kit hook pre-push origin https://git.example.com/acme/llm.git"))
def command() -> None:
    """Run one of git kit's hooks. The scripts that `git kit install` writes call this."""


@command.command("pre-push")
@click.argument("git_remote")
@click.argument("url", required=False, default="")
@click.pass_obj
def pre_push(context: Context, git_remote: str, url: str) -> None:
    """Upload what the pushed refs need, before Git moves them (githooks(5): refs on standard input)."""
    from gitkit.store.pushed import Pushed
    from gitkit.sync import push

    updates = push.parse_updates(sys.stdin.buffer.read())
    git = context.repository.git
    tips = [update.local_oid for update in updates if update.local_oid is not None]
    proven = Pushed(context.store, context.remote_name(url or None))
    name = git_remote if git_remote != url else None
    wanted = push.wanted(git, updates, proven.load(), remote=name)
    if wanted.must or wanted.should:
        _upload(context, url, wanted)
    proven.add(tips)


def _upload(context: Context, url: str, wanted: "Wanted") -> None:
    from gitkit.cli.progress import shown
    from gitkit.sync import push

    remote = context.remote(git_url=url or None, write=True)
    transfers = context.settings.transfers
    with shown() as emit:
        push.push(context.store, remote, wanted.must, should=wanted.should, transfers=transfers, emit=emit)


@command.command("pre-commit")
@click.pass_obj
def pre_commit(context: Context) -> None:
    """Refuse tracked files that are staged as content, and large files that nothing tracks.

    Warns of pointers that no attribute which is committed or staged covers.
    """
    from gitkit.sync.staged import check_staged, pattern_of

    found = check_staged(context.repository.git, context.settings.max_plain_size)
    if found.uncovered:
        _warn_of_uncovered(context, found.uncovered)
    if not found.content and not found.large:
        return
    lines = [f"  {show_path(path)} is tracked, but staged as content" for path in found.content]
    lines += [f"  {show_path(path)} has {human_size(size)} and nothing tracks it" for path, size in found.large]
    hints = []
    if found.content:
        hints.append(f"git add --renormalize -- {_arguments(found.content)}")
    if found.large:
        added = _arguments([b".gitattributes", *(path for path, _ in found.large)])
        hints.append(f"git kit track {pattern_of(path for path, _ in found.large)} && git add --renormalize -- {added}")
    limit = human_size(context.settings.max_plain_size)
    if found.large:
        hints.append(f"or raise the limit of {limit}: git config kit.maxPlainSize SIZE")
    raise KitError("this commit would put large content into Git:\n" + "\n".join(lines), hint="\n      ".join(hints))


def _warn_of_uncovered(context: Context, paths: Sequence[bytes]) -> None:
    from gitkit.sync.staged import pattern_of
    from gitkit.sync.uncovered import not_staged

    say("warning: pointers that no committed or staged attribute covers; a clone would not get their content:")
    for path in paths[:_SHOWN]:
        say(f"  {show_path(path)}")
    if len(paths) > _SHOWN:
        say(f"  and {len(paths) - _SHOWN} more")
    waiting = not_staged(context.repository.git, paths)
    track = f"git kit track {pattern_of(paths)} && git add .gitattributes"
    say(f"hint: {f'git add -- {_arguments(waiting)}' if waiting else track}")


@command.command("update")
@click.argument("ref")
@click.argument("old")
@click.argument("new")
@click.pass_obj
def update(context: Context, ref: str, old: str, new: str) -> int:
    """On a Git server: refuse a push of one ref that breaks the rules of environments, journal and releases."""
    from gitkit.lifecycle.guard.server import update_of

    return _guard(context, [update_of(ref, old, new)], whole=False)


@command.command("pre-receive")
@click.pass_obj
def pre_receive(context: Context) -> int:
    """On a Git server: the same for all refs of a push at once (githooks(5): refs on standard input)."""
    from gitkit.lifecycle.guard.server import parse_updates

    return _guard(context, parse_updates(sys.stdin.buffer.read()), whole=True)


def _guard(context: Context, updates: "Sequence[Update]", *, whole: bool) -> int:
    from gitkit.cli.guarding import server_of
    from gitkit.lifecycle.guard.check import check

    refused = check(server_of(context, updates, whole=whole))
    for ref, error in refused:
        say(f"git kit refuses {ref}: {show_message(error.message)}")
        if error.hint:
            say(f"hint: {show_message(error.hint)}")
    return 1 if refused else 0


def _arguments(paths: Sequence[bytes]) -> str:
    return " ".join(map(show_word, paths))
