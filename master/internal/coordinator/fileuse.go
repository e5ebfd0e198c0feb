package coordinator

import (
	"fmt"

	"cloudai/master/internal/cluster"
)

// FileUse is what a user's output files take and may take. cluster.ErrNotFound
// for another's, but for administrators.
func (c *Coordinator) FileUse(p cluster.Principal, user cluster.UserID) (cluster.FileUse, error) {
	if user != p.UserID && !p.Admin() {
		return cluster.FileUse{}, fmt.Errorf("user %s: %w", user, cluster.ErrNotFound)
	}
	return c.files.Use(user), nil
}

// mayLeaveFiles refuses a new task whose user's quota of output files is used
// up: what it would leave could not be kept. cluster.ErrQuota.
func (c *Coordinator) mayLeaveFiles(user cluster.UserID) error {
	use := c.files.Use(user)
	if !use.Full() {
		return nil
	}
	return fmt.Errorf("%w: your output files take %s, so nothing was submitted: delete files of finished tasks that you need no more "+
		"(DELETE /api/files/{task_id}, or task-files <task> --delete at the prompt), or ask an administrator to prune",
		cluster.ErrQuota, use)
}
