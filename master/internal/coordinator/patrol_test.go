package coordinator

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// TestPatrol lets the running master find that something else has written to
// its store: it says so once, to the log and to administrators by name, to
// others by number, and once more when it is over.
func TestPatrol(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var said bytes.Buffer
		r.log = slog.NewTextHandler(&said, nil)
		r.restart()
		id := r.submit()
		time.Sleep(2 * time.Second)
		if found := r.c.Invariants(); found.CheckedAt.IsZero() || found.SweptAt.IsZero() || found.Pending+found.Violations > 0 {
			t.Fatalf("%+v", found)
		}
		mine := r.task(id)
		other := mine
		other.Version++
		other.Spec.Priority = 99
		if err := r.store.Memory.Commit(t.Context(), []db.Write{{Task: other, Expect: mine.Version}})[0]; err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if found := r.c.Invariants(); found.Pending != 1 || found.Violations != 0 {
			t.Fatalf("after 10 s: %+v", found)
		}
		r.store.set(func(s *shakyStore) { s.read = db.ErrUnavailable })
		time.Sleep(time.Minute) // no evidence
		if found := r.c.Invariants(); found.Pending != 1 || found.Violations != 0 {
			t.Fatalf("while the store is away: %+v", found)
		}
		r.store.set(func(s *shakyStore) { s.read = nil })
		time.Sleep(10 * time.Second)
		found := r.c.Invariants()
		if found.Violations != 1 || len(found.Kinds) != 1 || found.Kinds[0].Invariant != StoreDiffers || found.Kinds[0].Oldest < 15*time.Second {
			t.Fatalf("%+v", found)
		}
		for p, sees := range map[*cluster.Principal]int{&ann: 0, &admin: 1} {
			if v, err := r.c.Cluster(t.Context(), *p); err != nil || len(v.Mismatches) != sees {
				t.Errorf("%s sees %+v, %v", p.UserID, v.Mismatches, err)
			}
		}
		r.c.locked(func(time.Time) { r.c.m.tasks[id].task = other })
		time.Sleep(3 * time.Second)
		if found := r.c.Invariants(); found.Pending+found.Violations > 0 {
			t.Fatalf("mended: %+v", found)
		}
		_ = r.stop()
		synctest.Wait()
		for line, times := range map[string]int{"an invariant does not hold": 1, "an invariant holds again": 1, "task_id=" + string(id): 2} {
			if n := strings.Count(said.String(), line); n != times {
				t.Errorf("%q is in the log %d times: %s", line, n, said.String())
			}
		}
	})
}

// TestPatrolLargeStore sweeps more than fits into one part, and does not take
// what moves meanwhile for wrong.
func TestPatrolLargeStore(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for range 3 * patrolBatch {
			r.submit()
		}
		time.Sleep(5 * time.Second)
		if found := r.c.Invariants(); found.SweptAt.IsZero() || found.Pending+found.Violations > 0 {
			t.Fatalf("%+v", found)
		}
		r.join("w", "s1")
		time.Sleep(3 * time.Second)
		if found := r.c.Invariants(); found.Violations > 0 || time.Since(found.SweptAt) > 3*time.Second {
			t.Fatalf("%+v", found)
		}
	})
}

// A sweep that has waited for a store that was away, and has met it in the end,
// is followed by the next one as any other.
func TestPatrolAfterWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.submit()
		r.store.set(func(s *shakyStore) { s.away = 5 * time.Second })
		time.Sleep(30 * time.Second)
		if found := r.c.Invariants(); time.Since(found.SweptAt) > 10*time.Second {
			t.Fatalf("no sweep has begun for %s", time.Since(found.SweptAt))
		}
	})
}
