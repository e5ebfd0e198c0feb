package coordinator

import (
	"fmt"
	"slices"

	"cloudai/master/internal/cluster"
)

// machineFault says what is wrong between the machine's memory and the disk at
// a moment between two of its steps; "" when nothing is. Both models call it
// after every event.
func machineFault(m *machine, disk map[cluster.TaskID]cluster.Task) string {
	if len(m.order) != len(m.offers) {
		return fmt.Sprintf("%d workers make %d offers", len(m.order), len(m.offers))
	}
	for _, w := range m.workers {
		if w.removed() == slices.Contains(m.order, w) {
			return fmt.Sprintf("worker %s: removed %v, shown %v", w.worker.ID, w.removed(), !w.removed())
		}
	}
	for _, w := range m.order {
		if fault := capacityFault(m, w); fault != "" {
			return fault
		}
	}
	if fault := weightFault(m); fault != "" {
		return fault
	}
	for id, e := range m.tasks {
		switch {
		case e.pending == nil && e.task.State.Waiting() != m.queue.Has(string(id)):
			return fmt.Sprintf("task %s is %s, in queue: %v", id, e.task.State, m.queue.Has(string(id)))
		case e.task.Terminal():
			return fmt.Sprintf("P7: finished task %s is kept in memory", id)
		case e.task.Version > 0 && disk[id].Version != e.task.Version && e.pending == nil:
			return fmt.Sprintf("task %s: memory has version %d, disk %d", id, e.task.Version, disk[id].Version)
		}
	}
	for _, set := range []map[cluster.TaskID]*task{m.dirty, m.stuck, m.ending} {
		for id, e := range set {
			if m.tasks[id] != e {
				return fmt.Sprintf("P7: task %s is over and still remembered", id)
			}
		}
	}
	return ""
}

// capacityFault compares what is reserved on a worker with what is placed
// there.
func capacityFault(m *machine, w *worker) string {
	var sum cluster.Resources
	placed := 0
	for id, e := range m.tasks {
		t := e.task
		if e.pending != nil && e.pending.Task.ID != "" && t.State.Waiting() && e.pending.Task.State.Placed() {
			t = e.pending.Task
		}
		if !t.State.Placed() || t.WorkerID != w.worker.ID {
			continue
		}
		placed++
		sum = sum.Plus(t.Spec.Resources)
		if _, ok := w.attempts[id]; !ok && !w.worker.Lost {
			return fmt.Sprintf("P7: task %s is on worker %s without reservation", id, w.worker.ID)
		}
	}
	if !sum.Fits(w.worker.Total) {
		return fmt.Sprintf("P7: worker %s has %+v and holds %+v", w.worker.ID, w.worker.Total, sum)
	}
	if len(w.attempts) > placed && !w.worker.Lost {
		return fmt.Sprintf("P7: worker %s has capacity reserved for %d tasks, %d are there", w.worker.ID, len(w.attempts), placed)
	}
	return ""
}
