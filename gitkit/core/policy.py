"""What ``.gitkit.toml`` says about environments: where versions come from, who decides, when, and which gates hold.

Pure: values only. pydantic loads with this module, so import it only where the file is needed.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator  # noqa: TID253

from gitkit.core.paths import is_inside
from gitkit.core.reference import is_branch
from gitkit.core.schedule import Deny, parse_cron, parse_deny, parse_duration, parse_zone

SIGNERS = ".gitkit/allowed_signers"


def _duration(value: Any) -> str:
    if not isinstance(value, str):
        example = f"{value}s" if isinstance(value, int) and value > 1 else "24h"
        raise ValueError(f'must be a duration, such as "{example}"')
    parse_duration(value)
    return value


Duration = Annotated[str, BeforeValidator(_duration)]
"""``90s``, ``10m``, ``24h`` or ``7d``."""


class Table(BaseModel):
    """A table of a file that people write: no unknown keys, no guessing of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Approvals(Table):
    """``approvals``: how many people agree before a version comes in.

    ``sources`` are groups of ``[groups]``, or addresses, whose approvals count; without any, everybody's does. ``each``
    asks for one of every group at least. The author of the version does not count unless ``distinct_from_author`` is
    off. After ``expire`` an approval no longer counts.
    """

    min: int = Field(default=1, ge=1)
    sources: list[str] = Field(default=[], alias="from")
    each: bool = False
    distinct_from_author: bool = True
    expire: Duration | None = None


class Window(Table):
    """One of ``windows``: times when versions may come in (``allow``), or may not (``deny``).

    ``allow``: a cron expression at which it opens, for ``duration``. ``deny``: a cron expression likewise, or a span
    ``2026-12-20/2027-01-03``, both days included.
    """

    allow: str | None = None
    deny: str | None = None
    duration: Duration | None = None
    tz: str = "UTC"

    @field_validator("tz")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        parse_zone(value)
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> "Window":
        if (self.allow is None) == (self.deny is None):
            raise ValueError("a window has either allow or deny")
        span = isinstance(parse_deny(self.deny, self.tz), Deny) if self.deny is not None else False
        if self.allow is not None:
            parse_cron(self.allow)
        if not span and self.duration is None:
            raise ValueError('a window that a cron expression opens needs a duration, such as "8h"')
        if span and self.duration is not None:
            raise ValueError("a span of days has no duration")
        return self


class Environment(Table):
    """``[environments.NAME]``. Without ``from`` the environment follows the tip of its branch.

    ``auto`` is for ``git kit env sync``: ``newest`` brings in the newest version that meets the rules, ``match`` what
    the first of ``from`` runs. ``override`` lists groups or addresses that may waive a rule.
    """

    branch: str
    sources: list[str] = Field(default=[], alias="from")
    auto: Literal["newest", "match"] | None = None
    soak: Duration | None = None
    approvals: Approvals | None = None
    windows: list[Window] = []
    gates: list[str] = []
    override: list[str] = []

    @field_validator("branch")
    @classmethod
    def _is_branch(cls, value: str) -> str:
        if not is_branch(value):
            raise ValueError(f'"{value}" is not the name of a branch')
        return value

    @field_validator("approvals", mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return None if value == 0 else {"min": value}
        if not isinstance(value, dict | Approvals | None):
            raise ValueError('must be a number, or a table such as { min = 2, from = ["team"] }')
        return value

    @model_validator(mode="after")
    def _auto_has_source(self) -> "Environment":
        if self.auto is not None and not self.sources:
            raise ValueError("auto needs `from`: without it the environment follows its branch anyway")
        return self


class Limits(Table):
    """What one metric must meet; at least one limit.

    ``min`` and ``max`` are absolute. The others compare with what the environment runs: better by ``min_delta`` at
    least, worse by ``max_drop`` at most. ``direction`` tells what better is; without it, a metric that has a ``max``
    and no ``min`` is better when it is lower.
    """

    model_config = ConfigDict(allow_inf_nan=False)  # no value breaks a limit of nan: all would pass

    min: float | None = None
    max: float | None = None
    min_delta: float | None = None
    max_drop: float | None = Field(default=None, ge=0)
    direction: Literal["higher", "lower"] | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> "Limits":
        if self.min is self.max is self.min_delta is self.max_drop is None:
            raise ValueError("no limit: set min, max, min_delta or max_drop")
        return self

    @property
    def lower_is_better(self) -> bool:
        return self.direction == "lower" or (self.direction is None and self.max is not None and self.min is None)

    def decimal(self, name: Literal["min", "max", "min_delta", "max_drop"]) -> Decimal | None:
        """A limit, exactly as it is written in the file."""
        value: float | None = getattr(self, name)
        return None if value is None else Decimal(repr(value))


class _Gate(Table):
    kind: str


class EvalGate(_Gate):
    """``eval``: metrics of the candidate's commit against limits, and against what the environment runs."""

    kind: Literal["eval"] = "eval"
    metrics: str
    rules: dict[str, Limits] = Field(min_length=1)

    @field_validator("metrics")
    @classmethod
    def _is_inside(cls, value: str) -> str:
        return _path(value)


class SignatureGate(_Gate):
    """``signature``: the tag, or the commit, is signed by somebody whom ``signers`` allows.

    ``signers`` is a file in the repository in OpenSSH's format, read from the branch of the environment.
    """

    kind: Literal["signature"] = "signature"
    of: Literal["tag", "commit", "any"] = "any"
    signers: str = SIGNERS

    @field_validator("signers")
    @classmethod
    def _is_inside(cls, value: str) -> str:
        return _path(value)


class FormatGate(_Gate):
    """``format``: every file of the kit's model is of an allowed format, told by its content."""

    kind: Literal["format"] = "format"
    allow: list[str] = Field(default=["safetensors", "gguf", "onnx"], min_length=1)

    @field_validator("allow")
    @classmethod
    def _are_known(cls, value: list[str]) -> list[str]:
        from gitkit.core.sniff import FORMATS

        for name in value:
            if name not in FORMATS:
                raise ValueError(f'"{name}" is not a format of files; known: {", ".join(FORMATS)}')
        return value


class PickleGate(_Gate):
    """``pickle``: pickles in the kit use nothing but what is known to be harmless, and what ``allow`` names.

    An entry is a name (``module.name``), or a module or package with all below it; ``joblib`` says that raw arrays
    which cannot be told apart are no reason to doubt. ``picklescan`` asks that program, too.
    """

    kind: Literal["pickle"] = "pickle"
    allow: list[str] = []
    picklescan: bool = False


class LicenseGate(_Gate):
    """``license``: every licence that the Kitfile names is one of ``allow`` (SPDX identifiers), and one is named."""

    kind: Literal["license"] = "license"
    allow: list[str] = Field(min_length=1)


class ReproducibleGate(_Gate):
    """``reproducible``: the kit that was released is the one that its commit gives."""

    kind: Literal["reproducible"] = "reproducible"


class SizeGate(_Gate):
    """``size``: the kit, and each of its files, is not larger, for example ``"4GiB"``."""

    kind: Literal["size"] = "size"
    max: str
    max_file: str | None = None

    @field_validator("max", "max_file")
    @classmethod
    def _is_size(cls, value: str | None) -> str | None:
        if value is not None:
            parse_size(value)
        return value


class CommandGate(_Gate):
    """``command``: a program that ends with 0. It runs only where the clone's own ``kit.allowCommands`` is on."""

    kind: Literal["command"] = "command"
    run: list[str] = Field(min_length=1)
    timeout: Duration = "10m"


def _kind(value: Any) -> str:
    return str(value.get("kind", "")) if isinstance(value, dict) else str(getattr(value, "kind", ""))


Gate = Annotated[
    Annotated[EvalGate, Tag("eval")]
    | Annotated[SignatureGate, Tag("signature")]
    | Annotated[FormatGate, Tag("format")]
    | Annotated[PickleGate, Tag("pickle")]
    | Annotated[LicenseGate, Tag("license")]
    | Annotated[ReproducibleGate, Tag("reproducible")]
    | Annotated[SizeGate, Tag("size")]
    | Annotated[CommandGate, Tag("command")],
    Discriminator(_kind),
]
"""``[gates.NAME]``. A gate's kind is its name unless it says ``kind``."""

WITHOUT_TABLE: Mapping[str, Gate] = {
    "signature": SignatureGate(),
    "format": FormatGate(),
    "pickle": PickleGate(),
    "reproducible": ReproducibleGate(),
}
"""Gates that need no settings."""


class Journal(Table):
    """``[journal]``. ``signed``: only signed events count; ``signers`` is a file in OpenSSH's format."""

    signed: bool = False
    signers: str = SIGNERS

    @field_validator("signers")
    @classmethod
    def _is_inside(cls, value: str) -> str:
        return _path(value)


def members(names: list[str], groups: Mapping[str, list[str]]) -> set[str]:
    """The addresses, in lower case, that ``names`` (groups or addresses) stand for."""
    return {address.lower() for name in names for address in groups.get(name, [name])}


def digest_of_policy(parts: Mapping[str, Any]) -> str:
    """``sha256:<hex>`` over canonical JSON of what is written; defaults that nobody wrote do not count."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


_UNITS = {"": 0, "B": 0, "KIB": 10, "MIB": 20, "GIB": 30, "TIB": 40}
_DECIMAL = {"KB": 1, "MB": 2, "GB": 3, "TB": 4}


def parse_size(text: str) -> int:
    """Bytes in ``4GiB``, ``500 MB`` or ``1024``.

    Raises:
        ValueError: it is none.
    """
    number = text.strip().rstrip("BbKkMmGgTtIi ").strip()
    unit = text.strip()[len(number) :].strip().upper()
    try:
        value = Decimal(number)
    except ArithmeticError as error:
        raise ValueError(f'"{text}" is not a size, such as "4GiB"') from error
    if not value.is_finite() or value < 0 or (unit not in _UNITS and unit not in _DECIMAL):
        raise ValueError(f'"{text}" is not a size, such as "4GiB"')
    return int(value * (1 << _UNITS[unit] if unit in _UNITS else 1000 ** _DECIMAL[unit]))


def _path(value: str) -> str:
    if not is_inside(value):
        raise ValueError(f'"{value}" is not the path of a file inside of the repository')
    return value
