package coordinator

import (
	"errors"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/queue"
	"cloudai/master/internal/scheduler"
)

const (
	dispatchBatch = 256 // assignments that share a commit
	restFirst     = 500 * time.Millisecond
	restMost      = 30 * time.Second
	holdMost      = time.Minute // of a task that is refused again and again
	probeFirst    = 500 * time.Millisecond
	probeMost     = 5 * time.Second
)

// dispatch places what can be placed now, in the queue's order.
func (m *machine) dispatch(now time.Time) (st step) {
	if m.queue.Len() == 0 {
		return st
	}
	m.arm(m.queue.Release(now))
	candidates := m.candidates()
	var missed scheduler.Misses
	m.queue.Scan(func(i queue.Item) queue.Answer {
		if len(st.writes) == dispatchBatch {
			st.wake = true
			return queue.Stop
		}
		e := m.tasks[cluster.TaskID(i.ID)]
		if e == nil || e.pending != nil {
			return queue.Take // a change of it is on its way, and puts it back
		}
		if missed.Cover(e.need) {
			return queue.Skip
		}
		at, ok := m.policy.Place(e.need, candidates, m.last)
		if !ok {
			missed.Add(e.need)
			return queue.Skip
		}
		write, err := m.assign(now, e, m.order[at])
		if err != nil {
			st.fatal = err
			return queue.Stop
		}
		m.last = write.Task.WorkerID
		candidates[at].Free = candidates[at].Free.Minus(write.Task.Spec.Resources)
		st.writes = append(st.writes, write)
		return queue.Take
	})
	return st
}

// assign reserves the worker's room for the task and makes the write that places
// it there. Whoever calls it takes the task off the queue.
func (m *machine) assign(now time.Time, e *task, to *worker) (*write, error) {
	next, err := e.task.Assign(to.worker.ID, m.newLease(), now)
	if err != nil {
		return nil, err
	}
	to.attempts[next.ID] = next.Spec.Resources
	to.stale = true
	w := m.propose(e, next)
	w.Assignment = &db.Assignment{Ref: next.Ref(), WorkerID: next.WorkerID, AssignedAt: now}
	return w, nil
}

// send puts a committed assignment on its way.
func (m *machine) send(e *task, to *worker) (st step) {
	e.sent = true
	e.tries++
	st.assigns = []assign{{to: to.target(), order: Order{
		Ref: e.task.Ref(), UserID: e.task.UserID, Spec: e.task.Spec, LogLimit: m.LogLimit,
	}}}
	return st
}

// assignAnswered takes a worker's answer to an assignment.
func (m *machine) assignAnswered(now time.Time, a assign, err error) (st step) {
	w := m.workers[a.to.WorkerID]
	e := m.tasks[a.order.Ref.TaskID]
	mine := e != nil && e.live(a.order.Ref)
	if mine {
		e.sent = false
	}
	if w == nil || w.worker.Session != a.to.Session {
		return st // the registration under the new session has settled it
	}
	switch {
	case err == nil:
		st.join(m.called(now, a.to, nil))
		clear(w.refused)
		if mine {
			e.accepted, e.refusals = true, 0
		}
	case errors.Is(err, cluster.ErrRefused):
		return m.refused(now, w, e, mine, err)
	default:
		// Unknown: the worker may have it. Called again when it can be reached.
		st.join(m.called(now, a.to, err))
	}
	if mine && e.task.CancelRequested && e.pending == nil {
		st.join(m.orderCancel(now, e))
	}
	return st
}

// refused takes a definite refusal. The worker rests, longer the more different
// tasks it has refused since it accepted one; a task that was refused before is
// held back, so that one that nobody takes does not keep the others out.
func (m *machine) refused(now time.Time, w *worker, e *task, mine bool, err error) (st step) {
	if e != nil && len(w.refused) < 8 {
		w.refused[e.task.ID] = true
	}
	w.restUntil = now.Add(doubled(restFirst, len(w.refused)-1, restMost))
	w.stale = true
	m.arm(w.restUntil)
	// What the worker has shown to have is not ended by refusing a repeat.
	if mine && !e.accepted {
		l := loss{cause: "refused", message: "the worker refused it: " + err.Error(), free: true}
		if e.refusals++; e.refusals > 1 {
			l.pause = m.jitter(doubled(restFirst, e.refusals-2, holdMost))
		}
		st.join(m.lose(now, e, l))
	}
	return st
}

// doubled is the first pause, doubled so often, within bounds.
func doubled(first time.Duration, times int, most time.Duration) time.Duration {
	return min(first<<min(max(times, 0), 16), most)
}

// called notes whether a worker could be called.
func (m *machine) called(now time.Time, to Target, err error) (st step) {
	w := m.workers[to.WorkerID]
	if w == nil || w.worker.Session != to.Session {
		return st
	}
	if err != nil {
		w.reason = "calls to " + to.Address + " fail: " + err.Error()
		w.probeWait = min(max(2*w.probeWait, probeFirst), probeMost)
		w.probeAt = now.Add(w.probeWait)
		m.arm(w.probeAt)
		if w.reachable {
			w.reachable, w.stale = false, true
			st.events = []Event{workerEvent(w)}
		}
		return st
	}
	w.probeAt, w.probeWait = time.Time{}, 0
	if w.reachable {
		return st
	}
	w.reachable, w.stale = true, true
	w.reason = ""
	st.wake, st.events = true, []Event{workerEvent(w)}
	st.join(m.resend(w))
	return st
}

// resend repeats every assignment to the worker that it has not accepted.
func (m *machine) resend(w *worker) (st step) {
	if !w.onDisk() {
		return st
	}
	for _, id := range sortedKeys(w.attempts) {
		e := m.tasks[id]
		if e != nil && e.pending == nil && e.task.State.Placed() && !e.sent && m.mayResend(e) {
			st.join(m.send(e, w))
		}
	}
	return st
}

// mayResend reports whether an assignment may be repeated. After the repeats
// the worker is asked instead, and so when nobody wants the task to begin. One
// whose end is decided, but not written yet, must not begin.
func (m *machine) mayResend(e *task) bool {
	return !e.accepted && e.loss == nil && e.tries <= repeats && !e.task.CancelRequested
}

// repeats of an assignment that is not answered.
const repeats = 2

// helloAnswered takes a worker's answer to a probe.
func (m *machine) helloAnswered(now time.Time, to Target, h Hello, err error) step {
	if w := m.workers[to.WorkerID]; w != nil {
		w.probing = false
	}
	if err == nil && (h.Session != to.Session || h.WorkerID != to.WorkerID) {
		err = errors.New("another process answers there")
	}
	return m.called(now, to, err)
}
