package coordinator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cloudai/master/internal/cluster"
)

// caller finds the worker behind a call and checks that it is the registered
// one. cluster.ErrBarred when an administrator has removed it.
func (m *machine) caller(c Caller) (*worker, error) {
	w := m.workers[c.WorkerID]
	switch {
	case w == nil || c.Session == "" || w.worker.Session != c.Session:
		return nil, fmt.Errorf("%w: worker %s", cluster.ErrUnknownSession, c.WorkerID)
	case w.worker.Fingerprint != c.Fingerprint:
		return nil, fmt.Errorf("%w: worker %s calls with another certificate", cluster.ErrDenied, c.WorkerID)
	case w.removed():
		return nil, fmt.Errorf("%w: worker %s was removed", cluster.ErrBarred, c.WorkerID)
	}
	return w, nil
}

// heartbeat notes a sign of life and compares the worker's attempts with ours.
func (m *machine) heartbeat(now time.Time, h Heartbeat) (reply HeartbeatReply, st step, err error) {
	w, err := m.caller(h.Caller)
	switch {
	case errors.Is(err, cluster.ErrBarred) && len(h.Running) > 0:
		reply.Stop = refsOf(h.Running)
		return reply, st, nil
	case errors.Is(err, cluster.ErrBarred): // it has cleared up: let it register, and hear why not
		return reply, st, fmt.Errorf("%w: worker %s was removed", cluster.ErrUnknownSession, h.WorkerID)
	case err != nil:
		return reply, st, err
	}
	if h.Number <= w.number {
		return reply, st, nil // overtaken by a newer one
	}
	w.number, w.heard = h.Number, now
	h.Use.Time = now
	w.use = &h.Use
	w.history.Add(h.Use)
	st.events = []Event{workerEvent(w)}
	st.join(m.revive(now, w, h))
	for _, r := range h.Running { // some of them are absent by now
		if e := m.tasks[r.Ref.TaskID]; e != nil && e.live(r.Ref) && e.task.WorkerID == w.worker.ID {
			e.began = e.began || r.HasContainer
		}
	}
	st.join(m.disowned(now, w, h.Absent))
	w.shown = map[cluster.AttemptRef]bool{}
	clear(w.foreign)
	for _, r := range h.Running {
		w.shown[r.Ref] = true
		if !m.reported(now, w, r, &reply, &st) {
			w.foreign[r.Ref] = r.Allocated
		}
	}
	for _, id := range sortedKeys(w.attempts) {
		e := m.tasks[id]
		if e == nil || e.pending != nil || e.sent || !e.task.State.Placed() || w.shown[e.task.Ref()] {
			continue
		}
		switch {
		case m.mayResend(e) && !w.onDisk():
			continue // it is sent once that is so
		case m.mayResend(e) && w.reachable:
			st.join(m.send(e, w))
			continue
		}
		reply.Expect = append(reply.Expect, e.task.Ref())
	}
	for _, ref := range h.Absent {
		delete(w.doubtful, ref)
	}
	for ref := range w.shown {
		delete(w.doubtful, ref)
	}
	reply.Expect = append(reply.Expect, slices.SortedFunc(maps.Keys(w.doubtful), byLease)...)
	for ref, at := range w.recent {
		if now.Sub(at) > clearing*m.HeartbeatInterval {
			delete(w.recent, ref)
		}
	}
	w.stale = true
	return reply, st, nil
}

// reported looks at one attempt that a worker says it has; false when it is
// none of ours.
func (m *machine) reported(now time.Time, w *worker, r cluster.RunningAttempt, reply *HeartbeatReply, st *step) bool {
	e := m.tasks[r.Ref.TaskID]
	if e == nil || !e.live(r.Ref) || e.task.WorkerID != w.worker.ID {
		if at, lately := w.recent[r.Ref]; lately && now.Sub(at) <= clearing*m.HeartbeatInterval && r.State.Rank() > cluster.StateRunning.Rank() {
			return true // its result is here, the worker is clearing up
		}
		reply.Stop = append(reply.Stop, r.Ref)
		return false
	}
	e.accepted, e.began = true, e.began || r.HasContainer
	if e.task.CancelRequested {
		reply.Cancel = append(reply.Cancel, r.Ref)
	}
	if r.State.Rank() >= cluster.StateRunning.Rank() {
		st.join(m.follow(e, w))
	}
	return true
}

// byLease is some order of attempts that is the same in every run.
func byLease(a, b cluster.AttemptRef) int { return strings.Compare(a.Lease, b.Lease) }

// clearing is how many heartbeats a worker has to remove an attempt whose
// result is here; until then it is not told to, and its place counts as free:
// the container has ended.
const clearing = 2

// follow begins to copy an attempt's log, once.
func (m *machine) follow(e *task, w *worker) (st step) {
	if !e.following {
		e.following = true
		st.follows = []order{{to: w.target(), ref: e.task.Ref()}}
	}
	return st
}

// maxRestartGrace bounds how long a worker may announce to be away.
const maxRestartGrace = 24 * time.Hour

// revive sets the deadline anew and takes what the worker says of itself.
func (m *machine) revive(now time.Time, w *worker, h Heartbeat) (st step) {
	was := w.worker
	w.deadline = now.Add(m.HeartbeatTimeout)
	w.worker.Lost, w.worker.LeftUntil = false, time.Time{}
	if h.Leaving {
		w.worker.LeftUntil = now.Add(min(max(h.RestartGrace, m.HeartbeatTimeout), maxRestartGrace))
		w.deadline = w.worker.LeftUntil
	}
	m.arm(w.deadline)
	st.wake = st.wake || h.Healthy && !w.healthy
	w.healthy, w.illness = h.Healthy, h.Message
	if was.Lost != w.worker.Lost || !was.LeftUntil.Equal(w.worker.LeftUntil) {
		w.unsaved = true
		st.workers = append(st.workers, w.worker.ID)
		st.wake = true
	}
	if !w.reachable && !w.probing && w.probeAt.IsZero() && !h.Leaving {
		w.probing = true
		st.hellos = append(st.hellos, w.target())
	}
	return st
}

// disowned ends attempts that the worker says it does not have and will refuse
// from now on.
func (m *machine) disowned(now time.Time, w *worker, absent []cluster.AttemptRef) (st step) {
	for _, ref := range absent {
		if e := m.tasks[ref.TaskID]; e != nil && e.live(ref) && e.task.WorkerID == w.worker.ID {
			st.join(m.lose(now, e, vanished(e)))
		}
	}
	return st
}

// disownedStored reports whether the end of every attempt that a worker has
// disowned is on the disk. Before, it must say so again: it forgets what it knew
// of an attempt once it has been answered.
func (m *machine) disownedStored(by cluster.WorkerID, absent []cluster.AttemptRef) error {
	for _, ref := range absent {
		if e := m.tasks[ref.TaskID]; e != nil && e.live(ref) && e.task.WorkerID == by {
			return fmt.Errorf("%w: the end of task %s attempt %d is not recorded yet", cluster.ErrUnavailable, ref.TaskID, ref.Attempt)
		}
	}
	return nil
}

// vanished is the loss of an attempt that a live worker does not have: when a
// container of it was known it is gone, else nothing had begun.
func vanished(e *task) loss {
	if e.began || max(e.task.State.Rank(), e.rankSeen()) >= cluster.StateContainerCreated.Rank() {
		return loss{failure: cluster.FailureRuntime, cause: "container_gone", message: "its container is gone from the worker"}
	}
	return loss{cause: "never_started", message: "the worker had not begun with it", free: true}
}

func workerEvent(w *worker) Event {
	id := w.worker.ID
	return Event{Worker: &id}
}

// Heartbeat takes a worker's sign of life. cluster.ErrUnknownSession: register
// again.
func (c *Coordinator) Heartbeat(ctx context.Context, h Heartbeat) (HeartbeatReply, error) {
	var reply HeartbeatReply
	st, err := c.try(func(now time.Time) (st step, err error) {
		reply, st, err = c.m.heartbeat(now, h)
		return st, err
	})
	if err != nil {
		return reply, err
	}
	if err := c.carryOut(ctx, st); err != nil {
		return reply, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return reply, c.m.disownedStored(h.WorkerID, h.Absent)
}
