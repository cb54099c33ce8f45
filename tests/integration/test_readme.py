"""What README and docs show is what happens.

``console`` blocks of a page are run in order, in one scratch folder that the quickstart's own ``prepare`` makes, with a
small stand-in for the model. ``<!-- scratch: NAME -->`` before a block starts another one; see ``SCRATCHES``.

- ``$ command`` is given to ``sh``. It must succeed, unless a line that starts with ``error:`` is expected of it.
- The lines below it are what it prints, stderr included; ``...`` stands for any lines, at the end of a line for its
  rest. Without lines nothing is compared. What differs from run to run (digests, oids, times, sizes) is taken for
  equal; see ``VARYING``.
- A line that starts with ``# `` is a remark.

``sh`` blocks are not run. Each git kit command and option in them, and in inline code, must exist.
"""

import hashlib
import importlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import click
import pytest

from gitkit.cli import table
from gitkit.core.digest import digest_of
from gitkit.core.kitfile import WEIGHT_SUFFIXES
from gitkit.modelkit.formats import modelpack
from gitkit.sync import keep
from gitkit.sync.pointers import Need
from tests.integration.test_examples import stand_in
from tests.lib.lfs_server import pointer_to

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_EVERYWHERE = frozenset({"skopeo", "oras"})
"""Programs that may be missing: then the rest of the block is left out."""

VARYING = [
    (r"sha256:[0-9a-f]{64}", "DIGEST"),
    (r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?", "TIME"),
    (r"\b\d+(\.\d+)? ([KMGT]iB|B)\b", "SIZE"),
    (r'(size\\?"?:? ?)\d+', r"\1SIZE"),
    (r"\b\d{1,3}(,\d{3})+\b", "NUMBER"),
    (r"\b\d+ tensors\b", "N tensors"),
    (r"\b\d+\.\d s\b", "SECONDS"),
    (r"\b[0-9a-f]{7,40}\b", "OID"),
    (r"(?<=: )/\S+", "PATH"),
    (r"[ \t]+", " "),
]


# -- pages -----------------------------------------------------------------------------------------------------------


class Block(NamedTuple):
    """``line`` is the number of its first line; ``scratch`` names the one to start before it, if any."""

    language: str
    text: str
    line: int
    scratch: str | None


class Step(NamedTuple):
    command: str
    expected: list[str]
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    text = page.read_text()
    pattern = re.compile(r"(?:<!-- scratch: (\w+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    for found in pattern.finditer(text):
        scratch, language, body = found.groups()
        yield Block(language, body, text.count("\n", 0, found.start(3)) + 1, scratch)


def steps(block: Block) -> Iterator[Step]:
    """The commands of a console block, each with what it should print."""
    command, expected, at = "", [], 0
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        if line.startswith(("$ ", "# ")):
            if command:
                yield Step(command, expected, at)
            command, expected, at = line[2:] if line.startswith("$ ") else "", [], number
        else:
            expected.append(line)
    if command:
        yield Step(command, expected, at)


def same_everywhere(text: str) -> list[str]:
    """``text`` in lines, without what differs from run to run and without empty lines at its end."""
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return [line.rstrip() for line in text.rstrip().splitlines()]


def matches(expected: list[str], found: list[str]) -> bool:
    """Whether ``found`` is ``expected``, where ``...`` stands for any lines, or for the rest of one."""
    pattern = "".join(r"(?:.*\n)*" if line == "..." else _as_pattern(line) + r"\n" for line in expected)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in found)) is not None


def _as_pattern(line: str) -> str:
    return re.escape(line.removesuffix("...")) + ".*" if line.endswith("...") else re.escape(line)


# -- scratch folders -------------------------------------------------------------------------------------------------


def quickstart() -> ModuleType:
    """``examples/quickstart/run.py`` as a module."""
    spec = importlib.util.spec_from_file_location("quickstart_run", ROOT / "examples" / "quickstart" / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def new(session: Any) -> None:
    """Files that nobody has committed, in a clone of an empty repository."""


def existing(session: Any) -> None:
    """As ``new``, and all but the model is committed and pushed."""
    session.quiet("git add README.md LICENSE half.py data eval")
    session.quiet("git commit --quiet --message start")
    session.quiet("git push --quiet origin main")


def released(session: Any) -> None:
    """As ``new``, and v1.0.0 is released and in every environment."""
    session.quiet("git kit init --remote oci-layout:../registry")
    session.quiet("git kit track '*.safetensors'")
    session.quiet("git add .")
    session.quiet("git commit --quiet --message 'MiniLM, float32'")
    session.quiet("git tag --annotate v1.0.0 --message float32")
    session.quiet("git push --quiet origin main v1.0.0")
    session.quiet("git kit release v1.0.0")
    for environment in ("dev", "staging", "prod"):
        session.quiet(f"git kit promote v1.0.0 {environment}")


def lfs(session: Any) -> None:
    """As ``existing``, and the model is a Git LFS pointer, whose content Git LFS holds in the clone."""
    model = session.folder / "model" / "model.safetensors"
    data = model.read_bytes()
    oid = digest_of(data).removeprefix("sha256:")
    held = session.folder / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
    held.parent.mkdir(parents=True)
    held.write_bytes(data)
    model.write_bytes(pointer_to(data))
    (session.folder / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
    session.quiet("git add .")
    session.quiet("git commit --quiet --message start")
    session.quiet("git push --quiet origin main")


def plain(session: Any) -> None:
    """Two commits in a clone, which Git holds all of, with the model in the first and a tag on it; nothing pushed."""
    session.quiet("git add .")
    session.quiet("git commit --quiet --no-verify --message model")
    session.quiet("git tag v1.0")
    session.quiet("git commit --quiet --allow-empty --message next")


def dvc(session: Any) -> None:
    """As ``existing``, and DVC tracks the model, which is not in the worktree."""
    model = session.folder / "model" / "model.safetensors"
    md5, size = hashlib.md5(model.read_bytes(), usedforsecurity=False).hexdigest(), model.stat().st_size
    cached = session.folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    model.rename(cached)
    out = f"outs:\n- md5: {md5}\n  size: {size}\n  hash: md5\n  path: model.safetensors\n"
    model.with_name("model.safetensors.dvc").write_text(out)
    model.with_name(".gitignore").write_text("/model.safetensors\n")
    (session.folder / ".dvc" / ".gitignore").write_text("/cache\n")
    session.quiet("git add .")
    session.quiet("git commit --quiet --message start")


SCRATCHES: dict[str, Callable[[Any], None]] = {
    **{"new": new, "existing": existing, "released": released},
    **{"lfs": lfs, "plain": plain, "dvc": dvc},
}


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.language == "console" for block in blocks(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_console_blocks_when_run_print_what_they_show(page: Path, tmp_path: Path) -> None:
    model, prepare = stand_in(tmp_path / "model"), quickstart().prepare
    session = None
    for number, block in enumerate(blocks(page)):
        if block.language != "console":
            continue
        if session is None or block.scratch is not None:
            scratch = tmp_path / f"scratch-{number}"
            scratch.mkdir()
            session = prepare(scratch, model)
            SCRATCHES[block.scratch or "new"](session)
        for step in steps(block):
            if step.command.split()[0] in NOT_EVERYWHERE and not shutil.which(step.command.split()[0]):
                continue
            run(step, session, page.name)


def run(step: Step, session: Any, page: str) -> None:
    """Run one command and compare; ``session`` keeps the folder."""
    where = f"{page}:{step.line}: $ {step.command}"
    if step.command.startswith("cd "):
        session.folder = (session.folder / step.command[3:]).resolve()
        assert session.folder.is_dir(), where
        return
    done = subprocess.run(
        ["sh", "-c", step.command],
        cwd=session.folder,
        env=session.environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    should_fail = any(line.startswith("error:") for line in step.expected)
    assert (done.returncode != 0) == should_fail, f"{where}\nexit status {done.returncode}\n{done.stdout}"
    expected = same_everywhere("\n".join(step.expected))
    if expected:
        assert matches(expected, same_everywhere(done.stdout)), f"{where}\nprints\n{done.stdout}"


# -- what pages name -------------------------------------------------------------------------------------------------


def test_readme_session_is_from_the_quickstart_in_its_order() -> None:
    told = (ROOT / "examples" / "quickstart" / "run.py").read_text()
    position, unknown = 0, []
    for step in steps(next(blocks(ROOT / "README.md"))):
        if re.fullmatch(r"git kit promote v[12]\.0\.0 (dev|staging|prod)", step.command):
            continue  # one function of run.py tells all of them
        found = told.find(f'run("{step.command}")', position)
        if found < 0:
            unknown.append(step.command)
        position = max(found, position)
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_git_kit_command_on_a_page_exists_with_its_options(page: Path) -> None:
    assert [problem for words in named_commands(page) if (problem := what_is_wrong(words))] == []


def named_commands(page: Path) -> Iterator[list[str]]:
    """The words after each ``git kit`` in code on a page."""
    text = page.read_text()
    code = [block.text for block in blocks(page) if block.language in ("sh", "console")]
    code += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    for found in re.finditer(r"\bgit kit ([a-z][^|;&#)\n]*)", "\n".join(code)):
        yield found[1].split()


def what_is_wrong(words: list[str]) -> str | None:
    """What of a command line does not exist."""
    row = table.find(words[0])
    if row is None:
        return f"git kit {words[0]}"
    command: click.Command = importlib.import_module(f"gitkit.cli.{row.module}").command
    rest = words[1:]
    while isinstance(command, click.Group) and rest:
        inner = command.get_command(click.Context(command), rest[0])
        if inner is None:
            break
        command, rest = inner, rest[1:]
    if command.context_settings.get("ignore_unknown_options"):
        return None
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in rest if word.startswith("-") and word.split("=")[0] not in known | {"-h", "--help"}]
    return f"git kit {' '.join(words)}: {unknown[0]}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# -- formats ---------------------------------------------------------------------------------------------------------


def test_keep_manifest_on_the_page_is_what_is_written() -> None:
    page = ROOT / "docs" / "remote.md"
    shown = next(block.text for block in blocks(page) if block.language == "json")
    data = b"hello\n"
    (manifest,) = keep.manifests([Need(digest_of(data), len(data), b"greeting.txt")])
    assert shown == manifest.decode() + "\n"
    assert f"`{keep.tag_of(manifest)}`" in page.read_text()
    assert f"{keep.MAX_LAYERS:,}" in page.read_text()


def test_kit_page_names_what_the_format_uses() -> None:
    text = (ROOT / "docs" / "kit.md").read_text()
    names = [
        *(modelpack.ARTIFACT, modelpack.CONFIG, modelpack.FILEPATH, modelpack.FILE_METADATA, modelpack.TITLE),
        *(modelpack.KITFILE, modelpack.SUBTYPE),
    ]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_kit_page_lists_the_suffixes_of_weights() -> None:
    text = (ROOT / "docs" / "kit.md").read_text()
    (listed,) = re.findall(r"^Weights are files that end in (.*?)\.$", text, re.MULTILINE | re.DOTALL)
    suffixes = re.findall(r"`(\.\w+)`", listed)
    assert suffixes == sorted(suffixes)
    assert all(modelpack.is_weight(f"a{suffix}") for suffix in suffixes)
    assert set(suffixes) == WEIGHT_SUFFIXES
