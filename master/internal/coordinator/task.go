package coordinator

import (
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/scheduler"
	"cloudai/master/internal/telemetry"
)

// task is a task that is not terminal, with what only memory knows about it.
type task struct {
	task    cluster.Task // as committed; Version 0: the insert is under way
	need    scheduler.Need
	shape   string
	weight  int           // what its spec took when it came in, in bytes
	pending *write        // the write under way; the next decision waits for it
	settled chan struct{} // closed when pending is over; nil without
	done    chan struct{} // closed when the task leaves memory

	refusals int    // in a row, of this task
	swept    uint64 // number of the last sweep that has met it in the store

	placement
}

// placement is what memory knows of a task's placed attempt. It is empty while
// the task waits.
type placement struct {
	sent      bool      // AssignTask is on its way
	tries     int       // AssignTask was sent so often
	accepted  bool      // the worker has said that it has the attempt
	began     bool      // the worker has shown a container of it
	following bool      // its log is being copied
	cancelBy  time.Time // a cancel must be confirmed by then; zero: none
	conflicts int       // its files were not as it said, so often
	loss      *loss     // what to do once the pending write is over

	seen     *cluster.Observation // progress that is not written yet
	progress *Progress
	metering
}

// metering is what the attempt's container uses.
type metering struct {
	cpu, mem *float64                                // at present: cores, MiB
	used     float64                                 // CPU seconds at the last measurement
	usage    *telemetry.Thinned[cluster.UsageSample] // over its time; nil: nothing was measured
}

// live reports whether the attempt is the task's live one.
func (e *task) live(ref cluster.AttemptRef) bool {
	return e.task.State.Placed() && e.task.Ref() == ref
}
