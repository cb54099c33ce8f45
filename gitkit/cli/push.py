"""`git kit push`: what refs need, onto the remote."""

import click

from gitkit.cli.output import example, plural, print_text, say, show_path
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.errors import UsageError
from gitkit.git import objects
from gitkit.git.run import Git
from gitkit.sync import push
from gitkit.sync.push import Pushed


@click.command("push", epilog=example.format("git kit push v1.0.0"))
@click.argument("revisions", nargs=-1, metavar="[REVISION]...")
@click.option("--all", "everything", is_flag=True, help="What any branch or tag needs, in its whole history.")
@click.option("-n", "--dry-run", is_flag=True, help="List what would be checked, upload nothing.")
@click.pass_obj
def command(context: Context, revisions: tuple[str, ...], everything: bool, dry_run: bool) -> None:
    """Upload the content that REVISIONs (default: HEAD) and their history need.

    Moves no ref: `git push` does, and uploads what is new by itself through the pre-push hook. This one asks the
    remote for every file, so it also mends a remote that lost some.
    """
    git = context.repository.git
    _refuse_remote_name(git, revisions)
    named = [objects.resolve(git, rev) for rev in revisions or ("HEAD",)] if not everything else []
    oids = objects.all_commits(git) if everything else named
    needs = push.needed(git, oids)
    if dry_run:
        for need in needs:
            print_text(f"{need.digest}  {need.size:>12}  {show_path(need.path)}")
        return
    if not needs:
        say("nothing to push")
        return
    remote = context.remote(write=True)
    with shown() as emit:
        result = push.push(context.store, remote, needs, ask_all=True, transfers=context.settings.transfers, emit=emit)
    report_push(result, remote.url)


def _refuse_remote_name(git: Git, revisions: tuple[str, ...]) -> None:
    if revisions and revisions[0] in (git.ask("remote") or "").split("\n"):
        rest = " ".join(revisions[1:])
        raise UsageError(f"{revisions[0]} is a Git remote; git kit push takes revisions", hint=f"git kit push {rest}")


def report_push(result: Pushed, url: str) -> None:
    """One line where nothing had to travel; what did was shown while it did."""
    if result.uploaded:
        return
    if result.kept:
        say(f"{plural(len(result.kept), 'file')} found on {url}")
    else:
        say(f"{url} has everything already")
