package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// errNotActive: the task is not in memory; the store knows whether it is over
// or unknown.
var errNotActive = errors.New("task is not active")

// attempt finds the live attempt that a worker speaks about. recorded is true
// when the attempt's result has been taken already.
func (m *machine) attempt(c Caller, ref cluster.AttemptRef) (e *task, recorded bool, err error) {
	if _, err := m.caller(c); err != nil {
		return nil, false, err
	}
	e = m.tasks[ref.TaskID]
	if e == nil || e.task.Version == 0 {
		return nil, false, errNotActive
	}
	if e.live(ref) && e.task.WorkerID == c.WorkerID {
		return e, false, nil
	}
	if hasResult(e.task, ref) {
		return nil, true, nil
	}
	return nil, false, fmt.Errorf("%w: task %s is at attempt %d", cluster.ErrStaleAttempt, ref.TaskID, e.task.Attempt)
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

// result is an attempt's end on its way to the disk. The task is pending from
// judge to conclude or release.
type result struct {
	entry    *task
	observed cluster.Task // with all states of the report
	verdict  cluster.Verdict
	pays     cluster.Budget // of the next attempt; BudgetNone: this is the end
	ref      cluster.AttemptRef
}

func (r *result) final() bool { return r.pays == cluster.BudgetNone }

// judge decides how an attempt's report ends it and holds the task meanwhile.
// nil without error: recorded already. wait: ask again once it is closed.
func (m *machine) judge(now time.Time, c Completion) (r *result, wait <-chan struct{}, err error) {
	e, recorded, err := m.attempt(c.Caller, c.Ref)
	if err != nil || recorded {
		return nil, nil, err
	}
	if e.pending != nil {
		return nil, e.settled, nil
	}
	observed, _, err := e.task.Observe(c.Observation, now)
	if err != nil {
		return nil, nil, err
	}
	v := verdictOf(observed, c)
	if v.Outcome == cluster.OutcomeSuccess && observed.State != cluster.StateReportResult {
		return nil, nil, fmt.Errorf("%w: success reported in state %s", cluster.ErrIllegalTransition, observed.State)
	}
	r = &result{entry: e, observed: observed, verdict: v, ref: c.Ref}
	if v.Outcome == cluster.OutcomeFailed {
		r.pays = observed.MayRepeat(v.Failure)
	}
	e.pending, e.settled = &write{entry: e}, make(chan struct{})
	return r, nil, nil
}

// verdictOf reads a completion with the distrust that a wire deserves.
func verdictOf(t cluster.Task, c Completion) cluster.Verdict {
	v := cluster.Verdict{
		Outcome: c.Outcome, ExitCode: c.Observation.ExitCode, Failure: c.Observation.Failure,
		Message: c.Observation.Message, Cause: "result", Reported: true, FinishedAt: c.FinishedAt,
	}
	failed := func(f cluster.Failure, message string) {
		v.Outcome, v.Failure = cluster.OutcomeFailed, f
		if v.Message == "" {
			v.Message = message
		}
	}
	_, unknown := cluster.ParseFailure(string(v.Failure))
	switch {
	case t.CancelRequested:
		v.Outcome, v.Failure = cluster.OutcomeCancelled, ""
		v.Message = "cancelled by " + string(t.CancelledBy)
	case v.Outcome == cluster.OutcomeSuccess && v.ExitCode != nil && *v.ExitCode != 0:
		failed(cluster.FailureExit, fmt.Sprintf("exit code %d", *v.ExitCode))
	case v.Outcome == cluster.OutcomeSuccess:
		v.Failure = ""
	case v.Outcome == cluster.OutcomeCancelled:
		failed(cluster.FailureRuntime, "the worker stopped it without an order")
	case unknown != nil || v.Failure == cluster.FailureWorkerLost:
		failed(cluster.FailureRuntime, "the worker gave no reason")
	default:
		failed(v.Failure, string(v.Failure))
	}
	return v
}

// conclude makes the judged result the task's next value.
func (m *machine) conclude(now time.Time, r *result, files []cluster.File, skipped []cluster.SkippedFile) (st step, err error) {
	var next cluster.Task
	if r.final() {
		if len(files)+len(skipped) > 0 {
			r.verdict.Files = cluster.FilesSummary{Attempt: r.ref.Attempt, Count: len(files), Skipped: skipped}
			for _, f := range files {
				r.verdict.Files.TotalSize += f.Size
			}
			r.observed.Usage.OutputBytes = r.verdict.Files.TotalSize
		}
		next, err = r.observed.Finish(r.verdict, now)
	} else {
		next, err = r.observed.Requeue(r.verdict, r.pays, m.backoff(now, r), now)
	}
	if err != nil {
		return m.release(now, r), err
	}
	next.Version = r.entry.task.Version + 1
	w := r.entry.pending // the hold becomes the write
	w.Write = db.Write{Task: next, Expect: r.entry.task.Version, Files: files, Result: resultOf(next, r.ref, r.observed.Usage, now)}
	st.writes = []*write{w}
	return st, nil
}

// release gives up a judged result: the worker will report again.
func (m *machine) release(now time.Time, r *result) step {
	r.entry.settle()
	return m.resume(now, r.entry)
}

// Bounds of the pause before a retry, which doubles with each.
const (
	retryFirst = time.Second
	retryMost  = time.Minute
)

// backoff is when the next attempt may begin: exponential with full jitter on
// its upper half.
func (m *machine) backoff(now time.Time, r *result) time.Time {
	if r.pays != cluster.BudgetRetry {
		return time.Time{}
	}
	pause := min(retryFirst<<min(r.entry.task.Retries, 10), retryMost)
	return now.Add(m.jitter(pause))
}

// jitter is between half of the pause and all of it.
func (m *machine) jitter(pause time.Duration) time.Duration {
	return pause/2 + time.Duration(m.rng.Int64N(int64(pause/2)+1))
}

// Progress takes what an attempt has come to. cluster.ErrStaleAttempt and
// cluster.ErrUnknownTask are final.
func (c *Coordinator) Progress(ctx context.Context, r ProgressReport) error {
	st, err := c.try(func(now time.Time) (step, error) { return c.m.report(now, r) })
	if errors.Is(err, errNotActive) {
		_, err := c.ended(ctx, r.Ref)
		return err
	}
	if err != nil {
		return err
	}
	return c.carryOut(ctx, st)
}

// ended looks a task up that is not active: nil when the attempt's result is
// recorded.
func (c *Coordinator) ended(ctx context.Context, ref cluster.AttemptRef) (cluster.Task, error) {
	t, err := c.store.Task(ctx, ref.TaskID)
	switch {
	case errors.Is(err, cluster.ErrNotFound):
		return t, fmt.Errorf("%w: %s", cluster.ErrUnknownTask, ref.TaskID)
	case err != nil:
		return t, unavailable(err)
	case hasResult(t, ref):
		return t, nil
	case !t.Terminal():
		return t, fmt.Errorf("%w: task %s is changing", cluster.ErrUnavailable, ref.TaskID)
	}
	return t, fmt.Errorf("%w: task %s is %s", cluster.ErrStaleAttempt, ref.TaskID, t.Status())
}

// Complete takes an attempt's result. need is not nil when log bytes are
// missing: push them, then report again. Without error and need the result is
// on disk.
func (c *Coordinator) Complete(ctx context.Context, r Completion) (need *cluster.LogOffsets, err error) {
	if err := c.checkAttempt(ctx, r.Caller, r.Ref); err != nil {
		if errors.Is(err, errRecorded) {
			return nil, nil
		}
		return nil, err
	}
	if need, err := c.logs.Finish(ctx, r.Ref, r.Log); err != nil || need != nil {
		return need, unavailable(err)
	}
	for {
		c.mu.Lock()
		held, wait, err := c.m.judge(c.now(), r)
		c.mu.Unlock()
		switch {
		case errors.Is(err, errNotActive):
			_, err := c.ended(ctx, r.Ref)
			return nil, err
		case err != nil:
			return nil, err
		case wait != nil:
			if err := c.await(ctx, wait); err != nil {
				return nil, err
			}
		case held == nil:
			return nil, nil
		default:
			return nil, c.record(context.WithoutCancel(ctx), held, r.Manifest)
		}
	}
}

// record publishes the files of a judged result and commits it.
func (c *Coordinator) record(ctx context.Context, r *result, manifest Manifest) error {
	owner := r.observed.UserID
	var files []cluster.File
	if r.final() && len(manifest.Files) > 0 {
		var err error
		if files, err = c.files.Publish(ctx, owner, r.ref, manifest); err != nil {
			st := c.decide(func(now time.Time) step { return c.m.release(now, r) })
			return errors.Join(err, c.carryOut(ctx, st))
		}
	}
	st, err := c.try(func(now time.Time) (step, error) { return c.m.conclude(now, r, files, manifest.Skipped) })
	failed := c.carryOut(ctx, st) // what a refused conclusion brings about, too
	err = cmp.Or(err, failed)
	// After an unknown outcome or another master's write the files may be
	// what a committed result refers to.
	if err != nil && len(files) > 0 && !errors.Is(err, db.ErrOutcomeUnknown) && !errors.Is(err, db.ErrVersion) {
		err = errors.Join(err, c.files.Retract(owner, r.ref))
	}
	return err
}

// errRecorded: the attempt's result is on disk already.
var errRecorded = errors.New("result is recorded")

// checkAttempt reports whether the worker may speak for the attempt.
func (c *Coordinator) checkAttempt(ctx context.Context, from Caller, ref cluster.AttemptRef) error {
	c.mu.Lock()
	_, recorded, err := c.m.attempt(from, ref)
	c.mu.Unlock()
	if errors.Is(err, errNotActive) {
		if _, err = c.ended(ctx, ref); err == nil {
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
