package coordinator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/scheduler"
)

// MaxPlacements is how many tasks one look shows and one call may propose to
// place: of a longer queue the beginning, so that a look at it stays short.
const MaxPlacements = 10_000

// ClusterState is one moment, by which a scheduling agent decides.
type ClusterState struct {
	Revision uint64         // grows with every change, and begins anew with the master
	Workers  []WorkerView   // by id
	Waiting  []cluster.Task // in the queue's order; the first that may be placed now
}

// Placement is what an agent proposes: this attempt on that worker.
type Placement struct {
	TaskID   cluster.TaskID
	Attempt  int
	WorkerID cluster.WorkerID
}

// ClusterState gives a scheduling agent what it decides by.
func (c *Coordinator) ClusterState(_ context.Context, p cluster.Principal) (ClusterState, error) {
	if err := p.Require(cluster.ScopeAgent); err != nil {
		return ClusterState{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	state := ClusterState{Revision: c.hub.Last(), Workers: c.m.workerViews(p)}
	for id := range c.m.queue.Ready() {
		if len(state.Waiting) == MaxPlacements {
			break
		}
		if e := c.m.tasks[cluster.TaskID(id)]; e != nil && c.m.mayPlace(e) == nil {
			state.Waiting = append(state.Waiting, e.task)
		}
	}
	return state, nil
}

// Place carries out what an agent proposes, in the order in which it stands, as
// far as it is right at this moment: everything is checked anew. The errors say
// what was not placed, and why; nil is on disk.
func (c *Coordinator) Place(ctx context.Context, p cluster.Principal, all []Placement) ([]error, error) {
	if err := p.Require(cluster.ScopeAgent); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // what has begun is brought to its end
	errs := make([]error, 0, len(all))
	for some := range slices.Chunk(all, dispatchBatch) {
		errs = append(errs, c.placeSome(ctx, some)...)
	}
	return errs, nil
}

// placeSome is Place for what shares a commit.
func (c *Coordinator) placeSome(ctx context.Context, some []Placement) []error {
	errs := make([]error, len(some))
	st := c.decide(func(now time.Time) (st step) {
		for i, a := range some {
			w, err := c.m.place(now, a)
			if errs[i] = err; err == nil {
				st.writes = append(st.writes, w)
			}
		}
		return st
	})
	failed := c.carryOut(ctx, st)
	if failed == nil {
		return errs
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, a := range some {
		if e := c.m.tasks[a.TaskID]; errs[i] == nil && e != nil && e.task.Attempt == a.Attempt && !e.task.State.Placed() {
			errs[i] = failed
		}
	}
	return errs
}

// place puts one attempt where an agent wants it.
func (m *machine) place(now time.Time, a Placement) (*write, error) {
	e, w := m.tasks[a.TaskID], m.known(a.WorkerID)
	switch {
	case e == nil:
		return nil, fmt.Errorf("%w: no task %s waits", cluster.ErrNotFound, a.TaskID)
	case w == nil:
		return nil, noWorker(a.WorkerID)
	}
	if err := m.mayPlace(e); err != nil {
		return nil, err
	}
	if e.task.Attempt != a.Attempt {
		return nil, fmt.Errorf("%w: task %s is at attempt %d", cluster.ErrConflict, a.TaskID, e.task.Attempt)
	}
	candidates := m.candidates()
	at, found := slices.BinarySearchFunc(candidates, a.WorkerID, func(c scheduler.Candidate, id cluster.WorkerID) int {
		return cmp.Compare(c.ID, id)
	})
	if !found {
		return nil, noWorker(a.WorkerID)
	}
	if lack, _ := scheduler.Refusal(e.need, candidates[at]); lack != "" {
		return nil, fmt.Errorf("%w: worker %s does not take it: %s", cluster.ErrConflict, a.WorkerID, lack)
	}
	write, err := m.assign(now, e, w)
	if err == nil {
		m.queue.Remove(string(a.TaskID))
	}
	return write, err
}

// mayPlace is an ErrConflict for what does not wait for a place now.
func (m *machine) mayPlace(e *task) error {
	id := string(e.task.ID)
	switch {
	case e.pending != nil:
		return fmt.Errorf("%w: a change of task %s is being stored", cluster.ErrConflict, id)
	case !e.task.State.Waiting():
		return fmt.Errorf("%w: task %s is %s", cluster.ErrConflict, id, e.task.Status())
	case m.queue.Held(id) || !m.queue.Has(id):
		return fmt.Errorf("%w: task %s waits for its next try", cluster.ErrConflict, id)
	}
	return nil
}
