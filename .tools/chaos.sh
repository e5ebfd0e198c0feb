#!/usr/bin/env bash
# Runs the chaos program, as root: it makes network namespaces, mounts and
# Docker engines of its own, and removes them again.
#
#   chaos.sh [FLAGS]   see master/e2e/chaos
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup/lib.sh"
cd "$root"

.tools/setup/busybox.sh >/dev/null
mkdir -p "$cache"
go build -o "$cache/chaos" ./master/e2e/chaos
as_root "$cache/chaos" -bin bin -setup .tools/setup "$@"
