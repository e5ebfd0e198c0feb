package coordinator

import (
	"errors"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// propose makes a write of the task's next value and marks it as under way.
func (m *machine) propose(e *task, next cluster.Task) *write {
	next.Version = e.task.Version + 1
	w := &write{entry: e, Write: db.Write{Task: next, Expect: e.task.Version}}
	e.pending, e.settled = w, make(chan struct{})
	return w
}

// settle ends the pending write's claim on the task.
func (e *task) settle() {
	e.pending = nil
	close(e.settled)
	e.settled = nil
}

// committed takes the store's answer to a write.
func (m *machine) committed(now time.Time, w *write, err error) (st step) {
	e := w.entry
	switch {
	case err == nil:
		return m.apply(now, w)
	case errors.Is(err, db.ErrOutcomeUnknown):
		st.readback = []*write{w}
		return st
	case errors.Is(err, db.ErrVersion):
		st.fatal = fmt.Errorf("task %s was changed by someone else: %w", w.Task.ID, err)
	}
	// Definitely not written: the task is as it was.
	e.settle()
	switch {
	case e.task.Version == 0: // its insert
		m.entering.remove(w.Task.ID)
		m.dropTask(e)
		close(e.done)
		return st
	case e.task.State.Waiting():
		m.unreserve(e.task.ID, w.Task.WorkerID)
		m.enqueue(e)
	default:
		if e.loss == nil {
			e.loss = w.loss
		}
		m.stuck[e.task.ID] = e
	}
	m.arm(now.Add(storeRest)) // the store has trouble: go on then
	return st
}

// storeRest is how long decisions rest after the store refused one.
const storeRest = time.Second

// apply makes memory what the disk is now.
func (m *machine) apply(now time.Time, w *write) (st step) {
	e, was := w.entry, w.entry.task
	if was.Version == 0 {
		m.entering.remove(w.Task.ID)
	}
	e.task = w.Task
	e.settle()
	t := e.task
	st.events = []Event{{Task: &TaskChange{Task: t, Fresh: max(0, len(t.Events)-len(was.Events))}}}
	if was.State.Placed() && (!t.State.Placed() || t.Attempt != was.Attempt) {
		m.leave(now, e, was)
		m.remains(w.loss, was)
		if !hasResult(t, was.Ref()) {
			// A result of it may have been published and not written.
			st.retract = append(st.retract, ownedRef{owner: t.UserID, ref: was.Ref()})
		}
		st.discard = append(st.discard, was.Ref())
		st.wake = true
	}
	switch {
	case t.Terminal():
		m.queue.Remove(string(t.ID))
		m.dropTask(e)
		delete(m.dirty, t.ID)
		delete(m.stuck, t.ID)
		delete(m.ending, t.ID)
		close(e.done)
		return st
	case t.State.Waiting():
		m.enqueue(e)
		st.wake = true
	case was.State.Waiting(): // it was just placed
		if to := m.workers[t.WorkerID]; to != nil && !to.gone() && to.onDisk() {
			st.join(m.send(e, to))
		}
	case t.CancelRequested && !was.CancelRequested:
		st.join(m.orderCancel(now, e))
	}
	st.join(m.resume(now, e))
	return st
}

// leave clears what belonged to an attempt that is over.
func (m *machine) leave(now time.Time, e *task, was cluster.Task) {
	m.unreserve(was.ID, was.WorkerID)
	if w := m.workers[was.WorkerID]; w != nil && hasResult(e.task, was.Ref()) {
		w.recent[was.Ref()] = now
	}
	delete(m.dirty, was.ID)
	m.awaitEnd(e, time.Time{})
	e.placement = placement{}
}

// remains keeps the place of an attempt that was given up, until its worker has
// shown it or says that it does not have it. One that is not in a heartbeat may run
// all the same: the heartbeat was perhaps written before the assignment came.
func (m *machine) remains(l *loss, was cluster.Task) {
	w := m.workers[was.WorkerID]
	if l == nil || w == nil || w.removed() {
		return
	}
	if l.there || w.shown[was.Ref()] {
		w.doubtful[was.Ref()] = was.Spec.Resources
	}
}

func (m *machine) unreserve(id cluster.TaskID, from cluster.WorkerID) {
	if w := m.workers[from]; w != nil {
		delete(w.attempts, id)
		w.stale = true
	}
}

// resume carries on with what had to wait for a pending write.
func (m *machine) resume(now time.Time, e *task) (st step) {
	delete(m.stuck, e.task.ID)
	if e.pending != nil || !e.task.State.Placed() {
		return st
	}
	if w := m.workers[e.task.WorkerID]; w == nil || w.gone() {
		return m.lose(now, e, m.lostWorker(e))
	}
	if e.loss != nil {
		return m.lose(now, e, *e.loss)
	}
	if e.seen != nil {
		m.markDirty(now, e)
	}
	return st
}

// readBack takes what the store holds after a write of unknown outcome: the
// task, or absent.
func (m *machine) readBack(now time.Time, w *write, stored cluster.Task, absent bool) step {
	switch {
	case !absent && stored.Version == w.Task.Version && stored.State == w.Task.State && stored.Lease == w.Task.Lease:
		return m.committed(now, w, nil)
	case absent && w.Expect == 0, !absent && stored.Version == w.Expect:
		return m.committed(now, w, db.ErrUnavailable)
	}
	return m.committed(now, w, fmt.Errorf("%w: expected version %d or %d, found %d", db.ErrVersion, w.Expect, w.Task.Version, stored.Version))
}
