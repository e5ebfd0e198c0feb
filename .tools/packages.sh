#!/usr/bin/env bash
# Prints the packages whose tests need neither an engine nor built binaries:
# all but the end-to-end tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Kept apart from grep, so that a package that does not load is an error and
# not one package less.
packages=$(go list ./proto/... ./master/... ./worker/...)
printf '%s\n' "$packages" | grep -v '^cloudai/master/e2e'
