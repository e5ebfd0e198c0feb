package coordinator

import (
	"context"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// submit takes a new task; it exists for others once the write is committed.
// retryOf is the task that it repeats, or empty.
func (m *machine) submit(now time.Time, id cluster.TaskID, user cluster.UserID, spec cluster.Spec, retryOf cluster.TaskID) (*task, step) {
	t := cluster.NewTask(id, user, spec, now)
	t.RetryOf = retryOf
	e := m.addTask(cluster.Task{ID: id, UserID: user, Spec: spec})
	return e, step{writes: []*write{m.propose(e, t)}}
}

// admit is submit for a task that comes from outside: there must be room for
// it, and no twin of its request under way. The view is of the task as it will
// be stored.
func (m *machine) admit(now time.Time, a admission) (TaskView, step, error) {
	if err := m.entering.add(a); err != nil {
		return TaskView{}, step{}, err
	}
	e, st := m.submit(now, a.id, a.user, a.spec, a.retryOf)
	return m.viewBefore(e, st.writes[0].Task), st, nil
}

// Submit validates and stores a task. When it returns without error the task
// survives a power cut. cluster.ErrBusy when too many wait for the store, or
// as many are not over as fit into memory, cluster.ErrInFlight while a twin of the
// request is under way; cluster.ErrQuota when the user's output files leave no room
// for more.
func (c *Coordinator) Submit(ctx context.Context, p cluster.Principal, r cluster.TaskRequest, once Once) (Created, error) {
	if err := p.Require(cluster.ScopeSubmit); err != nil {
		return Created{}, err
	}
	spec, err := r.Spec()
	if err != nil {
		return Created{}, err
	}
	return c.admit(ctx, admission{user: p.UserID, spec: spec}, routeSubmit, once)
}

// Retry submits the spec of a task that is over anew, as a task of the
// caller's. cluster.ErrConflict while it is not over; else as Submit.
func (c *Coordinator) Retry(ctx context.Context, p cluster.Principal, id cluster.TaskID, once Once) (Created, error) {
	if err := p.Require(cluster.ScopeSubmit); err != nil {
		return Created{}, err
	}
	once.Print = printOf(string(id), once.Print)
	v, err := c.Task(ctx, p, id)
	if isNotFound(err) && once.Key != "" {
		// It may have been pruned since the first request with this key.
		if first, kerr := c.keptReply(ctx, db.KeyName{UserID: p.UserID, Route: routeRetry, Key: once.Key}, once.Print); kerr == nil {
			return first, nil
		}
	}
	if err != nil {
		return Created{}, err
	}
	if !v.Terminal() {
		return Created{}, fmt.Errorf("%w: task %s is %s; it can be retried once it is over", cluster.ErrConflict, id, v.Status())
	}
	return c.admit(ctx, admission{user: p.UserID, spec: v.Spec, retryOf: id, retried: v.UserID}, routeRetry, once)
}
