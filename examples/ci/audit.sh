#!/bin/sh
# The journal against the branches, the tags and the registry, from a clone that needs no content. Run it every night.
#
#   SEEN=journal-seen sh audit.sh
#
# A clone that is made for each run remembers nothing, so it cannot see that the journal was cut off. SEEN is a file that
# the CI system keeps from run to run: it holds the journal's commit that the last good run saw.
set -eu

export GIT_KIT_SKIP_SMUDGE=1
journal=refs/remotes/origin/kit/journal

git fetch --quiet --tags origin "+refs/heads/*:refs/remotes/origin/*"
if [ -s "${SEEN:-}" ]; then
    git merge-base --is-ancestor "$(cat "$SEEN")" "$journal" || {
        echo "the journal does not continue $(cat "$SEEN"), which was seen before: cut off, or written anew" >&2
        exit 1
    }
fi
git kit audit verify
if [ -n "${SEEN:-}" ]; then git rev-parse "$journal" >"$SEEN"; fi
