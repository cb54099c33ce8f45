"""``.gitkit.toml``: what a repository says about its remote, its kits and its environments.

Pure: text in, values out. Nothing in the file can run a command. pydantic loads with this module, so import it only
where the file is needed.
"""

import fnmatch
import tomllib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator  # noqa: TID253

from gitkit.core.problems import Problem, from_validation, nearest, raise_for
from gitkit.core.reference import RemoteUrl, is_branch, parse_remote
from gitkit.errors import InvalidFile, KitError

FILE = ".gitkit.toml"
FORMATS = ("modelpack", "modelkit", "docker", "image")
LayerFormat = Literal["tar", "raw"]
Compression = Literal["none", "gzip", "zstd"]

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RemoteTable(_Table):
    """``[remote]``: where blobs and kits go."""

    url: str | None = None

    @field_validator("url")
    @classmethod
    def _is_remote(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_remote(value)
            except KitError as error:
                raise ValueError(error.message) from error
        return value


class KitTable(_Table):
    """``[kit]``: how a commit becomes a kit. A release makes all ``formats``; the first has the version as its tag.

    ``layer_format`` is that of the format modelkit, ``compression`` that of all tar layers.
    """

    formats: list[str] = Field(default=["modelpack"], min_length=1)
    layer_format: LayerFormat = "tar"
    compression: Compression = "none"
    tags: str = Field(default="v*", min_length=1)
    source: str | None = None

    @field_validator("formats")
    @classmethod
    def _are_known(cls, value: list[str]) -> list[str]:
        for number, name in enumerate(value):
            if name not in FORMATS:
                raise ValueError(f'"{name}" is not a format; known: {", ".join(FORMATS)}')
            if name in value[:number]:
                raise ValueError(f'"{name}" is listed twice')
        return value


class Environment(_Table):
    """``[environments.NAME]``. Without ``from`` the environment follows the tip of its branch."""

    branch: str
    sources: list[str] = Field(default=[], alias="from")
    soak: str | None = None
    approvals: int = Field(default=0, ge=0)
    gates: list[str] = []

    @field_validator("branch")
    @classmethod
    def _is_branch(cls, value: str) -> str:
        if not is_branch(value):
            raise ValueError(f'"{value}" is not the name of a branch')
        return value


class Limits(_Table):
    """What one metric must meet."""

    model_config = ConfigDict(allow_inf_nan=False)  # no value breaks a limit of nan: all would pass

    min: float | None = None
    max: float | None = None
    min_delta: float | None = None
    max_drop: float | None = None


class Gate(_Table):
    """``[gates.NAME]``."""

    metrics: str | None = None
    rules: dict[str, Limits] = {}


class Config(_Table):
    """The whole file. Defaults are those of a repository without one."""

    remote: RemoteTable = RemoteTable()
    kit: KitTable = KitTable()
    environments: dict[Name, Environment] = {}
    gates: dict[str, Gate] = {}

    @property
    def remote_url(self) -> RemoteUrl | None:
        """The parsed ``remote.url``."""
        return parse_remote(self.remote.url) if self.remote.url is not None else None

    def environment(self, name: str) -> Environment:
        """The environment called ``name``.

        Raises:
            InvalidFile: the file has none of that name.
        """
        if name in self.environments:
            return self.environments[name]
        known = ", ".join(self.environments) or "none"
        guess = nearest(name, list(self.environments))
        hint = f'did you mean "{guess}"?' if guess else f"add [environments.{name}] to {FILE}; there are: {known}"
        raise InvalidFile(f'no environment is called "{name}"', hint=hint)


def parse_config(text: bytes, *, file: str = FILE) -> Config:
    """The configuration in ``text`` (TOML).

    Raises:
        InvalidFile: lists every problem of the file, by key path.
    """
    try:
        data = tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # tomllib's own error, bad UTF-8, a number too long to read
        raise InvalidFile(f"{file} is not TOML: {error}") from error
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise_for(from_validation(Config, error), file)
        raise
    raise_for(_references(config), file)
    return config


def _references(config: Config) -> list[Problem]:
    """Names that one part of the file uses and another should define."""
    problems = []
    branches: dict[str, str] = {}
    for name, environment in config.environments.items():
        if fnmatch.fnmatchcase(name, config.kit.tags):
            text = f'versions match "{config.kit.tags}", and an environment has a tag in the registry, too'
            problems.append(Problem(("environments", name), text))
        for number, source in enumerate(environment.sources):
            if source not in config.environments:
                problems.append(Problem(("environments", name, "from", number), f'there is no environment "{source}"'))
            elif source == name:
                problems.append(Problem(("environments", name, "from", number), "an environment cannot follow itself"))
        other = branches.setdefault(environment.branch, name)
        if other != name:
            problems.append(
                Problem(("environments", name, "branch"), f'"{environment.branch}" is the branch of "{other}"')
            )
    return problems
