// Package history keeps what the whole cluster had, gave away, held waiting and
// finished over the last hour, within a fixed bound, so that a page that opens
// has something to show at once. It decides nothing and asks no store: another
// master's hour is not known to it.
package history

import (
	"context"
	"sync"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/telemetry"
)

// Step is how often the cluster is looked at; Span is how far back is known.
const (
	Step = 5 * time.Second
	Span = time.Hour
)

// State is what is looked at.
type State struct {
	Total     cluster.Resources // of workers that are not lost
	Allocated cluster.Resources
	Queue     int       // tasks that wait for a worker
	Oldest    time.Time // since when the longest waiting one waits; zero: none
}

// Ended counts tasks by how they ended.
type Ended struct{ Succeeded, Failed, Cancelled int }

// Plus adds counts.
func (e Ended) Plus(o Ended) Ended {
	return Ended{e.Succeeded + o.Succeeded, e.Failed + o.Failed, e.Cancelled + o.Cancelled}
}

// Sample is one look.
type Sample struct {
	Time      time.Time
	Total     cluster.Resources
	Allocated cluster.Resources
	Queue     int
	Waited    time.Duration // by the longest waiting task
	Ended     Ended         // since the look before
}

// History looks and remembers. Its methods are safe for concurrent use.
type History struct {
	state func() State

	mu      sync.Mutex
	ended   Ended // since the last look
	samples *telemetry.Recent[Sample]
}

// New makes a history of what state tells.
func New(state func() State) *History {
	return &History{state: state, samples: telemetry.NewRecent[Sample](int(Span / Step))}
}

// Run looks until the context ends, the first time at once.
func (h *History) Run(ctx context.Context) error {
	tick := time.NewTicker(Step)
	defer tick.Stop()
	for {
		h.look(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (h *History) look(now time.Time) {
	s := h.state()
	sample := Sample{Time: now, Total: s.Total, Allocated: s.Allocated, Queue: s.Queue}
	if !s.Oldest.IsZero() {
		sample.Waited = max(0, now.Sub(s.Oldest))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	sample.Ended, h.ended = h.ended, Ended{}
	h.samples.Add(sample)
}

// Task takes a task's committed change; fresh is how many of its last events
// are new.
func (h *History) Task(t *cluster.Task, fresh int) {
	if fresh == 0 || !t.Terminal() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch t.Status() {
	case cluster.StatusSucceeded:
		h.ended.Succeeded++
	case cluster.StatusFailed:
		h.ended.Failed++
	case cluster.StatusCancelled:
		h.ended.Cancelled++
	case cluster.StatusQueued, cluster.StatusAssigned, cluster.StatusRunning:
	}
}

// Samples are the looks so far, oldest first.
func (h *History) Samples() []Sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.samples.Values()
}
