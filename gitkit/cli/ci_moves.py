"""What a promotion, a rollback and a release tell CI."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gitkit.cli.ci_outputs import code, commands, escape, publish, section, table
from gitkit.cli.output import human_size, plural, say, show_message
from gitkit.errors import GateRefused, PartlyDone

if TYPE_CHECKING:
    from gitkit.lifecycle.gates.subject import Verdict
    from gitkit.lifecycle.ledger import Entry
    from gitkit.lifecycle.move import Moved
    from gitkit.lifecycle.sync import Synced
    from gitkit.modelkit.release import Released


def publish_move(environ: Mapping[str, str], moved: "Moved", url: str, *, dotenv: str | None = None) -> None:
    """An environment moved, or runs the version already.

    Raises:
        PartlyDone: see ``publish``.
    """
    kit = moved.kit
    outputs = {
        "digest": kit.digest,
        "reference": f"{url}@{kit.digest}",
        "version": kit.version,
        "environment": moved.environment,
        "before": moved.before or "",
        "moved": _flag(moved.commit is not None),
        "event": moved.entry.event.id if moved.entry is not None else "",
        "commit": moved.commit or "",
    }
    title = f"{escape(moved.environment)}: {escape(moved.before or 'nothing')} → {escape(kit.version)}"
    if moved.commit is None:
        title = f"{escape(moved.environment)} runs {escape(kit.version)} already"
    summary = section(
        title,
        _facts(outputs, ("version", "digest", "before", "commit", "event")),
        _verdicts(moved.verdicts),
        commands([f"git kit verify {kit.version}", f"git kit env show {moved.environment}"]),
    )
    publish(environ, outputs, summary, dotenv=dotenv, done=f"{moved.environment} runs {kit.version}")


def publish_refusal(
    environ: Mapping[str, str], version: str, environment: str, error: GateRefused, *, dotenv: str | None = None
) -> None:
    """A rule kept the environment where it is; the error says which, and stays the one that counts."""
    outputs = {"version": version, "environment": environment, "moved": "false"}
    first, *rules = error.message.splitlines()
    rows = [(escape(rule), escape(why)) for rule, _, why in (line.partition(": ") for line in rules)]
    hint = escape(error.hint) if error.hint else ""
    summary = section(escape(first.rstrip(":")), table(("rule", "why"), rows), hint)
    try:
        publish(environ, outputs, summary, dotenv=dotenv, done=first.rstrip(":"))
    except PartlyDone as lost:
        say(f"warning: {show_message(lost.message)}")


def publish_sync(environ: Mapping[str, str], results: "Sequence[Synced]", *, dotenv: str | None = None) -> None:
    """What became of each environment. ``environments`` are those that moved, with commas between them.

    Raises:
        PartlyDone: see ``publish``.
    """
    moved = [result.environment for result in results if result.outcome == "promoted"]
    outputs = {"moved": _flag(bool(moved)), "environments": ",".join(moved)}
    rows = [
        (
            escape(one.environment),
            one.outcome,
            escape(one.version or "-"),
            code(one.digest or "-"),
            escape(one.detail or ""),
        )
        for one in results
    ]
    summary = section("Environments", table(("environment", "outcome", "version", "digest", "detail"), rows))
    publish(environ, outputs, summary, dotenv=dotenv, done="the environments are synchronised")


def publish_release(
    environ: Mapping[str, str],
    results: "Sequence[Released]",
    entry: "Entry | None" = None,
    *,
    dotenv: str | None = None,
) -> None:
    """A version was released, or had been; ``entry`` is the journal's event where one was recorded now.

    Raises:
        PartlyDone: see ``publish``.
    """
    first = results[0]
    outputs = {
        "digest": first.kit.digest,
        "reference": first.reference,
        "version": first.kit.version,
        "moved": _flag(any(result.new for result in results)),
        "event": entry.event.id if entry is not None else "",
        "commit": first.kit.commit,
    }
    rows = [
        (
            code(result.tag),
            escape(result.kit.format),
            code(result.kit.digest),
            f"{plural(len(result.kit.files), 'file')}, {human_size(result.kit.size)}",
        )
        for result in results
    ]
    summary = section(
        f"{escape(first.kit.version)} is released to {code(first.url)}",
        table(("tag", "format", "digest", "size"), rows),
        _facts(outputs, ("commit", "event")),
        commands([f"git kit verify {first.kit.version}"]),
    )
    publish(environ, outputs, summary, dotenv=dotenv, done=f"{first.tag} is released")


def _facts(outputs: Mapping[str, str], keys: Iterable[str]) -> str:
    return table(("", ""), [(key, code(outputs[key])) for key in keys if outputs[key]])


def _verdicts(verdicts: "Sequence[Verdict] | Any") -> str:
    rows = [(escape(one.gate), escape(one.outcome), escape(one.reason)) for one in verdicts]
    return table(("rule", "verdict", "why"), rows)


def _flag(value: bool) -> str:
    return "true" if value else "false"
