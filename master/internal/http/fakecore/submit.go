package fakecore

import (
	"context"
	"fmt"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

// kept is what a request with a key has made.
type kept struct {
	id    cluster.TaskID
	print string
	reply []byte
}

// Submit takes a task.
func (c *Core) Submit(_ context.Context, p cluster.Principal, r cluster.TaskRequest, once coordinator.Once) (coordinator.Created, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return coordinator.Created{}, c.fail
	}
	spec, err := r.Spec()
	if err != nil {
		return coordinator.Created{}, err
	}
	created, err := c.create(p, spec, "", "submit", once)
	if err == nil && created.Kept == nil {
		c.submits = append(c.submits, r)
	}
	return created, err
}

// Retry takes the spec of a finished task anew.
func (c *Core) Retry(_ context.Context, p cluster.Principal, id cluster.TaskID, once coordinator.Once) (coordinator.Created, error) {
	e, err := c.find(p, id)
	if err != nil {
		return coordinator.Created{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !e.view.Terminal() {
		return coordinator.Created{}, fmt.Errorf("%w: task %s is %s; it can be retried once it is over", cluster.ErrConflict, id, e.view.Status())
	}
	once.Print = string(id)
	return c.create(p, e.view.Spec, id, "retry", once)
}

// create takes a task, unless its request has a key that is known; mu must be
// held.
func (c *Core) create(p cluster.Principal, spec cluster.Spec, retryOf cluster.TaskID, route string, once coordinator.Once) (coordinator.Created, error) {
	name := string(p.UserID) + " " + route + " " + once.Key
	if first, known := c.keys[name]; known && once.Key != "" {
		if first.print != once.Print {
			return coordinator.Created{}, cluster.Invalid("Idempotency-Key", "names another request")
		}
		return coordinator.Created{TaskView: coordinator.TaskView{Task: cluster.Task{ID: first.id}}, Kept: first.reply}, nil
	}
	v := c.add(p, spec, retryOf)
	if once.Key == "" {
		return coordinator.Created{TaskView: v}, nil
	}
	reply, err := once.Reply(v)
	c.keys[name] = kept{v.ID, once.Print, reply}
	return coordinator.Created{TaskView: v}, err
}

// add takes a task; mu must be held.
func (c *Core) add(p cluster.Principal, spec cluster.Spec, retryOf cluster.TaskID) coordinator.TaskView {
	id := cluster.TaskID(fmt.Sprintf("task%04d", len(c.order)+1))
	t := cluster.NewTask(id, p.UserID, spec, c.now())
	t.Version, t.RetryOf = 1, retryOf
	e := &entry{done: make(chan struct{}), view: coordinator.TaskView{
		Task: t, Waiting: &coordinator.Waiting{Reason: "no worker is registered", QueuePosition: 1, Suggestion: "start a worker"},
	}}
	c.tasks[id] = e
	c.order = append(c.order, id)
	c.hub.Publish(coordinator.Event{Task: &coordinator.TaskChange{Task: t}})
	c.touch()
	return e.view
}
