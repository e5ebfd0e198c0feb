#!/usr/bin/env bash
# Runs targets of the Makefile one after the other and says how long each took.
# An argument may carry settings: phases.sh build 'fuzz FUZZTIME=5s'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

times=
summary() {
	printf '\nphases:\n%s' "$times"
	printf '  %-11s %4d s\n' total "$SECONDS"
}
trap summary EXIT

for phase in "$@"; do
	name=${phase%% *}
	started=$SECONDS
	printf '\n== %s\n' "$phase"
	# shellcheck disable=SC2086 # the target and its settings
	if ! "${MAKE:-make}" --no-print-directory $phase; then
		times="$times$(printf '  %-11s %4d s  FAILED' "$name" $((SECONDS - started)))"$'\n'
		exit 1
	fi
	times="$times$(printf '  %-11s %4d s' "$name" $((SECONDS - started)))"$'\n'
done
