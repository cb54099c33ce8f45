"""OCI documents: the bytes that Go tools write, and what is accepted as a manifest."""

import json
from typing import Any

import pytest

from gitkit.core import oci
from gitkit.core.digest import digest_of
from gitkit.core.oci import Descriptor, Manifest, parse_document, parse_manifest, to_json
from gitkit.errors import InvalidFile

LAYER = Descriptor(media_type="application/vnd.example.layer", digest=digest_of(b"layer"), size=5)


def _manifest(**changes: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": oci.MANIFEST,
        "config": oci.EMPTY_DESCRIPTOR.as_json(),
        "layers": [LAYER.as_json()],
        **changes,
    }
    return json.dumps({key: value for key, value in document.items() if value is not ...}).encode()


# -- JSON ----------------------------------------------------------------------------------------------------------


# The expected bytes are those of json.Marshal in Go 1.26.
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, False, None]}, '{"b":1,"a":[true,false,null]}'),
        ({}, "{}"),
        ([], "[]"),
        ("<a> & b", '"\\u003ca\\u003e \\u0026 b"'),
        ("\u2028\u2029", '"\\u2028\\u2029"'),
        ("é日\U0001f680", '"é日\U0001f680"'),
        ('"\\/', '"\\"\\\\/"'),
        ("\b\f\n\r\t", '"\\b\\f\\n\\r\\t"'),
        ("\x00\x1f\x7f", '"\\u0000\\u001f\x7f"'),
        ({"<": 1}, '{"\\u003c":1}'),
        (1 << 70, "1180591620717411303424"),
        (1200.0, "1200"),
        (0.001, "0.001"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (-2.5e-10, "-2.5e-10"),
        (1e-100, "1e-100"),
        (1e20, "100000000000000000000"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (1.5e30, "1.5e+30"),
        (0.0, "0"),
        (-0.0, "-0"),
        (5e-324, "5e-324"),
    ],
)
def test_to_json_of_a_value_is_what_go_writes(value: object, text: str) -> None:
    assert to_json(value) == text.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], "\ud800", {"a": "\udcff"}])
def test_to_json_of_what_json_has_no_form_for_raises(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON has no|surrogates not allowed"):
        to_json(value)


@pytest.mark.parametrize("value", [b"bytes", {1: "a"}, {"a": {1, 2}}])
def test_to_json_of_another_type_raises(value: object) -> None:
    with pytest.raises(TypeError):
        to_json(value)


# -- writing -------------------------------------------------------------------------------------------------------


def test_manifest_encoded_has_gos_key_order_and_sorted_annotations() -> None:
    layer = Descriptor(media_type="application/x", digest=LAYER.digest, size=5, annotations={"z": "<", "a": "1"})
    manifest = Manifest(
        config=oci.EMPTY_DESCRIPTOR,
        layers=[layer],
        artifact_type="application/vnd.example+json",
        annotations={"org.b": "2", "org.a": "1"},
    )
    assert manifest.encode().decode() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        '"artifactType":"application/vnd.example+json",'
        '"config":{"mediaType":"application/vnd.oci.empty.v1+json",'
        '"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},'
        f'"layers":[{{"mediaType":"application/x","digest":"{LAYER.digest}","size":5,'
        '"annotations":{"a":"1","z":"\\u003c"}}],'
        '"annotations":{"org.a":"1","org.b":"2"}}'
    )


def test_manifest_without_layers_and_annotations_encodes_an_empty_list_and_no_annotations() -> None:
    text = Manifest(config=oci.EMPTY_DESCRIPTOR, layers=()).encode()
    assert text.endswith(b'"layers":[]}')
    assert b"artifactType" not in text


def test_empty_descriptor_is_that_of_the_image_specification() -> None:
    assert oci.EMPTY_DESCRIPTOR.digest == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert oci.EMPTY_DESCRIPTOR.size == 2


# -- reading -------------------------------------------------------------------------------------------------------


def test_parse_manifest_of_an_encoded_manifest_is_the_same() -> None:
    manifest = Manifest(
        config=oci.EMPTY_DESCRIPTOR, layers=(LAYER, LAYER), artifact_type="application/x", annotations={"a": "b"}
    )
    assert parse_manifest(manifest.encode()) == manifest


def test_parse_manifest_with_unknown_keys_drops_them() -> None:
    layer = {**LAYER.as_json(), "urls": ["https://example.com"], "platform": {}}
    assert parse_manifest(_manifest(layers=[layer], subject=None, extra=1)).layers == (LAYER,)


@pytest.mark.parametrize("layers", [None, []])
def test_parse_manifest_without_layers_has_none(layers: object) -> None:
    assert parse_manifest(_manifest(layers=layers)).layers == ()


def test_parse_manifest_without_media_type_is_read() -> None:
    assert parse_manifest(_manifest(mediaType=...)).layers == (LAYER,)


@pytest.mark.parametrize(
    "changes", [{"mediaType": oci.INDEX}, {"mediaType": oci.DOCKER_INDEX}, {"mediaType": ..., "manifests": []}]
)
def test_parse_manifest_of_an_index_says_so(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidFile, match="the kit is an image index") as caught:
        parse_manifest(_manifest(**changes), "the kit")
    assert caught.value.hint == "name one of its manifests by digest"


@pytest.mark.parametrize(
    "changes",
    [
        {"config": ...},
        {"config": None},
        {"config": []},
        {"layers": {"a": 1}},
        {"layers": 5},
        {"layers": "abc"},
        {"layers": [None]},
        {"layers": [{**LAYER.as_json(), "size": -1}]},
        {"layers": [{**LAYER.as_json(), "size": True}]},
        {"layers": [{**LAYER.as_json(), "size": 1.5}]},
        {"layers": [{**LAYER.as_json(), "size": "5"}]},
        {"layers": [{**LAYER.as_json(), "digest": "sha256:../../x"}]},
        {"layers": [{**LAYER.as_json(), "digest": 5}]},
        {"layers": [{**LAYER.as_json(), "mediaType": None}]},
        {"layers": [{**LAYER.as_json(), "annotations": {"a": 1}}]},
        {"layers": [{"mediaType": "application/x", "size": 5}]},
        {"annotations": ["a"]},
        {"annotations": {"a": None}},
        {"artifactType": 5},
    ],
)
def test_parse_manifest_with_a_wrong_value_is_invalid(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidFile, match="the kit is not an image manifest"):
        parse_manifest(_manifest(**changes), "the kit")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' + b"1" * 5000 + b"}"])
def test_parse_document_of_what_is_not_json_is_invalid(data: bytes) -> None:
    with pytest.raises(InvalidFile, match="the kit is not JSON"):
        parse_document(data, "the kit")


@pytest.mark.parametrize("data", [b"[]", b"null", b"5", b'"text"'])
def test_parse_document_of_another_json_value_is_invalid(data: bytes) -> None:
    with pytest.raises(InvalidFile, match="the kit is not a JSON object"):
        parse_document(data, "the kit")
