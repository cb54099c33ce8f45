"""What a kit is, without downloading its content: manifest, config, a few small files, and headers of its weights."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.facts import BUDGET, ModelFacts, metrics, model_facts

LICENSES = "org.opencontainers.image.licenses"


class Inspected(NamedTuple):
    """``metrics`` are JSON objects by the path of their file."""

    artifact: Artifact
    model: ModelFacts
    licenses: Sequence[str]
    metrics: Mapping[str, Mapping[str, Any]]


def inspect(artifact: Artifact, source: BlobSource, *, budget: int = BUDGET, transfers: int = 4) -> Inspected:
    """Look at the kit's content as far as small files and headers tell. ``budget``: bytes of headers to read at most.

    Content that cannot be read is a ``problem`` of the weights it is about, not an error.
    """
    return Inspected(
        artifact=artifact,
        model=model_facts(artifact, source, budget=budget, transfers=transfers),
        licenses=licenses(artifact),
        metrics=metrics(artifact, source),
    )


def licenses(artifact: Artifact) -> list[str]:
    """Every licence that the Kitfile states, each once; what the manifest says where it states none."""
    stated = list(dict.fromkeys(_stated(artifact.kitfile)))
    text = artifact.manifest.annotations.get(LICENSES)
    return stated or ([text] if text else [])


def _stated(kitfile: Mapping[str, Any]) -> Iterator[str]:
    model = kitfile.get("model") or {}
    tables = [kitfile.get("package") or {}, model, *(model.get("parts") or ())]
    tables += [item for section in ("code", "datasets") for item in kitfile.get(section) or ()]
    for table in tables:
        name = table.get("license")
        if isinstance(name, str) and name:
            yield name
