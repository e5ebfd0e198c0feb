#!/usr/bin/env bash
# Makes sure that a Docker engine answers, and changes as little as it can for
# that: an engine that answers is used as it is; one that is installed is
# started; only where there is none at all it is installed.
#
#   engine.sh         make an engine answer
#   engine.sh check   only tell; exit 0 answers, 3 missing, 4 stopped, 5 forbidden
#
# DOCKER_HOST is honoured: an engine that it names is never installed or started
# from here. CLOUDAI_DOCKERD_FLAGS is added to a dockerd that this script starts.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly socket=/var/run/docker.sock
readonly pidfile=/var/run/docker.pid
readonly engine_log=/var/log/cloudai-dockerd.log
readonly patience=60

dockerd_path() {
	local p
	for p in "$(command -v dockerd 2>/dev/null || true)" /usr/sbin/dockerd /usr/bin/dockerd /usr/local/bin/dockerd; do
		[ -n "$p" ] && [ -x "$p" ] && printf '%s\n' "$p" && return 0
	done
	return 1
}

# installed: elsewhere than on Linux the engine lives in a virtual machine, and
# its client is all that shows here.
installed() {
	if is_linux; then dockerd_path >/dev/null; else have docker; fi
}

# probe sets state to: answers, forbidden, stopped, missing, and detail to the
# words of the client.
probe() {
	local host=${DOCKER_HOST:-unix://$socket}
	state=stopped
	detail=
	if have docker; then
		# A context (Docker Desktop, colima) is what `docker` obeys, but programs
		# go by DOCKER_HOST; so ask the very address that the worker will use.
		if detail=$(DOCKER_HOST=$host limited 20 docker version --format '{{.Server.Version}}' 2>&1); then
			state=answers
			return
		fi
	elif [ "${host#unix://}" != "$host" ] && have curl; then
		if detail=$(limited 20 curl -sS --unix-socket "${host#unix://}" http://docker/_ping 2>&1) && [ "$detail" = OK ]; then
			state=answers
			return
		fi
	fi
	if [ "${host#unix://}" != "$host" ]; then
		local path=${host#unix://}
		if [ -S "$path" ] && ! [ -w "$path" ]; then
			state=forbidden
			return
		fi
	fi
	case $detail in
	# Not any "permission denied": the client warns of its own files by the same words.
	*"permission denied while trying to connect"*) state=forbidden ;;
	*) [ -n "${DOCKER_HOST:-}" ] || installed || state=missing ;;
	esac
}

# other_context prints the address of the engine that `docker` itself would
# use, where that is not the one asked above.
other_context() {
	[ -z "${DOCKER_HOST:-}" ] && have docker || return 1
	local host
	host=$(limited 10 docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null) || return 1
	[ -n "$host" ] && [ "$host" != "unix://$socket" ] || return 1
	DOCKER_HOST=$host limited 20 docker version >/dev/null 2>&1 || return 1
	printf '%s\n' "$host"
}

explain() {
	case $state in
	missing)
		detail=
		say "Docker is missing: no engine is installed on this machine."
		if is_linux; then
			say "  remedy: sudo apt-get install docker.io   (or this system's own package of the Docker engine)"
		else
			say "  remedy: brew install --cask docker && open -a Docker   (or: brew install colima docker && colima start)"
		fi
		;;
	stopped)
		say "Docker is installed but stopped: nothing answers at ${DOCKER_HOST:-unix://$socket}."
		if [ -n "${DOCKER_HOST:-}" ]; then
			say "  remedy: start the engine that DOCKER_HOST names, or unset DOCKER_HOST to use this machine's own"
		elif has_systemd; then
			say "  remedy: sudo systemctl start docker"
		elif is_linux; then
			say "  remedy: run \`make setup\` as root, or: sudo dockerd >$engine_log 2>&1 &"
		else
			say "  remedy: open -a Docker   (or: colima start)"
		fi
		;;
	forbidden)
		say "Docker runs, but $(id -un) may not use it: permission denied at ${DOCKER_HOST:-$socket}."
		say "  remedy: sudo usermod -aG docker $(id -un), then log in again (or: newgrp docker)"
		;;
	esac
	[ -z "$detail" ] || say "  (docker said: $(printf '%s' "$detail" | tr '\n' ' '))"
}

# holds PIDFILE NAME: tells whether the process in the file is alive and is NAME.
# A pid file outlives a machine that went down, and its number is soon another's.
holds() {
	local pid
	pid=$(cat "$1" 2>/dev/null) || return 1
	case $pid in '' | *[!0-9]*) return 1 ;; esac
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]
}

containerd_runs() {
	local f
	for f in /proc/[0-9]*/comm; do
		[ "$(cat "$f" 2>/dev/null)" = containerd ] && return 0
	done
	return 1
}

# sweep_stale removes what a killed engine left and the next one would trip over.
sweep_stale() {
	local f
	if [ -e "$pidfile" ] && ! holds "$pidfile" dockerd; then
		say "removing the stale $pidfile"
		as_root rm -f "$pidfile"
	fi
	f=/var/run/docker/containerd/containerd.pid
	if [ -e "$f" ] && ! holds "$f" containerd; then as_root rm -f "$f"; fi
	f=/run/containerd/containerd.sock
	if [ -S "$f" ] && ! containerd_runs; then
		say "removing the stale $f"
		as_root rm -f "$f"
	fi
}

# await_engine PID: waits until the engine answers; PID (may be empty) is the
# process whose end means that it never will.
await_engine() {
	local pid=$1 deadline=$((SECONDS + patience))
	while :; do
		probe
		[ "$state" = answers ] && return 0
		[ "$state" = forbidden ] && return 1
		if [ -n "$pid" ] && ! [ -d "/proc/$pid" ]; then return 1; fi
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.2
	done
}

start_dockerd() {
	local dockerd pid before=0
	dockerd=$(dockerd_path)
	if holds "$pidfile" dockerd; then
		say "dockerd ($(cat "$pidfile")) is there but does not answer yet; waiting"
		await_engine "$(cat "$pidfile")" && return 0
		# Still there and silent: nothing to do about it here. Else it was on its
		# way out, and another takes its place.
		if holds "$pidfile" dockerd; then return 1; fi
	fi
	sweep_stale
	if [ -r "$engine_log" ]; then before=$(wc -l <"$engine_log"); fi
	say "starting $dockerd (no systemd here)"
	# The engine has to outlive this shell, its terminal and its pipes: a session
	# of its own, no inherited descriptor (one of them may be make's or CI's pipe).
	# shellcheck disable=SC2016 # expanded by the inner shell
	pid=$(as_root env FLAGS="${CLOUDAI_DOCKERD_FLAGS:-}" setsid sh -c '
		exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
		# shellcheck disable=SC2086
		"$0" $FLAGS </dev/null >>"$1" 2>&1 &
		echo $!' "$dockerd" "$engine_log")
	if await_engine "$pid"; then
		say "dockerd is left running (process $pid, log $engine_log); stop it with: kill \$(cat $pidfile)"
		return 0
	fi
	as_root tail -n "+$((before + 1))" "$engine_log" | tail -n 20 >&2 || true
	die "dockerd did not come up; its last words stand above, the rest in $engine_log"
}

start_engine() {
	if has_systemd; then
		can_root || {
			explain
			exit 1
		}
		say "starting the docker service"
		as_root systemctl start docker.service || true
		await_engine ""
	elif is_linux; then
		can_root || {
			explain
			exit 1
		}
		start_dockerd
	else
		return 1
	fi
}

install_engine() {
	is_linux || {
		explain
		exit 1
	}
	can_root || explain
	local packages=docker.io
	# The engine refuses to start containers when the kernel enforces AppArmor
	# and the tool that loads its profile is absent.
	if grep -qs Y /sys/module/apparmor/parameters/enabled && ! have apparmor_parser && ! [ -x /usr/sbin/apparmor_parser ]; then
		packages="$packages apparmor"
	fi
	if ! has_systemd && [ -z "$(ls -A /sys/fs/cgroup 2>/dev/null)" ]; then packages="$packages cgroupfs-mount"; fi
	# shellcheck disable=SC2086 # a list of words
	apt_install $packages
}

# ensure_client: newer Debians split the docker command off the engine.
ensure_client() {
	have docker || ! have apt-get || apt_install docker-cli
}

main() {
	probe
	if [ "${1:-}" = check ]; then
		[ "$state" = answers ] || explain
		case $state in answers) exit 0 ;; missing) exit 3 ;; stopped) exit 4 ;; *) exit 5 ;; esac
	fi
	if [ "$state" = answers ]; then
		ensure_client
		return 0
	fi

	# Two set-ups at once must not both start one.
	if have flock && is_linux && { : >>/tmp/cloudai-engine.lock; } 2>/dev/null; then
		exec 9>>/tmp/cloudai-engine.lock
		flock -w 300 9 || die "another set-up has been busy with the engine for five minutes (lock /tmp/cloudai-engine.lock)"
		probe
	fi

	local other
	if { [ "$state" = stopped ] || [ "$state" = missing ]; } && other=$(other_context); then
		die "an engine answers at $other, which only \`docker\` itself knows of. Run: export DOCKER_HOST=$other"
	fi
	[ "$state" = missing ] && install_engine && probe
	if [ "$state" = stopped ] && [ -z "${DOCKER_HOST:-}" ]; then start_engine || true; fi
	if [ "$state" != answers ]; then
		explain
		exit 1
	fi
	ensure_client
}

main "$@"
