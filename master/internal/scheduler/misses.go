package scheduler

import (
	"slices"
)

// maxMisses bounds what Misses remembers, and so what asking it costs.
const maxMisses = 64

// Misses remembers the needs that no candidate could take. Within a round room
// only shrinks, so whatever asks for at least as much need not be tried: a
// round in a full cluster costs by the different smallest needs, not by all.
// The zero value is empty.
type Misses struct {
	needs []Need // none of them covers another
}

// Cover reports whether a need must fail since one like it has failed.
func (m *Misses) Cover(n Need) bool {
	return slices.ContainsFunc(m.needs, func(missed Need) bool { return covers(missed, n) })
}

// Add notes a need that nobody could take.
func (m *Misses) Add(n Need) {
	m.needs = slices.DeleteFunc(m.needs, func(o Need) bool { return covers(n, o) })
	if len(m.needs) < maxMisses {
		m.needs = append(m.needs, n)
	}
}

// covers reports whether n fails wherever missed does.
func covers(missed, n Need) bool {
	a, b := missed.Resources, n.Resources
	if a.CPU > b.CPU || a.Memory > b.Memory || a.Storage > b.Storage || a.GPU > b.GPU {
		return false
	}
	if missed.Target != "" && missed.Target != n.Target {
		return false
	}
	for k, want := range missed.Constraints {
		if have, ok := n.Constraints[k]; !ok || have != want {
			return false
		}
	}
	return true
}
