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
