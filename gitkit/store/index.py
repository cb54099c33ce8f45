"""``index.json`` of an OCI image layout: which manifests it lists, under which tags (image specification,
image-layout.md). Pure."""

from typing import Any

from gitkit.core.digest import digest_of, is_digest
from gitkit.core.oci import INDEX, MANIFEST, REF_NAME, parse_document
from gitkit.errors import InvalidFile

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
"""The file ``oci-layout``."""

NO_TAGS: dict[str, Any] = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}


def entry_of(manifest: bytes, tag: str | None) -> dict[str, Any]:
    """What ``index.json`` says of a manifest.

    Raises:
        InvalidFile: it is no JSON document.
    """
    document = parse_document(manifest, "the manifest")
    entry: dict[str, Any] = {
        "mediaType": document.get("mediaType", MANIFEST),
        "digest": digest_of(manifest),
        "size": len(manifest),
    }
    if document.get("artifactType"):
        entry["artifactType"] = document["artifactType"]
    if tag is not None:
        entry["annotations"] = {REF_NAME: tag}
    return entry


def parse_index(data: bytes, what: str) -> dict[str, Any]:
    """The index, its entries checked; unknown keys stay.

    Raises:
        InvalidFile: it is none.
    """
    index = parse_document(data, what)
    manifests = index.get("manifests")
    if not isinstance(manifests, list) or not all(_is_entry(entry) for entry in manifests):
        raise InvalidFile(f"{what} is not an image index")
    return index


def tags_of(index: dict[str, Any]) -> dict[str, str]:
    """The digest of each tag."""
    return {name: entry["digest"] for entry in index["manifests"] if (name := tag_of(entry)) is not None}


def digests_of(index: dict[str, Any]) -> list[str]:
    """All digests, tagged or not, each once."""
    return list(dict.fromkeys(entry["digest"] for entry in index["manifests"]))


def tag_of(entry: dict[str, Any]) -> str | None:
    """The tag of an entry."""
    annotations = entry.get("annotations")
    name = annotations.get(REF_NAME) if isinstance(annotations, dict) else None
    return name if isinstance(name, str) else None


def is_listed(entry: dict[str, Any], manifests: list[dict[str, Any]]) -> bool:
    """Whether ``entry`` adds nothing to ``manifests``."""
    if tag_of(entry) is None:
        return any(other["digest"] == entry["digest"] for other in manifests)
    return entry in manifests


def replaces(entry: dict[str, Any], other: dict[str, Any]) -> bool:
    """A tag names one manifest; a manifest without a tag needs no entry beside a tagged one."""
    if tag_of(other) is None:
        return bool(other["digest"] == entry["digest"])
    return tag_of(other) == tag_of(entry)


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("digest"), str) and is_digest(entry["digest"])
