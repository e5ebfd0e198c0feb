#!/usr/bin/env bash
# Runs the pinned linter of OpenAPI documents over docs/openapi.json; warnings
# fail as errors do. It comes from the npm registry once per version into
# .cache/tools.
#
#   lint.sh            lint
#   lint.sh install    only fetch it
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../setup/lib.sh
. "$here/../setup/lib.sh"
# shellcheck disable=SC2034 # of lib.sh
speaker=openapi

wanted=20.19
if ! have node || ! have npm || ! { found=$(node --version) && at_least "$wanted" "${found#v}"; }; then
	[ -z "${CI:-}" ] || die "linting docs/openapi.json needs Node $wanted or newer, with npm"
	say "SKIPPED: docs/openapi.json was not linted; that needs Node $wanted or newer, with npm"
	exit 0
fi
dir=$root/.cache/tools/openapi-$(cat "$here/package.json" "$here/package-lock.json" | cksum | cut -d ' ' -f 1)
if ! [ -x "$dir/node_modules/.bin/redocly" ]; then
	rm -rf "$dir.new"
	mkdir -p "$dir.new"
	cp "$here/package.json" "$here/package-lock.json" "$dir.new/"
	(cd "$dir.new" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2) ||
		die "the linter could not be fetched from the npm registry"
	rm -rf "$dir"
	mv "$dir.new" "$dir"
fi
[ "${1:-}" = install ] && exit 0

# Nothing is reported to anyone, and no newer version looked for.
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
out=$(cd "$root" && "$dir/node_modules/.bin/redocly" lint --config "$here/redocly.yaml" --format stylish docs/openapi.json 2>&1) || {
	printf '%s\n' "$out" >&2
	exit 1
}
