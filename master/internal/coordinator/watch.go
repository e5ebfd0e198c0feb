package coordinator

import (
	"context"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/events"
)

// WatchTasks gives the newest tasks that the principal may see, at most limit,
// and a subscription that misses nothing that changes after that. It begins
// before the look at the store, so its first events may be older than what was
// seen there.
func (c *Coordinator) WatchTasks(ctx context.Context, p cluster.Principal, limit int) ([]TaskView, *events.Subscription[Event], error) {
	changes := c.hub.Subscribe(0)
	views, _, err := c.Tasks(ctx, p, cluster.TaskFilter{}, cluster.Page{Limit: limit})
	if err != nil {
		changes.Close()
		return nil, nil, err
	}
	return views, changes, nil
}

// WatchWorkers gives all workers as the principal may see them, and a
// subscription to all that changes afterwards. The caller closes it.
func (c *Coordinator) WatchWorkers(_ context.Context, p cluster.Principal) ([]WorkerView, *events.Subscription[Event]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.workerViews(p), c.hub.Subscribe(0)
}

// Newest gives changed tasks as they are now, but for those that the principal
// may not see.
func (c *Coordinator) Newest(p cluster.Principal, changed []cluster.Task) []TaskView {
	views := make([]TaskView, 0, len(changed))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range changed {
		if !p.MaySee(t.UserID) {
			continue
		}
		if e := c.m.tasks[t.ID]; e != nil && e.task.Version >= t.Version {
			views = append(views, c.m.view(e, false))
		} else {
			views = append(views, TaskView{Task: t})
		}
	}
	return views
}

// The bounds of what is kept for those who watch changes and are slow.
const (
	hubEvents = 4096
	hubBytes  = 64 << 20
)

// weight is about how many bytes an event keeps alive that would be free without
// it. The spec of a task that is not over counts with the task; that of one that is
// over counts with its last event, before which its earlier ones fall out.
func (e Event) weight() int {
	const fixed, each = 1024, 256 // of a task; of an entry in its lists
	if e.Task == nil {
		return each
	}
	t := &e.Task.Task
	n := fixed + len(t.Message)
	for i := range t.Events {
		n += each + len(t.Events[i].Message)
	}
	for i := range t.Attempts {
		n += each + len(t.Attempts[i].Message)
	}
	if t.Terminal() {
		n += t.Spec.Size()
	}
	return n
}
