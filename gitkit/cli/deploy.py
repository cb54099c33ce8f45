"""`git kit deploy`: the kit that an environment runs, as files in a folder."""

import os
import shlex
import shutil
import signal
import time
from typing import TYPE_CHECKING

import click

from gitkit.cli import deploy_report
from gitkit.cli.env import lifecycle_place
from gitkit.cli.kit_source import kit_named_by_kit
from gitkit.cli.output import example, json_option, print_json, say, show_message
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.errors import KitError
from gitkit.lifecycle.deploy.releases import Folder
from gitkit.lifecycle.deploy.wanted import Sources, Wanted, open_kit, wanted

if TYPE_CHECKING:
    from gitkit.core.events import Sink
    from gitkit.lifecycle.deploy.deploy import Deployed, Rules
    from gitkit.lifecycle.deploy.health import Health


@click.command("deploy", epilog=example.format("git kit deploy prod /srv/llm --health /usr/local/bin/llm-check"))
@click.argument("environment")
@click.argument("folder", metavar="DIR")
@click.option("--keep", type=click.IntRange(2), default=3, show_default=True, metavar="N", help="Releases that stay.")
@click.option("--health", metavar="COMMAND", help="Run this in the new release; if it fails, swap back.")
@click.option(
    "--health-timeout",
    type=click.FloatRange(0, min_open=True),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long that may take.",
)
@click.option("--verify", is_flag=True, help="Read files that are there instead of trusting size and time.")
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 where DIR is not what the environment runs.")
@click.option("--record", is_flag=True, help="Record in the journal what was done, with this machine's name and DIR.")
@click.option(
    "--watch",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Do it again and again, this long after each time.",
)
@json_option
@click.pass_obj
def command(
    context: Context,
    *,
    environment: str,
    folder: str,
    keep: int,
    health: str | None,
    health_timeout: float,
    verify: bool,
    check: bool,
    record: bool,
    watch: float | None,
    as_json: bool,
) -> int:
    """Have DIR/current lead to the files of the version that ENVIRONMENT runs; print the release's folder.

    Each version is a folder below DIR/releases, built and verified before `current` is swapped to it in one step.
    Files that an earlier release has, too, are linked; a version that is still there is used again at once. Files that
    somebody changed are repaired by a new folder. A reader that opens `current` once sees one version.

    COMMAND is started without a shell, in the new release, with KIT_ENVIRONMENT, KIT_VERSION, KIT_DIGEST and KIT_DIR
    set. Killed anywhere, DIR runs the old version or the new one; the next deploy goes on and says what it repaired.
    With --watch an unreachable network or registry is waited for, up to ten minutes at a time.
    """
    if check and (watch is not None or health is not None or record):
        raise click.UsageError("--check changes nothing: leave out --health, --record and --watch")
    rules = _rules(context, health, health_timeout, keep, verify, watch)
    place = Folder(os.path.realpath(os.path.join(context.cwd, folder)))
    if check:
        return _check(context, place, environment, verify, as_json)
    if watch is not None:
        return _watch(context, place, environment, rules, watch, record, as_json)
    done, seconds = _deploy(context, place, environment, rules)
    _report(place, done, seconds, as_json)
    if record:
        _record(context, place, done)
    error = deploy_report.unhealthy_error(place, done)
    if error is not None:
        raise error
    return 0


def _rules(
    context: Context, health: str | None, timeout_s: float, keep: int, verify: bool, every_s: float | None
) -> "Rules":
    from gitkit.lifecycle.deploy.agent import BackOff
    from gitkit.lifecycle.deploy.deploy import Rules

    back_off = None if every_s is None else BackOff(every_s)
    return Rules(_health(context, health, timeout_s), keep, verify, back_off)


def _health(context: Context, text: str | None, timeout_s: float) -> "Health | None":
    """The command, which must exist where that can be told before there is a release.

    Raises:
        UsageError: it is none.
    """
    from gitkit.lifecycle.deploy.health import Health

    if text is None:
        return None
    try:
        argv = shlex.split(text)
    except ValueError as error:
        raise click.UsageError(f"--health: {error}") from error
    if not argv:
        raise click.UsageError("--health: name a command")
    in_release = "/" in argv[0] and not os.path.isabs(argv[0])
    if not in_release and shutil.which(argv[0], path=context.environ.get("PATH", os.defpath)) is None:
        raise click.UsageError(f"--health: there is no program {argv[0]}")
    return Health(argv, timeout_s, context.environ)


def _deploy(context: Context, folder: Folder, environment: str, rules: "Rules") -> "tuple[Deployed, float]":
    """What one deploy did, and how many seconds it took."""
    from gitkit.lifecycle.deploy.deploy import deploy

    since = time.monotonic()
    with shown() as emit:
        sources, target = _wanted(context, folder, environment, emit)
        transfers = context.settings.transfers
        done = deploy(target, folder, lambda: open_kit(sources, target, transfers=transfers), rules, emit=emit)
    return done, time.monotonic() - since


def _wanted(context: Context, folder: Folder, environment: str, emit: "Sink") -> tuple[Sources, Wanted]:
    repository = context.repository
    folder.check([path for path in (repository.worktree, repository.git_dir, repository.common_dir) if path])
    sources = Sources(
        git=repository.git,
        store=context.store,
        open_remote=lambda: context.remote(config=context.lifecycle_config),
        resolve=lambda text: kit_named_by_kit(context, text),
    )
    return sources, wanted(lifecycle_place(context), sources, environment, emit=emit)


def _report(folder: Folder, done: "Deployed", seconds: float, json_wanted: bool) -> None:
    deploy_report.tell(folder, done, seconds)
    if json_wanted:
        print_json(deploy_report.as_json(folder, done, seconds))
    elif done.release is not None and done.unhealthy is None:
        click.echo(folder.path_of(done.release))


def _check(context: Context, folder: Folder, environment: str, verify: bool, json_wanted: bool) -> int:
    from gitkit.lifecycle.deploy.drift import report

    with shown() as emit:
        _, target = _wanted(context, folder, environment, emit)
        found = report(target, folder, verify=verify)
    if json_wanted:
        print_json(deploy_report.report_json(folder, found))
    else:
        deploy_report.tell_drift(folder, found)
    return 1 if found.has_drift else 0


class _Ended(KeyboardInterrupt):
    """SIGTERM: an agent's way to end well. Like ^C it may come anywhere."""


def _record(context: Context, folder: Folder, done: "Deployed") -> None:
    import socket

    from gitkit.lifecycle.deploy.recorded import record_deploy

    with shown() as emit:
        path = os.fsencode(folder.path).decode("utf-8", "replace")
        record_deploy(lifecycle_place(context), done, f"{socket.gethostname()}:{path}", emit=emit)


def _watch(
    context: Context, folder: Folder, environment: str, rules: "Rules", every_s: float, record: bool, json_wanted: bool
) -> int:
    """Deploy until a signal comes. Each time starts anew from Git's configuration and files."""
    import random

    from gitkit.lifecycle.deploy.agent import watch

    def once() -> None:
        now = Context(context.environ, context.cwd)
        done, seconds = _deploy(now, folder, environment, rules)
        if done.result not in ("unchanged", "waiting") or done.repairs:
            _report(folder, done, seconds, json_wanted)
        error = deploy_report.unhealthy_error(folder, done)
        if error is not None:
            say(f"error: {show_message(error.message)}")
        if record:
            _record(now, folder, done)

    def failed(error: KitError, delay_s: float) -> None:
        hint = f" ({error.hint})" if error.hint else ""
        say(f"error: {' '.join(error.message.split())}{hint}; next try in {delay_s:.0f} s")

    def end(number: int, frame: object) -> None:
        raise _Ended

    signal.signal(signal.SIGTERM, end)
    try:
        watch(once, every_s=every_s, sleep=time.sleep, chance=random.random, on_failure=failed)
    except _Ended:
        say("ended by SIGTERM")
        return 0
