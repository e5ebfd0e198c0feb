//go:build race

package coordinator

// fleetRuns is how many runs of the whole cluster a test makes; the race
// detector makes each some ten times as long.
const fleetRuns = 200
