"""Signatures of commits and tags, ssh and gpg, as git verifies them.

git says whose key it was. It compares neither author nor committer with that, a tag's name neither with what was
signed, and it takes the commit's own word for when it was signed: a key that has expired still signs what claims to be
older. What that means is the caller's to judge.
"""

import re
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, Literal, NamedTuple

from gitkit.core.allowed_signers import may_sign, names_for_gpg, parse_signers
from gitkit.errors import Corrupt, NotFound
from gitkit.git import objects
from gitkit.git.run import Git

Status = Literal["good", "bad", "unsigned", "unknown", "expired", "revoked", "renamed"]


class Signature(NamedTuple):
    """What git says of one signature.

    ``good``: by a key that the allowed signers (ssh) or the person's keyring (gpg) vouch for. ``unknown``: by another
    key, or it cannot be checked here. ``expired``, ``revoked``: by a key, or of a time, that is no longer good.
    ``renamed``: a tag that was signed under another name. ``signer`` is an address for gpg, for ssh the first principal
    of the line that allows it, which may be a pattern. ``key`` is a fingerprint: ``SHA256:...`` for ssh, hex for gpg.
    """

    status: Status
    signer: str | None = None
    key: str | None = None

    @property
    def is_ssh(self) -> bool:
        return self.key is not None and self.key.startswith("SHA256:")


UNSIGNED = Signature("unsigned")

_LETTERS: dict[str, Status] = {
    **{"G": "good", "B": "bad", "U": "unknown", "E": "unknown", "X": "expired", "Y": "expired", "R": "revoked"},
    # Only what is signed is asked about: then git says N where the program that checks it is missing.
    "N": "unknown",
}
_FORMAT = "%H%x00%G?%x00%GS%x00%GF%x00%GK"
_READ_AT_ONCE = 2000
_CHECKED_AT_ONCE = 50
_MAX_COMMIT = 1 << 20


def commits(git: Git, oids: Sequence[str], signers: bytes | None, *, jobs: int = 2) -> Iterator[tuple[str, Signature]]:
    """The signature of each commit, in order; each oid once. ``signers`` is a file of allowed signers.

    Commits without a signature cost next to nothing; one with ssh about 12 ms, in ``jobs`` processes at a time. Without
    ``signers`` no ssh signature is better than unknown.

    Raises:
        Corrupt: one of them is not a commit of this repository.
    """
    wanted = list(dict.fromkeys(oids))
    with _file_of(signers) as path:
        for start in range(0, len(wanted), _READ_AT_ONCE):
            batch = wanted[start : start + _READ_AT_ONCE]
            found = dict(_checked(git, _signed(git, batch), path, jobs))
            for oid in batch:
                signature = found.get(oid, UNSIGNED)
                # git calls an ssh signature bad as well where ssh-keygen cannot be run: only its words tell.
                vague = signature.status == "bad" and signature.key is None
                yield oid, _verified(git, "verify-commit", oid, path) if vague else signature


def tag(git: Git, name: str, signers: bytes | None) -> Signature:
    """The signature of the tag ``name`` as it is here. A tag that is only a name for a commit is unsigned.

    Raises:
        NotFound: there is no such tag.
    """
    oid = git.ask("rev-parse", "-q", "--verify", "--end-of-options", f"refs/tags/{name}")
    if oid is None:
        raise NotFound(f'there is no tag "{name}"')
    if git.text("cat-file", "-t", oid) != "tag":
        return UNSIGNED
    with _file_of(signers) as path:
        found = _verified(git, "verify-tag", oid, path)
    if found.status == "good" and not _is_named(git.run("cat-file", "tag", oid), name):
        return found._replace(status="renamed")
    return found


def is_allowed(signature: Signature, signers: bytes | None) -> bool:
    """Whether it is good, and by somebody whom the file names; without a file the keyring's word is enough for gpg."""
    if signature.status != "good":
        return False
    return signature.is_ssh or signers is None or names_for_gpg(parse_signers(signers), signature.signer or "")


def is_by(signature: Signature, address: str, signers: bytes | None) -> bool:
    """Whether it is allowed, and ``address`` may be the one who made it."""
    if not is_allowed(signature, signers) or signature.signer is None:
        return False
    if signature.is_ssh:
        lines = parse_signers(signers or b"")
        return may_sign(lines, address, key=signature.key or "", principal=signature.signer)
    return signature.signer.lower() == address.lower()


# -- commits -------------------------------------------------------------------------------------------------------


def _signed(git: Git, oids: Sequence[str]) -> list[str]:
    """Those that have a signature; and those that cannot be read, about which git shall speak."""
    raw = objects.read_small(git, oids, _MAX_COMMIT)
    return [oid for oid in oids if oid not in raw or b"\ngpgsig" in raw[oid].partition(b"\n\n")[0]]


def _checked(git: Git, oids: Sequence[str], signers: str, jobs: int) -> Iterator[tuple[str, Signature]]:
    waiting = deque(oids[start : start + _CHECKED_AT_ONCE] for start in range(0, len(oids), _CHECKED_AT_ONCE))
    running: deque[tuple[ExitStack, BinaryIO, Sequence[str]]] = deque()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_start(git, waiting.popleft(), signers))
            stack, out, asked = running[0]
            yield from _results(out, asked)
            running.popleft()
            stack.close()
    finally:
        for stack, _, _ in running:
            stack.close()


def _start(git: Git, oids: Sequence[str], signers: str) -> tuple[ExitStack, BinaryIO, Sequence[str]]:
    args = ("log", "--no-walk=unsorted", "--stdin", "--no-show-signature", "--encoding=UTF-8", f"--format={_FORMAT}")
    stack = ExitStack()
    names, out = stack.enter_context(git.pipe(*_allowing(signers), *args))
    # So few names fit into the pipe at once: nobody waits for the other.
    names.write("".join(f"{oid}\n" for oid in oids).encode())
    names.close()
    return stack, out, oids


def _results(out: BinaryIO, asked: Sequence[str]) -> Iterator[tuple[str, Signature]]:
    left = set(asked)
    for line in out:
        oid, letter, signer, fingerprint, key = line.decode("utf-8", "replace").rstrip("\n").split("\0")
        left.discard(oid)
        ssh = fingerprint.startswith("SHA256:")
        yield oid, Signature(_LETTERS[letter], _address(signer, ssh), fingerprint or key or None)
    if left:
        raise Corrupt(f"{min(left)} is not a commit that git can read", hint="git fsck")


def _address(signer: str, ssh: bool) -> str | None:
    """The principal, or the address in a gpg key's ``Name (comment) <address>``."""
    if not ssh and signer.endswith(">"):
        signer = signer[signer.rindex("<") + 1 : -1] if "<" in signer else signer
    return signer or None


# -- one at a time ---------------------------------------------------------------------------------------------------

_SSH = re.compile(r'^Good "git" signature(?: for (?P<signer>.+))? with \S+ key (?P<key>SHA256:\S+)$', re.MULTILINE)
_GPG = re.compile(r"^\[GNUPG:\] (GOODSIG|BADSIG|ERRSIG|EXPSIG|EXPKEYSIG|REVKEYSIG) (\S+) ?(.*)$", re.MULTILINE)
_VALID = re.compile(r"^\[GNUPG:\] VALIDSIG (\S+)", re.MULTILINE)
_GPG_STATUS: dict[str, Status] = {
    **{"GOODSIG": "good", "BADSIG": "bad", "ERRSIG": "unknown", "EXPSIG": "expired", "EXPKEYSIG": "expired"},
    "REVKEYSIG": "revoked",
}


def _verified(git: Git, command: str, oid: str, signers: str) -> Signature:
    done = git.attempt("--no-replace-objects", *_allowing(signers), command, "--raw", oid)
    return _from_words(done.stderr.decode("utf-8", "replace"), verified=done.returncode == 0)


def _from_words(said: str, *, verified: bool) -> Signature:
    """What git says with ``--raw``: gpg's own status lines (GnuPG's doc/DETAILS), or ssh-keygen's words."""
    if "no signature found" in said:
        return UNSIGNED
    gpg = _GPG.findall(said)
    if len(gpg) == 1:
        word, key, user = gpg[0]
        valid = _VALID.search(said)
        status = _GPG_STATUS[word] if verified or word != "GOODSIG" else "unknown"
        signer = None if word == "ERRSIG" else _address(user, ssh=False)
        return Signature(status, signer, valid[1] if valid else key)
    ssh = _SSH.search(said)
    if ssh is not None and not gpg:
        good = verified and ssh["signer"] is not None
        return Signature("good" if good else "unknown", ssh["signer"], ssh["key"])
    return Signature("bad" if "incorrect signature" in said or gpg else "unknown")


def _is_named(raw: bytes, name: str) -> bool:
    """Whether a tag object was made under this name. Only the object is signed: a reference may be called anything."""
    return f"tag {name}".encode("utf-8", "surrogateescape") in raw.partition(b"\n\n")[0].split(b"\n")


# -- the file of allowed signers -------------------------------------------------------------------------------------


@contextmanager
def _file_of(signers: bytes | None) -> Iterator[str]:
    with tempfile.NamedTemporaryFile(prefix="git-kit-signers-") as file:
        file.write(signers or b"")
        file.flush()
        yield file.name


def _allowing(path: str) -> tuple[str, str]:
    # Without such a file git calls what is signed with ssh unsigned; an empty one allows nobody.
    return "-c", f"gpg.ssh.allowedSignersFile={path}"
