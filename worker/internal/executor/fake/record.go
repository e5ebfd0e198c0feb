package fake

import (
	"maps"
	"time"

	"cloudai/worker/internal/executor"
)

// record is a living container as the journal tells it.
type record struct {
	id      string
	nonce   string
	labels  map[string]string
	spec    executor.Spec // what the labels say
	plan    plan
	started time.Time
	refused time.Time
	stops   []stop
}

// stop is somebody's wish that the container ends.
type stop struct {
	at    time.Time
	grace time.Duration // 0: KILL at once
}

// apply does to the living containers what an entry says. What does not fit
// (a name that is taken, a container that is gone) is without effect.
func apply(alive map[string]record, e entry) {
	r, ok := alive[e.ID]
	if e.Kind == kindCreate {
		spec, err := executor.SpecFromLabels(e.Labels)
		if !ok && err == nil && e.Plan != nil {
			alive[e.ID] = record{id: e.ID, nonce: e.Nonce, labels: e.Labels, spec: spec, plan: *e.Plan}
		}
		return
	}
	if !ok {
		return
	}
	switch e.Kind {
	case kindStart:
		if r.started.IsZero() {
			r.started = e.Time
		}
	case kindRefuse:
		r.refused = e.Time
	case kindStop:
		// A slice of its own: readers have copies of the record.
		r.stops = append(r.stops[:len(r.stops):len(r.stops)], stop{at: e.Time, grace: e.Grace})
	case kindRemove:
		delete(alive, e.ID)
		return
	}
	alive[e.ID] = r
}

// entries are what apply makes the record of.
func (r record) entries() []entry {
	list := []entry{{ID: r.id, Kind: kindCreate, Nonce: r.nonce, Labels: maps.Clone(r.labels), Plan: &r.plan}}
	if !r.refused.IsZero() {
		list = append(list, entry{ID: r.id, Kind: kindRefuse, Time: r.refused})
	}
	if !r.started.IsZero() {
		list = append(list, entry{ID: r.id, Kind: kindStart, Time: r.started})
	}
	for _, s := range r.stops {
		list = append(list, entry{ID: r.id, Kind: kindStop, Time: s.at, Grace: s.grace})
	}
	return list
}

// ending is how and when a started container ends if nothing else happens.
type ending struct {
	at   time.Time
	code int
	oom  bool
}

// end derives the earliest end from the plan and all stops so far.
func (r record) end() ending {
	first := ending{at: r.started.Add(r.plan.Sleep), code: r.plan.Exit}
	if r.plan.Fail == failOOM {
		first.code, first.oom = 137, true
	}
	for _, s := range r.stops {
		e := ending{at: s.at, code: 143}
		if s.grace <= 0 {
			e.code = 137
		} else if r.plan.IgnoreTerm {
			e = ending{at: s.at.Add(s.grace), code: 137}
		}
		if e.at.Before(first.at) {
			first = e
		}
	}
	return first
}

// container is the state at the time now.
func (r record) container(now time.Time) executor.Container {
	c := executor.Container{ID: r.id, Spec: r.spec, Phase: executor.PhaseCreated}
	if !r.refused.IsZero() {
		c.Error = refusal
	}
	if r.started.IsZero() {
		return c
	}
	c.Phase, c.StartedAt = executor.PhaseRunning, r.started
	if end := r.end(); !now.Before(end.at) {
		c.Phase, c.FinishedAt, c.ExitCode, c.OOMKilled = executor.PhaseExited, end.at, end.code, end.oom
	}
	return c
}
