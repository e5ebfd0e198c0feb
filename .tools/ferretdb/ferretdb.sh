#!/usr/bin/env bash
# Prints the path of the pinned FerretDB, which speaks the MongoDB protocol for
# the tests. It is built once per version of itself and of Go into .cache/tools.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

key=$(cat "$here/go.mod" "$here/go.sum" "$here/main.go" | cksum | cut -d ' ' -f 1)-$(go env GOVERSION)
tools=$(cd "$here/../.." && pwd)/.cache/tools
bin=$tools/ferretdb-$key
if ! [ -x "$bin" ]; then
	echo "building FerretDB for the tests (once; about half a minute)" >&2
	mkdir -p "$tools"
	# Its own module, outside the workspace: its dependencies are not ours.
	(cd "$here" && GOWORK=off CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$bin.$$" .)
	mv "$bin.$$" "$bin"
fi
printf '%s\n' "$bin"
