"""Whose events count where the policy asks for signed ones.

An event that opens a way (an approval, the end of a hold, of a freeze or of a rejection) counts only when its actor has
signed it. One that closes a way counts always: nobody is made to prove that they want to stop something.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gitkit.errors import InvalidFile
from gitkit.git import objects
from gitkit.git.run import Git
from gitkit.lifecycle.ledger import Entry

if TYPE_CHECKING:
    from gitkit.core.policy import Journal

VERIFIED = "refs/kit/journal-verified"
"""The last journal that `git kit audit verify` found sound; never pushed."""

_OPENING = ("approve", "resume", "unfreeze")


def opens(entry: Entry) -> bool:
    """Whether the event allows what was not allowed before it."""
    event = entry.event
    return event.kind in _OPENING or (event.kind == "reject" and bool(event.details.get("undo")))


def counted(git: Git, entries: Sequence[Entry], journal: "Journal", policy_rev: str) -> list[Entry]:
    """``entries`` without those that open a way and are not signed by their actor.

    Who may sign is read from ``policy_rev``. What an audit has verified is not verified again.
    """
    if not journal.signed:
        return list(entries)
    from gitkit.git import signatures

    signers = objects.read_file(git, policy_rev, journal.signers)
    unproven = {entry.oid: entry for entry in _after(git, entries) if opens(entry)}
    refused = {
        oid
        for oid, signature in signatures.commits(git, list(unproven), signers)
        if not signatures.is_by(signature, unproven[oid].event.actor.email, signers)
    }
    return [entry for entry in entries if entry.oid not in refused]


def require_signing(git: Git, journal: "Journal") -> None:
    """Where only signed events count, this person's Git must sign.

    Raises:
        InvalidFile: it does not.
    """
    if journal.signed and not objects.signs(git):
        raise InvalidFile(
            "the journal takes signed events only, and Git here signs no commits",
            hint="git config commit.gpgsign true, with gpg.format and user.signingKey as git-commit(1) says",
        )


def _after(git: Git, entries: Sequence[Entry]) -> Iterable[Entry]:
    verified = git.ask("rev-parse", "-q", "--verify", VERIFIED)
    start = next((number for number, entry in enumerate(entries, 1) if entry.oid == verified), 0)
    return entries[start:]
