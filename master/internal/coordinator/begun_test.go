package coordinator

import (
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// A master that starts anew hears in one heartbeat that an attempt had begun
// and that it is gone: another one is paid for.
func TestAbsentAttemptThatHadBegunIsPaidFor(t *testing.T) {
	for _, begun := range []bool{true, false} {
		bubble(t, func(t *testing.T, r *rig) {
			r.join("w", "s1")
			id := r.submit()
			ref := r.client.order(t, 0).Ref
			r.restart()
			_, err := r.beat("w", "s1", 1, func(h *Heartbeat) {
				h.Absent = []cluster.AttemptRef{ref}
				if begun {
					a := running(ref, cluster.StateContainerCreated)
					a.HasContainer = true
					h.Running = append(h.Running, a)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			want := 0
			if begun {
				want = 1
			}
			if task := r.task(id); task.Attempt != 2 || task.Reschedules != want {
				t.Fatalf("begun %v: attempt %d, %d reschedules", begun, task.Attempt, task.Reschedules)
			}
		})
	}
}

// What a worker disowns is answered once its end is on the disk: it forgets the
// rest of what it knew then.
func TestDisownedIsAnsweredWhenItsEndIsStored(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		absent := func(h *Heartbeat) { h.Absent = []cluster.AttemptRef{ref} }
		r.store.set(func(s *shakyStore) { s.read = db.ErrUnavailable })
		r.store.fail(db.ErrOutcomeUnknown, false)
		for number := range uint64(2) {
			_, err := r.beat("w", "s1", number+1, absent)
			r.wantErr("an absence whose end is not recorded", err, cluster.ErrUnavailable)
		}
		r.store.set(func(s *shakyStore) { s.read = nil })
		time.Sleep(10 * time.Second)
		if _, err := r.beat("w", "s1", 3, absent); err != nil || r.task(id).Attempt != 2 {
			t.Fatalf("%v, attempt %d", err, r.task(id).Attempt)
		}
	})
}

// A worker gets nothing before the store knows its session: a master that starts
// again would take the process for a new one, and an assignment that is still on
// its way for never begun.
func TestNothingIsSentToASessionThatIsNotStored(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.store.set(func(s *shakyStore) { s.put = db.ErrUnavailable })
		_, err := r.c.Register(t.Context(), Registration{
			Caller: from("w", "s1"), Address: "host:1", Total: cluster.Resources{CPU: 4, Memory: 4096, Storage: 4096},
		})
		r.wantErr("a registration that is not stored", err, cluster.ErrUnavailable)
		id := r.submit()
		if _, err := r.beat("w", "s1", 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := r.task(id); got.State != cluster.StateQueued {
			t.Fatalf("the task is %s on a worker that the store does not know", got.State)
		}
		r.store.set(func(s *shakyStore) { s.put = nil })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := r.client.order(t, 0); got.Ref.TaskID != id {
			t.Fatalf("sent %v, want %s", got.Ref, id)
		}
	})
}
