#!/usr/bin/env bash
# Runs the fuzz targets of the modules for FUZZTIME each (default 10s), one after
# the other; with FUZZ_SHARE=n every n-th of them from a random one on, since their
# seeds are unit tests and run in any case.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fuzztime=${FUZZTIME:-10s}
share=${FUZZ_SHARE:-1}
first=$((RANDOM % share))

log=$(mktemp "${TMPDIR:-/tmp}/cloudai-fuzz.XXXXXX")
trap 'rm -f "$log"' EXIT

# fuzz PACKAGE TARGET
fuzz() {
	go test -run '^$' -fuzz "^$2\$" -fuzztime "$fuzztime" "./$1" </dev/null 2>&1 | tee "$log"
}

# A run that ends at the very moment in which a worker is busy is reported as
# failed with nothing but this message (golang/go issue 75804); no input failed.
only_the_clock() {
	grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input' "$log"
}

# Asking each package with go test -list would link sixteen of them to fuzz three.
targets=$(grep -ro --include '*_test.go' '^func Fuzz[A-Za-z0-9_]*' proto master worker | sed 's|/[^/]*:func | |' | sort -u)
number=0 count=0
while read -r package target; do
	number=$((number + 1))
	[ $(((number + first) % share)) = 0 ] || continue
	count=$((count + 1))
	echo "fuzz $package $target ($fuzztime)"
	if ! fuzz "$package" "$target"; then
		only_the_clock || exit 1
		fuzz "$package" "$target" || exit 1
	fi
	# A target that a build tag keeps out is no error for go test.
	grep -q '^fuzz: elapsed' "$log" || { echo "$package has no $target that go test sees" >&2; exit 1; }
done <<<"$targets"
echo "fuzzed $count of $number targets for $fuzztime each"
