"""What goes in comes out: KitOps' pack and unpack cases, told anew, in every way that a kit can be written.

Each case has a Kitfile, files of the commit whose content names them, and those of them that must stay out.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lib.repos import Repo


class Case(NamedTuple):
    kitfile: str
    files: list[str]
    left_out: list[str]
    ignore: str = ""


CASES = {
    "folders": Case(
        "model: {path: model}\ndatasets: [{path: data}]\ncode: [{path: src}]\n",
        ["model/w.bin", "model/sub/config.json", "data/train.csv", "src/a.py", "src/deep/er/b.py"],
        ["elsewhere/x", "notes.txt"],
    ),
    "ignored": Case(
        "model: {path: model}\ncode: [{path: .}]\n",
        ["model/w.bin", "keep.py", "docs/keep.me", "logs/important.log"],
        ["cache/one", "cache/two/three", "a.tmp", "deep/b.tmp", "x1.dat", "docs/skip.md", "deep/skip.md"],
        "cache\n**/*.tmp\nx?.dat\n**/*.md\nlogs/*\n!logs/important.log\n",
    ),
    "nested entries with ignores": Case(
        "model: {path: main}\ndatasets: [{path: main/sub}]\ncode: [{path: .}]\n",
        ["main/w.bin", "main/sub/data.csv", "root.py"],
        ["main/skip.tmp", "main/sub/skip.tmp", "skip.tmp"],
        "**/*.tmp\nskip.tmp\n",
    ),
    "a prefix is not a folder": Case(
        "datasets: [{path: data}]\ncode: [{path: .}]\n", ["data/a.csv", "data-v2/b.csv", "database.py"], []
    ),
    "parts inside of the model and beside it": Case(
        "model:\n  path: model\n  parts:\n    - path: model/adapter\n    - path: extra/lora.bin\n",
        ["model/w.bin", "model/adapter/a.bin", "extra/lora.bin"],
        ["extra/other.bin"],
    ),
    "spellings of a path": Case(
        "model: {path: ./model/w.bin}\ncode: [{path: src/}, {path: ./lib}, {path: a/b/a}]\n"
        "docs: [{path: ./README.md}]\n",
        ["model/w.bin", "src/x.py", "lib/y.py", "a/b/a/z.py", "README.md"],
        ["model/other.bin", "a/b/c/no.py"],
    ),
    "the whole repository": Case("code: [{path: .}]\n", ["a.py", "b/c.py", "d/e/f.txt"], []),
    "prompts": Case(
        "model: {path: model/w.bin}\nprompts: [{path: system.prompt.md}, {path: prompts}]\n",
        ["model/w.bin", "system.prompt.md", "prompts/user.md"],
        ["other.md"],
    ),
}

WAYS = {
    "modelpack": ["--format", "modelpack"],
    "tar": ["--format", "modelkit"],
    "gzip": ["--format", "modelkit", "--compression", "gzip"],
    "raw": ["--format", "modelkit", "--layer-format", "raw"],
    "image": ["--format", "image"],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_kit_unpacked_holds_what_its_kitfile_names(kit_repo: Repo, tmp_path: Path, name: str, way: str) -> None:
    case = CASES[name]
    kit_repo.write(".gitattributes", "*.bin filter=kit -text\n")
    kit_repo.write("Kitfile", f'manifestVersion: "1.0.0"\n{case.kitfile}')
    if case.ignore:
        kit_repo.write(".kitignore", f".gitattributes\n{case.ignore}")
    for path in case.files + case.left_out:
        kit_repo.write(path, f"testing: {path}\n")
    kit_repo.commit()
    kit_repo.git("tag", "v1")
    kit_repo.git("config", "kit.url", f"oci-layout:{tmp_path / 'remote'}")
    kit_repo.kit("release", "v1", *WAYS[way])
    kit_repo.kit("unpack", f"oci-layout:{tmp_path / 'remote'}:v1", "-d", str(tmp_path / "out"))
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found - {"Kitfile", ".gitattributes"} == set(case.files)
    for path in case.files:
        assert (tmp_path / "out" / path).read_text() == f"testing: {path}\n"
