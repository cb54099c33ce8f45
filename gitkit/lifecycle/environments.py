"""Environments as they are in Git: which version runs where, since when, and what ran there before.

An environment with ``from`` has a branch that only git kit writes; each of its commits carries trailers that name the
version. An environment without follows the tip of its branch: it runs the newest release that the tip contains.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gitkit.errors import NotFound
from gitkit.git import objects, refs
from gitkit.git.objects import Commit
from gitkit.git.repository import Repository
from gitkit.git.tags import Tag, contained

if TYPE_CHECKING:
    from gitkit.core.config import Config
    from gitkit.core.journal import Event
    from gitkit.core.policy import Environment
    from gitkit.lifecycle.ledger import Ledger
    from gitkit.modelkit.build import Kit
    from gitkit.modelkit.content import Content
    from gitkit.store.layout import ImageLayout

ENV, VERSION, DIGEST, EVENT, REASON = "Kit-Env", "Kit-Version", "Kit-Digest", "Kit-Event", "Kit-Reason"
JOURNAL = "Kit-Journal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where environments are looked up. ``git_remote`` is None in a repository without one: then local branches count.

    ``config`` is the worktree's; ``config_of`` gives a commit's, or None where it has none. ``build`` gives the kit of
    a commit and version, in the format that has the version's tag. ``store`` is the clone's; ``content`` opens, once,
    what reads the files of kits.
    ``allow_commands`` is what this clone says about commands that a repository brings.
    """

    repository: Repository
    git_remote: str | None
    config: "Config"
    config_of: "Callable[[str], Config | None]"
    build: "Callable[[str, str], Kit]"
    store: "ImageLayout"
    content: "Callable[[], Content]"
    allow_commands: bool = False


class Run(NamedTuple):
    """One version that an environment ran. ``commit`` is the version's, ``at`` the environment's commit.

    ``entry`` is the commit of the journal's event, None where the move is older than the journal; ``parents`` are those
    of ``at``.
    """

    version: str
    commit: str
    digest: str | None
    event: str
    at: str
    time: int
    by: str
    reason: str | None
    entry: str | None = None
    parents: tuple[str, ...] = ()


class State(NamedTuple):
    """``tip`` is None where there is no such branch; ``runs`` is newest first. Only we write a ``managed`` one."""

    name: str
    branch: str
    tip: str | None
    runs: list[Run]
    managed: bool = True

    @property
    def moved_by_hand(self) -> bool:
        """Whether somebody committed to a branch that only git kit writes."""
        return self.managed and self.tip is not None and bool(self.runs) and self.runs[0].at != self.tip

    @property
    def current(self) -> Run | None:
        return self.runs[0] if self.runs else None

    def run_of(self, version: str) -> Run:
        """The newest run of ``version``.

        Raises:
            NotFound: it never ran here.
        """
        for run in self.runs:
            if run.version == version:
                return run
        known = ", ".join(dict.fromkeys(run.version for run in self.runs)) or "none"
        raise NotFound(f"{version} never ran in {self.name}", hint=f"versions that did, newest first: {known}")

    def earlier(self, steps: int = 1, without: Collection[str] = ()) -> Run:
        """Where a rollback goes: what ran ``steps`` versions before the current one was promoted.
        Versions whose digest or commit is in ``without`` do not count.

        Raises:
            NotFound: nothing did.
        """
        current = self.current
        if current is None:
            raise NotFound(f"nothing runs in {self.name} yet", hint=f"git kit promote VERSION {self.name}")
        promoted = [
            number for number, run in enumerate(self.runs) if run.version == current.version and run.event != "rollback"
        ]
        older = self.runs[promoted[0] + 1 :] if promoted else self.runs[1:]
        newest: dict[str, Run] = {}
        for run in older:
            if run.version != current.version and run.digest not in without and run.commit not in without:
                newest.setdefault(run.version, run)
        if len(newest) < steps:
            count = "nothing" if steps == 1 else f"fewer than {steps} versions"
            raise NotFound(
                f"{count} ran in {self.name} before {current.version} was promoted",
                hint=f"what ran there: git kit env history {self.name}",
            )
        return list(newest.values())[steps - 1]


def read(place: Place, name: str, environment: "Environment", tip: str | None, ledger: "Ledger | None" = None) -> State:
    """The state of an environment at ``tip``; with ``ledger`` only what the journal vouches for counts."""
    if tip is None:
        return State(name, environment.branch, None, [], bool(environment.sources))
    git = place.repository.git
    runs = list(_runs(objects.history(git, tip), name, bool(environment.sources)))
    if ledger is not None:
        runs = _proven(place, name, runs, ledger)
    if not environment.sources:
        runs = _with_releases(place, tip, runs)
    return State(name, environment.branch, tip, runs, bool(environment.sources))


def glance(place: Place, name: str, environment: "Environment", tip: str | None) -> State:
    """As ``read``, but ``runs`` has the current one alone, as far as the whole history need not be read to know it."""
    git = place.repository.git
    if tip is None:
        return State(name, environment.branch, None, [], bool(environment.sources))
    if environment.sources:
        run = _recorded(next(objects.history(git, tip, limit=1)), name)
        return State(name, environment.branch, tip, [run]) if run else read(place, name, environment, tip)
    with closing(contained(git, tip, place.config.kit.tags)) as releases:
        newest = next(releases, None)
    # A rollback that is the newest release, or was made on top of it or beside it, says more.
    after = git.text("log", "--first-parent", "--format=%B", tip, "--not", f"{newest.commit}^@", "--") if newest else ""
    if newest is None or f"{ENV}: {name}\n" in after:
        return read(place, name, environment, tip)
    return State(name, environment.branch, tip, [_released(newest)], False)


def _runs(history: Iterator[Commit], name: str, managed: bool) -> Iterator[Run]:
    """The recorded runs. Where only git kit writes, they are one unbroken row: what lies before it is other history."""
    begun = False
    for commit in history:
        run = _recorded(commit, name)
        if run is not None:
            begun = True
            yield run
        elif begun and managed:
            return


def _proven(place: Place, name: str, runs: list[Run], ledger: "Ledger") -> list[Run]:
    """Those of ``runs`` (newest first) whose event is in the journal, at its time; and what is older than the journal.

    Anybody can write trailers into a commit.
    """
    if ledger.branches is None:
        return runs
    moves = {entry.oid: entry.event for entry in ledger.moves.get(name, ())}
    first = next(iter(moves.values()), None)
    begun = first.tip if first is not None else ledger.branches.get(name)
    found = []
    older = False
    for run in runs:
        event = moves.get(run.entry or "")
        if event is not None:
            if _tells(event, run):
                found.append(run._replace(time=event.seconds))
        elif run.entry is None and begun is not None:
            older = older or refs.is_ancestor(place.repository.git, run.at, begun)
            found += [run] if older else []
    return found


def _tells(event: "Event", run: Run) -> bool:
    """Whether the commit of ``run`` is the one that was made for ``event``."""
    if event.after is None or event.kind != run.event:
        return False
    parents = tuple(dict.fromkeys(oid for oid in (event.tip, event.after.commit) if oid is not None))
    same = (run.version, run.digest, run.commit) == (event.after.version, event.after.digest, event.after.commit)
    return same and run.parents == parents


def known_tip(place: Place, branch: str) -> str | None:
    """The branch's commit as this clone knows it: on the Git remote, else here. No network."""
    git = place.repository.git
    if place.git_remote is not None:
        return git.ask("rev-parse", "-q", "--verify", f"refs/remotes/{place.git_remote}/{branch}^{{commit}}")
    return refs.branch_oid(git, branch)


class Fresh(NamedTuple):
    """``tips``: the commits of the branches that exist. ``tags``: the oids of the Git remote's, None without one."""

    tips: dict[str, str]
    tags: dict[str, str] | None

    def tag(self, name: str | None) -> str | None:
        """The oid of a tag of the Git remote."""
        return self.tags.get(name or "") if self.tags is not None else None


def ask(place: Place, branches: list[str]) -> Fresh:
    """Where ``branches`` and the tags are now: on the Git remote where there is one, else here."""
    if place.git_remote is not None:
        return Fresh(*refs.fetch_branches(place.repository.git, place.git_remote, branches))
    found = {branch: refs.branch_oid(place.repository.git, branch) for branch in branches}
    return Fresh({branch: oid for branch, oid in found.items() if oid is not None}, None)


def policy(place: Place, name: str, tip: str | None, main: str | None = None) -> "Config":
    """The rules in force: those on the environment's own branch, which neither a candidate nor a worktree loosens.

    Before it has a branch they are those of ``main``, the commit of the Git remote's main branch. Where none are there
    the worktree's count.

    Raises:
        InvalidFile: no environment has this name.
    """
    rev = policy_rev(place, name, tip) if tip is not None else main
    there = place.config_of(rev) if rev is not None else None
    if there is None or name not in there.environments:
        place.config.environment(name)
        return place.config
    here = place.config.environments.get(name)
    if tip is None and here is not None and there.environment(name).branch != here.branch:
        # What was asked for is another branch than the environment has: nobody knows whether that exists.
        return place.config
    return there


def known_main(place: Place) -> str | None:
    """The commit of the Git remote's main branch as this clone knows it. No network."""
    if place.git_remote is None:
        return None
    return place.repository.git.ask("rev-parse", "-q", "--verify", f"refs/remotes/{place.git_remote}/HEAD^{{commit}}")


def policy_rev(place: Place, name: str, tip: str | None) -> str | None:
    """The commit whose ``.gitkit.toml`` rules an environment that is at ``tip``: what its last promotion brought.

    A rollback brings old files back, and not the rules of their time.
    """
    if tip is None:
        return None
    git = place.repository.git
    for limit in (10, None):
        for commit in objects.history(git, tip, limit=limit):
            run = _recorded(commit, name)
            if run is None or run.event != "rollback":
                return commit.oid
    return tip


def _recorded(commit: Commit, name: str) -> Run | None:
    found = objects.trailers(commit.message)
    if found.get(ENV) != name or VERSION not in found or not commit.parents:
        return None
    return Run(
        version=found[VERSION],
        commit=commit.parents[-1],
        digest=found.get(DIGEST),
        event=found.get(EVENT, "promote"),
        at=commit.oid,
        time=commit.time,
        by=commit.author,
        reason=found.get(REASON),
        entry=found.get(JOURNAL),
        parents=commit.parents,
    )


def genuine(place: Place, runs: Collection[Run]) -> set[str]:
    """``at`` of those of ``runs`` whose own commit has the version's files, as git kit writes it. One git process.

    What follows from a release alone is genuine.
    """
    found = {run.at for run in runs if run.event == "commit"}
    recorded = [run for run in runs if run.event != "commit"]
    names = "".join(f"{run.at}^{{tree}}\n{run.commit}^{{tree}}\n" for run in recorded)
    out = place.repository.git.run("cat-file", "--batch-check=%(objectname)", "--buffer", stdin=names.encode())
    trees = out.decode().split("\n")
    pairs = zip(recorded, trees[::2], trees[1::2], strict=False)
    return found | {run.at for run, there, wanted in pairs if there == wanted and " " not in there}


def _with_releases(place: Place, tip: str, recorded: list[Run]) -> list[Run]:
    """What a branch that people write ran: recorded rollbacks, and the releases that its tip contains."""
    git = place.repository.git
    pattern = place.config.kit.tags
    releases = [_released(tag) for tag in contained(git, tip, pattern)]
    if not recorded:
        return releases
    # A rollback stays in force until a release that was made on top of it.
    older = {tag.name for tag in contained(git, recorded[0].at, pattern)}
    newer = [run for run in releases if run.version not in older]
    return [*newer, *recorded, *(run for run in releases if run.version in older)]


def _released(tag: Tag) -> Run:
    return Run(tag.name, tag.commit, None, "commit", tag.commit, tag.time, tag.by, None)
