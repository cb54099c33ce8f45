"""Every command, by group, with its one-line help: listing them imports none of them."""

from typing import NamedTuple


class Row(NamedTuple):
    """``module`` in ``gitkit.cli`` defines ``command``."""

    name: str
    help: str
    module: str


GROUPS: tuple[tuple[str, tuple[Row, ...]], ...] = (
    (
        "Set-up",
        (
            Row("install", "set up Git to run git kit, and this repository's hooks", "install"),
            Row("uninstall", "undo install", "uninstall"),
            Row("init", "make this repository a model registry", "init"),
            Row("track", "keep files that match a pattern as pointers in Git", "track"),
            Row("untrack", "stop tracking a pattern", "untrack"),
            Row("remote", "show or set where large files and kits go", "remote"),
            Row("login", "store credentials for a registry", "login"),
            Row("logout", "forget a registry's credentials", "logout"),
            Row("doctor", "find what is wrong and the command that mends it", "doctor"),
            Row("completion", "print the completion script for a shell", "completion"),
        ),
    ),
    (
        "Files",
        (
            Row("add", "add files to the index", "add"),
            Row("status", "show large files that changed, are missing or not pushed", "status"),
            Row("ls-files", "list large files", "ls_files"),
            Row("fetch", "download content into the store", "fetch"),
            Row("checkout", "replace pointers in the worktree by content from the store", "checkout"),
            Row("pull", "fetch, then checkout", "pull"),
            Row("push", "upload what a branch or tag needs", "push"),
            Row("clone", "clone a repository with its content", "clone"),
            Row("fsck", "check pointers and the store", "fsck"),
            Row("prune", "take blobs that nobody needs out of the store", "prune"),
            Row("dedup", "have files of the worktree share their bytes with the store", "dedup"),
            Row("migrate", "come from Git LFS or DVC, or rewrite history", "migrate"),
        ),
    ),
    (
        "Kits",
        (
            Row("kitfile", "check or write the Kitfile", "kitfile"),
            Row("build", "build a version's kit from its tag", "build"),
            Row("release", "build a version's kit and push it", "release"),
            Row("verify", "rebuild a kit from its commit and compare", "verify"),
            Row("kits", "list kits", "kits"),
            Row("inspect", "show what a kit holds", "inspect"),
            Row("info", "show a kit's Kitfile", "info"),
            Row("unpack", "put a kit's files into a folder", "unpack"),
            Row("diff", "compare two kits", "diff"),
            Row("import", "bring a kit, or a model of a hub, into Git", "import_"),
            Row("export", "write a kit to a folder or one file", "export"),
        ),
    ),
    (
        "Lifecycle",
        (
            Row("env", "show which version runs in which environment", "env"),
            Row("promote", "bring a version into an environment", "promote"),
            Row("rollback", "bring an environment back to an earlier version", "rollback"),
            Row("deploy", "put the version that an environment runs into a folder", "deploy"),
            Row("metrics", "show metrics, and compare those of two versions", "metrics"),
            Row("lineage", "show data, commit, kit and environments of a version", "lineage"),
            Row("approve", "agree that a version comes into an environment", "approve"),
            Row("reject", "let no environment take a version any more", "reject"),
            Row("hold", "let no promotion move an environment", "hold"),
            Row("resume", "end the hold of an environment", "resume"),
            Row("freeze", "let no version into an environment for a while", "freeze"),
            Row("unfreeze", "end a freeze", "unfreeze"),
            Row("audit", "check, read and export the journal", "audit"),
        ),
    ),
    (
        "Plumbing",
        (
            Row("filter-process", "Git's long-running filter", "filter_process"),
            Row("clean", "content on stdin, pointer on stdout", "clean"),
            Row("smudge", "pointer on stdin, content on stdout", "smudge"),
            Row("textconv", "what a large file is, in lines for git diff", "textconv"),
            Row("merge-driver", "what Git runs where both sides changed", "merge_driver"),
            Row("hook", "what Git's hooks run", "hook"),
        ),
    ),
)


def find(name: str) -> Row | None:
    """The row of a command."""
    return next((row for _, rows in GROUPS for row in rows if row.name == name), None)


def names() -> list[str]:
    """All command names, in the order of the help."""
    return [row.name for _, rows in GROUPS for row in rows]
