#!/usr/bin/env bash
# Checks, without writing anything, that the committed generated files are what
# their sources give. `make generate` mends what it finds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0
proto/generate.sh --check || status=$?
if [ "$status" = 3 ] && [ -z "${CI:-}" ]; then
	# Other versions of the tools cannot tell anything; CI has the right ones.
	echo "SKIPPED: proto/pb and proto/py were not compared" >&2
elif [ "$status" != 0 ]; then
	exit 1
fi

if [ -f docs/openapi.json ]; then
	bin/master openapi | diff -u docs/openapi.json - || {
		echo "docs/openapi.json is not what the master serves; run: make generate" >&2
		exit 1
	}
fi
