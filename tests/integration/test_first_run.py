"""A clone made by plain git: the filter's first run puts the hooks in, so that a push uploads."""

from pathlib import Path

from tests.lib.repos import Repo, some_bytes


def plain_clone(kit_repo: Repo, bare: Repo, path: Path) -> Repo:
    kit_repo.git("remote", "add", "origin", str(bare.path))
    kit_repo.commit(files={".gitattributes": "*.bin filter=kit -text\n", "a.bin": some_bytes(2000, 1)})
    kit_repo.git("push", "--quiet", "origin", "main")
    return bare.clone(path)


def test_first_checkout_of_a_plain_clone_installs_the_hooks(kit_repo: Repo, bare: Repo, tmp_path: Path) -> None:
    clone = plain_clone(kit_repo, bare, tmp_path / "clone")
    assert (clone.path / ".git/hooks/pre-push").exists()
    clone.commit(files={"b.bin": some_bytes(3000, 2)})
    assert "uploaded 1 file" in clone.git("push", "--quiet", "origin", "main").stderr
    other = bare.clone(tmp_path / "other")
    assert other.read("b.bin") == some_bytes(3000, 2)


def test_first_run_beside_a_foreign_hook_tells_and_leaves_it(kit_repo: Repo, bare: Repo, tmp_path: Path) -> None:
    clone = plain_clone(kit_repo, bare, tmp_path / "clone")
    for name in ("pre-push", "pre-commit"):
        (clone.path / ".git/hooks" / name).unlink()
    foreign = clone.write(".git/hooks/pre-push", "#!/bin/sh\nexit 0\n", mode=0o755)
    clone.write("c.bin", some_bytes(100, 3))
    done = clone.git("add", "c.bin")
    assert "does not upload large files" in done.stderr
    assert "hint: git kit install" in done.stderr
    assert foreign.read_text() == "#!/bin/sh\nexit 0\n"
