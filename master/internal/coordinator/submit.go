package coordinator

import (
	"context"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
)

// submit takes a new task; it exists for others once the write is committed.
// retryOf is the task that it repeats, or empty.
func (m *machine) submit(now time.Time, id cluster.TaskID, user cluster.UserID, spec cluster.Spec, retryOf cluster.TaskID) (*task, step) {
	t := cluster.NewTask(id, user, spec, now)
	t.RetryOf = retryOf
	e := m.addTask(cluster.Task{ID: id, UserID: user, Spec: spec})
	return e, step{writes: []*write{m.propose(e, t)}}
}

// Submit validates and stores a task. When it returns without error the task
// survives a power cut.
func (c *Coordinator) Submit(ctx context.Context, p cluster.Principal, r cluster.TaskRequest) (TaskView, error) {
	if err := p.Require(cluster.ScopeSubmit); err != nil {
		return TaskView{}, err
	}
	spec, err := r.Spec()
	if err != nil {
		return TaskView{}, err
	}
	return c.admit(ctx, p, spec, "")
}

// Retry submits the spec of a task that is over anew, as a task of the
// caller's. cluster.ErrConflict while it is not over.
func (c *Coordinator) Retry(ctx context.Context, p cluster.Principal, id cluster.TaskID) (TaskView, error) {
	if err := p.Require(cluster.ScopeSubmit); err != nil {
		return TaskView{}, err
	}
	v, err := c.Task(ctx, p, id)
	if err != nil {
		return TaskView{}, err
	}
	if !v.Terminal() {
		return TaskView{}, fmt.Errorf("%w: task %s is %s; it can be retried once it is over", cluster.ErrConflict, id, v.Status())
	}
	return c.admit(ctx, p, v.Spec, id)
}

// admit stores a new task of the principal's.
func (c *Coordinator) admit(ctx context.Context, p cluster.Principal, spec cluster.Spec, retryOf cluster.TaskID) (TaskView, error) {
	id := cluster.TaskID(c.newID())
	c.mu.Lock()
	e, st := c.m.submit(c.now(), id, p.UserID, spec, retryOf)
	c.mu.Unlock()
	if err := c.carryOut(ctx, st); err != nil {
		return TaskView{}, err
	}
	return c.viewOf(e), nil
}
