"""How `git kit deploy` says what it did, and how a deploy folder drifted."""

from typing import TYPE_CHECKING, Any

from gitkit.cli.output import human_size, plural, print_text, say, show_path
from gitkit.core.digest import short
from gitkit.errors import KitError

if TYPE_CHECKING:
    from gitkit.lifecycle.deploy.deploy import Deployed
    from gitkit.lifecycle.deploy.drift import Drift, Report
    from gitkit.lifecycle.deploy.releases import Folder


def tell(folder: "Folder", done: "Deployed", seconds: float) -> None:
    """One line for the person on what runs now, after one for each thing that was repaired."""
    for repair in done.repairs:
        say(f"repaired: {repair}")
    where, wanted = show_path(folder.path), done.wanted
    if done.result == "unchanged":
        say(f"{where} runs {wanted.version} already")
    elif done.result in ("deployed", "repaired"):
        step = f"{done.previous or 'nothing'} -> {wanted.version}"
        if done.damage is not None:
            step = f"{wanted.version} repaired, {_damage(done.damage)},"
        say(f"{wanted.environment}: {step} in {where} ({_amounts(done)}) in {seconds:.1f} s")


def _damage(damage: "Drift") -> str:
    parts = [(len(damage.changed), "changed"), (len(damage.missing), "missing")]
    return " and ".join(f"{plural(count, 'file')} {word}" for count, word in parts if count)


def _amounts(done: "Deployed") -> str:
    parts = [
        f"{amount.files} {word}"
        for amount, word in (
            (done.linked, "linked"),
            (done.copied, "copied"),
            (done.downloaded, "downloaded"),
            (done.kept, "kept"),
        )
        if amount.files
    ]
    if not parts:
        return f"it was there; {human_size(done.size)}"
    count, _, word = parts[0].partition(" ")
    parts[0] = f"{plural(int(count), 'file')} {word}"
    return f"{', '.join(parts)}; {human_size(done.size)}"


def unhealthy_error(folder: "Folder", done: "Deployed") -> KitError | None:
    """What to say of a version that failed its health check: what the command printed, and what runs now."""
    if done.unhealthy is None:
        return None
    said = "".join(f"\n  {line}" for line in done.unhealthy.output.splitlines())
    now = f"{show_path(folder.path)} runs {done.previous} again" if done.previous else "nothing runs there now"
    return KitError(
        f"{done.wanted.version} failed its health check, {done.unhealthy.reason}: {now}{said}",
        hint=f"when it is mended, run the command again; or: git kit rollback {done.wanted.environment}",
    )


def as_json(folder: "Folder", done: "Deployed", seconds: float) -> dict[str, Any]:
    """The object that deploy prints with --json."""
    wanted, damage, unhealthy = done.wanted, done.damage, done.unhealthy
    return {
        "environment": wanted.environment,
        "version": wanted.version,
        "digest": wanted.digest,
        "commit": wanted.commit,
        "event": wanted.event,
        "result": done.result,
        "previous": done.previous,
        "directory": folder.path,
        "release": folder.path_of(done.release) if done.release is not None else None,
        "size": done.size,
        "linked": done.linked._asdict(),
        "copied": done.copied._asdict(),
        "downloaded": done.downloaded._asdict(),
        "kept": done.kept._asdict(),
        "damage": {"changed": damage.changed, "missing": damage.missing} if damage is not None else None,
        "health": unhealthy._asdict() if unhealthy is not None else None,
        "repairs": list(done.repairs),
        "seconds": round(seconds, 3),
    }


def tell_drift(folder: "Folder", found: "Report") -> None:
    """How the folder differs from its environment: a line for each thing on stdout, a summary on stderr."""
    wanted, runs, where = found.wanted, found.record, show_path(folder.path)
    if found.is_behind:
        version = f"{runs.version} ({short(runs.digest)})" if runs is not None else "nothing"
        print_text(f"behind: runs {version}, {wanted.environment} runs {wanted.version} ({short(wanted.digest)})")
    if found.is_pending:
        print_text("pending: a deploy was interrupted before its health was known")
    for kind, paths in found.drift._asdict().items():
        for path in paths:
            print_text(f"{kind}: {show_path(path)}")
    if not found.has_drift:
        say(f"{where} is {wanted.version}, as {wanted.environment} is")
    elif found.is_behind or found.is_pending or found.drift.is_damage:
        say(f"{where} has drifted from {wanted.environment}: git kit deploy {wanted.environment} {where}")
    else:
        say(f"{where} holds files that are not of {wanted.version}: delete them")


def report_json(folder: "Folder", found: "Report") -> dict[str, Any]:
    """The object that deploy --check prints with --json."""
    wanted, runs = found.wanted, found.record
    return {
        "environment": wanted.environment,
        "version": wanted.version,
        "digest": wanted.digest,
        "directory": folder.path,
        "release": folder.path_of(found.name) if found.name is not None else None,
        "runs": {"version": runs.version, "digest": runs.digest} if runs is not None else None,
        "drift": found.has_drift,
        "behind": found.is_behind,
        "pending": found.is_pending,
        **found.drift._asdict(),
    }
