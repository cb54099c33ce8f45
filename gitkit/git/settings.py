"""``git config kit.*``: what this clone says, as opposed to what the repository says in ``.gitkit.toml``."""

from typing import NamedTuple

from gitkit.errors import InvalidFile
from gitkit.git.run import Git

_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
DEFAULT_MAX_PLAIN_SIZE = 50 << 20


class Settings(NamedTuple):
    """Defaults are those of a clone that sets nothing. Sizes are bytes."""

    url: str | None = None
    remote: str | None = None
    strict: bool = False
    max_plain_size: int = DEFAULT_MAX_PLAIN_SIZE
    transfers: int = 4
    allow_commands: bool = False


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
    )


def _flag(values: dict[str, str], name: str) -> bool:
    text = values.get(name, "false").lower()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0", ""):
        return False
    raise InvalidFile(f'git config kit.{name} is "{text}", which is neither true nor false')


def _size(values: dict[str, str], name: str, default: int) -> int:
    text = values.get(name)
    if text is None:
        return default
    unit = _UNITS.get(text[-1:].lower(), 0)
    digits = text[:-1] if unit else text
    if not digits.isascii() or not digits.isdecimal():
        raise InvalidFile(f'git config kit.{name} is "{text}", which is not a size', hint="for example: 50m")
    return int(digits) * (unit or 1)
