#!/usr/bin/env bash
# Builds and checks the dashboard of ui/, for the Makefile and runMaster.sh.
#
#   ui.sh install       the packages of the lock file, when they changed
#   ui.sh build         into the master's sources, when something changed;
#                       without Node.js it says so and leaves the placeholder
#   ui.sh check         types, lint, format and unit tests
#   ui.sh journeys      a browser against the real binaries
#   ui.sh screenshots   pictures of every page, in .cache/screenshots
#   ui.sh bench [part...] [runs]   how fast it is, in a browser
set -euo pipefail
# shellcheck disable=SC2034 # for lib.sh
speaker=ui
# shellcheck source-path=SCRIPTDIR source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup/lib.sh"
cd "$root"

wanted=20.19
built=master/internal/dashboard/dist/index.html

node_is_here() {
	local found
	have node && have npm || return 1
	found=$(node --version) && at_least "$wanted" "${found#v}"
}

need_node() {
	node_is_here || die "the dashboard needs Node.js $wanted or newer, with npm: https://nodejs.org"
}

install() {
	if [ ui/node_modules/.package-lock.json -nt ui/package-lock.json ]; then return 0; fi
	say "installing the packages of ui/package-lock.json"
	npm --prefix ui ci --prefer-offline >&2
	touch ui/node_modules/.package-lock.json
}

# changed prints something when a source is newer than what was built.
changed() {
	[ -f "$built" ] || {
		echo new
		return
	}
	find docs/openapi.json ui/index.html ui/package-lock.json ui/vite.config.ts ui/tsconfig.json ui/public ui/scripts ui/src \
		-path ui/src/api/generated -prune -o -newer "$built" -print 2>/dev/null | head -n 1
}

build() {
	if ! node_is_here; then
		[ -f "$built" ] || say "no Node.js $wanted or newer here: the master gets a page that says so in place of the dashboard"
		return 0
	fi
	[ -n "$(changed)" ] || return 0
	install
	npm --prefix ui run --silent build >&2
}

# A browser that is here; PLAYWRIGHT_CHROMIUM names another one.
browser() {
	local name
	for name in "${PLAYWRIGHT_CHROMIUM:-}" chromium chromium-browser google-chrome; do
		if [ -n "$name" ] && have "$name"; then
			command -v "$name"
			return
		fi
	done
	die "no Chromium here; run: make setup"
}

case ${1:-} in
install)
	need_node
	install
	;;
build) build ;;
check)
	need_node
	install
	npm --prefix ui run --silent types
	npm --prefix ui run --silent lint &
	lint=$!
	failed=
	npm --prefix ui run --silent unit || failed=1
	wait "$lint" || failed=1
	[ -z "$failed" ]
	;;
journeys | screenshots | bench)
	need_node
	install
	PLAYWRIGHT_CHROMIUM=$(browser)
	export PLAYWRIGHT_CHROMIUM
	npm --prefix ui run --silent "$1" -- "${@:2}"
	;;
*) die "usage: ui.sh install|build|check|journeys|screenshots|bench" ;;
esac
