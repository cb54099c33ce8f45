"""Whether events are signed by their actors, and signed at all where the policy in force asks for it.

Who may sign stands in a file that the policy names. An event of an environment is held to the file of its policy's
commit, which is where the environment was before: nobody lets himself in by the change that he signs. All others
(``release``, ``reject``, a freeze of everything, a first promotion) are held to the policy of the nearest earlier event
that names one; who is allowed there, or by what is checked out now, may have signed them. Before the first policy
nothing asks for signatures.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.paths import show_path
from gitkit.errors import KitError
from gitkit.git import objects, signatures
from gitkit.git.signatures import Signature
from gitkit.lifecycle.audit import facts
from gitkit.lifecycle.audit.findings import Finding, Gap, about
from gitkit.lifecycle.audit.policies import Policies
from gitkit.lifecycle.environments import Place
from gitkit.lifecycle.ledger import Entry

if TYPE_CHECKING:
    from gitkit.core.config import Config

JOBS = 2
_MAX_SIZE = 1 << 20


class _File(NamedTuple):
    """A file of allowed signers; ``text`` is None where it is not there."""

    path: str
    text: bytes | None


class _Rule(NamedTuple):
    """What counts for one event: one of ``files`` must allow its signer; ``required``: it must have one."""

    required: bool
    files: tuple[_File, ...]


class Outcome(NamedTuple):
    findings: list[Finding]
    gaps: list[Gap]


def signers_here(place: Place) -> bytes | None:
    """The file of allowed signers of what is checked out: of the index, else of HEAD."""
    git, path = place.repository.git, place.config.journal.signers
    return objects.read_file(git, "", path) or objects.read_file(git, "HEAD", path)


def check(
    place: Place,
    policies: Policies,
    entries: Sequence[Entry],
    astray: Collection[str],
    *,
    here: bytes | None,
    skip: int,
) -> Outcome:
    """Check the signatures of ``entries`` after the first ``skip``. About 12 ms for each one that ssh has signed.

    ``here`` is what ``signers_here`` gives. ``astray`` are events whose policy is not taken at its word, as it is from
    where no event had led to.
    """
    if skip == len(entries):
        return Outcome([], [])
    rules = list(_Checker(place, policies, astray, here).rules(entries, skip))
    outcome = Outcome([], [])
    left = list(zip(entries[skip:], rules, strict=True))
    for number in range(max((len(rule.files) for _, rule in left), default=0)):
        left = _checked(place, left, number, outcome)
    return outcome


def _checked(
    place: Place, asked: Sequence[tuple[Entry, _Rule]], number: int, outcome: Outcome
) -> list[tuple[Entry, _Rule]]:
    """Compare with the file of this number; those that another one may still allow come back."""
    git = place.repository.git
    groups: dict[bytes | None, list[tuple[Entry, _Rule]]] = {}
    for entry, rule in asked:
        groups.setdefault(rule.files[number].text, []).append((entry, rule))
    left = []
    for text, group in groups.items():
        found = dict(signatures.commits(git, [entry.oid for entry, _ in group], text, jobs=JOBS))
        for entry, rule in group:
            verdict = _judge(entry, rule, rule.files[number], found[entry.oid])
            if verdict is None:
                continue
            if number + 1 < len(rule.files) and not (isinstance(verdict, Finding) and verdict.kind == "unsigned"):
                left.append((entry, rule))
            elif isinstance(verdict, Gap):
                outcome.gaps.append(verdict)
            else:
                outcome.findings.append(verdict)
    return left


def _judge(entry: Entry, rule: _Rule, file: _File, signature: Signature) -> Finding | Gap | None:
    event = entry.event
    signer = show_path(signature.signer or signature.key or "somebody")
    if signature.status == "unsigned":
        return about("unsigned", entry, "it is not signed, and the policy asks for it") if rule.required else None
    if signature.status == "bad":
        return about("signature", entry, "its signature does not fit it")
    if signature.status == "revoked":
        return about("signature", entry, f"the key of {signer} was revoked")
    if signature.status == "good" and signatures.is_by(signature, event.actor.email, file.text):
        return None
    if signature.status == "good":
        allowed = signatures.is_allowed(signature, file.text)
        named = "" if allowed else f", whom {file.path} does not name"
        return about("signer", entry, f"it is by {event.actor}, and signed by {signer}{named}")
    if not rule.required:
        return None
    if signature.is_ssh:
        return about("signer", entry, f"it is signed by {signer}, whom {file.path} does not allow")
    why = "by a key that has expired" if signature.status == "expired" else "and the signature cannot be checked here"
    return Gap(f"it is signed {why}{_key(signature)}", event.sequence, event.environment)


def _key(signature: Signature) -> str:
    return f" ({show_path(signature.key)})" if signature.key else ""


class _Checker:
    """Finds what counts for each event. Events before ``skip`` are only asked for what is in force after them."""

    def __init__(self, place: Place, policies: Policies, astray: Collection[str], here: bytes | None) -> None:
        self._git = place.repository.git
        self._policies = policies
        self._astray = astray
        self._here = _File(place.config.journal.signers, here)
        self._default = place.config
        self._files: dict[str, _File] = {}

    def rules(self, entries: Sequence[Entry], skip: int) -> Iterator[_Rule]:
        """What counts for each event after the first ``skip``."""
        before, wanted = list(reversed(entries[:skip])), entries[skip:]
        config = next((found for entry in before if (found := self._config(entry)) is not None), None)
        near = map(self._own, (*before, *wanted))
        at = next((commit for commit in near if commit is not None), None)
        self._read([commit for commit in (at, *map(self._own, wanted)) if commit is not None])
        for entry in wanted:
            own = self._own(entry)
            at, config = own or at, self._config(entry) or config
            files = [self._files[at]] if at is not None else []
            if own is None:
                files.append(self._here)
            yield _Rule(config is not None and config.journal.signed, tuple(dict.fromkeys(files)))

    def _own(self, entry: Entry) -> str | None:
        """The commit whose policy the event is held to, if it names one that counts."""
        event = entry.event
        if event.policy_commit is None or event.policy_commit != event.tip:
            return None
        return event.policy_commit if self._config(entry) is not None else None

    def _config(self, entry: Entry) -> "Config | None":
        if entry.event.environment is None or entry.event.policy is None or entry.oid in self._astray:
            return None
        try:
            return self._policies.of(entry.event)
        except KitError:
            return None

    def _read(self, commits: Sequence[str]) -> None:
        """The files of all these commits, in three git processes."""
        paths = {commit: self._path(commit) for commit in commits}
        # A line end in a path would be the end of its name for git.
        asked = [(commit, path) for commit, path in paths.items() if path.isprintable()]
        oids = facts.blobs(self._git, [f"{commit}:{path}" for commit, path in asked])
        texts = objects.read_small(self._git, [oid for oid in oids if oid is not None], _MAX_SIZE)
        self._files = {commit: _File(path, None) for commit, path in paths.items()}
        for (commit, path), oid in zip(asked, oids, strict=True):
            self._files[commit] = _File(path, texts.get(oid or ""))

    def _path(self, commit: str) -> str:
        return (self._policies.at(commit) or self._default).journal.signers
