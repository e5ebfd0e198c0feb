package fakecore

import (
	"context"
	"slices"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/retention"
)

// Prune forgets finished tasks that are due; without a policy nothing is. Logs
// and files alone stay.
func (c *Core) Prune(_ context.Context, p cluster.Principal, policy *retention.Policy, dry bool) (report coordinator.PruneReport, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return report, err
	}
	if policy == nil || c.fail != nil {
		return report, c.fail
	}
	now := c.clock
	c.order = slices.DeleteFunc(c.order, func(id cluster.TaskID) bool {
		e := c.tasks[id]
		if !policy.Due(retention.Tasks, e.view.Task, now) {
			return false
		}
		report.Tasks++
		if e.view.Files.Count > 0 && !e.view.Files.Deleted {
			report.Files.Tasks++
			report.Files.Bytes += e.view.Files.TotalSize
		}
		if !dry {
			delete(c.tasks, id)
			c.hub.Publish(coordinator.Event{Removed: &coordinator.RemovedTask{ID: id, UserID: e.view.UserID}})
		}
		return !dry
	})
	return report, nil
}
