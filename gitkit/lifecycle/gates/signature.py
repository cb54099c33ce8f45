"""Gate ``signature``: the tag, or the commit, is signed by somebody whom the environment's own branch allows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from gitkit.core.digest import digest_of
from gitkit.core.paths import show_path
from gitkit.git import objects, signatures
from gitkit.git.signatures import Signature
from gitkit.lifecycle.gates.subject import Outcome, Subject, Verdict

if TYPE_CHECKING:
    from gitkit.core.policy import SignatureGate


class _Found(NamedTuple):
    """``what`` is the tag or the commit, in words."""

    what: str
    signature: Signature | None
    outcome: Outcome
    reason: str


class _Signers(NamedTuple):
    """The file of allowed signers; ``text`` is None where the environment's branch has none."""

    path: str
    text: bytes | None


def evaluate(name: str, gate: "SignatureGate", subject: Subject) -> Verdict:
    """Passed where one signature of those that ``of`` asks for is good and allowed.

    Who is allowed stands in a file of ``policy_rev``, never of the candidate. Signatures by gpg need a key that the
    person's keyring trusts; where the file exists, it must name the key's address as well.
    """
    signers = _Signers(gate.signers, objects.read_file(subject.repository.git, subject.policy_rev, gate.signers))
    findings: list[_Found] = []
    for found in _findings(gate.of, subject, signers):
        if found.outcome == "passed":
            return Verdict(name, "passed", found.reason, _evidence([found], signers))
        findings.append(found)
    unknown = any(found.outcome == "unevaluated" for found in findings)
    reason = "; ".join(found.reason for found in findings)
    return Verdict(name, "unevaluated" if unknown else "failed", reason, _evidence(findings, signers))


def _findings(of: str, subject: Subject, signers: _Signers) -> Iterator[_Found]:
    git, kit = subject.repository.git, subject.kit
    if of in ("tag", "any"):
        what = f"tag {kit.version}"
        leads_to = git.ask("rev-parse", "-q", "--verify", "--end-of-options", f"refs/tags/{kit.version}^{{commit}}")
        if leads_to is None:
            yield _Found(what, None, "unevaluated", f"{what} is not here")
        elif leads_to != kit.commit:
            yield _Found(what, None, "failed", f"{what} leads to another commit than {kit.commit[:12]}")
        else:
            yield _judge(what, signatures.tag(git, kit.version, signers.text), signers)
    if of in ("commit", "any"):
        [(_, signature)] = signatures.commits(git, [kit.commit], signers.text)
        yield _judge(f"commit {kit.commit[:12]}", signature, signers)


def _judge(what: str, signature: Signature, signers: _Signers) -> _Found:
    signer = show_path(signature.signer or signature.key or "somebody")
    if signature.status == "good":
        if signatures.is_allowed(signature, signers.text):
            return _Found(what, signature, "passed", f"{what} is signed by {signer}")
        return _Found(what, signature, "failed", f"{what} is signed by {signer}, whom {signers.path} does not name")
    if signature.status == "unknown":
        return _unknown(what, signature, signers, signer)
    reasons = {
        "unsigned": f"{what} is not signed",
        "bad": f"{what} is not what was signed",
        "expired": f"{what} is signed by {signer}, which has expired",
        "revoked": f"{what} is signed by {signer}, whose key was revoked",
        "renamed": f"{what} was signed by {signer} under another name",
    }
    return _Found(what, signature, "failed", reasons[signature.status])


def _unknown(what: str, signature: Signature, signers: _Signers, signer: str) -> _Found:
    if not signature.is_ssh:
        reason = f"{what} is signed by {signer}, which cannot be checked here: the keyring does not trust that key"
        return _Found(what, signature, "unevaluated", reason)
    if signers.text is None:
        reason = f"{what} is signed by {signer}, but the environment's branch has no {signers.path}"
        return _Found(what, signature, "unevaluated", reason)
    return _Found(what, signature, "failed", f"{what} is signed by {signer}, which {signers.path} does not allow")


def _evidence(findings: list[_Found], signers: _Signers) -> dict[str, Any]:
    return {
        "signatures": [
            {
                "of": found.what,
                "status": found.signature.status if found.signature is not None else None,
                "signer": found.signature.signer if found.signature is not None else None,
                "key": found.signature.key if found.signature is not None else None,
            }
            for found in findings
        ],
        "signers": signers.path,
        "signers_digest": digest_of(signers.text) if signers.text is not None else None,
    }
