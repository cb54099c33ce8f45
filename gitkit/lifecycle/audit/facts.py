"""Facts from Git that an audit needs about many commits and tags at once, in a fixed number of git processes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gitkit.git.run import Git


class CommitFact(NamedTuple):
    """``time`` is the committer date in seconds since 1970; ``people`` are author and committer in lower case."""

    tree: str
    time: int
    people: frozenset[str]


def commits(git: Git, oids: Iterable[str]) -> dict[str, CommitFact]:
    """Those of ``oids`` that are commits of this clone. Two git processes."""
    names = "".join(f"{oid}\n" for oid in dict.fromkeys(oids)).encode()
    if not names:
        return {}
    listed = git.run("cat-file", "--batch-check=%(objectname) %(objecttype)", "--buffer", stdin=names).decode()
    there = [line.split(" ")[0] for line in listed.splitlines() if line.endswith(" commit")]
    if not there:
        return {}
    form = "--format=%H%x00%T%x00%ct%x00%ae%x00%ce"
    args = ("--no-walk=unsorted", "--stdin", "--no-show-signature", "--ignore-missing", form)
    found = {}
    for line in git.run("log", *args, stdin="".join(f"{oid}\n" for oid in there).encode()).splitlines():
        oid, tree, time, author, committer = line.decode("utf-8", "replace").split("\0")
        found[oid] = CommitFact(tree, int(time), frozenset({author.lower(), committer.lower()}))
    return found


def blobs(git: Git, names: Sequence[str]) -> list[str | None]:
    """The oid of each of ``names`` (``COMMIT:PATH``), None where there is none. One git process."""
    if not names:
        return []
    stdin = "".join(f"{name}\n" for name in names).encode()
    lines = git.run("cat-file", "--batch-check=%(objectname)", "--buffer", stdin=stdin).decode().splitlines()
    return [None if line.endswith((" missing", " ambiguous")) else line for line in lines]


def missing_from(git: Git, tip: str, oids: Iterable[str]) -> set[str]:
    """Those of ``oids`` (commits of this clone) that ``tip`` does not contain."""
    wanted = set(oids)
    if not wanted:
        return set()
    names = "".join(f"{oid}\n" for oid in (*wanted, f"^{tip}")).encode()
    return wanted & set(git.run("rev-list", "--stdin", stdin=names).decode().split("\n"))


def local_tags(git: Git) -> dict[str, str]:
    """The oid of every tag of this clone, by name. One git process, which reads no object."""
    lines = git.text("for-each-ref", "--format=%(objectname) %(refname:strip=2)", "refs/tags").split("\n")
    return {name: oid for oid, _, name in (line.partition(" ") for line in lines if line)}


def peeled(git: Git, oids: Sequence[str]) -> dict[str, str]:
    """The commit that each of ``oids`` (tags of this clone) leads to. One git process."""
    found = blobs(git, [f"{oid}^{{commit}}" for oid in oids])
    return {oid: commit for oid, commit in zip(oids, found, strict=True) if commit is not None}


def taggers(git: Git) -> dict[str, str]:
    """The address, in lower case, of who made each tag of this clone, by name. One git process, which reads them."""
    form = "--format=%(refname:strip=2)%00%(taggeremail:trim)"
    found = (line.partition("\0") for line in git.text("for-each-ref", form, "refs/tags").split("\n"))
    return {name: address.lower() for name, _, address in found}


def tree_of(facts: Mapping[str, CommitFact], oid: str) -> str | None:
    """The tree of a commit, None where the commit is not here."""
    fact = facts.get(oid)
    return fact.tree if fact is not None else None
