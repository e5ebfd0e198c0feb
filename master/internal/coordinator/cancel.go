package coordinator

import (
	"context"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
)

// cancel decides what a person's wish to stop a task does. wait is not nil
// when a write is under way: ask again once it is closed.
func (m *machine) cancel(now time.Time, e *task, by cluster.UserID) (st step, wait <-chan struct{}, err error) {
	if e.pending != nil {
		return st, e.settled, nil
	}
	next, changed, err := e.task.RequestCancel(by, now)
	if err != nil {
		return st, nil, fmt.Errorf("%w: %w", cluster.ErrConflict, err)
	}
	if !changed {
		return m.orderCancel(now, e), nil, nil
	}
	if next.Terminal() {
		m.queue.Remove(string(next.ID))
	}
	st.writes = []*write{m.propose(e, next)}
	return st, nil, nil
}

// orderCancel tells the worker, and remembers by when it must have confirmed.
func (m *machine) orderCancel(now time.Time, e *task) (st step) {
	if e.cancelBy.IsZero() {
		m.awaitEnd(e, now.Add(e.task.Spec.GracePeriod+m.HeartbeatTimeout))
	}
	// While the assignment is on its way the answer to it comes first.
	if w := m.workers[e.task.WorkerID]; w != nil && !e.sent {
		st.cancels = []order{{to: w.target(), ref: e.task.Ref()}}
	}
	return st
}

// awaitEnd sets by when a cancel must be confirmed; zero: none is awaited.
func (m *machine) awaitEnd(e *task, by time.Time) {
	e.cancelBy = by
	if by.IsZero() {
		delete(m.ending, e.task.ID)
		return
	}
	m.ending[e.task.ID] = e
	m.arm(by)
}

// moved gives a cancelled attempt that is on its way out, its output for
// instance, a full timeout from now on.
func (m *machine) moved(now time.Time, e *task) {
	if !e.cancelBy.IsZero() {
		m.awaitEnd(e, later(e.cancelBy, now.Add(m.HeartbeatTimeout)))
	}
}

// cancelAnswered takes a worker's answer to a cancel.
func (m *machine) cancelAnswered(now time.Time, o order, err error) step {
	if err == nil {
		return m.called(now, o.to, nil)
	}
	// An attempt that the worker does not have is named in the next heartbeat's
	// expect, and its answer ends it; cancelBy bounds the rest.
	return step{}
}

// Cancel stops a task. A waiting one is cancelled at once, a placed one when
// its worker confirms. cluster.ErrConflict when it is over already.
func (c *Coordinator) Cancel(ctx context.Context, p cluster.Principal, id cluster.TaskID) (TaskView, error) {
	if err := p.Require(cluster.ScopeSubmit); err != nil {
		return TaskView{}, err
	}
	return c.change(ctx, p, id,
		func(now time.Time, e *task) (step, <-chan struct{}, error) { return c.m.cancel(now, e, p.UserID) },
		func(t cluster.Task) error {
			return fmt.Errorf("%w: task %s is %s already", cluster.ErrConflict, id, t.Status())
		})
}
