package coordinator

import (
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

// A report that was overtaken takes nothing back.
func TestOlderProgressIsDropped(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	e, a := d.place("t", spec())
	d.answer(a, nil)
	d.report(e, cluster.StateRunning)
	d.report(e, cluster.StateImagePulled)
	d.pass(progressDelay)
	d.want(e, cluster.StateRunning, 1)
}

// What a pull has brought is written with the next state and costs no write of
// its own; an older report takes nothing back, and a loss leaves it.
func TestPulledBytesRideAlong(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	s := spec()
	s.MaxReschedules = 1
	e, a := d.place("t", s)
	d.answer(a, nil)
	pulled := func(last cluster.State, bytes int64) {
		t.Helper()
		st, err := d.m.report(d.now, ProgressReport{
			Caller: from("w", "s"), Ref: e.task.Ref(),
			Observation: cluster.Observation{States: upTo(last, d.now), PulledBytes: bytes}, Progress: Progress{DoneBytes: bytes},
		})
		if err != nil {
			t.Fatal(err)
		}
		d.ok(st)
		d.pass(progressDelay)
	}
	version := e.task.Version
	pulled(cluster.StateAssigned, 10)
	if e.task.Version != version {
		t.Errorf("a pull that goes on was written: version %d, was %d", e.task.Version, version)
	}
	pulled(cluster.StateImagePulled, 30)
	pulled(cluster.StateAssigned, 20)
	if e.task.Version != version+1 || e.task.Current().PulledBytes != 30 {
		t.Errorf("version %d, was %d; %d bytes", e.task.Version, version, e.task.Current().PulledBytes)
	}
	d.join("w", "s2") // without it
	d.want(e, cluster.StateQueued, 2)
	if e.task.Attempts[0].PulledBytes != 30 {
		t.Errorf("%+v", e.task.Attempts[0])
	}
}

// What was never sent to a lost worker costs no budget; what was sent does.
func TestLossBeforeTheAssignmentWasSentIsFree(t *testing.T) {
	for _, sent := range []bool{false, true} {
		d := newDesk(t)
		d.join("w", "s")
		e := d.submit("t", spec())
		st := d.m.dispatch(d.now)
		if sent {
			st = d.ok(st)
			d.answer(st.assigns[0], nil)
		}
		d.pass(15 * time.Second) // lost
		if !sent {
			d.ok(st)
			d.want(e, cluster.StateQueued, 2)
		} else if e.task.Failure != cluster.FailureWorkerLost {
			t.Fatalf("%s %s", e.task.Status(), e.task.Failure)
		}
	}
}

// What had been reported before a loss is in the history.
func TestLossKeepsWhatWasReported(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	s := spec()
	s.MaxReschedules = 1
	e, a := d.place("t", s)
	d.answer(a, nil)
	d.report(e, cluster.StateRunning)
	d.join("w", "s2")
	d.want(e, cluster.StateQueued, 2)
	if last := e.task.Attempts[0]; last.State != cluster.StateRunning || last.StartedAt.IsZero() || e.task.Reschedules != 1 {
		t.Fatalf("%+v", last)
	}
}

// A failure that lies in what was asked for is not tried again.
func TestHopelessFailureIsFinal(t *testing.T) {
	for _, hopeless := range []bool{false, true} {
		d := newDesk(t)
		d.join("w", "s")
		s := spec()
		s.MaxReschedules = 3
		e, a := d.place("t", s)
		d.answer(a, nil)
		c := d.completion(e, cluster.OutcomeFailed, cluster.FailureRuntime)
		c.Hopeless = hopeless
		held, _, err := d.m.judge(d.now, c)
		if err != nil {
			t.Fatal(err)
		}
		if held.final() != hopeless {
			t.Errorf("hopeless %v: final %v", hopeless, held.final())
		}
	}
}

// Progress that comes while something else about the task is written follows as
// soon as that is.
func TestProgressDuringAWrite(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	e, a := d.place("t", spec())
	d.answer(a, nil)
	under, _, err := d.m.cancel(d.now, e, "ann")
	if err != nil {
		t.Fatal(err)
	}
	d.report(e, cluster.StateRunning)
	if _, wait, err := d.m.cancel(d.now, e, "ann"); wait == nil || err != nil {
		t.Fatalf("a second write at once: %v", err)
	}
	d.pass(progressDelay)
	d.ok(under)
	if d.m.next.After(d.now.Add(progressDelay)) {
		t.Fatalf("nothing is due before %s", d.m.next.Sub(d.now))
	}
	d.pass(progressDelay)
	d.want(e, cluster.StateRunning, 1)
}

// A worker is told that an attempt is over only when it is: what memory does not
// have and the store says is placed may go on.
func TestTaskThatMemoryDoesNotHave(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		r.wantErr("a placed one", r.c.ended(t.Context(), from("w", "s"), ref), cluster.ErrUnavailable)
		r.wantErr("to another worker", r.c.ended(t.Context(), from("v", "s"), ref), cluster.ErrUnknownTask)
		if err := r.complete(ref, "s"); err != nil {
			t.Fatal(err)
		}
		if err := r.c.ended(t.Context(), from("w", "s"), ref); err != nil {
			t.Fatalf("%s with a result: %v", r.task(id).Status(), err)
		}
		ref.Lease = "another"
		r.wantErr("another attempt", r.c.ended(t.Context(), from("w", "s"), ref), cluster.ErrStaleAttempt)
	})
}
