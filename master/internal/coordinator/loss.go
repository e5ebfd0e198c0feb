package coordinator

import (
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// loss is how an attempt ends without its worker's result.
type loss struct {
	failure cluster.Failure // empty: nothing had begun
	cause   string          // for the timeline
	message string
	free    bool          // the next attempt uses no budget
	pause   time.Duration // before the next attempt
	there   bool          // its container may run on, until its worker says otherwise
}

// lostWorker is the loss of an attempt together with its worker. One that was
// never sent there has nothing to pay for.
func (m *machine) lostWorker(e *task) loss {
	l := loss{failure: cluster.FailureWorkerLost, cause: "worker_lost", message: fmt.Sprintf("worker %s was lost", e.task.WorkerID)}
	if w := m.workers[e.task.WorkerID]; w != nil && w.removed() {
		l.cause, l.message = "worker_removed", fmt.Sprintf("worker %s was removed by an administrator", e.task.WorkerID)
	}
	l.free = e.tries == 0 && !e.accepted
	l.there = !l.free
	return l
}

// replaced is the loss of an attempt whose worker has come back with another
// data folder, or is another host under the same id. Nobody can say whether the
// attempt had begun.
func (m *machine) replaced(e *task) loss {
	l := m.lostWorker(e)
	if !l.free {
		l.cause = "worker_replaced"
		l.message = fmt.Sprintf("worker %s came back without the data it had; whether the attempt had begun is not known", e.task.WorkerID)
	}
	return l
}

// freeMost is how often in a row a task may be placed without beginning before
// it is given up: something about it keeps every worker from it, or ends them.
const freeMost = 20

// freeOrOver is the budget of an attempt that had not begun, as far as it goes.
func freeOrOver(t cluster.Task, v *cluster.Verdict) cluster.Budget {
	n := t.NotBegun() + 1
	if n < freeMost {
		return cluster.BudgetFree
	}
	v.Failure = cluster.FailureRuntime
	v.Message = fmt.Sprintf("was placed %d times in a row and never began; the last time: %s", n, v.Message)
	return cluster.BudgetNone
}

// lose ends a placed attempt: the task goes back to the queue while a budget
// lasts, else it fails; it is cancelled when a person wanted that.
func (m *machine) lose(now time.Time, e *task, l loss) (st step) {
	if e.pending != nil {
		e.loss = &l
		return st
	}
	e.loss = nil
	t := e.task
	if e.seen != nil { // the history keeps what was known of it
		if seen, _, err := t.Observe(*e.seen, now); err == nil {
			t = seen
		}
	}
	usage := t.Usage
	v := cluster.Verdict{Outcome: cluster.OutcomeFailed, Failure: l.failure, Message: l.message, Cause: l.cause}
	pays := t.MayRepeat(l.failure)
	if l.free && !t.CancelRequested {
		pays = freeOrOver(t, &v)
	}
	var next cluster.Task
	var err error
	if pays != cluster.BudgetNone {
		var notBefore time.Time
		if l.pause > 0 {
			notBefore = now.Add(l.pause)
		}
		next, err = t.Requeue(v, pays, notBefore, now)
	} else {
		if v.Failure == "" {
			v.Failure = cluster.FailureRuntime
		}
		if t.CancelRequested {
			v.Message = "cancelled; " + l.message
		}
		next, err = t.Finish(v, now)
	}
	if err != nil {
		st.fatal = err
		return st
	}
	w := m.propose(e, next)
	w.loss = &l
	w.Result = resultOf(next, t.Ref(), usage, e.samples(), now)
	st.writes = []*write{w}
	if !l.free {
		st.abandon = []lostLog{{ref: t.Ref(), reason: l.message, write: w}}
	}
	return st
}

// resultOf is the history row of the attempt as next has ended it.
func resultOf(next cluster.Task, ref cluster.AttemptRef, usage cluster.Usage, samples []cluster.UsageSample, now time.Time) *db.Result {
	for _, a := range next.Attempts {
		if a.Number == ref.Attempt {
			return &db.Result{
				Ref: ref, WorkerID: a.WorkerID, Outcome: a.Outcome, ExitCode: a.ExitCode,
				Failure: a.Failure, Message: a.Message, StoredAt: now, Usage: usage, Samples: samples,
			}
		}
	}
	return nil
}

// loseWorker marks a worker as lost and ends its attempts.
func (m *machine) loseWorker(now time.Time, w *worker) (st step) {
	w.worker.Lost, w.worker.LeftUntil, w.deadline = true, time.Time{}, time.Time{}
	w.reachable, w.probeAt, w.stale = false, time.Time{}, true
	w.shown = nil
	clear(w.foreign)
	clear(w.recent)
	w.unsaved = true
	st.workers = []cluster.WorkerID{w.worker.ID}
	st.forget = []cluster.WorkerID{w.worker.ID}
	st.events = []Event{workerEvent(w)}
	for _, id := range sortedKeys(w.attempts) {
		if e := m.tasks[id]; e != nil && e.task.State.Placed() {
			st.join(m.lose(now, e, m.lostWorker(e)))
		}
	}
	return st
}

// workerNotSaved has the worker's value stored again after a while.
func (m *machine) workerNotSaved(now time.Time, id cluster.WorkerID) (st step) {
	if w := m.workers[id]; w != nil {
		w.unsaved = true
		m.arm(now.Add(storeRest))
	}
	return st
}

// workerSaved notes that the store has the worker with this session.
func (m *machine) workerSaved(id cluster.WorkerID, session string) (st step) {
	w := m.workers[id]
	if w == nil || w.stored == session {
		return st
	}
	w.stored, w.stale, st.wake = session, true, true
	st.join(m.resend(w))
	return st
}

// lateness beyond which a deadline says that the master slept, not that
// workers are silent.
const lateness = 2 * time.Second

// tick does what is due.
func (m *machine) tick(now time.Time) (st step) {
	if m.next.IsZero() || now.Before(m.next) {
		return st
	}
	slept := now.Sub(m.next) > lateness
	m.next = time.Time{}
	for _, w := range m.order {
		st.join(m.tickWorker(now, w, slept))
	}
	for _, e := range m.ending {
		if slept {
			e.cancelBy = now.Add(e.task.Spec.GracePeriod + m.HeartbeatTimeout)
		}
	}
	for _, id := range sortedKeys(m.stuck) {
		st.join(m.resume(now, m.stuck[id]))
	}
	st.join(m.expireCancels(now))
	for _, e := range m.ending {
		m.arm(e.cancelBy)
	}
	st.join(m.flush(now))
	m.arm(m.queue.Release(now))
	st.wake = true
	return st
}

func (m *machine) tickWorker(now time.Time, w *worker, slept bool) (st step) {
	if slept && !w.deadline.IsZero() {
		w.deadline = later(w.deadline, now.Add(m.HeartbeatTimeout))
	}
	if !w.restUntil.IsZero() && !now.Before(w.restUntil) {
		w.restUntil, w.stale = time.Time{}, true
	}
	m.arm(w.restUntil)
	if w.unsaved {
		st.workers = append(st.workers, w.worker.ID)
	}
	if !w.probeAt.IsZero() && !now.Before(w.probeAt) {
		w.probeAt = time.Time{}
		if !w.probing && !w.worker.Lost {
			w.probing = true
			st.hellos = append(st.hellos, w.target())
		}
	}
	m.arm(w.probeAt)
	if !w.deadline.IsZero() && !now.Before(w.deadline) {
		st.join(m.loseWorker(now, w))
	}
	m.arm(w.deadline)
	return st
}

// expireCancels decides the cancels that no worker has confirmed in time; the
// attempt is fenced by being over.
func (m *machine) expireCancels(now time.Time) (st step) {
	for _, id := range sortedKeys(m.ending) {
		e := m.ending[id]
		if now.Before(e.cancelBy) {
			continue
		}
		m.awaitEnd(e, time.Time{})
		if e.task.State.Placed() {
			st.join(m.lose(now, e, loss{cause: "cancel", message: "the worker did not confirm in time", there: true}))
		}
	}
	return st
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
