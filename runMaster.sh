#!/usr/bin/env bash
# Starts the master from any folder, building it first when needed; --help
# tells more.
set -eu

self=$0
while [ -L "$self" ]; do
	link=$(readlink "$self")
	case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
# shellcheck disable=SC2034 # for start.sh
speaker=runMaster.sh
# shellcheck source=.tools/start.sh
. "$(dirname "$self")/.tools/start.sh"
# shellcheck source=.tools/mongodb.sh
. "$root/.tools/mongodb.sh"

usage() {
	cat <<-TEXT
		runMaster.sh [--dev | --mongodb] [flags]

		Starts the master, building it first when needed, with the settings of
		master/.env when that exists. It works from any folder: the master runs in
		  $root
		and relative paths in flags and variables start at your own folder.

		  --dev       serve the sources of the dashboard beside it, at
		              http://localhost:3000; a change shows at once (needs Node.js)
		  --mongodb   start the MongoDB of database/docker-compose.yml and keep the
		              state in it; another one is named by MONGODB_URI instead

		All other flags are the master's own:
	TEXT
}

case ${1:-} in
serve) shift ;;
cli | openapi) misused "it starts the master; for the rest run: bin/master $1" ;;
esac
mongodb=no
dev=no
flags=()
for arg in "$@"; do
	case $arg in
	--mongodb) mongodb=yes ;;
	--dev) dev=yes ;;
	*) flags+=("$arg") ;;
	esac
done

# start_dev serves the dashboard's sources for as long as this process lives,
# whose place the master takes. Job control gives it a process group of its own,
# so that Ctrl-C at the prompt is not meant for it.
start_dev() {
	.tools/ui.sh install
	mkdir -p .cache
	set -m
	(
		set +m
		npm --prefix ui run dev &
		while kill -0 $$ && kill -0 $!; do sleep 1; done 2>/dev/null
		kill 0 # the whole group
	) >.cache/ui-dev.log 2>&1 </dev/null &
	set +m
	say "the dashboard's sources are served at http://localhost:3000, what it says is in .cache/ui-dev.log"
}
take_flags 'env-file master-data-dir files-dir' ${flags[@]+"${flags[@]}"}
variables_from_here MASTER_DATA_DIR FILES_DIR
cd "$root"
if [ "$help" = yes ]; then
	usage
	show_help bin/master master
fi
build_when_needed bin/master master
[ "$mongodb" = no ] || start_mongodb
[ "$dev" = no ] || start_dev
if [ -f master/.env ] && [ "$env_file" = no ]; then
	exec bin/master --env-file master/.env ${args[@]+"${args[@]}"}
fi
exec bin/master ${args[@]+"${args[@]}"}
