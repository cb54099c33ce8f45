"""Remakes ``kit/manifest.json`` and ``kit/config.json`` beside it: a kit's bytes, which must never change unnoticed.

    python -m tests.golden.make_kit           write them; look at ``git diff`` before you commit
    python -m tests.golden.make_kit --check   only tell which differ, and exit 1

The repository is made from literals, with fixed dates and people, so that its commit has the same oid everywhere.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.lib.repos import Repo, clean_environ, init

HERE = Path(__file__).parent / "kit"

VERSION = "v1.0.0"
COMMIT = "93584c897da8da28a3a70b9b6b42c0ddfc26f9b9"

DATES = {
    "GIT_AUTHOR_NAME": "Ada Lovelace",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "1767312000 +0530",
    "GIT_COMMITTER_NAME": "Charles Babbage",
    "GIT_COMMITTER_EMAIL": "charles@example.com",
    "GIT_COMMITTER_DATE": "1767315907 -0800",
}
"""1767315907 is 2026-01-02T01:05:07Z."""

WEIGHTS = bytes(range(256)) * 40
ROWS = b"text,label\n" + b"fine,1\n" * 300

KITFILE = """\
manifestVersion: "1.0.0"
package:
  name: tiny-llm
  version: 9.9.9
  description: "Small & <sound>: für alle"
  license: Apache-2.0
  authors: [Ada Lovelace, Charles Babbage]
model:
  name: tiny
  path: ./models/
  license: MIT
  framework: onnx
  format: onnx
  description: all of the folder
  parameters: {temperature: 0.5, layers: 2, names: [b, a]}
  parts:
    - {name: adapter, path: models/adapter.safetensors, type: lora}
code:
  - path: src
    license: BSD-3-Clause
datasets:
  - name: evaluation
    path: models/eval
    parameters: {rows: 300}
docs:
  - path: README.md
    description: how to use it
prompts:
  - path: prompts/system.txt
"""

FILES: Mapping[str, bytes | str] = {
    ".gitattributes": "*.onnx filter=kit -text\n*.safetensors filter=kit -text\n*.csv filter=kit -text\n",
    ".gitkit.toml": '[kit]\nsource = "https://git.example.com/acme/tiny-llm"\n',
    ".kitignore": "# notes are ours\n**/*.log\n!src/keep.log\nmodels/README.md\n",
    "Kitfile": KITFILE,
    "README.md": "# tiny\n",
    "models/README.md": "ignored\n",
    "models/adapter.safetensors": WEIGHTS[:1000],
    "models/config.json": '{"hidden_size": 2}\n',
    "models/eval/rows.csv": ROWS,
    "models/model.onnx": WEIGHTS,
    "models/zero.txt": b"",
    "models/tokenizer/vokabel-ü.txt": "a\nb\n",
    "prompts/system.txt": "Be brief.\n",
    "src/build.log": "ignored\n",
    "src/keep.log": "kept\n",
    "src/run.sh": "#!/bin/sh\n",
    "tests/not_named.py": "pass\n",
}
EXECUTABLE = ("src/run.sh",)

LAYERS = (
    ("model", "models/config.json"),
    ("model", "models/model.onnx"),
    ("model", "models/tokenizer/vokabel-ü.txt"),
    ("model", "models/zero.txt"),
    ("parts", "models/adapter.safetensors"),
    ("code", "src/keep.log"),
    ("code", "src/run.sh"),
    ("datasets", "models/eval/rows.csv"),
    ("docs", "README.md"),
    ("prompts", "prompts/system.txt"),
)
"""What is in the kit, in its order, by the rules of the design: written by hand."""


def make_repo(path: Path, environ: Mapping[str, str]) -> Repo:
    """The repository, with one commit that is tagged ``VERSION``. ``environ`` must know the filter."""
    repo = init(path, {**environ, **DATES})
    for name, data in FILES.items():
        repo.write(name, data, mode=0o755 if name in EXECUTABLE else 0o644)
    repo.commit("first")
    repo.git("tag", VERSION)
    return repo


def kit() -> dict[str, bytes]:
    """The files that should be in ``kit/``."""
    with tempfile.TemporaryDirectory() as folder:
        environ = clean_environ(Path(folder) / "home")
        init(Path(folder) / "any", environ).kit("install")
        return built(make_repo(Path(folder) / "repo", environ))


def built(repo: Repo, version: str = VERSION) -> dict[str, bytes]:
    """Manifest and config of a kit that is built now, read out of the store by its layout alone."""
    import json

    digest = repo.kit("build", version).stdout.strip()
    blobs = repo.path / ".git" / "kit" / "blobs" / "sha256"
    manifest = (blobs / digest.removeprefix("sha256:")).read_bytes()
    config = json.loads(manifest)["config"]["digest"]
    return {"manifest.json": manifest, "config.json": (blobs / config.removeprefix("sha256:")).read_bytes()}


def stored() -> dict[str, bytes]:
    """The golden files as they are on disk."""
    return {file.name: file.read_bytes() for file in HERE.iterdir()}


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    made, found = kit(), stored()
    changed = sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))
    if not arguments:
        for name, data in made.items():
            (HERE / name).write_bytes(data)
    print("".join(f"{name}\n" for name in changed), end="")
    return 1 if arguments and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
