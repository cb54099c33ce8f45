"""The Kitfile: what of a commit goes into its kit, and what it is (KitOps' schema, manifestVersion 1.0.0).

The author's bytes are never rewritten; ``resolved`` gives the JSON that a kit carries. Section and key order follow
KitOps' ``pkg/artifact/kitfile.go``. pydantic loads with this module, so import it only where a Kitfile is read.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError  # noqa: TID253

from gitkit.core.problems import Path, Problem, dotted, from_validation, raise_for
from gitkit.core.yaml import parse_yaml

NAMES = ("Kitfile", "kitfile", ".kitfile")
"""File names in the order in which they are looked for."""

# fmt: off
WEIGHT_SUFFIXES = frozenset({
    ".safetensors", ".gguf", ".ggml", ".ggmf", ".onnx", ".pt", ".pth", ".pt2", ".ptl", ".bin", ".ckpt", ".h5", ".keras",
    ".pb", ".tflite", ".tfrecords", ".pkl", ".joblib", ".npy", ".npz", ".mar", ".mlmodel", ".caffemodel", ".coreml",
    ".pmml", ".llamafile", ".engine", ".dduf",
})
# fmt: on
"""What a model's weights are called: KitOps' list, and those of runtimes that it does not know."""

_S3 = re.compile(r"s3://[^/?]+/[^?]+(\?versionId=.+)?")

SECTIONS = ("model", "parts", "code", "datasets", "docs", "prompts", "mcpServers")
"""Kinds of entries, in the order of a kit's layers."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class Package(_Table):
    name: str | None = None
    version: str | None = None
    description: str | None = None
    license: str | None = None
    authors: list[str] = []


class Part(_Table):
    name: str | None = None
    path: str | None = None
    license: str | None = None
    type: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")] | None = None


class Model(_Table):
    name: str | None = None
    path: str | None = None
    license: str | None = None
    framework: str | None = None
    format: str | None = None
    version: str | None = None
    description: str | None = None
    parts: list[Part] = []
    parameters: Any = None


class Code(_Table):
    path: str | None = None
    description: str | None = None
    license: str | None = None


class Dataset(_Table):
    name: str | None = None
    path: str | None = None
    remote_path: str | None = Field(default=None, alias="remotePath")
    remote_hash: str | None = Field(default=None, alias="remoteHash")
    description: str | None = None
    license: str | None = None
    parameters: Any = None


class Doc(_Table):
    path: str = ""
    description: str | None = None


class Prompt(_Table):
    name: str | None = None
    path: str | None = None
    description: str | None = None


class McpServer(_Table):
    name: str
    path: str
    description: str | None = None


class Kitfile(_Table):
    """A whole Kitfile."""

    manifest_version: str | None = Field(default=None, alias="manifestVersion")
    package: Package = Package()
    model: Model | None = None
    code: list[Code] = []
    datasets: list[Dataset] = []
    docs: list[Doc] = []
    prompts: list[Prompt] = []
    mcp_servers: list[McpServer] = Field(default=[], alias="mcpServers")


class Entry(NamedTuple):
    """One thing that a Kitfile puts into the kit. ``path`` has no ``./`` and no slash at its end; ``.`` is the root."""

    section: str
    number: int
    path: str


class File(NamedTuple):
    """A file (or whole entry) of a kit. ``diff_id`` is its digest before compression, if that is another one."""

    path: str
    digest: str
    diff_id: str | None = None


def parse_kitfile(text: bytes, *, file: str = "Kitfile") -> Kitfile:
    """The Kitfile in ``text`` (YAML).

    Raises:
        InvalidFile: lists every problem of the file, with its line and key path.
    """
    data, lines = parse_yaml(text, file=file, typed=frozenset({"parameters"}))
    problems: list[Problem] = []
    kitfile = None
    try:
        kitfile = Kitfile.model_validate(data)
    except ValidationError as error:
        problems += from_validation(Kitfile, error)
    problems += _path_problems(data) + _remote_problems(data) + _server_problems(data)
    raise_for(problems, file, lines)
    if kitfile is None:
        raise AssertionError("problems were raised above")
    return kitfile


def is_kit_reference(path: str) -> bool:
    """Whether a model's path names another kit instead of a file (KitOps: it holds a tag or a digest)."""
    return ("@" in path or ":" in path) and "://" not in path and not path.startswith((".", "/"))


def entries(kitfile: Kitfile) -> Iterator[Entry]:
    """Everything that has a path in this commit, in the order of a kit's layers."""
    if kitfile.model is not None:
        if kitfile.model.path:
            yield Entry("model", 0, _clean(kitfile.model.path))
        yield from _numbered("parts", kitfile.model.parts)
    yield from _numbered("code", kitfile.code)
    yield from _numbered("datasets", [entry for entry in kitfile.datasets if not entry.remote_path])
    yield from _numbered("docs", kitfile.docs)
    yield from _numbered("prompts", kitfile.prompts)
    yield from _numbered("mcpServers", kitfile.mcp_servers)


def _numbered(section: str, items: Sequence[Any]) -> Iterator[Entry]:
    for number, item in enumerate(items):
        if item.path:
            yield Entry(section, number, _clean(item.path))


def _clean(path: str) -> str:
    return posixpath.normpath(path)


# -- paths ---------------------------------------------------------------------------------------------------------


def _path_problems(data: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for path, value in _paths(data):
        if path == ("model", "path") and is_kit_reference(value):
            continue
        problem = _path_problem(value)
        if problem is not None:
            problems.append(Problem(path, problem))
            continue
        first = seen.setdefault(_clean(value), _where(path))
        if first != _where(path):
            problems.append(Problem(path, f'"{value}" is listed twice (also as {first})'))
    return problems


def _path_problem(value: str) -> str | None:
    if "://" in value:
        return f'"{value}" is a URL: an entry is a path in this repository'
    if value.startswith("/"):
        return f'"{value}" is absolute: an entry is a path in this repository'
    if _clean(value).split("/")[0] == "..":
        return f'"{value}" leaves the repository'
    return None


def _remote_problems(data: Mapping[str, Any]) -> list[Problem]:
    """Datasets that lie elsewhere: as an object in S3 with its ETag as hash, or as another kit."""
    problems = []
    for number, item in _items(data, "datasets"):
        place, path = item.get("remotePath"), ("datasets", number)
        if not isinstance(place, str) or not place:
            if item.get("remoteHash"):
                problems.append(Problem((*path, "remoteHash"), "is of no use without a remotePath"))
        elif _S3.fullmatch(place):
            if not item.get("remoteHash"):
                problems.append(Problem((*path, "remotePath"), "needs a remoteHash: the object's ETag"))
        elif is_kit_reference(place):
            problems += _inside_problems(data, item, number)
        else:
            problems.append(Problem((*path, "remotePath"), f'"{place}" is neither s3://BUCKET/KEY nor a kit'))
    return problems


def _inside_problems(data: Mapping[str, Any], dataset: Mapping[str, Any], number: int) -> list[Problem]:
    """What another kit is unpacked into must be its own."""
    folder = dataset.get("path")
    if not isinstance(folder, str) or not folder:
        return []
    return [
        Problem(path, f'"{value}" is inside of datasets[{number}], which comes from another kit')
        for path, value in _paths(data)
        if _clean(value).startswith(f"{_clean(folder)}/") or (_clean(folder) == "." and _clean(value) != ".")
    ]


def _server_problems(data: Mapping[str, Any]) -> list[Problem]:
    problems = []
    seen: dict[str, int] = {}
    for number, item in _items(data, "mcpServers"):
        name, path = item.get("name"), item.get("path")
        if isinstance(name, str):
            first = seen.setdefault(name, number)
            if not name:
                problems.append(Problem(("mcpServers", number, "name"), "is empty"))
            elif first != number:
                problems.append(Problem(("mcpServers", number, "name"), f'"{name}" is also mcpServers[{first}]'))
        if isinstance(path, str) and _path_problem(path) is None and not path.endswith(".mcpb"):
            problems.append(Problem(("mcpServers", number, "path"), f'"{path}" is not an MCP bundle (.mcpb)'))
    return problems


def _items(data: Mapping[str, Any], section: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    items = data.get(section)
    for number, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict):
            yield number, item


def _where(path: Path) -> str:
    return dotted(path[:-1])


def _paths(data: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    model = data.get("model")
    places: list[tuple[Path, Any]] = [(("model",), [model] if isinstance(model, dict) else [])]
    if isinstance(model, dict):
        places.append((("model", "parts"), model.get("parts")))
    places += [((section,), data.get(section)) for section in ("code", "datasets", "docs", "prompts", "mcpServers")]
    for base, items in places:
        for number, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, dict) and isinstance(item.get("path"), str):
                yield (*base, "path") if base == ("model",) else (*base, number, "path"), item["path"]


# -- the resolved Kitfile --------------------------------------------------------------------------------------------


def resolved(
    kitfile: Kitfile, files_of: Callable[[Entry], Sequence[File]], is_weight: Callable[[str], bool]
) -> dict[str, Any]:
    """The Kitfile as a kit carries it: keys in KitOps' order, directories replaced by their files, each with a digest.

    A model that is a directory becomes its first weight; its other files become parts, in path order. An entry without
    files stays as it is, without a digest.
    """
    found: dict[tuple[str, int], Sequence[File]] = {(e.section, e.number): files_of(e) for e in entries(kitfile)}
    out: dict[str, Any] = {}
    if kitfile.manifest_version:
        out["manifestVersion"] = kitfile.manifest_version
    out["package"] = _plain(kitfile.package)
    if kitfile.model is not None:
        out["model"] = _resolved_model(kitfile.model, found, is_weight)
    sections: list[tuple[str, Sequence[BaseModel]]] = [
        ("code", kitfile.code),
        ("datasets", kitfile.datasets),
        ("docs", kitfile.docs),
        ("prompts", kitfile.prompts),
        ("mcpServers", kitfile.mcp_servers),
    ]
    for section, items in sections:
        if items:
            out[section] = _expand(section, items, found)
    return out


def _resolved_model(
    model: Model, found: Mapping[tuple[str, int], Sequence[File]], is_weight: Callable[[str], bool]
) -> dict[str, Any]:
    out = _plain(model)
    parameters = out.pop("parameters", None)
    files = list(found.get(("model", 0), ()))
    parts = _expand("parts", model.parts, found)
    main = next((file for file in files if is_weight(file.path)), files[0] if files else None)
    if len(files) > 1 or (main and model.path and main.path != _clean(model.path)):
        parts = [{"path": file.path, **_digests(file)} for file in files if file is not main] + parts
        out["path"] = main.path if main else model.path
    out.pop("parts", None)
    if parts:
        out["parts"] = parts
    if parameters is not None:
        out["parameters"] = parameters
    return {**out, **_digests(main)} if main else out


def _expand(
    section: str, items: Sequence[BaseModel], found: Mapping[tuple[str, int], Sequence[File]]
) -> list[dict[str, Any]]:
    out = []
    for number, item in enumerate(items):
        plain = _plain(item)
        files = found.get((section, number), ())
        single = len(files) == 1 and files[0].path == _clean(plain.get("path") or ".")
        for file in files:
            out.append({**plain, **({} if single else {"path": file.path}), **_digests(file)})
        if not files:
            out.append(plain)
    return out


def _digests(file: File) -> dict[str, str]:
    return {"digest": file.digest, "diffId": file.diff_id or file.digest}


def _plain(item: BaseModel) -> dict[str, Any]:
    """Go's ``omitempty``: empty values are left out, except a doc's path and parameters, which may be of any type."""
    values = {key: value for key, value in item.model_dump(by_alias=True).items() if value is not None}
    keep = {"parameters", "path"} if isinstance(item, Doc) else {"parameters"}
    return {key: _sorted(value) for key, value in values.items() if key in keep or value not in ("", [], {})}


def _sorted(value: Any) -> Any:
    """Maps in Go's order: sorted by key."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
