# shellcheck shell=bash
# shellcheck disable=SC2034 # help, env_file and args are for the scripts
# What runMaster.sh and runWorker.sh share: paths that start at the caller's
# folder, and building when needed. To be sourced in the caller's folder, after
# `set -eu`, with speaker set to the script's name. Bash 3.2 is enough.

here=$PWD
# shellcheck source-path=SCRIPTDIR source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup/lib.sh"

# misused TEXT: says how the script is meant to be called.
misused() {
	say "$*"
	exit 2
}

# from_here PATH: a relative path starts where the caller is, and the program
# runs in the repository.
from_here() {
	case $1 in
	'' | /*) printf '%s' "$1" ;;
	*) if [ "$here" = "$root" ]; then printf '%s' "$1"; else printf '%s/%s' "$here" "$1"; fi ;;
	esac
}

# take_flags NAMES ARG...: leaves in args the arguments, with the paths made to
# start here that follow the flags NAMES (words without dashes); sets help and
# env_file to yes when those flags are among them.
take_flags() {
	local paths=" $1 " arg name value_is_path=
	shift
	args=()
	help=no
	env_file=no
	for arg in "$@"; do
		if [ -n "$value_is_path" ]; then
			args+=("$(from_here "$arg")")
			value_is_path=
			continue
		fi
		name=${arg%%=*}
		name=${name#-}
		name=${name#-}
		case $arg in
		-h | -help | --help) help=yes ;;
		-env-file | --env-file | -env-file=* | --env-file=*) env_file=yes ;;
		esac
		case $arg in
		-*=*) case $paths in *" $name "*) arg=${arg%%=*}=$(from_here "${arg#*=}") ;; esac ;;
		-*) case $paths in *" $name "*) value_is_path=yes ;; esac ;;
		esac
		args+=("$arg")
	done
}

# variables_from_here NAME...: the same for paths in the environment.
variables_from_here() {
	local name
	for name in "$@"; do
		if [ -n "${!name:-}" ]; then export "$name=$(from_here "${!name}")"; fi
	done
}

# sources_since BINARY MODULE: prints something when there is a source newer
# than the binary. A package's folder counts as well: a file of it may have gone.
sources_since() {
	find go.work go.work.sum Makefile proto "$2" ui/src -name py -prune -o \
		\( -type d -path '*/*' -o -name '*.go' ! -name '*_test.go' -o -name go.mod -o -name go.sum -o -name 'go.work*' -o -name Makefile -o -path 'ui/src/*' \) \
		-newer "$1" -print 2>/dev/null | head -n 1
}

check_make() {
	have make && return 0
	if is_linux; then
		die "make is missing: sudo apt-get install make (or this system's own package of it)"
	else
		die "make is missing: xcode-select --install"
	fi
}

# build_when_needed BINARY MODULE: run in the repository.
build_when_needed() {
	local missing
	if [ -x "$1" ] && [ -z "$(sources_since "$1" "$2")" ]; then return 0; fi
	if ! missing=$( (check_go && check_make) 2>&1); then
		printf '%s\n' "$missing" >&2
		[ -x "$1" ] || die "$1 is not built yet, and cannot be built without that"
		say "$1 is older than its sources; starting it as it is"
		return 0
	fi
	say "building bin/master and bin/worker"
	make --no-print-directory build >&2 || die "the build has failed; nothing was started"
}

# show_help BINARY MODULE: the program's own part of the help.
show_help() {
	printf '\n'
	if ! [ -x "$1" ]; then build_when_needed "$1" "$2"; fi
	exec "$1" --help
}
