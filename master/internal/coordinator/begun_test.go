package coordinator

import (
	"testing"

	"cloudai/master/internal/cluster"
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
