"""The Kitfile: schema, paths, entries, and the JSON that a kit carries."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.kitfile import Entry, File, entries, is_kit_reference, parse_kitfile, resolved
from gitkit.core.oci import to_json
from gitkit.errors import InvalidFile

DEMO = b"""\
manifestVersion: 1.0.0
package:
  name: demo
  version: 1.0.0
  authors: [Ada]
model:
  name: demo
  path: ./model
  framework: pytorch
  parts:
    - name: lora
      path: adapters/lora.bin
      type: lora-adapter
  parameters:
    lr: 0.001
    epochs: 3
code:
  - path: src/
datasets:
  - name: train
    path: data/train.csv
docs:
  - path: README.md
    description: Readme file
prompts:
  - path: system.prompt.md
"""


def _problems(text: str) -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        parse_kitfile(text.encode())
    first, *lines = caught.value.message.split("\n")
    assert first.startswith("Kitfile has ")
    return [line.strip() for line in lines]


def _resolved(text: str | bytes, files: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The resolved Kitfile where each entry's path has ``files``; a file's digest is that of its path."""

    def files_of(entry: Entry) -> list[File]:
        return [_file(path) for path in files.get(entry.path, ())]

    kitfile = parse_kitfile(text if isinstance(text, bytes) else text.encode())
    return resolved(kitfile, files_of, lambda path: path.endswith(".bin"))


def _file(path: str) -> File:
    return File(path, digest_of(path.encode()))


def _digests(path: str) -> dict[str, str]:
    return {"digest": digest_of(path.encode()), "diffId": digest_of(path.encode())}


# -- reading -------------------------------------------------------------------------------------------------------


def test_kitfile_is_read_with_scalars_as_they_were_typed() -> None:
    kitfile = parse_kitfile(b"package: {version: 1.10, license: no}\nmodel: {path: a, version: 0x10}\n")
    assert (kitfile.package.version, kitfile.package.license) == ("1.10", "no")
    assert kitfile.model is not None
    assert kitfile.model.version == "0x10"


def test_kitfile_parameters_keep_their_types() -> None:
    kitfile = parse_kitfile(
        b"model:\n  path: a\n  parameters: {lr: 1e-3, n: 3, on: true, no: ~, x: [text, {v: 1.0}]}\n"
    )
    assert kitfile.model is not None
    assert kitfile.model.parameters == {"lr": 0.001, "n": 3, "on": True, "no": None, "x": ["text", {"v": 1.0}]}


def test_empty_kitfile_has_no_entries() -> None:
    assert list(entries(parse_kitfile(b""))) == []


def test_keys_without_a_value_are_as_if_they_were_not_there() -> None:
    assert parse_kitfile(b"model:\ncode:\npackage:\n  name:\n") == parse_kitfile(b"")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("model:\n  pth: a\n", ['line 2: model.pth: unknown key, did you mean "path"?']),
        ("modle:\n  path: a\n", ['line 1: modle: unknown key, did you mean "model"?']),
        ("code:\n- path: a\n- pth: b\n", ['line 3: code[1].pth: unknown key, did you mean "path"?']),
        ("code: text\n", ["line 1: code: must be a valid list"]),
        ("code:\n  path: a\n", ["line 1: code: must be a valid list"]),
        ("model: a\n", ["line 1: model: must be a valid dictionary or instance of Model"]),
        ("package:\n  authors: Ada\n", ["line 2: package.authors: must be a valid list"]),
        ("model:\n  path: [a]\n", ["line 2: model.path: must be a valid string"]),
        ("mcpServers:\n- path: a.mcpb\n", ["line 2: mcpServers[0].name: is required"]),
        ("model:\n  parts:\n  - type: a/b\n", ["line 3: model.parts[0].type: string should match pattern "]),
        ("model:\n  parts:\n  - type: \u00e9\n", ["line 3: model.parts[0].type: string should match pattern "]),
        ("package:\n  name: a\n  name: b\n", ["line 3: package.name: is given twice"]),
        (
            "docs:\n- path: /a\nmodel:\n  pth: a\n  path: ../b\n",
            [
                'line 2: docs[0].path: "/a" is absolute: an entry is a path in this repository',
                'line 4: model.pth: unknown key, did you mean "path"?',
                'line 5: model.path: "../b" leaves the repository',
            ],
        ),
    ],
)
def test_kitfile_with_problems_names_each_by_line_and_key(text: str, problems: list[str]) -> None:
    found = _problems(text)
    assert len(found) == len(problems)
    assert all(line.startswith(problem) for line, problem in zip(found, problems, strict=True)), found


@pytest.mark.parametrize("section", ["model", "code", "datasets", "docs", "prompts", "mcpServers", "parts"])
@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/a", "is absolute"),
        ("..", "leaves the repository"),
        ("../a", "leaves the repository"),
        ("a/../../b", "leaves the repository"),
        ("./../a", "leaves the repository"),
        ("https://example.com/a", "is a URL"),
        ("s3://bucket/a", "is a URL"),
    ],
)
def test_path_that_is_not_inside_of_the_repository_is_invalid(section: str, path: str, problem: str) -> None:
    item = f"{{path: '{path}', name: x}}"
    text = {"model": f"model: {item}", "parts": f"model: {{parts: [{item}]}}"}.get(section, f"{section}: [{item}]")
    found = _problems(text.replace(", name: x", "") if section in ("code", "docs") else text)
    assert len(found) == 1
    assert f'"{path}" {problem}' in found[0]


@pytest.mark.parametrize("path", ["a", "./a", "a/", "a/../b", "..a", "a..b", "...", ".", "a b", "\u00e9"])
def test_path_inside_of_the_repository_is_accepted(path: str) -> None:
    parse_kitfile(f"code: [{{path: '{path}'}}]".encode())


@pytest.mark.parametrize("other", ["a", "./a", "a/", "b/../a", "a/."])
def test_path_listed_twice_is_invalid_in_whatever_form(other: str) -> None:
    text = f"model:\n  path: a\ncode:\n- path: x\n- path: {other}\n"
    assert _problems(text) == [f'line 5: code[1].path: "{other}" is listed twice (also as model)']


def test_path_listed_in_two_places_of_one_section_names_the_first() -> None:
    assert _problems("code:\n- path: a\n- path: a\n") == ['line 3: code[1].path: "a" is listed twice (also as code[0])']


def test_remote_dataset_is_no_entry_of_the_kit() -> None:
    kitfile = parse_kitfile(b"datasets:\n- {path: a, remotePath: s3://bucket/key, remoteHash: x}\ncode:\n- path: b\n")
    assert list(entries(kitfile)) == [Entry("code", 0, "b")]


@pytest.mark.parametrize(
    "dataset",
    [
        "path: a, remotePath: s3://bucket/deep/key, remoteHash: etag",
        "path: a, remotePath: 's3://bucket/key?versionId=3', remoteHash: etag",
        "remotePath: s3://bucket/key, remoteHash: etag",
        "path: a, remotePath: registry.example.com/acme/rows:v1",
        "path: a, remotePath: acme/rows:v1, remoteHash: of no use but harmless",
        "path: a",
    ],
)
def test_dataset_here_in_s3_or_in_another_kit_is_valid(dataset: str) -> None:
    parse_kitfile(f"datasets: [{{{dataset}}}]\ncode: [{{path: aa}}]\ndocs: [{{path: b/a}}]".encode())


@pytest.mark.parametrize(
    ("dataset", "problem"),
    [
        ("path: a, remotePath: s3://bucket/key", "remotePath: needs a remoteHash: the object's ETag"),
        ("path: a, remoteHash: etag", "remoteHash: is of no use without a remotePath"),
        ("path: a, remotePath: '', remoteHash: etag", "remoteHash: is of no use without a remotePath"),
        ("path: a, remotePath: s3://bucket, remoteHash: x", '"s3://bucket" is neither s3://BUCKET/KEY nor a kit'),
        ("path: a, remotePath: https://h/a:v1, remoteHash: x", "is neither s3://BUCKET/KEY nor a kit"),
        ("path: a, remotePath: ./rows, remoteHash: x", '"./rows" is neither s3://BUCKET/KEY nor a kit'),
        ("path: /a, remotePath: acme/rows:v1", '"/a" is absolute'),
        ("path: code, remotePath: acme/rows:v1", '"code" is listed twice'),
        ("path: ./deep, remotePath: acme/rows:v1", "is inside of datasets[0], which comes from another kit"),
        ("path: ., remotePath: acme/rows:v1", "is inside of datasets[0], which comes from another kit"),
    ],
)
def test_dataset_that_lies_elsewhere_in_a_wrong_way_is_invalid(dataset: str, problem: str) -> None:
    found = _problems(f"datasets:\n- {{{dataset}}}\ncode: [{{path: code}}]\ndocs: [{{path: deep/er/file}}]")
    assert found and all(problem in line for line in found)


@pytest.mark.parametrize(
    ("servers", "problem"),
    [
        ("{name: a, path: tools.zip}", 'mcpServers[0].path: "tools.zip" is not an MCP bundle (.mcpb)'),
        ("{name: a, path: ''}", 'mcpServers[0].path: "" is not an MCP bundle (.mcpb)'),
        ("{name: '', path: a.mcpb}", "mcpServers[0].name: is empty"),
        ("{name: a, path: a.mcpb}, {name: a, path: b.mcpb}", 'mcpServers[1].name: "a" is also mcpServers[0]'),
        ("{name: a, path: a.mcpb}, {name: b, path: ./a.mcpb}", '"./a.mcpb" is listed twice (also as mcpServers[0])'),
    ],
)
def test_mcp_server_without_a_name_of_its_own_or_a_bundle_is_invalid(servers: str, problem: str) -> None:
    (found,) = _problems(f"mcpServers: [{servers}]")
    assert problem in found


@pytest.mark.parametrize("path", ["registry.example.com/a:v1", "a:v1", "a@sha256:abc"])
def test_model_that_names_a_kit_is_a_reference_and_no_path(path: str) -> None:
    assert is_kit_reference(path)
    parse_kitfile(f"model: {{path: '{path}'}}".encode())


@pytest.mark.parametrize("path", ["a", "./a:v1", "/a:v1", "../a@b", "https://example.com/a", "s3://bucket/a"])
def test_model_that_names_a_file_or_url_is_no_reference(path: str) -> None:
    assert not is_kit_reference(path)


# -- entries -------------------------------------------------------------------------------------------------------


def test_entries_come_in_the_order_of_a_kits_layers() -> None:
    text = b"""\
mcpServers: [{name: m, path: m.mcpb}]
prompts: [{path: p}]
docs: [{path: ./d/}, {description: no path}]
datasets: [{path: t}]
code: [{path: .}, {path: c2}]
model: {parts: [{path: b}, {name: no path}, {path: a}], path: ./x//y}
"""
    assert list(entries(parse_kitfile(text))) == [
        Entry("model", 0, "x/y"),
        Entry("parts", 0, "b"),
        Entry("parts", 2, "a"),
        Entry("code", 0, "."),
        Entry("code", 1, "c2"),
        Entry("datasets", 0, "t"),
        Entry("docs", 0, "d"),
        Entry("prompts", 0, "p"),
        Entry("mcpServers", 0, "m.mcpb"),
    ]


def test_entries_of_a_model_without_path_are_its_parts() -> None:
    assert list(entries(parse_kitfile(b"model: {name: a, parts: [{path: b}]}"))) == [Entry("parts", 0, "b")]


# -- the resolved Kitfile ------------------------------------------------------------------------------------------


def test_resolved_demo_is_byte_for_byte_what_kitops_writes() -> None:
    layers = {  # digests of the layers of the sample kit; the config's digest and size follow from KitOps' rules
        "model": "3103799c0d6ad35bfef6bec893b9447f66a57889040f27d1120d837f6812b0f2",
        "adapters/lora.bin": "0490ff361b186dc9b8e524083722b75a0baefcd8d1dfb8d646c220cab0e30cd4",
        "src": "498ec6573ffd869da5a10568d06b409cec0c3551e461d07ae1aa5b401b0e8ad6",
        "data/train.csv": "537ec9d4348addc6270b3aff9a7cd10852054688cae96592c8a065c9309cc6d9",
        "README.md": "6a5bd8cd6ca014dfaa398d1107ffe41048521853685f9c6063c7ebbe30f517d8",
        "system.prompt.md": "61dbec9076526a132666d8492209e8eb0e05b813fbe394210a77f6a17c7608cb",
    }

    def files_of(entry: Entry) -> list[File]:
        return [File(entry.path, f"sha256:{layers[entry.path]}")]

    data = to_json(resolved(parse_kitfile(DEMO), files_of, lambda path: path.endswith(".bin")))
    assert len(data) == 1437
    assert digest_of(data) == "sha256:aefc94b66f6c8f8f15654eb31a6eb04002fbd36cd91a55d0cdc6ccb6c54f4b5d"


def test_resolved_entry_of_a_compressed_layer_has_its_diff_id() -> None:
    kitfile = parse_kitfile(b"code: [{path: a}]")
    found = resolved(kitfile, lambda _: [File("a", digest_of(b"packed"), digest_of(b"tar"))], lambda _: True)
    assert found["code"] == [{"path": "a", "digest": digest_of(b"packed"), "diffId": digest_of(b"tar")}]


def test_resolved_empty_kitfile_still_has_a_package() -> None:
    assert _resolved("", {}) == {"package": {}}


def test_resolved_entry_without_files_stays_without_a_digest() -> None:
    assert _resolved("code: [{path: a}]", {})["code"] == [{"path": "a"}]


def test_resolved_directory_becomes_its_files_each_with_the_words_of_the_entry() -> None:
    found = _resolved("datasets: [{path: d/, name: n, license: l}]", {"d": ["d/a", "d/b"]})
    assert found["datasets"] == [
        {"name": "n", "path": "d/a", "license": "l", **_digests("d/a")},
        {"name": "n", "path": "d/b", "license": "l", **_digests("d/b")},
    ]
    assert list(found["datasets"][0]) == ["name", "path", "license", "digest", "diffId"]


def test_resolved_directory_of_one_file_names_that_file() -> None:
    assert _resolved("code: [{path: d}]", {"d": ["d/a"]})["code"] == [{"path": "d/a", **_digests("d/a")}]


def test_resolved_single_file_keeps_the_path_as_the_author_wrote_it() -> None:
    assert _resolved("code: [{path: ./a//b}]", {"a/b": ["a/b"]})["code"] == [{"path": "./a//b", **_digests("a/b")}]


def test_resolved_model_directory_is_its_first_weight_and_the_rest_are_parts_before_those_of_the_author() -> None:
    text = "model: {name: m, path: ./m, parameters: {b: 1, a: 2}, parts: [{path: p}]}"
    found = _resolved(text, {"m": ["m/a.json", "m/b.bin", "m/c.bin"], "p": ["p"]})
    assert found["model"] == {
        "name": "m",
        "path": "m/b.bin",
        "parts": [
            {"path": "m/a.json", **_digests("m/a.json")},
            {"path": "m/c.bin", **_digests("m/c.bin")},
            {"path": "p", **_digests("p")},
        ],
        "parameters": {"a": 2, "b": 1},
        **_digests("m/b.bin"),
    }
    assert list(found["model"]) == ["name", "path", "parts", "parameters", "digest", "diffId"]
    assert list(found["model"]["parameters"]) == ["a", "b"]


def test_resolved_model_directory_without_weights_is_its_first_file() -> None:
    found = _resolved("model: {path: m}", {"m": ["m/a", "m/b"]})
    assert found["model"] == {"path": "m/a", "parts": [{"path": "m/b", **_digests("m/b")}], **_digests("m/a")}


def test_resolved_model_directory_of_one_file_is_that_file() -> None:
    assert _resolved("model: {path: m}", {"m": ["m/a"]})["model"] == {"path": "m/a", **_digests("m/a")}


@pytest.mark.parametrize("value", ["{}", "[]", '""', "0", "false"])
def test_resolved_parameters_that_are_empty_but_not_null_stay(value: str) -> None:
    found = _resolved(f"datasets: [{{path: a, parameters: {value}}}]\nmodel: {{parameters: {value}}}", {})
    assert "parameters" in found["datasets"][0]
    assert found["model"] == {"parameters": found["datasets"][0]["parameters"]}


def test_resolved_docs_keep_an_empty_path_and_others_do_not() -> None:
    found = _resolved('docs: [{description: d}]\nprompts: [{path: "", name: n}]', {})
    assert (found["docs"], found["prompts"]) == ([{"path": "", "description": "d"}], [{"name": "n"}])
