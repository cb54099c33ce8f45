#!/bin/sh
# The kit of a tag, built and pushed from a clone that needs no content: for any CI system, or by hand.
#
#   TAG=v1.0.0 sh release.sh          # prints the kit's digest
#
# REGISTRY, REGISTRY_USER and REGISTRY_PASSWORD log in first, for this run alone. Without them the logins of docker are
# used. Where .gitkit.toml names environments, the release is recorded in the journal: that takes GIT_COMMITTER_NAME,
# GIT_COMMITTER_EMAIL and credentials that may push kit/journal, as in promote.sh. Run one at a time for each tag; running
# it again changes nothing.
set -eu

: "${TAG:?set it to the release tag}"
export GIT_KIT_SKIP_SMUDGE=1

if [ -n "${REGISTRY_PASSWORD:-}" ]; then
    DOCKER_CONFIG=$(mktemp -d)
    export DOCKER_CONFIG
    trap 'rm -rf "$DOCKER_CONFIG"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    printf %s "$REGISTRY_PASSWORD" | git kit login "$REGISTRY" --username "$REGISTRY_USER" --password-stdin
fi

git kit release "$TAG"
