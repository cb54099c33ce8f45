"""Uploads: what commits need goes to the remote and is named by a keep-manifest, before Git moves a ref.

Order: blobs, then keep-manifest, then (Git's work) refs. Killed anywhere, it can be repeated: what is there is not sent
again, and a ref never names content that the remote does not keep.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gitkit.core.events import Finished, Sink, Started, Warned, ignore
from gitkit.core.paths import show_path
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, KitError, NotFound
from gitkit.git import attributes
from gitkit.git.run import Git
from gitkit.store.keepcache import KeepCache
from gitkit.store.layout import ImageLayout
from gitkit.sync import keep, pointers
from gitkit.sync.parallel import each
from gitkit.sync.pointers import Need
from gitkit.sync.sender import Sender

_SHOWN = 5


class Update(NamedTuple):
    """A line that Git gives the pre-push hook. An oid is None where there is no such ref (yet, or any more)."""

    local_oid: str | None
    remote_oid: str | None


class Pushed(NamedTuple):
    """``kept`` had to be named by a keep-manifest; ``uploaded`` of those travelled."""

    needed: int
    kept: list[Need]
    uploaded: list[Need]
    bytes: int


def parse_updates(text: bytes) -> list[Update]:
    """Standard input of the pre-push hook (githooks(5))."""
    updates = []
    for line in text.splitlines():
        words = line.decode("utf-8", "surrogateescape").rsplit(" ", 3)
        if len(words) == 4:
            updates.append(Update(_oid(words[1]), _oid(words[3])))
    return updates


class Wanted(NamedTuple):
    """``must`` be on the remote before a ref moves: new content, and all of the pushed commits. ``should`` be
    there, too: older content, and what only looks like a pointer of ours; where nobody has it, a warning tells.
    """

    must: list[Need]
    should: list[Need]


def wanted(git: Git, updates: Sequence[Update], proven: Sequence[str], *, remote: str | None) -> Wanted:
    """What the pushed refs need, beyond the commits ``proven`` complete on the remote: empty means nothing to do.

    ``remote`` is the Git remote's name, or None when it is pushed to by URL.
    """
    include = [update.local_oid for update in updates if update.local_oid is not None]
    if not include:
        return Wanted([], [])
    # What is new to the Git remote is looked at even where it was proven once: a branch that was deleted there may have
    # taken its content along.
    exclude = [update.remote_oid for update in updates if update.remote_oid is not None]
    new = pointers.in_range(git, include, exclude, remote=remote)
    everything = pointers.unique([*new, *pointers.in_range(git, include, proven, remote=None)])
    if not everything:
        return Wanted([], [])
    now = pointers.unique([*new, *at_tips(git, include)])
    filtered = attributes.tracked(git, [need.path for need in now])
    must = [need for need in now if need.path in filtered]
    chosen = {need.digest for need in must}
    return Wanted(must, [need for need in everything if need.digest not in chosen])


def needed(git: Git, revs: Sequence[str]) -> list[Need]:
    """All content that commits and their history name."""
    return pointers.in_range(git, list(revs), [], remote=None) if revs else []


def at_tips(git: Git, revs: Iterable[str]) -> list[Need]:
    """All content that the commits ``revs`` themselves name, new or not. A tag that leads to no commit needs none.

    Git LFS keeps the content of its own pointers.
    """
    commits = [rev for rev in revs if git.ask("rev-parse", "-q", "--verify", f"{rev}^{{commit}}") is not None]
    needs = (need for rev in commits for need in pointers.needs_of(pointers.in_tree(git, rev)))
    return pointers.unique(need for need in needs if not need.lfs)


def push(
    store: ImageLayout,
    remote: Remote,
    needs: Sequence[Need],
    *,
    should: Sequence[Need] = (),
    ask_all: bool = False,
    transfers: int = 4,
    emit: Sink = ignore,
) -> Pushed:
    """Make sure that the remote holds and keeps all of ``needs``. Idempotent.

    What the remote's keep-manifests name is taken to be there; with ``ask_all`` the remote is asked for each blob,
    which finds and mends what was lost there.

    What ``should`` be there is uploaded like ``needs``, but may be missing: then a warning tells.

    Raises:
        NotFound: some of ``needs`` is neither in the store nor on the remote. What could be uploaded stays uploaded.
        Corrupt: a blob of the store is damaged.
        Denied, NetworkError
    """
    cache = KeepCache(store)
    known = keep.known(remote, cache)
    both = pointers.unique([*needs, *should])
    new = [need for need in both if need.digest not in known]
    asked = both if ask_all else new
    if not asked:
        return Pushed(len(needs), [], [], 0)
    optional = frozenset(need.digest for need in should) - {need.digest for need in needs}
    uploaded, missing = _upload(store, remote, asked, transfers=transfers, emit=emit)
    refused = [need for need in missing if need.digest not in optional]
    if refused:
        raise _missing(refused, remote)
    if missing:
        first = show_path(missing[0].path)
        emit(Warned(f"{len(missing)} older files are neither here nor on {remote.url}, such as {first}"))
    lost = {need.digest for need in missing}
    new = [need for need in new if need.digest not in lost]
    if new:
        keep.keep(remote, cache, new)
    return Pushed(len(needs), new, uploaded, sum(need.size for need in uploaded))


def upload(
    store: ImageLayout, remote: Remote, needs: Sequence[Need], *, transfers: int = 4, emit: Sink = ignore
) -> list[Need]:
    """Upload those of ``needs`` that the remote lacks; returns them.

    Raises:
        NotFound: some are neither here nor there.
    """
    sent, missing = _upload(store, remote, needs, transfers=transfers, emit=emit)
    if missing:
        raise _missing(missing, remote)
    return sent


def _upload(
    store: ImageLayout, remote: Remote, needs: Sequence[Need], *, transfers: int, emit: Sink
) -> tuple[list[Need], list[Need]]:
    """What was sent, and what is neither here nor there."""

    def one(need: Need) -> str:
        if not store.holds(need.digest, need.size):
            return "there" if remote.has_blob(need.digest) else "missing"
        sender = Sender(lambda: store.open_blob(need.digest, need.size), emit)
        try:
            remote.put_blob(need.digest, need.size, sender.open)
        except Corrupt as error:
            raise error if error.hint else _damaged(need) from error
        return "sent" if sender.used else "there"

    emit(Started("uploading", len(needs), sum(need.size for need in needs)))
    states = each(one, needs, limit=transfers)
    sent = [need for need, state in zip(needs, states, strict=True) if state == "sent"]
    emit(Finished("uploaded", len(sent), sum(need.size for need in sent)))
    return sent, [need for need, state in zip(needs, states, strict=True) if state == "missing"]


def _missing(missing: Sequence[Need], remote: Remote) -> KitError:
    listed = "\n".join(f"  {show_path(need.path)}  {need.digest}" for need in missing[:_SHOWN])
    more = f"\n  and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return NotFound(
        f"content is neither in this clone nor on {remote.url}:\n{listed}{more}",
        hint="push from the clone that added these files, or add them again: git add --renormalize PATH",
    )


def _damaged(need: Need) -> KitError:
    return Corrupt(
        f"{show_path(need.path)}: its blob {need.digest} in the store is damaged",
        hint="git kit fsck --repair, or: git add --renormalize PATH",
    )


def _oid(text: str) -> str | None:
    return None if set(text) == {"0"} else text
