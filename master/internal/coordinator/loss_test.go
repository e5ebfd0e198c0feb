package coordinator

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// A lost attempt is over once its log has been ended, and not before.
func TestLossWaitsForTheLogsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.keeper.full = true
		r.join("w", "s")
		id := r.submit()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := r.task(id); !got.State.Placed() || r.keeper.count("abandon 1") < 2 {
			t.Fatalf("%s at attempt %d after %d tries to end the log", got.State, got.Attempt, r.keeper.count("abandon 1"))
		}
		r.keeper.mu.Lock()
		r.keeper.full = false
		r.keeper.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := r.task(id); got.State != cluster.StateQueued || got.Attempt != 2 || got.Reschedules != 1 {
			t.Fatalf("%s at attempt %d", got.State, got.Attempt)
		}
	})
}

// The log of an attempt is ended before its loss is stored. A master that starts
// in between loses the attempt again, although its worker returns: nothing can be
// added to that log.
func TestF05LossOutlivesTheMaster(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		r.store.set(func(s *shakyStore) {
			s.commit = func(writes []db.Write) []error { return slices.Repeat([]error{db.ErrUnavailable}, len(writes)) }
		})
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if got := r.task(id); !got.State.Placed() || r.keeper.count("abandon 1") == 0 {
			t.Fatalf("%s, the log ended %d times", got.State, r.keeper.count("abandon 1"))
		}
		r.wantErr("a result of an attempt whose end is decided", r.complete(ref, "s"), cluster.ErrUnavailable)
		r.restart()
		reply := r.join("w", "s2", running(ref, cluster.StateRunning))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := r.task(id); got.Attempt != 2 || got.Reschedules != 1 {
			t.Fatalf("%s at attempt %d; on its return the worker heard %+v", got.State, got.Attempt, reply)
		}
		r.wantErr("the result of the lost attempt", r.complete(ref, "s2"), cluster.ErrStaleAttempt)
	})
}

// A worker that is heard again after its loss may have written that heartbeat
// before an assignment reached it: the place of an attempt that was given up is
// kept until the worker has shown it, or says that it does not have it.
func TestPlaceOfALostAttemptIsKept(t *testing.T) {
	for _, shown := range []bool{true, false} {
		d := newDesk(t)
		d.join("w", "s")
		e, a := d.place("t", spec())
		ref := e.task.Ref()
		for range 4 {
			d.pass(5 * time.Second)
		}
		d.answer(a, nil) // it came after all
		if e.live(ref) {
			t.Fatalf("%s at attempt %d of a worker that is silent", e.task.State, e.task.Attempt)
		}
		w := d.m.workers["w"]
		reply, _ := d.beat("w", func(*Heartbeat) {})
		if !has(reply.Expect, ref) || w.allocated().CPU != 1 {
			t.Errorf("heard again: asked for %v, in use %v", reply.Expect, w.allocated())
		}
		if shown {
			reply, _ = d.beat("w", func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{running(ref, cluster.StateRunning)} })
			if !has(reply.Stop, ref) || w.allocated().CPU != 1 {
				t.Errorf("shown: told to stop %v, in use %v", reply.Stop, w.allocated())
			}
			reply, _ = d.beat("w", func(*Heartbeat) {})
		} else {
			reply, _ = d.beat("w", func(h *Heartbeat) { h.Absent = []cluster.AttemptRef{ref} })
		}
		if len(reply.Expect) > 0 || w.allocated().CPU != 0 {
			t.Errorf("gone: asked for %v, in use %v", reply.Expect, w.allocated())
		}
	}
}

// What a lost worker had shown, and what of it was taken, is forgotten with it.
func TestLostWorkerHoldsNothing(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	e, a := d.place("t", spec())
	d.answer(a, nil)
	d.beat("w", func(h *Heartbeat) {
		h.Running = []cluster.RunningAttempt{running(cluster.AttemptRef{TaskID: "x", Attempt: 1, Lease: "x"}, cluster.StateRunning)}
	})
	d.complete(e, cluster.OutcomeSuccess, "")
	w := d.m.workers["w"]
	if w.allocated().CPU != 1 || len(w.recent) != 1 {
		t.Fatalf("%+v, %v", w.allocated(), w.recent)
	}
	d.pass(15 * time.Second)
	if !w.worker.Lost || w.allocated() != (cluster.Resources{}) || len(w.recent) != 0 {
		t.Fatalf("lost %v: %+v, %v", w.worker.Lost, w.allocated(), w.recent)
	}
}
