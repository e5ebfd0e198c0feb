// Package retention decides what of finished tasks may go: by age, apart for
// tasks, logs and output files, and by the size of logs and files together. It
// decides and does nothing: no store, no disk, no clock.
package retention

import (
	"cmp"
	"time"

	"cloudai/master/internal/cluster"
)

// Kind is something that is kept of a task.
type Kind int

// The kinds. With a task goes all that is kept of it.
const (
	Tasks Kind = iota
	Logs
	Files
)

// Kinds lists them in the order in which they are looked at: what goes with a
// task need not go before it.
var Kinds = []Kind{Tasks, Logs, Files}

// Policy says how long what is kept. nil: for good. Ages count from the task's
// end.
type Policy struct {
	Tasks *time.Duration
	Logs  *time.Duration
	Files *time.Duration
	Bytes *int64 // of logs and files together
}

// Age is for how long a kind is kept; false: for good.
func (p Policy) Age(k Kind) (time.Duration, bool) {
	age := map[Kind]*time.Duration{Tasks: p.Tasks, Logs: p.Logs, Files: p.Files}[k]
	if age == nil {
		return 0, false
	}
	return *age, true
}

// KeepsAll reports whether nothing ever goes.
func (p Policy) KeepsAll() bool { return p == Policy{} }

// Shortest is the least of the ages; false when there is none.
func (p Policy) Shortest() (least time.Duration, ok bool) {
	for _, k := range Kinds {
		if age, limited := p.Age(k); limited && (!ok || age < least) {
			least, ok = age, true
		}
	}
	return least, ok
}

// Due reports whether a task has come to the age at which the kind goes, and
// has something of that kind.
func (p Policy) Due(k Kind, t cluster.Task, now time.Time) bool {
	age, limited := p.Age(k)
	return limited && has(k, t) && t.Terminal() && !t.FinishedAt.Add(age).After(now)
}

// has reports whether the task may have something of the kind.
func has(k Kind, t cluster.Task) bool {
	switch k {
	case Tasks:
		return true
	case Logs:
		return !t.LogsDeleted && len(t.Attempts) > 0
	case Files:
		return t.Files.Attempt > 0 && !t.Files.Deleted
	}
	return false
}

// HasLogs reports whether a task may have some.
func HasLogs(t cluster.Task) bool { return has(Logs, t) }

// HasFiles reports whether a task has some.
func HasFiles(t cluster.Task) bool { return has(Files, t) }

// Over reports whether a task never again comes to have something of the kind.
func Over(k Kind, t cluster.Task) bool { return t.Terminal() && !has(k, t) }

// Candidate is a finished task whose logs and files could make room.
type Candidate struct {
	ID         cluster.TaskID
	FinishedAt time.Time
	Logs       int64 // bytes
	Files      int64
}

func (c Candidate) bytes() int64 { return c.Logs + c.Files }

// before orders candidates by their ends, ids breaking ties.
func (c Candidate) before(o Candidate) bool {
	return cmp.Or(c.FinishedAt.Compare(o.FinishedAt), cmp.Compare(c.ID, o.ID)) < 0
}
