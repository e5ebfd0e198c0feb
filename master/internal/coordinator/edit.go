package coordinator

import (
	"context"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
)

// edit changes a waiting task's spec. wait is not nil when a write is under
// way: ask again once it is closed.
func (m *machine) edit(now time.Time, e *task, change cluster.Edit, version int64, by cluster.UserID) (st step, wait <-chan struct{}, err error) {
	if e.pending != nil {
		return st, e.settled, nil
	}
	if err := atVersion(e.task, version); err != nil {
		return st, nil, err
	}
	next, changed, err := e.task.Edit(change, by, now)
	if err != nil {
		return st, nil, fmt.Errorf("%w: task %s is %s; only a waiting task can be changed", cluster.ErrConflict, e.task.ID, e.task.Status())
	}
	if changed {
		st.writes = []*write{m.propose(e, next)}
	}
	return st, nil, nil
}

// atVersion checks what the caller has last seen of the task; 0: anything, below
// it nothing that the task ever was.
func atVersion(t cluster.Task, version int64) error {
	switch {
	case version < 0:
		return fmt.Errorf("%w: task %s is at version %d, not at the one that is asked for", cluster.ErrPrecondition, t.ID, t.Version)
	case version != 0 && version != t.Version:
		return fmt.Errorf("%w: task %s is at version %d, not %d", cluster.ErrPrecondition, t.ID, t.Version, version)
	}
	return nil
}

// EditTask changes a task that waits; version is the one that the caller has
// seen, 0 for whatever it is, negative for one that it never had. cluster.ErrConflict when it waits no more,
// cluster.ErrPrecondition when it has another version.
func (c *Coordinator) EditTask(ctx context.Context, p cluster.Principal, id cluster.TaskID, r cluster.TaskChange, version int64) (TaskView, error) {
	if err := p.Require(cluster.ScopeSubmit); err != nil {
		return TaskView{}, err
	}
	if _, err := c.Task(ctx, p, id); err != nil {
		return TaskView{}, err
	}
	change, err := r.Edit()
	if err != nil {
		return TaskView{}, err
	}
	return c.change(ctx, p, id,
		func(now time.Time, e *task) (step, <-chan struct{}, error) {
			return c.m.edit(now, e, change, version, p.UserID)
		},
		func(t cluster.Task) error {
			if err := atVersion(t, version); err != nil {
				return err
			}
			return fmt.Errorf("%w: task %s is %s already", cluster.ErrConflict, id, t.Status())
		})
}

// change lets the machine decide about an active task, as often as it says
// that a write is under way, and carries the decision out. over judges a task
// that is not active any more.
func (c *Coordinator) change(ctx context.Context, p cluster.Principal, id cluster.TaskID,
	decide func(time.Time, *task) (step, <-chan struct{}, error), over func(cluster.Task) error,
) (TaskView, error) {
	for {
		c.mu.Lock()
		e := c.visible(p, id)
		c.mu.Unlock()
		if e == nil {
			t, err := c.stored(ctx, p, id)
			if err == nil {
				err = over(t)
			}
			return TaskView{}, err
		}
		var wait <-chan struct{}
		st, err := c.try(func(now time.Time) (st step, err error) {
			st, wait, err = decide(now, e)
			return st, err
		})
		switch {
		case err != nil:
			return TaskView{}, err
		case wait != nil:
			if err := c.await(ctx, wait); err != nil {
				return TaskView{}, err
			}
			continue
		}
		if len(st.writes) > 0 {
			st.writes[0].sign(ctx, id, st.writes[0].Task.UserID)
		}
		if err := c.carryOut(ctx, st); err != nil {
			return TaskView{}, err
		}
		return c.viewOf(e), nil
	}
}
