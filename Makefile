# The whole interface of the repository; `make help` explains it.
# GNU make 3.81 and bash 3.2 (macOS) are enough.

SHELL := bash
.DEFAULT_GOAL := help
# Targets take turns: tests that assert deadlines must not share the machine.
.NOTPARALLEL:

# How long each fuzz target runs: in `make fuzz`, and in `make test`, which takes
# one of TEST_FUZZ_SHARE at random.
FUZZTIME ?= 10s
FUZZ_SHARE ?= 1
TEST_FUZZTIME ?= 2s
TEST_FUZZ_SHARE ?= 12
# How long `make chaos` takes, and the seed of its choices (empty: a random one).
CHAOS_SECONDS ?= 120
CHAOS_SEED ?=
# What `make bench-ui` measures (empty: everything).
PARTS ?=
# Whose tests `make unit` and `make check` run: all, or differ, those whose tests do
# more without the race detector. `make test` runs the others once, under it.
UNIT ?= all
# Further flags for go test: make unit TESTFLAGS='-run TestRetry -v'
TESTFLAGS ?=

# SQLite is C made into Go, by far the dearest code to watch, and shares nothing
# with ours: watching it made the store's tests four times as long. These two
# packages and no others: of a generic function the linker takes the copy of any one
# package, and with an unwatched copy of sync.Map, which the driver has, the detector
# sees races where there are none.
RACEFLAGS := -gcflags='modernc.org/sqlite/lib=-race=false' -gcflags='modernc.org/libc=-race=false'

MODULES := proto master worker
VERSION = $(shell git describe --always --dirty 2>/dev/null || echo dev)
GOLANGCI := $(CURDIR)/.tools/lint/golangci-lint.sh

.PHONY: help
help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: ## Install and start what is missing: compilers, linters, a Docker engine
	@.tools/setup/setup.sh

.PHONY: generate
generate: ## Write the generated code: proto/pb, proto/py, docs/openapi.json
	@proto/generate.sh
	@[ ! -f docs/openapi.json ] || $(MAKE) --no-print-directory openapi

.PHONY: openapi
openapi: build
	@bin/master openapi >docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json

.PHONY: ui
ui: ## Build the dashboard into the master's sources (needs Node.js; without it a page says so)
	@.tools/ui.sh build

.PHONY: build
build: ui ## Build bin/master, with the dashboard, and bin/worker
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-X main.version=$(VERSION)' -o bin/ ./master ./worker

.PHONY: fmt
fmt: ## Format the Go code, and the dashboard's when its packages are installed
	@for m in $(MODULES); do (cd $$m && $(GOLANGCI) fmt) || exit 1; done
	@[ ! -d ui/node_modules ] || npm --prefix ui run --silent fmt

.PHONY: lint
lint: ## Check format, Go code, shell scripts and docs/openapi.json
	@for m in $(MODULES); do \
		(cd $$m && $(GOLANGCI) fmt --diff) || { echo "$$m is not formatted; run: make fmt" >&2; exit 1; }; \
	done
	@for m in $(MODULES); do echo "golangci-lint $$m"; (cd $$m && $(GOLANGCI) run ./...) || exit 1; done
	@.tools/shellcheck.sh
	@.tools/openapi/lint.sh

.PHONY: unit
unit: ## Run the tests that need neither an engine nor built binaries
	@packages=$$(.tools/packages.sh $(UNIT)) && go test -timeout 10m $(TESTFLAGS) $$packages

.PHONY: ui-check
ui-check: ## Check the dashboard: types, lint, format, unit tests
	@.tools/ui.sh check

.PHONY: journeys
journeys: build ## Walk through the dashboard in a real browser, against the real binaries
	@.tools/ui.sh journeys

.PHONY: screenshots
screenshots: build ## Take pictures of every page, in both themes and at phone width: .cache/screenshots
	@.tools/ui.sh screenshots

.PHONY: race
race: ## Run the same tests under the race detector
	@packages=$$(.tools/packages.sh) && CGO_ENABLED=1 go test -race $(RACEFLAGS) -timeout 15m $(TESTFLAGS) $$packages

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (10s)
	@FUZZTIME=$(FUZZTIME) FUZZ_SHARE=$(FUZZ_SHARE) .tools/fuzz.sh

.PHONY: e2e
e2e: build ## Run the tests that need a Docker engine: executor and both binaries
	@.tools/setup/image.sh >/dev/null
	@.tools/setup/busybox.sh >/dev/null
	@.tools/setup/registry.sh >/dev/null
	@go test -tags engine -count=1 -p 1 -parallel 3 -timeout 15m $(TESTFLAGS) ./worker/internal/executor/docker/... ./master/e2e/...

.PHONY: soak
soak: setup build ## Measure in full what `make test` measures in part: restarts, losses, memory
	@.tools/setup/image.sh >/dev/null
	@SOAK=1 go test -tags engine -count=1 -run Soak -v -timeout 60m $(TESTFLAGS) ./master/e2e/

.PHONY: chaos
chaos: build ## Kill, cut and fill a cluster at random for CHAOS_SECONDS (120), then prove that nothing is lost; CHAOS_SEED
	@.tools/chaos.sh -seconds $(CHAOS_SECONDS) -seed $(or $(CHAOS_SEED),0)

# The short form for `make test`: one seed that stays, and one that does not.
.PHONY: chaos-short
chaos-short: build
	@.tools/chaos.sh -seconds 30 -seed 20
	@.tools/chaos.sh -seconds 30

.PHONY: check
check: build lint ## Check everything that needs no engine: lint, generated code, import directions, unit tests
	@.tools/generated.sh
	@$(MAKE) --no-print-directory unit

.PHONY: test
test: ## Everything, as CI runs it: setup build check race e2e journeys, a little chaos and fuzz
	@MAKE='$(MAKE)' .tools/phases.sh setup build 'check UNIT=differ' ui-check race e2e journeys chaos-short 'fuzz FUZZTIME=$(TEST_FUZZTIME) FUZZ_SHARE=$(TEST_FUZZ_SHARE)'

.PHONY: demo
demo: ## Show a task going into a container and coming back whole
	@.tools/setup/setup.sh demo
	@$(MAKE) --no-print-directory build
	@.tools/demo/demo.sh

.PHONY: run
run: build ## Start the master
	@bin/master

.PHONY: bench
bench: ## Measure what CloudAI adds to the bare engine
	@.tools/setup/setup.sh demo
	@$(MAKE) --no-print-directory build
	@cd master && go run ./e2e/bench

# Parts by name, and how often the minute of events is run: PARTS='events 1'.
.PHONY: bench-ui
bench-ui: build ## Measure the dashboard in a browser, some 15 minutes; PARTS of: fill load lists scroll log events
	@.tools/ui.sh bench $(PARTS)

.PHONY: clean
clean: ## Remove what was built: bin, .cache and the dashboard
	rm -rf bin .cache ui/dist
	find master/internal/dashboard/dist -mindepth 1 ! -name .keep -delete
