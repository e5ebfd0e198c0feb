#!/usr/bin/env bash
# Prints the packages whose tests need neither an engine nor built binaries:
# all but the end-to-end tests.
#
#   packages.sh         all of them
#   packages.sh differ  those whose tests do more without the race detector, so that
#                       a run with it does not stand for one without
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-all} in
all)
	# Kept apart from grep, so that a package that does not load is an error and
	# not one package less.
	packages=$(go list ./proto/... ./master/... ./worker/...)
	printf '%s\n' "$packages" | grep -v '^cloudai/master/e2e'
	;;
differ)
	# The suite of stores asks for the detector itself; that nothing else does, but
	# in its own test files, is a test in master/internal/arch.
	files=$(grep -rlE --include '*.go' '^//go:build .*\brace\b|\bstoretest\.Run\(' proto master worker)
	printf '%s\n' "$files" | sed 's|^|./|; s|/[^/]*$||' | sort -u
	;;
*)
	echo "usage: packages.sh [all|differ]" >&2
	exit 1
	;;
esac
