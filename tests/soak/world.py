"""The clones that are worked in, all content that was ever written there, and what must hold between two commands."""

import random
import shutil
from pathlib import Path
from typing import NamedTuple

from gitkit.core.pointer import has_conflict, parse
from tests.lib import soundness
from tests.lib.large_files import ATTRIBUTES, pointer_to
from tests.lib.repos import Repo, clean_environ, init, some_bytes

PATHS = ("a.bin", "b.bin", "deep/c.bin", "deep/er/d.bin", "e.bin", "small/f.bin", "small/g.bin")
SIZES = (0, 90, 5_000, 5_000, 1_100_000, 1_100_000, 1_100_000, 2_500_000)
"""Equal sizes are what Git and git kit could mix up."""

_VARIANTS = 4


class Broken(Exception):
    """Something that must hold does not."""


class Place(NamedTuple):
    """A worktree. ``others`` are worktrees of the same clone."""

    name: str
    repo: Repo
    others: tuple[str, ...]


class World:
    """Three clones and a linked worktree, each set up in another way, and the bare repository that they push to."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self._rng = rng
        self._known: set[bytes] = set()
        self._folder = folder
        environ = clean_environ(folder / "home")
        self.bare = init(folder / "bare.git", environ, "--bare")
        first = init(folder / "first", environ)
        first.kit("install")
        first.git("remote", "add", "origin", str(self.bare.path))
        first.write(".gitattributes", ATTRIBUTES)
        for path in PATHS:
            first.write(path, self.content())
        first.commit("begin")
        first.git("push", "--quiet", "--set-upstream", "origin", "main")
        first.git("worktree", "add", "--quiet", "-b", "linked", str(folder / "linked"))
        second, third = self.bare.clone(folder / "second"), self.bare.clone(folder / "third")
        for key, value in (("core.checkStat", "minimal"), ("core.trustCtime", "false"), ("kit.materialize", "delay")):
            second.git("config", key, value)
        second.git("config", "kit.storage", str(folder / "shared"))
        third.git("config", "kit.storage", str(folder / "shared"))
        third.git("config", "kit.link", "hardlink")
        third.git("update-index", "--index-version", "4")
        linked = Repo(folder / "linked", environ)
        self.places = [
            Place("first", first, ("linked",)),
            Place("linked", linked, ("first",)),
            Place("second", second, ()),
            Place("third", third, ()),
        ]

    # -- content ---------------------------------------------------------------------------------------------------

    def content(self) -> bytes:
        """Content of some file; the same now and again."""
        size = self._rng.choice(SIZES)
        data = some_bytes(size, size + self._rng.randrange(_VARIANTS))
        self._known.add(data)
        return data

    def learn(self) -> None:
        """Take whatever the worktrees hold for known: Git itself was killed, which writes small files in place."""
        for place in self.places:
            self._known.update(data for data, _ in soundness.contents(place.repo).values())

    # -- what must hold --------------------------------------------------------------------------------------------

    def check(self, place: Place) -> None:
        """See to it that all is well in one worktree, and that nothing was lost anywhere.

        Raises:
            Broken
        """
        try:
            self._check_files(place.repo)
            if not place.repo.out("ls-files", "--unmerged"):
                soundness.assert_status_is_true(place.repo)
            for one in self.places:
                soundness.assert_nothing_lost(one.repo, [self.bare.path / "kit"])
                damaged = soundness.damaged(one.repo)
                assert not damaged, f"damaged blobs: {damaged}"
            lost = soundness.named(self.bare).keys() - soundness.held_by(self.bare.path / "kit")
            assert not lost, f"the remote has refs to content that it lacks: {lost}"
        except AssertionError as error:
            raise Broken(str(error)) from error

    def check_at_rest(self, place: Place) -> None:
        """Have git kit put everything in order, and see that it is then.

        Raises:
            Broken
        """
        try:
            place.repo.kit("fsck")
            place.repo.kit("pull")
            self.check(place)
            found = soundness.leftovers(place.repo)
            assert not found, f"leftovers: {found}"
            place.repo.git("fsck", "--connectivity-only")
        except AssertionError as error:
            raise Broken(str(error)) from error

    def _check_files(self, repo: Repo) -> None:
        for path, (data, _) in soundness.contents(repo).items():
            if path.endswith(".bin") and not self._is_known(data):
                raise Broken(f"{path} is torn: {len(data)} bytes")

    def _is_known(self, data: bytes) -> bool:
        if data in self._known or has_conflict(data):
            return True
        return parse(data) is not None and data in {pointer_to(known) for known in self._known}

    def end(self) -> None:
        shutil.rmtree(self._folder)
