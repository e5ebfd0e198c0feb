package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// NewTask is a task that has just been asked for: created, and queued at once.
func NewTask(id TaskID, user UserID, spec Spec, now time.Time) Task {
	t := Task{ID: id, UserID: user, Spec: spec, Attempt: 1, State: StateQueued, CreatedAt: now, QueuedAt: now}
	t = t.record(Event{Time: now, State: StateCreated, Cause: "submit"})
	return t.record(Event{Time: now, State: StateQueued, Cause: "submit"})
}

// record appends an event of the present attempt; it copies the timeline.
func (t Task) record(e Event) Task {
	e.Seq = len(t.Events) + 1
	if e.Attempt == 0 {
		e.Attempt = t.Attempt
	}
	t.Events = append(slices.Clip(t.Events), e)
	return t
}

// editAttempt changes a copy of the present attempt.
func (t Task) editAttempt(edit func(*Attempt)) Task {
	t.Attempts = slices.Clone(t.Attempts)
	edit(&t.Attempts[len(t.Attempts)-1])
	return t
}

func (t Task) illegal(what string) error {
	return fmt.Errorf("%w: task %s attempt %d is %s, cannot %s", ErrIllegalTransition, t.ID, t.Attempt, t.State, what)
}

// Assign places a queued task on a worker under a new lease.
func (t Task) Assign(worker WorkerID, lease string, now time.Time) (Task, error) {
	if !t.State.Waiting() || t.CancelRequested {
		return t, t.illegal("be assigned")
	}
	t.State, t.WorkerID, t.Lease = StateAssigned, worker, lease
	t.StartedAt, t.NotBefore = time.Time{}, time.Time{}
	t.Attempts = append(slices.Clip(t.Attempts), Attempt{
		Number: t.Attempt, WorkerID: worker, Lease: lease, State: StateAssigned, AssignedAt: now,
	})
	return t.record(Event{Time: now, State: StateAssigned, WorkerID: worker, Cause: "dispatch"}), nil
}

// Edit is a checked change of a waiting task's spec; nil leaves a field as it
// is.
type Edit struct {
	Name     *string
	Priority *int
	Timeout  *time.Duration
}

const causeEdited = "edited"

// byWhom names who did something to the task, for its owner's eyes: others are
// none of the owner's business.
func (t Task) byWhom(by UserID) string {
	if by == t.UserID {
		return "by " + string(by)
	}
	return "by an administrator"
}

// CancelledInWords is the message of a task that was cancelled.
func (t Task) CancelledInWords() string { return "cancelled " + t.byWhom(t.CancelledBy) }

// Edit changes the spec of a task that waits; once it is placed its spec
// stands. changed is false when it is so already.
func (t Task) Edit(e Edit, by UserID, now time.Time) (next Task, changed bool, err error) {
	if !t.State.Waiting() || t.CancelRequested {
		return t, false, t.illegal("be changed")
	}
	var what []string
	if e.Name != nil && *e.Name != t.Spec.Name {
		t.Spec.Name = *e.Name
		what = append(what, "name")
	}
	if e.Priority != nil && *e.Priority != t.Spec.Priority {
		what = append(what, fmt.Sprintf("priority %d, was %d", *e.Priority, t.Spec.Priority))
		t.Spec.Priority = *e.Priority
	}
	if e.Timeout != nil && *e.Timeout != t.Spec.Timeout {
		t.Spec.Timeout = *e.Timeout
		what = append(what, "timeout "+e.Timeout.String())
	}
	if len(what) == 0 {
		return t, false, nil
	}
	if n := len(t.Events); n > 0 && t.Events[n-1].Cause == causeEdited {
		t.Events = slices.Clone(t.Events[:n-1]) // many edits in a row are one event, the last
	}
	return t.record(Event{Time: now, State: t.State, Cause: causeEdited, Message: strings.Join(what, ", ") + " " + t.byWhom(by)}), true, nil
}

// Observation is what a worker says about a placed attempt; it repeats all it
// has said before.
type Observation struct {
	States   []StateTime // in order
	Outcome  Outcome     // of the container, from collect_output on
	ExitCode *int        // from collect_output on, nil when no container ran
	Failure  Failure
	Message  string
	Usage    Usage
	// PulledBytes is what has come for the image. Each report that knows of it
	// says so; the worker's next process does not know.
	PulledBytes int64
}

// Observe moves a placed attempt forward through states that the worker says
// it has entered; those it has entered already are no news. States of the
// master (up to assigned, and stored) are ignored. changed is false when
// nothing is new.
func (t Task) Observe(o Observation, now time.Time) (next Task, changed bool, err error) {
	if !t.State.Placed() {
		return t, false, t.illegal("progress")
	}
	for _, s := range o.States {
		if !s.State.Placed() || s.State.Rank() <= t.State.Rank() {
			continue
		}
		if s.State.Rank() > t.State.Rank()+1 && (o.Outcome == "" || o.Outcome == OutcomeSuccess) {
			return t, false, t.illegal("jump to " + string(s.State))
		}
		e := Event{Time: now, WorkerTime: s.Time, State: s.State, WorkerID: t.WorkerID, Cause: "progress"}
		if s.State == StateCollectOutput {
			e.Outcome, e.ExitCode, e.Failure = o.Outcome, o.ExitCode, o.Failure
		}
		t.State = s.State
		if s.State == StateRunning {
			t.StartedAt = within(s.Time, t.Attempts[len(t.Attempts)-1].AssignedAt, now)
		}
		t = t.editAttempt(func(a *Attempt) { a.State, a.StartedAt = t.State, t.StartedAt }).record(e)
		changed = true
	}
	t.Usage = o.Usage
	// No news by itself: a pull that goes on would be a write a second.
	if o.PulledBytes > t.Attempts[len(t.Attempts)-1].PulledBytes {
		t = t.editAttempt(func(a *Attempt) { a.PulledBytes = o.PulledBytes })
	}
	return t, changed, nil
}

// RequestCancel notes that a person wants a placed task stopped; a waiting one
// is cancelled on the spot. Repeating it changes nothing.
func (t Task) RequestCancel(by UserID, now time.Time) (next Task, changed bool, err error) {
	switch {
	case t.Terminal():
		return t, false, t.illegal("be cancelled")
	case t.State.Waiting():
		t.CancelRequested, t.CancelledBy = true, by
		next, err = t.Finish(Verdict{Outcome: OutcomeCancelled, Message: "cancelled before it was placed", Cause: "cancel"}, now)
		return next, err == nil, err
	case t.CancelRequested:
		return t, false, nil
	}
	t.CancelRequested, t.CancelledBy = true, by
	return t.record(Event{Time: now, State: t.State, WorkerID: t.WorkerID, Cause: "cancel_requested", Message: t.byWhom(by)}), true, nil
}

// Verdict is how a task, or one attempt of it, ends.
type Verdict struct {
	Outcome    Outcome
	ExitCode   *int
	Failure    Failure
	Message    string
	Cause      string    // for the timeline: result, cancel, worker_lost, ...
	Reported   bool      // the worker reported it
	FinishedAt time.Time // by the engine; zero: now
	Files      FilesSummary
}

// Finish gives the task its one verdict.
func (t Task) Finish(v Verdict, now time.Time) (Task, error) {
	if t.Terminal() {
		return t, t.illegal("be finished")
	}
	if t.CancelRequested {
		v.Outcome, v.Failure = OutcomeCancelled, ""
	}
	if v.Outcome == "" || (v.Outcome == OutcomeFailed) != (v.Failure != "") {
		return t, fmt.Errorf("%w: verdict %q with failure %q", ErrIllegalTransition, v.Outcome, v.Failure)
	}
	if v.Outcome == OutcomeSuccess && t.State != StateReportResult {
		return t, t.illegal("succeed without entering every state")
	}
	worker := WorkerID("")
	if t.State.Placed() {
		worker = t.WorkerID
		t = t.endAttempt(v, StateStored, now)
	}
	t.State, t.Outcome, t.ExitCode, t.Failure, t.Message = StateStored, v.Outcome, v.ExitCode, v.Failure, v.Message
	t.Files, t.FinishedAt, t.Lease, t.NotBefore = v.Files, now, "", time.Time{}
	return t.record(Event{
		Time: now, State: StateStored, WorkerID: worker, Cause: v.Cause,
		Outcome: v.Outcome, ExitCode: v.ExitCode, Failure: v.Failure, Message: v.Message,
	}), nil
}

func (t Task) endAttempt(v Verdict, state State, now time.Time) Task {
	return t.editAttempt(func(a *Attempt) {
		a.State, a.Outcome, a.ExitCode, a.Failure, a.Message = state, v.Outcome, v.ExitCode, v.Failure, v.Message
		a.Reported = v.Reported
		from := a.StartedAt
		if from.IsZero() {
			from = a.AssignedAt
		}
		a.FinishedAt = within(v.FinishedAt, from, now)
	})
}

// within is what a worker says of a time, as far as that can be: nothing of an
// attempt is before its placement, and nothing is reported before it was. Without
// a word of the worker it is the moment in which the master learns of it.
func within(said, from, now time.Time) time.Time {
	switch {
	case said.IsZero() || said.After(now):
		return now
	case said.Before(from):
		return from
	}
	return said
}

// Requeue ends the placed attempt and puts the task back as the next one. The
// budget is the one that pays; notBefore holds it back (zero: at once).
func (t Task) Requeue(v Verdict, pays Budget, notBefore, now time.Time) (Task, error) {
	if !t.State.Placed() || t.CancelRequested {
		return t, t.illegal("be requeued")
	}
	switch pays {
	case BudgetRetry:
		t.Retries++
	case BudgetReschedule:
		t.Reschedules++
	case BudgetFree:
	case BudgetNone:
		return t, t.illegal("be requeued without a budget")
	}
	if v.Outcome == "" {
		v.Outcome = OutcomeFailed
	}
	t = t.endAttempt(v, t.State, now)
	t.Attempt++
	t.State, t.Lease, t.WorkerID = StateQueued, "", ""
	t.QueuedAt, t.NotBefore, t.StartedAt = now, notBefore, time.Time{}
	t.Usage = Usage{}
	return t.record(Event{
		Time: now, State: StateQueued, WorkerID: t.Attempts[len(t.Attempts)-1].WorkerID, Cause: v.Cause,
		ExitCode: v.ExitCode, Failure: v.Failure, Message: v.Message,
	}), nil
}

// NotBegun counts the last attempts in a row that ended before anything of
// them had begun: their ends have no failure class.
func (t Task) NotBegun() (n int) {
	for i := len(t.Attempts) - 1; i >= 0; i-- {
		a := t.Attempts[i]
		if a.Outcome == "" && a.Number == t.Attempt {
			continue // the one that is placed
		}
		if a.Reported || a.Outcome != OutcomeFailed || a.Failure != "" {
			break
		}
		n++
	}
	return n
}

// MayRepeat reports which budget pays for another attempt after this failure;
// BudgetNone when none is left, or a person wants the task cancelled.
func (t Task) MayRepeat(f Failure) Budget {
	if t.CancelRequested {
		return BudgetNone
	}
	switch b := f.Budget(); {
	case b == BudgetRetry && t.Retries < t.Spec.MaxRetries:
		return BudgetRetry
	case b == BudgetReschedule && t.Reschedules < t.Spec.MaxReschedules:
		return BudgetReschedule
	}
	return BudgetNone
}
