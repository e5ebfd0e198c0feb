package coordinator

import (
	"fmt"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// The bounds of new tasks that wait for the store: what a slow disk lets pile
// up, in number and in memory. They wait about as long as the store takes for
// that many.
const (
	maxEntering      = 1024
	maxEnteringBytes = 64 << 20 // of specs
)

// entering is the new tasks whose first write is under way.
type entering struct {
	tasks map[cluster.TaskID]entrant
	bytes int
	keys  map[db.KeyName]string // their keys' prints
}

// entrant is one of them.
type entrant struct {
	size int
	key  *db.KeyName // nil: the request had none
}

// admission is a new task that wants in.
type admission struct {
	id      cluster.TaskID
	user    cluster.UserID
	spec    cluster.Spec
	retryOf cluster.TaskID // the task that it repeats, or empty
	retried cluster.UserID // whose that is
	key     *db.KeyName    // of the request, if it has one
	print   string
}

func newEntering() entering {
	return entering{tasks: map[cluster.TaskID]entrant{}, keys: map[db.KeyName]string{}}
}

// add takes note of an admission, unless its request is under way already or
// there is no room.
func (n *entering) add(a admission) error {
	size := a.spec.Size()
	full := len(n.tasks) >= maxEntering || n.bytes+size > maxEnteringBytes && n.bytes > 0
	if a.key != nil {
		if err := n.free(*a.key, a.print); err != nil {
			return err
		}
	}
	if full {
		return fmt.Errorf("%w: %d new tasks wait for the store already; try again in a moment", cluster.ErrBusy, len(n.tasks))
	}
	n.take(a)
	return nil
}

// take takes note of an admission, whether there is room or not.
func (n *entering) take(a admission) {
	size := a.spec.Size()
	n.tasks[a.id], n.bytes = entrant{size, a.key}, n.bytes+size
	if a.key != nil {
		n.keys[*a.key] = a.print
	}
}

// free is an error when a request with the key is under way.
func (n *entering) free(name db.KeyName, print string) error {
	switch under, twin := n.keys[name]; {
	case !twin:
		return nil
	case under != print:
		return errOtherRequest
	}
	return fmt.Errorf("%w: the first request with this key has not been answered yet", cluster.ErrInFlight)
}

// reserve keeps a key for a request that is more than one task.
func (n *entering) reserve(name db.KeyName, print string) error {
	if err := n.free(name, print); err != nil {
		return err
	}
	n.keys[name] = print
	return nil
}

// remove forgets a task whose first write is settled.
func (n *entering) remove(id cluster.TaskID) {
	e := n.tasks[id]
	delete(n.tasks, id)
	n.bytes -= e.size
	if e.key != nil {
		delete(n.keys, *e.key)
	}
}
