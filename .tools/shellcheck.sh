#!/usr/bin/env bash
# Checks every shell script of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v shellcheck >/dev/null || {
	echo "shellcheck is missing; run: make setup" >&2
	exit 1
}
find . \( -name node_modules -o -name .git -o -name .cache -o -name data -o -name bin \) -prune \
	-o -type f \( -name '*.sh' -o -path ./.ci/run \) -print0 | xargs -0 shellcheck -x
