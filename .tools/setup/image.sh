#!/usr/bin/env bash
# Makes the small image that the demo and the tests run, out of files of this
# machine, and prints its name, the only line on standard output.
#
#   image.sh [NAME]           NAME (default cloudai-test/busybox:latest), made
#                             from a static busybox unless the engine has it
#   image.sh --pull [IMAGE]   IMAGE (default busybox:stable) when the engine has
#                             it or can pull it; otherwise the one above
#
# An image that is there is left as it is, unless an older recipe made it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly recipe=1
readonly recipe_label=org.cloudai.test-image-recipe

ready() {
	[ "$(docker image inspect --format "{{index .Config.Labels \"$recipe_label\"}}" "$1" 2>/dev/null)" = "$recipe" ]
}

# rootfs DIR BUSYBOX
rootfs() {
	local dir=$1 applet
	mkdir -p "$dir/bin" "$dir/usr/bin" "$dir/etc" "$dir/root" "$dir/home" "$dir/var" "$dir/tmp"
	chmod 1777 "$dir/tmp"
	cp "$2" "$dir/bin/busybox"
	chmod 755 "$dir/bin/busybox"
	for applet in $("$2" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$dir/bin/$applet"
	done
	ln -s ../../bin/env "$dir/usr/bin/env"
	printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'nobody:x:65534:65534:nobody:/:/bin/sh' >"$dir/etc/passwd"
	printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' >"$dir/etc/group"
}

make_image() {
	local name=$1 busybox work
	if ! is_linux || ! busybox=$("$(dirname "${BASH_SOURCE[0]}")/busybox.sh"); then
		say "no static busybox here; pulling one"
		docker pull -q busybox:stable >/dev/null || die "cannot make $name: no static busybox on this machine (Debian: busybox-static) and busybox:stable cannot be pulled"
		# Imported anew, so that it carries the label and the same settings.
		local id
		id=$(docker create busybox:stable)
		docker export "$id" | import "$name"
		docker rm "$id" >/dev/null
		return
	fi
	work=$(mktemp -d "${TMPDIR:-/tmp}/cloudai-image.XXXXXX")
	# shellcheck disable=SC2064 # the value of now
	trap "rm -rf '$work'" EXIT
	rootfs "$work/rootfs" "$busybox"
	tar -C "$work/rootfs" --owner=0 --group=0 --numeric-owner -cf - . | import "$name"
}

import() {
	docker import \
		--change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
		--change 'CMD ["sh"]' \
		--change "LABEL $recipe_label=$recipe" \
		- "$1" >/dev/null
}

main() {
	have docker || die "image.sh needs the docker command; run: make setup"
	if [ "${1:-}" = --pull ]; then
		local wanted=${2:-busybox:stable}
		if docker image inspect "$wanted" >/dev/null 2>&1 || limited 60 docker pull -q "$wanted" >/dev/null 2>&1; then
			printf '%s\n' "$wanted"
			return 0
		fi
		say "$wanted cannot be pulled here; using an image made from local files"
		shift $#
	fi
	local name=${1:-cloudai-test/busybox:latest}
	if ! ready "$name"; then make_image "$name"; fi
	printf '%s\n' "$name"
}

main "$@"
