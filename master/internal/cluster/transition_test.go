package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

var at0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// inState is a task that was brought to the state by legal steps.
func inState(t *testing.T, s State) Task {
	t.Helper()
	task := NewTask("t", "ann", Spec{MaxRetries: 1, MaxReschedules: 1}, at0)
	if s.Waiting() {
		task.State = s
		return task
	}
	task = must(task.Assign("w", "l1", at0))(t)
	to := s
	if s == StateStored {
		to = StateReportResult
	}
	next, _, err := task.Observe(Observation{States: statesUpTo(to)}, at0)
	if err != nil {
		t.Fatal(err)
	}
	if s == StateStored {
		next = must(next.Finish(Verdict{Outcome: OutcomeSuccess}, at0))(t)
	}
	if next.State != s {
		t.Fatalf("%s, want %s", next.State, s)
	}
	return next
}

func must(next Task, err error) func(*testing.T) Task {
	return func(t *testing.T) Task {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
}

func statesUpTo(last State) (out []StateTime) {
	for _, s := range States {
		if s.Rank() > StateAssigned.Rank() && s.Rank() <= last.Rank() {
			out = append(out, StateTime{State: s, Time: at0.Add(time.Second)})
		}
	}
	return out
}

// Every transition from every state: the ones that the lifecycle has, and a
// refusal by name for all others, which leaves the task as it was.
func TestEveryTransition(t *testing.T) {
	type transition struct {
		name  string
		do    func(Task) (Task, error)
		legal map[State]State // from: to
	}
	placed := []State{StateAssigned, StateImagePulled, StateContainerCreated, StateRunning, StateCollectOutput, StateUploadFiles, StateReportResult}
	all := func(to func(State) State, from ...State) map[State]State {
		legal := map[State]State{}
		for _, s := range from {
			legal[s] = to(s)
		}
		return legal
	}
	same := func(s State) State { return s }
	always := func(to State) func(State) State { return func(State) State { return to } }
	waiting := []State{StateCreated, StateQueued}
	live := append(append([]State{}, waiting...), placed...)
	cases := []transition{
		{"assign", func(x Task) (Task, error) { return x.Assign("w2", "l2", at0) }, all(always(StateAssigned), waiting...)},
		{
			"cancel", func(x Task) (Task, error) {
				next, _, err := x.RequestCancel("ann", at0)
				return next, err
			},
			func() map[State]State {
				legal := all(same, placed...)
				legal[StateCreated], legal[StateQueued] = StateStored, StateStored
				return legal
			}(),
		},
		{
			"edit", func(x Task) (Task, error) {
				priority := 7
				next, _, err := x.Edit(Edit{Priority: &priority}, "ann", at0)
				return next, err
			}, all(same, waiting...),
		},
		{"fail", func(x Task) (Task, error) {
			return x.Finish(Verdict{Outcome: OutcomeFailed, Failure: FailureRuntime}, at0)
		}, all(always(StateStored), live...)},
		{
			"succeed", func(x Task) (Task, error) { return x.Finish(Verdict{Outcome: OutcomeSuccess}, at0) },
			map[State]State{StateReportResult: StateStored},
		},
		{"fail without a class", func(x Task) (Task, error) { return x.Finish(Verdict{Outcome: OutcomeFailed}, at0) }, nil},
		{"succeed with a class", func(x Task) (Task, error) {
			return x.Finish(Verdict{Outcome: OutcomeSuccess, Failure: FailureExit}, at0)
		}, nil},
		{"end without an outcome", func(x Task) (Task, error) { return x.Finish(Verdict{}, at0) }, nil},
		{"requeue", func(x Task) (Task, error) {
			return x.Requeue(Verdict{Failure: FailureExit}, BudgetRetry, time.Time{}, at0)
		}, all(always(StateQueued), placed...)},
		{"requeue unpaid", func(x Task) (Task, error) {
			return x.Requeue(Verdict{Failure: FailureExit}, BudgetNone, time.Time{}, at0)
		}, nil},
	}
	for _, to := range placed[1:] { // the whole way so far, as workers repeat it
		legal := map[State]State{}
		for _, s := range placed {
			legal[s] = s
			if to.Rank() > s.Rank() {
				legal[s] = to
			}
		}
		cases = append(cases, transition{"observe up to " + string(to), func(x Task) (Task, error) {
			next, _, err := x.Observe(Observation{States: statesUpTo(to)}, at0)
			return next, err
		}, legal})
	}
	for _, to := range placed[1:] { // that state alone: a jump, unless the container failed
		alone := []StateTime{{State: to}}
		legal, failed := map[State]State{}, map[State]State{}
		for _, s := range placed {
			switch step := to.Rank() - s.Rank(); {
			case step <= 0:
				legal[s], failed[s] = s, s
			case step == 1:
				legal[s], failed[s] = to, to
			default:
				failed[s] = to
			}
		}
		cases = append(cases, transition{"jump to " + string(to), func(x Task) (Task, error) {
			next, _, err := x.Observe(Observation{States: alone}, at0)
			return next, err
		}, legal}, transition{"fail over to " + string(to), func(x Task) (Task, error) {
			next, _, err := x.Observe(Observation{States: alone, Outcome: OutcomeFailed}, at0)
			return next, err
		}, failed})
	}
	for _, c := range cases {
		for _, s := range States {
			before := inState(t, s)
			next, err := c.do(before)
			to, legal := c.legal[s]
			switch {
			case legal && (err != nil || next.State != to):
				t.Errorf("%s in %s: %s, %v; want %s", c.name, s, next.State, err, to)
			case !legal && !errors.Is(err, ErrIllegalTransition):
				t.Errorf("%s in %s: %s, %v; want a refusal", c.name, s, next.State, err)
			case !legal && fmt.Sprint(next) != fmt.Sprint(before):
				t.Errorf("%s in %s is refused and changes the task", c.name, s)
			case legal && (next.Attempt < before.Attempt || next.Attempt == before.Attempt && next.State.Rank() < before.State.Rank()):
				t.Errorf("%s in %s goes back to %s", c.name, s, next.State)
			}
			for n, e := range next.Events {
				if e.Seq != n+1 {
					t.Fatalf("%s in %s: event %d has number %d", c.name, s, n+1, e.Seq)
				}
			}
		}
	}
}

// A method gives a new value; the receiver's slices are not written to.
func TestTransitionsShareNothingThatIsWritten(t *testing.T) {
	base := inState(t, StateRunning)
	a := must(base.Requeue(Verdict{Failure: FailureExit, Message: "a"}, BudgetRetry, time.Time{}, at0))(t)
	b := must(base.Finish(Verdict{Outcome: OutcomeFailed, Failure: FailureOOM, Message: "b"}, at0))(t)
	if base.Attempts[0].Outcome != "" || a.Attempts[0].Message != "a" || b.Attempts[0].Message != "b" {
		t.Fatalf("%+v %+v %+v", base.Attempts, a.Attempts, b.Attempts)
	}
	if last := a.Events[len(a.Events)-1]; last.Message != "a" {
		t.Fatalf("%+v", last)
	}
}

// What was pulled is no news by itself, grows only, and is the attempt's own.
func TestPulledBytes(t *testing.T) {
	placed := inState(t, StateAssigned)
	see := func(task Task, o Observation, changed bool, want int64) Task {
		t.Helper()
		next, is, err := task.Observe(o, at0)
		if err != nil || is != changed || next.Current().PulledBytes != want {
			t.Fatalf("changed %v, %d bytes, %v; want %v, %d", is, next.Current().PulledBytes, err, changed, want)
		}
		return next
	}
	there := Observation{States: statesUpTo(StateImagePulled), PulledBytes: 30}
	task := see(placed, Observation{PulledBytes: 10}, false, 10)
	task = see(task, there, true, 30)
	task = see(task, there, false, 30)
	task = see(task, Observation{PulledBytes: 20}, false, 30)
	task = see(task, Observation{States: statesUpTo(StateRunning)}, true, 30) // of a process that does not know
	if placed.Current().PulledBytes != 0 {
		t.Error("the task before was written to")
	}
	task = must(task.Requeue(Verdict{Failure: FailureWorkerLost}, BudgetReschedule, time.Time{}, at0))(t)
	task = must(task.Assign("w2", "l2", at0))(t)
	task = see(task, Observation{States: statesUpTo(StateImagePulled)}, true, 0)
	if task.Attempts[0].PulledBytes != 30 {
		t.Errorf("the first attempt has %d", task.Attempts[0].PulledBytes)
	}
}

func TestEveryStateIsEnteredOnce(t *testing.T) {
	task := inState(t, StateStored)
	for n, e := range task.Events {
		if e.State != States[n] {
			t.Fatalf("event %d is %s, want %s", n, e.State, States[n])
		}
	}
	if timeless, _, err := inState(t, StateContainerCreated).Observe(Observation{States: []StateTime{{State: StateRunning}}}, at0); err != nil || !timeless.StartedAt.Equal(at0) {
		t.Fatalf("a start without a time: %v, %v", timeless.StartedAt, err)
	}
	if len(task.Events) != len(States) || task.Status() != StatusSucceeded || task.Lease != "" || task.Current() == nil {
		t.Fatalf("%+v", task)
	}
}

// Whatever a worker says of the time, a task is placed, starts and ends in this
// order, and none of it later than the master learns of it.
func TestF25TimesOfAnAttemptAreInOrder(t *testing.T) {
	for _, c := range []struct {
		said, want time.Duration // since the placement; the master learns of both after a minute
	}{
		{10 * time.Second, 10 * time.Second},
		{time.Minute, time.Minute},
		{-time.Hour, 0},
		{time.Hour, time.Minute},
	} {
		now := at0.Add(time.Minute)
		states := statesUpTo(StateReportResult)
		for n := range states {
			states[n].Time = at0.Add(c.said)
		}
		task, _, err := inState(t, StateAssigned).Observe(Observation{States: states}, now)
		if err != nil {
			t.Fatal(err)
		}
		task = must(task.Finish(Verdict{Outcome: OutcomeSuccess, FinishedAt: at0.Add(c.said)}, now))(t)
		a := task.Attempts[0]
		if want := at0.Add(c.want); !task.StartedAt.Equal(want) || !a.StartedAt.Equal(want) || !a.FinishedAt.Equal(want) || !task.FinishedAt.Equal(now) {
			t.Errorf("said %s: started %s, the attempt %s to %s", c.said, task.StartedAt, a.StartedAt, a.FinishedAt)
		}
	}
	// Who ends before it has started (the clock was set in between) has taken no time.
	task := must(inState(t, StateRunning).Finish(Verdict{Outcome: OutcomeFailed, Failure: FailureExit, FinishedAt: at0.Add(-time.Second)}, at0))(t)
	if a := task.Attempts[0]; !a.FinishedAt.Equal(a.StartedAt) {
		t.Errorf("started %s, finished %s", a.StartedAt, a.FinishedAt)
	}
}

func TestBudgets(t *testing.T) {
	for _, f := range Failures {
		task := inState(t, StateRunning) // one of each
		first := task.MayRepeat(f)
		if first != f.Budget() {
			t.Errorf("%s: %v, want %v", f, first, f.Budget())
		}
		if first == BudgetNone {
			continue
		}
		task = must(task.Requeue(Verdict{Failure: f}, first, at0.Add(time.Minute), at0))(t)
		if task.Attempt != 2 || task.Lease != "" || task.WorkerID != "" || !task.StartedAt.IsZero() || task.NotBefore.IsZero() || task.Current() != nil {
			t.Errorf("%s: %+v", f, task)
		}
		task = must(task.Assign("w", "l2", at0))(t)
		if !task.NotBefore.IsZero() || task.MayRepeat(f) != BudgetNone {
			t.Errorf("%s: the budget of one pays twice", f)
		}
		other := FailureExit
		if first == BudgetRetry {
			other = FailureWorkerLost
		}
		if task.MayRepeat(other) == BudgetNone {
			t.Errorf("%s has used the other budget", f)
		}
		task.CancelRequested = true
		if task.MayRepeat(other) != BudgetNone {
			t.Errorf("%s: repeats what a person wants stopped", f)
		}
	}
	free := must(inState(t, StateAssigned).Requeue(Verdict{}, BudgetFree, time.Time{}, at0))(t)
	if free.Retries+free.Reschedules != 0 || free.Attempts[0].Outcome != OutcomeFailed {
		t.Errorf("%+v", free)
	}
}

func TestCancelDecidesByOrder(t *testing.T) {
	code := 0
	running := inState(t, StateReportResult)
	asked, changed, err := running.RequestCancel("ann", at0)
	if err != nil || !changed || !asked.CancelRequested || asked.State != running.State {
		t.Fatalf("%+v, %v", asked, err)
	}
	if _, changed, err := asked.RequestCancel("bob", at0); changed || err != nil {
		t.Fatalf("a repeat changes it: %v", err)
	}
	done := must(asked.Finish(Verdict{Outcome: OutcomeSuccess, ExitCode: &code}, at0))(t)
	if done.Status() != StatusCancelled || done.ExitCode == nil || done.Failure != "" {
		t.Fatalf("%+v", done)
	}
	if _, err := asked.Requeue(Verdict{Failure: FailureExit}, BudgetRetry, time.Time{}, at0); !errors.Is(err, ErrIllegalTransition) {
		t.Fatalf("retried although cancelled: %v", err)
	}
	if _, err := asked.Assign("w", "l", at0); !errors.Is(err, ErrIllegalTransition) {
		t.Fatal(err)
	}
}

func TestStatusOfEveryState(t *testing.T) {
	for _, c := range []struct {
		state   State
		outcome Outcome
		want    Status
	}{
		{StateCreated, "", StatusQueued},
		{StateQueued, "", StatusQueued},
		{StateAssigned, "", StatusAssigned},
		{StateImagePulled, "", StatusAssigned},
		{StateContainerCreated, "", StatusAssigned},
		{StateRunning, "", StatusRunning},
		{StateCollectOutput, OutcomeFailed, StatusRunning},
		{StateUploadFiles, "", StatusRunning},
		{StateReportResult, "", StatusRunning},
		{StateStored, OutcomeSuccess, StatusSucceeded},
		{StateStored, OutcomeFailed, StatusFailed},
		{StateStored, OutcomeCancelled, StatusCancelled},
		{"?", "", StatusFailed},
	} {
		if got := StatusOf(c.state, c.outcome); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.state, c.outcome, got, c.want)
		}
	}
	for n, s := range States {
		if s.Rank() != n {
			t.Errorf("%s has rank %d", s, s.Rank())
		}
		if count := b2i(s.Waiting()) + b2i(s.Placed()) + b2i(s.Terminal()); count != 1 {
			t.Errorf("%s is %d of waiting, placed, terminal", s, count)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestResources(t *testing.T) {
	a := Resources{CPU: 0.1, Memory: 10, Storage: 20, GPU: 1}
	sum := Resources{}
	for range 10 {
		sum = sum.Plus(a)
	}
	if !(Resources{CPU: 1, Memory: 100, Storage: 200, GPU: 10}).Fits(sum) || !sum.Fits(Resources{CPU: 1, Memory: 100, Storage: 200, GPU: 10}) {
		t.Fatal("tenths of a core do not add up")
	}
	for _, c := range []struct {
		ask  Resources
		want string
	}{
		{Resources{CPU: 2}, "cpu: asked 2, free 1"},
		{Resources{Memory: 9}, "memory: asked 9 MiB, free 5 MiB"},
		{Resources{Storage: 9}, "storage: asked 9 MiB, free 0 MiB"},
		{Resources{GPU: 1}, "gpu: asked 1, free 0"},
		{Resources{CPU: 1, Memory: 5}, ""},
		{Resources{CPU: 1 + 1e-12}, ""},
	} {
		got := c.ask.Lacking(Resources{CPU: 1, Memory: 5}, "free")
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.ask, got, c.want)
		}
	}
}
