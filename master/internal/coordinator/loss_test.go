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
