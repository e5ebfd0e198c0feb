package coordinator

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

// TestBudgets goes through every class of failure with every allowance: who
// pays, whether there is another attempt, and when it may begin.
func TestBudgets(t *testing.T) {
	type end func(d *desk, e *task)
	reported := func(f cluster.Failure) end {
		return func(d *desk, e *task) { d.complete(e, cluster.OutcomeFailed, f) }
	}
	for _, c := range []struct {
		name string
		end  end
		pays cluster.Budget
	}{
		{"exit", reported(cluster.FailureExit), cluster.BudgetRetry},
		{"oom", reported(cluster.FailureOOM), cluster.BudgetRetry},
		{"timeout", reported(cluster.FailureTimeout), cluster.BudgetRetry},
		{"image", reported(cluster.FailureImage), cluster.BudgetNone},
		{"registry", reported(cluster.FailureRegistry), cluster.BudgetNone},
		{"storage", reported(cluster.FailureStorage), cluster.BudgetNone},
		{"upload", reported(cluster.FailureUpload), cluster.BudgetNone},
		{"runtime", reported(cluster.FailureRuntime), cluster.BudgetReschedule},
		{"worker lost", func(d *desk, _ *task) { d.ok(d.m.loseWorker(d.now, d.m.workers["w1"])) }, cluster.BudgetReschedule},
		{"worker removed", func(d *desk, _ *task) {
			w := d.m.workers["w1"]
			w.worker.Barred = true
			d.ok(d.m.loseWorker(d.now, w))
		}, cluster.BudgetReschedule},
		{"container gone", func(d *desk, _ *task) { d.join("w1", "s2") }, cluster.BudgetReschedule},
	} {
		for _, allowed := range []struct{ retries, reschedules int }{{0, 0}, {1, 0}, {0, 1}, {3, 3}} {
			t.Run(fmt.Sprintf("%s/%d-%d", c.name, allowed.retries, allowed.reschedules), func(t *testing.T) {
				d := newDesk(t)
				d.join("w1", "s1")
				s := spec()
				s.MaxRetries, s.MaxReschedules = allowed.retries, allowed.reschedules
				e, a := d.place("t", s)
				d.answer(a, nil)
				d.report(e, cluster.StateRunning)
				began := d.now
				c.end(d, e)
				again := c.pays == cluster.BudgetRetry && allowed.retries > 0 || c.pays == cluster.BudgetReschedule && allowed.reschedules > 0
				if !again {
					if e.task.Status() != cluster.StatusFailed || e.task.Attempt != 1 || e.task.Retries+e.task.Reschedules != 0 {
						t.Fatalf("%s at attempt %d: %+v", e.task.Status(), e.task.Attempt, e.task)
					}
					return
				}
				d.want(e, cluster.StateQueued, 2)
				retry := c.pays == cluster.BudgetRetry
				if (e.task.Retries == 1) != retry || (e.task.Reschedules == 1) == retry {
					t.Errorf("paid by %d retries and %d reschedules", e.task.Retries, e.task.Reschedules)
				}
				if wait := e.task.NotBefore.Sub(began); retry && (wait < retryFirst/2 || wait > retryFirst) || !retry && !e.task.NotBefore.IsZero() {
					t.Errorf("held back until %s, for %s", e.task.NotBefore, wait)
				}
			})
		}
	}
}

// TestRetryPausesGrow: each retry waits longer, by chance up to the whole of a
// pause that doubles, within a bound.
func TestRetryPausesGrow(t *testing.T) {
	d := newDesk(t)
	d.join("w1", "s1")
	s := spec()
	s.MaxRetries = 12
	e, a := d.place("t", s)
	for n, most := 0, retryFirst; n < s.MaxRetries; n, most = n+1, min(2*most, retryMost) {
		d.answer(a, nil)
		d.complete(e, cluster.OutcomeFailed, cluster.FailureExit)
		wait := e.task.NotBefore.Sub(d.now)
		if wait < most/2 || wait > most {
			t.Fatalf("retry %d waits %s, want %s to %s", n+1, wait, most/2, most)
		}
		d.now = d.now.Add(wait)
		d.healthyBeat()
		st := d.ok(d.m.dispatch(d.now))
		if len(st.assigns) != 1 {
			t.Fatalf("retry %d: not placed when its time has come", n+1)
		}
		a = st.assigns[0]
	}
	d.answer(a, nil)
	d.complete(e, cluster.OutcomeFailed, cluster.FailureExit)
	if e.task.Status() != cluster.StatusFailed || e.task.Attempt != s.MaxRetries+1 {
		t.Fatalf("%s at attempt %d", e.task.Status(), e.task.Attempt)
	}
}

// TestNothingFreeAfterAStart: with both budgets 0 the next attempt is free only
// when the one before has certainly not begun.
func TestNothingFreeAfterAStart(t *testing.T) {
	lost := errors.New("no answer")
	gone := func(e *task) cluster.RunningAttempt { // what a worker's folder says of a container that is gone
		return cluster.RunningAttempt{Ref: e.task.Ref(), State: cluster.StateContainerCreated, HasContainer: true}
	}
	// again is a new life of the master, which has only what was stored.
	again := func(d *desk, e *task) *task {
		next := newDesk(d.t)
		next.now = d.now
		for _, w := range d.m.order {
			next.m.restoreWorker(next.now, w.worker)
		}
		next.m.restoreTask(next.now, e.task)
		d.m = next.m
		return d.m.tasks[e.task.ID]
	}
	for _, c := range []struct {
		name string
		free bool
		end  func(d *desk, e *task, a assign) *task
	}{
		{"refused at once", true, func(d *desk, e *task, a assign) *task {
			d.answer(a, cluster.ErrRefused)
			return e
		}},
		{"a repeat is refused by who has shown it", false, func(d *desk, e *task, a assign) *task {
			d.answer(a, lost)
			d.beat("w1", func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{running(e.task.Ref(), cluster.StateRunning)} })
			d.answer(a, cluster.ErrRefused)
			d.want(e, cluster.StateAssigned, 1)
			d.ok(d.m.loseWorker(d.now, d.m.workers["w1"]))
			return e
		}},
		{"lost with its worker, unanswered", false, func(d *desk, e *task, a assign) *task {
			d.answer(a, lost)
			d.ok(d.m.loseWorker(d.now, d.m.workers["w1"]))
			return e
		}},
		{"lost with its worker, the master has started anew since", false, func(d *desk, e *task, _ assign) *task {
			e = again(d, e)
			d.ok(d.m.loseWorker(d.now, d.m.workers["w1"]))
			return e
		}},
		{"removed with its worker, the master has started anew since", false, func(d *desk, e *task, _ assign) *task {
			d.m.workers["w1"].worker.Barred = true
			e = again(d, e)
			d.pass(time.Second)
			return e
		}},
		{"the worker has it not and never will", true, func(d *desk, e *task, a assign) *task {
			d.answer(a, lost)
			d.beat("w1", func(h *Heartbeat) { h.Absent = []cluster.AttemptRef{e.task.Ref()} })
			return e
		}},
		{"the same after a start of the master", true, func(d *desk, e *task, _ assign) *task {
			e = again(d, e)
			d.beat("w1", func(h *Heartbeat) { h.Absent = []cluster.AttemptRef{e.task.Ref()} })
			return e
		}},
		{"a new process without it", true, func(d *desk, e *task, a assign) *task {
			d.answer(a, nil)
			d.join("w1", "s2")
			return e
		}},
		{"a new process, the old one's container seen in a heartbeat", false, func(d *desk, e *task, a assign) *task {
			d.answer(a, nil)
			d.beat("w1", func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{running(e.task.Ref(), cluster.StateRunning)} })
			d.join("w1", "s2")
			return e
		}},
		{"a new process, the old one's container known by its folder alone", false, func(d *desk, e *task, a assign) *task {
			d.answer(a, lost)
			d.join("w1", "s2", gone(e))
			d.beat("w1", func(h *Heartbeat) { h.Absent = []cluster.AttemptRef{e.task.Ref()} })
			return e
		}},
		{"the same after a start of the master", false, func(d *desk, e *task, _ assign) *task {
			e = again(d, e)
			d.join("w1", "s2", gone(e))
			d.beat("w1", func(h *Heartbeat) { h.Absent = []cluster.AttemptRef{e.task.Ref()} })
			return e
		}},
		{"another data folder", false, func(d *desk, e *task, a assign) *task {
			d.answer(a, lost)
			d.m.workers["w1"].worker.Fingerprint = "of the old folder"
			d.join("w1", "s2")
			return e
		}},
		{"another data folder, after a start of the master", false, func(d *desk, e *task, _ assign) *task {
			d.m.workers["w1"].worker.Fingerprint = "of the old folder"
			e = again(d, e)
			d.join("w1", "s2")
			return e
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.join("w1", "s1")
			e, a := d.place("t", spec())
			e = c.end(d, e, a)
			if c.free {
				d.want(e, cluster.StateQueued, 2)
				if e.task.Retries+e.task.Reschedules != 0 {
					t.Errorf("it has paid: %+v", e.task)
				}
				return
			}
			if e.task.Status() != cluster.StatusFailed || e.task.Attempt != 1 {
				t.Fatalf("%s at attempt %d: %s", e.task.Status(), e.task.Attempt, e.task.Message)
			}
		})
	}
}

// TestNeverBegun: a task that nobody begins is given up after a while and says
// why; its history stays short, across restarts too. One attempt that begins
// starts the count anew.
func TestNeverBegun(t *testing.T) {
	d := newDesk(t)
	d.join("w1", "s1")
	s := spec()
	s.MaxReschedules = 1
	e := d.submit("t", s)
	begin := func() assign {
		t.Helper()
		for range 1000 {
			st := d.ok(d.m.dispatch(d.now))
			if len(st.assigns) == 1 {
				return st.assigns[0]
			}
			d.now = d.now.Add(5 * time.Second)
			d.healthyBeat()
			d.ok(d.m.tick(d.now))
		}
		t.Fatal("never placed")
		return assign{}
	}
	for range freeMost - 1 {
		d.answer(begin(), fmt.Errorf("%w: no room", cluster.ErrRefused))
	}
	d.want(e, cluster.StateQueued, freeMost)
	a := begin()
	d.answer(a, nil)
	d.complete(e, cluster.OutcomeFailed, cluster.FailureRuntime) // this one has begun
	d.want(e, cluster.StateQueued, freeMost+1)
	for range freeMost - 1 {
		d.answer(begin(), fmt.Errorf("%w: no room", cluster.ErrRefused))
	}
	d.want(e, cluster.StateQueued, 2*freeMost)
	d.answer(begin(), fmt.Errorf("%w: no room", cluster.ErrRefused))
	if e.task.Status() != cluster.StatusFailed || e.task.Failure != cluster.FailureRuntime || len(e.task.Attempts) != 2*freeMost {
		t.Fatalf("%s %s after %d attempts", e.task.Status(), e.task.Failure, len(e.task.Attempts))
	}
	for _, word := range []string{"20 times", "never began", "no room"} {
		if !strings.Contains(e.task.Message, word) {
			t.Errorf("%q lacks %q", e.task.Message, word)
		}
	}
}
