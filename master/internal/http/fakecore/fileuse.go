package fakecore

import (
	"fmt"

	"cloudai/master/internal/cluster"
)

// SetQuota gives every user the same quota of output files, in bytes.
func (c *Core) SetQuota(quota int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quota = quota
}

// FileUse adds up the files of a user's tasks.
func (c *Core) FileUse(p cluster.Principal, user cluster.UserID) (cluster.FileUse, error) {
	if user != p.UserID && !p.Admin() {
		return cluster.FileUse{}, fmt.Errorf("user %s: %w", user, cluster.ErrNotFound)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	use := cluster.FileUse{Quota: c.quota}
	for _, e := range c.tasks {
		if e.view.UserID == user && !e.view.Files.Deleted {
			use.Used += e.view.Files.TotalSize
		}
	}
	return use, c.fail
}
