package coordinator

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Seam 1: absence proves nothing.
func TestSeam1AbsenceProvesNothing(t *testing.T) {
	t.Run("a heartbeat from before the assignment ends nothing", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s")
		e, a := d.place("t", spec())
		if reply, _ := d.beat("w", nil); len(reply.Expect)+len(reply.Stop) > 0 {
			t.Fatalf("while the assignment is on its way: %+v", reply)
		}
		d.answer(a, nil)
		reply, _ := d.beat("w", nil)
		if !has(reply.Expect, e.task.Ref()) {
			t.Fatalf("an accepted attempt that is not running must be asked for: %+v", reply)
		}
		d.want(e, cluster.StateAssigned, 1)
	})
	t.Run("an unanswered assignment is repeated, then asked for", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s")
		e, a := d.place("t", spec())
		ref := e.task.Ref()
		for n := range repeats {
			d.answer(a, errLost)
			st := d.pass(5 * time.Second)
			if len(st.hellos) != 1 {
				t.Fatalf("repeat %d: not called again", n)
			}
			st = d.ok(d.m.helloAnswered(d.now, st.hellos[0], Hello{WorkerID: "w", Session: "s"}, nil))
			if len(st.assigns) != 1 || st.assigns[0].order.Ref != ref {
				t.Fatalf("repeat %d: %+v", n, st.assigns)
			}
			a = st.assigns[0]
		}
		d.answer(a, errLost)
		st := d.pass(5 * time.Second)
		st = d.ok(d.m.helloAnswered(d.now, st.hellos[0], Hello{WorkerID: "w", Session: "s"}, nil))
		reply, beat := d.beat("w", nil)
		if len(st.assigns)+len(beat.assigns) > 0 || !has(reply.Expect, ref) {
			t.Fatalf("after %d repeats it is repeated still: expect %v", repeats, reply.Expect)
		}
		d.beat("w", func(h *Heartbeat) { h.Absent = []cluster.AttemptRef{ref} })
		d.want(e, cluster.StateQueued, 2)
		if e.task.Reschedules != 0 || e.task.Attempts[0].Reported {
			t.Fatalf("it cost a budget: %+v", e.task)
		}
	})
	t.Run("nothing is repeated that is to be cancelled", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s")
		e, a := d.place("t", spec())
		d.answer(a, errLost)
		st, _, err := d.m.cancel(d.now, e, "ann")
		if err != nil {
			t.Fatal(err)
		}
		d.ok(st)
		st = d.ok(d.m.called(d.now, a.to, nil))
		reply, beat := d.beat("w", nil)
		if len(st.assigns)+len(beat.assigns) > 0 || !has(reply.Expect, e.task.Ref()) {
			t.Fatalf("sent again: %v; expect %v", append(st.assigns, beat.assigns...), reply.Expect)
		}
		d.beat("w", func(h *Heartbeat) { h.Absent = reply.Expect })
		if e.task.Status() != cluster.StatusCancelled {
			t.Fatalf("it is %s", e.task.Status())
		}
	})
	t.Run("an older heartbeat is dropped", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s")
		e, a := d.place("t", spec())
		d.answer(a, nil)
		d.beat("w", func(h *Heartbeat) {
			h.Number = 9
			h.Running = []cluster.RunningAttempt{running(e.task.Ref(), cluster.StateRunning)}
		})
		d.beat("w", func(h *Heartbeat) { h.Number = 8; h.Absent = []cluster.AttemptRef{e.task.Ref()} })
		d.want(e, cluster.StateAssigned, 1)
	})
	t.Run("a refusal ends it, unless the worker has shown it", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s")
		e, a := d.place("t", spec())
		d.answer(a, cluster.ErrRefused)
		d.want(e, cluster.StateQueued, 2)
		st := d.pass(time.Second)
		d.beat("w", func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{running(e.task.Ref(), cluster.StateRunning)} })
		d.answer(st.assigns[0], cluster.ErrRefused)
		d.want(e, cluster.StateAssigned, 2)
	})
	t.Run("a restarted master asks for what had begun", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s")
		e, a := d.place("t", spec())
		d.answer(a, nil)
		d.report(e, cluster.StateRunning)
		d.pass(time.Second)
		stored, worker := e.task, d.m.workers["w"].worker
		d = newDesk(t)
		d.m.restoreWorker(d.now, worker)
		d.m.restoreTask(d.now, stored)
		d.ok(d.m.called(d.now, d.m.workers["w"].target(), nil))
		reply, st := d.beat("w", nil)
		if len(st.assigns) > 0 || !has(reply.Expect, stored.Ref()) {
			t.Fatalf("a running attempt is assigned again: %v", st.assigns)
		}
	})
}

// Seam 2: sessions.
func TestSeam2Sessions(t *testing.T) {
	r := Registration{Caller: from("w", "new")}
	old := rival{Target: Target{WorkerID: "w", Session: "old", Address: "host:1"}}
	left := old
	left.left = true
	for _, c := range []struct {
		name   string
		rival  rival
		answer Hello
		err    error
		want   error
	}{
		{"refused", old, Hello{}, cluster.ErrConnRefused, nil},
		{"another certificate", old, Hello{}, cluster.ErrOtherCertificate, nil},
		{"answered by the new session", old, Hello{WorkerID: "w", Session: "new"}, nil, nil},
		{"answered by another worker", old, Hello{WorkerID: "x", Session: "old"}, nil, nil},
		{"answered by a third session", old, Hello{WorkerID: "w", Session: "third"}, nil, nil},
		{"answered by the old session", old, Hello{WorkerID: "w", Session: "old"}, nil, cluster.ErrClone},
		{"silent", old, Hello{}, errLost, cluster.ErrUnavailable},
		{"silent after it announced its stop", left, Hello{}, errLost, nil},
		{"a clone of one that announced its stop", left, Hello{WorkerID: "w", Session: "old"}, nil, cluster.ErrClone},
	} {
		if err := claim(r, c.rival, c.answer, c.err); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	t.Run("a session belongs to one certificate", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s1")
		r := Registration{Caller: from("w", "s1")}
		if _, ask := d.m.mustProbe(r); ask {
			t.Error("the same process is probed when it registers again")
		}
		r.Fingerprint = "another"
		old, ask := d.m.mustProbe(r)
		if !ask {
			t.Fatal("a session is taken over with another certificate")
		}
		if err := claim(r, old, Hello{WorkerID: "w", Session: "s1"}, nil); !errors.Is(err, cluster.ErrClone) {
			t.Errorf("while the first one answers: %v", err)
		}
	})
	t.Run("the old session is refused and containers are kept", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s1")
		kept, a := d.place("kept", spec())
		d.answer(a, nil)
		free, b := d.place("free", spec())
		d.answer(b, nil)
		gone, c := d.place("gone", spec())
		d.answer(c, nil)
		d.report(gone, cluster.StateRunning)
		stray := cluster.AttemptRef{TaskID: "stray", Attempt: 1, Lease: "x"}
		reply, _ := d.join("w", "s2", running(kept.task.Ref(), cluster.StateRunning), running(stray, cluster.StateRunning))
		if !has(reply.Keep, kept.task.Ref()) || !has(reply.Stop, stray) || len(reply.Keep)+len(reply.Stop) != 2 {
			t.Fatalf("%+v", reply)
		}
		d.want(kept, cluster.StateAssigned, 1)
		d.want(free, cluster.StateQueued, 2)
		if gone.task.Status() != cluster.StatusFailed || gone.task.Failure != cluster.FailureRuntime {
			t.Fatalf("without max_reschedules a vanished container is a failure: %s %s", gone.task.Status(), gone.task.Failure)
		}
		if _, _, err := d.m.heartbeat(d.now, Heartbeat{Caller: from("w", "s1"), Number: 99}); !errors.Is(err, cluster.ErrUnknownSession) {
			t.Fatalf("old session: %v", err)
		}
	})
	t.Run("what only a heartbeat showed to have a container costs a budget", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s1")
		e, a := d.place("t", spec())
		d.answer(a, nil)
		d.beat("w", func(h *Heartbeat) {
			h.Running = []cluster.RunningAttempt{running(e.task.Ref(), cluster.StateRunning)}
		})
		d.join("w", "s2")
		if e.task.Failure != cluster.FailureRuntime {
			t.Fatalf("%s at attempt %d, failure %q: its container had run", e.task.State, e.task.Attempt, e.task.Failure)
		}
	})
}

// Seam 3: pending writes.
func TestSeam3PendingWrites(t *testing.T) {
	t.Run("a definite failure puts the task back at its old place", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s")
		first := d.submit("a", spec())
		d.submit("b", spec())
		st := d.m.dispatch(d.now)
		d.settle(st, db.ErrFull)
		if d.m.queue.Position("a") != 1 || d.m.queue.Position("b") != 2 || len(d.m.workers["w"].attempts) > 0 {
			t.Fatalf("positions %d, %d; reserved %v", d.m.queue.Position("a"), d.m.queue.Position("b"), d.m.workers["w"].attempts)
		}
		d.want(first, cluster.StateQueued, 1)
		if d.m.next.IsZero() || d.m.next.After(d.now.Add(storeRest)) {
			t.Fatal("nobody tries again")
		}
	})
	for _, kept := range []bool{true, false} {
		t.Run(fmt.Sprintf("an unknown outcome is read back, kept %v", kept), func(t *testing.T) {
			d := newDesk(t)
			d.join("w", "s")
			e := d.submit("a", spec())
			before := e.task
			w := d.m.dispatch(d.now).writes[0]
			st := d.m.committed(d.now, w, db.ErrOutcomeUnknown)
			if len(st.readback) != 1 || e.pending == nil || d.m.workers["w"].attempts["a"].CPU != 1 {
				t.Fatal("it is not held until it has been read back")
			}
			if _, wait, _ := d.m.cancel(d.now, e, "ann"); wait == nil {
				t.Fatal("the next decision does not wait")
			}
			stored := before
			if kept {
				stored = w.Task
			}
			st = d.ok(d.m.readBack(d.now, w, stored, false))
			if kept != (len(st.assigns) == 1) || kept == d.m.queue.Has("a") {
				t.Fatalf("assigns %v, in queue %v", st.assigns, d.m.queue.Has("a"))
			}
		})
	}
	t.Run("an insert that is not there is forgotten", func(t *testing.T) {
		d := newDesk(t)
		e, st := d.m.submit(d.now, "a", "ann", spec(), "")
		d.m.committed(d.now, st.writes[0], db.ErrOutcomeUnknown)
		d.m.readBack(d.now, st.writes[0], cluster.Task{}, true)
		select {
		case <-e.done:
		default:
			t.Fatal("those who wait for it hang")
		}
		if len(d.m.tasks)+d.m.queue.Len() > 0 {
			t.Fatal("it is kept")
		}
	})
	t.Run("another writer stops the master", func(t *testing.T) {
		d := newDesk(t)
		_, st := d.m.submit(d.now, "a", "ann", spec(), "")
		if st = d.m.committed(d.now, st.writes[0], db.ErrVersion); st.fatal == nil {
			t.Fatal("it goes on")
		}
	})
	t.Run("a refused attempt is not sent again while its end waits for the disk", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s")
		e, a := d.place("t", spec())
		d.settle(d.m.assignAnswered(d.now, a, cluster.ErrRefused), db.ErrUnavailable)
		d.want(e, cluster.StateAssigned, 1)
		if reply, st := d.beat("w", nil); len(st.assigns) > 0 {
			t.Fatalf("sent again: %+v, %+v", st.assigns, reply)
		}
		d.pass(storeRest)
		if e.task.Attempt != 2 {
			t.Fatal("its end was forgotten")
		}
	})
	t.Run("a loss that could not be written is written later", func(t *testing.T) {
		d := newDesk(t)
		d.join("w", "s")
		s := spec()
		s.MaxReschedules = 1
		e, a := d.place("t", s)
		d.answer(a, nil)
		d.now = d.now.Add(15 * time.Second)
		d.settle(d.m.tick(d.now), db.ErrUnavailable)
		d.want(e, cluster.StateAssigned, 1)
		d.pass(storeRest)
		d.want(e, cluster.StateQueued, 2)
	})
}

// Seam 6: orphans.
func TestSeam6Orphans(t *testing.T) {
	d := newDesk(t)
	stray := cluster.AttemptRef{TaskID: "stray", Attempt: 1, Lease: "x"}
	orphan := running(stray, cluster.StateRunning)
	orphan.Allocated = cluster.Resources{CPU: 3.5}
	reply, _ := d.join("w", "s", orphan)
	if !has(reply.Stop, stray) {
		t.Fatal("it may stay")
	}
	e := d.submit("t", spec())
	d.ok(d.m.dispatch(d.now))
	d.want(e, cluster.StateQueued, 1)
	reply2, _ := d.beat("w", func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{orphan} })
	if !has(reply2.Stop, stray) {
		t.Fatal("not stopped by the heartbeat")
	}
	d.ok(d.m.dispatch(d.now))
	d.want(e, cluster.StateQueued, 1)
	d.beat("w", nil)
	st := d.ok(d.m.dispatch(d.now))
	d.want(e, cluster.StateAssigned, 1)

	// What is here already only clears up, for a while.
	d.answer(st.assigns[0], nil)
	ref := e.task.Ref()
	d.complete(e, cluster.OutcomeSuccess, "")
	ended := running(ref, cluster.StateReportResult)
	clearing := func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{ended} }
	if reply, _ := d.beat("w", clearing); len(reply.Stop) > 0 || d.m.workers["w"].allocated().CPU > 0 {
		t.Fatalf("%v, in use %v", reply, d.m.workers["w"].allocated())
	}
	d.now = d.now.Add(11 * time.Second)
	if reply, _ := d.beat("w", clearing); !has(reply.Stop, ref) || d.m.workers["w"].allocated().CPU != 1 {
		t.Fatalf("it clears up for ever: %v, in use %v", reply, d.m.workers["w"].allocated())
	}
}

// An attempt that the master has given up is stopped although it is past its
// container, and counts as used until it is gone.
func TestSeam6FencedAttemptIsStopped(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	e, a := d.place("t", spec())
	d.answer(a, nil)
	ref := e.task.Ref()
	st, _, err := d.m.cancel(d.now, e, "ann")
	if err != nil {
		t.Fatal(err)
	}
	d.ok(st)
	for range 6 {
		d.beat("w", func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{running(ref, cluster.StateUploadFiles)} })
		d.pass(5 * time.Second)
	}
	if e.task.Status() != cluster.StatusCancelled {
		t.Fatalf("%s: nobody confirmed within grace and timeout", e.task.Status())
	}
	reply, _ := d.beat("w", func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{running(ref, cluster.StateUploadFiles)} })
	if !has(reply.Stop, ref) || d.m.workers["w"].allocated().CPU != 1 {
		t.Fatalf("%v, in use %v", reply, d.m.workers["w"].allocated())
	}
}

// Seam 7: the engine may lie while it stops; the worker says runtime.
func TestSeam7EngineStops(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	s := spec()
	s.MaxReschedules = 1
	e, a := d.place("t", s)
	d.answer(a, nil)
	d.beat("w", func(h *Heartbeat) { h.Healthy, h.Message = false, "the engine does not answer" })
	if status, why := d.m.workers["w"].status(); status != cluster.WorkerUnhealthy || why != "the engine does not answer" {
		t.Fatalf("%s: %s", status, why)
	}
	d.complete(e, cluster.OutcomeFailed, cluster.FailureRuntime)
	d.want(e, cluster.StateQueued, 2)
	if e.task.Reschedules != 1 || e.task.Retries != 0 {
		t.Fatalf("%+v", e.task)
	}
	d.ok(d.m.dispatch(d.now))
	d.want(e, cluster.StateQueued, 2) // unhealthy: gets nothing
	d.beat("w", nil)
	st := d.ok(d.m.dispatch(d.now))
	d.answer(st.assigns[0], nil)
	d.complete(e, cluster.OutcomeFailed, cluster.FailureRuntime)
	if e.task.Failure != cluster.FailureRuntime || e.task.Status() != cluster.StatusFailed {
		t.Fatalf("%s %s", e.task.Status(), e.task.Failure)
	}
}

// Seam 8: clocks.
func TestSeam8Clocks(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	s := spec()
	s.MaxReschedules = 1
	e, a := d.place("t", s)
	d.answer(a, nil)
	worker := d.now.Add(-time.Hour)
	st, err := d.m.report(d.now, ProgressReport{
		Caller: from("w", "s"), Ref: e.task.Ref(), Observation: cluster.Observation{States: upTo(cluster.StateRunning, worker)},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.ok(st)
	d.pass(time.Second)
	last := e.task.Events[len(e.task.Events)-1]
	if !last.Time.Equal(d.now) || !last.WorkerTime.Equal(worker) {
		t.Fatalf("%+v", last)
	}
	d.pass(time.Minute) // far too late for a timer: the master slept
	d.want(e, cluster.StateRunning, 1)
	d.pass(14 * time.Second)
	d.want(e, cluster.StateRunning, 1)
	d.pass(1100 * time.Millisecond)
	d.want(e, cluster.StateQueued, 2)
	if e.task.Reschedules != 1 || d.m.workers["w"].deadline != (time.Time{}) {
		t.Fatalf("%+v", e.task)
	}
}
