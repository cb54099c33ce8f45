"""``git config kit.*``: what this clone says, as opposed to what the repository says in ``.gitkit.toml``."""

from typing import Any, Literal, NamedTuple, get_args

from gitkit.core.selection import Selection, parse_list
from gitkit.errors import InvalidFile
from gitkit.git.run import Git

_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
DEFAULT_MAX_PLAIN_SIZE = 50 << 20

Materialize = Literal["after", "delay", "inline"]
"""When a checkout fills in large files: after Git is done with its own work, when their download is, or at once."""

Link = Literal["copy", "hardlink"]
""""copy" shares the bytes on disk where the file system can."""


class Settings(NamedTuple):
    """Defaults are those of a clone that sets nothing. Sizes are bytes. ``storage`` is as it is written there.

    ``wanted`` are the files whose content is downloaded when nobody says which.
    """

    url: str | None = None
    remote: str | None = None
    strict: bool = False
    max_plain_size: int = DEFAULT_MAX_PLAIN_SIZE
    transfers: int = 4
    allow_commands: bool = False
    materialize: Materialize = "after"
    trust_fingerprint: bool = True
    link: Link = "copy"
    storage: str | None = None
    recent_days: int = 10
    trash_days: int = 14
    wanted: Selection = Selection()


def read_settings(git: Git) -> Settings:
    """Read all settings with one git process.

    Raises:
        InvalidFile: a value is not of its kind.
    """
    out = git.ask("config", "--null", "--get-regexp", r"^kit\.[a-z]+$") or ""
    values: dict[str, str] = {}
    for record in out.split("\0"):
        key, newline, value = record.partition("\n")
        values[key.removeprefix("kit.")] = value if newline else "true"
    return Settings(
        url=values.get("url"),
        remote=values.get("remote"),
        strict=_flag(values, "strict"),
        max_plain_size=_size(values, "maxplainsize", DEFAULT_MAX_PLAIN_SIZE),
        transfers=max(1, min(_size(values, "transfers", 4), 64)),
        allow_commands=_flag(values, "allowcommands"),
        materialize=_choice(values, "materialize", get_args(Materialize)),
        trust_fingerprint=_flag({"trustfingerprint": "true", **values}, "trustfingerprint"),
        link=_choice(values, "link", get_args(Link)),
        storage=values.get("storage") or None,
        recent_days=_days(values, "recentdays", 10),
        trash_days=_days(values, "trashdays", 14),
        wanted=Selection(parse_list(values.get("include", "")), parse_list(values.get("exclude", ""))),
    )


def _flag(values: dict[str, str], name: str) -> bool:
    text = values.get(name, "false").lower()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0", ""):
        return False
    raise InvalidFile(f'git config kit.{name} is "{text}", which is neither true nor false')


def _choice(values: dict[str, str], name: str, choices: tuple[Any, ...]) -> Any:
    """The value, which is one of ``choices``; the first of them where nothing is set."""
    text = values.get(name, choices[0]).lower()
    if text not in choices:
        raise InvalidFile(
            f'git config kit.{name} is "{text}", which git kit does not know', hint=f"one of: {', '.join(choices)}"
        )
    return text


def _days(values: dict[str, str], name: str, default: int) -> int:
    text = values.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise InvalidFile(f'git config kit.{name} is "{text}", which is not a number of days', hint="for example: 30")
    return int(text)


def _size(values: dict[str, str], name: str, default: int) -> int:
    text = values.get(name)
    if text is None:
        return default
    unit = _UNITS.get(text[-1:].lower(), 0)
    digits = text[:-1] if unit else text
    if not digits.isascii() or not digits.isdecimal():
        raise InvalidFile(f'git config kit.{name} is "{text}", which is not a size', hint="for example: 50m")
    return int(digits) * (unit or 1)
