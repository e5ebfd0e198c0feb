//go:build !race

package coordinator

// fleetRuns is how many runs of the whole cluster a test makes.
const fleetRuns = 10_000
