"""``.gitkit.toml``: what a repository says about its remote, its kits and its environments.

Pure: text in, values out. Nothing in the file can run a command. pydantic loads with this module, so import it only
where the file is needed.
"""

import fnmatch
import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, field_validator  # noqa: TID253

from gitkit.core.journal import BRANCH as JOURNAL_BRANCH
from gitkit.core.policy import WITHOUT_TABLE, Environment, Gate, Journal, Table, digest_of_policy
from gitkit.core.problems import Problem, from_validation, nearest, raise_for
from gitkit.core.reference import RemoteUrl, parse_remote
from gitkit.errors import InvalidFile, KitError

FILE = ".gitkit.toml"
FORMATS = ("modelpack", "modelkit", "docker", "image")
LayerFormat = Literal["tar", "raw"]
Compression = Literal["none", "gzip", "zstd"]

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]


class RemoteTable(Table):
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


class KitTable(Table):
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


class Config(Table):
    """The whole file. Defaults are those of a repository without one. ``groups`` are lists of addresses."""

    remote: RemoteTable = RemoteTable()
    kit: KitTable = KitTable()
    environments: dict[Name, Environment] = Field(default={})
    groups: dict[Name, list[str]] = Field(default={})
    gates: dict[Name, Gate] = Field(default={})
    journal: Journal = Journal()

    @field_validator("gates", mode="before")
    @classmethod
    def _kind_is_name(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: {"kind": name, **table} if isinstance(table, dict) else table for name, table in value.items()}

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

    def gate(self, name: str) -> Gate:
        """The settings of a gate; those that need none may have no table."""
        return self.gates[name] if name in self.gates else WITHOUT_TABLE[name]

    def policy_of(self, name: str) -> str:
        """The digest of all that decides about the environment ``name``: approvals hold for one policy only."""
        environment = self.environment(name)
        groups = {*(environment.approvals.sources if environment.approvals else ()), *environment.override}
        parts = {
            "environment": _written(environment),
            "gates": {gate: _written(self.gate(gate)) for gate in environment.gates},
            "groups": {group: self.groups[group] for group in groups if group in self.groups},
            "journal": _written(self.journal),
        }
        return digest_of_policy(parts)


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


def _written(table: Table) -> dict[str, Any]:
    return table.model_dump(mode="json", by_alias=True, exclude_defaults=True)


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
        problems += [
            Problem(("environments", name, "gates", number), f'"{gate}" needs a table [gates.{gate}]')
            for number, gate in enumerate(environment.gates)
            if gate not in config.gates and gate not in WITHOUT_TABLE
        ]
        for key, members in (
            ("approvals", environment.approvals and environment.approvals.sources),
            ("override", environment.override),
        ):
            for member in members or ():
                if member not in config.groups and "@" not in member:
                    problems.append(Problem(("environments", name, key), f'there is no group "{member}"'))
        taken = _taken(environment.branch, branches)
        if taken is not None:
            problems.append(Problem(("environments", name, "branch"), taken))
        branches.setdefault(environment.branch, name)
    return problems


def _taken(branch: str, others: Mapping[str, str]) -> str | None:
    """Why ``branch`` cannot be one beside the journal's and ``others`` (environments by branch). Git has no branch
    whose name another one continues after a slash.
    """
    if branch == JOURNAL_BRANCH:
        return f'"{branch}" is the branch of the journal'
    if branch in others:
        return f'"{branch}" is the branch of "{others[branch]}"'
    for other in (JOURNAL_BRANCH, *others):
        if f"{branch}/".startswith(f"{other}/") or f"{other}/".startswith(f"{branch}/"):
            return f'Git cannot have the branch "{branch}" beside "{other}"'
    return None
