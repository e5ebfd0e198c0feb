#!/usr/bin/env bash
# Starts a worker from any folder, building it first when needed; --help tells
# more.
set -eu

self=$0
while [ -L "$self" ]; do
	link=$(readlink "$self")
	case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
# shellcheck disable=SC2034 # for start.sh
speaker=runWorker.sh
# shellcheck source=.tools/start.sh
. "$(dirname "$self")/.tools/start.sh"

# The worker looks for a free port among about as many.
readonly most=100

usage() {
	cat <<-TEXT
		runWorker.sh [N] [flags]

		Starts a worker, building it first when needed, with the settings of
		worker/.env when that exists. It works from any folder: the worker runs in
		  $root
		and relative paths in flags and variables start at your own folder.

		  N   from 2 to $most: another worker on this machine, with a name, a port
		      and a data folder (data/worker-N) of its own

		All other flags are the worker's own:
	TEXT
}

number=1
case ${1:-} in
'' | -*) ;;
*[!0-9]*) misused "'$1' is not a number; call it as ./runWorker.sh [N] [flags]" ;;
*)
	number=$1
	shift
	while [ "${number#0}" != "$number" ]; do number=${number#0}; done
	if [ -z "$number" ] || [ "${#number}" -gt 3 ] || [ "$number" -gt "$most" ]; then
		misused "N counts the workers of this machine, from 1 to $most"
	fi
	;;
esac
take_flags 'env-file worker-data-dir join-token-file docker-config' "$@"
variables_from_here WORKER_DATA_DIR JOIN_TOKEN_FILE DOCKER_CONFIG
cd "$root"
if [ "$help" = yes ]; then
	usage
	show_help bin/worker worker
fi
build_when_needed bin/worker worker
# What comes first is overruled by what comes later.
set --
if [ -f worker/.env ] && [ "$env_file" = no ]; then
	set -- --env-file worker/.env
	if [ "$number" -gt 1 ] && [ -z "${WORKER_ID:-}" ] && grep -Eq '^[[:space:]]*(export[[:space:]]+)?WORKER_ID[[:space:]]*=' worker/.env; then
		say "worker $number has a name of its own; the WORKER_ID in worker/.env is the first one's"
		set -- "$@" --worker-id ''
	fi
fi
if [ "$number" -gt 1 ]; then
	set -- "$@" --worker-data-dir "./data/worker-$number"
fi
exec bin/worker "$@" ${args[@]+"${args[@]}"}
