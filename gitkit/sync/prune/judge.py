"""Which blobs stay, and why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from gitkit.errors import Corrupt, KitError
from gitkit.sync.prune import manifests
from gitkit.sync.prune.needs import KITS, Clone, Named, Needed, named, needed
from gitkit.sync.prune.proof import Proofs

OTHER_CLONE = "needed by another clone"
NO_PROOF = "not kept by the remote"
UNNAMED = "named by nothing, not kept by the remote"
UNKNOWN = "Git does not know all names"


class Looked(NamedTuple):
    """What was found out about one clone."""

    clone: Clone
    needed: Needed
    named: Named
    by_kits: set[str]


def needs_of_all(clones: Sequence[Clone], sizes: frozenset[int]) -> dict[str, str]:
    """Why any of ``clones`` needs a digest.

    Raises:
        KitError: one of them cannot be read.
    """
    found = []
    for clone in clones:
        with _naming(clone, clones[0]):
            found.append(needed(clone, sizes))
    return _reasons(found)


def look(clones: Sequence[Clone], sizes: frozenset[int]) -> list[Looked]:
    """Find out all that the clones need and name. The first one is the clone at work.

    Raises:
        KitError: one of them cannot be read.
    """
    found = []
    for clone in clones:
        with _naming(clone, clones[0]):
            its_needs = needed(clone, sizes)
            found.append(Looked(clone, its_needs, named(clone, its_needs), manifests.named_by_kits(clone.store)))
    return found


@contextmanager
def _naming(clone: Clone, own: Clone) -> Iterator[None]:
    """Tell which other clone an error is about."""
    try:
        yield
    except KitError as error:
        if clone is own:
            raise
        hint = error.hint or "its own git kit doctor and git fsck tell more"
        raise Corrupt(f"cannot tell what {clone.common_dir} needs: {error.message}", hint=hint) from error


def judge(looked: Sequence[Looked], digests: Iterable[str], proofs: Proofs, *, unreachable: bool) -> dict[str, str]:
    """A reason to stay for each of ``digests`` that has one.

    With ``unreachable``, what nothing names needs no proof.

    Raises:
        Denied, NetworkError: a remote does not answer.
    """
    reasons = without_proof(looked)
    everything = set(digests)
    open_cases = everything - reasons.keys()
    if any(one.needed.is_blind for one in looked):
        return {**reasons, **dict.fromkeys(open_cases, UNKNOWN)}
    unnamed = open_cases - _named_anywhere(looked)
    if not all(one.named.is_whole for one in looked):
        reasons.update(dict.fromkeys(unnamed, UNKNOWN))
        open_cases -= unnamed
        unnamed = set()
    for one in looked:
        its_names = open_cases & one.named.needs.keys()
        reasons.update(dict.fromkeys(its_names - proofs.of(one.clone, its_names), NO_PROOF))
    if not unreachable:
        reasons.update(dict.fromkeys(unnamed - proofs.of(looked[0].clone, unnamed), UNNAMED))
    return reasons


def without_proof(looked: Sequence[Looked]) -> dict[str, str]:
    """Reasons that need no question to a remote."""
    only_kits = set[str]().union(*(one.by_kits for one in looked)) - _named_anywhere(looked)
    return {**dict.fromkeys(only_kits, KITS), **_reasons([one.needed for one in looked])}


def _reasons(needs: Sequence[Needed]) -> dict[str, str]:
    others: Mapping[str, str] = {digest: OTHER_CLONE for one in needs[1:] for digest in one.reasons}
    return {**others, **needs[0].reasons}


def _named_anywhere(looked: Sequence[Looked]) -> set[str]:
    return set[str]().union(*(one.named.needs.keys() for one in looked))
