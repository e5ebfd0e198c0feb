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
	if e.loss != nil { // and its log says so
		return nil, nil, fmt.Errorf("%w: the attempt was given up, which is not recorded yet", cluster.ErrUnavailable)
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
	if v.Outcome == cluster.OutcomeFailed && !c.Hopeless {
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
		v.Message = t.CancelledInWords()
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

// conflictsMost is how often a worker may mend files that are not as it says.
const conflictsMost = 10

// withoutFiles decides whether a result is recorded although its files could
// not be published: when repeating it would not help.
func (r *result) withoutFiles(err error) bool {
	switch {
	case errors.Is(err, cluster.ErrInvalid):
	case errors.Is(err, cluster.ErrConflict):
		if r.entry.conflicts++; r.entry.conflicts < conflictsMost {
			return false
		}
	default:
		return false
	}
	lost := "its output files could not be kept: " + err.Error()
	if r.verdict.Outcome == cluster.OutcomeSuccess {
		r.verdict.Outcome, r.verdict.Failure, r.verdict.Message = cluster.OutcomeFailed, cluster.FailureUpload, lost
		return true
	}
	r.verdict.Message += "; " + lost
	return true
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
	w.Write = db.Write{Task: next, Expect: r.entry.task.Version, Files: files, Result: resultOf(next, r.ref, r.observed.Usage, r.entry.samples(), now)}
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
			err := c.ended(ctx, r.Caller, r.Ref)
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
	r.observed.Usage.LogBytes = c.logs.Size(r.ref)
	if r.final() {
		var err error
		files, err = c.files.Publish(ctx, owner, r.ref, manifest)
		if err != nil && !r.withoutFiles(err) {
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
