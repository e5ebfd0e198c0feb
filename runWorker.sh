#!/usr/bin/env bash
# Starts a worker from any folder, building it first when needed.
#   ./runWorker.sh        the first worker of this machine
#   ./runWorker.sh 2      another one beside it, with a data folder of its own
# Further flags are passed on: ./runWorker.sh 2 --worker-cpu 4
set -eu
cd "$(dirname "$0")"

number=1
case "${1:-}" in
'' | -*) ;;
*[!0-9]*)
	echo "runWorker.sh: '$1' is not a number; call it as ./runWorker.sh [N] [flags]" >&2
	exit 2
	;;
*)
	number=$1
	shift
	;;
esac

if [ ! -x bin/worker ] || [ -n "$(find proto worker -name '*.go' -newer bin/worker 2>/dev/null | head -n 1)" ]; then
	command -v go >/dev/null 2>&1 || {
		echo "runWorker.sh: bin/worker has to be built, and there is no Go here: install Go (https://go.dev/dl) and run 'make build'." >&2
		exit 1
	}
	make --no-print-directory build
fi
if [ "$number" -gt 1 ]; then
	set -- --worker-data-dir "./data/worker-$number" "$@"
fi
if [ -f worker/.env ]; then
	set -- --env-file worker/.env "$@"
fi
exec bin/worker "$@"
