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

		  --dev       work on the dashboard beside it (not built yet)
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
flags=()
for arg in "$@"; do
	case $arg in
	--mongodb) mongodb=yes ;;
	*) flags+=("$arg") ;;
	esac
	case $arg in
	--dev) misused "--dev is not built yet: there is no dashboard (ui/) to work on. Start the master without it." ;;
	esac
done
take_flags 'env-file master-data-dir files-dir' ${flags[@]+"${flags[@]}"}
variables_from_here MASTER_DATA_DIR FILES_DIR
cd "$root"
if [ "$help" = yes ]; then
	usage
	show_help bin/master master
fi
build_when_needed bin/master master
[ "$mongodb" = no ] || start_mongodb
if [ -f master/.env ] && [ "$env_file" = no ]; then
	exec bin/master --env-file master/.env ${args[@]+"${args[@]}"}
fi
exec bin/master ${args[@]+"${args[@]}"}
