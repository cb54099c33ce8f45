#!/bin/sh
# Versions into environments, from a clone that needs no content: for any CI system, or by hand.
#
#   sh promote.sh                                  # what moves by itself: [environments.NAME] auto = "newest" | "match"
#   VERSION=v1.0.0 ENVIRONMENT=prod sh promote.sh  # this version into this environment; prints the kit's digest
#
# REASON goes into the journal. GIT_COMMITTER_NAME and GIT_COMMITTER_EMAIL are who did it: the person who asked, not the
# machine, since a policy may name people. The clone needs all branches and tags, and credentials that may push the
# environments' branches and kit/journal. REGISTRY, REGISTRY_USER and REGISTRY_PASSWORD log in first, for this run alone.
# Running it again changes nothing.
set -eu

export GIT_KIT_SKIP_SMUDGE=1

if [ -n "${REGISTRY_PASSWORD:-}" ]; then
    DOCKER_CONFIG=$(mktemp -d)
    export DOCKER_CONFIG
    trap 'rm -rf "$DOCKER_CONFIG"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    printf %s "$REGISTRY_PASSWORD" | git kit login "$REGISTRY" --username "$REGISTRY_USER" --password-stdin
fi

if [ -n "${VERSION:-}" ]; then
    git kit promote --reason "${REASON:-}" -- "$VERSION" "${ENVIRONMENT:?set it to the environment}"
else
    git kit env sync
fi
