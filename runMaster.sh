#!/usr/bin/env bash
# Starts the master from any folder, building it first when needed. Flags are
# passed on: ./runMaster.sh --http-addr 127.0.0.1:9000
set -eu
cd "$(dirname "$0")"

case "${1:-}" in
--mongodb | --dev)
	echo "runMaster.sh: $1 is not built yet: the master keeps its state in the embedded store, and there is no dashboard to develop." >&2
	exit 2
	;;
esac

if [ ! -x bin/master ] || [ -n "$(find proto master -name '*.go' -newer bin/master 2>/dev/null | head -n 1)" ]; then
	command -v go >/dev/null 2>&1 || {
		echo "runMaster.sh: bin/master has to be built, and there is no Go here: install Go (https://go.dev/dl) and run 'make build'." >&2
		exit 1
	}
	make --no-print-directory build
fi
if [ -f master/.env ]; then
	set -- --env-file master/.env "$@"
fi
exec bin/master "$@"
