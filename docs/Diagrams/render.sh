#!/usr/bin/env bash
# Renders every diagram beside its source. Needs plantuml and graphviz.
set -eu
cd "$(dirname "$0")"
command -v plantuml >/dev/null 2>&1 || {
	echo "render.sh: plantuml is missing: apt-get install plantuml graphviz" >&2
	exit 1
}
plantuml -failfast2 -tpng ./*.puml
