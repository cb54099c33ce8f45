"""`git kit env`: which version runs in which environment."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gitkit.cli.output import example, json_option, print_json, print_table
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.lifecycle import environments
from gitkit.lifecycle.environments import Place, Run, State

if TYPE_CHECKING:
    from gitkit.modelkit.build import Kit


@click.group("env", invoke_without_command=True, epilog=example.format("git kit env show prod"))
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show the environments of .gitkit.toml and the version that each one runs."""
    if ctx.invoked_subcommand is None:
        _list(ctx.obj, as_json)


@command.command("list")
@json_option
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """List all environments, as this clone knows them (git fetch brings news). Needs no network."""
    _list(context, as_json)


@command.command("show", epilog=example.format("git kit env show prod"))
@click.argument("environment")
@json_option
@click.pass_context
def show(ctx: click.Context, environment: str, as_json: bool) -> None:
    """Show what an environment runs and ran, newest first, and whether the registry agrees."""
    context: Context = ctx.obj
    as_json = as_json or (ctx.parent is not None and bool(ctx.parent.params.get("as_json")))
    place = lifecycle_place(context)
    settings = place.config.environment(environment)
    tips = environments.ask(place, [settings.branch]).tips
    state = environments.read(place, environment, settings, tips.get(settings.branch))
    tagged = context.remote(config=context.lifecycle_config).resolve(environment)
    if as_json:
        print_json(
            {
                **_as_json(state, _digest_of(context, state)),
                "from": list(settings.sources),
                "registry": tagged,
                "drift": _drift(context, state, tagged),
                "history": [_run_json(run) for run in state.runs],
            }
        )
        return
    click.echo(f"environment {environment}\nbranch      {settings.branch}\nregistry    {tagged or '-'}")
    if state.moved_by_hand:
        click.echo(f"drift       somebody committed to {settings.branch} by hand: git log {settings.branch}")
    if _drift(context, state, tagged):
        current = state.current.version if state.current else "-"
        click.echo(f"drift       the registry does not run {current}: git kit promote {current} {environment}")
    click.echo("")
    rows = [
        [
            run.version,
            short(run.digest) if run.digest else "-",
            _date(run.time),
            run.event,
            run.by or "-",
            run.reason or "",
        ]
        for run in state.runs
    ]
    print_table(["VERSION", "DIGEST", "SINCE", "EVENT", "BY", "REASON"], rows)


def lifecycle_place(context: Context) -> Place:
    """What the lifecycle operations work on."""
    from gitkit.cli.kit_shared import content_of

    content = content_of(context)

    def build_released(commit: str, version: str) -> "Kit":
        from gitkit.cli.kit_shared import options_of
        from gitkit.modelkit.build import build

        settings = (context.config_of(commit) or context.lifecycle_config).kit
        options = options_of(settings, settings.formats[0], None, None)
        return build(context.repository.git, commit, version=version, options=options, content=content)

    return Place(
        repository=context.repository,
        git_remote=context.git_remote,
        config=context.lifecycle_config,
        config_of=context.config_of,
        build=build_released,
        content=content,
        allow_commands=context.settings.allow_commands,
    )


def _list(context: Context, as_json: bool) -> None:
    place = lifecycle_place(context)
    states = [
        environments.read(place, name, environment, environments.known_tip(place, environment.branch))
        for name, environment in place.config.environments.items()
    ]
    if as_json:
        print_json([_as_json(state, _digest_of(context, state)) for state in states])
        return
    rows = []
    for state in states:
        run, digest = state.current, _digest_of(context, state)
        version, since, by, event = (run.version, _date(run.time), run.by, run.event) if run else ("-", "-", "", "")
        event += ", then moved by hand" if state.moved_by_hand else ""
        rows.append([state.name, version, short(digest) if digest else "-", since, by or "-", event or "-"])
    print_table(["ENVIRONMENT", "VERSION", "DIGEST", "SINCE", "BY", "EVENT"], rows)


def _digest_of(context: Context, state: State) -> str | None:
    """The digest that runs: recorded, else as this clone built it."""
    if state.current is None:
        return None
    return state.current.digest or context.store.resolve(state.current.version)


def _drift(context: Context, state: State, tagged: str | None) -> bool:
    expected = _digest_of(context, state)
    return expected is not None and tagged != expected


def _as_json(state: State, digest: str | None) -> dict[str, Any]:
    run = state.current
    return {
        "environment": state.name,
        "branch": state.branch,
        "commit": state.tip,
        "version": run.version if run else None,
        "digest": digest,
        "since": _date(run.time) if run else None,
        "by": (run.by or None) if run else None,
        "event": run.event if run else None,
        "moved_by_hand": state.moved_by_hand,
    }


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "version": run.version,
        "digest": run.digest,
        "commit": run.commit,
        "event": run.event,
        "since": _date(run.time),
        "by": run.by or None,
        "reason": run.reason,
    }


def _date(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
