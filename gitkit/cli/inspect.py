"""`git kit inspect`: what a kit holds, and what its model is."""

from typing import Any

import click

from gitkit.cli.kit_source import Place, place_of
from gitkit.cli.output import (
    example,
    human_size,
    json_option,
    plural,
    print_json,
    print_table,
    print_text,
    say,
    show_path,
)
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.core.tensors import parameters_text
from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.facts import BUDGET, ModelFacts, Weights, numbers
from gitkit.modelkit.inspect import Inspected, inspect
from gitkit.modelkit.names import show_name
from gitkit.modelkit.read import read_artifact

_ALL = 1 << 40
_SHOWN_METRICS = 6
_SHOWN_PROBLEMS = 3
_PREFIXES = (
    "application/vnd.cncf.model.",
    "application/vnd.cnai.model.",
    "application/vnd.kitops.modelkit.",
    "application/vnd.docker.ai.",
    "application/vnd.oci.image.layer.v1.",
    "application/vnd.docker.image.rootfs.diff.",
)


@click.command("inspect", epilog=example.format("git kit inspect v1.0.0"))
@click.argument("reference", metavar="TAG|REFERENCE")
@click.option("-r", "--remote", "ask_remote", is_flag=True, help="Look on the remote, also when the store has the kit.")
@click.option("--tensors", is_flag=True, help="List the model's tensors; reads all headers, however long.")
@json_option
@click.pass_obj
def command(context: Context, reference: str, ask_remote: bool, tensors: bool, as_json: bool) -> None:
    """Show a kit's version, commit, licence, model, metrics, files and sizes. Downloads no content.

    What the model is comes from the headers of its safetensors and GGUF files, of which it reads 1 MiB at most. They
    are not verified: only a whole file can be. Kits of ModelPack, KitOps, Docker Model Runner, and images with a
    Kitfile are understood.
    """
    place = place_of(context, reference, ask_remote=ask_remote)
    artifact = read_artifact(place.remote, place.name)
    source = BlobSource(place.remote, place.store)
    found = inspect(artifact, source, budget=_ALL if tensors else BUDGET, transfers=context.settings.transfers)
    if as_json:
        print_json(_as_json(place, found, tensors))
    elif tensors:
        _list_tensors(found.model)
    else:
        _tell(found)


def _as_json(place: Place, found: Inspected, tensors: bool) -> dict[str, Any]:
    artifact = found.artifact
    return {
        "digest": artifact.digest,
        "version": artifact.version,
        "commit": artifact.commit,
        "created": artifact.created,
        "reference": f"{place.url}@{artifact.digest}",
        "format": artifact.format,
        "size": artifact.size,
        "licenses": list(found.licenses),
        "model": _model_json(found.model, tensors),
        "metrics": found.metrics,
        "files": [
            {
                "path": file.path or ".",
                "section": file.section or None,
                "name": file.name,
                "digest": file.layer.digest,
                "size": file.layer.size,
                "packing": file.packing,
                "compression": file.compression,
            }
            for file in artifact.files
        ],
        "kitfile": artifact.kitfile,
        "config": artifact.config,
        "manifest": artifact.document,
    }


def _model_json(model: ModelFacts, tensors: bool) -> dict[str, Any] | None:
    if not model.weights and model.architecture is None:
        return None
    return {
        "architecture": model.architecture,
        "parameters": model.parameters,
        "tensors": model.tensors,
        "dtypes": {dtype: share._asdict() for dtype, share in model.dtypes.items()},
        "quantization": model.quantisation,
        "context_length": model.context_length,
        "vocabulary": model.vocabulary,
        "weights": [_weights_json(item, tensors) for item in model.weights],
    }


def _weights_json(item: Weights, tensors: bool) -> dict[str, Any]:
    facts = item.facts
    out: dict[str, Any] = {"path": item.path, "size": item.size, "problem": item.problem}
    if facts is not None:
        out |= {
            "format": facts.format,
            "name": facts.name,
            "architecture": facts.architecture,
            "parameters": facts.parameters,
            "quantization": facts.quantisation,
            "context_length": facts.context_length,
            "metadata": dict(facts.metadata),
        }
        if tensors:
            out["tensors"] = [
                {"name": each.name, "dtype": each.dtype, "shape": each.shape, "offset": each.offset, "size": each.size}
                for each in facts.tensors
            ]
    return out


def _tell(found: Inspected) -> None:
    artifact = found.artifact
    for label, value in (
        ("digest", artifact.digest),
        ("version", artifact.version),
        ("commit", artifact.commit),
        ("created", artifact.created),
        ("type", artifact.manifest.artifact_type or artifact.manifest.config.media_type),
        ("licence", ", ".join(found.licenses)),
        ("model", _model_line(found.model)),
        *(("metrics", _metrics_line(path, document)) for path, document in found.metrics.items()),
    ):
        if value:
            print_text(f"{label:<8} {show_name(value)}")
    count = plural(len(artifact.files), "file" if all(file.packing == "raw" for file in artifact.files) else "layer")
    print_text(f"{'size':<8} {human_size(artifact.size)} in {count}\n")
    _list_files(artifact)
    _tell_problems(found.model)


def _list_files(artifact: Artifact) -> None:
    rows = [
        [
            short(file.layer.digest),
            human_size(file.layer.size),
            _kind(file.layer.media_type),
            show_path(file.path or "."),
        ]
        for file in artifact.files
    ]
    print_table(["DIGEST", "SIZE", "KIND", "PATH"], rows, right=(1,))


def _kind(media_type: str) -> str:
    """``weight.config`` of ``application/vnd.cncf.model.weight.config.v1.raw``."""
    for prefix in _PREFIXES:
        media_type = media_type.removeprefix(prefix)
    return show_name(media_type.removesuffix(".v1.raw").replace(".v1.", "."))


def _model_line(model: ModelFacts) -> str:
    """``BertModel, 22.71 M parameters in F32, context of 512 tokens``."""
    main = next(iter(model.dtypes), None)
    size = f"{parameters_text(model.parameters)} parameters" if model.parameters is not None else ""
    parts = [
        model.architecture,
        f"{size} in {main}" if size and main else size,
        model.quantisation if model.quantisation != main else None,
        f"context of {model.context_length} tokens" if model.context_length else None,
    ]
    return ", ".join(part for part in parts if part)


def _metrics_line(path: str, document: Any) -> str:
    found = [f"{name} {value:g}" for name, value in numbers(document)]
    more = f", and {len(found) - _SHOWN_METRICS} more" if len(found) > _SHOWN_METRICS else ""
    return f"{', '.join(found[:_SHOWN_METRICS])}{more} ({path})" if found else ""


def _list_tensors(model: ModelFacts) -> None:
    rows = [
        [show_name(tensor.name), tensor.dtype, "x".join(map(str, tensor.shape)) or "1", human_size(tensor.size)]
        for item in model.weights
        for tensor in (item.facts.tensors if item.facts else ())
    ]
    print_table(["NAME", "DTYPE", "SHAPE", "SIZE"], rows, right=(3,))
    _tell_problems(model)


def _tell_problems(model: ModelFacts) -> None:
    problems = [item for item in model.weights if item.problem]
    for item in problems[:_SHOWN_PROBLEMS]:
        say(f"warning: not looked into {show_path(item.path)}: {show_name(item.problem or '')}")
    if len(problems) > _SHOWN_PROBLEMS:
        say(f"warning: nor into {len(problems) - _SHOWN_PROBLEMS} more")
