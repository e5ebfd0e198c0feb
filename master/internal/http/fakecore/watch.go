package fakecore

import (
	"context"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/events"
)

// WatchTasks gives the newest tasks and what changes after that.
func (c *Core) WatchTasks(ctx context.Context, p cluster.Principal, limit int) ([]coordinator.TaskView, *events.Subscription[coordinator.Event], error) {
	changes := c.hub.Subscribe(0)
	views, _, err := c.Tasks(ctx, p, cluster.TaskFilter{}, cluster.Page{Limit: limit})
	if err != nil {
		changes.Close()
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flood && len(views) > 0 {
		c.flood = false
		for range 2 * hubSize {
			c.hub.Publish(coordinator.Event{Task: &coordinator.TaskChange{Task: views[0].Task}})
		}
	}
	return views, changes, nil
}

// Newest gives those of the tasks that the principal may see, as they are now.
func (c *Core) Newest(p cluster.Principal, changed []cluster.Task) (views []coordinator.TaskView) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range changed {
		if e := c.tasks[t.ID]; e != nil && p.MaySee(t.UserID) {
			views = append(views, e.view)
		}
	}
	return views
}
