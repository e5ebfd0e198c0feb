#!/usr/bin/env bash
# Runs the pinned golangci-lint, in the current folder. It is built once per
# version of itself and of Go into .cache/tools: it refuses code for a newer Go
# than the one that built it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

key=$(cat "$here/go.mod" "$here/go.sum" | cksum | cut -d ' ' -f 1)-$(go env GOVERSION)
bin=$here/../../.cache/tools/golangci-lint-$key
if ! [ -x "$bin" ]; then
	echo "building golangci-lint (once; about a minute)" >&2
	mkdir -p "$(dirname "$bin")"
	# Its own module, outside the workspace: its dependencies are not ours.
	(cd "$here" && GOWORK=off CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$bin.$$" github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
	mv "$bin.$$" "$bin"
fi
# Memory for time: it spends a quarter of it collecting garbage otherwise.
export GOGC="${GOGC:-400}"
exec "$bin" "$@"
