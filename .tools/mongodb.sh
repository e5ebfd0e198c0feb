# shellcheck shell=bash
# What `runMaster.sh --mongodb` does before the master starts. To be sourced
# after start.sh, in the repository. Bash 3.2 is enough.

# compose ARG...: Docker's own, or the stand-alone one.
compose() {
	if docker compose version >/dev/null 2>&1; then
		docker compose -f database/docker-compose.yml "$@"
	elif have docker-compose; then
		docker-compose -f database/docker-compose.yml "$@"
	else
		die "--mongodb needs docker compose: install Docker's compose plugin (Debian: docker-compose), or start a MongoDB yourself and set MONGODB_URI (database/README.md)"
	fi
}

# mongodb_setting NAME: a value of database/.env, which compose reads too.
mongodb_setting() { sed -n "s/^$1=//p" database/.env 2>/dev/null | tail -n 1; }

# start_mongodb: starts the database, waits until it answers, and exports where
# it is. The password is made once and kept where only its owner reads it.
start_mongodb() {
	[ -z "${MONGODB_URI:-}" ] || misused "--mongodb starts a database of its own, and MONGODB_URI names another: unset one of them"
	have docker || die "--mongodb needs Docker: https://docs.docker.com/engine/install, or start a MongoDB yourself and set MONGODB_URI (database/README.md)"
	local user password
	if [ -z "$(mongodb_setting MONGODB_PASSWORD)" ]; then
		(
			umask 077
			printf 'MONGODB_PASSWORD=%s\n' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" >>database/.env
		)
		say "made a password for the database: database/.env"
	fi
	user=$(mongodb_setting MONGODB_USER)
	password=$(mongodb_setting MONGODB_PASSWORD)
	say "starting the database of database/docker-compose.yml"
	compose up -d >&2 || die "the database has not started; what it says: docker compose -f database/docker-compose.yml logs"
	await_mongodb
	export MONGODB_URI="mongodb://${user:-cloudai}:$password@127.0.0.1:27017/?authSource=admin"
}

# await_mongodb: until its health check is content.
await_mongodb() {
	local id state="" seconds=0
	while [ "$seconds" -lt 120 ]; do
		id=$(compose ps -q mongodb)
		state=$(docker inspect -f '{{.State.Health.Status}}' "$id" 2>/dev/null) || state=gone
		[ "$state" != healthy ] || return 0
		sleep 1
		seconds=$((seconds + 1))
	done
	die "the database is $state after two minutes; what it says: docker compose -f database/docker-compose.yml logs"
}
