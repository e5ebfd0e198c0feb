package scheduler

import (
	"slices"
	"strings"

	"cloudai/master/internal/cluster"
)

// RoundRobin takes the first worker that fits, beginning after the one chosen
// last, so that equal tasks spread evenly over workers with room.
type RoundRobin struct{}

// Place implements Policy; O(candidates) at worst.
func (RoundRobin) Place(need Need, candidates []Candidate, last cluster.WorkerID) (int, bool) {
	start, found := slices.BinarySearchFunc(candidates, last, func(c Candidate, id cluster.WorkerID) int {
		return strings.Compare(string(c.ID), string(id))
	})
	if found {
		start++
	}
	for n := range candidates {
		at := start + n
		if at >= len(candidates) {
			at -= len(candidates)
		}
		if fits(need, &candidates[at]) {
			return at, true
		}
	}
	return 0, false
}
