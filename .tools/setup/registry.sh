#!/usr/bin/env bash
# Prints the path of a registry program for tests that need a registry on
# loopback: Debian's docker-registry, taken out of its package without
# installing it, so that no service is ever started on this machine.
# Run it as: PATH serve CONFIG.yml
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if have registry; then
	command -v registry
	exit 0
fi
deb_file docker-registry /usr/bin/docker-registry ||
	die "no registry program: install Debian's docker-registry, or put a program named registry on the PATH"
