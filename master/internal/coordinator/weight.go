package coordinator

import (
	"fmt"

	"cloudai/master/internal/cluster"
)

// The bounds of what the specs of tasks that are not over take in memory, small
// input files among them: of one user, so that nobody fills it alone, and of all.
// Half a gibibyte is some 800,000 tasks of the usual size.
const (
	userWeight = 512 << 20
	allWeight  = 1 << 30
)

// weight is what the specs of all tasks in memory take, in bytes. A task weighs
// what it did when it came in, so that what it adds and takes away is the same.
type weight struct {
	users    map[cluster.UserID]int
	all      int
	userMost int // looked at before a request: what is under way may go over it
	most     int // as well
}

func newWeight() weight {
	return weight{users: map[cluster.UserID]int{}, userMost: userWeight, most: allWeight}
}

func (w *weight) add(user cluster.UserID, n int) {
	w.all += n
	if w.users[user] += n; w.users[user] == 0 {
		delete(w.users, user)
	}
}

// room is an error when a user, or all together, have as many tasks that are not
// over as fit into memory. cluster.ErrBusy: it passes as they end.
func (w *weight) room(user cluster.UserID) error {
	switch {
	case w.users[user] >= w.userMost:
		return fmt.Errorf("%w: what describes your tasks that are not over takes %s, which is all that one user may have; come again when some of them are over",
			cluster.ErrBusy, cluster.BytesInWords(int64(w.users[user])))
	case w.all >= w.most:
		return fmt.Errorf("%w: what describes all tasks that are not over takes %s, and the master keeps no more; come again when some of them are over",
			cluster.ErrBusy, cluster.BytesInWords(int64(w.all)))
	}
	return nil
}

// mayAdd refuses a new task of a user who has no room for it: for what it would
// leave (cluster.ErrQuota), or for itself (cluster.ErrBusy).
func (c *Coordinator) mayAdd(user cluster.UserID) error {
	if err := c.mayLeaveFiles(user); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.weight.room(user)
}
