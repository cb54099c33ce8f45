"""A Kitfile guessed from names and sizes."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.core.kitfile import entries, parse_kitfile
from gitkit.setup.guess import detect_license, guess_kitfile

QUICKSTART = [
    (".gitattributes", 40),
    (".github/workflows/release.yml", 900),
    (".gitkit.toml", 300),
    ("Kitfile", 100),
    ("LICENSE", 11_000),
    ("README.md", 2_000),
    ("config.json", 600),
    ("data/labels.json", 10),
    ("data/train.csv", 500_000),
    ("docs/card.md", 100),
    ("docs/loss.png", 9_000),
    ("eval/metrics.json", 80),
    ("model.onnx", 23_000_000),
    ("src/serve.py", 700),
    ("src/settings.yaml", 70),
    ("tokenizer.json", 460_000),
]
QUICKSTART_KITFILE = """\
manifestVersion: "1.0.0"
package:
  name: llm
model:
  name: llm
  path: model.onnx
  license: Apache-2.0
  format: onnx
  parts:
    - path: config.json
    - path: tokenizer.json
code:
  - path: src
datasets:
  - name: data
    path: data
  - name: eval
    path: eval
docs:
  - path: LICENSE
    description: License file
  - path: README.md
    description: Readme file
  - path: docs
"""


def paths(files: list[tuple[str, int]], *, license: str | None = None) -> dict[str, list[str]]:
    """The paths that were guessed, by section."""
    found: dict[str, list[str]] = {}
    kitfile = parse_kitfile(guess_kitfile(files, name="llm", license=license).encode())
    for entry in entries(kitfile):
        found.setdefault(entry.section, []).append(entry.path)
    return found


def test_guess_of_a_usual_repository_sorts_everything() -> None:
    assert guess_kitfile(QUICKSTART, name="llm", license="Apache-2.0") == QUICKSTART_KITFILE


def test_guess_in_another_order_is_the_same() -> None:
    shuffled = random.Random(1).sample(QUICKSTART, len(QUICKSTART))
    assert guess_kitfile(shuffled, name="llm", license="Apache-2.0") == QUICKSTART_KITFILE


def test_guess_of_nothing_is_a_package_alone() -> None:
    assert guess_kitfile([], name="llm", license="MIT") == (
        'manifestVersion: "1.0.0"\npackage:\n  name: llm\n  license: MIT\n'
    )


def test_guess_of_shards_takes_the_first_and_lists_the_others() -> None:
    files = [(f"model-0000{number}-of-3.safetensors", 5_000 + number) for number in (3, 1, 2)]
    assert paths(files) == {
        "model": ["model-00001-of-3.safetensors"],
        "parts": ["model-00002-of-3.safetensors", "model-00003-of-3.safetensors"],
    }


def test_guess_of_one_big_model_among_small_ones_takes_the_big_one() -> None:
    assert paths([("adapter.bin", 10), ("base.bin", 1_000), ("zero.bin", 10)])["model"] == ["base.bin"]


def test_guess_without_a_model_makes_metadata_datasets() -> None:
    assert paths([("labels.json", 10), ("train.parquet", 500)]) == {"datasets": ["labels.json", "train.parquet"]}


def test_guess_of_a_mixed_folder_goes_into_it() -> None:
    files = [("lab/model.gguf", 900), ("lab/train.csv", 9), ("lab/code/a.py", 1), ("lab/code/b.py", 1)]
    assert paths(files) == {"model": ["lab/model.gguf"], "datasets": ["lab/train.csv"], "code": ["lab/code"]}


def test_guess_of_prompts_and_skills() -> None:
    files = [("AGENTS.md", 1), ("review.prompt.md", 1), ("skills/pdf/SKILL.md", 1), ("skills/pdf/run.py", 1)]
    assert paths(files) == {"prompts": ["AGENTS.md", "review.prompt.md", "skills/pdf"]}


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ([("model.onnx", 1), ("train.csv", 1)], "model"),
        ([("train.csv", 1), ("a.py", 1)], "datasets"),
        ([("a.py", 1), ("b.csv", 1), ("c.csv", 1)], "code"),
        ([("a.py", 1), ("b.py", 1)], "package"),
    ],
)
def test_guess_with_a_licence_puts_it_where_it_is_clear(files: list[tuple[str, int]], place: str) -> None:
    kitfile = parse_kitfile(guess_kitfile(files, name="llm", license="MIT").encode())
    holders = {
        *("model" for model in [kitfile.model] if model is not None and model.license),
        *("datasets" for dataset in kitfile.datasets if dataset.license),
        *("code" for code in kitfile.code if code.license),
        *("package" for package in [kitfile.package] if package.license),
    }
    assert holders == {place}


@pytest.mark.parametrize("path", ["user@v1.onnx", "a:b.gguf"])
def test_guess_of_a_model_that_looks_like_a_kit_reference_names_the_file(path: str) -> None:
    kitfile = parse_kitfile(guess_kitfile([(path, 1)], name="llm", license=None).encode())
    assert kitfile.model is not None
    assert kitfile.model.path == f"./{path}"


NAMES = st.text(min_size=1, max_size=12).filter(lambda name: "/" not in name and "\0" not in name and name != "..")
SUFFIXES = st.sampled_from(["", ".onnx", ".json", ".csv", ".md", ".py", ".prompt", "/model.bin", "/a.txt", "/b/c.csv"])
LEFT_OUT = {"kitfile", "jenkinsfile", "thumbs.db", "desktop.ini", "__pycache__", "node_modules"}


@given(st.dictionaries(st.tuples(NAMES, SUFFIXES).map("".join), st.integers(1, 1 << 40), max_size=12), NAMES)
def test_guess_of_any_names_is_a_kitfile_that_takes_each_file_once(files: dict[str, int], name: str) -> None:
    tree = {path: size for path, size in files.items() if not any(other.startswith(f"{path}/") for other in files)}
    kitfile = parse_kitfile(guess_kitfile(list(tree.items()), name=name, license=None).encode())
    assert kitfile.package.name == name
    named = [entry.path for entry in entries(kitfile)]
    hidden = [path for path in tree if any(part.startswith(".") for part in path.split("/"))]
    for path in tree.keys() - set(hidden):
        takers = [entry for entry in named if path == entry or path.startswith(f"{entry}/")]
        ignored = any(part.lower() in LEFT_OUT for part in path.split("/"))
        surrogates = any(0xD800 <= ord(char) <= 0xDFFF for char in path)
        assert len(takers) == (0 if ignored or surrogates else 1)


LICENSES = {
    "MIT": "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\nof this",
    "Apache-2.0": "                    Apache License\n               Version 2.0, January 2004\n",
    "GPL-3.0": "                    GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007\n",
    "MPL-2.0": "Mozilla Public License Version 2.0\n==================================\n",
    "BSD-2-Clause": "Redistribution and use in source and binary\nforms, with or without modification, are permitted",
    "BSD-3-Clause": "Redistribution and use in source and binary forms\n3. Neither the name of the copyright holder",
}


@pytest.mark.parametrize(("name", "text"), LICENSES.items())
def test_detect_license_of_a_known_text_is_its_identifier(name: str, text: str) -> None:
    assert detect_license(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "All rights reserved.",
        "GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3",
        "GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3",
    ],
)
def test_detect_license_of_another_text_is_nothing(text: str) -> None:
    assert detect_license(text) is None
