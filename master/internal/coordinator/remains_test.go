package coordinator

import (
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

// P7: the container of an attempt that was given up may run on. Its place is
// free once its worker's heartbeat lacks it.
func TestPlaceOfAGivenUpAttemptStaysTakenForAWhile(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		r.submit()
		ref := r.client.order(t, 0).Ref
		runs := func(h *Heartbeat) {
			h.Running = append(h.Running, running(ref, cluster.StateRunning))
		}
		if _, err := r.c.Cancel(t.Context(), ann, ref.TaskID); err != nil {
			t.Fatal(err)
		}
		number := uint64(0)
		for r.task(ref.TaskID).State != cluster.StateStored {
			if number++; number > 60 {
				t.Fatal("the cancel is never decided")
			}
			if _, err := r.beat("w", "s1", number, runs); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		used := func() cluster.Resources {
			v, err := r.c.Worker(t.Context(), admin, "w")
			if err != nil {
				t.Fatal(err)
			}
			return v.Allocated
		}
		if used() == (cluster.Resources{}) {
			t.Fatal("its place is free while its container runs")
		}
		if reply, err := r.beat("w", "s1", number+1, runs); err != nil || !has(reply.Stop, ref) || used() == (cluster.Resources{}) {
			t.Fatalf("%+v, %v, used %+v", reply, err, used())
		}
		if _, err := r.beat("w", "s1", number+2); err != nil || used() != (cluster.Resources{}) {
			t.Fatalf("%v, used %+v", err, used())
		}
	})
}
