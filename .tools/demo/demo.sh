#!/usr/bin/env bash
# Shows the main job end to end: a master and a worker start on free ports with
# a temporary folder, a task runs in a real container under its limits, its log
# arrives live, its file is stored under its owner's name; then all of it goes
# away again. `make demo` builds bin/ first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=$PWD

work=$(mktemp -d "${TMPDIR:-/tmp}/cloudai-demo.XXXXXX")
work=$(cd "$work" && pwd -P) # the engine wants no link in a path that it binds
master_pid=
worker_pid=
cluster=

# What the task does: it names its own limits (cgroup v2 or v1), works for two
# seconds, and leaves a file.
# shellcheck disable=SC2016 # the container's shell expands it
readonly program='cd /sys/fs/cgroup
echo "Hello from container $(hostname). I may use"
echo "  $(cat memory.max memory/memory.limit_in_bytes 2>/dev/null) bytes of memory"
echo "  $(cat cpu.max cpu/cpu.cfs_quota_us 2>/dev/null | cut -d" " -f1) of every 100000 microseconds of a core"
echo "  $(cat pids.max pids/pids.max 2>/dev/null) processes"
for step in 1 2 3 4; do sleep 0.5; echo "$(date +%T) step $step of 4"; done
seq 20 | awk "{ print \$1, \"squared is\", \$1 * \$1 }" >/output/squares.txt
echo "The squares are in /output/squares.txt."'

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\033[1m' dim=$'\033[2m' plain=$'\033[0m'
else
	bold='' dim='' plain=''
fi

heading() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s%s%s\n' "$dim" "$*" "$plain"; }

fail() {
	printf 'demo: %s\n' "$*" >&2
	exit 1
}

# cli runs a one-shot command against the demo's master.
cli() { MASTER_DATA_DIR=$work/master "$here/bin/master" cli "$@"; }

# show prints a command as one would type it, then runs it.
show() {
	printf '%s$ bin/master cli' "$dim"
	local word
	for word in "$@"; do
		case $word in
		*[!A-Za-z0-9_./:=-]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '%s\n' "$plain"
	cli "$@"
}

# leftovers prints the ids of the demo's containers.
leftovers() {
	[ -z "$cluster" ] || docker ps -aq --filter "label=cloudai.cluster_id=$cluster"
}

# stop PID: ends a process of ours in order, by force when it takes too long.
stop() {
	[ -n "$1" ] || return 0
	kill "$1" 2>/dev/null || return 0
	local tries=0
	while kill -0 "$1" 2>/dev/null; do
		tries=$((tries + 1))
		if [ "$tries" -gt 100 ]; then kill -9 "$1" 2>/dev/null || true; fi
		sleep 0.1
	done
	wait "$1" 2>/dev/null || true
}

clear_up() {
	local status=$? id
	trap - EXIT INT TERM
	if [ "$status" != 0 ]; then
		for log in master worker; do
			[ -s "$work/$log.log" ] || continue
			printf '\n--- the last lines of the %s:\n' "$log" >&2
			tail -n 30 "$work/$log.log" >&2
		done
	fi
	stop "$worker_pid"
	stop "$master_pid"
	for id in $(leftovers); do docker rm -f "$id" >/dev/null || true; done
	rm -rf "$work"
	exit "$status"
}
trap clear_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# await SECONDS PID WHAT COMMAND...: waits until COMMAND succeeds, as long as
# the process lives.
await() {
	local deadline=$((SECONDS + $1)) pid=$2 what=$3
	shift 3
	until "$@" >/dev/null 2>&1; do
		kill -0 "$pid" 2>/dev/null || fail "$what ended instead of starting"
		[ "$SECONDS" -lt "$deadline" ] || fail "$what did not come up"
		sleep 0.05
	done
}

# value NAME: prints NAME=value of the master's line that says what it serves.
value() { sed -n "s/.*msg=serving.* $1=\([^ ]*\).*/\1/p" "$work/master.log"; }

sha256() {
	if command -v sha256sum >/dev/null 2>&1; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

start_master() {
	# Port 0: the system picks a free one.
	(cd "$work" && exec env MASTER_DATA_DIR="$work/master" "$here/bin/master" serve --no-prompt \
		--grpc-addr 127.0.0.1:0 --http-addr 127.0.0.1:0) >"$work/master.log" 2>&1 </dev/null &
	master_pid=$!
	await 30 "$master_pid" "the master" cli workers
	cluster=$(cli -o json status | sed -n 's/.*"cluster_id": *"\([^"]*\)".*/\1/p')
	note "master: process $master_pid, workers at $(value grpc), commands over $work/master/master.sock"
}

start_worker() {
	(cd "$work" && exec env MASTER_ADDR="$(value grpc)" WORKER_ID=demo-worker WORKER_ADDR=127.0.0.1:0 \
		WORKER_DATA_DIR="$work/worker" JOIN_TOKEN_FILE="$work/master/join-token" "$here/bin/worker") >"$work/worker.log" 2>&1 </dev/null &
	worker_pid=$!
	await 30 "$worker_pid" "the worker" worker_is_active
	note "worker: process $worker_pid, joined with the token in $work/master/join-token"
}

worker_is_active() { cli workers | grep -q active; }

main() {
	if ! [ -x bin/master ] || ! [ -x bin/worker ]; then fail "bin/master and bin/worker are not there; run: make demo"; fi
	local image id owner file
	image=$(.tools/setup/image.sh --pull busybox:stable)

	heading "1. A master and a worker start"
	start_master
	start_worker
	show workers

	heading "2. A task runs in a container of $image; its log arrives while it runs"
	show task "$image" --name demo --cpu 0.5 --mem 64m --timeout 1m --follow -- sh -c "$program"
	id=$(cli -o json list-tasks | sed -n 's/.*"task_id": *"\([^"]*\)".*/\1/p')
	[ -n "$id" ] || fail "the task is not in the list"

	heading "3. What it went through"
	show explain "$id"

	heading "4. What it left, stored under its owner's name"
	show task-files "$id"
	file=$(find "$work/master/files" -name squares.txt)
	[ -n "$file" ] || fail "squares.txt was not stored"
	owner=$(basename "$(dirname "$(dirname "$file")")")
	note "on the master's disk, in the folder of $owner:"
	(cd "$work/master/files" && sha256 "${file#"$work"/master/files/}")
	cli -o json task-files "$id" | grep -q "$(sha256 "$file" | cut -d' ' -f1)" ||
		fail "the stored file is not the one that the task made"
	tail -n 2 "$file"

	heading "5. Everything stops"
	stop "$worker_pid"
	worker_pid=
	stop "$master_pid"
	master_pid=
	[ -z "$(leftovers)" ] || fail "containers are left: $(leftovers)"
	note "master and worker have stopped; no container, no file of the demo is left"
}

main
