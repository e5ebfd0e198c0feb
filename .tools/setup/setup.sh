#!/usr/bin/env bash
# Installs and starts what building, testing and running CloudAI need and this
# machine lacks; with nothing lacking it changes nothing and takes a moment.
#
#   setup.sh         everything that `make test` needs
#   setup.sh demo    only Go and a container engine
#
# On Debian and Ubuntu it installs with apt-get, as root or by sudo; where it
# can be neither, and on other systems, it prints the commands and exits 1.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

# at_least WANTED FOUND: compares versions such as 1.26.0 and 1.26.8rc1.
at_least() {
	awk -v want="$1" -v got="$2" 'BEGIN {
		split(want, w, "."); split(got, g, ".")
		for (i = 1; i <= 3; i++) {
			if (g[i] + 0 > w[i] + 0) exit 0
			if (g[i] + 0 < w[i] + 0) exit 1
		}
		exit 0
	}'
}

check_go() {
	local wanted found
	wanted=$(awk '$1 == "go" { print $2 }' go.work)
	have go || die "Go is missing. CloudAI needs Go $wanted or newer: https://go.dev/dl (unpack to /usr/local, add /usr/local/go/bin to PATH)"
	# Asked inside the repository, so that a Go that fetches a newer one by itself
	# has done so.
	found=$(go env GOVERSION 2>/dev/null) || found=$(GOTOOLCHAIN=local GOWORK=off go -C / env GOVERSION 2>/dev/null) || found=unknown
	at_least "$wanted" "${found#go}" ||
		die "Go is $found, and CloudAI needs $wanted or newer: https://go.dev/dl (a Go of 1.21 or newer fetches it by itself when GOTOOLCHAIN is auto)"
}

check_node() {
	local wanted=20 found remedy
	remedy="https://nodejs.org, or this system's package nodejs"
	if have node; then
		found=$(node --version)
		at_least "$wanted" "${found#v}" && return 0
		found="Node is $found; the dashboard (ui/) needs $wanted or newer: $remedy"
	else
		found="Node is missing; the dashboard (ui/) needs $wanted or newer: $remedy"
	fi
	[ -f ui/package.json ] && [ "$mode" = all ] && die "$found"
	say "$found. Nothing else needs it; going on"
}

# missing_packages prints the Debian packages whose programs are not here.
missing_packages() {
	have git || echo git
	have curl || echo curl ca-certificates
	have gcc || echo gcc libc6-dev # the race detector is cgo
	have protoc || echo protobuf-compiler
	have shellcheck || echo shellcheck
	/usr/bin/python3 -c 'import importlib.util as u, sys
sys.exit(not (u.find_spec("grpc_tools") and u.find_spec("grpc") and u.find_spec("google.protobuf")))' 2>/dev/null ||
		echo python3-grpcio python3-grpc-tools
	if is_linux; then have setsid || echo util-linux; fi
}

mac() {
	local missing=
	have protoc || missing="$missing protobuf"
	have shellcheck || missing="$missing shellcheck"
	if [ -n "$missing" ]; then
		say "run: brew install$missing"
		[ "$mode" = all ] && failed=1
	fi
	say "on macOS, of \`make check\` the comparison of the generated code is left out (it needs Debian 12's protoc 3.21.12 and grpc_tools),"
	say "  and \`make e2e\`, \`make bench\` and so \`make test\` need Linux: their tests look at cgroups, processes and bind mounts of the engine's own machine"
}

main() {
	mode=${1:-all}
	failed=0
	check_go
	check_node
	if [ "$mode" = all ] && is_linux; then
		local packages
		packages=$(missing_packages | tr '\n' ' ')
		# shellcheck disable=SC2086 # a list of words
		[ -z "$packages" ] || apt_install $packages
	elif ! is_linux; then
		mac
	fi
	.tools/setup/engine.sh || failed=1
	[ "$failed" = 0 ] || exit 1
	say "ready"
}

main "$@"
