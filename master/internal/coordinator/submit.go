package coordinator

import (
	"context"
	"time"

	"cloudai/master/internal/cluster"
)

// submit takes a new task; it exists for others once the write is committed.
func (m *machine) submit(now time.Time, id cluster.TaskID, user cluster.UserID, spec cluster.Spec) (*task, step) {
	t := cluster.NewTask(id, user, spec, now)
	e := m.addTask(cluster.Task{ID: id, UserID: user, Spec: spec})
	return e, step{writes: []*write{m.propose(e, t)}}
}

// Submit validates and stores a task. When it returns without error the task
// survives a power cut.
func (c *Coordinator) Submit(ctx context.Context, p cluster.Principal, r cluster.TaskRequest) (TaskView, error) {
	spec, err := r.Spec()
	if err != nil {
		return TaskView{}, err
	}
	id := cluster.TaskID(c.newID())
	c.mu.Lock()
	e, st := c.m.submit(c.now(), id, p.UserID, spec)
	c.mu.Unlock()
	if err := c.carryOut(ctx, st); err != nil {
		return TaskView{}, err
	}
	return c.viewOf(e), nil
}
