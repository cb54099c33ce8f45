"""Deploys two versions in turn, as fast as it can, until it is killed: ``deploy_swaps.py DIR LAYOUT A B``.

A and B are digests of kits in the OCI layout folder. It prints a line for each swap. Run as a program of its own.
"""

import sys

from gitkit.lifecycle.deploy.deploy import Rules, deploy
from gitkit.lifecycle.deploy.releases import Folder
from gitkit.lifecycle.deploy.wanted import OpenKit, Wanted
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.read import read_artifact
from gitkit.store.layout import ImageLayout


def main(path: str, layout: str, *digests: str) -> None:
    folder, remote = Folder(path), ImageLayout(layout)

    def open_kit(digest: str) -> OpenKit:
        return OpenKit(read_artifact(remote, digest), BlobSource(remote))

    while True:
        name = folder.current()
        running = folder.record(name) if name is not None else None
        digest = digests[0] if running is None or running.digest == digests[1] else digests[1]
        wanted = Wanted("prod", f"v{1 + digests.index(digest)}", digest, "0" * 40, "0" * 40)
        done = deploy(wanted, folder, lambda digest=digest: open_kit(digest), Rules(keep=2))
        print(done.result, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
