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

# fuzzed PACKAGE TARGET: where the machine is busy and an input takes long, that can
# happen several times in a row. An input that fails ends it at once.
fuzzed() {
	local try
	for try in 1 2 3 4 5; do
		if fuzz "$1" "$2"; then return 0; fi
		only_the_clock || return 1
		echo "the time was over in the middle of an input, for the ${try}. time" >&2
	done
	return 1
}

# Asking each package with go test -list would link sixteen of them to fuzz three.
targets=$(grep -ro --include '*_test.go' '^func Fuzz[A-Za-z0-9_]*' proto master worker | sed 's|/[^/]*:func | |' | sort -u)
number=0 count=0
while read -r package target; do
	number=$((number + 1))
	[ $(((number + first) % share)) = 0 ] || continue
	count=$((count + 1))
	echo "fuzz $package $target ($fuzztime)"
	fuzzed "$package" "$target" || exit 1
	# A target that a build tag keeps out is no error for go test.
	grep -q '^fuzz: elapsed' "$log" || { echo "$package has no $target that go test sees" >&2; exit 1; }
done <<<"$targets"
echo "fuzzed $count of $number targets for $fuzztime each"
