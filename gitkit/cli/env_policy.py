"""The rules of an environment in words: one line each."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitkit.core.policy import Approvals, Environment, Window


def policy_lines(settings: "Environment") -> Iterator[tuple[str, str]]:
    """Name and text of each rule that the environment has."""
    if settings.sources:
        yield "from", " or ".join(settings.sources)
    if settings.auto is not None:
        where = settings.sources[0] if settings.auto == "match" else " and ".join(settings.sources)
        yield "auto", f"{settings.auto}: " + ("what runs in " if settings.auto == "match" else "of ") + where
    if settings.soak is not None:
        yield "soak", settings.soak
    if settings.approvals is not None:
        yield "approvals", _approvals(settings.approvals)
    if settings.windows:
        yield "windows", "; ".join(map(_window, settings.windows))
    if settings.gates:
        yield "gates", ", ".join(settings.gates)
    if settings.override:
        yield "override", f"by {', '.join(settings.override)}"


def _approvals(rule: "Approvals") -> str:
    words = [str(rule.min)]
    if rule.sources:
        words.append(f"of {' or '.join(rule.sources)}")
    if rule.each:
        words.append("with one of each")
    if rule.distinct_from_author:
        words.append("not the author")
    if rule.expire is not None:
        words.append(f"for {rule.expire}")
    return f"{words[0]} {words[1]}" + "".join(f", {word}" for word in words[2:]) if rule.sources else ", ".join(words)


def _window(rule: "Window") -> str:
    word, when = ("open", rule.allow) if rule.allow is not None else ("closed", rule.deny)
    duration = f" for {rule.duration}" if rule.duration is not None else ""
    return f"{word} {when}{duration} {rule.tz}"


def policy_json(settings: "Environment") -> dict[str, Any]:
    """The rules as `.gitkit.toml` writes them; what nobody wrote is left out."""
    return settings.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"branch"})
