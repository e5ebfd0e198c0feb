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

check_node() {
	local wanted=20.19 found remedy="https://nodejs.org, or this system's package nodejs"
	is_linux || remedy="brew install node"
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
	have jq || echo jq # the examples of docs/EXAMPLE.md
	have gcc || echo gcc libc6-dev # the race detector is cgo
	# What the compiler only recommends apt_install leaves out.
	if ! have protoc; then
		echo protobuf-compiler libprotobuf-dev
	elif ! [ -f "$(dirname "$(command -v protoc)")/../include/google/protobuf/timestamp.proto" ]; then
		echo libprotobuf-dev
	fi
	have shellcheck || echo shellcheck
	if ! have chromium && ! have chromium-browser && ! have google-chrome; then echo chromium fonts-dejavu-core; fi
	/usr/bin/python3 -c 'import importlib.util as u, sys
sys.exit(not (u.find_spec("grpc_tools") and u.find_spec("grpc") and u.find_spec("google.protobuf")))' 2>/dev/null ||
		echo python3-grpcio python3-grpc-tools
	if is_linux; then
		if ! have setsid || ! have nsenter; then echo util-linux; fi
		# Tests put a worker on another host, a network namespace. The programs may
		# lie outside of a user's PATH.
		PATH=$PATH:/usr/sbin:/sbin
		have ip || echo iproute2
		have iptables || echo iptables
	fi
}

# mac says at once what is missing and how to get it; nothing is installed.
mac() {
	local missing=
	have go || missing="$missing go"
	if [ "$mode" = all ]; then
		have node || missing="$missing node"
		have protoc || missing="$missing protobuf"
		have shellcheck || missing="$missing shellcheck"
	fi
	if [ -n "$missing" ]; then
		have brew || say "Homebrew, which installs the rest, is missing: https://brew.sh"
		say "run: brew install$missing"
		case $missing in ' node') ;; *) failed=1 ;; esac
	fi
	say "on macOS, of \`make check\` the comparison of the generated code is left out (it needs Debian 12's protoc 3.21.12 and grpc_tools),"
	say "  and \`make e2e\`, \`make bench\` and so \`make test\` need Linux: their tests look at cgroups, processes and bind mounts of the engine's own machine"
	.tools/setup/engine.sh || failed=1
}

main() {
	mode=${1:-all}
	failed=0
	is_linux || mac
	check_go
	check_node
	if is_linux; then
		local packages=
		[ "$mode" != all ] || packages=$(missing_packages | tr '\n' ' ')
		# shellcheck disable=SC2086 # a list of words
		[ -z "$packages" ] || apt_install $packages
		.tools/setup/engine.sh || failed=1
	fi
	# The tests start it by themselves; built here, it is nobody's deadline.
	if [ "$mode" = all ] && [ -z "${MONGODB_TEST_URI:-}" ]; then
		.tools/ferretdb/ferretdb.sh >/dev/null || failed=1
	fi
	[ "$mode" != all ] || .tools/openapi/lint.sh install || failed=1
	[ "$failed" = 0 ] || exit 1
	say "ready"
}

main "$@"
