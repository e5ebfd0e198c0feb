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
	go test -run '^$' -fuzz "^$2\$" -fuzztime "$fuzztime" "./$1" 2>&1 | tee "$log"
}

# A run that ends at the very moment in which a worker is busy is reported as
# failed with nothing but this message (golang/go issue 75804); no input failed.
only_the_clock() {
	grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input' "$log"
}

# Listing targets compiles a package, so only those that mention one are asked.
packages=$(grep -rl --include '*_test.go' '^func Fuzz' proto master worker | sed 's|/[^/]*$||' | sort -u)
number=0 count=0
for package in $packages; do
	# Kept apart from the loop, so that a package that does not compile is an error.
	targets=$(go test -list '^Fuzz' "./$package")
	for target in $(printf '%s\n' "$targets" | grep '^Fuzz'); do
		number=$((number + 1))
		[ $(((number + first) % share)) = 0 ] || continue
		count=$((count + 1))
		echo "fuzz $package $target ($fuzztime)"
		if ! fuzz "$package" "$target"; then
			only_the_clock || exit 1
			fuzz "$package" "$target" || exit 1
		fi
	done
done
echo "fuzzed $count of $number targets for $fuzztime each"
