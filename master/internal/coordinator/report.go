package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloudai/master/internal/cluster"
)

// errNotActive: the task is not in memory; the store knows whether it is over
// or unknown.
var errNotActive = errors.New("task is not active")

// attempt finds the live attempt that a worker speaks about. recorded is true
// when the attempt's result has been taken already.
func (m *machine) attempt(c Caller, ref cluster.AttemptRef) (e *task, recorded bool, err error) {
	if _, err := m.caller(c); err != nil {
		if errors.Is(err, cluster.ErrBarred) { // its attempts ended with it
			err = fmt.Errorf("%w: worker %s was removed", cluster.ErrStaleAttempt, c.WorkerID)
		}
		return nil, false, err
	}
	e = m.tasks[ref.TaskID]
	if e == nil || e.task.Version == 0 {
		return nil, false, errNotActive
	}
	if e.live(ref) && e.task.WorkerID == c.WorkerID {
		return e, false, nil
	}
	if !placedOn(e.task, c.WorkerID) {
		return nil, false, fmt.Errorf("%w: %s", cluster.ErrUnknownTask, ref.TaskID)
	}
	if hasResult(e.task, ref) {
		return nil, true, nil
	}
	return nil, false, fmt.Errorf("%w: task %s is at attempt %d", cluster.ErrStaleAttempt, ref.TaskID, e.task.Attempt)
}

// placedOn reports whether the worker has, or once had, an attempt of the task.
// To every other one it is as if there were no such task.
func placedOn(t cluster.Task, id cluster.WorkerID) bool {
	return slices.ContainsFunc(t.Attempts, func(a cluster.Attempt) bool { return a.WorkerID == id })
}

// hasResult reports whether the attempt ended by its own worker's report.
func hasResult(t cluster.Task, ref cluster.AttemptRef) bool {
	for _, a := range t.Attempts {
		if a.Number == ref.Attempt && a.Lease == ref.Lease {
			return a.Reported
		}
	}
	return false
}

// report takes progress. It is written with the next batch: reports repeat all
// that was said before, so a crash loses none of it.
func (m *machine) report(now time.Time, r ProgressReport) (st step, err error) {
	e, recorded, err := m.attempt(r.Caller, r.Ref)
	if err != nil || recorded {
		return st, err
	}
	if _, _, err := e.task.Observe(r.Observation, now); err != nil {
		return st, err
	}
	e.accepted = true
	rank := lastRank(r.Observation)
	if e.seen != nil && rank < lastRank(*e.seen) {
		return st, nil // overtaken by a newer one
	}
	if rank > max(e.task.State.Rank(), e.rankSeen()) && rank > cluster.StateRunning.Rank() {
		m.moved(now, e) // stopped; its output is on the way
	}
	e.seen = &r.Observation
	e.progress = nil
	if r.Progress.DoneBytes > 0 || r.Progress.TotalBytes > 0 {
		e.progress = &r.Progress
	}
	e.cpu, e.mem = &r.CPU, &r.Memory
	e.measured(now, r)
	if rank >= cluster.StateRunning.Rank() {
		if w := m.workers[e.task.WorkerID]; w != nil {
			st.join(m.follow(e, w))
		}
	}
	m.markDirty(now, e)
	return st, nil
}

// rankSeen is how far the reports that are not written yet have come.
func (e *task) rankSeen() int {
	if e.seen == nil {
		return -1
	}
	return lastRank(*e.seen)
}

// lastRank is how far an observation has come.
func lastRank(o cluster.Observation) int {
	if len(o.States) == 0 {
		return -1
	}
	return o.States[len(o.States)-1].State.Rank()
}

func (m *machine) markDirty(now time.Time, e *task) {
	m.dirty[e.task.ID] = e
	m.arm(now.Add(m.ProgressDelay))
}

// flush writes the progress that has gathered.
func (m *machine) flush(now time.Time) (st step) {
	for _, id := range sortedKeys(m.dirty) {
		e := m.dirty[id]
		if e.pending != nil {
			continue // resume marks it again
		}
		delete(m.dirty, id)
		next, changed, err := e.task.Observe(*e.seen, now)
		if err != nil || !changed {
			continue
		}
		st.writes = append(st.writes, m.propose(e, next))
	}
	return st
}

// Progress takes what an attempt has come to. cluster.ErrStaleAttempt and
// cluster.ErrUnknownTask are final.
func (c *Coordinator) Progress(ctx context.Context, r ProgressReport) error {
	st, err := c.try(func(now time.Time) (step, error) { return c.m.report(now, r) })
	if errors.Is(err, errNotActive) {
		err := c.ended(ctx, r.Caller, r.Ref)
		return err
	}
	if err != nil {
		return err
	}
	return c.carryOut(ctx, st)
}

// ended looks a task up that is not active: nil when the attempt's result is
// recorded.
func (c *Coordinator) ended(ctx context.Context, from Caller, ref cluster.AttemptRef) error {
	t, err := c.store.Task(ctx, ref.TaskID)
	switch {
	case err != nil && !errors.Is(err, cluster.ErrNotFound):
		return unavailable(err)
	case err != nil, !placedOn(t, from.WorkerID):
		return fmt.Errorf("%w: %s", cluster.ErrUnknownTask, ref.TaskID)
	case hasResult(t, ref):
		return nil
	case !t.Terminal():
		return fmt.Errorf("%w: task %s is changing", cluster.ErrUnavailable, ref.TaskID)
	}
	return fmt.Errorf("%w: task %s is %s", cluster.ErrStaleAttempt, ref.TaskID, t.Status())
}

// errRecorded: the attempt's result is on disk already.
var errRecorded = errors.New("result is recorded")

// checkAttempt reports whether the worker may speak for the attempt.
func (c *Coordinator) checkAttempt(ctx context.Context, from Caller, ref cluster.AttemptRef) error {
	c.mu.Lock()
	_, recorded, err := c.m.attempt(from, ref)
	c.mu.Unlock()
	if errors.Is(err, errNotActive) {
		if err = c.ended(ctx, from, ref); err == nil {
			recorded = true
		}
	}
	if err == nil && recorded {
		return errRecorded
	}
	return err
}

// AuthorizeUpload gives the owner of the attempt that a worker wants to upload
// for. recorded is true when there is nothing to upload any more.
func (c *Coordinator) AuthorizeUpload(ctx context.Context, from Caller, ref cluster.AttemptRef) (owner cluster.UserID, recorded bool, err error) {
	if err := c.checkAttempt(ctx, from, ref); err != nil {
		if errors.Is(err, errRecorded) {
			return "", true, nil
		}
		return "", false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.m.tasks[ref.TaskID]
	if e == nil {
		return "", true, nil
	}
	c.m.moved(c.now(), e)
	return e.task.UserID, false, nil
}
