package coordinator

import (
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
)

// cancelled places a task and has it cancelled, which its worker does not confirm.
func cancelled(d *desk) (*task, assign) {
	d.t.Helper()
	d.join("w", "s")
	e, a := d.place("t", spec())
	st, _, err := d.m.cancel(d.now, e, "ann")
	if err != nil {
		d.t.Fatal(err)
	}
	if st = d.ok(st); len(st.cancels) != 0 {
		d.t.Fatal("the order overtakes the assignment")
	}
	if st := d.answer(a, nil); len(st.cancels) != 1 {
		d.t.Fatal("no order after the answer to the assignment")
	}
	return e, a
}

// A cancel is confirmed in time or decided: asking again gives the worker no more
// time, and what it is doing with the output does.
func TestCancelHasADeadline(t *testing.T) {
	d := newDesk(t)
	e, _ := cancelled(d)
	by := e.cancelBy
	if by.Sub(d.now) != 25*time.Second { // the grace and the heartbeat timeout
		t.Fatalf("%s", by.Sub(d.now))
	}
	d.now = d.now.Add(20 * time.Second)
	if st, _, err := d.m.cancel(d.now, e, "ann"); err != nil || len(st.cancels) != 1 || !e.cancelBy.Equal(by) {
		t.Fatalf("%v, %d orders, %s more time", err, len(st.cancels), e.cancelBy.Sub(by))
	}
	d.report(e, cluster.StateRunning)
	if !e.cancelBy.Equal(by) {
		t.Fatal("a container that still runs has more time")
	}
	d.report(e, cluster.StateCollectOutput)
	if got := e.cancelBy.Sub(d.now); got != 15*time.Second {
		t.Fatalf("its output has %s", got)
	}
}

// A master that has slept gives the worker all its time again.
func TestCancelWhileTheMasterSleeps(t *testing.T) {
	d := newDesk(t)
	e, _ := cancelled(d)
	d.pass(time.Minute)
	for range 24 {
		d.beat("w", func(h *Heartbeat) {
			h.Running = []cluster.RunningAttempt{running(e.task.Ref(), cluster.StateRunning)}
		})
		d.pass(time.Second)
	}
	d.want(e, cluster.StateAssigned, 1)
	d.pass(time.Second)
	d.want(e, cluster.StateStored, 1)
}

// The place of an attempt whose end the master has decided is not free before the
// worker has said what became of it.
func TestPlaceOfAnUnconfirmedCancel(t *testing.T) {
	d := newDesk(t)
	e, _ := cancelled(d)
	for range 5 {
		d.pass(5 * time.Second)
		d.m.workers["w"].deadline = d.now.Add(15 * time.Second) // alive, and has shown nothing
	}
	d.want(e, cluster.StateStored, 1)
	if w := d.m.workers["w"]; w.allocated() != spec().Resources {
		t.Fatalf("%+v", w.allocated())
	}
}

// An upload shows that a cancelled attempt is on its way out.
func TestUploadOfACancelledAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		if _, err := r.c.Cancel(t.Context(), ann, id); err != nil {
			t.Fatal(err)
		}
		for n := range uint64(6) {
			time.Sleep(5 * time.Second)
			if _, err := r.beat("w", "s", n+1); err != nil {
				t.Fatal(err)
			}
			if owner, recorded, err := r.c.AuthorizeUpload(t.Context(), from("w", "s"), ref); owner != ann.UserID || recorded || err != nil {
				t.Fatalf("after %d s: %q, %v, %v", 5*(n+1), owner, recorded, err)
			}
		}
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if got := r.task(id); got.Status() != cluster.StatusCancelled {
			t.Fatalf("%s, and nothing has moved for the timeout", got.Status())
		}
	})
}
