# shellcheck shell=bash
# What the scripts share: how they speak, look for Go, become root and install
# Debian packages. To be sourced, after `set -eu`. Bash 3.2 is enough (macOS
# ships no newer one).

unset CDPATH # with it cd may go elsewhere, and print where
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034 # for the scripts that source this
cache=$root/.cache
# Quiet lines are only for what was done or must be done; a set-up with
# nothing to do says one line. The script that sources this may set speaker.
say() { printf '%s: %s\n' "${speaker:-setup}" "$*" >&2; }
die() {
	say "$@"
	exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
is_linux() { [ "$(uname -s)" = Linux ]; }
has_systemd() { [ -d /run/systemd/system ]; }

# limited SECONDS COMMAND...: runs COMMAND, cut short when it hangs, where the
# system has timeout(1).
limited() {
	local seconds=$1
	shift
	if have timeout; then timeout "$seconds" "$@"; else "$@"; fi
}

# at_least WANTED FOUND: compares versions such as 1.26.0 and 1.26.8rc1.
at_least() {
	awk -v want="$1" -v got="$2" 'BEGIN {
		split(want, w, "."); split(got, g, ".")
		for (i = 1; i <= 3; i++) {
			if (g[i] + 0 > w[i] + 0) exit 0
			if (g[i] + 0 < w[i] + 0) exit 1
		}
		exit 0
	}'
}

# check_go: run in the repository. It ends the script when Go is missing or too
# old.
check_go() {
	local wanted found remedy="https://go.dev/dl (unpack to /usr/local, add /usr/local/go/bin to PATH)"
	is_linux || remedy="brew install go (or https://go.dev/dl)"
	wanted=$(awk '$1 == "go" { print $2 }' go.work)
	have go || die "Go is missing. CloudAI needs Go $wanted or newer: $remedy"
	# Asked inside the repository, so that a Go that fetches a newer one by itself
	# has done so.
	found=$(go env GOVERSION 2>/dev/null) || found=$(GOTOOLCHAIN=local GOWORK=off go -C / env GOVERSION 2>/dev/null) || found=unknown
	at_least "$wanted" "${found#go}" ||
		die "Go is $found, and CloudAI needs $wanted or newer: $remedy; a Go of 1.21 or newer fetches it by itself when GOTOOLCHAIN is auto"
}

# can_root tells whether as_root would work without breaking off half way.
can_root() {
	[ "$(id -u)" = 0 ] && return 0
	have sudo || return 1
	# With a person at the terminal sudo may ask for the password.
	[ -t 0 ] || sudo -n true 2>/dev/null
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# by_hand COMMAND...: ends the set-up with commands that a person has to run.
by_hand() {
	printf 'setup: this needs root, and neither root nor sudo is at hand. Run:\n' >&2
	printf '  %s\n' "$@" >&2
	echo "and then \`make setup\` again." >&2
	exit 1
}

# apt_install PACKAGE...: the package lists are fetched first when there are
# none, and once more when an install fails, since old lists name files that
# the archive has dropped.
apt_install() {
	have apt-get || die "cannot install $*: no apt-get here. Install them with this system's package manager, then run \`make setup\` again."
	can_root || by_hand "sudo apt-get update" "sudo apt-get install --no-install-recommends $*"
	say "installing $*"
	local log
	log=$(mktemp "${TMPDIR:-/tmp}/cloudai-apt.XXXXXX")
	apt_have_lists || apt_update "$log"
	if ! apt_try "$log" "$@"; then
		apt_update "$log"
		apt_try "$log" "$@" || {
			tail -n 25 "$log" >&2
			die "apt-get could not install $* (whole output: $log)"
		}
	fi
	rm -f "$log"
}

apt_have_lists() { ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; }

# apt_update LOG: a machine that has just come up may be fetching the lists by
# itself, for the end of which apt-get does not wait.
apt_update() {
	local said deadline=$((SECONDS + 300))
	until said=$(as_root env LC_ALL=C apt-get update -q </dev/null 2>&1); do
		case $said in *"Could not get lock"*) [ "$SECONDS" -lt "$deadline" ] && sleep 1 && continue ;; esac
		say "apt-get update failed; going on with the package lists that are here"
		break
	done
	printf '%s\n' "$said" >>"$1"
}

apt_try() {
	local log=$1
	shift
	as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get install -q -y \
		--no-install-recommends -o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$log" 2>&1
}

# deb_file PACKAGE PATH: prints where the file PATH of a Debian package is: the
# installed one, or one taken out of the package under .cache. Nothing is
# installed, so no service starts and no other package has to give way.
deb_file() {
	local package=$1 path=$2 dir=$cache/deb/$1 log work
	if [ -x "$path" ]; then
		printf '%s\n' "$path"
		return 0
	fi
	if [ -x "$dir$path" ]; then
		printf '%s\n' "$dir$path"
		return 0
	fi
	if ! have apt-get || ! have dpkg-deb; then return 1; fi
	say "fetching $path of Debian's $package (not installed, kept in .cache)"
	mkdir -p "$cache/deb"
	work=$(mktemp -d "$cache/deb/.fetch.XXXXXX")
	log=$work/log
	if ! apt_have_lists && can_root; then apt_update "$log"; fi
	if ! (cd "$work" && apt-get download -q "$package" >>"$log" 2>&1); then
		if can_root; then apt_update "$log"; fi
		(cd "$work" && apt-get download -q "$package" >>"$log" 2>&1) || {
			tail -n 5 "$log" >&2
			rm -rf "$work"
			return 1
		}
	fi
	dpkg-deb -x "$work"/*.deb "$work/root"
	# Two at once: the first rename wins, the second's copy goes.
	mv -T "$work/root" "$dir" 2>/dev/null || true
	rm -rf "$work"
	[ -x "$dir$path" ] && printf '%s\n' "$dir$path"
}
