#!/usr/bin/env bash
# Prints the path of a static busybox, of which test images are made: the
# machine's own, or Debian's, taken out of its package without installing it,
# since it would take the place of the dynamic one. Exits 1 without either.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

own=$(command -v busybox 2>/dev/null || true)
# A dynamic one would start nothing in an image that holds no libraries.
if [ -n "$own" ] && have ldd && ! ldd "$own" >/dev/null 2>&1; then
	printf '%s\n' "$own"
	exit 0
fi
deb_file busybox-static /bin/busybox
