"""`git kit promote`: a version into an environment."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gitkit.cli.ci_moves import publish_move, publish_refusal
from gitkit.cli.ci_outputs import dotenv_option
from gitkit.cli.env import lifecycle_place
from gitkit.cli.output import (
    example,
    human_size,
    json_option,
    plural,
    print_json,
    print_table,
    print_text,
    say,
    show_text,
)
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.errors import GateRefused
from gitkit.lifecycle.move import Moved
from gitkit.lifecycle.promote import Plan, plan, promote, verdict_json

if TYPE_CHECKING:
    from gitkit.lifecycle.gates.subject import Verdict
    from gitkit.lifecycle.plan import Changes


def _as_unicode(ctx: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """The option's text, with U+FFFD for bytes that are not UTF-8: the journal is read by other programs."""
    return text and text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


reason_option = click.option("--reason", metavar="TEXT", callback=_as_unicode, help="Why; goes into the journal.")

_WORDS = {"stay": "runs there already", "forward": "the branch moves forward", "commit": "a commit on the branch"}


@click.command("promote", epilog=example.format("git kit promote v1.2.0 prod --dry-run"))
@click.argument("version")
@click.argument("environment")
@reason_option
@click.option("--dry-run", is_flag=True, help="Show what would move and which rules are met; change nothing.")
@click.option(
    "--override",
    "override",
    metavar="RULE",
    multiple=True,
    help="Waive a rule, if the policy lets you; needs --reason.",
)
@dotenv_option
@json_option
@click.pass_obj
def command(
    context: Context,
    *,
    version: str,
    environment: str,
    reason: str | None,
    dry_run: bool,
    override: tuple[str, ...],
    dotenv: str | None,
    as_json: bool,
) -> None:
    """Bring a released VERSION into an ENVIRONMENT and move the registry's tag of that name to the same digest.

    Every rule of the environment must be met: where the version ran before, holds, freezes, windows, soak time,
    approvals and gates. The rules are those on the environment's own branch. Promoting the version that runs there
    already changes nothing but a registry tag that had drifted.

    Exit code 18: a rule is not met. 13: somebody else moved the environment first.
    """
    if override and not reason:
        raise click.UsageError("--override needs --reason")
    place, remote = lifecycle_place(context), context.lifecycle_remote
    try:
        with shown() as emit:
            if dry_run:
                thought = plan(place, remote, version, environment, override=override, emit=emit)
            else:
                moved = promote(place, remote, version, environment, reason=reason, override=override, emit=emit)
    except GateRefused as error:
        publish_refusal(context.environ, version, environment, error, dotenv=dotenv)
        raise
    if dry_run:
        _report_plan(context, thought, as_json)
        return
    publish_move(context.environ, moved, remote.url, dotenv=dotenv)
    report_move(moved, as_json)


def report_move(moved: Moved, as_json: bool) -> None:
    """What moved, for people on stderr and as the digest on stdout, or as JSON."""
    if as_json:
        print_json(_as_json(moved))
        return
    if moved.commit is None:
        suffix = ": registry tag repaired" if moved.tag_moved else " already"
        say(f"{moved.environment} runs {moved.kit.version}{suffix}")
    else:
        say(f"{moved.environment}: {moved.before or 'nothing'} -> {moved.kit.version}")
    for verdict in moved.verdicts:
        if verdict.outcome == "waived":
            say(f"  {verdict.gate}: {show_text(verdict.reason)}")
    if moved.entry is not None and moved.entry.event.kind == "rollback":
        say(f"{moved.environment} is held: git kit resume {moved.environment}")
    print_text(moved.kit.digest)


def _as_json(moved: Moved) -> dict[str, Any]:
    return {
        "environment": moved.environment,
        "version": moved.kit.version,
        "digest": moved.kit.digest,
        "before": moved.before,
        "commit": moved.commit,
        "event": moved.entry.event.id if moved.entry is not None else None,
        "gates": [verdict_json(verdict) for verdict in moved.verdicts],
        "moved": moved.commit is not None,
        "registry_tag_moved": moved.tag_moved,
    }


# -- a plan ------------------------------------------------------------------------------------------------------------


def _report_plan(context: Context, thought: Plan, as_json: bool) -> None:
    from gitkit.lifecycle.plan import changes

    place = lifecycle_place(context)
    current = thought.state.current
    moved = changes(place.build(current.commit, current.version) if current else None, thought.kit)
    if as_json:
        print_json(_plan_json(thought, moved))
    else:
        for line in _plan_lines(thought, moved):
            print_text(line)
        _print_verdicts(thought.verdicts)
    if thought.refused:
        names = ", ".join(verdict.gate for verdict in thought.refused)
        raise GateRefused(f"{thought.environment} would not take {thought.kit.version}: {names}")


def _plan_lines(thought: Plan, moved: "Changes") -> Iterator[str]:
    current = thought.state.current
    yield f"{thought.environment}: {current.version if current else 'nothing'} -> {thought.kit.version}"
    yield f"digest   {thought.kit.digest}"
    yield f"branch   {thought.state.branch}: {_WORDS[thought.step]}"
    counts = ", ".join(
        f"{len(paths)} {word}"
        for word, paths in (("added", moved.added), ("changed", moved.changed), ("removed", moved.removed))
    )
    yield f"files    {counts}, {plural(moved.same, 'file')} the same; {human_size(moved.bytes_to_move)} to move"
    if thought.policy is not None:
        yield f"policy   {thought.kit.version} brings another one: {thought.policy}"
    if current is not None:
        yield f"rollback {short(current.digest) if current.digest else '-'} {current.version}"


def _print_verdicts(verdicts: "list[Verdict] | tuple[Verdict, ...] | Any") -> None:
    if verdicts:
        print_text("")
        print_table(["RULE", "VERDICT", "WHY"], [[one.gate, one.outcome, one.reason] for one in verdicts])


def _plan_json(thought: Plan, moved: "Changes") -> dict[str, Any]:
    current = thought.state.current
    return {
        "environment": thought.environment,
        "version": thought.kit.version,
        "digest": thought.kit.digest,
        "before": current.version if current else None,
        "step": thought.step,
        "added": moved.added,
        "changed": moved.changed,
        "removed": moved.removed,
        "same": moved.same,
        "bytes_to_move": moved.bytes_to_move,
        "policy": thought.policy._asdict() if thought.policy is not None else None,
        "gates": [verdict_json(verdict) for verdict in thought.verdicts],
        "passes": not thought.refused,
    }
