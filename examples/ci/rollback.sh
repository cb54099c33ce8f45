#!/bin/sh
# An environment back to an earlier version, and held there, from a clone that needs no content.
#
#   ENVIRONMENT=prod REASON='drops requests' sh rollback.sh        # prints the digest that runs then
#
# TO names a version that ran there, instead of the one before the current. REJECT=true lets no environment take the
# current version any more. `git kit resume ENVIRONMENT` ends the hold. Everything else is as in promote.sh.
set -eu

: "${ENVIRONMENT:?set it to the environment}"
: "${REASON:?say why}"
export GIT_KIT_SKIP_SMUDGE=1

if [ -n "${REGISTRY_PASSWORD:-}" ]; then
    DOCKER_CONFIG=$(mktemp -d)
    export DOCKER_CONFIG
    trap 'rm -rf "$DOCKER_CONFIG"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    printf %s "$REGISTRY_PASSWORD" | git kit login "$REGISTRY" --username "$REGISTRY_USER" --password-stdin
fi

set -- --reason "$REASON"
if [ -n "${TO:-}" ]; then set -- "$@" --to "$TO"; fi
if [ "${REJECT:-}" = true ]; then set -- "$@" --reject; fi
git kit rollback "$@" -- "$ENVIRONMENT"
